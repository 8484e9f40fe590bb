"""How far dropout before a last hidden layer moves the answers once it is switched off.

    python benchmarks/dropout_shift.py WEIGHTS FILE.npz [FACES]

records results/dropout_shift: for the authors' weights in the folder WEIGHTS and for `asian`, the errors on test faces
as the network answers, and with dropout left on as in training, averaged over many draws. Where the two biases differ,
the network learned to be right on average with dropout, and is off by that much without. Batch norms keep their
statistics in either case. FILE.npz is written by `preprocess`.
"""

import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from ssrlib import crops, evaluation, weights
from ssrlib.backend import import_keras

NAMES = ("imdb", "wiki", "megaface_asian", "megaage", "megaage_mobilenet_0.25", "megaage_densenet_19")
DRAWS = 20


def freeze_norms(model):
    """Let the batch norms use their statistics whatever they are told."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def draw(model, images, draws, seed=0):
    """Answer with dropout, averaged over draws."""
    keras.utils.set_random_seed(seed)
    batches = np.array_split(images, max(1, len(images) // 100))
    answers = [sum(keras.ops.convert_to_numpy(model(batch, training=True)) for _ in range(draws)) for batch in batches]
    return np.concatenate(answers) / draws


if __name__ == "__main__":
    import_keras()
    from ssrlib import records

    folder, file, *limit = sys.argv[1:]
    faces = crops.load_crops(file).split("test")
    count = min(int(*limit) if limit else 1000, len(faces))
    faces = faces.choose(np.isin(np.arange(len(faces)), np.random.default_rng(0).permutation(len(faces))[:count]))
    rows = []
    for name in (*NAMES, "asian"):
        path = Path(folder) / f"{name}.h5"
        model, *_ = weights.load_model(path if path.is_file() else name)
        freeze_norms(model)
        row = {"weights": name}
        answers = {
            "": model.predict(faces.images, batch_size=100, verbose=0),
            "_dropout": draw(model, faces.images, DRAWS),
        }
        for way, years in answers.items():
            row |= {
                f"mae{way}": evaluation.mean_absolute_error(years, faces.ages),
                f"bias{way}": evaluation.bias(years, faces.ages),
            }
        rows.append(row)
    about = {"dataset": faces.record["dataset"], "faces": count, "draws": DRAWS}
    table = pd.DataFrame(rows)
    print(table.round(2).to_string())
    records.write_table("dropout_shift", table, about)
