"""Put the authors' own training curves into one table: what chapter 03 draws ours beside.

    python benchmarks/histories.py FOLDER

records results/authors_histories. FOLDER holds one CSV a run, named DATASET__NETWORK.csv, with the columns `epoch`,
`train_mae` and `val_mae` in years. The authors validated on their test parts.
"""

import re
import sys
from pathlib import Path

import pandas as pd

from ssrlib import records

DATASETS = {"imdb": "IMDB", "wiki": "WIKI", "morph2": "MORPH2", "megaage": "MegaAge-Asian"}
NETWORKS = {
    "ssrnet_3_3_3_64_1.0_1.0": "SSR-Net",
    "mobilenet_reg_0.25_64": "MobileNet 0.25",
    "densenet_reg_19_64": "DenseNet-19",
}

if __name__ == "__main__":
    parts = []
    for file in sorted(Path(sys.argv[1]).glob("*__*.csv")):
        dataset, network = re.fullmatch(r"(.+)__(.+)", file.stem).groups()
        if dataset in DATASETS and network in NETWORKS:
            run = {"dataset": DATASETS[dataset], "network": NETWORKS[network]}
            parts.append(pd.read_csv(file).assign(**run))
    table = pd.concat(parts)[["dataset", "network", "epoch", "train_mae", "val_mae"]]
    records.write_table("authors_histories", table, {"source": "the training logs that the paper's authors released"})
    print(table.groupby(["dataset", "network"])["val_mae"].agg(["last", "min"]))
