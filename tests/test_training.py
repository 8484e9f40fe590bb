"""Training runs on pictures whose brightness is the age: complete, repeatable, and the same after any interruption."""

import hashlib
import json
import math
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import asdict, replace

import keras
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ssrlib import checkpoints, evaluation, jobs, provenance, records, scoreboard, targets, training, weights
from ssrlib.alignment import Crop
from ssrlib.baselines import build_network
from ssrlib.batches import Batches
from ssrlib.catalogue import DATASETS
from ssrlib.crops import Crops
from ssrlib.network import SSRNet, enliven_heads
from ssrlib.recipes import Recipe
from ssrlib.trainer import DistributionLoss, augmentation_layers, build_trainer, learning_rate
from ssrlib.training import train

SIZE = 40
RECIPE = Recipe(  # small, for the compiler's sake, and tame: a Delta near -1 would make the loss infinite
    "tiny", epochs=3, batch_size=16, learning_rate=0.002, rotation=5.0, stages=(3, 2), streams="x", lambda_width=0.5,
    value_range=90,
)  # fmt: skip


def bright_faces(count=120, seed=0):
    """Make noise whose brightness tells the age; of six pictures one is for validation and one for the test."""
    random = np.random.default_rng(seed)
    ages = random.uniform(5, 85, count).astype(np.float32)
    images = np.clip(ages[:, None, None, None] * 2.5 + random.normal(0, 25, (count, SIZE, SIZE, 3)), 0, 255)
    table = pd.DataFrame(
        {
            "name": [f"picture {number}" for number in range(count)],
            "age": ages,
            "split": np.resize(["val", "test", "train", "train", "train", "train"], count),
        }
    )
    record = {"dataset": "made up", "crop": asdict(Crop(size=SIZE)), "fingerprint": f"{seed}"}
    rejects = pd.DataFrame({"name": ["a", "b"], "split": "train", "reason": "no face", "detail": ""})
    return Crops(images.astype(np.uint8), table, rejects, record)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One run from beginning to end, without a break."""
    return train(bright_faces(), RECIPE, tmp_path_factory.mktemp("runs") / "whole", seed=4)


@pytest.fixture
def no_training(monkeypatch):
    def fit(*arguments, **keywords):
        raise AssertionError("it trained")

    monkeypatch.setattr(keras.Model, "fit", fit)


def assert_same_run(run, other):
    columns = ["epoch", "loss", "val_mae", "learning_rate"]
    pd.testing.assert_frame_equal(run.history[columns], other.history[columns], rtol=1e-6)
    pd.testing.assert_frame_equal(run.predictions, other.predictions, rtol=1e-6)
    first, second = (weights.load_model(r.folder)[0].get_weights() for r in (run, other))
    for one, another in zip(first, second, strict=True):
        np.testing.assert_allclose(one, another, rtol=1e-5, atol=1e-7)


def test_a_run_is_recorded_completely(run):
    faces, record = bright_faces(), run.record
    assert sorted(file.name for file in run.folder.iterdir()) == [
        "history.csv", "model.weights.h5", "predictions.csv.gz", "run.json"
    ]  # fmt: skip
    assert record["recipe"] == json.loads(json.dumps(asdict(RECIPE)))
    assert record["network"] == {
        "architecture": "ssrnet", "stages": [3, 2], "lambda_index": 1.0, "lambda_width": 0.5, "value_range": 90,
        "division_floor": 0.1, "streams": "x", "fusion": "product", "p_activation": "relu",
        "batch_norm_momentum": 0.99, "leak": 0.0, "dropout": 0.2, "image_size": SIZE
    }  # fmt: skip
    assert record["data"] == {
        "dataset": "made up", "terms": "unknown", "fingerprint": "0", "rejected": 2, "train": 80, "val": 20, "test": 20
    }  # fmt: skip
    assert (record["crop"], record["seed"], record["init"]) == (faces.record["crop"], 4, None)
    assert record["teachers"] == []
    assert record["parameters"] == SSRNet((3, 2), SIZE, streams="x").count_params()
    assert record["code"] == provenance.code_version()
    assert record["backend"] == keras.backend.backend() and record["devices"]
    assert record["precision"] == "float32"
    assert record["versions"]["keras"] == keras.__version__
    # Of the 80 pictures 5 batches of 16 are seen in an epoch.
    assert record["seconds"] == pytest.approx(run.history["seconds"].sum())
    np.testing.assert_allclose(run.history["images_per_second"], 80 / run.history["seconds"])
    assert record["images_per_second"] == pytest.approx(run.history["images_per_second"].median())


def test_the_history_has_every_epoch_and_the_loss_falls(run):
    assert list(run.history["epoch"]) == [1, 2, 3]
    assert list(run.history["learning_rate"]) == pytest.approx([0.002, 0.0002, 0.00002])
    assert np.isfinite(run.history).all(axis=None) and (run.history["seconds"] > 0).all()
    assert run.history["loss"].iloc[-1] < run.history["loss"].iloc[0]


def test_results_follow_from_the_saved_weights(run):
    faces = bright_faces()
    model, crop, record = weights.load_model(run.folder)
    assert crop == Crop(size=SIZE)
    assert list(run.predictions["split"]) == ["val"] * 20 + ["test"] * 20
    for split in ("val", "test"):
        part, rows = faces.split(split), run.predictions[run.predictions["split"] == split]
        assert list(rows["name"]) == list(part.table["name"])
        np.testing.assert_allclose(rows["age"], part.ages[:, 0])
        np.testing.assert_allclose(rows["prediction"], np.asarray(model(part.images))[:, 0], rtol=1e-4, atol=1e-4)
        assert record[split] == run.record[split]
        assert record[split] == pytest.approx(evaluation.summarize(rows["prediction"], rows["age"]), rel=1e-6)
    assert run.history["val_mae"].iloc[-1] == pytest.approx(run.record["val"]["mae"], rel=1e-4)
    ages = faces.split("test").ages
    guess = np.median(faces.split("train").ages)
    assert run.record["median_guess"]["mae"] == pytest.approx(np.abs(ages - guess).mean())


def test_a_finished_run_is_not_repeated(run, no_training):
    again = train(bright_faces(), RECIPE, run.folder, seed=4)
    assert again.record == run.record


@pytest.mark.parametrize(
    ("faces", "recipe", "seed"),
    [(0, RECIPE, 5), (1, RECIPE, 4), (0, replace(RECIPE, epochs=4), 4), (0, replace(RECIPE, flip=0.1), 4)],
    ids=["seed", "data", "epochs", "flip"],
)
def test_another_plan_does_not_overwrite_a_finished_run(run, no_training, faces, recipe, seed):
    with pytest.raises(FileExistsError, match="holds another finished run"):
        train(bright_faces(seed=faces), recipe, run.folder, seed=seed)


KILLED = """
import pickle, signal, sys
from pathlib import Path
from ssrlib.backend import import_keras
import_keras()
from ssrlib import training

