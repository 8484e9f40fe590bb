"""Networks as LiteRT and ONNX files for other programs, compared with Keras before they are written (chapter 06)."""

import contextlib
import importlib
import io
import json
import os
import tempfile
import warnings
import zipfile
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from ssrlib import crops, onnx_graph, targets
from ssrlib.backend import silent_stderr
from ssrlib.lean import lean_model, round_weights
from ssrlib.weights import load_model

SUFFIXES = {"litert": ".tflite", "onnx": ".onnx"}
# What a file may differ from Keras, in years for a range of 101: on the mean of some faces, and on any of them.
TOLERANCES = {None: (0.01, 0.01), "float16": (0.1, 0.5), "int8": (1.0, 10.0)}
CONTRACT = "ssrlib.json"  # the name of the metadata inside a file
CALIBRATION_FACES = 512


def export(weights, path, format, quantize=None, faces=None):
    """Write a network to a file that runs without Keras, if it answers as Keras does.

    Parameters
    ----------
    weights : str or Path
        As `weights.load_model` takes them.
    path : str or Path
        Where the file goes; it ends as `SUFFIXES` says, and appears whole or not at all.
    format : str
        "litert" or "onnx".
    quantize : str, optional
        "float16" stores the weights in half precision and computes in float32. "int8" stores each weight as one of
        255 steps of its channel's largest; LiteRT then multiplies integers, ONNX floats.
    faces : ndarray of uint8, shape (N, size, size, 3), optional
        Training crops, RGB, at least 2. Every second one calibrates, the others compare the file with Keras. By
        default drawn faces, cropped as the network wants them.

    Returns
    -------
    dict
        `bytes`; `faces`, the number compared; `mean` and `largest`, how far from Keras the answers are (years).

    Raises
    ------
    ValueError
        If the format, the precision, the suffix or the faces do not fit, or the file strays further from Keras than
        `TOLERANCES` allows.
    ImportError
        If a package of the extra `export` is missing.
    FileNotFoundError
        If nothing goes by the weights' name, or there is no folder for the file.

    Notes
    -----
    Every file takes (N, size, size, 3) uint8 RGB (LiteRT: N = 1) and returns (N, 1) float32. The rest of the contract
    travels inside, see `read_contract`.
    """
    path = Path(path)
    _check_request(path, format, quantize)
    model, crop, record = load_model(weights)
    if faces is None:
        faces = crops.prepare_crops("drawn", crop=crop, split="train", limit=CALIBRATION_FACES).images
    size = model.input.shape[1]
    if len(faces) < 2 or faces.shape[1:] != (size, size, 3) or faces.dtype != np.uint8:
        shape = f"{faces.shape}, {faces.dtype}"
        raise ValueError(f"An export needs at least two RGB crops of {size}x{size} pixels, uint8; these are {shape}.")
    lean = lean_model(model)
    if quantize == "int8":
        round_weights(lean, faces[::2])
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, silent_stderr():
        made = Path(folder) / path.name
        # The converters report on every stream there is, whatever they are asked for.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            (_write_litert if format == "litert" else _write_onnx)(lean, made, quantize)
        _attach_contract(made, _contract(weights, model, crop, record, format, quantize))
        answers = ExportedNetwork(made).predict(faces[1::2])
        report = {"bytes": made.stat().st_size} | deviation(answers, model.predict(faces[1::2], verbose=0))
        scale = record["network"].get("value_range", 101) / 101
        limits = [scale * limit for limit in TOLERANCES[quantize]]
        if not (report["mean"] <= limits[0] and report["largest"] <= limits[1]):
            raise ValueError(f"The {format} file strays from Keras by {report['mean']:.3g} on average and "
                             f"{report['largest']:.3g} at most, where {limits[0]:.3g} and {limits[1]:.3g} are "
                             "allowed; it was not written.")  # fmt: skip
        os.replace(made, path)
    return report


def deviation(answers, expected):
    """Compare answers of a file with those of Keras: `faces`, `mean` and `largest` absolute difference."""
    off = np.abs(np.asarray(answers, np.float64).ravel() - np.asarray(expected, np.float64).ravel())
    return {"faces": len(off), "mean": float(off.mean()), "largest": float(off.max())}


