// The page's forward pass without WebAssembly: the convolution in JavaScript, four places by two filters at a time.
import { Network } from "/try/network.mjs";

class Plain {
  // In a Float64Array no number is converted on its way: a third quicker than a Float32Array here.
  numbers = new Float64Array(2 ** 21);
  used = 0;

  reserve(length) {
    return (this.used += length) - length;
  }

  put(values) {
    const first = this.reserve(values.length);
    this.numbers.set(values, first);
    return first;
  }

  release(first) {
    this.used = first;
  }

  convolve({ first, width, height, channels }, { kernel, bias, window, filters }) {
    const x = this.numbers;
    const [columns, rows] = [width - window + 1, height - window + 1];
    const out = this.reserve(columns * rows * filters);
    for (let row = 0; row < rows; row++)
      for (let filter = 0; filter < filters; filter += 2)
        for (let column = 0; column < columns; column += 4) {
          const start = Math.min(column, columns - 4);
          let a0 = x[bias + filter], a1 = x[bias + filter + 1];
          let b0 = a0, b1 = a1, c0 = a0, c1 = a1, d0 = a0, d1 = a1;
          let weight = kernel + filter;
          for (let line = 0; line < window; line++) {
            let at = first + ((row + line) * width + start) * channels;
            for (const end = at + window * channels; at < end; at++, weight += filters) {
              const w0 = x[weight], w1 = x[weight + 1];
              const a = x[at], b = x[at + channels], c = x[at + 2 * channels], d = x[at + 3 * channels];
              a0 += a * w0; a1 += a * w1; b0 += b * w0; b1 += b * w1;
              c0 += c * w0; c1 += c * w1; d0 += d * w0; d1 += d * w1;
            }
          }
          let to = out + (row * columns + start) * filters + filter;
          for (const [p, q] of [[a0, a1], [b0, b1], [c0, c1], [d0, d1]]) {
            x[to] = p;
            x[to + 1] = q;
            to += filters;
          }
        }
    return { first: out, width: columns, height: rows, channels: filters };
  }
}

export async function load() {
  const [settings, weights] = await Promise.all(["model.json", "model.bin"].map((name) => fetch(`/try/${name}`)));
  const network = new Network(new Plain(), await settings.json(), new Float32Array(await weights.arrayBuffer()));
  return (pixels) => network.predict(pixels).age;
}
