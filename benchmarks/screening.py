"""Which parts of the recipe `modern` pay: change one thing at a time, train briefly, look at the validation part only.

    python benchmarks/screening.py FILE.npz WEIGHTS FOLDER [VARIANT...]

FILE.npz is written by `preprocess`, WEIGHTS is the folder of the authors' files, FOLDER keeps the runs, so that the
command can be stopped and given again. Without names all variants are trained. Records results/screening.
"""

import re
import sys
from pathlib import Path

import pandas as pd

from ssrlib import crops, records
from ssrlib.backend import import_keras
from ssrlib.recipes import find_recipe

EPOCHS, SEED = 8, 0
AVERAGE = 0.99  # the recipe's 0.999 would still remember the start after so few steps
VARIANTS = {
    "the recipe modern": {},
    "start: WIKI": {"start": "wiki"},
    "start: random": {"start": None},
    "heads of the initial weights": {"heads": "kept"},
    "no leak": {"leak": 0.0},
    "authors' augmentation": {"rotation": 20.0, "shift": 0.2, "zoom": 0.2},
    "no augmentation": {"flip": 0.0, "chance": 0.0},
    "always a little": {"chance": 1.0, "rotation": 5.0, "shift": 0.03, "zoom": 0.06, "shear": 0.05},
    "twice the learning rate": {"learning_rate": 0.004},
    "no averaging of weights": {"weight_average": 0.0},
    "second loss": {"distribution": 0.2},
    "erasing": {"erasing": 0.25},
    "brightness and contrast": {"brightness": 0.1, "contrast": 0.2},
    "weight decay": {"weight_decay": 0.05},
    "32 bits": {"precision": "float32"},
}


if __name__ == "__main__":
    import_keras()
    from ssrlib.training import train

    file, weights, folder, *chosen = sys.argv[1:]
    faces = crops.load_crops(file)
    rows = []
    for name in chosen or VARIANTS:
        change = dict(VARIANTS[name])
        start = change.pop("start", "megaage")
        init = None if start is None else Path(weights) / f"{start}.h5"
        place = Path(folder) / re.sub(r"[^a-z0-9]+", "-", name.lower())
        recipe = find_recipe("modern", **{"epochs": EPOCHS, "weight_average": AVERAGE} | change)
        run = train(faces, recipe, place, SEED, init)
        rows.append((name, run.history["mae"].iloc[-1], run.record["val"]["mae"]))
        print(*rows[-1], flush=True)
    table = pd.DataFrame(rows, columns=["variant", "training_mae", "validation_mae"])
    about = {"dataset": faces.record["dataset"], "epochs": EPOCHS, "seed": SEED}
    records.write_table("screening", table, about)
