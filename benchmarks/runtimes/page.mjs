// The page's own forward pass: its modules, and the convolution in WebAssembly.
import { Arithmetic } from "/try/arithmetic.mjs";
import { Network } from "/try/network.mjs";

export async function load() {
  const fetched = ["model.json", "model.bin", "convolution.wasm"].map((name) => fetch(`/try/${name}`));
  const [settings, weights, code] = await Promise.all(fetched);
  const arithmetic = await Arithmetic.load(code.arrayBuffer());
  const network = new Network(arithmetic, await settings.json(), new Float32Array(await weights.arrayBuffer()));
  return (pixels) => network.predict(pixels).age;
}
