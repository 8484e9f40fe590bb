import os
from pathlib import Path

import pytest

# Before anything imports Keras or TensorFlow.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

ROOT = Path(__file__).resolve().parents[1]


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


def touch(folder: Path, *names: str) -> Path:
    """Make empty files: whoever lists pictures may not open one."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder
