"""Recorded runs: one folder a run under `results/`, written by code only."""

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ssrlib import provenance

RUN_FILE, HISTORY_FILE, PREDICTIONS_FILE = "run.json", "history.csv", "predictions.csv.gz"
WEIGHTS_FILE = "model.weights.h5"
UNFINISHED_FILE = "unfinished.json"  # what `run.json` will say, but for the results


@dataclass(frozen=True)
class Run:
    """A recorded run.

    Attributes
    ----------
    folder : Path
    record : dict
        What was trained, how, on what, with which result: the content of `run.json`.
    history : pandas.DataFrame
        One row an epoch: `epoch` (from 1), `loss`, `mae` and `val_mae` (years), `learning_rate`, `seconds`,
        `images_per_second`.
    predictions : pandas.DataFrame
        One row a validation or test picture: `name`, `split`, `age`, `prediction` (years). Of a network that answers
        with a probability: `male` (1 or 0), `output` (as it comes) and `prediction` (the calibrated probability).
    """

    folder: Path
    record: dict
    history: pd.DataFrame
    predictions: pd.DataFrame

    @property
    def weights(self):
        """Path of the run's weights file."""
        return self.folder / WEIGHTS_FILE


def results_folder():
    """Return the folder of recorded runs: the checkout's, or the copy that an installed package carries."""
    package = Path(__file__).parent
    checkout = package.parent / "results"
    return checkout if checkout.is_dir() else package / "results"


def find_run(name):
    """Turn a run's name or folder into its folder.

    Raises
    ------
    FileNotFoundError
        If there is no such run; the message lists those there are.
    """
    for folder in (Path(name), results_folder() / name):
        if (folder / RUN_FILE).is_file():
            return folder
    known = ", ".join(sorted(path.parent.name for path in results_folder().glob(f"*/{RUN_FILE}"))) or "none"
    raise FileNotFoundError(f"There is no recorded run '{name}'; recorded are: {known}.")


def read_run(name):
    """Read a recorded run by its name or folder.

    Returns
    -------
    Run
    """
    folder = find_run(name)
    return Run(
        folder,
        json.loads((folder / RUN_FILE).read_text()),
        pd.read_csv(folder / HISTORY_FILE),
        pd.read_csv(folder / PREDICTIONS_FILE, keep_default_na=False),
    )


def write_run(folder, record, history, predictions):
    """Write a run's tables and, last, its record: a folder with a `run.json` is complete.

    Each file appears whole or not at all.
    """
    write_history(folder, history)
    write_predictions(folder, predictions)
    write_atomically(folder / RUN_FILE, (json.dumps(record, indent=2) + "\n").encode())
    (folder / UNFINISHED_FILE).unlink(missing_ok=True)


def write_unfinished(folder, record):
    """Record a run before its first epoch, so that one that never ends can still be read."""
    write_atomically(folder / UNFINISHED_FILE, (json.dumps(record, indent=2) + "\n").encode())


def write_history(folder, history):
    """Write a run's table of epochs; those of a run that is not finished are the epochs so far."""
    write_atomically(folder / HISTORY_FILE, history.to_csv(index=False).encode())


def write_predictions(folder, predictions):
    """Write a table of one row a picture, compressed."""
    # No time stamp inside: the same predictions give the same bytes.
    write_atomically(folder / PREDICTIONS_FILE, gzip.compress(predictions.to_csv(index=False).encode(), mtime=0))


def read_predictions(name):
    """Read what several networks answer to the same pictures, a recorded measurement beside its table.

    Parameters
    ----------
    name : str
        Of the measurement, such as "cross", which `benchmarks/cross.py` records.

    Returns
    -------
    pandas.DataFrame
        One row a picture: what is known of it (`name`, `age` in years, ...; NaN where unknown) and a column of
        predictions in years for each set of weights.

    Raises
    ------
    FileNotFoundError
        If the measurement has no predictions.
    """
    path = results_folder() / name / PREDICTIONS_FILE
    if not path.is_file():
        raise FileNotFoundError(f"There are no recorded predictions of a measurement '{name}' in {results_folder()}.")
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def write_table(name, table, about):
    """Record a measurement that pages read: `results/NAME/table.csv`, and what made it in `about.json`.

    Parameters
    ----------
    name : str
    table : pandas.DataFrame
    about : dict
        What was measured, on what; code version, versions and processor are added.
    """
    folder = results_folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    about = about | provenance.describe()
    write_atomically(folder / "table.csv", table.to_csv(index=False, float_format="%.6g").encode())
    write_atomically(folder / "about.json", (json.dumps(about, indent=2) + "\n").encode())


def read_table(name):
    """Read a recorded measurement.

    Returns
    -------
    table : pandas.DataFrame
    about : dict

    Raises
    ------
    FileNotFoundError
        If there is no such measurement.
    """
    folder = results_folder() / name
    if not (folder / "about.json").is_file():
        raise FileNotFoundError(f"There is no recorded measurement '{name}' in {results_folder()}.")
    return pd.read_csv(folder / "table.csv"), json.loads((folder / "about.json").read_text())


def write_atomically(path, content):
    """Write bytes so that the file is never seen half written."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)
