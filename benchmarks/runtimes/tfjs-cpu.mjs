import "@tensorflow/tfjs-backend-cpu";
import { ready, setBackend } from "@tensorflow/tfjs-core";
import { loadNetwork } from "./tfjs.mjs";

export async function load() {
  await setBackend("cpu");
  await ready();
  return loadNetwork();
}
