"""The package from a shell: what goes to which stream, and with which exit status."""

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import asdict

import cv2
import numpy as np
import pandas as pd
import pytest

from ssrlib import __main__ as cli
from ssrlib import alignment, crops, datasets, evaluation, records, synthetic, targets, weights
from ssrlib.alignment import Crop
from ssrlib.network import SSRNet
from ssrlib.pictures import read_picture

LIMIT = 20


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def surroundings(cache, tmp_path, monkeypatch):
    """No environment of the reader's, a cache and results of our own."""
    monkeypatch.setenv("SSRNET_CACHE", str(cache))
    monkeypatch.delenv("SSRNET_DATA", raising=False)
    monkeypatch.setattr(records, "results_folder", lambda: tmp_path / "results")


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    """Weights of a network whose units are all at work, so that its answer depends on the picture."""
    network = {"stages": [2, 2], "image_size": 40, "lambda_width": 0.0}
    model = SSRNet(**network)
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(0.0, 0.05, weight.shape) for weight in model.get_weights()])
    path = tmp_path_factory.mktemp("weights") / "model.weights.h5"
    network = {"architecture": "ssrnet"} | network
    weights.save_weights(model, {"network": network, "crop": asdict(Crop(size=40, upsample=0))}, path)
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two photographs of one face each in a folder, and what is no photograph."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "deeper").mkdir()
    for index, name in enumerate(["first.png", "deeper/zwei, Größe.PNG"]):
        encoded = cv2.imencode(".png", synthetic.draw_face(1, index, 160)[0][..., ::-1])[1]
        (folder / name).write_bytes(encoded.tobytes())
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "blank.png").write_bytes(cv2.imencode(".png", np.full((90, 90), 99, np.uint8))[1].tobytes())
    (folder / "notes.txt").write_text("not to be read")
    return folder


def run(capsys, *arguments):
    """Run a command; give its status, the lines on the standard output and those on standard error."""
    status = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out.splitlines(), captured.err.splitlines()


def said(lines):
    """Leave the progress bars out of what went to standard error."""
    return [line for line in lines if "it/s" not in line and "face/s" not in line and "?" not in line and line.strip()]


def expected_age(path, weights_file):
    model, crop, _ = weights.load_model(weights_file)
    image, face = alignment.crop_face(read_picture(path), crop)
    return float(np.asarray(model(image[None]))[0, 0]), face


def test_preprocess_train_and_evaluate_follow_each_other(capsys, tmp_path):
    data, out = tmp_path / "faces.npz", tmp_path / "results" / "mine"
    status, lines, _ = run(capsys, "preprocess", "drawn", "--out", data, "--limit", LIMIT, "--size", 40,
                           "--margin", 0.3, "--workers", 1)  # fmt: skip
    faces = crops.load_crops(data)
    assert status == 0
    assert faces.record["crop"] == asdict(Crop(size=40, margin=0.3))
    counts = ", ".join(f"{(faces.table['split'] == split).sum()} {split}" for split in ("train", "val", "test"))
    rejects = tmp_path / "faces.rejects.csv"
    assert lines[0] == f"{data}: {len(faces)} faces ({counts})"
    assert lines[1].startswith(f"{rejects}: {LIMIT - len(faces)} pictures rejected")
    assert lines[2] == f"{LIMIT} pictures listed"
    pd.testing.assert_frame_equal(pd.read_csv(rejects, dtype=str, keep_default_na=False), faces.rejects)

    status, lines, _ = run(capsys, "train", "--data", data, "--out", out, "--recipe", "small", "--epochs", 1,
                           "--seed", 3, "--set", "stages=[2]", "--set", "learning_rate=1e-4", "--set", "schedule=steps",
                           "--set", "lambda_width=0")  # fmt: skip
    assert status == 0
    record = records.read_run("mine").record
    assert f"MAE {record['test']['mae']:.2f} years on {record['test']['n']} faces" in lines[-1]
    recipe = record["recipe"]
    assert (recipe["epochs"], recipe["stages"], recipe["learning_rate"]) == (1, [2], 1e-4)
    assert (record["seed"], recipe["schedule"], recipe["lambda_width"]) == (3, "steps", 0)

    status, lines, _ = run(capsys, "evaluate", "mine", "drawn", "--limit", LIMIT, "--split", "all", "--json",
                           "--workers", 1)  # fmt: skip
    assert status == 0 and len(lines) == 1
    numbers = json.loads(lines[0])
    # The same pictures as in training, cropped anew.
    model, _, _ = weights.load_model("mine")
    assert numbers["mae"] == pytest.approx(
        evaluation.mean_absolute_error(model.predict(faces.images, verbose=0), faces.ages), rel=1e-4
    )
    assert numbers["n"] == len(faces)

    status, lines, _ = run(capsys, "runs")
    assert status == 0 and len(lines) == 2 and "mine" in lines[1] and "small" in lines[1]


