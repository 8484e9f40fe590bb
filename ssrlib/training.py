"""Training: an engine that can be interrupted, and ends in a recorded run."""

import contextlib
import hashlib
import json
import time
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from filelock import Timeout
from tqdm import tqdm

from ssrlib import jobs, provenance, records, targets
from ssrlib.backend import list_devices, supports_precision
from ssrlib.baselines import build_network
from ssrlib.batches import Batches
from ssrlib.catalogue import DATASETS
from ssrlib.checkpoints import CHECKPOINT_FILE, load_checkpoint, save_checkpoint
from ssrlib.network import enliven_heads, head_part
from ssrlib.splits import SPLITS
from ssrlib.trainer import build_trainer, learning_rate
from ssrlib.weights import find_weights, load_model, save_weights

VALIDATION_BATCH = 256


class _Recorder(keras.callbacks.Callback):
    """Show progress, keep the history, write a checkpoint after each epoch and stop when the loss is no number."""

    def __init__(self, checkpoint, history, key, epochs, images, schedule, title, unit):
        super().__init__()
        self.checkpoint, self.history, self.key = checkpoint, history, key
        self.images, self.schedule, self.unit = images, schedule, unit
        self.progress = tqdm(total=epochs, initial=len(history), desc=title, unit="epoch")

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_test_begin(self, logs=None):
        self.trained = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        if not np.isfinite(logs["loss"]):
            self.progress.close()
            raise FloatingPointError(
                f"The loss became {logs['loss']} in epoch {epoch + 1}: lower the learning rate "
                f"(now {self._rate(epoch):g}) or set lambda_width below 1."
            )
        seconds = self.trained - self.started
        self.history.append(
            {
                "epoch": epoch + 1,
                "loss": logs["loss"],
                "mae": _mae(logs),
                "val_mae": _mae(logs, "val_"),
                "learning_rate": self._rate(epoch),
                "seconds": seconds,
                "images_per_second": self.images / seconds,
            }
        )
        save_checkpoint(self.model, self.checkpoint, self.key, self.history)
        records.write_history(self.checkpoint.parent, pd.DataFrame(self.history))
        self.progress.set_postfix_str(f"validation MAE {self.history[-1]['val_mae']:.2f}{self.unit}")
        self.progress.update()

    def on_train_end(self, logs=None):
        self.progress.close()

    def _rate(self, epoch):
        """Tell the learning rate of the epoch's last step; the optimizer already knows the next one's."""
        return float(self.schedule((epoch + 1) * self.params["steps"] - 1))


def train(crops, recipe, out, seed=0, init=None, teachers=(), callbacks=()):
    """Train a network and record the run; an interrupted run goes on where it was.

    Parameters
    ----------
    crops : crops.Crops
        Its "train" part is learned, "val" is watched, "test" is used once, at the end.
    recipe : recipes.Recipe
    out : path
        Folder of the run.
    seed : int
        Decides the initial weights, the order of the pictures, the augmentation and the dropout.
    init : str or Path, optional
        Weights to start from (a name, folder or file, see `weights.load_model`), instead of random ones.
    teachers : sequence of str or Path
        Weights of the networks whose answers are imitated, where the recipe has a `distillation`.
    callbacks : sequence of keras.callbacks.Callback
        What else is to happen at each epoch's end, such as writing logs for TensorBoard.

    Returns
    -------
    records.Run

    Raises
    ------
    ValueError
        If a split is empty, the initial weights or a teacher belong to another network or crop, or there are teachers
        without `distillation` or the reverse.
    FileExistsError
        If the folder holds a run of something else, or another process works there.
    FloatingPointError
        If the loss stops being a finite number.
    """
    out = Path(out)
    try:
        with jobs.lock(out, timeout=0):
            return _train(crops, recipe, out, seed, init, teachers, callbacks)
    except Timeout:
        raise FileExistsError(f"Another process is training in '{out}'; choose another folder.") from None


