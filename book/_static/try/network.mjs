// The forward pass of SSR-Net (3, 3, 3), as the appendix writes it in NumPy; batch norms are folded into the convolutions.

import { contributions } from "../stages.mjs";

const STAGES = [
  { block: 3, pool: 1 },
  { block: 1, pool: 4 },
  { block: 0, pool: 8 },
];
const relu = (value) => (value > 0 ? value : 0);

export class Network {
  /** Takes the arithmetic, the settings in model.json and all weights, one after the other. */
  constructor(arithmetic, settings, weights) {
    this.arithmetic = arithmetic;
    this.settings = settings;
    this.layers = {};
    let first = arithmetic.put(weights);
    for (const { name, kernel, filters } of settings.layers) {
      this.layers[name] = { kernel: first, bias: first + kernel, filters, window: 3 };
      first += kernel + filters;
    }
  }

  /** Takes 64x64 RGB numbers, 0 to 255; gives the age in years and each stage's p, eta and delta. */
  predict(pixels) {
    const { arithmetic } = this;
    const start = arithmetic.used;
    const image = { first: arithmetic.put(pixels), width: 64, height: 64, channels: 3 };
    const levels = { x: this.#stream(image, "x"), s: this.#stream(image, "s") };
    const stages = STAGES.map(({ block, pool }, k) => this.#stage(levels, block, pool, `stage_${k + 1}`));
    arithmetic.release(start);
    return { stages, age: contributions({ ...this.settings, stages }).reduce((sum, { years }) => sum + years, 0) };
  }

  #stream(image, name) {
    const { arithmetic } = this;
    const levels = [];
    let map = image;
    for (let block = 1; block <= 4; block++) {
      map = arithmetic.convolve(map, this.layers[`${name}_conv_${block}`]);
      if (name === "x") this.#activate(map, relu);
      if (block < 4) map = this.#pool(map, 2, name);
      // The largest tanh is the tanh of the largest: pooling first leaves a quarter of them to compute.
      if (name === "s") this.#activate(map, Math.tanh);
      levels.push(map);
    }
    return levels;
  }

  #activate({ first, width, height, channels }, activate) {
    const { numbers } = this.arithmetic;
    for (let i = first; i < first + width * height * channels; i++) numbers[i] = activate(numbers[i]);
  }

  /** Means in stream x, largest values in stream s; rows and columns that fill no square are dropped. */
  #pool(map, size, name) {
    if (size === 1) return map;
    const { numbers } = this.arithmetic;
    const { channels } = map;
    const [width, height] = [Math.floor(map.width / size), Math.floor(map.height / size)];
    const first = this.arithmetic.reserve(width * height * channels);
    let to = first;
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let channel = 0; channel < channels; channel++) {
          let sum = 0;
          let largest = -Infinity;
          for (let j = 0; j < size; j++)
            for (let i = 0; i < size; i++) {
              const value = numbers[map.first + ((y * size + j) * map.width + x * size + i) * channels + channel];
              sum += value;
              if (value > largest) largest = value;
            }
          numbers[to++] = name === "x" ? sum / (size * size) : largest;
        }
    return { first, width, height, channels };
  }

  #stage(levels, block, pool, name) {
    const vectors = ["x", "s"].map((stream) => {
      const map = levels[stream][block];
      const places = map.width * map.height;
      const layer = this.layers[`${name}_${stream}_conv`];
      const first = this.arithmetic.reserve(places * layer.filters);
      for (let place = 0; place < places; place++)
        this.#dense(map.first + place * map.channels, map.channels, layer, first + place * layer.filters, relu);
      const reduced = this.#pool({ ...map, first, channels: layer.filters }, pool, stream);
      return { first: reduced.first, length: reduced.width * reduced.height * reduced.channels };
    });
    const threes = vectors.map(({ first, length }, i) => this.#read(first, length, `${name}_${"xs"[i]}_dense`, relu));
    const features = this.#follow(multiply(...threes), `${name}_features`, relu);
    const [x, s] = vectors.map(({ first, length }) => this.arithmetic.numbers.subarray(first, first + length));
    return {
      p: this.#follow(features, `${name}_p`, relu),
      eta: this.#follow(features, `${name}_eta`, Math.tanh),
      delta: this.#follow(multiply(x, s), `${name}_delta`, Math.tanh)[0],
    };
  }

  #dense(from, length, { kernel, bias, filters }, to, activate) {
    const { numbers } = this.arithmetic;
    for (let filter = 0; filter < filters; filter++) {
      let sum = numbers[bias + filter];
      for (let i = 0; i < length; i++) sum += numbers[from + i] * numbers[kernel + i * filters + filter];
      numbers[to + filter] = activate(sum);
    }
  }

  #read(from, length, name, activate) {
    const layer = this.layers[name];
    const to = this.arithmetic.reserve(layer.filters);
    this.#dense(from, length, layer, to, activate);
    return Array.from(this.arithmetic.numbers.subarray(to, to + layer.filters));
  }

  #follow(values, name, activate) {
    return this.#read(this.arithmetic.put(values), values.length, name, activate);
  }
}

const multiply = (a, b) => Float32Array.from(a, (value, i) => value * b[i]);
