"""What each part of SSR-Net is worth: change one thing, train briefly on All-Age-Faces, test.

    python benchmarks/ablations.py FILE.npz PICTURES WEIGHTS FOLDER [QUESTION...]

FILE.npz is written by `preprocess` from the folder PICTURES, WEIGHTS is the folder of the authors' files, FOLDER keeps
the runs, so that the command can be stopped and given again. With questions only those are trained. All that FOLDER
holds is recorded in results/ablations, where the rows of other runs stay as they are. Every network starts from the
convolutions of the authors' MegaAge-Asian weights, as far as it has such layers, with fresh heads.
"""

import contextlib
import hashlib
import json
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ssrlib import alignment, crops, datasets, records
from ssrlib.backend import import_keras
from ssrlib.pictures import read_picture
from ssrlib.recipes import find_recipe

DATASET = "all_age_faces"
KEY = ("question", "variant", "seed")
# The short schedule: a third of the recipe's epochs at twice its rate, and an average over fewer steps, since the
# recipe's would still remember the start.
EPOCHS = 8
RATE = 0.002
AVERAGE = 0.99
BASE = "SSR-Net (3,3,3)"
LAMBDAS = (0.0, 0.25, 0.5, 0.75, 1.0)
NO_SHIFTS = {"lambda_index": 0.0, "lambda_width": 0.0}
MODERN = find_recipe("modern")
LONG = f"{MODERN.epochs} epochs"
TWICE = f"{LONG} at twice the rate"
FULL = {name: getattr(MODERN, name) for name in ("epochs", "learning_rate", "weight_average")}
FULL_TWICE = FULL | {"learning_rate": 2 * MODERN.learning_rate}
MOBILENET = {"architecture": "mobilenet", "start": "megaage_mobilenet_0.25", "heads": "kept"}
# Variants, and with how many seeds each is trained.
QUESTIONS = {
    "base": {BASE: ({}, 6)},
    "dynamic range": {
        "bins neither move nor stretch": (NO_SHIFTS, 6),
        "softmax": ({"p_activation": "softmax"}, 3),
        "softmax, bins neither move nor stretch": ({"p_activation": "softmax"} | NO_SHIFTS, 6),
        "bins do not move": ({"lambda_index": 0.0}, 6),
        "bins do not stretch": ({"lambda_width": 0.0}, 6),
        "a quarter of the dynamic range": ({"lambda_index": 0.25, "lambda_width": 0.25}, 3),
        "half of the dynamic range": ({"lambda_index": 0.5, "lambda_width": 0.5}, 3),
        "three quarters of the dynamic range": ({"lambda_index": 0.75, "lambda_width": 0.75}, 3),
        "released division": ({"division_floor": 0.0}, 3),
    },
    "stages": {
        "one stage of 27": ({"stages": (27,)}, 3),
        "one stage of 101": ({"stages": (101,)}, 3),
        "(5,5,5)": ({"stages": (5, 5, 5)}, 3),
        "(9,3)": ({"stages": (9, 3)}, 3),
        "(2,2,2,2)": ({"stages": (2, 2, 2, 2)}, 3),
    },
    "streams": {
        "ReLU stream only": ({"streams": "x"}, 3),
        "tanh stream only": ({"streams": "s"}, 3),
        "sum instead of product": ({"fusion": "sum"}, 3),
    },
    "data": {f"{share:.0%} of the training faces": ({"share": share}, 3) for share in (0.05, 0.1, 0.25, 0.5)},
    "start": {
        "random": ({"start": None}, 3),
        "IMDB": ({"start": "imdb"}, 3),
        "WIKI": ({"start": "wiki"}, 3),
        "UTKFace": ({"start": "utkface-modern-scratch"}, 3),
    },
    "rivals": {
        "plain regression": ({"architecture": "plain"}, 3),
        "DEX": ({"architecture": "dex"}, 3),
        "MobileNet": (MOBILENET, 3),
        "MobileNet without dropout": (MOBILENET | {"dropout": 0.0}, 3),
        "C3AE": ({"architecture": "c3ae", "start": None}, 3),
    },
    "size": {f"{size} pixels": ({"crop": {"size": size}}, 3) for size in (40, 48, 96)},
    "margin": {f"margin {margin}": ({"crop": {"margin": margin}}, 3) for margin in (0.0, 0.2, 0.6, 0.8, 1.0)},
    "alignment": {
        "68 landmarks": ({"crop": {"landmarks": 68}}, 3),
        "the detector's box": ({"crop": {"landmarks": 0}}, 3),
        "the whole picture": ({"crop": asdict(alignment.WHOLE_PICTURE)}, 3),
    },
    "loss": {
        "squared error": ({"loss": "mean_squared_error"}, 3),
        "Huber": ({"loss": "huber"}, 3),
        "with a distribution": ({"distribution": 0.2}, 3),
    },
    "augmentation": {
        "no flip": ({"flip": 0.0}, 3),
        "no rotation": ({"rotation": 0.0}, 3),
        "no shear": ({"shear": 0.0}, 3),
        "no shift": ({"shift": 0.0}, 3),
        "no zoom": ({"zoom": 0.0}, 3),
        "none": ({"flip": 0.0, "chance": 0.0}, 3),
    },
    "recipe": {
        "no dropout": ({"dropout": 0.0}, 3),
        "heads of the initial weights": ({"heads": "kept"}, 3),
        "no leak": ({"leak": 0.0}, 3),
        "the authors' augmentation": ({"rotation": 20.0, "shift": 0.2, "zoom": 0.2}, 3),
        "always a little": ({"chance": 1.0, "rotation": 5.0, "shift": 0.03, "zoom": 0.06, "shear": 0.05}, 3),
        "erasing": ({"erasing": 0.25}, 3),
        "brightness and contrast": ({"brightness": 0.1, "contrast": 0.2}, 3),
        "twice the learning rate": ({"learning_rate": 2 * RATE}, 3),
        "half the learning rate": ({"learning_rate": RATE / 2}, 3),
        "no averaging of weights": ({"weight_average": 0.0}, 3),
        "weight decay": ({"weight_decay": 0.05}, 3),
        "32 bits": ({"precision": "float32"}, 3),
    },
    "lambdas": {
        f"bins move by {index:g}, stretch by {width:g}": ({"lambda_index": index, "lambda_width": width}, 1)
        for index in LAMBDAS
        for width in LAMBDAS
        if index != width and {index, width} != {0, 1}  # these stand under "dynamic range"
    },
    "range": {"V = 80": ({"value_range": 80}, 3), "V = 120": ({"value_range": 120}, 3)},
    "full schedule": {
        LONG: (FULL, 3),
        f"{LONG}, bins neither move nor stretch": (FULL | NO_SHIFTS, 3),
        f"{LONG}, one stage of 27": (FULL | {"stages": (27,)}, 3),
        f"{LONG}, ReLU stream only": (FULL | {"streams": "x"}, 3),
        TWICE: (FULL_TWICE, 3),
        f"{TWICE}, bins neither move nor stretch": (FULL_TWICE | NO_SHIFTS, 3),
        f"{TWICE}, one stage of 27": (FULL_TWICE | {"stages": (27,)}, 3),
        f"{TWICE}, ReLU stream only": (FULL_TWICE | {"streams": "x"}, 3),
    },
}


