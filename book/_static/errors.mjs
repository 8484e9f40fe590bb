// Errors by age for one or two sets of weights, drawn as SVG. ssrlib/explorers.py writes sums for each year of age.

import { axes, element, number, signed, slider, startAll } from "./svg.mjs";

const LEAST_FACES = 10; // fewer say nothing, and leave a gap
const WIDTH = 320;

/** Faces, mean absolute error and bias from `age - half` to `age + half` years. */
export function inWindow({ sets }, chosen, weights, age, half) {
  const sum = (list) => list.slice(Math.max(0, age - half), age + half + 1).reduce((total, value) => total + value, 0);
  let [n, absolute, error] = [0, 0, 0];
  for (const set of chosen) {
    n += sum(sets[set].n);
    absolute += sum(sets[set].absolute[weights]);
    error += sum(sets[set].signed[weights]);
  }
  return { n, mae: absolute / n, bias: error / n };
}

function choice(label, options, value, change) {
  const select = element("select", { "aria-label": label });
  for (const [key, text] of options) select.append(element("option", { value: key }, text));
  select.value = value;
  select.addEventListener("change", () => change(select.value));
  return element("label", { class: "choice" }, element("span", {}, label), select);
}

/** One line for each set of weights, broken where there are too few faces. */
function lines(chart, curves, oldest, what) {
  return curves.flatMap((curve, k) => {
    const pieces = [[]];
    for (let age = 0; age <= oldest; age++)
      if (curve[age].n >= LEAST_FACES) pieces.at(-1).push(`${chart.x(age)},${chart.y(curve[age][what])}`);
      else if (pieces.at(-1).length) pieces.push([]);
    return pieces
      .filter((piece) => piece.length)
      .map((piece) => element("polyline", { points: piece.join(" "), class: `line-${k}` }));
  });
}

function start(live, numbers) {
  const { names, weights } = numbers;
  const state = { ...numbers.start };
  const all = Object.keys(numbers.sets);
  const oldest = Math.max(...all.map((set) => numbers.sets[set].n.length)) - 1;
  const xTicks = Array.from({ length: Math.ceil(oldest / 20) + 1 }, (_, i) => 20 * i);
  const charts = ["mae", "bias", "n"].map((what) => {
    const height = what === "n" ? 130 : 200;
    return { what, height, svg: element("svg", { viewBox: `0 0 ${WIDTH} ${height}`, "aria-hidden": "true" }) };
  });
  const answer = element("p", { class: "answer", role: "status" });
  const round = (value, step) => Math.max(step, Math.ceil(value / step) * step);

  const update = () => {
    const chosen = state.set === "all" ? all : [state.set];
    const shown = [state.first, state.second].filter((name) => name !== "none");
    const half = (state.window - 1) / 2;
    const curves = shown.map((name) =>
      Array.from({ length: oldest + 1 }, (_, age) => inWindow(numbers, chosen, name, age, half)),
    );
    const seen = curves.flat().filter(({ n }) => n >= LEAST_FACES);
    const most = round(Math.max(0, ...seen.map(({ mae }) => mae)), 10);
    const [low, high] = [Math.min(0, ...seen.map(({ bias }) => bias)), Math.max(0, ...seen.map(({ bias }) => bias))];
    const yTicks = {
      mae: [0, most / 2, most],
      bias: [-round(-low, 10), 0, round(high, 10)],
      n: [0, round(Math.max(...curves[0].map(({ n }) => n)), 100)],
    };
    const yLabel = { mae: "mean absolute error (years)", bias: "bias: answer minus age (years)", n: "faces in the window" };
    for (const { what, height, svg } of charts) {
      const chart = axes({
        width: WIDTH, height, left: 40, xTicks, yTicks: yTicks[what], yLabel: yLabel[what], xLabel: "age (years)",
      });
      const place = chart.x(state.age);
      const [from, to] = [chart.x(Math.max(0, state.age - half - 0.5)), chart.x(state.age + half + 0.5)];
      const [above, below] = [chart.y(yTicks[what].at(-1)), chart.y(yTicks[what][0])];
      const band = element("rect", { class: "band", x: from, y: above, width: to - from, height: below - above });
      const body =
        what === "n"
          ? curves[0].map(({ n }, age) => {
              const [x, y] = [chart.x(age - 0.4), chart.y(n)];
              return element("rect", { class: "count", x, y, width: chart.x(age + 0.4) - x, height: chart.y(0) - y });
            })
          : lines(chart, curves, oldest, what);
      const mark = element("line", { class: "mark", x1: place, x2: place, y1: above, y2: below });
      svg.replaceChildren(band, ...chart.parts, ...body, mark);
    }
    const said = shown.map((name, k) => {
      const { n, mae, bias } = curves[k][state.age];
      return n ? ` ${name}: off by ${number(mae)}, bias ${signed(bias)} years.` : "";
    });
    const span = half ? `${Math.max(0, state.age - half)} to ${state.age + half} years` : `${state.age} years`;
    answer.textContent = `${span}, ${curves[0][state.age].n} faces.${said.join("")}`;
    legend.replaceChildren(...shown.map((name, k) => element("span", { class: `line-${k}` }, name)));
  };
  const move = (name) => (value) => {
    state[name] = value;
    update();
  };
  const legend = element("p", { class: "legend" });
  const named = weights.map((name) => [name, name]);
  const tests = [["all", "all sets"], ...all.map((set) => [set, names[set] ?? set])];
  const controls = [
    choice("weights", named, state.first, move("first")),
    choice("beside", [["none", "nothing"], ...named], state.second, move("second")),
    choice("test faces", tests, state.set, move("set")),
    slider({ label: "age", value: state.age, least: 0, most: oldest, write: (age) => `${age} y`, change: move("age") }),
    slider({
      label: "window", value: state.window, least: 1, most: 21, step: 2, write: (years) => `${years} y`,
      change: move("window"),
    }),
  ];
  const pictures = element("div", { class: "charts" }, ...charts.map(({ svg }) => svg));
  live.append(element("div", { class: "sliders" }, ...controls), legend, pictures, answer);
  update();
}

startAll("errors", start);
