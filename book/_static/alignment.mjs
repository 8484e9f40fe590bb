// A face that turns under the reader's slider, and its two crops. ssrlib/explorers.py writes picture and numbers.

import { element, number, slider, startAll } from "./svg.mjs";

const PADDING = 400; // pixels of repeated border around the picture: more than any crop reaches

/** The turn, scale and shift that bring points nearest to their targets: least squares, as ssrlib.alignment has it. */
export function similarityTransform(points, targets) {
  const mean = (list, axis) => list.reduce((sum, point) => sum + point[axis], 0) / list.length;
  const [px, py, tx, ty] = [mean(points, 0), mean(points, 1), mean(targets, 0), mean(targets, 1)];
  let [real, imaginary, spread] = [0, 0, 0];
  points.forEach(([x, y], i) => {
    const [u, v, s, t] = [x - px, y - py, targets[i][0] - tx, targets[i][1] - ty];
    real += u * s + v * t;
    imaginary += u * t - v * s;
    spread += u * u + v * v;
  });
  const [a, b] = [real / spread, imaginary / spread];
  return [
    [a, -b, tx - a * px + b * py],
    [b, a, ty - b * px - a * py],
  ];
}

/** From the picture to the crop in which the points lie on the reference shape. */
export function alignmentMatrix(points, { reference, size }, margin) {
  const targets = reference.map((point) => point.map((share) => (size * (share + margin)) / (1 + 2 * margin)));
  return similarityTransform(points, targets);
}

/** From the picture to the crop of the detector's box. */
export function boxMatrix([left, top, right, bottom], { size }, margin) {
  const scale = size / ((1 + 2 * margin) * (right - left));
  const stretch = size / ((1 + 2 * margin) * (bottom - top));
  return [
    [scale, 0, -scale * (left - margin * (right - left))],
    [0, stretch, -stretch * (top - margin * (bottom - top))],
  ];
}

const toDOM = ([[a, c, e], [b, d, f]]) => new DOMMatrix([a, b, c, d, e, f]);

/** Where the turned picture lies in the view. */
function place({ width, height }, view, turn, size) {
  const matrix = new DOMMatrix().translate(view / 2, view / 2).rotate(-turn).scale(size);
  return matrix.translate(-width / 2, -height / 2);
}

/** The picture with its border repeated far outwards, as OpenCV's BORDER_REPLICATE does. */
function pad(picture) {
  const { width, height } = picture;
  const padded = element("canvas", { width: width + 2 * PADDING, height: height + 2 * PADDING });
  const context = padded.getContext("2d");
  const strips = (length) => [
    [0, 1, 0, PADDING],
    [length - 1, 1, length + PADDING, PADDING],
    [0, length, PADDING, length],
  ];
  for (const [x, w, toX, toW] of strips(width))
    for (const [y, h, toY, toH] of strips(height)) context.drawImage(picture, x, y, w, h, toX, toY, toW, toH);
  return padded;
}

function draw(canvas, padded, matrix) {
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.setTransform(matrix);
  context.drawImage(padded, -PADDING, -PADDING);
}

/** A square crop as a frame in the view. */
function outline(context, matrix, size, dash) {
  const back = matrix.inverse();
  const corners = [[0, 0], [size, 0], [size, size], [0, size]].map(([x, y]) => back.transformPoint({ x, y }));
  context.beginPath();
  for (const { x, y } of corners) context.lineTo(x, y);
  context.closePath();
  for (const [colour, width] of [["#000", 5], ["#fff", 2.5]]) {
    context.setLineDash(colour === "#fff" ? dash : []);
    Object.assign(context, { strokeStyle: colour, lineWidth: width });
    context.stroke();
  }
}

async function start(live, numbers) {
  const { size, view, turns, sizes } = numbers;
  const state = { ...numbers.start };
  const captions = { view: "the picture", box: "crop of the box (dashed)", aligned: "aligned crop (solid)" };
  const canvases = Object.fromEntries(
    [["view", view], ["box", size], ["aligned", size]].map(([name, side]) => {
      return [name, element("canvas", { width: side, height: side, role: "img", "aria-label": captions[name] })];
    }),
  );
  const answer = element("p", { class: "answer", role: "status" });
  const boxes = Object.entries(canvases).map(([name, canvas]) =>
    element("div", { class: name }, canvas, element("span", {}, captions[name])),
  );
  const picture = new Image();
  picture.src = numbers.picture;
  await picture.decode();
  const padded = pad(picture);
  const update = () => {
    const { box, points } = numbers.faces[state.size][state.turn];
    const placed = place(picture, view, turns[state.turn], sizes[state.size]);
    const [boxed, aligned] = [boxMatrix(box, numbers, state.margin), alignmentMatrix(points, numbers, state.margin)];
    draw(canvases.view, padded, placed);
    draw(canvases.box, padded, toDOM(boxed).multiply(placed));
    draw(canvases.aligned, padded, toDOM(aligned).multiply(placed));
    const context = canvases.view.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    outline(context, toDOM(boxed), size, [6, 6]);
    outline(context, toDOM(aligned), size, []);
    for (const [x, y] of points) {
      context.beginPath();
      context.arc(x, y, 3, 0, 2 * Math.PI);
      Object.assign(context, { fillStyle: "#fff", strokeStyle: "#000", lineWidth: 1 });
      context.fill();
      context.stroke();
    }
    // The picture has its y axis down, so a turn to the left is a negative angle.
    const turned = (Math.atan2(aligned[1][0], aligned[0][0]) * 180) / Math.PI;
    answer.textContent =
      `Box ${number(box[2] - box[0], 0)} pixels wide. ` +
      `The points say: turn back by ${number(Math.abs(turned), 1)} degrees ${turned < 0 ? "left" : "right"}.`;
  };
  const move = (name) => (value) => {
    state[name] = value;
    update();
  };
  const sliders = [
    slider({
      label: "turn", value: state.turn, least: 0, most: turns.length - 1,
      write: (i) => `${turns[i]}°`.replace("-", "−"), change: move("turn"),
    }),
    slider({
      label: "size", value: state.size, least: 0, most: sizes.length - 1,
      write: (i) => number(sizes[i], 2), change: move("size"),
    }),
    slider({
      label: "margin", value: state.margin, least: 0, most: 0.8, step: 0.05,
      write: (margin) => number(margin, 2), change: move("margin"),
    }),
  ];
  live.append(element("div", { class: "sliders" }, ...sliders), element("div", { class: "pictures" }, ...boxes), answer);
  update();
}

startAll("alignment", start);
