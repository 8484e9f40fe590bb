"""Colab, played by a module of the same name: Drive outlives the machine, the GPU is missing, data sets are fetched.

`make contract` runs the notebooks on Colab's packages, which are listed in colab.txt.
"""

import re
import sys
import types
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from conftest import touch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_house import PROJECT
from test_training import RECIPE, assert_same_run, bright_faces, interrupt

from ssrlib import checkpoints, colab, downloads, notebook, provenance, training

GPU = "No GPU is on: choose T4 GPU under Runtime > Change runtime type"
LOST = "What is trained here is lost when Colab disconnects"


class Machine:
    """A machine of Colab's: a disk of its own, and a Drive that is the same on every machine."""

    def __init__(self, folder, storage, monkeypatch):
        self.storage, self.mounts = storage, 0
        monkeypatch.setattr(colab, "DRIVE", folder / "content" / "drive")
        monkeypatch.setattr(colab, "DATA", folder / "content" / "data")
        monkeypatch.setenv("SSRNET_CACHE", str(folder / "root" / "cache"))
        module = types.SimpleNamespace(drive=self)
        monkeypatch.setitem(sys.modules, "google.colab", module)

    def mount(self, place):
        assert place == str(colab.DRIVE) and not colab.DRIVE.exists(), "Colab mounts into an empty folder only"
        colab.DRIVE.mkdir(parents=True)
        (colab.DRIVE / "MyDrive").symlink_to(self.storage)
        self.mounts += 1


@pytest.fixture
def machines(tmp_path, monkeypatch):
    """Give machines, one after the other."""
    for name in ("SSRNET_RUNG", "SSRNET_DATASET", "SSRNET_DATA"):
        monkeypatch.delenv(name, raising=False)
    storage = tmp_path / "storage"
    storage.mkdir()
    with plt.rc_context():
        yield (Machine(tmp_path / f"machine {number}", storage, monkeypatch) for number in range(3))


def test_elsewhere_nothing_is_mounted_nor_advised(machines, monkeypatch, capsys):
    next(machines)
    monkeypatch.setitem(sys.modules, "google.colab", None)  # as if it were not installed
    monkeypatch.setenv("SSRNET_RUNG", "full")
    assert not colab.is_here()
    notebook.start()
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_small_on_colab_says_and_mounts_nothing_more(machines, capsys):
    machine = next(machines)
    notebook.start()
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert machine.mounts == 0 and not colab.DATA.exists()


@pytest.mark.parametrize("devices", [["cpu:0"], ["gpu:0"]])
@pytest.mark.parametrize("on_drive", [True, False])
def test_full_says_what_is_missing(machines, monkeypatch, capsys, devices, on_drive):
    machine = next(machines)
    monkeypatch.setattr(notebook, "list_devices", lambda: devices)
    monkeypatch.setenv("SSRNET_RUNG", "full")
    if on_drive:
        monkeypatch.setenv("SSRNET_CACHE", str(colab.DRIVE / "MyDrive" / "ssrlib"))
    notebook.start()
    said = capsys.readouterr().out
    assert (GPU in said) == (devices == ["cpu:0"])
    assert (LOST in said) == (not on_drive)
    assert machine.mounts == on_drive
    notebook.start()
    assert machine.mounts == on_drive, "mounted twice"


def test_the_advice_is_followed_as_it_is_printed(machines, monkeypatch, capsys):
    machine = next(machines)
    (line,) = colab.advise(gpu=True, cache="/somewhere/.cache/ssrlib")
    name, value = line.split("'%env ")[1].split("'")[0].split("=")
    monkeypatch.setenv(name, value)
    notebook.start()
    assert machine.mounts == 1


