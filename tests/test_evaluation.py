"""The measures against sums worked by hand, against scikit-learn, and by what must hold for any numbers."""

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from ssrlib import evaluation, targets

PREDICTIONS, AGES = [20.0, 30.0, 43.0, 8.0], [23.0, 25.0, 36.0, 8.5]  # errors -3, +5, +7, -0.5
years = st.floats(-200, 200)
pairs = st.lists(st.tuples(years, years), min_size=1, max_size=40).map(lambda rows: np.array(rows).T)


def test_measures_worked_by_hand():
    assert evaluation.errors(PREDICTIONS, AGES).tolist() == [-3, 5, 7, -0.5]
    assert evaluation.summarize(PREDICTIONS, AGES) == {
        "n": 4,
        "mae": (3 + 5 + 7 + 0.5) / 4,
        "bias": (-3 + 5 + 7 - 0.5) / 4,
        "ca3": 2 / 4,
        "ca5": 3 / 4,
        "ca7": 4 / 4,
    }


@pytest.mark.parametrize("limit", [3, 5, 7])
def test_an_error_of_exactly_the_limit_counts(limit):
    assert evaluation.cumulative_accuracy([30 + limit, 30 - limit], [30, 30], limit) == 1
    assert evaluation.cumulative_accuracy([30 + limit + 1e-6, 30 - limit], [30, 30], limit) == 0.5


def test_squared_error_worked_by_hand():
    squares = 9 + 25 + 49 + 0.25
    assert evaluation.root_mean_squared_error(PREDICTIONS, AGES) == pytest.approx((squares / 4) ** 0.5)


@pytest.mark.parametrize("measure", ["mean_absolute_error", "root_mean_squared_error"])
@given(rows=pairs)
def test_agrees_with_scikit_learn(measure, rows):
    predictions, ages = rows
    expected = getattr(sklearn.metrics, measure)(ages, predictions)
    assert getattr(evaluation, measure)(predictions, ages) == pytest.approx(expected)


@given(pairs)
def test_the_squared_error_lies_between_the_mean_and_the_largest(rows):
    squared = evaluation.root_mean_squared_error(*rows)
    assert evaluation.mean_absolute_error(*rows) <= squared * (1 + 1e-9) + 1e-9
    assert squared <= np.abs(evaluation.errors(*rows)).max() * (1 + 1e-9)


def test_the_two_rules_of_accuracy_differ_at_the_limit_only():
    curve = evaluation.accuracy_curve(PREDICTIONS, AGES, limits=[0, 0.5, 3, 4, 7])
    assert curve["at most n"].tolist() == [0, 0.25, 0.5, 0.5, 1]
    assert curve["less than n"].tolist() == [0, 0, 0.25, 0.5, 0.75]
    assert evaluation.accuracy_curve(PREDICTIONS, AGES).index.tolist() == list(range(11))


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=40))
def test_accuracy_under_both_rules_never_falls_and_the_strict_one_is_never_above(rows):
    """Whole years, so that errors of exactly n are common."""
    predictions, ages = zip(*rows, strict=True)
    curve = evaluation.accuracy_curve(predictions, ages)
    assert curve["at most n"].is_monotonic_increasing and curve["less than n"].is_monotonic_increasing
    assert (curve["less than n"] <= curve["at most n"]).all()
    # Off by less than n + 1 whole years is off by at most n.
    assert curve["less than n"].tolist()[1:] == curve["at most n"].tolist()[:-1]


def test_epsilon_error_worked_by_hand():
    # Off by 0, 1 and 2 standard deviations.
    expected = (0 + (1 - np.exp(-1 / 2)) + (1 - np.exp(-2))) / 3
    assert evaluation.epsilon_error([20, 33, 50], [20, 30, 40], [1, 3, 5]) == pytest.approx(expected)


@given(pairs, st.floats(0.1, 30), st.floats(1, 3))
def test_epsilon_error_is_a_share_that_falls_as_raters_disagree(rows, deviation, factor):
    predictions, means = rows
    error = evaluation.epsilon_error(predictions, means, np.full(means.shape, deviation))
    assert 0 <= error <= 1
    assert evaluation.epsilon_error(predictions, means, np.full(means.shape, factor * deviation)) <= error + 1e-12