def plan():
    """List question, variant, change and seed of every run."""
    for question, variants in QUESTIONS.items():
        for variant, (change, seeds) in variants.items():
            for seed in range(seeds):
                yield question, variant, dict(change), seed


def folder_of(place, question, variant, seed):
    return Path(place) / re.sub(r"[^a-z0-9]+", "-", f"{question} {variant} {seed}".lower())


def take(faces, share, seed):
    """Keep a share of the training faces, and all others."""
    learned = (faces.table["split"] == "train").to_numpy()
    return faces.choose(~learned | (np.random.default_rng(seed).random(len(faces)) < share))


def load_faces(file, pictures, change, folder):
    """Give the crops of FILE.npz, or cut the same faces anew as the change says."""
    faces = crops.load_crops(file)
    if not change:
        return faces
    crop = alignment.Crop(**faces.record["crop"] | change)
    key = hashlib.sha256(json.dumps([faces.record["fingerprint"], asdict(crop)]).encode()).hexdigest()
    cut = Path(folder) / f"crops-{key[:16]}.npz"
    if not cut.is_file():
        paths = datasets.load_table(DATASET, pictures).set_index("name")["path"]
        boxes = faces.table[list(alignment.Face._fields)].itertuples(index=False)
        images = []
        for name, box in zip(faces.table["name"], boxes, strict=True):
            picture = read_picture(paths[name])
            face = alignment.usable_faces(picture, crop)[0] if crop.detector == "none" else alignment.Face(*box)
            images.append(alignment.crop_at(picture, face, crop))
        record = faces.record | {"crop": asdict(crop), "fingerprint": key}
        crops.save_crops(replace(faces, images=np.stack(images), record=record), cut)
    return crops.load_crops(cut)


