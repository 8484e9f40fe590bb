"""Exported files: they answer as Keras does in every runtime, say what they take, and are never written otherwise."""

import sys

import cv2
import keras
import numpy as np
import pytest

from ssrlib import __main__ as cli
from ssrlib import alignment, crops, export, lean, synthetic, weights
from ssrlib.alignment import Crop
from ssrlib.baselines import ARCHITECTURES, build_network
from ssrlib.stagewise import SoftStagewiseRegression


@pytest.fixture(scope="module")
def faces():
    """Crops as the recorded weights `drawn` want them."""
    _, crop, _ = weights.load_model("drawn")
    return np.array([alignment.crop_face(synthetic.draw_face(seed=5, index=n)[0], crop)[0] for n in range(24)])


@pytest.fixture
def model():
    return weights.load_model("drawn")[0]


def test_the_lean_network_answers_as_the_whole(model, faces):
    small = lean.lean_model(model)
    expected = model.predict(faces, verbose=0)
    np.testing.assert_allclose(small.predict(faces, verbose=0), expected, atol=1e-3)
    inner = next(layer for layer in small.layers if isinstance(layer, keras.Model))
    for norm in inner.layers:
        if isinstance(norm, keras.layers.BatchNormalization):
            values = np.random.default_rng(0).normal(size=(1, 2, 2, norm.gamma.shape[0]))
            np.testing.assert_allclose(norm(values), values, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_lean_rival_answers_as_the_whole(architecture):
    model = build_network(architecture)
    random = np.random.default_rng(0)
    for norm in model.layers:
        if isinstance(norm, keras.layers.BatchNormalization):
            norm.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in norm.get_weights()])
    pictures = random.integers(0, 256, (2, *model.input.shape[1:]), np.uint8)
    expected = model.predict(pictures, verbose=0)
    np.testing.assert_allclose(lean.lean_model(model).predict(pictures, verbose=0), expected, rtol=1e-3, atol=1e-3)