class Waiting(training._Recorder):
    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self.number = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.number, batch) == (2, 1):
            print("in the third epoch", flush=True)
            signal.pause()

training._Recorder = Waiting
training.train(*pickle.loads(Path(sys.argv[1]).read_bytes()))
"""


@pytest.mark.slow
def test_a_killed_process_goes_on_as_if_nothing_had_happened(run, modern_run, tmp_path, monkeypatch):
    """With all that a recipe can have; tests/test_colab.py has the plainer one."""
    out = tmp_path / "killed"
    job = (bright_faces(), MODERN, out, 4, None, [run.folder])
    (tmp_path / "job").write_bytes(pickle.dumps(job))
    command = [sys.executable, "-c", KILLED, str(tmp_path / "job")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout.readline() == "in the third epoch\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert {file.name for file in out.iterdir()} == {
        checkpoints.CHECKPOINT_FILE, records.HISTORY_FILE, records.UNFINISHED_FILE
    }  # fmt: skip
    assert list(pd.read_csv(out / records.HISTORY_FILE)["epoch"]) == [1, 2]
    assert scoreboard.list_runs(tmp_path)["epochs"].tolist() == ["2 of 3"]

    epochs, begin = [], training._Recorder.on_epoch_begin
    monkeypatch.setattr(
        training._Recorder, "on_epoch_begin", lambda self, epoch, logs=None: epochs.append(epoch) or begin(self, epoch)
    )
    # A second misfortune: all epochs are done, but the run is not yet recorded.
    with monkeypatch.context() as patch:
        patch.setattr(records, "write_run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(*job)
    assert epochs == [2], "only the third epoch was missing"
    assert_same_run(train(*job), modern_run)
    assert epochs == [2], "and now none"
    assert not (out / checkpoints.CHECKPOINT_FILE).exists()


TWO_DEVICES = """
import pickle, sys
from pathlib import Path
from ssrlib.backend import import_keras
keras = import_keras()
from ssrlib import training
assert len(keras.distribution.list_devices()) == int(sys.argv[2])
faces, recipe, out = pickle.loads(Path(sys.argv[1]).read_bytes())
training.train(faces, recipe, out + sys.argv[2], 4)
"""


@pytest.mark.slow
def test_two_devices_learn_what_one_does(tmp_path):
    """Neither the 21 validation pictures nor the 21 for the test can be shared out evenly."""
    # Slow running means would leave answers far outside of all ages, where rounding grows a thousandfold.
    recipe = replace(RECIPE, batch_norm_momentum=0.5)
    (tmp_path / "job").write_bytes(pickle.dumps((bright_faces(123), recipe, str(tmp_path / "run"))))
    for count in ("1", "2"):
        flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={count}"
        environment = os.environ | {"KERAS_BACKEND": "jax", "XLA_FLAGS": flags}
        command = [sys.executable, "-c", TWO_DEVICES, str(tmp_path / "job"), count]
        subprocess.run(command, env=environment, check=True, capture_output=True)
    one, two = (records.read_run(tmp_path / f"run{count}") for count in "12")
    assert [len(run.record["devices"]) for run in (one, two)] == [1, 2]
    columns = ["epoch", "loss", "val_mae", "learning_rate"]
    pd.testing.assert_frame_equal(one.history[columns], two.history[columns], rtol=5e-3)
    pd.testing.assert_frame_equal(one.predictions, two.predictions, rtol=5e-3, atol=0.02)  # years


def test_a_batch_must_go_into_the_devices(monkeypatch):
    monkeypatch.setattr(training, "_count_devices", lambda: 3)
    with pytest.raises(ValueError, match="batch of 50 cannot be shared out evenly among 3 devices"):
        training._devices(50)


def test_a_checkpoint_of_another_plan_is_neither_used_nor_lost(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    path = tmp_path / "checkpoint.weights.h5"
    checkpoints.save_checkpoint(model, path, "one plan", [{"epoch": 1}])
    with pytest.raises(FileExistsError, match="holds an unfinished run of something else"):
        checkpoints.load_checkpoint(model, path, "another plan")
    assert checkpoints.load_checkpoint(model, path, "one plan") == [{"epoch": 1}]
    assert checkpoints.load_checkpoint(model, tmp_path / "absent.h5", "one plan") == []


def test_a_network_without_random_numbers_has_checkpoints_too(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0), keras.layers.Dense(1)])
    checkpoints.save_checkpoint(model, tmp_path / "a.weights.h5", "plan", [{"epoch": 1}])
    assert checkpoints.load_checkpoint(model, tmp_path / "a.weights.h5", "plan") == [{"epoch": 1}]


def test_two_processes_do_not_train_in_one_folder(tmp_path, no_training):
    with jobs.lock(tmp_path / "run"), pytest.raises(FileExistsError, match="Another process is training"):
        train(bright_faces(), RECIPE, tmp_path / "run")


def test_a_run_that_never_began_is_not_listed(run, tmp_path):
    with pytest.raises(ValueError, match="belong to another network"):
        train(bright_faces(), replace(RECIPE, stages=(3, 3)), tmp_path / "run", init=run.folder)
    assert scoreboard.list_runs(tmp_path).empty


@pytest.mark.parametrize(
    ("weights", "name"),
    [("megaage_mobilenet_0.25.h5", "megaage_mobilenet_0.25"), ("megaage_mobilenet_0.25", "megaage_mobilenet_0.25"),
     ("asian/model.weights.h5", "asian"), ("results/asian", "asian")],
)  # fmt: skip
def test_weights_go_by_one_name_however_they_are_given(weights, name, tmp_path, monkeypatch):
    (tmp_path / "any.h5").write_bytes(b"weights")
    monkeypatch.setattr(training, "find_weights", lambda weights: tmp_path / "any.h5")
    assert training._name_weights(weights) == {"name": name, "sha256": hashlib.sha256(b"weights").hexdigest()}


def interrupt(*arguments, **keywords):
    raise KeyboardInterrupt


def test_a_loss_that_is_no_number_stops_the_run_and_says_what_to_do(tmp_path):
    with pytest.raises(FloatingPointError, match=r"loss became nan in epoch 1.*learning rate \(now 1e\+30\)"):
        train(bright_faces(), replace(RECIPE, learning_rate=1e30), tmp_path / "run")
    left = [file.name for file in (tmp_path / "run").iterdir()]
    assert left == [records.UNFINISHED_FILE], "a checkpoint of it would be of no use"


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_an_empty_split_is_named(tmp_path, split):
    faces = bright_faces()
    kept = (faces.table["split"] != split).to_numpy()
    faces = Crops(faces.images[kept], faces.table[kept].reset_index(drop=True), faces.rejects, faces.record)
    with pytest.raises(ValueError, match=f"no picture of the split '{split}'"):
        train(faces, RECIPE, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_may_start_from_weights(run, tmp_path, monkeypatch):
    started = []

    def fit(model, *arguments):
        started.append(model.get_weights())
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "_fit", fit)
    with pytest.raises(KeyboardInterrupt):
        train(bright_faces(), RECIPE, tmp_path / "run", init=run.weights)
    expected = weights.load_model(run.folder)[0].get_weights()
    for one, another in zip(started[0], expected, strict=True):
        np.testing.assert_array_equal(one, another)


def test_a_network_without_stages_may_start_from_weights(tmp_path, no_training):
    faces, recipe = bright_faces(), replace(RECIPE, architecture="mobilenet")
    model = build_network(**recipe.network | {"image_size": SIZE})
    record = {"network": recipe.network | {"image_size": SIZE}, "crop": faces.record["crop"]}
    weights.save_weights(model, record, tmp_path / "start.h5")
    with pytest.raises(AssertionError, match="trained"):
        train(faces, recipe, tmp_path / "run", init=tmp_path / "start.h5")
    with pytest.raises(ValueError, match="another network"):
        train(faces, RECIPE, tmp_path / "other", init=tmp_path / "start.h5")


def test_a_record_names_initial_weights_by_name_and_hash(run, tmp_path):
    again = train(bright_faces(), replace(RECIPE, epochs=1), tmp_path / "next", init=run.folder)
    digest = hashlib.sha256(run.weights.read_bytes()).hexdigest()
    assert again.record["init"] == {"name": "whole", "sha256": digest}


@pytest.mark.parametrize(("able", "expected"), [(True, "mixed_bfloat16"), (False, "float32")])
def test_16_bits_are_for_devices_that_are_made_for_them(tmp_path, monkeypatch, no_training, able, expected):
    policies = []

    def build(**arguments):
        policies.append(keras.config.dtype_policy().name)
        return build_network(**arguments)

    monkeypatch.setattr(training, "supports_precision", lambda precision: able and precision == "mixed_bfloat16")
    monkeypatch.setattr(training, "build_network", build)
    with pytest.raises(AssertionError, match="trained"):
        train(bright_faces(), replace(RECIPE, precision="mixed_bfloat16"), tmp_path / "run")
    assert policies == [expected]
    assert json.loads((tmp_path / "run" / records.UNFINISHED_FILE).read_text())["precision"] == expected


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_gradients_too_small_for_float16_still_teach_the_first_layer(policy):
    keras.utils.set_random_seed(0)
    recipe = replace(RECIPE, epsilon=1e-20, chance=0.0, flip=0.0)
    with training._precision(policy):
        model = build_network(**recipe.network, image_size=SIZE)
    enliven_heads(model, 0)
    trainer = build_trainer(model, recipe, 0.01, 0, {"value": None})
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    before, faces, importance = first.get_weights()[0], bright_faces(12), np.full(12, 1e-8)
    assert (np.float16(importance) == 0).all()
    trainer.train_on_batch(faces.images, {"value": faces.ages}, sample_weight={"value": importance})
    assert (first.get_weights()[0] != before).mean() > 0.1


# What only training has: averaged weights, weight decay, a second loss, teachers, colours, 16 bits.
MODERN = replace(
    RECIPE, weight_average=0.9, weight_decay=0.01, distribution=0.5, distillation=0.3, precision="mixed_bfloat16",
    brightness=0.1, contrast=0.1, erasing=0.5,
)  # fmt: skip


@pytest.fixture(scope="module")
def modern_run(run, tmp_path_factory):
    return train(bright_faces(), MODERN, tmp_path_factory.mktemp("modern") / "whole", 4, teachers=[run.folder])


def test_everything_at_once_trains_a_plain_network(modern_run, run):
    record = modern_run.record
    assert record["network"] == run.record["network"], "nothing of it is left in the network"
    assert record["parameters"] == run.record["parameters"]
    assert [teacher["name"] for teacher in record["teachers"]] == ["whole"]
    assert modern_run.history["mae"].iloc[-1] < modern_run.history["mae"].iloc[0] < modern_run.history["loss"].iloc[0]
    assert keras.config.dtype_policy().name == "float32", "the precision is the run's own"
    model = weights.load_model(modern_run.folder)[0]
    assert {variable.dtype for variable in model.weights} == {"float32"}


@pytest.mark.slow
def test_an_average_is_what_is_kept(run, tmp_path):
    """With a momentum near 1 the average of few steps is close to the beginning, where the weights no longer are."""
    averaged = train(bright_faces(), replace(RECIPE, weight_average=0.9999), tmp_path / "averaged", seed=4)
    moved, kept = (weights.load_model(folder)[0] for folder in (run.folder, averaged.folder))
    keras.utils.set_random_seed(4)
    start = build_network(**RECIPE.network, image_size=SIZE)
    distances = [
        sum(np.abs(a - b).sum() for a, b in zip(_trained(model), _trained(start), strict=True))
        for model in (moved, kept)
    ]
    assert distances[1] < 0.7 * distances[0]


def _trained(model):
    return [variable.numpy() for variable in model.trainable_variables]


def test_teachers_and_distillation_go_together(run, tmp_path):
    with pytest.raises(ValueError, match="go together"):
        train(bright_faces(), RECIPE, tmp_path / "run", teachers=[run.folder])
    with pytest.raises(ValueError, match="go together"):
        train(bright_faces(), replace(RECIPE, distillation=0.5), tmp_path / "run")


def test_a_teacher_must_know_the_same_crop(run, tmp_path):
    faces = bright_faces()
    faces.record["crop"]["margin"] = 0.1
    with pytest.raises(ValueError, match=r"teacher .* belongs to another crop"):
        train(faces, replace(RECIPE, distillation=0.5), tmp_path / "run", teachers=[run.folder])


@pytest.mark.slow
def test_teachers_are_asked_for_the_picture_and_its_mirror_image_but_not_for_the_test(run):
    faces = bright_faces()
    faces.images[:, :, : SIZE // 2] //= 2  # the two halves differ
    model = weights.load_model(run.folder)[0]
    answers = training._ask([run.folder, run.folder], faces, faces.ages)
    straight, mirrored = (np.asarray(model(view)) for view in (faces.images, faces.images[:, :, ::-1]))
    shown = (faces.table["split"] != "test").to_numpy()
    assert np.abs(straight - mirrored).max() > 0.01
    learned = (faces.table["split"] == "train").to_numpy()
    mean = (straight + mirrored)[:, 0] / 2
    line = stats.linregress(mean[learned], faces.ages[learned, 0])
    np.testing.assert_allclose(answers[shown, 0], line.intercept + line.slope * mean[shown], rtol=1e-3, atol=1e-2)
    assert (answers[~shown] == 0).all()


@pytest.mark.slow
def test_a_student_learns_from_its_teacher_alone(run, tmp_path, monkeypatch):
    """Ages that are all wrong do not hinder a student whose teacher knows what they should have been."""
    faces = bright_faces()
    monkeypatch.setattr(training, "_ask", lambda *arguments: faces.ages)
    wrong = replace(faces, table=faces.table.assign(age=20.0))
    recipe = replace(RECIPE, epochs=12, distillation=50.0, heads="fresh", leak=0.1, batch_norm_momentum=0.8)
    student = train(wrong, recipe, tmp_path / "student", seed=4, teachers=[run.folder])
    part = faces.split("test").ages[:, 0]
    answers = student.predictions.loc[student.predictions["split"] == "test", "prediction"]
    assert np.corrcoef(answers, part)[0, 1] > 0.8


def test_the_distribution_loss_by_hand():
    """Two classes a spread apart: weights exp(0) and exp(-1/2) against even odds cost log 2 each."""
    loss = DistributionLoss(spread=1.0)
    assert float(loss(np.float32([[0]]), np.zeros((1, 2), "float32"))) == pytest.approx(math.log(2), rel=1e-5)
    # A softmax of (1, 0): the true age's share is 1 / (1 + exp(-1/2)).
    share = 1 / (1 + math.exp(-0.5))
    expected = -share * math.log(1 / (1 + math.exp(-1))) - (1 - share) * math.log(1 / (1 + math.exp(1)))
    assert float(loss(np.float32([[0]]), np.float32([[1, 0]]))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("field", "value"), [("brightness", 0.2), ("contrast", 0.2), ("erasing", 1.0)])
def test_colours_change_while_training_only(field, value):
    (layer,) = augmentation_layers(replace(RECIPE, flip=0.0, chance=0.0, **{field: value}), seed=0)
    pictures = bright_faces().images[:4].astype("float32")
    np.testing.assert_array_equal(np.asarray(layer(pictures, training=False)), pictures)
    changed = np.asarray(layer(pictures, training=True))
    assert changed.min() >= 0 and changed.max() <= 255
    assert (np.abs(changed - pictures).mean(axis=(1, 2, 3)) > 0.5).sum() >= 3


def test_logs_for_tensorboard(tmp_path):
    logs = keras.callbacks.TensorBoard(tmp_path / "logs")
    train(bright_faces(), replace(RECIPE, epochs=1), tmp_path / "run", callbacks=[logs])
    assert list((tmp_path / "logs").rglob("events.out.tfevents.*"))


def test_joined_sets_name_the_terms_of_all():
    assert training._terms("drawn+utkface") == f"{DATASETS['drawn'].terms}; {DATASETS['utkface'].terms}"
    assert training._terms("utkface+utkface") == DATASETS["utkface"].terms
    assert training._terms("made up") == "unknown"


@pytest.mark.slow
def test_a_probability_is_learned_calibrated_and_recorded(tmp_path):
    """Male faces are the brighter half; of some the sex is not known."""
    faces = bright_faces(240)
    sex = np.where(faces.table["age"] > 45, "male", "female")
    sex[::20] = ""
    faces = replace(faces, table=faces.table.assign(sex=sex))
    recipe = replace(
        RECIPE, target="male", value_range=1, loss="mean_squared_error", heads="fresh", leak=0.1, epochs=12,
        batch_norm_momentum=0.8, lambda_width=1.0,
    )  # fmt: skip
    run = train(faces, recipe, tmp_path / "run", seed=2)
    assert run.record["data"]["train"] + run.record["data"]["val"] + run.record["data"]["test"] == 228
    assert list(run.predictions.columns) == ["name", "split", "male", "output", "prediction"]
    assert set(run.predictions["name"]) <= set(faces.table["name"][sex != ""])
    assert run.predictions["prediction"].between(0, 1).all()
    model, _, record = weights.load_model(run.folder)
    part = faces.split("test")
    part = part.choose((part.table["sex"] != "").to_numpy())
    answers = targets.answers(model.predict(part.images, verbose=0), record)
    rows = run.predictions[run.predictions["split"] == "test"]
    np.testing.assert_allclose(rows["prediction"], answers, rtol=1e-3, atol=1e-4)
    assert record["test"] == pytest.approx(targets.summarize_probabilities(answers, rows["male"]), rel=1e-3, abs=1e-4)
    assert record["test"]["accuracy"] > 0.9 > record["median_guess"]["accuracy"]
    listed = scoreboard.list_runs(tmp_path).iloc[0]
    assert listed["accuracy"] == record["test"]["accuracy"] and "MAE" not in listed


@pytest.mark.parametrize("change", ["stages", "crop"])
def test_initial_weights_must_fit(run, tmp_path, no_training, change):
    faces, recipe = bright_faces(), RECIPE
    if change == "stages":
        recipe = replace(RECIPE, stages=(3, 3))
    else:
        faces.record["crop"]["margin"] = 0.1
    with pytest.raises(ValueError, match="belong to another"):
        train(faces, recipe, tmp_path / "run", init=run.folder)


def rates(recipe, steps):
    schedule = learning_rate(recipe, steps)
    return np.array([float(schedule(step)) for step in range(recipe.epochs * steps)])


def test_steps_divide_the_rate_by_ten_after_each_third():
    # 6 epochs of 5 steps: thirds end with steps 10 and 20.
    expected = [0.01] * 10 + [0.001] * 10 + [0.0001] * 10
    np.testing.assert_allclose(rates(replace(RECIPE, epochs=6, learning_rate=0.01), 5), expected, rtol=1e-5)


def test_cosine_warms_up_for_a_twentieth_and_falls_to_zero():
    # 4 epochs of 10 steps: 2 of 40 warm up, 38 fall along half a cosine.
    recipe = replace(RECIPE, epochs=4, learning_rate=0.01, schedule="cosine")
    falling = 0.01 * (1 + np.cos(np.pi * np.arange(38) / 38)) / 2
    np.testing.assert_allclose(rates(recipe, 10), [0, 0.005, *falling], rtol=1e-4, atol=1e-8)
    assert float(learning_rate(recipe, 10)(40)) == pytest.approx(0, abs=1e-8)


def numbered(count):
    """Make pictures of one pixel whose value is their number, and so is their age; an answer is 100 more."""
    ages = np.arange(float(count))[:, None]
    return np.arange(count)[:, None], {"age": ages, "answer": ages + 100}


def test_every_epoch_has_each_picture_once_in_an_order_of_its_own():
    rows = np.flatnonzero(np.arange(16) % 4)  # of 16 pictures, 12 are used
    faces = Batches(*numbered(16), rows, batch_size=5, seed=3)
    assert (faces.steps, faces.num_batches) == (2, None)
    batches = [faces[number] for number in range(6)]
    for images, ages, counts in batches:
        assert len(images) == 5 and ages.keys() == counts.keys() == {"age", "answer"}
        np.testing.assert_array_equal(images, ages["age"])
        np.testing.assert_array_equal(ages["age"] + 100, ages["answer"])
        assert (counts["age"] == 1).all()
    epochs = [np.concatenate([batches[2 * epoch + step][0][:, 0] for step in range(2)]) for epoch in range(3)]
    assert all(len(set(seen)) == 10 and set(seen) <= set(rows) for seen in epochs)
    assert len({tuple(seen) for seen in epochs}) == 3
    # A run that goes on begins with its epoch's order; batches may be asked for again, in any order.
    for epoch in (2, 0, 1):
        resumed = Batches(*numbered(16), rows, batch_size=5, seed=3, first_epoch=epoch)
        np.testing.assert_array_equal(resumed[0][0], faces[2 * epoch][0])
    assert tuple(Batches(*numbered(16), rows, 5, seed=4)[0][0][:, 0]) != tuple(epochs[0][:5])


def test_a_batch_is_never_larger_than_the_set():
    faces = Batches(*numbered(3), np.arange(3), batch_size=50, seed=0)
    assert faces.steps == 1 and sorted(faces[0][0][:, 0]) == [0, 1, 2]


def test_batches_to_watch_keep_the_order_and_are_all_of_one_size():
    watched = Batches(*numbered(9), np.array([1, 3, 5, 7, 8]), batch_size=3)
    assert watched.num_batches == 2
    (first, _, counted), (second, ages, filled) = watched[0], watched[1]
    assert list(first[:, 0]) == [1, 3, 5] and list(counted["age"]) == [1, 1, 1]
    assert list(second[:, 0]) == [7, 8, 1] and list(filled["age"]) == [1, 1, 0]
    assert list(ages["age"][:, 0]) == [7, 8, 1]


def test_with_fresh_heads_only_what_lies_before_them_is_taken_over(run):
    source, plan = weights.load_model(run.folder)[0], run.record | {"recipe": {"heads": "fresh"}}
    for network in ({"architecture": "ssrnet", "stages": (3, 2)}, {"architecture": "plain"}):
        model = build_network(**network, image_size=SIZE)
        heads = {layer.name: layer.get_weights() for layer in model.layers if isinstance(layer, keras.layers.Dense)}
        training._start_from(model, run.folder, plan)
        for name in ("x_conv_1", "x_conv_4", "x_norm_2"):
            for taken, given in zip(*(each.get_layer(name).get_weights() for each in (model, source)), strict=True):
                np.testing.assert_array_equal(taken, given)
        for name, before in heads.items():
            for kept, was in zip(model.get_layer(name).get_weights(), before, strict=True):
                np.testing.assert_array_equal(kept, was)
    with pytest.raises(ValueError, match="no layer in common"):
        training._start_from(build_network("densenet", depth=7, image_size=SIZE), run.folder, plan)