def test_evaluate_prints_one_json_object(capsys, weights_file):
    status, lines, _ = run(capsys, "evaluate", weights_file, "drawn", "--split", "all", "--limit", LIMIT, "--json",
                           "--workers", 1)  # fmt: skip
    assert status == 0 and len(lines) == 1
    numbers = json.loads(lines[0])
    assert list(numbers) == ["n", "failed", "dropped", "mae", "bias", "ca3", "ca5", "ca7", "seconds"]
    assert numbers["n"] + numbers["failed"] == LIMIT and numbers["seconds"] > 0
    model, crop, _ = weights.load_model(weights_file)
    predictions, ages = [], []
    for row in datasets.load_table("drawn", limit=LIMIT).itertuples():
        try:
            image, _ = alignment.crop_face(read_picture(row.path), crop)
        except alignment.NoFaceError:
            continue
        predictions.append(float(np.asarray(model(image[None]))[0, 0]))
        ages.append(row.age)
    expected = evaluation.summarize(predictions, ages)
    assert {name: numbers[name] for name in expected} == pytest.approx(expected, rel=1e-3)


def test_evaluate_says_the_same_in_words_and_names_what_failed(capsys, weights_file, tmp_path):
    for index in range(3):
        encoded = cv2.imencode(".jpg", synthetic.draw_face(1, index, 160)[0][..., ::-1])[1]
        (tmp_path / f"{30 + index}_0_0_{index:017d}.jpg.chip.jpg").write_bytes(encoded.tobytes())
    (tmp_path / "1_0_0_00000000000000009.jpg.chip.jpg").write_bytes(b"broken")
    status, lines, errors = run(capsys, "evaluate", weights_file, "utkface", "--root", tmp_path, "--split", "all",
                                "--workers", 1)  # fmt: skip
    assert status == 0
    assert re.fullmatch(r"3 faces, [\d.]+ s; 1 pictures rejected \(1 unreadable\)", lines[0])
    assert lines[1].startswith("MAE ") and lines[2].startswith("CA(3) ")
    assert any(line.startswith("1_0_0_00000000000000009.jpg.chip.jpg: unreadable (not a picture") for line in errors)


def test_predict_takes_files_and_folders_and_goes_on_after_a_bad_one(capsys, weights_file, pictures, tmp_path):
    absent = tmp_path / "absent.jpg"
    status, lines, errors = run(capsys, "predict", weights_file, pictures, absent, pictures / "first.png",
                                "--csv", tmp_path / "ages.csv")  # fmt: skip
    assert status == 0
    first, second = pictures / "first.png", pictures / "deeper" / "zwei, Größe.PNG"
    expected = [first, second, first]
    for line, path in zip(lines, expected, strict=True):
        age, face = expected_age(path, weights_file)
        assert line == f"{path}: {age:.1f} years, face at ({face.left:.0f}, {face.top:.0f})"
    assert said(errors) == [
        f"{pictures / 'blank.png'}: no face found",
        f"{pictures / 'broken.jpg'}: not a picture that can be read (broken, empty or of an unknown format)",
        f"{absent}: there is no such file",
    ]
    table = pd.read_csv(tmp_path / "ages.csv")
    assert list(table.columns) == ["picture", "age", "left", "top", "right", "bottom", "score"]
    assert list(table["picture"]) == list(map(str, expected))
    assert table["age"][0] == pytest.approx(expected_age(first, weights_file)[0], abs=0.006)
    assert table["age"][1] != table["age"][0] == table["age"][2]


def test_datasets_are_listed_with_their_terms(capsys):
    status, lines, errors = run(capsys, "datasets")
    assert status == 0 and errors == []
    assert [line for line in lines if line and not line.startswith(" ")] == list(datasets.DATASETS)
    assert sum(line.startswith("  terms: ") for line in lines) == len(datasets.DATASETS)