def run_one(faces, weights, place, change, seed):
    from ssrlib.training import train

    start, share = change.pop("start", "megaage"), change.pop("share", 1.0)
    init = Path(weights) / f"{start}.h5" if (Path(weights) / f"{start}.h5").is_file() else start
    # As many steps for less data.
    schedule = {"epochs": round(EPOCHS / share), "learning_rate": RATE, "weight_average": AVERAGE}
    recipe = find_recipe("modern", **schedule | change)
    return train(take(faces, share, seed), recipe, place, seed, init)


def measure(run):
    from ssrlib import baselines, costs

    arguments = run.record["network"]
    network = baselines.build_network(**arguments)
    return {
        "lambda_index": arguments.get("lambda_index"),
        "lambda_width": arguments.get("lambda_width"),
        "epochs": run.record["recipe"]["epochs"],
        "precision": run.record["precision"],
        "parameters": run.record["parameters"],
        "multiply_adds": int(costs.layer_costs(network)["multiply_adds"].sum()),
        "training_mae": run.history["mae"].iloc[-1],
        "validation_mae": run.record["val"]["mae"],
        **{name: run.record["test"][name] for name in ("mae", "ca3", "ca5")},
    }


if __name__ == "__main__":
    import_keras()

    file, pictures, weights, folder, *chosen = sys.argv[1:]
    if unknown := set(chosen) - QUESTIONS.keys():
        sys.exit(f"There is no question called '{min(unknown)}'; use {', '.join(QUESTIONS)}.")
    recorded = {}
    with contextlib.suppress(FileNotFoundError):  # there is none yet
        rows = records.read_table("ablations")[0].to_dict("records")
        recorded = {tuple(row[name] for name in KEY): row for row in rows}
    for question, variant, change, seed in plan():
        key = (question, variant, seed)
        place = folder_of(folder, question, variant, seed)
        finished = (place / records.RUN_FILE).is_file()
        if not finished and (not chosen or question in chosen):
            run_one(load_faces(file, pictures, change.pop("crop", {}), folder), weights, place, change, seed)
            finished = True
        if finished:
            row = dict(zip(KEY, key, strict=True)) | measure(records.read_run(place))
            print(*row.values(), flush=True)
            recorded[key] = row
    about = {
        "dataset": DATASET,
        "epochs": EPOCHS,
        "averaging": AVERAGE,
        "start": "megaage",
        "base": BASE,
        "long": LONG,
        "twice": TWICE,
    }
    rows = [recorded[key] for question, variant, _, seed in plan() if (key := (question, variant, seed)) in recorded]
    records.write_table("ablations", pd.DataFrame(rows), about)
