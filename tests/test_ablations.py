"""Differences between variants, against Welch's formula worked by hand and as properties; the table of all runs."""

import runpy
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import BUILT, HISTORY, PREDICTIONS, ROOT, a_record
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ssrlib import ablations, records

YEARS = st.lists(st.integers(100, 2000), min_size=2, max_size=5, unique=True).map(lambda errors: np.array(errors) / 100)


def runs(**errors):
    return pd.DataFrame(
        [
            {"question": "q", "variant": variant, "parameters": 10, "seed": seed, "mae": mae}
            for variant, values in errors.items()
            for seed, mae in enumerate(values)
        ]
    )


def test_interval_is_welchs_by_hand():
    one, other = np.array([5.0, 5.4, 5.9]), np.array([6.0, 6.1, 6.5, 6.2])
    parts = [values.var(ddof=1) / len(values) for values in (one, other)]
    freedom = sum(parts) ** 2 / sum(part**2 / (n - 1) for part, n in zip(parts, (3, 4), strict=True))
    half = stats.t.ppf(0.975, freedom) * np.sqrt(sum(parts))
    expected = one.mean() - other.mean() + np.array([-half, half])
    np.testing.assert_allclose(ablations.interval(one, other), expected)


def test_variants_are_compared_with_the_base_in_the_tables_order():
    table = ablations.differences(runs(base=[5, 6], worse=[7, 8], better=[4.5]), "base")
    assert table["variant"].tolist() == ["worse", "better"]
    assert table["difference"].tolist() == [2.0, -1.0]
    assert table["seeds"].tolist() == [2, 1]
    assert np.isnan(table.loc[1, "low"]) and table.loc[0, "low"] < 2 < table.loc[0, "high"]


def test_without_the_base_there_is_nothing_to_compare_with():
    with pytest.raises(ValueError, match="no run of 'base'"):
        ablations.differences(runs(other=[1.0]), "base")


@given(YEARS, YEARS)
def test_interval_turns_round_with_the_order_and_moves_with_a_constant(one, other):
    low, high = ablations.interval(one, other)
    np.testing.assert_allclose(ablations.interval(other, one), (-high, -low), atol=1e-9)
    moved = ablations.interval(np.add(one, 3), other)
    np.testing.assert_allclose(moved, (low + 3, high + 3), atol=1e-6)


def test_runs_of_a_folder_take_their_place_among_those_that_are_recorded(results, monkeypatch, tmp_path):
    script = str(ROOT / "benchmarks" / "ablations.py")
    variants = runpy.run_path(script)["QUESTIONS"]["range"]
    for seed, variant in [(seed, variant) for variant, (_, seeds) in variants.items() for seed in range(seeds)]:
        folder = tmp_path / f"range-{variant.lower().replace(' = ', '-')}-{seed}"
        folder.mkdir()
        changes = {"network": BUILT, "parameters": 5, "precision": "float32", "val": {"mae": seed + 0.5}}
        records.write_run(folder, a_record(**changes), HISTORY.assign(mae=[9.0, 3.0]), PREDICTIONS)
    old = [("size", "48 pixels", 0, 6.0), ("range", "V = 80", 1, 7.0)]
    records.write_table("ablations", pd.DataFrame(old, columns=["question", "variant", "seed", "mae"]), {})
    monkeypatch.setattr(sys, "argv", [script, "no crops", "no pictures", "no weights", str(tmp_path), "range"])
    runpy.run_path(script, run_name="__main__")
    table = records.read_table("ablations")[0]
    # In the order of the plan; the recorded run is kept, the one that was made again is replaced.
    expected = [("size", "48 pixels", 0), *(("range", f"V = {v}", seed) for v in (80, 120) for seed in (0, 1, 2))]
    assert list(table[["question", "variant", "seed"]].itertuples(index=False, name=None)) == expected
    assert table["mae"].tolist() == [6.0] + 6 * [4.5]
    assert table["validation_mae"].tolist()[1:] == 2 * [0.5, 1.5, 2.5]
    assert (table["training_mae"][1:] == 3).all()
