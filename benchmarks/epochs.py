"""What a network answers to the same validation faces after each epoch of its training.

    python benchmarks/epochs.py FILE.npz FOLDER

FILE.npz is written by `preprocess`, FOLDER is a new one for the run. Records results/epochs: one row a face, a column
of predictions for each epoch.
"""

import sys

import pandas as pd

from ssrlib import crops, records
from ssrlib.backend import import_keras
from ssrlib.recipes import find_recipe

FACES, SEED, RECIPE = 200, 1, "small"


if __name__ == "__main__":
    import_keras()
    import keras

    from ssrlib.training import train

    class Answers(keras.callbacks.Callback):
        """Keep what the network answers to pictures after each epoch."""

        def __init__(self, images):
            super().__init__()
            self.images, self.columns = images, {}

        def on_epoch_end(self, epoch, logs=None):
            self.columns[f"epoch {epoch + 1}"] = self.model.predict(self.images, verbose=0)["value"][:, 0]

    file, folder = sys.argv[1:]
    faces = crops.load_crops(file)
    watched = faces.split("val")
    answers = Answers(watched.images[:FACES])
    run = train(faces, find_recipe(RECIPE), folder, SEED, callbacks=[answers])
    # One digit is all that a picture shows.
    table = pd.DataFrame({"age": watched.ages[:FACES].ravel()} | answers.columns).astype(float).round(1)
    print(table.sub(table["age"], axis=0).abs().mean().round(2))
    about = {name: run.record["data"][name] for name in ("dataset", "train")} | {"recipe": RECIPE, "seed": SEED}
    records.write_table("epochs", table, about)
