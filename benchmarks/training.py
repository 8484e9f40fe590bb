"""How many pictures a second a training run learns, beside the authors' order of work, and how much memory it takes.

    python benchmarks/training.py [REPEATS]

records results/training: the same network, batch and augmentation in turns on random pixels. Theirs warps one picture
after the other with SciPy in a Python generator that feeds `fit`; ours is `training.train`. Further rows tell where the
time goes, and what 40,000 crops need in memory, each in a process of its own.
"""

import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
from forward import released_network
from scipy import ndimage

from ssrlib.alignment import Crop
from ssrlib.backend import import_keras
from ssrlib.crops import Crops
from ssrlib.recipes import find_recipe

PICTURES, EPOCHS = 3000, 4  # of each run; the first epoch, which compiles, is not counted
PAPER = find_recipe("paper", epochs=EPOCHS)
STILL = {"flip": 0.0, "chance": 0.0}
MANY = 40_000


def random_crops(count):
    """Make a data set of noise: what the pictures show does not change how long they take."""
    random = np.random.default_rng(0)
    images = np.frombuffer(random.bytes(count * 64 * 64 * 3), np.uint8).reshape(count, 64, 64, 3)
    split = np.full(count, "train", object)
    split[:100], split[100:200] = "val", "test"
    table = pd.DataFrame({"name": map(str, range(count)), "age": random.uniform(0, 90, count), "split": split})
    record = {"dataset": "noise", "crop": asdict(Crop()), "fingerprint": str(count)}
    return Crops(images, table, table[["name", "split"]][:0].assign(reason="", detail=""), record)


def varied(image, random, order):
    """Warp one picture as the authors do: a flip, and four steps with a chance of a quarter each, one by one."""

    def warp(image, matrix):
        centre = np.array(image.shape[:2]) / 2 - 0.5
        offset = centre - matrix @ centre
        channels = [ndimage.affine_transform(c, matrix, offset, order=order, mode="nearest") for c in image.T]
        return np.stack(channels).T

    if random.random() < 0.5:
        image = image[:, ::-1]
    if random.random() < 0.25:
        angle = np.radians(random.uniform(-20, 20))
        image = warp(image, np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]))
    if random.random() < 0.25:
        shear = random.uniform(-0.2, 0.2)
        image = warp(image, np.array([[1, -np.sin(shear)], [0, np.cos(shear)]]))
    if random.random() < 0.25:
        image = ndimage.shift(image, [*random.uniform(-0.2, 0.2, 2) * 64, 0], order=order, mode="nearest")
    if random.random() < 0.25:
        image = warp(image, np.diag(random.uniform(0.8, 1.2, 2)))
    return image


def theirs(crops, augment=True):
    """Train for some epochs in the authors' order of work; return pictures a second, one number an epoch."""
    import keras

    rows = np.flatnonzero(crops.table["split"] == "train")
    random = np.random.default_rng(0)

    def batches():
        while True:
            chosen = random.choice(rows, PAPER.batch_size)
            images = crops.images[chosen].astype(np.float32)
            if augment:
                images = np.stack([varied(image, random, order=0) for image in images])
            yield images, crops.ages[chosen]

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            seconds.append(time.perf_counter() - self.started)

    seconds, steps = [], len(rows) // PAPER.batch_size
    model = released_network()
    model.compile(keras.optimizers.Adam(PAPER.learning_rate), "mean_absolute_error", jit_compile=False)
    model.fit(batches(), steps_per_epoch=steps, epochs=EPOCHS, callbacks=[Clock()], verbose=0)
    return steps * PAPER.batch_size / np.array(seconds[1:])


def ours(crops, recipe):
    """Train a run into a folder that is thrown away; return pictures a second, one number an epoch."""
    from ssrlib import training

    with tempfile.TemporaryDirectory() as folder:
        history = training.train(crops, recipe, f"{folder}/run").history
    return history["images_per_second"].to_numpy()[1:]


PATHS = {
    "theirs": theirs,
    "theirs, no augmentation": functools.partial(theirs, augment=False),
    "ours": functools.partial(ours, recipe=PAPER),
    "ours, no augmentation": functools.partial(ours, recipe=replace(PAPER, **STILL)),
    "ours, 16 bits": functools.partial(ours, recipe=replace(PAPER, precision="mixed_bfloat16")),
    "ours, 16 bits, batch 256": functools.partial(
        ours, recipe=replace(PAPER, precision="mixed_bfloat16", batch_size=256)
    ),
}


def alone(*arguments):
    """Run this file in a process of its own; return what it printed last, as JSON."""
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise ChildProcessError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def memory():
    """Train one epoch on many crops; return the process's largest size in GiB."""
    ours(random_crops(MANY), replace(PAPER, epochs=1))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    command = sys.argv[1] if len(sys.argv) > 1 else "2"
    import_keras()
    if command in PATHS:
        print(json.dumps(list(PATHS[command](random_crops(PICTURES)))))
    elif command == "memory":
        print(json.dumps(memory()))
    else:
        from ssrlib import records

        rows = [(path, repeat, rate) for repeat in range(int(command)) for path in PATHS for rate in alone(path)]
        table = pd.DataFrame(rows, columns=["path", "repeat", "pictures_per_second"])
        gibibytes = alone("memory")
        medians = table.groupby("path", sort=False)["pictures_per_second"].median()
        print(medians.round(0).to_string())
        print(f"ours / theirs: {medians['ours'] / medians['theirs']:.2f}")
        print(f"{MANY:,} crops: {gibibytes:.2f} GiB")
        about = {"cores": os.cpu_count(), "pictures": PICTURES, "crops_in_memory": MANY, "gibibytes": gibibytes}
        records.write_table("training", table, about)