class ExportedNetwork:
    """An exported file, run without Keras: LiteRT's interpreter or ONNX Runtime, by the file's suffix.

    Parameters
    ----------
    path : str or Path
    threads : int

    Attributes
    ----------
    contract : dict
        See `read_contract`.
    """

    def __init__(self, path, threads=1):
        self.contract = read_contract(path)
        if self.contract["format"] == "litert":
            interpreter = _require("ai_edge_litert.interpreter").Interpreter(str(path), num_threads=threads)
            interpreter.allocate_tensors()
            (image,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()

            def run(images):
                interpreter.set_tensor(image["index"], images)
                interpreter.invoke()
                return interpreter.get_tensor(answer["index"])
        else:
            runtime = _require("onnxruntime")
            options = runtime.SessionOptions()
            options.intra_op_num_threads = threads
            session = runtime.InferenceSession(str(path), options)

            def run(images):
                return session.run(None, {"image": images})[0]

        self.run = run

    def predict(self, images):
        """Answer to (N, size, size, 3) uint8 RGB crops, one by one: (N, 1) float32."""
        return np.concatenate([self.run(images[n : n + 1]) for n in range(len(images))])


def read_contract(path):
    """Read what an exported file says of its input and output.

    Parameters
    ----------
    path : str or Path
        In a LiteRT file the contract is a JSON file in a zip archive appended to it, as LiteRT's metadata are; in an
        ONNX file an entry of `metadata_props`.

    Returns
    -------
    dict
        `format`, `quantize`, `weights`; `crop` (the fields of `alignment.Crop`: detector, landmarks, margin, size),
        `input` and `output` in words and, of a network that answers with a probability, `calibration`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it was not exported by this package.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no exported file '{path}'.")
    try:
        if path.suffix == ".onnx":
            return json.loads(_onnx_metadata(path)[CONTRACT])
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(CONTRACT))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ValueError(f"'{path}' was not exported by ssrlib: it carries no contract.") from error


def _onnx_metadata(path):
    onnx = _require("onnx")
    from google.protobuf.message import DecodeError  # comes with onnx

    try:
        return {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    except DecodeError as error:
        raise ValueError(f"'{path}' is not an ONNX file.") from error


def _check_request(path, format, quantize):
    if format not in SUFFIXES:
        raise ValueError(f"There is no format '{format}'; use {' or '.join(SUFFIXES)}.")
    if quantize not in TOLERANCES:
        raise ValueError(f"There is no precision '{quantize}'; use float16, int8, or leave it away for float32.")
    if path.suffix != SUFFIXES[format]:
        raise ValueError(f"A {format} file ends in {SUFFIXES[format]}, and '{path.name}' does not.")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"There is no folder for '{path}'; make it first.")
    if keras.backend.backend() != "tensorflow":
        raise ValueError("Keras exports through TensorFlow; set KERAS_BACKEND to tensorflow.")


def _require(module):
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f'This needs the package of the module {module}: pip install "ssrlib[export]".') from error


def _contract(weights, model, crop, record, format, quantize):
    target = targets.target_of(record)
    return {
        "format": format,
        "quantize": quantize or "float32",
        "weights": Path(weights).name,
        "crop": asdict(crop),
        "input": f"uint8, RGB, 0..255, shape (N, {crop.size}, {crop.size}, 3)"
        + (", N = 1" if format == "litert" else ""),
        "output": f"float32, shape (N, 1), {'years' if target == 'age' else 'probability of male, not calibrated'}",
    } | {name: record[name] for name in ("calibration",) if name in record}


def _attach_contract(path, contract):
    text = json.dumps(contract)
    if contract["format"] == "litert":
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:  # behind the model, which stays as it is
            archive.writestr(zipfile.ZipInfo(CONTRACT), text, zipfile.ZIP_DEFLATED)  # no time stamp: the same bytes
    else:
        onnx = _require("onnx")
        model = onnx.load(path)
        onnx.helper.set_model_props(model, {CONTRACT: text})
        onnx.save(model, path)


def _write_litert(model, path, quantize):
    import tensorflow as tf
    from tensorflow.lite.tools import flatbuffer_utils

    options = {}
    if quantize == "float16":
        options = {"optimizations": [tf.lite.Optimize.DEFAULT], "target_spec": {"supported_types": [tf.float16]}}
    size = model.input.shape[1]
    signature = [keras.InputSpec(shape=(1, size, size, 3), dtype="uint8", name="image")]
    model.export(str(path), format="litert", verbose=False, input_signature=signature, **options)
    if quantize == "int8":
        _require("ai_edge_quantizer")
        from ai_edge_quantizer import quantizer, recipe

        rounding = quantizer.Quantizer(str(path), recipe.dynamic_wi8_afp32())
        path.write_bytes(rounding.quantize(enable_progress_bar=False, enable_progress_report=False).quantized_model)
    slim = flatbuffer_utils.read_model(str(path))
    flatbuffer_utils.strip_strings(slim)  # tensors' names are a tenth of the file
    flatbuffer_utils.write_model(slim, str(path))


def _write_onnx(model, path, quantize):
    onnx, runtime = _require("onnx"), _require("onnxruntime")
    _require("tf2onnx")
    size = model.input.shape[1]
    signature = [keras.InputSpec(shape=(None, size, size, 3), dtype="uint8", name="image")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Keras asks NumPy for a name that NumPy may use some day
        model.export(str(path), format="onnx", verbose=False, input_signature=signature)
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC  # standard operators only
    options.optimized_model_filepath = str(path)
    runtime.InferenceSession(path.read_bytes(), options)
    graph_model = onnx.load(path)
    kept = [entry for entry in graph_model.opset_import if entry.domain in {n.domain for n in graph_model.graph.node}]
    del graph_model.opset_import[:], graph_model.graph.value_info[:]
    graph_model.opset_import.extend(kept)
    if quantize:
        onnx_graph.store_weights(graph_model.graph, quantize)
    onnx_graph.shorten_names(graph_model.graph)
    onnx.save(graph_model, path)
