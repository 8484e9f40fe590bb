"""How long each notebook takes and how much memory it needs, from an empty cache.

    python benchmarks/notebooks.py

records results/executions, which the cards of the chapters read. Each notebook runs as in the book's build, with drawn
faces on the rung that SSRNET_RUNG names, but without the crops that another one left behind. Memory is the largest sum
over the kernel and its workers, looked at ten times a second.
"""

import datetime
import os
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import pandas as pd
import psutil
from nbclient import NotebookClient

from ssrlib import records

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"


def resident_bytes():
    """Add up the resident memory of all processes that this one started."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def execute(path):
    """Run a notebook; return the seconds it took and the bytes it needed at most."""
    done, peak = threading.Event(), 0

    def watch():
        nonlocal peak
        while not done.wait(0.1):
            peak = max(peak, resident_bytes())

    watcher = threading.Thread(target=watch)
    started = time.perf_counter()
    watcher.start()
    try:
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(path.parent)}}).execute()
    finally:
        done.set()
        watcher.join()
    return time.perf_counter() - started, peak


def measure(path):
    """Run a notebook with a cache of its own; return a row of the table."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["SSRNET_CACHE"] = cache
        seconds, peak = execute(path)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    row = {"notebook": path.stem, "seconds": round(seconds, 1), "peak_mb": round(peak / 1e6), "day": today}
    row["load"] = round(os.getloadavg()[0], 1)
    print(f"{path.stem:<20} {seconds:6.1f} s {peak / 1e6:8.0f} MB  load {row['load']}", flush=True)
    return row


if __name__ == "__main__":
    os.environ.pop("SSRNET_DATASET", None)
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    table = pd.DataFrame([measure(path) for path in sorted(FOLDER.glob("*.ipynb"))])
    about = {
        "cores": os.cpu_count(),
        "rung": os.environ.get("SSRNET_RUNG", "small"),
        "seconds": "from the start of the kernel to the end of the last cell",
        "peak_mb": "resident memory of the kernel and its workers, 10^6 bytes",
        "load": "processes that wanted a core, on average over the last minute of the notebook",
    }
    records.write_table("executions", table, about)