@pytest.mark.slow
def test_training_goes_on_on_another_machine(machines, monkeypatch, tmp_path):
    """The first machine is lost in the third epoch; the second has the same Drive and nothing else."""
    monkeypatch.setattr(provenance, "code_version", lambda: "the release")  # both machines install the same
    whole = training.train(bright_faces(), RECIPE, tmp_path / "whole", seed=4)

    class Lost(training._Recorder):
        def on_epoch_begin(self, epoch, logs=None):
            super().on_epoch_begin(epoch, logs)
            begun.append(epoch)
            if epoch == lost:
                interrupt()

    monkeypatch.setattr(training, "_Recorder", Lost)

    def go_on():
        next(machines)
        monkeypatch.setenv("SSRNET_CACHE", str(colab.DRIVE / "MyDrive" / "ssrlib"))
        return notebook.start().train(bright_faces(), RECIPE, seed=4)

    begun, lost = [], 2
    with pytest.raises(KeyboardInterrupt):
        go_on()
    (left,) = (tmp_path / "storage").glob(f"ssrlib/runs/*/{checkpoints.CHECKPOINT_FILE}")
    lost = None
    run = go_on()
    assert begun == [0, 1, 2, 2]
    assert run.folder.name == left.parent.name
    assert_same_run(run, whole)
    begun.clear()
    assert_same_run(go_on(), whole)
    assert begun == [], "a finished run is found on Drive, too"


@pytest.fixture
def fetched(monkeypatch):
    """Fetch without a net: FG-NET of one picture, as its archive unpacks."""
    asked = []

    def fetch(archives, folder):
        asked.append((archives, folder))
        touch(folder, "images/001A02.JPG")

    monkeypatch.setattr(downloads, "fetch", fetch)
    return asked


def test_a_data_set_is_fetched_once_to_the_machines_own_disk(machines, monkeypatch, fetched):
    next(machines)
    monkeypatch.setenv("SSRNET_DATASET", "fgnet")
    for _ in range(2):
        session = notebook.start()
        assert session.root == str(colab.DATA)
        assert session.table()["age"].tolist() == [2]
    ((archives, folder),) = fetched
    assert folder == colab.DATA / "fgnet"
    assert [archive.url.rsplit("/")[-1] for archive in archives] == ["FGNET.zip"]


@pytest.mark.parametrize("there", [True, False])
def test_a_data_set_is_looked_for_on_drive(machines, monkeypatch, fetched, tmp_path, there):
    if there:
        touch(tmp_path / "storage", "faces/FGNET/images/001A02.JPG")
    machine = next(machines)
    root = colab.DRIVE / "MyDrive" / "faces"
    monkeypatch.setenv("SSRNET_DATASET", "fgnet")
    monkeypatch.setenv("SSRNET_DATA", str(root))
    assert notebook.start().table()["age"].tolist() == [2]
    assert machine.mounts == 1
    assert [folder for _, folder in fetched] == ([] if there else [root / "fgnet"])


def test_what_no_program_can_fetch_is_to_be_put_on_drive(machines, monkeypatch, fetched):
    next(machines)
    monkeypatch.setenv("SSRNET_DATASET", "morph2")
    with pytest.raises(ValueError, match=r"cannot be fetched by a program\. .*%env SSRNET_DATA=.*drive/MyDrive/"):
        notebook.start()
    assert fetched == [] and not colab.DATA.exists()


PIN = re.compile(r"^([\w.-]+)==(\S+)$", flags=re.MULTILINE)  # those with a comment are not Colab's
PINS = {
    canonicalize_name(name): version for name, version in PIN.findall(Path(__file__).with_name("colab.txt").read_text())
}


def test_colabs_packages_are_those_of_a_listing_from_there(shared):
    listing = PIN.findall((shared / "colab" / "pip-freeze-gpu-2026-08-19.txt").read_text())
    assert PINS.items() <= {(canonicalize_name(name), version) for name, version in listing}


@pytest.mark.parametrize("line", PROJECT["dependencies"])
def test_what_the_package_asks_for_colab_has(line):
    wanted = Requirement(line)
    if wanted.name != "face-recognition-models":
        assert wanted.specifier.contains(PINS[canonicalize_name(wanted.name)])