def test_without_runs_the_list_says_so(capsys):
    assert run(capsys, "runs") == (0, ["There is no recorded run."], [])


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("preprocess ffhq --out x.npz", "no data set called 'ffhq'"),
        ("preprocess utkface --out x.npz", r"Where is utkface\? Give its folder with --root or SSRNET_DATA"),
        ("preprocess utkface --out x.npz --root nowhere", "There is no folder 'nowhere'"),
        ("preprocess utkface --out x.npz --root EMPTY", "holds no picture"),
        ("preprocess drawn --out x.npz --size 0", "size is 0"),
        ("preprocess drawn --out x.npz --margin nan", "margin is nan"),
        ("preprocess drawn --out x.npz --limit 0", "limit is 0"),
        ("train --data absent.npz --out run", r"no file 'absent\.npz'"),
        ("train --data TEXT --out run", "is not a file of crops"),
        ("train --data absent.npz --out run --recipe large", "no recipe called 'large'"),
        ("train --data absent.npz --out run --epochs 0", "at least one epoch"),
        ("train --data absent.npz --out run --set momentum=1", "'--set momentum=1' does not name a field"),
        ("train --data absent.npz --out run --set epochs", "'--set epochs' does not name a field"),
        ("train --data absent.npz --out run --set epochs=many", "'--set epochs=many' needs a value of type int"),
        ("train --data absent.npz --out run --set epochs=true", "needs a value of type int"),
        ("train --data absent.npz --out run --set batch_size=1.5", "needs a value of type int"),
        ("train --data absent.npz --out run --set learning_rate=fast", "needs a value of type float"),
        ("train --data absent.npz --out run --set stages=3", "needs a value of type tuple"),
        ("train --data absent.npz --out run --set schedule=linear", "no schedule called 'linear'"),
        ("evaluate nothing drawn", "no recorded run 'nothing'; recorded are: none"),
        ("evaluate TEXT drawn", "is not a weights file that ssrlib wrote"),
        ("evaluate WEIGHTS ffhq", "no data set called 'ffhq'"),
        ("predict nothing EMPTY", "no recorded run 'nothing'"),
        ("predict WEIGHTS EMPTY", "None of the pictures holds a usable face"),
        ("predict WEIGHTS BLANK", "None of the pictures holds a usable face"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(capsys, tmp_path, monkeypatch, weights_file, pictures,
                                                     command, message):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no file of anybody's")
    places = {"EMPTY": "empty", "TEXT": "text", "WEIGHTS": weights_file, "BLANK": pictures / "blank.png"}
    status, _, errors = run(capsys, *(places.get(word, word) for word in command.split()))
    assert status == 1
    assert re.match(f"ssrlib: .*{message}", errors[-1])
    assert sum(line.startswith("ssrlib: ") for line in errors) == 1
    assert not any("Traceback" in line for line in errors)
    assert not (tmp_path / "x.npz").exists() and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "command",
    ["", "dance", "preprocess drawn", "train --data x.npz", "evaluate x", "predict x", "runs --json",
     "evaluate x drawn --split tset", "preprocess drawn --out x --limit many"],
)  # fmt: skip
def test_wrong_usage_is_status_2(capsys, command):
    with pytest.raises(SystemExit) as stopped:
        cli.main(command.split())
    assert stopped.value.code == 2
    assert "usage: python -m ssrlib" in capsys.readouterr().err


