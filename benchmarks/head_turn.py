"""What chapter 07 learns on the rung "small", for those who only read: the turn of the head, from drawn faces.

    python benchmarks/head_turn.py

records results/head_turn: one row with the scores in degrees, and beside it the answer to each test face.
"""

import numpy as np
import pandas as pd

from ssrlib.backend import import_keras

if __name__ == "__main__":
    import_keras()
    from ssrlib import bounded, crops, notebook, records, weights

    faces = crops.prepare_crops("drawn", limit=notebook.SMALL_SET)
    turn = bounded.drawn_attribute(faces, "yaw")
    learned, asked = (faces.table["split"].to_numpy() == split for split in ("train", "test"))
    start = weights.load_model("drawn")[0]
    model = bounded.learn_bounded(faces.images[learned], turn[learned], -14, 14, start)
    answers = model.predict(faces.images[asked], verbose=0)[:, 0]
    mirrored = -model.predict(faces.images[asked][:, :, ::-1], verbose=0)[:, 0]
    table = faces.table.loc[asked, ["name"]].assign(turn=turn[asked], prediction=answers, mirrored=mirrored).round(2)
    errors = np.abs(table["prediction"] - table["turn"])
    row = {
        "n": len(table),
        "mae": errors.mean(),
        "guess": np.abs(table["turn"] - np.median(turn[learned])).mean(),
        "outside": (np.abs(answers) > 14).mean(),
    }
    records.write_table("head_turn", pd.DataFrame([row]), {"unit": "degrees", "faces": "drawn, 3,000 with all splits"})
    records.write_predictions(records.results_folder() / "head_turn", table)
    print(row)
