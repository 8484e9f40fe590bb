// A network's answers to the same faces, epoch by epoch, drawn as SVG. ssrlib/explorers.py writes the numbers.

import { axes, element, number, slider, startAll } from "./svg.mjs";

const PAUSE = 700; // milliseconds an epoch
const still = matchMedia("(prefers-reduced-motion: reduce)");

export function meanAbsoluteError(predictions, ages) {
  return predictions.reduce((sum, guess, i) => sum + Math.abs(guess - ages[i]), 0) / ages.length;
}

function ticks(most, step) {
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) => i * step);
}

function start(live, { ages, epochs }) {
  const last = epochs.length;
  const errors = epochs.map((predictions) => meanAbsoluteError(predictions, ages));
  const cloud = axes({
    width: 320, height: 300, xTicks: ticks(Math.max(...ages), 20), yTicks: ticks(Math.max(...ages), 20),
    xLabel: "age (years)", yLabel: "answer (years)",
  });
  const dots = ages.map((age) => element("circle", { cx: cloud.x(age), cy: cloud.y(0), r: 3 }));
  const top = ticks(Math.max(...ages), 20).at(-1);
  const diagonal = element("line", { x1: cloud.x(0), y1: cloud.y(0), x2: cloud.x(top), y2: cloud.y(top) });
  const curve = axes({
    width: 320, height: 300, xTicks: ticks(epochs.length, 5), yTicks: ticks(Math.max(...errors), 5),
    xLabel: "epoch", yLabel: "mean absolute error (years)",
  });
  const places = errors.map((error, epoch) => `${curve.x(epoch + 1)},${curve.y(error)}`).join(" ");
  const now = element("circle", { r: 6, class: "now" });
  const answer = element("p", { class: "answer", role: "status" });
  const show = (epoch) => {
    dots.forEach((dot, i) => dot.setAttribute("cy", cloud.y(Math.min(epochs[epoch - 1][i], top))));
    now.setAttribute("cx", curve.x(epoch));
    now.setAttribute("cy", curve.y(errors[epoch - 1]));
    answer.textContent = `After epoch ${epoch}: off by ${number(errors[epoch - 1])} years on average.`;
  };

  const control = slider({ label: "epoch", value: 1, least: 1, most: last, change: show });
  const input = control.querySelector("input");
  const button = element("button", { type: "button" });
  let clock = 0;
  const stop = () => {
    clearInterval(clock);
    clock = 0;
    answer.setAttribute("aria-live", "polite");
    button.textContent = still.matches ? "Next epoch" : "Play";
  };
  const go = (epoch) => {
    input.value = epoch;
    input.dispatchEvent(new Event("input"));
    if (epoch === last) stop();
  };
  const goOn = () => go(input.valueAsNumber === last ? 1 : input.valueAsNumber + 1);
  input.addEventListener("input", (event) => event.isTrusted && stop()); // the reader's hand, not ours
  button.addEventListener("click", () => {
    if (clock) return stop();
    goOn();
    // Who wants no motion turns the pages by hand.
    if (still.matches || input.valueAsNumber === last) return;
    answer.setAttribute("aria-live", "off"); // no reading aloud of each epoch that flies by
    button.textContent = "Stop";
    clock = setInterval(goOn, PAUSE);
  });
  still.addEventListener("change", stop);

  const charts = [
    element("svg", { viewBox: "0 0 320 300", "aria-hidden": "true" }, ...cloud.parts, diagonal, ...dots),
    element(
      "svg", { viewBox: "0 0 320 300", "aria-hidden": "true" },
      ...curve.parts, element("polyline", { points: places }), now,
    ),
  ];
  live.append(element("div", { class: "sliders" }, control, button), element("div", { class: "charts" }, ...charts), answer);
  stop();
  show(1);
}

startAll("training", start);
