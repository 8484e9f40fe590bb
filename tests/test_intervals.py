"""Intervals and comparisons: against sums worked by hand, textbook formulas, and what must hold for any numbers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ssrlib import evaluation, intervals

RANDOM = np.random.default_rng(0)
errors = st.lists(st.floats(0, 100), min_size=2, max_size=30)


def faces(count=60):
    ages = RANDOM.uniform(0, 80, count)
    return pd.DataFrame(
        {
            "age": ages,
            "sex": np.resize(["female", "male", None], count),
            "good": ages + RANDOM.normal(0, 2, count),
            "bad": ages + RANDOM.normal(3, 6, count),
        }
    )


def test_the_interval_is_the_textbooks():
    """For many values the bootstrap agrees with mean +- z times the standard error."""
    values = RANDOM.exponential(5, 4000)
    expected = values.mean() + np.array([-1, 1]) * stats.norm.ppf(0.95) * stats.sem(values)
    assert intervals.bootstrap_interval(values, level=0.9) == pytest.approx(expected, abs=0.02)


def test_two_values_give_the_three_means_there_are():
    # Drawn twice from 0 and 1, the mean is 0, 1/2 or 1, with chances 1/4, 1/2, 1/4: the middle 40 % are 1/2.
    assert intervals.bootstrap_interval([0, 1], level=0.4) == (0.5, 0.5)
    assert intervals.bootstrap_interval([0, 1], level=0.9) == (0, 1)


@given(errors)
@settings(max_examples=25, deadline=None)
def test_the_interval_contains_the_estimate(values):
    low, high = intervals.bootstrap_interval(values, resamples=500)
    room = 1e-9 * (1 + max(values))
    assert min(values) - room <= low <= np.mean(values) + room
    assert np.mean(values) - room <= high <= max(values) + room


def test_a_seed_repeats_and_a_level_widens():
    values = RANDOM.uniform(0, 9, 50)
    assert intervals.bootstrap_interval(values, seed=3) == intervals.bootstrap_interval(values[:, None], seed=3)
    assert intervals.bootstrap_interval(values, seed=3) != intervals.bootstrap_interval(values, seed=4)
    (low, high), (lower, higher) = (intervals.bootstrap_interval(values, level) for level in (0.5, 0.95))
    assert lower < low < high < higher


@pytest.mark.parametrize(
    ("values", "level", "message"),
    [([], 0.9, "0 values"), ([1, np.nan], 0.9, "finite"), ([1, np.inf], 0.9, "finite"), ([1, 2], 95, "0.95; it is 95")],
)
def test_what_cannot_be_resampled_is_refused(values, level, message):
    with pytest.raises(ValueError, match=message):
        intervals.bootstrap_interval(values, level)


def test_one_value_has_no_interval():
    assert np.isnan(intervals.bootstrap_interval([4.0])).all()


def test_a_comparison_worked_by_hand():
    # Absolute errors 1, 4, 2 and 3, 0, 2: differences -2, +4, 0.
    compared = intervals.compare_errors([[21], [34], [42]], [17, 30, 38], [20, 30, 40])
    assert (compared["n"], compared["difference"]) == (3, pytest.approx(2 / 3))
    # Signs of 2 and 4 give sums of 6, 2, -2, -6. Sums of 2 and more have 1/2, doubled 1.
    assert compared["p"] == 1


@pytest.mark.parametrize("count", [8, 40])
def test_a_lead_on_every_face_is_no_luck(count):
    ages = RANDOM.uniform(10, 60, count)
    worse = RANDOM.uniform(1, 5, count)
    compared = intervals.compare_errors(ages + 1 + worse, ages - 1, ages)
    assert compared["difference"] == pytest.approx(worse.mean())
    assert 0 < compared["low"] < compared["difference"] < compared["high"]
    # All signs must agree: 2 of 2^n ways, or as rare as that many draws can tell.
    assert compared["p"] == pytest.approx(max(2 / 2**count, 2 / (intervals.RESAMPLES + 1)))


def test_the_comparison_agrees_with_students_for_many_faces():
    table = faces(3000)
    table["other"] = table["bad"] + RANDOM.normal(0.1, 1, len(table))
    compared = intervals.compare_errors(table["other"], table["bad"], table["age"])
    one, two = (np.abs(table[name] - table["age"]) for name in ("other", "bad"))
    assert compared["p"] == pytest.approx(stats.ttest_rel(one, two).pvalue, abs=0.03)


def test_exchanging_the_models_turns_the_sign():
    table = faces()
    one = intervals.compare_errors(table["good"], table["bad"], table["age"])
    other = intervals.compare_errors(table["bad"], table["good"], table["age"])
    assert one["difference"] == -other["difference"] < 0
    assert (one["low"], one["high"]) == pytest.approx((-other["high"], -other["low"]))
    expected = evaluation.mean_absolute_error(table["good"], table["age"])
    assert one["difference"] == pytest.approx(expected - evaluation.mean_absolute_error(table["bad"], table["age"]))


def test_faces_must_be_the_same():
    with pytest.raises(ValueError, match="2 predictions for 3 ages"):
        intervals.compare_errors([1, 2, 3], [1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="finite"):
        intervals.compare_errors([1, np.nan], [1, 2], [1, 2])


def test_groups_are_scored_by_themselves():
    table = faces()
    scores = intervals.errors_by_group(table, "sex", prediction="bad")
    assert scores.index.tolist() == ["female", "male"] and scores["n"].sum() == 40
    for sex, row in scores.iterrows():
        group = table[table["sex"] == sex]
        expected = evaluation.summarize(group["bad"], group["age"])
        assert row[["n", "mae", "bias", "ca5"]].to_dict() == pytest.approx(
            {k: expected[k] for k in row.index[[0, 1, 4, 5]]}
        )
        assert (row["low"], row["high"]) == intervals.bootstrap_interval(np.abs(group["bad"] - group["age"]))
    assert scores.dtypes.map(lambda kind: kind.kind).tolist() == list("ifffff")


def test_groups_may_be_bands_or_several_columns():
    table = faces()
    decades = intervals.errors_by_group(table, table["age"] // 10 * 10, prediction="good")
    assert decades["n"].to_dict() == (table["age"] // 10 * 10).value_counts().to_dict()
    quarters = intervals.errors_by_group(table, pd.qcut(table["age"], 4), prediction="good")
    assert quarters["n"].tolist() == [15] * 4
    both = intervals.errors_by_group(table, ["sex", table["age"] > 40], prediction="good")
    assert both["n"].sum() == 40 and both.index.nlevels == 2


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 90), st.floats(0, 90)), min_size=1, max_size=20))
@settings(max_examples=25, deadline=None)
def test_the_groups_add_up_to_the_whole(rows):
    table = pd.DataFrame(rows, columns=["group", "age", "prediction"])
    scores = intervals.errors_by_group(table, "group")
    whole = evaluation.summarize(table["prediction"], table["age"])
    for column in ("mae", "bias", "ca5"):
        assert np.average(scores[column], weights=scores["n"]) == pytest.approx(whole[column], abs=1e-9)


def test_a_column_without_groups_is_refused():
    with pytest.raises(ValueError, match="None of these faces"):
        intervals.errors_by_group(faces().assign(sex=None), "sex", prediction="good")
