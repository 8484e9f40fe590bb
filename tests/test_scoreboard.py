"""Runs side by side: listed, averaged over seeds, and those to use."""

import numpy as np
import pandas as pd
import pytest
from conftest import HISTORY, PREDICTIONS, a_record

from ssrlib import records, scoreboard


def test_runs_are_listed_with_their_results(results):
    (results / "second").mkdir()
    second = a_record(seed=8, recipe={"name": "small", "epochs": 5}, network={"architecture": "dex"})
    records.write_run(results / "second", second, HISTORY, PREDICTIONS)
    (results / "no run").mkdir()
    table = scoreboard.list_runs()
    assert table.to_dict("records") == [
        {"run": "first", "data": "drawn", "recipe": "paper", "network": "ssrnet (3,2), lambda_width=0.5", "epochs": 2,
         "seed": 7, "MAE": 4.5, "CA(3)": 0.25, "CA(5)": 0.5},
        {"run": "second", "data": "drawn", "recipe": "small", "network": "dex", "epochs": 5, "seed": 8,
         "MAE": 4.5, "CA(3)": 0.25, "CA(5)": 0.5},
    ]  # fmt: skip
    pd.testing.assert_frame_equal(scoreboard.list_runs(results), table)


def test_an_unfinished_run_is_listed_until_it_is_finished(results):
    folder = results / "broken off"
    folder.mkdir()
    record = {name: value for name, value in a_record().items() if name != "test"}
    records.write_unfinished(folder, record | {"recipe": {"name": "paper", "epochs": 90}})
    row = scoreboard.list_runs().iloc[0]
    assert (row["run"], row["epochs"]) == ("broken off", "0 of 90") and np.isnan(row["MAE"])
    records.write_history(folder, HISTORY)
    assert scoreboard.list_runs().iloc[0]["epochs"] == "2 of 90"
    with pytest.raises(FileNotFoundError, match="no recorded run"):
        records.read_run("broken off")
    records.write_run(folder, a_record(), HISTORY, PREDICTIONS)
    assert scoreboard.list_runs()["epochs"].tolist() == [2, 2]
    assert not (folder / records.UNFINISHED_FILE).exists()


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder of results with weights for two data sets, and a run that nobody is told to use."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr(scoreboard, "SHIPPED", ("b", "a"))
    monkeypatch.setattr(records, "results_folder", lambda: folder)
    for name, data, count in (("b", "one+two", 1234), ("a", "one", 5), ("c", "three", 6)):
        (folder / name).mkdir(parents=True)
        record = a_record(median_guess={"mae": 16.128}) | {"data": {"dataset": data}}
        record["test"] = record["test"] | {"n": count}
        records.write_run(folder / name, record, HISTORY, PREDICTIONS)
    return folder


def test_the_table_of_results_has_a_line_for_all_weights_to_use(shipped):
    lines = scoreboard.results_table(shipped).splitlines()
    assert lines[2:] == [
        "| `b` | one and two | 1,234 | 4.50 | 0.250 | 0.500 | 16.13 |",
        "| `a` | one | 5 | 4.50 | 0.250 | 0.500 | 16.13 |",
    ]
    assert {line.count("|") for line in lines} == {8}


def test_the_weights_to_use_for_a_data_set(shipped):
    assert scoreboard.shipped_run("one").folder == shipped / "a"
    assert scoreboard.shipped_run("one+two").folder == shipped / "b"
    with pytest.raises(FileNotFoundError, match="No recorded run belongs to the data set three"):
        scoreboard.shipped_run("three")


def test_runs_that_differ_in_the_seed_only_are_averaged(tmp_path):
    runs = {
        "x-0": {"mae": 4.0},
        "x-1": {"mae": 5.0},
        "x-2": {"mae": 6.0},
        "y": {"mae": 1.0, "init": {"name": "x-2", "sha256": "0"}},
        "z": {"mae": 3.0, "recipe": {"name": "paper", "epochs": 3, "learning_rate": 0.002, "heads": "fresh"}},
    }
    for name, change in runs.items():
        record = a_record(**{"init": None} | {part: value for part, value in change.items() if part != "mae"})
        record["test"] = record["test"] | {"mae": change["mae"]}
        (tmp_path / name).mkdir()
        records.write_run(tmp_path / name, record, HISTORY, PREDICTIONS)
    table = scoreboard.compare_runs(tmp_path)
    assert table["MAE"].tolist() == [1.0, 3.0, 5.0]
    assert table["start"].tolist() == ["x", "random", "random"]
    assert table["heads"].tolist() == ["kept", "fresh", "usual"]
    assert table["seeds"].tolist() == [1, 1, 3]
    assert (table["epochs"].tolist(), table["rate"].tolist()) == ([2, 3, 2], [0.001, 0.002, 0.001])
    # Three values with a standard deviation of 1, and Student's t for 2 degrees of freedom from a printed table.
    assert table["+-"].iloc[2] == pytest.approx(4.303 / np.sqrt(3), rel=1e-3)
    assert table["+-"][:2].isna().all()
    assert set(table["CA(5)"]) == {0.5}
