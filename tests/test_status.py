"""What the pages say about executions and versions is what the records hold."""

import json

import pandas as pd
import pytest
from conftest import ROOT

from ssrlib import records, status


@pytest.fixture
def executions(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "results_folder", lambda: tmp_path)
    table = pd.DataFrame(
        {"notebook": ["00_one", "01_two"], "seconds": [30.4, 120.0], "peak_mb": [950, 1500],
         "day": ["2026-01-02", "2026-01-03"], "load": [1.25, 2]}
    )  # fmt: skip
    records.write_table("executions", table, {"cores": 8})


def cells(markdown):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines()[2:]]


def test_what_a_notebook_took(executions):
    assert status.needs_of("01_two") == "2.0 minutes on 8 cores, 1.5 GB of memory"
    assert status.needs_of("02_three") is None


def test_executions_add_up(executions):
    assert cells(status.executions()) == [
        ["`00_one`", "30 s", "0.9 GB", "1.2", "2026-01-02"],
        ["`01_two`", "120 s", "1.5 GB", "2.0", "2026-01-03"],
        ["one after the other", "2.5 minutes", "1.5 GB", status.NONE, status.NONE],
    ]
    assert status.TABLES["timed_notebooks"]() == "2"
    assert status.TABLES["all_notebooks_time"]() == "2.5 minutes"
    assert status.TABLES["all_notebooks_memory"]() == "1.5 GB"


def test_every_record_is_listed_with_the_code_that_made_it():
    made = {}
    for item in status.record_versions().split("\n\n"):
        names, made_with = item.split("\n: ")
        made |= {name.strip("` "): made_with.split(",")[0].strip("`") for name in names.split(",")}
    files = [*ROOT.glob("results/*/run.json"), *ROOT.glob("results/*/about.json")]
    codes = {file.parent.name: json.loads(file.read_text()).get("code") for file in files}
    assert made == {name: code for name, code in codes.items() if code}
    assert "paper" not in made
