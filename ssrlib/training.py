"""Training: a recipe, an engine that can be interrupted, and a recorded run."""

import json
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from ssrlib import evaluation, records
from ssrlib.augmentation import RandomAffine
from ssrlib.baselines import build_network
from ssrlib.catalogue import DATASETS
from ssrlib.weights import load_model, save_weights

CHECKPOINT_FILE = "checkpoint.weights.h5"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run besides the data and the seed.

    Attributes
    ----------
    name : str
    epochs : int
    batch_size : int
    learning_rate : float
        At the start, for Adam.
    schedule : str
        "steps" divides the rate by 10 after a third and again after two thirds of the epochs, as the authors do;
        "cosine" raises it during the first twentieth of the steps and lets it fall to zero along a cosine.
    loss : str
        A Keras loss; the paper's is the mean absolute error.
    flip, chance, rotation, shear, shift, zoom : float
        The augmentation, see `augmentation.RandomAffine`.
    stages, lambda_index, lambda_width, value_range, division_floor, batch_norm_momentum
        The network, see `network.SSRNet`.
    """

    name: str
    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str = "steps"
    loss: str = "mean_absolute_error"
    flip: float = 0.5
    chance: float = 0.25
    rotation: float = 20.0
    shear: float = 0.2
    shift: float = 0.2
    zoom: float = 0.2
    stages: tuple = (3, 3, 3)
    lambda_index: float = 1.0
    lambda_width: float = 1.0
    value_range: float = 101
    division_floor: float = 0.1
    batch_norm_momentum: float = 0.99

    def __post_init__(self):
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError("A recipe needs at least one epoch and one picture a batch.")
        if not self.learning_rate > 0:
            raise ValueError(f"The learning rate is {self.learning_rate}; it must be above 0.")
        if self.schedule not in ("steps", "cosine"):
            raise ValueError(f"There is no schedule called '{self.schedule}'; use 'steps' or 'cosine'.")

    @property
    def network(self):
        """The arguments of `baselines.build_network`, without the image size."""
        names = ("stages", "lambda_index", "lambda_width", "value_range", "division_floor", "batch_norm_momentum")
        return {"architecture": "ssrnet"} | {name: getattr(self, name) for name in names}

    @property
    def augmentation(self):
        """The arguments of `augmentation.RandomAffine`, without the seed."""
        return {name: getattr(self, name) for name in ("flip", "chance", "rotation", "shear", "shift", "zoom")}


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("paper", epochs=90, batch_size=50, learning_rate=0.001),
        Recipe(
            "small",
            epochs=12,
            batch_size=50,
            learning_rate=0.002,
            schedule="cosine",
            rotation=10.0,
            shift=0.05,
            zoom=0.1,
            batch_norm_momentum=0.9,
        ),
    )
}


def find_recipe(name, **changes):
    """Look a recipe up and change some of its fields.

    Raises
    ------
    ValueError
        If there is no such recipe or field.

    Examples
    --------
    >>> find_recipe("paper", epochs=3).epochs
    3
    """
    if name not in RECIPES:
        raise ValueError(f"There is no recipe called '{name}'; use {', '.join(RECIPES)}.")
    unknown = changes.keys() - {field.name for field in fields(Recipe)}
    if unknown:
        raise ValueError(f"A recipe has no field called '{min(unknown)}'.")
    return replace(RECIPES[name], **changes)


class ShuffledFaces(keras.utils.PyDataset):
    """Batches of crops in an order that depends on the seed and the epoch only, so that a resumed run sees the same."""

    def __init__(self, images, ages, batch_size, seed, first_epoch=0):
        super().__init__()
        self.images, self.ages = images, ages
        self.batch_size = min(batch_size, len(images))
        self.seed, self.epoch = seed, first_epoch
        self._shuffle()

    def __len__(self):
        # An incomplete last batch is left out; after shuffling it holds other pictures in every epoch.
        return len(self.images) // self.batch_size

    def __getitem__(self, number):
        chosen = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        return self.images[chosen], self.ages[chosen]

    def on_epoch_end(self):
        self.epoch += 1
        self._shuffle()

    def _shuffle(self):
        self.order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.images))


class _Recorder(keras.callbacks.Callback):
    """Show progress, keep the history, write a checkpoint after each epoch and stop when the loss is no number."""

    def __init__(self, checkpoint, history, key, epochs, title):
        super().__init__()
        self.checkpoint, self.history, self.key = checkpoint, history, key
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
                f"(now {float(self.model.optimizer.learning_rate):g}) or set lambda_width below 1."
            )
        self.history.append(
            {
                "epoch": epoch + 1,
                "loss": logs["loss"],
                "val_mae": logs["val_mean_absolute_error"],
                "learning_rate": float(self.model.optimizer.learning_rate),
                "seconds": self.trained - self.started,
            }
        )
        _save_checkpoint(self.model, self.checkpoint, self.key, self.history)
        self.progress.set_postfix_str(f"validation MAE {self.history[-1]['val_mae']:.2f} years")
        self.progress.update()

    def on_train_end(self, logs=None):
        self.progress.close()


def train(crops, recipe, out, seed=0, init=None):
    """Train an SSR-Net and record the run; an interrupted run goes on where it was.

    Parameters
    ----------
    crops : crops.Crops
        Its "train" part is learned, "val" is watched, "test" is used once, at the end.
    recipe : Recipe
    out : path
        Folder of the run.
    seed : int
        Decides the initial weights, the order of the pictures, the augmentation and the dropout.
    init : str or Path, optional
        Weights to start from (a name, folder or file, see `weights.load_model`), instead of random ones.

    Returns
    -------
    records.Run

    Raises
    ------
    ValueError
        If a split is empty, or the initial weights belong to another network or crop.
    FileExistsError
        If the folder holds a finished run of something else.
    FloatingPointError
        If the loss stops being a finite number.
    """
    out = Path(out)
    parts = {split: crops.split(split) for split in ("train", "val", "test")}
    for split, part in parts.items():
        if not len(part):
            raise ValueError(f"The crops hold no picture of the split '{split}'; a run needs all three.")
    network = recipe.network | {"image_size": crops.record["crop"]["size"]}
    plan = {
        "recipe": asdict(recipe),
        "network": network,
        "crop": crops.record["crop"],
        "data": {
            "dataset": crops.record["dataset"],
            "terms": DATASETS[crops.record["dataset"]].terms if crops.record["dataset"] in DATASETS else "unknown",
            "fingerprint": crops.record["fingerprint"],
            "rejected": len(crops.rejects),
            **{split: len(part) for split, part in parts.items()},
        },
        "seed": seed,
        "init": None if init is None else Path(init).name,
    }
    key = json.dumps(plan, sort_keys=True)
    if (out / records.RUN_FILE).is_file():
        run = records.read_run(out)
        if json.dumps({name: run.record[name] for name in plan}, sort_keys=True) == key:
            return run
        raise FileExistsError(f"'{out}' holds another finished run; choose another folder or remove it.")
    out.mkdir(parents=True, exist_ok=True)

    keras.utils.set_random_seed(seed)
    model = build_network(**network)
    if init is not None:
        _start_from(model, init, plan)
    history = _fit(model, parts, recipe, seed, out, key)

    predictions = pd.concat([_predict(model, parts[split]) for split in ("val", "test")], ignore_index=True)
    results = {
        split: evaluation.summarize(rows["prediction"], rows["age"])
        for split, rows in predictions.groupby("split", sort=False)
    }
    record = plan | results
    record["median_guess"] = evaluation.median_guess(parts["train"].ages, parts["test"].ages)
    record["parameters"] = model.count_params()
    record["seconds"] = float(history["seconds"].sum())
    record["images_per_second"] = float(_images_per_epoch(parts, recipe) / history["seconds"].median())
    record["backend"] = keras.backend.backend()
    record["devices"] = keras.distribution.list_devices()
    record["processor"] = records.processor()
    record["code"] = records.code_version()
    record["versions"] = records.library_versions()
    save_weights(model, record, out / records.WEIGHTS_FILE)
    records.write_run(out, record, history, predictions)
    (out / CHECKPOINT_FILE).unlink()
    return records.read_run(out)


def _fit(model, parts, recipe, seed, out, key):
    trainer = keras.Sequential([RandomAffine(**recipe.augmentation, seed=seed), model])
    steps = max(1, len(parts["train"]) // min(recipe.batch_size, len(parts["train"])))
    trainer.build((None, *model.input_shape[1:]))
    trainer.compile(
        keras.optimizers.Adam(_learning_rate(recipe, steps)),
        loss=recipe.loss,
        metrics=["mean_absolute_error"],
        # TensorFlow cannot compile the warp with XLA, and on a CPU XLA gains nothing; other backends need it.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    trainer.optimizer.build(trainer.trainable_variables)
    checkpoint = out / CHECKPOINT_FILE
    history = _load_checkpoint(trainer, checkpoint, key)
    faces = ShuffledFaces(parts["train"].images, parts["train"].ages, recipe.batch_size, seed, len(history))
    trainer.fit(
        faces,
        epochs=recipe.epochs,
        initial_epoch=len(history),
        validation_data=(parts["val"].images, parts["val"].ages),
        validation_batch_size=256,
        shuffle=False,
        verbose=0,
        callbacks=[_Recorder(checkpoint, history, key, recipe.epochs, f"training {out.name}")],
    )
    return pd.DataFrame(history)


def _learning_rate(recipe, steps):
    total = recipe.epochs * steps
    if recipe.schedule == "steps":
        boundaries = [round(recipe.epochs / 3) * steps, round(recipe.epochs * 2 / 3) * steps]
        values = [recipe.learning_rate * factor for factor in (1, 0.1, 0.01)]
        return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, values)
    warm_up = max(1, total // 20)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total - warm_up), warmup_target=recipe.learning_rate, warmup_steps=warm_up
    )


def _images_per_epoch(parts, recipe):
    size = min(recipe.batch_size, len(parts["train"]))
    return len(parts["train"]) // size * size


def _predict(model, part):
    table = part.table[["name", "split", "age"]].copy()
    table["prediction"] = model.predict(part.images, batch_size=256, verbose=0)[:, 0]
    return table


def _start_from(model, init, plan):
    source, crop, record = load_model(init)
    here, there = plan["network"], record["network"]
    same = here["architecture"] == there["architecture"] and list(here["stages"]) == there["stages"]
    if not same or asdict(crop) != plan["crop"]:
        raise ValueError(f"The weights '{init}' belong to another network or another crop than this run's.")
    model.set_weights(source.get_weights())


def _save_checkpoint(trainer, path, key, history):
    """One file holds weights, optimizer, random state and history, and replaces the last one in one step."""
    temporary = path.with_name("tmp." + path.name)
    trainer.save_weights(temporary)
    with h5py.File(temporary, "a") as file:
        file.attrs["key"], file.attrs["history"] = key, json.dumps(history)
        file.attrs["random"] = np.stack([keras.ops.convert_to_numpy(state) for state in _random_states(trainer)])
    temporary.replace(path)


def _load_checkpoint(trainer, path, key):
    """Restore a checkpoint of the same run and return its history; without one, an empty history."""
    if not path.is_file():
        return []
    with h5py.File(path) as file:
        if file.attrs["key"] != key:
            return []
        history, states = json.loads(file.attrs["history"]), file.attrs["random"]
    trainer.load_weights(path)
    for variable, state in zip(_random_states(trainer), states, strict=True):
        variable.assign(state)
    return history


def _random_states(trainer):
    """List where the augmentation and the dropouts are in their random streams; Keras saves no such variable."""
    saved = {id(variable) for variable in trainer.weights}
    return [variable for variable in trainer.variables if id(variable) not in saved]