@pytest.mark.parametrize(
    ("deviations", "message"), [([1, 0], "above 0"), ([1, np.nan], "above 0"), ([1], "1 standard")]
)
def test_labels_without_a_spread_are_refused(deviations, message):
    with pytest.raises(ValueError, match=message):
        evaluation.epsilon_error([20, 30], [20, 30], deviations)


def test_the_worst_come_first():
    table = pd.DataFrame({"age": AGES, "asian": PREDICTIONS})
    worst = evaluation.worst_cases(table, count=3, prediction="asian")
    assert worst["error"].tolist() == [7, 5, -3]
    assert worst.index.tolist() == [2, 1, 0]
    assert "error" not in table
    assert len(evaluation.worst_cases(table, count=9, prediction="asian")) == 4


@pytest.mark.parametrize("wrap", [np.array, np.float32, pd.Series, list])
@pytest.mark.parametrize("column", [False, True])
def test_columns_and_rows_may_meet(wrap, column):
    ages = np.array(AGES)[:, None] if column else AGES
    assert evaluation.summarize(wrap(PREDICTIONS), ages) == evaluation.summarize(PREDICTIONS, AGES)
    assert evaluation.summarize(np.array(PREDICTIONS)[:, None], ages)["n"] == 4
    columns = np.array(PREDICTIONS)[:, None], ages, np.ones((4, 1))
    assert evaluation.epsilon_error(*columns) == evaluation.epsilon_error(PREDICTIONS, AGES, np.ones(4))


@pytest.mark.parametrize(("predictions", "ages"), [([], []), ([1, 2], [1]), ([1], [1, 2]), (np.ones((2, 2)), [1, 2])])
def test_lengths_that_do_not_fit_are_refused(predictions, ages):
    for measure in (evaluation.root_mean_squared_error, evaluation.accuracy_curve, evaluation.summarize):
        with pytest.raises(ValueError, match=f"{np.size(predictions)} predictions for {np.size(ages)} ages"):
            measure(predictions, ages)


@given(pairs, st.floats(0, 50), st.floats(0, 50))
def test_accuracy_grows_with_the_limit(rows, one, other):
    low, high = sorted((one, other))
    assert evaluation.cumulative_accuracy(*rows, low) <= evaluation.cumulative_accuracy(*rows, high)
    assert evaluation.cumulative_accuracy(*rows, 400) == 1


@given(pairs, st.randoms(use_true_random=False))
def test_bias_never_exceeds_the_error_and_order_does_not_matter(rows, random):
    numbers = evaluation.summarize(*rows)
    assert abs(numbers["bias"]) <= numbers["mae"] * (1 + 1e-12)
    assert 0 <= numbers["ca3"] <= numbers["ca5"] <= numbers["ca7"] <= 1
    order = random.sample(range(rows.shape[1]), rows.shape[1])
    assert evaluation.summarize(*rows[:, order]) == pytest.approx(numbers)
    swapped = evaluation.summarize(*rows[::-1])
    assert (swapped["mae"], swapped["bias"]) == (numbers["mae"], -numbers["bias"])


@given(st.lists(years, min_size=1, max_size=20), years)
def test_no_constant_beats_the_median_of_the_same_ages(ages, guess):
    best = targets.guess("age", ages, ages)["mae"]
    assert best <= evaluation.mean_absolute_error([guess] * len(ages), ages) + 1e-9


def test_the_median_comes_from_the_training_ages():
    # The median of 10, 20 and 60 is 20; errors on 18 and 26 are +2 and -6.
    numbers = targets.guess("age", np.array([[60.0], [10.0], [20.0]]), [[18.0], [26.0]])
    assert (numbers["n"], numbers["mae"], numbers["bias"], numbers["ca3"]) == (2, 4, -2, 0.5)


def test_numbers_are_pythons_own():
    assert {type(value) for value in evaluation.summarize(np.float32(PREDICTIONS), AGES).values()} == {int, float}
