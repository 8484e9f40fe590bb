"""Recorded runs and weights files: what is written comes back, and what is damaged is named."""

import gzip
import json
import os

import h5py
import numpy as np
import pandas as pd
import pytest
from conftest import BUILT, CROP, HISTORY, NETWORK, PREDICTIONS, a_record

from ssrlib import records, scoreboard, weights
from ssrlib.alignment import Crop
from ssrlib.baselines import ARCHITECTURES, build_network
from ssrlib.network import SSRNet


@pytest.fixture
def model():
    model = SSRNet(**NETWORK)
    # All positive, so that no unit is off and every weight counts.
    random = np.random.default_rng(3)
    model.set_weights([random.uniform(0.05, 0.15, weight.shape) for weight in model.get_weights()])
    return model


def pictures(size=40):
    return np.random.default_rng(0).integers(0, 256, (3, size, size, 3)).astype(np.float32)


@pytest.mark.parametrize("by", ["name", "folder", "text"])
def test_a_run_comes_back(results, by):
    run = records.read_run({"name": "first", "folder": results / "first", "text": str(results / "first")}[by])
    assert run.folder == results / "first"
    assert run.weights == results / "first" / "model.weights.h5"
    assert run.record == a_record()
    pd.testing.assert_frame_equal(run.history, HISTORY, check_exact=True)
    pd.testing.assert_frame_equal(run.predictions, PREDICTIONS, check_exact=True)


def test_a_runs_files_are_plain_ones(results):
    folder = results / "first"
    assert sorted(file.name for file in folder.iterdir()) == ["history.csv", "predictions.csv.gz", "run.json"]
    assert json.loads((folder / "run.json").read_text()) == a_record()
    # Bytes 4 to 7 of a gzip file are its time stamp: without one, the same content gives the same file at any time.
    assert (folder / "predictions.csv.gz").read_bytes()[4:8] == bytes(4)
    lines = gzip.decompress((folder / "predictions.csv.gz").read_bytes()).decode().splitlines()
    assert lines[0] == "name,split,age,prediction"
    assert lines[2] == '"b, ""c"".jpg",test,2.0,0.6666666666666666'


def test_the_same_run_gives_the_same_bytes(results):
    before = {file.name: file.read_bytes() for file in (results / "first").iterdir()}
    (results / "second").mkdir()
    records.write_run(results / "second", a_record(), HISTORY, PREDICTIONS)
    assert {file.name: file.read_bytes() for file in (results / "second").iterdir()} == before


def test_an_unknown_run_lists_the_known(results):
    (results / "another").mkdir()
    records.write_run(results / "another", a_record(), HISTORY, PREDICTIONS)
    (results / "unfinished").mkdir()
    with pytest.raises(FileNotFoundError, match=r"'nothing'; recorded are: another, first\.$"):
        records.read_run("nothing")
    with pytest.raises(FileNotFoundError, match=r"'unfinished'; recorded are: another, first\."):
        weights.load_model("unfinished")


def test_without_any_run_the_message_says_none(results, monkeypatch, tmp_path):
    monkeypatch.setattr(records, "results_folder", lambda: tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="recorded are: none"):
        records.find_run("first")
    assert scoreboard.list_runs().empty


