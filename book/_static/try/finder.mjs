// dlib's frontal face detector (histograms of oriented gradients, five linear filters), see book/_ext/face_finder.py.

const CELL = 8; // pixels
const WINDOW = 10; // cells
const FEATURES = 31;
const SHRINK = 5 / 6; // from one size of the picture to the next
const LEAST = 64; // pixels
const EPSILON = 1e-4;
// Nine directions, 20 degrees apart; with their opposites they make 18. dlib's digits: what lies midway goes to the first.
const DX = [1, 0.9397, 0.766, 0.5, 0.1736, -0.1736, -0.5, -0.766, -0.9397];
const DY = [0, 0.342, 0.6428, 0.866, 0.9848, 0.9848, 0.866, 0.6428, 0.342];

/** Scale a picture { data, width, height } of RGBA bytes, with the corners' pixels in place, as dlib does. */
export function resize(picture, width, height) {
  const { data } = picture;
  const scaled = new Uint8ClampedArray(4 * width * height);
  const [stepX, stepY] = [(picture.width - 1) / Math.max(width - 1, 1), (picture.height - 1) / Math.max(height - 1, 1)];
  let to = 0;
  for (let y = 0; y < height; y++) {
    const top = Math.floor(y * stepY);
    const below = y * stepY - top;
    const row = 4 * top * picture.width;
    const down = top + 1 < picture.height ? 4 * picture.width : 0;
    for (let x = 0; x < width; x++, to += 4) {
      const left = Math.floor(x * stepX);
      const after = x * stepX - left;
      const at = row + 4 * left;
      const right = left + 1 < picture.width ? 4 : 0;
      for (let c = at; c < at + 3; c++)
        scaled[to + c - at] =
          (1 - below) * ((1 - after) * data[c] + after * data[c + right]) +
          below * ((1 - after) * data[c + down] + after * data[c + down + right]);
    }
  }
  return { data: scaled, width, height };
}

/** Felzenszwalb's 31 features of each cell but those at the border, padded with cells of zeros, into the memory. */
export function describe(picture, arithmetic, padding = 0) {
  const [columns, rows] = [picture.width, picture.height].map((side) => Math.floor(side / CELL + 0.5));
  const cells = gradientHistograms(picture, columns, rows);
  const energy = new Float32Array(columns * rows);
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++)
      for (let o = 0; o < 9; o++) {
        const at = 18 * ((y + 1) * (columns + 2) + x + 1) + o;
        energy[y * columns + x] += (cells[at] + cells[at + 9]) ** 2;
      }
  const block = (x, y) =>
    energy[y * columns + x] + energy[y * columns + x + 1] + energy[(y + 1) * columns + x] + energy[(y + 1) * columns + x + 1];
  // A filter of ten cells needs 5 cells before the first and 4 behind the last to centre on any.
  const [before, behind] = padding ? [(padding - 1) >> 1, padding - 1 - ((padding - 1) >> 1)] : [0, 0];
  const [width, height] = [columns - 2 + before + behind, rows - 2 + before + behind];
  const first = arithmetic.reserve(width * height * FEATURES);
  const { numbers } = arithmetic;
  numbers.fill(0, first, first + width * height * FEATURES);
  const limits = new Float32Array(4);
  for (let y = 0; y < rows - 2; y++)
    for (let x = 0; x < columns - 2; x++) {
      limits[0] = block(x + 1, y + 1);
      limits[1] = block(x + 1, y);
      limits[2] = block(x, y + 1);
      limits[3] = block(x, y);
      for (let i = 0; i < 4; i++) limits[i] = 0.2 * Math.sqrt(limits[i] + EPSILON);
      const from = 18 * ((y + 2) * (columns + 2) + x + 2);
      const to = first + FEATURES * ((y + before) * width + x + before);
      for (let o = 0; o < 27; o++) {
        const value = o < 18 ? cells[from + o] : cells[from + o - 18] + cells[from + o - 9];
        for (let i = 0; i < 4; i++) {
          const part = (0.1 * Math.min(value, limits[i])) / limits[i];
          numbers[to + o] += part;
          if (o < 18) numbers[to + 27 + i] += 2 * 0.2357 * part;
        }
      }
    }
  return { first, width, height, channels: FEATURES };
}

