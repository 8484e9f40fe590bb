import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { ready, setBackend } from "@tensorflow/tfjs-core";
import { loadNetwork } from "./tfjs.mjs";

export async function load() {
  setWasmPaths("/");
  await setBackend("wasm");
  await ready();
  return loadNetwork();
}
