import * as ort from "onnxruntime-web/wasm";

export async function load() {
  ort.env.wasm.wasmPaths = "/";
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create("/model.onnx");
  const [input] = session.inputNames;
  const [output] = session.outputNames;
  return async (pixels) => {
    const answer = await session.run({ [input]: new ort.Tensor("uint8", Uint8Array.from(pixels), [1, 64, 64, 3]) });
    return answer[output].data[0];
  };
}
