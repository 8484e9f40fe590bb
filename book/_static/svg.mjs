// What the figures that answer to the reader share: elements of the page, numbers in words, sliders, line charts.

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = ["svg", "g", "rect", "line", "circle", "polyline", "text", "title"];

export function element(name, attributes = {}, ...children) {
  const node = SHAPES.includes(name) ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

export const number = (value, digits = 1) =>
  Number.isFinite(value) ? value.toFixed(digits).replace(/^-(?=[0.]+$)/, "") : "not finite"; // "-0.0" is 0.0

export const signed = (value, digits = 1) => (value > 0 ? "+" : "") + number(value, digits).replace("-", "−");

/** A slider with its name before it and its value after it; `write` says how the value reads. */
export function slider({ label, short = label, value, least, most, step = 1, write = String, change }) {
  // No <output>: a screen reader hears the slider's value from the slider itself, and each figure has one status.
  const shown = element("span", { class: "value" }, write(value));
  const input = element("input", { type: "range", min: least, max: most, step, value, "aria-label": label });
  const tell = () => {
    shown.textContent = write(input.valueAsNumber);
    input.setAttribute("aria-valuetext", shown.textContent);
  };
  tell();
  input.addEventListener("input", () => {
    tell();
    change(input.valueAsNumber);
  });
  return element("label", {}, element("span", {}, short), input, shown);
}

/** Axes of a chart: maps from years to places, and the lines and words beside them. */
export function axes({ width, height, left = 34, right = 14, top = 26, bottom = 34, xTicks, yTicks, xLabel, yLabel }) {
  const [x0, x1] = [xTicks[0], xTicks.at(-1)];
  const [y0, y1] = [yTicks[0], yTicks.at(-1)];
  const x = (value) => left + ((value - x0) / (x1 - x0)) * (width - left - right);
  const y = (value) => height - bottom - ((value - y0) / (y1 - y0)) * (height - top - bottom);
  const parts = yTicks.flatMap((tick) => [
    element("line", { class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
    element("text", { class: "y", x: left - 5, y: y(tick) + 4 }, String(tick).replace("-", "−")),
  ]);
  parts.push(...xTicks.map((tick) => element("text", { x: x(tick), y: height - bottom + 15 }, String(tick))));
  if (xLabel) parts.push(element("text", { x: (left + width - right) / 2, y: height - 4 }, xLabel));
  if (yLabel) parts.push(element("text", { class: "title", x: 0, y: 12 }, yLabel));
  return { x, y, parts };
}

/** Put a running figure beside each still picture of a kind; book.css shows one of the two. */
export function startAll(kind, start) {
  document.querySelectorAll(`.ssr-${kind}:not(.ready)`).forEach(async (figure) => {
    const live = element("div", { class: "live" });
    await start(live, JSON.parse(figure.dataset[kind]));
    figure.append(live);
    figure.classList.add("ready");
  });
}
