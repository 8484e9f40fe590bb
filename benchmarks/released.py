"""What the released networks really do: which bins ever fire, how much weight a stage gives, how far Delta goes.

    python benchmarks/released.py FOLDER_OF_THE_AUTHORS_WEIGHTS CROPS.npz...

The crops come from `python -m ssrlib preprocess`. Records results/released_bins (a row for each bin) and
results/released_stages (a row for each stage), over all pictures of each file.
"""

import sys
from pathlib import Path

import pandas as pd

from ssrlib.backend import import_keras

WEIGHTS = ["megaage", "megaface_asian", "imdb", "wiki"]


def measure(folder, files):
    import keras

    from ssrlib import crops, evaluation
    from ssrlib.authors import load_authors
    from ssrlib.network import stage_heads
    from ssrlib.stagewise import stage_contributions

    bins, stages = [], []
    for file in files:
        faces = crops.load_crops(file)
        for name in WEIGHTS:
            model = load_authors(Path(folder) / f"{name}.h5")
            heads = stage_heads(model).predict(faces.images, batch_size=256, verbose=0)
            outputs = {layer.name: layer.output for layer in model.layers if layer.name.endswith("_dense")}
            halves = keras.Model(model.input, outputs).predict(faces.images, batch_size=256, verbose=0)
            years = stage_contributions(heads, division_floor=0)
            about = {"dataset": faces.record["dataset"], "weights": name, "n": len(faces)}
            about["mae"] = evaluation.mean_absolute_error(heads["prediction"], faces.ages)
            for k in (1, 2, 3):
                p, eta, delta = (heads[f"{head}_{k}"] for head in ("p", "eta", "delta"))
                stages.append(
                    about | {
                        "stage": k, "years": years[:, k - 1].mean(), "spread": years[:, k - 1].std(),
                        "total_p": p.sum(axis=1).mean(), "least_total_p": p.sum(axis=1).min(),
                        "largest_total_p": p.sum(axis=1).max(), "delta": delta.mean(), "least_delta": delta.min(),
                        "largest_delta": delta.max(),
                        "relu_side_on": (halves[f"stage_{k}_x_dense"] > 0).any(axis=1).mean(),
                        "tanh_side_on": (halves[f"stage_{k}_s_dense"] > 0).any(axis=1).mean(),
                    }
                )  # fmt: skip
                bias = model.get_layer(f"stage_{k}_p").get_weights()[1]
                for i in range(p.shape[1]):
                    bins.append(
                        about | {"stage": k, "bin": i, "bias": bias[i], "fires": (p[:, i] > 0).mean(),
                                 "p": p[:, i].mean(), "largest_p": p[:, i].max(), "eta": eta[:, i].mean(),
                                 "least_eta": eta[:, i].min(), "largest_eta": eta[:, i].max()}
                    )  # fmt: skip
    return pd.DataFrame(bins), pd.DataFrame(stages)


if __name__ == "__main__":
    import_keras()
    from ssrlib import records

    bins, stages = measure(sys.argv[1], sys.argv[2:])
    about = {"crops": "default crop, all pictures of each set"}
    records.write_table("released_bins", bins, about)
    records.write_table("released_stages", stages, about)
    print(bins.drop(columns=["n", "mae"]).round(3).to_string(index=False))
    print(stages.drop(columns=["n"]).round(3).to_string(index=False))
