"""Recorded runs side by side: as they are, averaged over seeds, and those whose weights are the ones to use."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from ssrlib import records

# The weights that a user should take, one for each kind of faces.
SHIPPED = ("asian", "utkface", "faces", "drawn")
# The parts of the released network that a run may change.
RELEASED = {
    "lambda_index": 1,
    "lambda_width": 1,
    "streams": "xs",
    "fusion": "product",
    "p_activation": "relu",
    "dropout": 0.2,
}
PLAN = ("recipe", "network", "crop", "data", "teachers")  # what runs have in common that differ in the seed only


def list_runs(folder=None):
    """Tabulate all recorded runs, the unfinished ones too: name, data, recipe, network, epochs, seed and results.

    Returns
    -------
    pandas.DataFrame
    """
    rows = []
    for run in sorted(path for path in Path(folder or records.results_folder()).glob("*") if path.is_dir()):
        file = next(
            (run / name for name in (records.RUN_FILE, records.UNFINISHED_FILE) if (run / name).is_file()), None
        )
        if file is None:
            continue
        record = json.loads(file.read_text())
        recipe, test = record["recipe"], record.get("test", {})
        epochs = recipe["epochs"]
        if not test:
            done = len(pd.read_csv(run / records.HISTORY_FILE)) if (run / records.HISTORY_FILE).is_file() else 0
            epochs = f"{done} of {epochs}"
        rows.append(
            {
                "run": run.name,
                "data": record["data"]["dataset"],
                "recipe": recipe["name"],
                "network": describe_network(record["network"]),
                "epochs": epochs,
                "seed": record["seed"],
                "MAE": test.get("mae"),
                "CA(3)": test.get("ca3"),
                "CA(5)": test.get("ca5"),
                "accuracy": test.get("accuracy"),
            }
        )
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def describe_network(network):
    """Name an architecture, its stages if it has some, and in which parts it differs from the released network."""
    stages = f" ({','.join(map(str, network['stages']))})" if "stages" in network else ""
    changed = [f", {part}={network[part]}" for part, value in RELEASED.items() if network.get(part, value) != value]
    return network.get("architecture", "ssrnet") + stages + "".join(changed)


def compare_runs(folder=None):
    """Average the finished runs that differ in the seed only.

    Returns
    -------
    pandas.DataFrame
        One row a group: `data`, `network`, `recipe` with its `epochs` and learning `rate`, which may be others than
        its name stands for, `start` (the initial weights) and whether `heads` were "kept" from there, drawn "fresh" or,
        without a start, drawn as is "usual", `seeds` (how many), the mean test `MAE` in years with half the width of
        its 95 % interval over seeds (`+-`, by Student's t; NaN for one seed), and the mean `CA(3)` and `CA(5)`.
    """
    rows = []
    for file in sorted(Path(folder or records.results_folder()).glob(f"*/{records.RUN_FILE}")):
        record = json.loads(file.read_text())
        test, init, recipe = record["test"], record["init"], record["recipe"]
        if "mae" not in test:
            continue  # this network does not answer with an age
        rows.append(
            {
                # The whole recipe decides what belongs together, its name is only what it is called.
                "key": json.dumps([record[name] for name in PLAN], sort_keys=True),
                "data": record["data"]["dataset"],
                "network": describe_network(record["network"]),
                "recipe": recipe["name"],
                "epochs": recipe["epochs"],
                "rate": recipe["learning_rate"],
                "start": "random" if init is None else re.sub(r"-\d+$", "", init["name"]),
                "heads": _describe_heads(recipe, init),
                "MAE": test["mae"],
                "CA(3)": test["ca3"],
                "CA(5)": test["ca5"],
            }
        )
    keys = ["data", "network", "recipe", "epochs", "rate", "start", "heads"]
    groups = pd.DataFrame(rows).groupby([*keys, "key"], sort=False)
    table = groups.agg(
        seeds=("MAE", "size"),
        MAE=("MAE", "mean"),
        half=("MAE", half_interval),
        ca3=("CA(3)", "mean"),
        ca5=("CA(5)", "mean"),
    )
    table = table.rename(columns={"half": "+-", "ca3": "CA(3)", "ca5": "CA(5)"}).reset_index().drop(columns="key")
    return table.sort_values(["data", "MAE"], ignore_index=True)


def _describe_heads(recipe, init):
    heads = recipe.get("heads", "kept")  # the first runs were recorded before there was a choice
    return "usual" if init is None and heads == "kept" else heads


def half_interval(values):
    """Half the width of the 95 % interval of a mean, by Student's t; NaN for a single value.

    Parameters
    ----------
    values : pandas.Series

    Returns
    -------
    float
    """
    return stats.t.ppf(0.975, len(values) - 1) * values.sem() if len(values) > 1 else np.nan


def shipped_run(dataset):
    """Find the run whose weights are the ones to use for a data set.

    Parameters
    ----------
    dataset : str

    Returns
    -------
    Run

    Raises
    ------
    FileNotFoundError
        If none of `SHIPPED` was trained on it.
    """
    for name in SHIPPED:
        if (run := records.read_run(name)).record["data"]["dataset"] == dataset:
            return run
    raise FileNotFoundError(f"No recorded run belongs to the data set {dataset}; name the weights to use.")


def results_table(folder=None):
    """Write the results of the weights to use as a Markdown table, beside guessing the median, for README and book.

    Returns
    -------
    str
    """
    rows = []
    for name in SHIPPED:
        record = json.loads((Path(folder or records.results_folder()) / name / records.RUN_FILE).read_text())
        test = record["test"]
        data, guess = record["data"]["dataset"].replace("+", " and "), f"{record['median_guess']['mae']:.2f}"
        scores = f"{test['n']:,}", f"{test['mae']:.2f}", f"{test['ca3']:.3f}", f"{test['ca5']:.3f}"
        rows.append([f"`{name}`", data, *scores, guess])
    columns = ["weights", "trained and tested on", "test faces", "MAE (years)", "CA(3)", "CA(5)"]
    return markdown_table([*columns, "guessing the median: MAE"], rows)


def markdown_table(columns, rows):
    """Write a Markdown table.

    Examples
    --------
    >>> print(markdown_table(["weights", "MAE"], [["`faces`", "5.7"]]))
    | weights | MAE |
    |---|---|
    | `faces` | 5.7 |
    """
    head, *lines = ("| " + " | ".join(row) + " |" for row in (columns, *rows))
    return "\n".join([head, "|" + "---|" * len(columns), *lines])
