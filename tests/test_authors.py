"""The authors' weights: their numbers on every backend, files laid out like theirs, and files that are not."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict
from importlib.util import find_spec

import h5py
import numpy as np
import pytest
from conftest import ROOT

import ssrlib
from ssrlib import authors, downloads, weights
from ssrlib.alignment import Crop
from ssrlib.authors import AUTHORS_WEIGHTS, load_authors
from ssrlib.baselines import build_network

BACKENDS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
LIMITS = {"imdb_gender": 1e-5, "wiki_gender": 1e-5}  # probabilities; the others are ages within 0.001 years
KINDS = {
    "age": {"architecture": "ssrnet", "stages": [3, 3, 3], "division_floor": 0.0},
    "gender": {"architecture": "ssrnet", "stages": [3, 3, 3], "value_range": 1, "division_floor": 0.0},
    "fives": {"architecture": "ssrnet", "stages": [5, 2, 4], "division_floor": 0.0},
    "mobilenet 0.25": {"architecture": "mobilenet", "alpha": 0.25},
    "mobilenet 0.5": {"architecture": "mobilenet", "alpha": 0.5},
    "densenet 13": {"architecture": "densenet", "depth": 13},
    "densenet 19": {"architecture": "densenet", "depth": 19},
}


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_authors_weights_give_authors_outputs_on_every_backend(shared, backend):
    if find_spec(BACKENDS[backend]) is None:
        pytest.skip(f"{backend} is not installed")
    printed = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "parity.py", shared / "reference", "--print"],
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rows = json.loads(printed.splitlines()[-1])
    assert sorted(row["weights"] for row in rows) == sorted(AUTHORS_WEIGHTS)
    for row in rows:
        assert row["backend"] == backend
        assert row["output"] <= LIMITS.get(row["weights"], 1e-3), row
        assert (row["heads"] is None) == ("net_" in row["weights"])
        assert row["heads"] is None or row["heads"] <= 1e-5, row


def test_checksums_are_those_of_the_files(shared):
    folder = shared / "reference" / "weights"
    for name, released in AUTHORS_WEIGHTS.items():
        assert hashlib.sha256((folder / f"{name}.h5").read_bytes()).hexdigest() == released.sha256


def layers_as_the_authors_named_them(model, network, first=1):
    """Pairs of (their name, our layer), numbered from `first` on in the order in which their code makes the layers."""
    ours = {layer.name: layer for layer in model.layers if layer.weights}
    if network["architecture"] == "ssrnet":
        order = [f"{s}_{kind}_{b}" for s in "xs" for b in (1, 2, 3, 4) for kind in ("conv", "norm")]
        for k in (1, 2, 3):
            order += [f"stage_{k}_{part}" for part in ("s_conv", "s_dense", "x_conv", "x_dense", "features")]
    else:
        order = [name for name in ours if name not in ("features", "prediction")]
    kinds = {"Conv2D": "conv2d", "BatchNormalization": "batch_normalization", "Dense": "dense"}
    counts = dict.fromkeys(kinds.values(), first)
    for name in order:
        if name.startswith("conv") and network["architecture"] == "mobilenet":
            yield name, ours[name]
            continue
        kind = kinds[type(ours[name]).__name__]
        yield f"{kind}_{counts[kind]}", ours[name]
        counts[kind] += 1
    if network["architecture"] == "ssrnet":
        p = "pred_stage" if network.get("value_range") == 1 else "pred_age_stage"
        for part, theirs in (("p", p), ("eta", "local_delta_stage"), ("delta", "delta_s")):
            yield from ((f"{theirs}{k}", ours[f"stage_{k}_{part}"]) for k in (1, 2, 3))
    else:
        yield from (("feat_a", ours["features"]), ("pred_a", ours["prediction"]))


def write_as_the_authors_did(model, network, path, first=1, whole_model=False):
    """Write a file as Keras 2 did: a folder for each layer, a nested model's weights together, kernels for BGR."""
    nested = {"mobilenet": "mobilenet_0.25_64", "densenet": "densenet"}.get(network["architecture"])
    outside = {"feat_a", "pred_a"} | ({"conv2d_1"} if network["architecture"] == "mobilenet" else set())
    folders = {}
    for theirs, layer in layers_as_the_authors_named_them(model, network, first):
        alone = nested is None or theirs in outside or theirs.startswith("dense_")
        names = folders.setdefault(theirs if alone else nested, {})
        for variable in layer.weights:
            value = np.array(variable)
            if value.ndim == 4 and value.shape[2] == 3:
                value = value[:, :, ::-1]
            kind = "depthwise_kernel" if type(layer).__name__ == "DepthwiseConv2D" else variable.name
            names[f"{theirs}/{kind}:0"] = value
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole_model else file
        root.attrs["layer_names"] = np.array(["input_1", *folders], dtype="S")
        root.create_group("input_1").attrs["weight_names"] = np.array([], dtype="S1")
        for folder, values in folders.items():
            group = root.create_group(folder)
            # A nested model's file names all trainable weights first, then the running means.
            group.attrs["weight_names"] = np.array(sorted(values, key=lambda name: "moving" in name), dtype="S")
            for name, value in values.items():
                group[name] = value