def _train(crops, recipe, out, seed, init, teachers, callbacks):
    if bool(teachers) != bool(recipe.distillation):
        raise ValueError("Teachers and a recipe's 'distillation' above 0 go together; there is only one of them.")
    crops = crops.choose(np.isfinite(targets.labels(crops.table, recipe.target)[:, 0]))
    labels = targets.labels(crops.table, recipe.target)
    counts = crops.table["split"].value_counts()
    for split in SPLITS:
        if not counts.get(split):
            raise ValueError(f"The crops hold no picture of the split '{split}'; a run needs all three.")
    network = recipe.network | {"image_size": crops.record["crop"]["size"]}
    plan = {
        "recipe": asdict(recipe),
        "network": network,
        "crop": crops.record["crop"],
        "data": {
            "dataset": crops.record["dataset"],
            "terms": _terms(crops.record["dataset"]),
            "fingerprint": crops.record["fingerprint"],
            "rejected": len(crops.rejects),
            **{split: int(counts[split]) for split in SPLITS},
        },
        "seed": seed,
        "init": None if init is None else _name_weights(init),
        "teachers": [_name_weights(teacher) for teacher in teachers],
    }
    key = json.dumps(plan, sort_keys=True)
    if (out / records.RUN_FILE).is_file():
        run = records.read_run(out)
        if json.dumps({name: run.record[name] for name in plan}, sort_keys=True) == key:
            return run
        raise FileExistsError(f"'{out}' holds another finished run; choose another folder or remove it.")
    out.mkdir(parents=True, exist_ok=True)
    learned, asked = (labels[crops.table["split"] == split] for split in ("train", "test"))
    record = plan | {
        "median_guess": targets.guess(recipe.target, learned, asked),
        "backend": keras.backend.backend(),
        "devices": list_devices(),
        "precision": recipe.precision if supports_precision(recipe.precision) else "float32",
        "processor": provenance.processor(),
        "code": provenance.code_version(),  # now, while the files on disk are those that were imported
        "versions": provenance.library_versions(),
    }

    keras.utils.set_random_seed(seed)
    with _devices(recipe.batch_size):
        with _precision(record["precision"]):
            model = build_network(**network)
        if init is not None:
            _start_from(model, init, plan)
        if recipe.heads == "fresh" and recipe.architecture == "ssrnet":
            enliven_heads(model, seed)
        answers = _ask(teachers, crops, labels) if teachers else None
        records.write_unfinished(out, record)
        history = _fit(model, crops, labels, recipe, seed, out, key, answers, callbacks)
    trained, model = model, build_network(**network)  # with all its digits
    model.set_weights(trained.get_weights())

    predictions = pd.concat(
        [_predict(model, crops.split(split), recipe.target) for split in ("val", "test")], ignore_index=True
    )
    if recipe.target == "male":
        watched = predictions[predictions["split"] == "val"]
        record["calibration"] = targets.calibrate(watched["output"], watched["male"])
        predictions["prediction"] = targets.probabilities(predictions["output"], record["calibration"])
    results = {
        split: targets.summarize(recipe.target, rows["prediction"], rows[recipe.target])
        for split, rows in predictions.groupby("split", sort=False)
    }
    record |= results | {
        "parameters": model.count_params(),
        "seconds": float(history["seconds"].sum()),
        "images_per_second": float(history["images_per_second"].median()),
    }
    save_weights(model, record, out / records.WEIGHTS_FILE)
    records.write_run(out, record, history, predictions)
    (out / CHECKPOINT_FILE).unlink()
    return records.read_run(out)


def _fit(model, crops, labels, recipe, seed, out, key, answers=None, callbacks=()):
    rows = {split: np.flatnonzero(crops.table["split"] == split) for split in ("train", "val")}
    wanted = {"value": labels}
    if recipe.distribution:
        wanted["distribution"] = labels
    if answers is not None:
        wanted["answer"] = answers
    faces = Batches(crops.images, wanted, rows["train"], recipe.batch_size, seed)
    watched = Batches(crops.images, wanted, rows["val"], VALIDATION_BATCH)
    schedule = learning_rate(recipe, faces.steps)
    trainer = build_trainer(model, recipe, schedule, seed, wanted)
    checkpoint = out / CHECKPOINT_FILE
    history = load_checkpoint(trainer, checkpoint, key)
    faces.first_epoch = len(history)
    images = faces.steps * faces.batch_size
    averaging = [keras.callbacks.SwapEMAWeights()] if recipe.weight_average else []
    unit = " years" if recipe.target == "age" else ""
    recorder = _Recorder(checkpoint, history, key, recipe.epochs, images, schedule, f"training {out.name}", unit)
    trainer.fit(
        faces,
        epochs=recipe.epochs,
        initial_epoch=len(history),
        steps_per_epoch=faces.steps,
        validation_data=watched,
        shuffle=False,
        verbose=0,
        callbacks=[*averaging, recorder, *callbacks],
    )
    return pd.DataFrame(history)


