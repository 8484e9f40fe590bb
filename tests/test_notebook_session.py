"""What every notebook starts with: the environment, read once, and said in one line."""

import re
import sys
import types
from dataclasses import replace

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pytest

from ssrlib import crops, datasets, notebook, provenance, scoreboard, training
from ssrlib.alignment import Crop
from ssrlib.crops import Crops
from ssrlib.recipes import Recipe

RECIPE = Recipe("tiny", epochs=1, batch_size=8, learning_rate=1e-3)


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    for name in ("SSRNET_RUNG", "SSRNET_DATASET", "SSRNET_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSRNET_CACHE", str(tmp_path / "cache"))
    with plt.rc_context():
        yield


def test_a_session_starts_with_one_line(capfd):
    session = notebook.start()
    captured = capfd.readouterr()
    assert (session.rung, session.dataset, session.root) == ("small", "drawn", None)
    assert captured.out == f"device: {session.device} | rung: small | data set: drawn\n"
    assert captured.err == ""
    assert re.fullmatch(r"CPU, \d+ cores|\d+ GPU", session.device)


def test_the_environment_decides(monkeypatch, tmp_path, capsys):
    for name, value in {"RUNG": "full", "DATASET": "UTK-Face", "DATA": str(tmp_path)}.items():
        monkeypatch.setenv(f"SSRNET_{name}", value)
    session = notebook.start()
    assert (session.rung, session.dataset, session.root) == ("full", "utkface", str(tmp_path))
    assert "rung: full | data set: utkface" in capsys.readouterr().out


def test_a_table_of_own_pictures_may_be_named(monkeypatch, tmp_path):
    (tmp_path / "people.csv").touch()
    monkeypatch.setenv("SSRNET_DATASET", "csv")
    monkeypatch.setenv("SSRNET_DATA", str(tmp_path / "people.csv"))
    assert notebook.start().root == str(tmp_path / "people.csv")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"RUNG": "medium"}, "SSRNET_RUNG is 'medium'; it must be read, small, full"),
        ({"RUNG": ""}, "SSRNET_RUNG is ''"),
        ({"DATASET": "ffhq"}, "no data set called 'ffhq'"),
        ({"DATASET": "utkface", "DATA": "/nowhere"}, "There is no folder '/nowhere'; utkface was to be read from it"),
        ({"DATASET": "utkface"}, "SSRNET_DATASET is 'utkface': set SSRNET_DATA"),
    ],
)
def test_what_is_wrong_with_the_environment_is_said(monkeypatch, capsys, environment, message):
    for name, value in environment.items():
        monkeypatch.setenv(f"SSRNET_{name}", value)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        notebook.start()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("devices", "expected"), [(["gpu:0", "gpu:1"], "2 GPU"), (["cpu:0"], "CPU, 6 cores")])
def test_the_device_is_named(monkeypatch, devices, expected):
    monkeypatch.setattr(notebook, "list_devices", lambda: devices)
    monkeypatch.setattr(notebook.os, "cpu_count", lambda: 6)
    assert notebook._device() == expected


@pytest.mark.parametrize(
    ("rung", "limit"), [("small", notebook.SMALL_SET), ("full", None), ("read", notebook.SMALL_SET)]
)
def test_only_the_full_rung_takes_all_pictures(monkeypatch, rung, limit):
    asked = []
    monkeypatch.setattr(crops, "prepare_crops", lambda *arguments, **keywords: asked.append((arguments, keywords)))
    notebook.Session(rung, "utkface", "/data", "CPU").crops(Crop(margin=0.1))
    assert asked == [(("utkface", "/data"), {"crop": Crop(margin=0.1), "limit": limit})]


def test_the_rung_read_shows_the_recorded_run(monkeypatch):
    monkeypatch.setattr(scoreboard, "shipped_run", lambda name: f"the run {name}")
    session = notebook.Session("read", "drawn", None, "CPU")
    assert session.train(None, None) == session.recorded() == "the run drawn"


def test_a_session_trains_into_a_folder_named_by_what_decides_the_run(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(training, "train", lambda *arguments: asked.append(arguments))
    session = notebook.Session("small", "drawn", None, "CPU")
    table = datasets.load_table("drawn", limit=3)
    faces = Crops(np.zeros((3, 64, 64, 3), np.uint8), table, table[:0], {"fingerprint": "one"})
    others = Crops(faces.images, table, table[:0], {"fingerprint": "two"})
    session.train(faces, RECIPE, seed=2)
    session.train(faces, RECIPE, seed=2)
    session.train(faces, RECIPE, seed=3)
    session.train(faces, replace(RECIPE, flip=0.1), seed=2)
    session.train(others, RECIPE, seed=2)
    monkeypatch.setattr(provenance, "code_version", lambda: "another code")
    session.train(faces, RECIPE, seed=2)
    assert asked[0][:2] == (faces, RECIPE) and asked[0][3] == 2
    folders = [out for _, _, out, _ in asked]
    assert folders[0] == folders[1] and len(set(folders)) == 5
    assert all(folder.parent == tmp_path / "cache" / "runs" for folder in folders)
    assert folders[0].name.startswith("drawn-tiny-")


def test_the_photograph_is_the_astronaut_or_the_readers_own(tmp_path, monkeypatch):
    assert notebook.photograph().shape == (512, 512, 3)
    mine = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    encoded = cv2.imencode(".png", mine[..., ::-1])[1].tobytes()
    (tmp_path / "me.png").write_bytes(encoded)
    np.testing.assert_array_equal(notebook.photograph(tmp_path / "me.png"), mine)
    with pytest.raises(ValueError, match="on Colab only"):
        notebook.photograph("upload")
    answers = iter([{"me.png": encoded}, {}])
    files = types.SimpleNamespace(upload=lambda: next(answers))
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(files=files))
    np.testing.assert_array_equal(notebook.photograph("upload"), mine)
    with pytest.raises(ValueError, match="Nothing was uploaded"):
        notebook.photograph("upload")
