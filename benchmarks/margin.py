"""How the crop's margin decides the error of the authors' released weights, and how often a face is found at all.

    python benchmarks/margin.py FOLDER_OF_THE_SETS FOLDER_OF_THE_AUTHORS_WEIGHTS

records results/margin (MAE by margin, weights and data set) and results/detection (a row for each picture).
"""

import sys
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from ssrlib import alignment, cleaning, datasets, detection, evaluation, records
from ssrlib.authors import load_authors
from ssrlib.pictures import read_picture

PICTURES = 1500  # of each set, chosen by the hash of their names
MARGINS = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
WEIGHTS = ["megaage", "megaface_asian", "imdb", "wiki"]
PADDING = 0.25  # of the picture's side, on each side, repeating the border


def look(path):
    """Find the best face of a picture as it comes and padded, and crop the first at every margin."""
    picture = read_picture(path)
    pad = round(PADDING * max(picture.shape[:2]))
    padded = cv2.copyMakeBorder(picture, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    scores, counts = [], []
    for view in (picture, padded):
        faces = detection.detect_faces(view, 1, -0.3)
        scores.append(max((face.score for face in faces), default=np.nan))
        counts.append(sum(face.score >= 0 for face in faces))
    try:
        face = alignment.usable_faces(picture, alignment.Crop())[0]
    except alignment.NoFaceError:
        return scores, counts, None
    return scores, counts, np.stack([alignment.crop_box(picture, face, margin) for margin in MARGINS])


def measure(folder, weights_folder):
    """Return the two tables that are recorded."""
    models = {name: load_authors(Path(weights_folder) / f"{name}.h5") for name in WEIGHTS}
    errors, found = [], []
    for name in ("all_age_faces", "utkface"):
        table, _ = cleaning.clean_table(datasets.load_table(name, folder, limit=PICTURES))
        with get_context("spawn").Pool(2) as pool:
            scores, counts, crops = zip(*pool.map(look, table["path"], chunksize=20), strict=True)
        found.append(
            table.drop(columns=["name", "path", "digest", "split"]).assign(
                dataset=name, score=[pair[0] for pair in scores], padded_score=[pair[1] for pair in scores],
                certain=[pair[0] for pair in counts],
            )
        )  # fmt: skip
        seen = [number for number, crop in enumerate(crops) if crop is not None]
        ages = table["age"].to_numpy()[seen]
        images = np.stack([crops[number] for number in seen])
        for weights, model in models.items():
            for column, margin in enumerate(MARGINS):
                predictions = model.predict(images[:, column], batch_size=250, verbose=0)
                mae = evaluation.mean_absolute_error(predictions, ages)
                errors.append((name, weights, margin, mae, len(ages)))
    return pd.DataFrame(errors, columns=["dataset", "weights", "margin", "mae", "n"]), pd.concat(found)


if __name__ == "__main__":
    errors, found = measure(*sys.argv[1:])
    about = {"pictures": PICTURES, "crop": "dlib's box with a margin, not turned"}
    records.write_table("margin", errors, about)
    records.write_table("detection", found, about | {"padding": PADDING})
    print(errors.pivot_table(index="margin", columns=["dataset", "weights"], values="mae").round(2))
    rates = {
        "as it comes": found["score"] >= 0,
        "weaker, too": found["score"].notna(),
        "padded": found["padded_score"] >= 0,
        "several": found["certain"] > 1,
    }
    print(pd.DataFrame(rates).groupby(found["dataset"]).mean().round(4))