def random_model(network, seed=0):
    model = build_network(**network)
    random = np.random.default_rng(seed)
    values = [random.normal(0, 0.3, weight.shape) for weight in model.get_weights()]
    model.set_weights([np.abs(value) + 0.1 if value.ndim == 1 else value for value in values])
    return model


@pytest.fixture
def file(tmp_path):
    """An SSR-Net's file as the authors wrote theirs."""
    path = tmp_path / "theirs.h5"
    write_as_the_authors_did(random_model(KINDS["age"]), KINDS["age"], path)
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("first", "whole_model"), [(1, False), (15, True)])
def test_files_of_every_kind_come_back(tmp_path, kind, first, whole_model):
    if first != 1 and kind.startswith("mobilenet"):
        first = 1  # its layers have names of their own
    model = random_model(KINDS[kind])
    write_as_the_authors_did(model, KINDS[kind], tmp_path / "theirs.h5", first, whole_model)
    loaded, network = authors.read_authors(tmp_path / "theirs.h5")
    assert KINDS[kind].items() <= network.items()
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_lambdas_are_the_callers(file):
    layer = load_authors(file, lambda_index=0.25, lambda_width=0.5).get_layer("prediction")
    assert (layer.lambda_index, layer.lambda_width, layer.division_floor) == (0.25, 0.5, 0.0)


def test_the_package_itself_offers_it():
    assert ssrlib.load_authors is load_authors
    with pytest.raises(AttributeError, match="no attribute 'load_author'"):
        ssrlib.load_author  # noqa: B018


def test_the_commands_take_the_authors_weights_too(file):
    model, crop, record = weights.load_model(file)
    assert crop == Crop() and record["crop"] == asdict(Crop()) and "authors" in record["source"]
    assert record["network"]["stages"] == [3, 3, 3]
    np.testing.assert_array_equal(model.get_weights()[0], load_authors(file).get_weights()[0])


def test_a_name_is_fetched_once_and_checked(file, tmp_path, monkeypatch):
    monkeypatch.setenv("SSRNET_CACHE", str(tmp_path / "cache"))
    asked = []

    def fetch_file(url, checksum, path):
        asked.append((url, checksum, path))
        return file

    monkeypatch.setattr(downloads, "fetch_file", fetch_file)
    model = load_authors("imdb")
    (url, checksum, path) = asked[0]
    assert url.startswith("https://") and url.endswith("/imdb/ssrnet_3_3_3_64_1.0_1.0/ssrnet_3_3_3_64_1.0_1.0.h5")
    assert checksum == f"sha256:{AUTHORS_WEIGHTS['imdb'].sha256}"
    assert path.parent.is_dir() and path.is_relative_to(tmp_path / "cache")
    np.testing.assert_array_equal(model.get_weights()[0], load_authors(file).get_weights()[0])


