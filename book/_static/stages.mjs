// Soft stagewise regression with a slider for every head, drawn as SVG. ssrlib/widgets.py writes the numbers.

import { element, number, slider, startAll } from "./svg.mjs";

const WIDTH = 640;

/** What each stage adds (years) and how wide its bins are: equation 7 of the paper. */
export function contributions({ stages, value_range, division_floor }) {
  let width = value_range;
  return stages.map(({ p, eta, delta }) => {
    width /= p.length * Math.max(1 + delta, division_floor);
    const index = p.reduce((sum, weight, i) => sum + weight * (i + eta[i]), 0);
    return { width, years: index * width };
  });
}

/** A slider for one output of a head; its stage stands above it already. */
function head(label, value, least, most, change) {
  const short = label.replace(/^stage \d+, /, "");
  return slider({ label, short, value, least, most, step: 0.01, write: (x) => number(x, 2), change });
}

/** One stage: a bar for each bin at the years a weight of 1 would add, its height the weight. */
function drawBars(svg, stage, { width }, plain, tallest) {
  const [left, right, base, top] = [-plain, 2 * stage.p.length * plain, 78, 12];
  const x = (years) => (WIDTH * (years - left)) / (right - left);
  const parts = [
    element("line", { x1: 0, x2: WIDTH, y1: base, y2: base }),
    element("line", { x1: x(0), x2: x(0), y1: top, y2: base, "stroke-dasharray": "3 4" }),
  ];
  stage.p.forEach((weight, i) => {
    const years = (i + stage.eta[i]) * width;
    if (!(years > left && years < right)) return;
    const height = (Math.abs(weight) / tallest) * (base - top);
    parts.push(element("rect", { x: x(years) - 9, y: base - height, width: 18, height }));
    parts.push(element("text", { x: x(years), y: base + 15 }, number(years)));
  });
  svg.replaceChildren(...parts);
}

/** All stages on the ruler of the whole range, one after the other. */
function drawSum(svg, added, range) {
  const x = (years) => 20 + ((WIDTH - 40) * Math.min(Math.max(years, 0), range)) / range;
  const parts = [];
  let sum = 0;
  added.forEach(({ years }, k) => {
    const [from, to] = [x(sum), x(sum + years)];
    const box = { x: Math.min(from, to), y: 8, width: Math.abs(to - from) || 0, height: 18, class: `stage-${k % 3}` };
    parts.push(element("rect", box));
    sum += years;
  });
  parts.push(element("line", { x1: 20, x2: WIDTH - 20, y1: 26, y2: 26 }));
  for (let tick = 0; tick <= range; tick += range / 5)
    parts.push(element("text", { x: x(tick), y: 42 }, number(tick, range < 10 ? 1 : 0)));
  svg.replaceChildren(...parts);
}

export function start(live, given) {
  const build = () => {
    const state = structuredClone(given);
    const plain = contributions({ ...state, stages: state.stages.map((stage) => ({ ...stage, delta: 0 })) });
    const tallest = Math.max(1, ...state.stages.flatMap((stage) => stage.p));
    const rows = state.stages.map(() => ({
      svg: element("svg", { viewBox: `0 0 ${WIDTH} 100`, "aria-hidden": "true" }),
      said: element("p"),
    }));
    const total = element("svg", { viewBox: `0 0 ${WIDTH} 48`, "aria-hidden": "true", class: "sum" });
    const answer = element("p", { class: "answer", role: "status" });
    const update = () => {
      const added = contributions(state);
      let sum = 0;
      added.forEach((one, k) => {
        sum += one.years;
        drawBars(rows[k].svg, state.stages[k], one, plain[k].width, tallest);
        rows[k].said.textContent =
          `bins ${number(one.width)} years wide, adds ${number(one.years)}, sum ${number(sum)} years`;
      });
      drawSum(total, added, state.value_range);
      answer.textContent = `Age: ${number(sum, 2)} years`;
    };
    const fields = state.stages.map((stage, k) => {
      const name = `stage ${k + 1}`;
      const sliders = stage.p.flatMap((weight, i) => [
        head(`${name}, p of bin ${i}`, weight, 0, Math.max(1, Math.ceil(given.stages[k].p[i])), (value) => {
          stage.p[i] = value;
          update();
        }),
        head(`${name}, η of bin ${i}`, stage.eta[i], -1, 1, (value) => {
          stage.eta[i] = value;
          update();
        }),
      ]);
      sliders.push(
        head(`${name}, Δ`, stage.delta, -1, 1, (value) => {
          stage.delta = value;
          update();
        }),
      );
      const { svg, said } = rows[k];
      svg.classList.add(`stage-${k % 3}`);
      return element("fieldset", {}, element("legend", {}, name), said, svg, element("div", { class: "sliders" }, ...sliders));
    });
    const reset = element("button", { type: "button" }, "Reset");
    reset.addEventListener("click", () => {
      build();
      live.querySelector("button").focus();
    });
    live.replaceChildren(...fields, total, answer, reset);
    update();
  };
  build();
}

startAll("stages", start);
