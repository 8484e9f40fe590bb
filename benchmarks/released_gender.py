"""What the authors' gender weights answer, beside our `sex`, on the test parts of the real sets.

    python benchmarks/released_gender.py WEIGHTS FILE.npz...

records results/released_gender: scores of the outputs as they come and after `targets.calibrate` on the validation
part, and beside them the outputs for each test picture. WEIGHTS is the folder of the authors' files, each FILE.npz is
written by `preprocess`.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from ssrlib import crops, targets, weights
from ssrlib.backend import import_keras

NAMES = ("imdb_gender", "wiki_gender", "sex")


def describe(outputs, male):
    """Score outputs as they come; `auc` is how often a man has the larger one of a man and a woman."""
    men, women = outputs[male == 1], outputs[male == 0]
    return {
        "n": len(outputs),
        "least": outputs.min(),
        "largest": outputs.max(),
        "outside": ((outputs < 0) | (outputs > 1)).mean(),
        "accuracy": targets.summarize_probabilities(np.clip(outputs, 0, 1), male)["accuracy"],
        "men_right": (men > 0.5).mean(),
        "women_right": (women <= 0.5).mean(),
        "auc": stats.mannwhitneyu(men, women).statistic / len(men) / len(women),
    }


if __name__ == "__main__":
    import_keras()
    from ssrlib import records

    folder, *files = sys.argv[1:]
    parts = [crops.load_crops(file) for file in files]
    parts = [part.choose(np.isfinite(targets.labels(part.table, "male")[:, 0])) for part in parts]
    rows, answers = [], []
    for part in parts:
        test = part.split("test").table
        answers.append(test[["name"]].assign(dataset=part.record["dataset"], male=targets.labels(test, "male")[:, 0]))
    for name in NAMES:
        model, _, _ = weights.load_model(name if name == "sex" else Path(folder) / f"{name}.h5")
        for part, table in zip(parts, answers, strict=True):
            known, asked = part.split("val"), part.split("test")
            line = targets.calibrate(
                model.predict(known.images, batch_size=256, verbose=0), targets.labels(known.table, "male")
            )
            outputs = model.predict(asked.images, batch_size=256, verbose=0)[:, 0].astype(float)
            calibrated = targets.summarize_probabilities(targets.probabilities(outputs, line), table["male"])
            row = {"weights": name, "dataset": part.record["dataset"]} | describe(outputs, table["male"].to_numpy())
            rows.append(row | {f"calibrated_{key}": calibrated[key] for key in ("accuracy", "calibration_error")})
            table[name] = outputs.round(4)
    table = pd.DataFrame(rows)
    print(table.round(3).to_string(index=False))
    about = {
        "faces": "the test parts, cropped alike for all weights",
        "calibration": "slope and intercept by the validation part of the same set",
        "predictions": "one row a picture: a column of outputs, as they come, for each set of weights",
    }
    records.write_table("released_gender", table, about)
    records.write_predictions(records.results_folder() / "released_gender", pd.concat(answers, ignore_index=True))