def _predict(model, part, target):
    table = part.table[["name", "split"]].copy()
    table[target] = targets.labels(part.table, target)
    # An age is the answer as it stands, a probability has to be made of it.
    column = "prediction" if target == "age" else "output"
    table[column] = model.predict(part.images, batch_size=VALIDATION_BATCH, verbose=0)[:, 0]
    return table


def _start_from(model, init, plan):
    """Take over the weights of a file: all of them, or where the heads are fresh, those of the layers before them."""
    source, crop, record = load_model(init)
    if "source" not in record and asdict(crop) != plan["crop"]:  # the authors' weights name no crop of their own
        raise ValueError(f"The weights '{init}' belong to another crop than this run's.")
    if plan["recipe"]["heads"] == "kept":
        here, there = plan["network"], record["network"]
        kind, other = ((of["architecture"], list(of.get("stages", ()))) for of in (here, there))
        if kind != other:
            raise ValueError(
                f"The weights '{init}' belong to another network than this run's; see the recipe's 'heads'."
            )
        model.set_weights(source.get_weights())
        return
    known = {layer.name: layer.get_weights() for layer in source.layers if layer.weights and not head_part(layer)}
    shared = [
        layer
        for layer in model.layers
        if layer.name in known and [w.shape for w in layer.weights] == [w.shape for w in known[layer.name]]
    ]
    if not shared:
        raise ValueError(f"The weights '{init}' have no layer in common with this run's network.")
    for layer in shared:
        layer.set_weights(known[layer.name])


def _ask(teachers, crops, labels):
    """Average what teachers answer to the pictures and their mirror images; the test part is not shown.

    A teacher may have learned from another data set, where other faces go with an age: a straight line, fitted to the
    training part, brings the answers to the labels of this one.
    """
    splits = crops.table["split"].to_numpy()
    shown, learned = splits != "test", splits == "train"
    images, answers = crops.images[shown], np.zeros_like(labels)
    for name in teachers:
        model, crop, _ = load_model(name)
        if asdict(crop) != crops.record["crop"]:
            raise ValueError(f"The teacher '{name}' belongs to another crop than this run's.")
        for view in (images, images[:, :, ::-1]):
            answers[shown] += model.predict(view, batch_size=VALIDATION_BATCH, verbose=0) / (2 * len(teachers))
    line = np.polyfit(answers[learned, 0], labels[learned, 0], 1)
    return np.where(shown[:, None], np.polyval(line, answers), 0).astype(np.float32)


def _name_weights(weights):
    """Name weights in a record: by name, and by hash, for a name may come to mean others."""
    path = Path(weights)
    name = path.parent.name if path.name == records.WEIGHTS_FILE else path.name.removesuffix(".h5")
    return {"name": name, "sha256": hashlib.sha256(find_weights(weights).read_bytes()).hexdigest()}


def _terms(datasets):
    """Say on what terms the data may be used; several sets are joined by a plus."""
    terms = [DATASETS[name].terms if name in DATASETS else "unknown" for name in datasets.split("+")]
    return "; ".join(dict.fromkeys(terms))


def _devices(batch_size):
    """Share each batch out among all devices, which Keras does with JAX only; elsewhere the first device has it all."""
    count = _count_devices()
    if count == 1:
        return contextlib.nullcontext()
    if batch_size % count or VALIDATION_BATCH % count:
        raise ValueError(f"A batch of {batch_size} cannot be shared out evenly among {count} devices; change either.")
    return keras.distribution.DataParallel().scope()


def _count_devices():
    return len(list_devices()) if keras.backend.backend() == "jax" else 1


@contextlib.contextmanager
def _precision(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _mae(logs, prefix=""):
    """Find the error in years; Keras names it after the output where there are several."""
    names = (f"{prefix}value_mean_absolute_error", f"{prefix}mean_absolute_error")
    return next(logs[name] for name in names if name in logs)
