"""Every set of weights on the test part of every real set: trained on the row, tested on the column.

    python benchmarks/cross.py WEIGHTS FILE.npz...

records results/cross: the scores, as the weights answer and with one straight line through their answers, and beside
them what each set of weights answers to each picture. WEIGHTS is the folder of the authors' files, each FILE.npz is
written by `preprocess`.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from ssrlib import crops, evaluation, weights
from ssrlib.backend import import_keras

OURS = ("asian", "utkface", "faces", "asian-modern-scratch", "utkface-modern-scratch")
AUTHORS = ("imdb", "wiki", "megaage", "megaface_asian", "megaage_mobilenet_0.25", "megaage_densenet_19")
KNOWN = ("name", "age", "sex", "ethnicity", "score")


def sharpness(image):
    """Variance of the Laplacian: small where a picture is blurred."""
    return cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()


def describe(faces):
    """List what is known of each picture before anything answers."""
    table = faces.table.reindex(columns=list(KNOWN)).round({"score": 3})
    table.insert(0, "dataset", faces.record["dataset"])
    return table.assign(sharpness=[round(sharpness(image), 1) for image in faces.images])


if __name__ == "__main__":
    import_keras()
    from ssrlib import records

    folder, *files = sys.argv[1:]
    sets = [(faces.split("train"), faces.split("test")) for faces in map(crops.load_crops, files)]
    rows, answers = [], [describe(faces) for _, faces in sets]
    for name in (*OURS, *(Path(folder) / f"{name}.h5" for name in AUTHORS)):
        model, _, record = weights.load_model(name)
        label = name if name in OURS else name.stem
        for (learned, faces), table in zip(sets, answers, strict=True):
            predictions = model.predict(faces.images, batch_size=256, verbose=0)
            row = {"weights": label, "trained_on": record.get("data", {}).get("dataset", "the authors' data")}
            row |= {"tested_on": faces.record["dataset"]} | evaluation.summarize(predictions, faces.ages)
            line = np.polyfit(model.predict(learned.images, batch_size=256, verbose=0)[:, 0], learned.ages, 1)
            row["mae_line"] = evaluation.mean_absolute_error(np.polyval(line, predictions), faces.ages)
            rows.append(row)
            table[label] = predictions[:, 0].astype(float).round(2)
    table = pd.DataFrame(rows)
    print(table.pivot(index="weights", columns="tested_on", values=["mae", "mae_line"]).round(2))
    about = {
        "faces": "the test parts, cropped alike for all weights",
        "mae_line": "mae of slope x answer + offset, fitted to the training part of the set in the column tested_on",
        "predictions": "one row a picture: a column for each set of weights, in years",
        "score": "how sure the detector was",
        "sharpness": "variance of the Laplacian of the crop's grey values",
    }
    records.write_table("cross", table, about)
    records.write_predictions(records.results_folder() / "cross", pd.concat(answers, ignore_index=True))
