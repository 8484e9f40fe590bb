"""How long a forward pass takes, beside the released network built layer by layer as its authors wrote it.

    python benchmarks/forward.py [REPEATS]

records results/forward: both networks called in turns, with batches of 1 and of 256, compiled to TensorFlow's graph
and with XLA.
"""

import itertools
import os
import sys
import time

import numpy as np
import pandas as pd

from ssrlib.backend import import_keras

BATCHES = {1: 20, 256: 2}  # pictures a call, and calls a measurement


def released_network():
    """Build the network as released, with nothing but Keras's own layers and operations; it takes BGR."""
    import keras
    from keras import layers, ops

    image = keras.Input((64, 64, 3))
    levels = {}
    for filters, activation, pooling in ((32, "relu", layers.AveragePooling2D), (16, "tanh", layers.MaxPooling2D)):
        features, levels[filters] = image, []
        for block in range(4):
            features = layers.Conv2D(filters, 3)(features)
            features = layers.BatchNormalization()(features)
            features = layers.Activation(activation)(features)
            features = pooling(2)(features) if block < 3 else features
            levels[filters].append(features)
    age, width = 0.0, 101.0
    for level, pool in ((3, 1), (1, 4), (0, 8)):
        x = layers.Conv2D(10, 1, activation="relu")(levels[32][level])
        s = layers.Conv2D(10, 1, activation="relu")(levels[16][level])
        x = layers.Flatten()(layers.AveragePooling2D(pool)(x) if pool > 1 else x)
        s = layers.Flatten()(layers.MaxPooling2D(pool)(s) if pool > 1 else s)
        delta = layers.Dense(1, activation="tanh")(layers.Multiply()([s, x]))
        x = layers.Dense(3, activation="relu")(layers.Dropout(0.2)(x))
        s = layers.Dense(3, activation="relu")(layers.Dropout(0.2)(s))
        features = layers.Dense(6, activation="relu")(layers.Multiply()([s, x]))
        p = layers.Dense(3, activation="relu")(features)
        eta = layers.Dense(3, activation="tanh")(features)
        width = width / (3 * (1 + delta))
        age = age + ops.sum(p * (ops.arange(3, dtype="float32") + eta), axis=1, keepdims=True) * width
    return keras.Model(image, age)


def compiled(model, xla):
    """Turn a model into a compiled function of a batch."""
    import tensorflow as tf

    return tf.function(lambda pictures: model(pictures, training=False), jit_compile=xla)


def measure(repeats):
    """Time both networks in turns; a row for each measurement, in milliseconds a picture."""
    import tensorflow as tf

    from ssrlib.network import SSRNet

    networks, rows = {"ssrlib": SSRNet(), "layer by layer": released_network()}, []
    for xla, (batch, calls) in itertools.product((False, True), BATCHES.items()):
        functions = {name: compiled(model, xla) for name, model in networks.items()}
        pictures = tf.constant(np.random.default_rng(0).integers(0, 256, (batch, 64, 64, 3)), "float32")
        for repeat in range(-3, repeats):  # the first three are not counted
            for name, function in functions.items():
                started = time.perf_counter()
                for _ in range(calls):
                    function(pictures).numpy()
                if repeat >= 0:
                    milliseconds = 1000 * (time.perf_counter() - started) / calls / batch
                    rows.append((batch, "XLA" if xla else "graph", name, repeat, milliseconds))
    return pd.DataFrame(rows, columns=["batch", "compiler", "network", "repeat", "milliseconds"])


if __name__ == "__main__":
    keras = import_keras()
    if keras.backend.backend() != "tensorflow":
        sys.exit("This benchmark compiles with TensorFlow; leave KERAS_BACKEND as it is.")
    from ssrlib import records

    table = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 25)
    records.write_table("forward", table, {"cores": os.cpu_count(), "unit": "milliseconds a picture"})
    medians = table.pivot_table(
        index=["batch", "compiler"], columns="network", values="milliseconds", aggfunc="median", sort=False
    )
    print(medians.round(3))
    print("ours / theirs:", (medians["ssrlib"] / medians["layer by layer"]).round(3).to_dict())
