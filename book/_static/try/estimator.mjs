// Everything between a picture and its age: loads what the book's build wrote beside this module, and uses it.

import { Arithmetic } from "./arithmetic.mjs";
import { align, fit, SIZE, toInput, warp } from "./crop.mjs";
import { findFaces } from "./finder.mjs";
import { Network } from "./network.mjs";

const SEEN = 480; // pixels: a picture is looked at in about this size
const MOST_LARGER = 2;
const LEAST_SCORE = -0.3; // as in training
const STEP = 4 * (10 * 10 * 31 + 1); // coefficients of the step that turns a face upright
const FINDER = 8; // filters, some of them empty

async function fetchFile(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`The file ${name} is missing on this site.`);
  return answer;
}

const fetchBytes = async (name) => (await fetchFile(name)).arrayBuffer();

export class Estimator {
  static async load() {
    const [settings, weights, finder, code] = await Promise.all([
      fetchFile("model.json").then((answer) => answer.json()),
      ...["model.bin", "finder.bin", "convolution.wasm"].map(fetchBytes),
    ]);
    const estimator = new Estimator();
    const arithmetic = await Arithmetic.load(code);
    estimator.settings = settings;
    estimator.arithmetic = arithmetic;
    estimator.network = new Network(arithmetic, settings, new Float32Array(weights));
    const numbers = new Float32Array(finder);
    const kernel = arithmetic.put(numbers);
    estimator.step = kernel + numbers.length - STEP;
    estimator.filters = { kernel, bias: estimator.step - FINDER, window: 10, filters: FINDER };
    return estimator;
  }

  /** Boxes of faces in a picture { data (RGBA bytes), width, height }: those that are certain, else the best one. */
  find(picture) {
    const scale = Math.min(MOST_LARGER, SEEN / Math.max(picture.width, picture.height));
    const faces = findFaces(picture, this.arithmetic, this.filters, { scale, threshold: LEAST_SCORE });
    const certain = faces.filter(({ score }) => score >= 0);
    return (certain.length ? certain : faces.slice(0, 1)).sort((a, b) => b.right - b.left - (a.right - a.left));
  }

  /** Age in years with its interval, stages and crop; `upright` turns the face in the box as in training. */
  estimate(picture, box, upright = true) {
    const { margin } = this.settings.crop;
    const transform = upright ? align(picture, box, this.arithmetic, this.step, margin) : fit(box, margin, SIZE);
    const pixels = warp(picture, transform, SIZE);
    const answer = this.network.predict(toInput(pixels));
    return { ...answer, ...this.interval(answer.age), pixels, transform };
  }

  /** Ages that the stated share of faces lies within, by the decade of the estimate; null where nothing is promised. */
  interval(age) {
    const { radii } = this.settings.interval;
    const decade = Math.min(Math.floor(Math.max(age, 0) / 10), radii.length - 1);
    const radius = radii[decade];
    return radius === null ? { low: null, high: null } : { low: Math.max(age - radius, 0), high: age + radius };
  }
}
