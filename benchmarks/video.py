"""How many faces a second a film takes, from reading its frames to writing the new ones.

    python benchmarks/video.py

records results/video: a drawn film of two people, faces detected in each frame and in each fifth; beside it what the
network answered in each frame of the first round.
"""

import tempfile
from pathlib import Path

import pandas as pd

from ssrlib.backend import import_keras

FRAMES, RATE, SIZE = 100, 10.0, 160
EVERY, ROUNDS = (1, 5), 3


def measure(folder):
    from ssrlib import video, weights

    pictures, ages = zip(*video.draw_clip(FRAMES, SIZE), strict=True)
    video.write_film(pictures, folder / "clip.mp4", RATE)
    loaded = weights.load_model("drawn")
    video.annotate_film(folder / "clip.mp4", folder / "warm.mp4", *loaded)  # the first frames compile the network
    rows, answers = [], []
    for turn in range(ROUNDS):
        for every in EVERY:
            film = video.annotate_film(folder / "clip.mp4", folder / "new.mp4", *loaded, every=every)
            rows.append(
                {"every": every, "round": turn, "frames": film.frames, "faces": len(film.table),
                 "seconds": film.seconds, "frames_per_second": film.frames / film.seconds,
                 "faces_per_second": len(film.table) / film.seconds}
            )  # fmt: skip
            if turn == 0:
                answers.append(film.table.assign(every=every))
    answers = pd.concat(answers, ignore_index=True)
    # Who is on the left is known: the ages of both go with the frames.
    left = answers["left"] < SIZE / 2
    answers["person"] = left.map({True: "grows older", False: "turns the head"})
    answers["age"] = [ages[frame][0 if on_left else 1] for frame, on_left in zip(answers["frame"], left, strict=True)]
    return pd.DataFrame(rows), answers.round({"age": 2})


if __name__ == "__main__":
    import_keras()
    import os

    from ssrlib import records

    with tempfile.TemporaryDirectory() as folder:
        table, answers = measure(Path(folder))
    about = {"film": f"drawn, {FRAMES} frames of {2 * SIZE}x{SIZE} pixels, {RATE:g} a second, two faces",
             "seconds": "reading, detecting, cropping, network, drawing, writing", "cores": os.cpu_count()}  # fmt: skip
    records.write_table("video", table, about)
    records.write_predictions(records.results_folder() / "video", answers)
    print(table.round(2).to_string(index=False))
