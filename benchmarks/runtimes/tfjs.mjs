// The same forward pass with the operations of TensorFlow.js; each backend's own file chooses the backend.
import * as tf from "@tensorflow/tfjs-core";

const STREAMS = { x: [tf.relu, tf.avgPool], s: [tf.tanh, tf.maxPool] };

export async function loadNetwork() {
  const [answer, bytes] = await Promise.all(["model.json", "model.bin"].map((name) => fetch(`/try/${name}`)));
  const settings = await answer.json();
  const numbers = new Float32Array(await bytes.arrayBuffer());
  const layers = {};
  let first = 0;
  for (const { name, kernel, filters } of settings.layers) {
    const window = /^[xs]_conv/.test(name) ? 3 : 1;
    const depth = kernel / filters / window ** 2;
    const shape = name.endsWith("conv") || window === 3 ? [window, window, depth, filters] : [depth, filters];
    layers[name] = [
      tf.tensor(numbers.slice(first, first + kernel), shape),
      tf.tensor(numbers.slice(first + kernel, first + kernel + filters)),
    ];
    first += kernel + filters;
  }
  const convolve = (x, name) => tf.add(tf.conv2d(x, layers[name][0], 1, "valid"), layers[name][1]);
  const dense = (x, name, activate) => activate(tf.add(tf.matMul(x, layers[name][0]), layers[name][1]));
  const levels = (image, name) => {
    const [activate, pool] = STREAMS[name];
    let x = image;
    return [1, 2, 3, 4].map((block) => {
      x = activate(convolve(x, `${name}_conv_${block}`));
      return (x = block < 4 ? pool(x, 2, 2, "valid") : x);
    });
  };
  const stage = (maps, k, block, size) => {
    const name = `stage_${k}`;
    const vectors = ["x", "s"].map((stream) => {
      const reduced = tf.relu(convolve(maps[stream][block], `${name}_${stream}_conv`));
      return tf.reshape(size > 1 ? STREAMS[stream][1](reduced, size, size, "valid") : reduced, [1, -1]);
    });
    const threes = vectors.map((vector, i) => dense(vector, `${name}_${"xs"[i]}_dense`, tf.relu));
    const features = dense(tf.mul(...threes), `${name}_features`, tf.relu);
    const index = tf.add(dense(features, `${name}_eta`, tf.tanh), [0, 1, 2]);
    const weighted = tf.sum(tf.mul(dense(features, `${name}_p`, tf.relu), index));
    return [weighted, dense(tf.mul(...vectors), `${name}_delta`, tf.tanh)];
  };
  return async (pixels) => {
    const result = tf.tidy(() => {
      const image = tf.tensor(pixels, [1, 64, 64, 3]);
      const maps = { x: levels(image, "x"), s: levels(image, "s") };
      let [age, width] = [tf.scalar(0), tf.scalar(settings.value_range)];
      for (const [k, block, size] of [[1, 3, 1], [2, 1, 4], [3, 0, 8]]) {
        const [weighted, delta] = stage(maps, k, block, size);
        width = tf.div(width, tf.mul(3, tf.maximum(tf.add(1, delta), settings.division_floor)));
        age = tf.add(age, tf.mul(weighted, width));
      }
      return age;
    });
    const [age] = await result.data();
    result.dispose();
    return age;
  };
}