@pytest.mark.parametrize("load", [load_authors, weights.load_model])
def test_unknown_names_are_answered_with_the_known_ones(load):
    with pytest.raises(FileNotFoundError, match=r"imdb, wiki, megaface_asian, megaage"):
        load("morph3")


def rename(file, layer, new):
    names = [new if name == layer.encode() else name for name in file.attrs["layer_names"]]
    file.attrs["layer_names"] = np.array(names, dtype="S")
    file.move(layer, new)


def add_layer(file, name="dense_99x"):
    file.attrs["layer_names"] = np.append(file.attrs["layer_names"], np.bytes_(name))
    group = file.create_group(name)
    group.attrs["weight_names"] = np.array([f"{name}/kernel:0"], dtype="S")
    group[f"{name}/kernel:0"] = np.zeros((3, 3))


def replace(file, name, value):
    del file[name]
    file[name] = value


DAMAGES = {
    "unknown layer": (add_layer, "none of the authors' networks has: 'dense_99x'"),
    "one dense too many": (lambda file: add_layer(file, "dense_99"), "has 10 layers 'dense' where .* has 9"),
    "missing layer": (lambda file: rename(file, "delta_s2", "delta_s4"), "delta_s4"),
    "missing folder": (lambda file: file.__delitem__("conv2d_3"), "not laid out as the authors' weights"),
    "missing weights": (lambda file: file.__delitem__("conv2d_3/conv2d_3/bias:0"), "not laid out"),
    "another shape": (
        lambda file: replace(file, "dense_4/dense_4/kernel:0", np.zeros((40, 3))),
        r"'kernel' of the layer 'dense_4' is \(40, 3\), not \(90, 3\)",
    ),
    "other bins in one layer": (
        lambda file: replace(file, "dense_4/dense_4/bias:0", np.zeros(4)),
        r"'bias' of the layer 'dense_4' is \(4,\), not \(3,\)",
    ),
    "not finite": (
        lambda file: replace(file, "dense_4/dense_4/bias:0", np.array([0, np.nan, 0])),
        "layer 'dense_4' are not finite",
    ),
    "no layer names": (lambda file: file.attrs.__delitem__("layer_names"), "not laid out"),
    "another network": (
        lambda file: [rename(file, f"delta_s{k}", f"gamma_s{k}") for k in (1, 2, 3)],
        "none of the authors' networks: SSR-Net, MobileNet or DenseNet",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_of_something_else_is_refused_in_one_sentence(file, damage):
    do, sentence = DAMAGES[damage]
    with h5py.File(file, "a") as opened:
        do(opened)
    with pytest.raises(ValueError, match=rf"theirs\.h5.*{sentence}"):
        load_authors(file)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(file, share):
    os.truncate(file, int(share * file.stat().st_size))
    with pytest.raises(ValueError, match=r"theirs\.h5' is no HDF5 file, or only the beginning of one"):
        load_authors(file)


def test_bytes_that_went_wrong_never_pass_for_another_error(file):
    content = file.read_bytes()
    random = np.random.default_rng(5)
    for _ in range(60):
        damaged = bytearray(content)
        for place in random.integers(0, min(len(content), 40_000), 40):
            damaged[place] = int(random.integers(0, 256))
        file.write_bytes(damaged)
        try:
            load_authors(file)
        except ValueError as error:
            assert "theirs.h5" in str(error)


def test_a_picture_instead_of_a_file_of_weights_is_refused(tmp_path):
    (tmp_path / "face.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    with pytest.raises(ValueError, match=r"face\.jpg' is no HDF5 file"):
        load_authors(tmp_path / "face.jpg")
    with pytest.raises(ValueError, match=r"face\.jpg' is not a weights file"):
        weights.load_model(tmp_path / "face.jpg")
