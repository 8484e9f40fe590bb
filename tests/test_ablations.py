"""Differences between variants: against Welch's formula worked by hand, and as properties."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ssrlib import ablations

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
