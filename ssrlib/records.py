"""Recorded runs: one folder a run under `results/`, written by code only."""

import gzip
import hashlib
import importlib.metadata
import json
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

RUN_FILE, HISTORY_FILE, PREDICTIONS_FILE = "run.json", "history.csv", "predictions.csv.gz"
WEIGHTS_FILE = "model.weights.h5"
# The weights that a user should take, one for each kind of faces.
SHIPPED = ("asian", "utkface", "faces", "drawn")
# The parts of the released network that a run may change.
RELEASED = {"lambda_index": 1, "lambda_width": 1, "streams": "xs", "fusion": "product", "p_activation": "relu"}
PLAN = ("recipe", "network", "crop", "data", "teachers")  # what runs have in common that differ in the seed only
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
    about = about | {"code": code_version(), "versions": library_versions(), "processor": processor()}
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


def list_runs(folder=None):
    """Tabulate all recorded runs, the unfinished ones too: name, data, recipe, network, epochs, seed and results.

    Returns
    -------
    pandas.DataFrame
    """
    rows = []
    for run in sorted(path for path in Path(folder or results_folder()).glob("*") if path.is_dir()):
        file = next((run / name for name in (RUN_FILE, UNFINISHED_FILE) if (run / name).is_file()), None)
        if file is None:
            continue
        record = json.loads(file.read_text())
        recipe, test = record["recipe"], record.get("test", {})
        epochs = recipe["epochs"]
        if not test:
            done = len(pd.read_csv(run / HISTORY_FILE)) if (run / HISTORY_FILE).is_file() else 0
            epochs = f"{done} of {epochs}"
        rows.append(
            {
                "run": run.name,
                "data": record["data"]["dataset"],
                "recipe": recipe["name"],
                "network": _describe_network(record["network"]),
                "epochs": epochs,
                "seed": record["seed"],
                "MAE": test.get("mae"),
                "CA(3)": test.get("ca3"),
                "CA(5)": test.get("ca5"),
                "accuracy": test.get("accuracy"),
            }
        )
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def _describe_network(network):
    """Name an architecture, its stages if it has some, and in which parts it differs from the released network."""
    stages = f" ({','.join(map(str, network['stages']))})" if "stages" in network else ""
    changed = [f", {part}={network[part]}" for part, value in RELEASED.items() if network.get(part, value) != value]
    return network.get("architecture", "ssrnet") + stages + "".join(changed)


def compare_runs(folder=None):
    """Average the finished runs that differ in the seed only.

    Returns
    -------
    pandas.DataFrame
        One row a group: `data`, `network`, `recipe`, `start` (the initial weights), `seeds` (how many), the mean test
        `MAE` in years with half the width of its 95 % interval over seeds (`+-`, by Student's t; NaN for one seed),
        and the mean `CA(3)` and `CA(5)`.
    """
    rows = []
    for file in sorted(Path(folder or results_folder()).glob(f"*/{RUN_FILE}")):
        record = json.loads(file.read_text())
        test, init = record["test"], record["init"]
        if "mae" not in test:
            continue  # this network does not answer with an age
        rows.append(
            {
                # The whole recipe decides what belongs together, its name is only what it is called.
                "key": json.dumps([record[name] for name in PLAN], sort_keys=True),
                "data": record["data"]["dataset"],
                "network": _describe_network(record["network"]),
                "recipe": record["recipe"]["name"],
                "start": "random" if init is None else re.sub(r"-\d+$", "", init["name"]),
                "MAE": test["mae"],
                "CA(3)": test["ca3"],
                "CA(5)": test["ca5"],
            }
        )
    keys = ["data", "network", "recipe", "start"]
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
        if (run := read_run(name)).record["data"]["dataset"] == dataset:
            return run
    raise FileNotFoundError(f"No recorded run belongs to the data set {dataset}; name the weights to use.")


def results_table(folder=None):
    """Write the results of the weights to use as a Markdown table, beside guessing the median, for README and book.

    Returns
    -------
    str
    """
    lines = [
        "| weights | trained and tested on | test faces | MAE (years) | CA(3) | CA(5) | guessing the median: MAE |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in SHIPPED:
        record = json.loads((Path(folder or results_folder()) / name / RUN_FILE).read_text())
        test = record["test"]
        lines.append(
            f"| `{name}` | {record['data']['dataset'].replace('+', ' and ')} | {test['n']:,} | {test['mae']:.2f} "
            f"| {test['ca3']:.3f} | {test['ca5']:.3f} | {record['median_guess']['mae']:.2f} |"
        )
    return "\n".join(lines)


def write_atomically(path, content):
    """Write bytes so that the file is never seen half written."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def code_version():
    """Hash the package's source: two runs with the same value were made by the same code."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return f"{importlib.metadata.version('ssrlib')}+{digest.hexdigest()[:12]}"


def library_versions():
    """Name the versions that a result may depend on."""
    versions = {"python": platform.python_version()}
    # TensorFlow's CPU-only wheel goes by another name but holds the same module.
    for package in ("keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numpy", "opencv-python-headless"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def processor():
    """Name the machine's processor as far as it tells."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1] if found else platform.machine()
