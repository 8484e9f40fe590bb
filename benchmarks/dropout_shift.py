"""How far dropout before the last layers moves the answers once it is switched off.

    python benchmarks/dropout_shift.py WEIGHTS FILE.npz

records results/dropout_shift: for the authors' weights in the folder WEIGHTS and for `asian`, the errors on all test
faces as the network answers, and with dropout left on as in training, averaged over many draws. Where the two biases
differ, the network learned to be right on average with dropout, and is off by that much without. FILE.npz is written by
`preprocess`.
"""

import sys
from pathlib import Path

from ssrlib import crops, evaluation, weights
from ssrlib.backend import import_keras

NAMES = ("imdb", "wiki", "megaface_asian", "megaage", "megaage_mobilenet_0.25", "megaage_densenet_19")
DRAWS = 100


def answer(model, images):
    """Answer to pictures as usual, and with dropout, averaged over draws."""
    dropped = [layer.input for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    dropped = dropped if len(dropped) > 1 else dropped[0]
    before, after = keras.Model(model.input, dropped), keras.Model(dropped, model.output)
    features = before.predict(images, batch_size=256, verbose=0)
    keras.utils.set_random_seed(0)
    drawn = sum(keras.ops.convert_to_numpy(after(features, training=True)) for _ in range(DRAWS)) / DRAWS
    return keras.ops.convert_to_numpy(after(features)), drawn


if __name__ == "__main__":
    keras = import_keras()
    import pandas as pd

    from ssrlib import records

    folder, file = sys.argv[1:]
    faces = crops.load_crops(file).split("test")
    rows = []
    for name in (*NAMES, "asian"):
        path = Path(folder) / f"{name}.h5"
        model, *_ = weights.load_model(path if path.is_file() else name)
        row = {"weights": name}
        for way, years in zip(("", "_dropout"), answer(model, faces.images), strict=True):
            row[f"mae{way}"] = evaluation.mean_absolute_error(years, faces.ages)
            row[f"bias{way}"] = evaluation.bias(years, faces.ages)
        rows.append(row)
    table = pd.DataFrame(rows)
    print(table.round(2).to_string())
    about = {"dataset": faces.record["dataset"], "faces": len(faces), "draws": DRAWS}
    records.write_table("dropout_shift", table, about)