def test_interrupting_is_status_130(capsys, monkeypatch, tmp_path):
    def interrupt(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(crops, "prepare_crops", interrupt)
    status, lines, errors = run(capsys, "preprocess", "drawn", "--out", tmp_path / "x.npz")
    assert (status, lines, len(errors)) == (130, [], 1)
    assert "goes on where this one was" in errors[0]
    monkeypatch.setattr(weights, "load_model", interrupt)
    status, lines, errors = run(capsys, "predict", "drawn", tmp_path)
    assert (status, lines, errors) == (130, [], ["ssrlib: stopped."])


def test_the_root_comes_from_the_environment(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("SSRNET_DATA", str(tmp_path / "faces"))
    status, _, errors = run(capsys, "preprocess", "utkface", "--out", tmp_path / "x.npz")
    assert status == 1 and f"There is no folder '{tmp_path / 'faces'}'" in errors[0]


@pytest.mark.slow
def test_as_a_program_only_the_answer_goes_to_standard_output(weights_file, pictures):
    command = [sys.executable, "-m", "ssrlib", "predict", str(weights_file), str(pictures)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONWARNINGS": "error"})
    assert done.returncode == 0, done.stderr
    ages = [float(line.rpartition(": ")[2].split(" years")[0]) for line in done.stdout.splitlines()]
    assert len(ages) == 2 and all(map(math.isfinite, ages))
    # TensorFlow's own notes are kept away.
    assert len(done.stderr.splitlines()) == 2, done.stderr


def test_predict_refuses_a_table_in_a_missing_folder_before_any_work(capsys, weights_file, pictures, tmp_path):
    status, lines, errors = run(capsys, "predict", weights_file, pictures, "--csv", tmp_path / "absent" / "ages.csv")
    assert status == 1 and lines == []
    assert len(errors) == 1 and "There is no folder for" in errors[0]


@pytest.mark.parametrize(
    ("options", "crop"),
    [
        (["--landmarks", "68"], Crop(landmarks=68)),
        (["--landmarks", "0", "--margin", "0.2"], Crop(landmarks=0, margin=0.2)),
        (["--detector", "none"], alignment.WHOLE_PICTURE),
        (["--detector", "none", "--margin", "0.1", "--size", "32"],
         Crop(detector="none", landmarks=0, margin=0.1, size=32)),
    ],
)  # fmt: skip
def test_preprocess_crops_as_told(capsys, tmp_path, options, crop):
    out = tmp_path / "faces.npz"
    assert run(capsys, "preprocess", "drawn", "--out", out, "--limit", 2, "--workers", 1, *options)[0] == 0
    assert crops.load_crops(out).record["crop"] == asdict(crop)


def test_a_set_without_an_address_says_how_to_get_it(capsys, tmp_path):
    status, lines, errors = run(capsys, "download", "morph2", "--root", tmp_path)
    assert status == 1 and lines == [] and len(errors) == 1
    assert "morph2 cannot be fetched by a program" in errors[0] and "licence" in errors[0]
    assert list(tmp_path.iterdir()) == []


def test_download_fetches_what_the_catalogue_names(capsys, tmp_path, monkeypatch):
    asked = []

    def fetch(archives, folder):
        asked.extend(archives)
        (folder / "images").mkdir(parents=True)
        (folder / "images" / "001A02.JPG").write_bytes(b"not looked at")

    monkeypatch.setattr("ssrlib.downloads.fetch", fetch)
    status, lines, _ = run(capsys, "download", "FG-NET", "--root", tmp_path)
    assert status == 0 and lines == [f"{tmp_path / 'fgnet'}: 1 pictures"]
    assert tuple(asked) == datasets.DATASETS["fgnet"].archives and asked[0].checksum.startswith("md5:")


@pytest.mark.slow
def test_a_probability_from_training_to_prediction(capsys, tmp_path, pictures):
    data, out = tmp_path / "faces.npz", tmp_path / "results" / "sex"
    assert run(capsys, "preprocess", "drawn", "--out", data, "--limit", 40, "--size", 40, "--workers", 1)[0] == 0
    status, lines, _ = run(capsys, "train", "--data", data, "--out", out, "--recipe", "small", "--epochs", 1, "--set",
                           "target=male", "--set", "value_range=1", "--set", "loss=mean_squared_error")  # fmt: skip
    record = records.read_run("sex").record
    assert status == 0 and f"accuracy {record['test']['accuracy']:.3f}" in lines[-1]
    # The same pictures as in training, cropped anew.
    again = ("evaluate", "sex", "drawn", "--split", "all", "--limit", 40, "--workers", 1)
    status, lines, _ = run(capsys, *again, "--json")
    faces, model = crops.load_crops(data), weights.load_model("sex")[0]
    answers = targets.answers(model.predict(faces.images, verbose=0), record)
    expected = targets.summarize_probabilities(answers, faces.table["sex"] == "male")
    numbers = json.loads(lines[0])
    assert status == 0 and numbers["n"] == len(faces)
    assert {name: numbers[name] for name in expected} == pytest.approx(expected, rel=1e-3)
    assert "accuracy" in run(capsys, *again)[1][-1]
    table = tmp_path / "faces.csv"
    status, lines, _ = run(capsys, "predict", "sex", pictures / "first.png", "--csv", table)
    assert status == 0 and re.search(r"male with a probability of [01]\.\d\d", lines[0])
    assert 0 <= pd.read_csv(table)["male"][0] <= 1
