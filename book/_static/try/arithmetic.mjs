// A piece of memory of float32 numbers and the convolution that works in it, see book/_ext/convolution.py.

export class Arithmetic {
  #convolve;

  constructor(instance) {
    this.#convolve = instance.exports.convolve;
    this.numbers = new Float32Array(instance.exports.memory.buffer);
    this.used = 0;
  }

  static async load(source) {
    const { instance } = await WebAssembly.instantiate(await source);
    return new Arithmetic(instance);
  }

  /** Reserve room for some numbers; gives the index of the first. */
  reserve(length) {
    const first = this.used;
    this.used += 4 * Math.ceil(length / 4);
    if (this.used > this.numbers.length) throw new Error("This picture is too large for the page's memory.");
    return first;
  }

  /** Copy numbers in; gives the index of the first. */
  put(values) {
    const first = this.reserve(values.length);
    this.numbers.set(values, first);
    return first;
  }

  /** Forget everything from this index on. */
  release(first) {
    this.used = first;
  }

  /** Convolve a map { first, width, height, channels } with { kernel, bias, window, filters }: a new map. */
  convolve(map, { kernel, bias, window, filters }) {
    const [width, height] = [map.width - window + 1, map.height - window + 1];
    const first = this.reserve(width * height * filters);
    const bytes = [map.first, kernel, bias, first].map((index) => 4 * index);
    this.#convolve(bytes[0], map.width, map.height, map.channels, window, bytes[1], bytes[2], filters, bytes[3]);
    return { first, width, height, channels: filters };
  }
}
