"""Recorded runs and weights files: what is written comes back, and what is damaged is named."""

import gzip
import json
import os

import h5py
import keras
import numpy as np
import pandas as pd
import pytest

from ssrlib import records, weights
from ssrlib.alignment import Crop
from ssrlib.baselines import ARCHITECTURES, build_network
from ssrlib.network import SSRNet

NETWORK = {"stages": [3, 2], "image_size": 40, "lambda_index": 1.0, "lambda_width": 0.5, "value_range": 90}
BUILT = {"architecture": "ssrnet"} | NETWORK
CROP = {"margin": 0.2, "size": 40, "detector": "dlib-hog", "upsample": 0, "threshold": -0.1}
HISTORY = pd.DataFrame(
    {"epoch": [1, 2], "loss": [9.5, 1 / 3], "val_mae": [8.0, 7.25], "learning_rate": [0.1, 0.01], "seconds": [2.0, 1.5]}
)
PREDICTIONS = pd.DataFrame(
    {"name": ["a.jpg", 'b, "c".jpg', "NA"], "split": ["val", "test", "test"], "age": [1.0, 2.0, 3.0],
     "prediction": [1.25, 2 / 3, 30.125]}
)  # fmt: skip


def a_record(**changes):
    return {
        "recipe": {"name": "paper", "stages": [3, 2], "epochs": 2},
        "network": BUILT,
        "crop": CROP,
        "data": {"dataset": "drawn"},
        "teachers": [],
        "seed": 7,
        "test": {"n": 2, "mae": 4.5, "bias": -1.0, "ca3": 0.25, "ca5": 0.5, "ca7": 0.75},
    } | changes


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A folder of results of its own with one recorded run."""
    folder = tmp_path / "results"
    monkeypatch.setattr(records, "results_folder", lambda: folder)
    (folder / "first").mkdir(parents=True)
    records.write_run(folder / "first", a_record(), HISTORY, PREDICTIONS)
    return folder


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
    assert records.list_runs().empty


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


def test_runs_are_listed_with_their_results(results):
    (results / "second").mkdir()
    second = a_record(seed=8, recipe={"name": "small", "epochs": 5}, network={"architecture": "dex"})
    records.write_run(results / "second", second, HISTORY, PREDICTIONS)
    (results / "no run").mkdir()
    table = records.list_runs()
    assert table.to_dict("records") == [
        {"run": "first", "data": "drawn", "recipe": "paper", "network": "ssrnet (3,2), lambda_width=0.5", "epochs": 2,
         "seed": 7, "MAE": 4.5, "CA(3)": 0.25, "CA(5)": 0.5},
        {"run": "second", "data": "drawn", "recipe": "small", "network": "dex", "epochs": 5, "seed": 8,
         "MAE": 4.5, "CA(3)": 0.25, "CA(5)": 0.5},
    ]  # fmt: skip
    pd.testing.assert_frame_equal(records.list_runs(results), table)


def test_an_unfinished_run_is_listed_until_it_is_finished(results):
    folder = results / "broken off"
    folder.mkdir()
    record = {name: value for name, value in a_record().items() if name != "test"}
    records.write_unfinished(folder, record | {"recipe": {"name": "paper", "epochs": 90}})
    row = records.list_runs().iloc[0]
    assert (row["run"], row["epochs"]) == ("broken off", "0 of 90") and np.isnan(row["MAE"])
    records.write_history(folder, HISTORY)
    assert records.list_runs().iloc[0]["epochs"] == "2 of 90"
    with pytest.raises(FileNotFoundError, match="no recorded run"):
        records.read_run("broken off")
    records.write_run(folder, a_record(), HISTORY, PREDICTIONS)
    assert records.list_runs()["epochs"].tolist() == [2, 2]
    assert not (folder / records.UNFINISHED_FILE).exists()


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder of results with weights for two data sets, and a run that nobody is told to use."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr(records, "SHIPPED", ("b", "a"))
    monkeypatch.setattr(records, "results_folder", lambda: folder)
    for name, data, count in (("b", "one+two", 1234), ("a", "one", 5), ("c", "three", 6)):
        (folder / name).mkdir(parents=True)
        record = a_record(median_guess={"mae": 16.128}) | {"data": {"dataset": data}}
        record["test"] = record["test"] | {"n": count}
        records.write_run(folder / name, record, HISTORY, PREDICTIONS)
    return folder


def test_the_table_of_results_has_a_line_for_all_weights_to_use(shipped):
    lines = records.results_table(shipped).splitlines()
    assert lines[2:] == [
        "| `b` | one and two | 1,234 | 4.50 | 0.250 | 0.500 | 16.13 |",
        "| `a` | one | 5 | 4.50 | 0.250 | 0.500 | 16.13 |",
    ]
    assert {line.count("|") for line in lines} == {8}


def test_the_weights_to_use_for_a_data_set(shipped):
    assert records.shipped_run("one").folder == shipped / "a"
    assert records.shipped_run("one+two").folder == shipped / "b"
    with pytest.raises(FileNotFoundError, match="No recorded run belongs to the data set three"):
        records.shipped_run("three")


def test_runs_that_differ_in_the_seed_only_are_averaged(tmp_path):
    runs = {
        "x-0": {"mae": 4.0},
        "x-1": {"mae": 5.0},
        "x-2": {"mae": 6.0},
        "y": {"mae": 1.0, "init": {"name": "x-2", "sha256": "0"}},
        "z": {"mae": 3.0, "recipe": {"name": "paper", "epochs": 3}},
    }
    for name, change in runs.items():
        record = a_record(init=change.get("init"), recipe=change.get("recipe", {"name": "paper", "epochs": 2}))
        record["test"] = record["test"] | {"mae": change["mae"]}
        (tmp_path / name).mkdir()
        records.write_run(tmp_path / name, record, HISTORY, PREDICTIONS)
    table = records.compare_runs(tmp_path)
    assert table["MAE"].tolist() == [1.0, 3.0, 5.0]
    assert table["start"].tolist() == ["x", "random", "random"]
    assert table["seeds"].tolist() == [1, 1, 3]
    # Three values with a standard deviation of 1, and Student's t for 2 degrees of freedom from a printed table.
    assert table["+-"].iloc[2] == pytest.approx(4.303 / np.sqrt(3), rel=1e-3)
    assert table["+-"][:2].isna().all()
    assert set(table["CA(5)"]) == {0.5}


def test_the_code_version_follows_the_source(tmp_path, monkeypatch):
    import ssrlib

    assert records.code_version().startswith(f"{ssrlib.__version__}+")
    versions = []
    for content in ("a = 1\n", "a = 2\n", "a = 1\n"):
        (tmp_path / "records.py").write_text(content)
        monkeypatch.setattr(records, "__file__", str(tmp_path / "records.py"))
        versions.append(records.code_version())
    assert versions[0] == versions[2] != versions[1]


def test_versions_are_those_of_the_imported_modules():
    versions = records.library_versions()
    assert versions["keras"] == keras.__version__ and versions["numpy"] == np.__version__
    assert versions.keys() & {"tensorflow", "tensorflow-cpu", "jax", "torch"}
    assert records.processor().strip()


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
