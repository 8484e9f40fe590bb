"""Where a result comes from: the code, the libraries and the processor that made it."""

import hashlib
import importlib.metadata
import platform
import re
from pathlib import Path


def describe():
    """Put code version, library versions and processor into one dict."""
    return {"code": code_version(), "versions": library_versions(), "processor": processor()}


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