/** Sum the lengths of the gradients by direction, shared out between the four nearest cells. */
function gradientHistograms({ data, width, height }, columns, rows) {
  const cells = new Float32Array(18 * (columns + 2) * (rows + 2));
  const stride = 4 * width;
  const [endX, endY] = [Math.min(columns * CELL, width) - 1, Math.min(rows * CELL, height) - 1];
  for (let y = 1; y < endY; y++) {
    const placeY = (y + 0.5) / CELL - 0.5;
    const cellY = Math.floor(placeY);
    const lower = placeY - cellY;
    for (let x = 1; x < endX; x++) {
      // The colour that changes most.
      let dx = 0;
      let dy = 0;
      let square = 0;
      const at = y * stride + 4 * x;
      for (let c = at; c < at + 3; c++) {
        const across = data[c + 4] - data[c - 4];
        const down = data[c + stride] - data[c - stride];
        const length = across * across + down * down;
        if (length > square) {
          square = length;
          dx = across;
          dy = down;
        }
      }
      if (!square) continue;
      let best = 0;
      let direction = 0;
      for (let o = 0; o < 9; o++) {
        const along = DX[o] * dx + DY[o] * dy;
        if (along > best) {
          best = along;
          direction = o;
        } else if (-along > best) {
          best = -along;
          direction = o + 9;
        }
      }
      const length = Math.sqrt(square);
      const placeX = (x + 0.5) / CELL - 0.5;
      const cellX = Math.floor(placeX);
      const later = placeX - cellX;
      const upper = 18 * ((cellY + 1) * (columns + 2) + cellX + 1) + direction;
      const under = upper + 18 * (columns + 2);
      cells[upper] += (1 - lower) * (1 - later) * length;
      cells[upper + 18] += (1 - lower) * later * length;
      cells[under] += lower * (1 - later) * length;
      cells[under + 18] += lower * later * length;
    }
  }
  return cells;
}

/** Scores of the five filters at every place of one size of the picture that reach the threshold. */
function scan(picture, arithmetic, filters, threshold) {
  const start = arithmetic.used;
  const answers = arithmetic.convolve(describe(picture, arithmetic, WINDOW), filters);
  const found = [];
  let at = answers.first;
  for (let y = 0; y < answers.height; y++)
    for (let x = 0; x < answers.width; x++, at += answers.channels)
      for (let i = 0; i < 5; i++)
        if (arithmetic.numbers[at + i] >= threshold) found.push({ x, y, score: arithmetic.numbers[at + i] });
  arithmetic.release(start);
  return found;
}

/** Find faces: boxes { left, top, right, bottom, score } in pixels of the picture, the surest first. */
export function findFaces(picture, arithmetic, filters, { scale = 1, threshold = 0 } = {}) {
  const found = [];
  let [width, height] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
  let small = scale === 1 ? picture : resize(picture, width, height);
  while (Math.min(width, height) >= LEAST) {
    const [byX, byY] = [(picture.width - 1) / (width - 1), (picture.height - 1) / (height - 1)];
    for (const { x, y, score } of scan(small, arithmetic, filters, threshold)) {
      const [left, top] = [CELL * x - 19, CELL * y - 19];
      found.push({ left: left * byX, top: top * byY, right: (left + 73) * byX, bottom: (top + 73) * byY, score });
    }
    [width, height] = [Math.floor(width * SHRINK + 0.5), Math.floor(height * SHRINK + 0.5)];
    small = resize(small, width, height);
  }
  return suppress(found);
}

/** Keep the surest of boxes that overlap. */
function suppress(found) {
  const kept = [];
  const area = (box) => (box.right - box.left) * (box.bottom - box.top);
  for (const box of found.sort((a, b) => b.score - a.score)) {
    const rival = kept.some((other) => {
      const width = Math.min(box.right, other.right) - Math.max(box.left, other.left);
      const height = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
      const shared = Math.max(width, 0) * Math.max(height, 0);
      return shared / (area(box) + area(other) - shared) > 0.33 || shared / Math.min(area(box), area(other)) > 0.7886;
    });
    if (!rival) kept.push(box);
  }
  return kept;
}