def test_a_batch_norm_behind_a_convolution_without_bias_keeps_the_shift():
    image = keras.Input((4, 4, 2))
    model = keras.Model(image, keras.layers.BatchNormalization()(keras.layers.Conv2D(3, 2, use_bias=False)(image)))
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(0.5, 2, weight.shape) for weight in model.get_weights()])
    values = random.normal(size=(5, 4, 4, 2))
    expected = model.predict(values, verbose=0)
    lean.fold_norms(model)
    np.testing.assert_allclose(model.predict(values, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_the_lean_regression_adds_up_the_same(floor):
    random = np.random.default_rng(0)
    stages = [
        (random.uniform(0, 2, (50, 3)), random.uniform(-1, 1, (50, 3)), random.uniform(-0.97, 1, (50, 1)))
        for _ in range(2)
    ]
    settings = {"lambda_index": 0.5, "lambda_width": 0.75, "division_floor": floor}
    expected = SoftStagewiseRegression(**settings)(stages)
    np.testing.assert_allclose(lean.LeanRegression(**settings)(stages), expected, rtol=1e-5)
    unmoved = [stage[:1] for stage in stages]
    np.testing.assert_allclose(lean.LeanRegression()(unmoved), SoftStagewiseRegression()(unmoved), rtol=1e-5)


def test_rounding_leaves_255_steps_and_takes_back_the_mean_shift(model, faces):
    def first_convolution(**arguments):
        network = lean.lean_model(model)
        inner = next(layer for layer in network.layers if isinstance(layer, keras.Model))
        if arguments:
            lean.round_weights(network, only=lambda name: name == "x_conv_1", **arguments)
        layer = inner.get_layer("x_conv_1")
        seen = keras.Model(inner.input, layer.output).predict(faces.astype("float32"), verbose=0)
        return keras.ops.convert_to_numpy(layer.kernel), seen.mean(axis=(0, 1, 2)), inner.get_layer("x_conv_2").kernel

    kernel, mean, other = first_convolution()
    rounded, taken_back, untouched = first_convolution(faces=faces)
    _, shifted, _ = first_convolution(faces=None)
    step = np.abs(kernel).max(axis=(0, 1, 2)) / 127
    steps = rounded / step
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    assert np.abs(rounded - kernel).max() <= step.max() / 2 + 1e-7
    np.testing.assert_array_equal(untouched, other)
    # The mean of a window is that of its picture but for the border.
    assert np.abs(taken_back - mean).mean() < 0.2 * np.abs(shifted - mean).mean()


@pytest.mark.slow
@pytest.mark.parametrize("quantize", [None, "float16", "int8"])
@pytest.mark.parametrize("format", ["litert", "onnx"])
def test_a_file_answers_as_keras_and_says_what_it_takes(model, faces, tmp_path, format, quantize):
    path = tmp_path / f"drawn{export.SUFFIXES[format]}"
    report = export.export("drawn", path, format, quantize, faces)
    network = export.ExportedNetwork(path)
    answers, expected = network.predict(faces[1::2]), model.predict(faces[1::2], verbose=0)
    assert answers.shape == expected.shape and answers.dtype == np.float32
    assert report["largest"] == pytest.approx(np.abs(answers - expected).max(), abs=1e-5)
    assert report["faces"] == 12 and report["bytes"] == path.stat().st_size
    assert report["largest"] < export.TOLERANCES[quantize][1]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    said = export.read_contract(path)
    assert Crop(**said["crop"]) == weights.load_model("drawn")[1]
    assert said["format"] == format and said["quantize"] == (quantize or "float32") and "RGB" in said["input"]
    if format == "onnx":
        opencv = cv2.dnn.readNetFromONNX(str(path))
        opencv.setInput(faces[1:2])
        np.testing.assert_allclose(opencv.forward(), answers[:1], atol=0.01)


def test_a_file_that_strays_is_not_written(faces, tmp_path, monkeypatch):
    monkeypatch.setitem(export.TOLERANCES, "float16", (0.0, 0.0))
    path = tmp_path / "drawn.onnx"
    path.write_bytes(b"the old one")
    with pytest.raises(ValueError, match="strays from Keras"):
        export.export("drawn", path, "onnx", "float16", faces)
    assert path.read_bytes() == b"the old one" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": "coreml"}, "no format 'coreml'"),
        ({"quantize": "int4"}, "no precision 'int4'"),
        ({"path": "drawn.onnx"}, "ends in .tflite"),
        ({"path": "nowhere/drawn.tflite"}, "no folder"),
        ({"faces": np.zeros((9, 40, 40, 3), np.uint8)}, "64x64"),
        ({"faces": np.zeros((9, 64, 64, 3))}, "float64"),
    ],
)
def test_what_cannot_be_exported_is_said(faces, tmp_path, changes, said):
    wanted = {"path": "drawn.tflite", "format": "litert", "faces": faces} | changes
    wanted["path"] = tmp_path / wanted["path"]
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        export.export("drawn", **wanted)


def test_a_missing_package_is_named_with_its_cure(faces, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ImportError, match=r"tf2onnx.*ssrlib\[export\]"):
        export.export("drawn", tmp_path / "drawn.onnx", "onnx", None, faces)


@pytest.mark.parametrize("name", ["strange.tflite", "strange.onnx"])
def test_files_of_others_carry_no_contract(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="no exported file"):
        export.read_contract(tmp_path / name)
    for content in (b"", b"neither of the two formats"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match="carries no contract"):
            export.read_contract(tmp_path / name)


def test_export_from_a_shell(faces, tmp_path, monkeypatch, capsys):
    class Stored:
        def split(self, name):
            assert name == "train"
            return self

        images = faces

    monkeypatch.setattr(crops, "load_crops", lambda file: Stored())
    path = tmp_path / "drawn.tflite"
    arguments = ["export", "drawn", "--format", "litert", "--calibrate", "crops.npz", "--out", str(path)]
    assert cli.main(arguments) == 0
    printed = capsys.readouterr().out
    assert f"{path.stat().st_size:,} bytes" in printed and "12 faces" in printed
    assert cli.main([*arguments[:-1], str(tmp_path / "drawn.onnx")]) == 1
    assert "ends in .tflite" in capsys.readouterr().err
