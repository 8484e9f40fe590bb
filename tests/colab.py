"""The contract with Colab: what is installed there stays as it is, and all notebooks run on it.

An environment with the packages of `colab.txt` takes Colab's place. The notebooks' first cell is run in it as it
stands, and installs the last commit made here: git is told to take a copy of this repository for the address in the
cell. Then every notebook of that commit runs from top to bottom on the rung `small`, in a folder with nothing else.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PINS = Path(__file__).with_name("colab.txt")
TABLE = ROOT / "_build" / "colab.txt"
TIMEOUT = 900  # seconds a cell may take, as in _config.yml
BROUGHT = {"ssrlib", "face-recognition-models"}  # what Colab lacks


def run(*command, **keywords):
    return subprocess.run([*map(str, command)], check=True, text=True, **keywords)


def make_environment(folder, interpreter):
    """Install Colab's packages for a Python 3.13 and give the new environment's Python."""
    uv = Path(sys.executable).with_name("uv")
    run(uv, "venv", "--quiet", "--no-config", "--no-python-downloads", "--python", interpreter, folder)
    python = folder / "bin" / "python"
    run(uv, "pip", "install", "--quiet", "--no-config", "--python", python, "--no-deps", "--requirement", PINS)
    run(python, "-m", "pip", "check")
    return python


def installed(python):
    """Map the installed packages to their versions."""
    listing = run(python, "-m", "pip", "list", "--format", "json", stdout=subprocess.PIPE)
    return {canonicalize_name(package["name"]): package["version"] for package in json.loads(listing.stdout)}


def first_cell(path):
    """Give a notebook of nothing but the first code cell, and that cell's source."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    return notebook | {"cells": [cell]}, "".join(cell["source"])


def surroundings(python, repository, source, cache):
    """Give the environment's variables: none of this project's, and git finds the copy at the address in the cell."""
    address, ref = re.search(r"git\+(https://[^@\s]+)@([^\s\"]+)", source).groups()
    run("git", "-C", repository, "update-ref", f"refs/heads/{ref}", "HEAD")
    ours = ("SSRNET_", "PYTHON", "VIRTUAL_ENV", "KERAS_", "TF_", "JUPYTER")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{repository.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": address,
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "SSRNET_CACHE": str(cache),
    }


def execute(python, path, environment):
    """Run a notebook with that environment's kernel; tell how many seconds it took and whether it came to its end."""
    start = time.perf_counter()
    command = [python.with_name("jupyter-execute"), "--inplace", f"--timeout={TIMEOUT}", path.name]
    done = subprocess.run(command, cwd=path.parent, env=environment, capture_output=True, text=True)
    if done.returncode:
        print(f"{path.name}:\n{done.stderr[-6000:]}", flush=True)
    return round(time.perf_counter() - start), done.returncode == 0


def changes(before, after):
    """Say in one line each what the first cell did to the packages beside adding its own.

    >>> list(changes({"numpy": "2.1.3", "six": "1.17"}, {"numpy": "2.4.0", "six": "1.17", "ssrlib": "0.1.0"}))
    ['numpy: 2.1.3 became 2.4.0']
    >>> list(changes({"six": "1.17"}, {"ssrlib": "0.1.0", "dlib": "20.0"}))
    ['dlib: not there became 20.0', 'six: 1.17 became not there']
    """
    for name in sorted(before.keys() | after.keys() - BROUGHT):
        if before.get(name) != after.get(name):
            yield f"{name}: {before.get(name, 'not there')} became {after.get(name, 'not there')}"


def main(interpreter="python3.13"):
    lines, passed = [], True

    def say(line):
        print(line, flush=True)
        lines.append(line)

    def report(title, seconds, well):
        nonlocal passed
        passed &= well
        say(f"{title:20}{seconds:8}  {'yes' if well else 'NO'}")

    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        python = make_environment(scratch / "environment", interpreter)
        before = installed(python)
        say(f"{len(before)} packages as on Colab, but for:")
        for pin in PINS.read_text(encoding="utf-8").splitlines():
            if "  # " in pin:
                say(f"  {pin}")

        repository, content = scratch / "repository", scratch / "content"
        run("git", "clone", "--quiet", "--bare", "--no-tags", ROOT, repository)
        run("git", "clone", "--quiet", repository, scratch / "clone")
        (scratch / "clone" / "notebooks").rename(content)
        notebooks = sorted(content.glob("*.ipynb"))
        cell, source = first_cell(notebooks[0])
        environment = surroundings(python, repository, source, scratch / "cache")
        (content / "first_cell.ipynb").write_text(json.dumps(cell), encoding="utf-8")

        say(f"{'notebook':20}{'seconds':>8}  passed")
        seconds, ran = execute(python, content / "first_cell.ipynb", environment)
        changed = list(changes(before, installed(python)))
        report("first cell", seconds, ran and not changed)
        for line in changed:
            say(f"  {line}")
        for path in notebooks if ran else ():
            report(path.stem, *execute(python, path, environment))

    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
