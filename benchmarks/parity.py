"""How far the networks filled with the authors' weights are from what the authors' own code computed.

    KERAS_BACKEND=jax python benchmarks/parity.py ../shared/reference

records the rows of that backend in results/parity, beside those of the others; with --print it only prints them, as
JSON.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from ssrlib.backend import import_keras

HEADS = {"p": ("pred_age_stage", "pred_stage"), "eta": ("local_delta_stage",), "delta": ("delta_s",)}


def deviations(reference):
    """Compare all weights that come with golden outputs.

    Parameters
    ----------
    reference : Path
        Folder with `golden/inputs.npz` (BGR pictures), `golden/NAME.npz` and `weights/NAME.h5`.

    Returns
    -------
    list of dict
        `weights`, `backend`, and the largest absolute deviations over the pictures: `output` (years, or probability)
        and `heads` (None where the network has none).
    """
    keras = import_keras()
    from ssrlib.authors import load_authors
    from ssrlib.network import stage_heads

    pictures = np.load(reference / "golden" / "inputs.npz")["x"][..., ::-1]
    rows = []
    for path in sorted((reference / "weights").glob("*.h5")):
        golden = np.load(reference / "golden" / f"{path.stem}.npz")
        model, heads = load_authors(path), None
        if "delta_s1" in golden:
            opened = stage_heads(model).predict(pictures, verbose=0)
            heads = max(
                float(np.abs(opened[f"{head}_{k}"] - golden[f"{name}{k}"]).max())
                for head, names in HEADS.items()
                for name in names
                for k in (1, 2, 3)
                if f"{name}{k}" in golden
            )
        output = float(np.abs(model.predict(pictures, verbose=0) - golden["out"]).max())
        rows.append({"weights": path.stem, "backend": keras.backend.backend(), "output": output, "heads": heads})
    return rows


def record(rows):
    """Put the rows in place of the recorded ones of the same backend."""
    from ssrlib import provenance, records

    table = pd.DataFrame(rows)
    try:
        old, about = records.read_table("parity")
        table = pd.concat([old[~old["backend"].isin(table["backend"])], table])
    except FileNotFoundError:
        about = {"backends": {}}
    about["backends"][rows[0]["backend"]] = provenance.library_versions()
    records.write_table("parity", table.sort_values(["weights", "backend"]), about)


if __name__ == "__main__":
    arguments = [text for text in sys.argv[1:] if text != "--print"]
    found = deviations(Path(arguments[0]))
    if "--print" in sys.argv:
        print(json.dumps(found))
    else:
        record(found)
        print(pd.DataFrame(found).to_string(index=False))
