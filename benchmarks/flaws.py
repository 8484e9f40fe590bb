"""What was thrown away: counts the rejects of crops that `python -m ssrlib preprocess` made.

    python benchmarks/flaws.py CROPS.npz...

records results/flaws: one row for each data set and reason.
"""

import sys

import pandas as pd

from ssrlib import crops, records


def count(file):
    """Count the rejects of a file of crops by reason; `listed` is what the counts and the faces add up to."""
    made = crops.load_crops(file)
    counts = made.rejects["reason"].value_counts().rename_axis("reason").reset_index(name="pictures")
    return counts.assign(dataset=made.record["dataset"], faces=len(made), listed=len(made) + len(made.rejects))


if __name__ == "__main__":
    table = pd.concat([count(file) for file in sys.argv[1:]], ignore_index=True)
    records.write_table("flaws", table[["dataset", "listed", "faces", "reason", "pictures"]], {})
    print(table.to_string(index=False))
