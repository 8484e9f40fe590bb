// From a picture to the network's input: similarity transforms, the crop, and the linear step that turns a face upright.
// A transform { a, b, x, y } maps (u, v) to (a u - b v + x, b u + a v + y); a picture's top left corner is (0, 0).

import { describe } from "./finder.mjs";

export const SIZE = 64;
const PATCH = 96; // pixels; benchmarks/page_alignment.py learned the step from patches like these
const PATCH_MARGIN = 0.3;
const FINEST = 16;

export const apply = ({ a, b, x, y }, u, v) => [a * u - b * v + x, b * u + a * v + y];

export function compose(first, second) {
  const [x, y] = apply(second, first.x, first.y);
  return { a: second.a * first.a - second.b * first.b, b: second.b * first.a + second.a * first.b, x, y };
}

export function invert({ a, b, x, y }) {
  const square = a * a + b * b;
  const back = { a: a / square, b: -b / square, x: 0, y: 0 };
  [back.x, back.y] = apply(back, -x, -y);
  return back;
}

/** Map a square box with a margin to a square of so many pixels. */
export function fit({ left, top, right, bottom }, margin, size) {
  const scale = size / ((1 + 2 * margin) * (right - left));
  return { a: scale, b: 0, x: size / 2 - (scale * (left + right)) / 2, y: size / 2 - (scale * (top + bottom)) / 2 };
}

/** Cut a turned square out of a picture of RGBA bytes, averaging over the area of each pixel; gives RGBA bytes. */
export function warp(picture, transform, size) {
  const { data, width, height } = picture;
  const back = invert(transform);
  const fine = Math.min(Math.max(Math.ceil(Math.hypot(back.a, back.b)), 1), FINEST);
  const pixels = new Uint8ClampedArray(4 * size * size).fill(255);
  const clamp = (value, most) => (value < 0 ? 0 : value > most ? most : value);
  const sums = new Float64Array(3);
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++) {
      sums.fill(0);
      for (let part = 0; part < fine * fine; part++) {
        const u = column + ((part % fine) + 0.5) / fine;
        const v = row + (Math.floor(part / fine) + 0.5) / fine;
        // The centre of the first pixel is at (0.5, 0.5). What lies outside repeats the border.
        const x = back.a * u - back.b * v + back.x - 0.5;
        const y = back.b * u + back.a * v + back.y - 0.5;
        const left = Math.floor(x);
        const top = Math.floor(y);
        const after = x - left;
        const below = y - top;
        const near = 4 * clamp(left, width - 1);
        const far = 4 * clamp(left + 1, width - 1);
        const upper = 4 * width * clamp(top, height - 1);
        const lower = 4 * width * clamp(top + 1, height - 1);
        for (let c = 0; c < 3; c++)
          sums[c] +=
            (1 - below) * ((1 - after) * data[upper + near + c] + after * data[upper + far + c]) +
            below * ((1 - after) * data[lower + near + c] + after * data[lower + far + c]);
      }
      // The array rounds.
      for (let c = 0; c < 3; c++) pixels[4 * (row * size + column) + c] = sums[c] / (fine * fine);
    }
  return pixels;
}

/** Find the crop of the face in a detector's box, upright and to scale: two linear steps. */
export function align(picture, box, arithmetic, step, margin) {
  let patch = fit(box, PATCH_MARGIN, PATCH);
  let crop;
  for (let repeat = 0; repeat < 2; repeat++) {
    const [cos, sin, x, y] = answer(picture, patch, arithmetic, step);
    const scale = PATCH / SIZE;
    const back = { a: scale * cos, b: scale * sin, x: 0, y: 0 };
    const [u, v] = apply(back, SIZE / 2, SIZE / 2);
    crop = compose(patch, invert({ ...back, x: PATCH * x - u, y: PATCH * y - v }));
    const zoom = (PATCH * (1 + 2 * margin)) / (SIZE * (1 + 2 * PATCH_MARGIN));
    const shift = (PATCH - zoom * SIZE) / 2;
    patch = compose(crop, { a: zoom, b: 0, x: shift, y: shift });
  }
  return crop;
}

function answer(picture, patch, arithmetic, step) {
  const start = arithmetic.used;
  const pixels = { data: warp(picture, patch, PATCH), width: PATCH, height: PATCH };
  const { first, width, height, channels } = describe(pixels, arithmetic);
  const { numbers } = arithmetic;
  const length = width * height * channels;
  const values = [0, 1, 2, 3].map((target) => {
    let sum = numbers[step + 4 * length + target];
    for (let i = 0; i < length; i++) sum += numbers[first + i] * numbers[step + 4 * i + target];
    return sum;
  });
  arithmetic.release(start);
  return values;
}

/** RGBA bytes without A, as the network takes them. */
export function toInput(pixels) {
  return Float32Array.from({ length: 3 * SIZE * SIZE }, (_, i) => pixels[4 * Math.floor(i / 3) + (i % 3)]);
}