def test_the_record_is_written_last(results, monkeypatch):
    written = []
    monkeypatch.setattr(records, "write_atomically", lambda path, content: written.append(path.name))
    records.write_run(results / "second", a_record(), HISTORY, PREDICTIONS)
    assert written[-1] == "run.json" and sorted(written) == ["history.csv", "predictions.csv.gz", "run.json"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    records.write_atomically(path, b"old")
    monkeypatch.setattr(records.os, "replace", interrupt)
    for target in (path, tmp_path / "new.json"):
        with pytest.raises(KeyboardInterrupt):
            records.write_atomically(target, b"half a new one")
    assert path.read_bytes() == b"old"
    assert not (tmp_path / "new.json").exists()


def interrupt(*arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize("by", ["file", "folder", "name"])
def test_a_model_comes_back_from_its_weights(results, model, by):
    path = results / "first" / "model.weights.h5"
    weights.save_weights(model, a_record(), path)
    restored, crop, record = weights.load_model({"file": str(path), "folder": path.parent, "name": "first"}[by])
    assert crop == Crop(**CROP) and record == a_record()
    layer = restored.get_layer("prediction")
    assert (layer.lambda_width, layer.value_range) == (0.5, 90)
    expected = np.asarray(model(pictures()))
    assert np.ptp(expected) > 0
    np.testing.assert_array_equal(restored(pictures()), expected)
    assert sorted(file.name for file in path.parent.glob("*.h5")) == ["model.weights.h5"]


def test_the_file_is_laid_out_by_layer_name(model, tmp_path):
    path = tmp_path / "model.weights.h5"
    weights.save_weights(model, a_record(), path)
    with h5py.File(path) as file:
        assert sorted(file) == sorted(layer.name for layer in model.layers if layer.weights)
        np.testing.assert_array_equal(file["x_conv_2/kernel"], model.get_layer("x_conv_2").get_weights()[0])
        np.testing.assert_array_equal(file["s_norm_1/moving_mean"], model.get_layer("s_norm_1").get_weights()[2])
        assert json.loads(file.attrs["ssrlib"]) == a_record()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_comes_back(architecture, tmp_path):
    network = {"architecture": architecture, "image_size": 40}
    model = build_network(**network)
    weights.save_weights(model, a_record(network=network), tmp_path / "model.weights.h5")
    restored = weights.load_model(tmp_path / "model.weights.h5")[0]
    np.testing.assert_array_equal(restored.predict(pictures(), verbose=0), model.predict(pictures(), verbose=0))


def test_a_long_record_fits(model, tmp_path):
    record = a_record(notes="x" * 200_000)
    weights.save_weights(model, record, tmp_path / "model.weights.h5")
    assert weights.read_record(tmp_path / "model.weights.h5") == record


def test_interrupted_saving_leaves_the_old_weights(model, tmp_path, monkeypatch):
    path = tmp_path / "model.weights.h5"
    weights.save_weights(model, a_record(), path)
    before = path.read_bytes()
    monkeypatch.setattr(weights.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        weights.save_weights(model, a_record(seed=9), path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.99])
def test_truncated_weights_are_refused(model, tmp_path, share):
    path = tmp_path / "model.weights.h5"
    weights.save_weights(model, a_record(), path)
    os.truncate(path, int(share * path.stat().st_size))
    with pytest.raises(ValueError, match=r"model\.weights\.h5"):
        weights.load_model(path)


@pytest.mark.parametrize("kind", ["text", "keras", "h5", "half"])
def test_foreign_files_are_refused(model, tmp_path, kind):
    path = tmp_path / "foreign.weights.h5"
    if kind == "text":
        path.write_text("I am no weights.")
    elif kind == "keras":
        model.save_weights(path)
    else:
        with h5py.File(path, "w") as file:
            file["data"] = np.arange(3)
            if kind != "h5":
                file.attrs["ssrlib"] = '{"network": '
    with pytest.raises(ValueError, match=r"foreign\.weights\.h5' is not a weights file that ssrlib wrote\.$"):
        weights.load_model(path)


@pytest.mark.parametrize("stages", [[3, 3], [3, 2, 2], [3]])
def test_a_record_of_another_network_is_noticed(model, tmp_path, stages):
    path = tmp_path / "model.weights.h5"
    weights.save_weights(model, a_record(network=BUILT | {"stages": stages}), path)
    with pytest.raises(ValueError, match="do not fit the network that its record names"):
        weights.load_model(path)


def test_missing_weights_are_named(results, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no weights file .*first.model\.weights\.h5"):
        weights.load_model("first")
    with pytest.raises(FileNotFoundError, match=r"no weights file .*absent\.h5"):
        weights.read_record(tmp_path / "absent.h5")
    with pytest.raises(FileNotFoundError, match=r"'absent\.h5'; recorded are: first"):
        weights.load_model("absent.h5")


def test_predictions_of_a_measurement_come_back_and_give_the_same_bytes(results):
    table = pd.DataFrame({"name": ["NA", "b"], "sex": ["male", None], "asian": [20.25, 31.5]})
    folder = records.results_folder() / "cross"
    folder.mkdir()
    records.write_predictions(folder, table)
    first = (folder / records.PREDICTIONS_FILE).read_bytes()
    records.write_predictions(folder, table)
    assert (folder / records.PREDICTIONS_FILE).read_bytes() == first
    found = records.read_predictions("cross")
    assert found["name"].tolist() == ["NA", "b"], "a name is no missing value"
    assert found["sex"].isna().tolist() == [False, True]
    assert found["asian"].tolist() == [20.25, 31.5]
    with pytest.raises(FileNotFoundError, match="measurement 'none'"):
        records.read_predictions("none")
