"""Every set of weights on the test part of every real set: trained on the row, tested on the column.

    python benchmarks/cross.py WEIGHTS FILE.npz...

records results/cross. WEIGHTS is the folder of the authors' files, each FILE.npz is written by `preprocess`.
"""

import sys
from pathlib import Path

import pandas as pd

from ssrlib import crops, evaluation, weights
from ssrlib.backend import import_keras

OURS, AUTHORS = ("asian", "utkface", "faces"), ("imdb", "wiki", "megaage", "megaface_asian")

if __name__ == "__main__":
    import_keras()
    from ssrlib import records

    folder, *files = sys.argv[1:]
    sets = [crops.load_crops(file).split("test") for file in files]
    rows = []
    for name in (*OURS, *(Path(folder) / f"{name}.h5" for name in AUTHORS)):
        model, crop, record = weights.load_model(name)
        for faces in sets:
            predictions = model.predict(faces.images, batch_size=256, verbose=0)
            row = {"weights": Path(name).stem, "trained_on": record.get("data", {}).get("dataset", "the authors' data")}
            rows.append(row | {"tested_on": faces.record["dataset"]} | evaluation.summarize(predictions, faces.ages))
    table = pd.DataFrame(rows)
    print(table.pivot(index="weights", columns="tested_on", values="mae").round(2))
    records.write_table("cross", table, {"faces": "the test parts, cropped alike for all weights"})
