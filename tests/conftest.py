import os
from pathlib import Path

import pandas as pd
import pytest

# Before anything imports Keras or TensorFlow.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# JAX compiles for longer than a test computes; unoptimized code is ready in half the time.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

from ssrlib import records

ROOT = Path(__file__).resolve().parents[1]

# A run as `records` writes it.
NETWORK = {"stages": [3, 2], "image_size": 40, "lambda_index": 1.0, "lambda_width": 0.5, "value_range": 90}
BUILT = {"architecture": "ssrnet"} | NETWORK
CROP = {"margin": 0.2, "size": 40, "detector": "dlib-hog", "upsample": 0, "threshold": -0.1}
HISTORY = pd.DataFrame(
    {"epoch": [1, 2], "loss": [9.5, 1 / 3], "val_mae": [8.0, 7.25], "learning_rate": [0.1, 0.01], "seconds": [2.0, 1.5]}
)
PREDICTIONS = pd.DataFrame(
    {"name": ["a.jpg", 'b, "c".jpg', "NA"], "split": ["val", "test", "test"], "age": [1.0, 2.0, 3.0],
     "prediction": [1.25, 2 / 3, 30.125]}
)  # fmt: skip


def skip_unless_required(variable: str, reason: str):
    """Skip a test that misses something, but fail it where `variable` is set: there, nothing may be missing."""
    if os.environ.get(variable):
        pytest.fail(f"{reason}, and {variable} is set")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside the repository with what it does not hold itself: real data sets and reference files."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        skip_unless_required("SSRNET_REQUIRE_SHARED", "there is no folder ../shared")
    return folder


@pytest.fixture(scope="module")
def browser():
    """A Chromium for the tests of one module: while one runs, nothing else can start an event loop."""
    from browser import find_chromium, start_chromium

    try:
        find_chromium()
    except FileNotFoundError as error:
        skip_unless_required("SSRNET_REQUIRE_SITE", str(error))
    with start_chromium() as started:
        yield started


def touch(folder: Path, *names: str) -> Path:
    """Make empty files: whoever lists pictures may not open one."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def a_record(**changes):
    return {
        "recipe": {"name": "paper", "stages": [3, 2], "epochs": 2, "learning_rate": 0.001, "heads": "kept"},
        "network": BUILT,
        "crop": CROP,
        "data": {"dataset": "drawn"},
        "teachers": [],
        "seed": 7,
        "test": {"n": 2, "mae": 4.5, "bias": -1.0, "ca3": 0.25, "ca5": 0.5, "ca7": 0.75},
    } | changes


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A folder of results of its own with one recorded run."""
    folder = tmp_path / "results"
    monkeypatch.setattr(records, "results_folder", lambda: folder)
    (folder / "first").mkdir(parents=True)
    records.write_run(folder / "first", a_record(), HISTORY, PREDICTIONS)
    return folder
