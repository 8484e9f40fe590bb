"""Exported files beside Keras: bytes, how far from Keras they answer, mean error on real faces, milliseconds.

    python benchmarks/deployment.py WEIGHTS=FILE.npz... [REPEATS]

records results/deployment, from weights and crops such as asian=data/all_age_faces.npz. The training part calibrates,
the test part is answered. The times are those of one picture on one thread, all runtimes called twenty times each
and in turns: let nothing else run meanwhile. The default is 50 repeats.
"""

import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from ssrlib.backend import import_keras

SAMPLE = 1000  # faces of each set whose answers are recorded one by one
CALIBRATION = 512
CALLS = 20  # pictures a measurement: the first of a series finds the caches full of another runtime


def opencv_network(path):
    """Make OpenCV's reader of an ONNX file look like an exported network."""
    network = cv2.dnn.readNetFromONNX(str(path))

    def run(images):
        network.setInput(images)
        return network.forward()

    return run


def measure_times(runs, image, repeats):
    """Time one picture in each runtime, twenty calls at a time and in turns; the median of each in milliseconds."""
    times = {key: [] for key in runs}
    for repeat in range(-3, repeats):  # the first three are not counted
        for key, run in runs.items():
            started = time.perf_counter()
            for _ in range(CALLS):
                run(image)
            if repeat >= 0:
                times[key].append(1000 * (time.perf_counter() - started) / CALLS)
    return {key: float(np.median(values)) for key, values in times.items()}


def measure(weights, file, folder, repeats):
    """Export some weights in every way, and answer the test part of a data set with each file in each runtime."""
    from ssrlib import crops, evaluation, export
    from ssrlib.weights import find_weights, load_model

    faces = crops.load_crops(file)
    train, test = faces.split("train"), faces.split("test")
    chosen = np.random.default_rng(0).choice(len(train), CALIBRATION, replace=False)
    model, _, _ = load_model(weights)
    runs = {("HDF5", "float32", "Keras"): model.predict_on_batch}
    sizes = {("HDF5", "float32"): find_weights(weights).stat().st_size}
    for format, suffix in export.SUFFIXES.items():
        for precision in ("float32", "float16", "int8"):
            path = Path(folder) / f"{weights}-{precision}{suffix}"
            quantize = None if precision == "float32" else precision
            sizes[format, precision] = export.export(weights, path, format, quantize, train.images[chosen])["bytes"]
            runs[format, precision, "LiteRT" if format == "litert" else "ONNX Runtime"] = export.ExportedNetwork(
                path
            ).run
            if format == "onnx":
                runs[format, precision, "OpenCV"] = opencv_network(path)
    times = measure_times(runs, test.images[:1], repeats)
    expected = model.predict(test.images, batch_size=256, verbose=0)
    sample = np.sort(np.random.default_rng(1).choice(len(test), min(SAMPLE, len(test)), replace=False))
    answers = pd.DataFrame({"weights": weights, "age": test.ages[sample, 0], "keras": expected[sample, 0]})
    rows = []
    for (format, precision, runtime), run in runs.items():
        found = expected if runtime == "Keras" else np.concatenate([run(image[None]) for image in test.images])
        row = {"weights": weights, "dataset": faces.record["dataset"], "format": format, "precision": precision}
        row |= {"runtime": runtime, "bytes": sizes[format, precision]} | export.deviation(found, expected)
        rows.append(
            row
            | {"mae": evaluation.mean_absolute_error(found, test.ages)}
            | {"milliseconds": times[format, precision, runtime]}
        )
        if runtime not in ("Keras", "OpenCV"):
            answers[f"{format} {precision}"] = found[sample, 0]
    return pd.DataFrame(rows), answers


def main(arguments):
    """Measure each WEIGHTS=FILE.npz and record both tables."""
    import tensorflow as tf

    from ssrlib import records

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    cv2.setNumThreads(1)
    repeats = int(arguments.pop()) if arguments[-1].isdigit() else 50
    with tempfile.TemporaryDirectory() as folder:
        measured = [measure(*argument.split("=", 1), folder, repeats) for argument in arguments]
    table, answers = (pd.concat(parts, ignore_index=True) for parts in zip(*measured, strict=True))
    print(table.round(3).to_string(index=False))
    about = {
        "bytes": "of the file; of Keras the weights alone",
        "mean, largest": "absolute difference from Keras in years, over the test part",
        "milliseconds": f"one picture, one thread, median of {repeats} series of {CALLS}",
        "predictions": f"{SAMPLE} test faces of each set: the answer of each file in years",
        "runtimes": {package: version(package) for package in ("ai-edge-litert", "onnxruntime")},
    }
    records.write_table("deployment", table, about)
    records.write_predictions(records.results_folder() / "deployment", answers.round(4))


if __name__ == "__main__":
    import_keras()
    main(sys.argv[1:])
