"""What was run where: recorded executions of the notebooks and the versions behind the records, for the pages."""

import json

from ssrlib import records, scoreboard

NONE = "\N{EN DASH}"
LIBRARIES = {
    "python": "Python",
    "keras": "Keras",
    "tensorflow-cpu": "TensorFlow",
    "tensorflow": "TensorFlow",
    "torch": "PyTorch",
    "jax": "JAX",
    "numpy": "NumPy",
}


def duration(seconds):
    """Write a time as one reads it.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str

    Examples
    --------
    >>> duration(48.2), duration(119.7), duration(870)
    ('48 s', '2.0 minutes', '14.5 minutes')
    """
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} minutes"


def memory(megabytes):
    """Write an amount of memory as one reads it.

    Parameters
    ----------
    megabytes : float
        Of 10^6 bytes.

    Returns
    -------
    str

    Examples
    --------
    >>> memory(843), memory(1249)
    ('0.8 GB', '1.2 GB')
    """
    return f"{megabytes / 1000:.1f} GB"


def needs_of(notebook):
    """Say what a notebook took when its execution was recorded.

    Parameters
    ----------
    notebook : str
        Its name, such as "02_stagewise".

    Returns
    -------
    str or None
        Time, cores and memory; None if that notebook's execution is not recorded.
    """
    table, about = records.read_table("executions")
    row = table[table["notebook"] == notebook]
    if row.empty:
        return None
    seconds, peak = row[["seconds", "peak_mb"]].iloc[0]
    return f"{duration(seconds)} on {about['cores']} cores, {memory(peak)} of memory"


def name_versions(versions):
    """Write the versions of the libraries that results depend on most.

    Parameters
    ----------
    versions : dict of str
        From `provenance.library_versions`.

    Returns
    -------
    str

    Examples
    --------
    >>> name_versions({"python": "3.11.7", "keras": "3.15.1", "tensorflow-cpu": "2.21.0", "cffi": "2.0"})
    'Python 3.11.7, Keras 3.15.1, TensorFlow 2.21.0'
    """
    return ", ".join(f"{name} {versions[package]}" for package, name in LIBRARIES.items() if package in versions)


def executions():
    """Tabulate the recorded executions of the notebooks, with their sum.

    Returns
    -------
    str
        A Markdown table.
    """
    table, _ = records.read_table("executions")
    rows = [
        (f"`{row['notebook']}`", f"{row['seconds']:.0f} s", memory(row["peak_mb"]), f"{row['load']:.1f}", row["day"])
        for row in table.to_dict("records")
    ]
    rows.append(("one after the other", duration(table["seconds"].sum()), memory(table["peak_mb"].max()), NONE, NONE))
    return scoreboard.markdown_table(["notebook", "time", "peak memory", "load", "day"], rows)


def executed_with():
    """Say on which machine, and with which versions, the executions were recorded."""
    _, about = records.read_table("executions")
    return f"{about['processor']}, {about['cores']} cores, {name_versions(about['versions'])}"


def record_versions():
    """List with which code and versions the records were made.

    Returns
    -------
    str
        A Markdown list of definitions with an item for each code version and set of libraries; a record of quotations
        only, such as the paper's numbers, has none.
    """
    made = {}
    for file in sorted(records.results_folder().glob("*/*.json")):
        if file.name in (records.RUN_FILE, "about.json") and "code" in (record := json.loads(file.read_text())):
            made.setdefault((record["code"], name_versions(record["versions"])), []).append(f"`{file.parent.name}`")
    return "\n\n".join(f"{', '.join(names)}\n: `{code}`, {versions}" for (code, versions), names in made.items())


def _column(name):
    return records.read_table("executions")[0][name]


TABLES = {
    "executions": executions,
    "executed_with": executed_with,
    "record_versions": record_versions,
    "timed_notebooks": lambda: str(len(_column("notebook"))),
    "recording_cores": lambda: str(records.read_table("executions")[1]["cores"]),
    "all_notebooks_time": lambda: duration(_column("seconds").sum()),
    "all_notebooks_memory": lambda: memory(_column("peak_mb").max()),
}
