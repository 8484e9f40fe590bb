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


@given(pairs)
def test_agrees_with_scikit_learn(rows):
    predictions, ages = rows
    expected = sklearn.metrics.mean_absolute_error(ages, predictions)
    assert evaluation.mean_absolute_error(predictions, ages) == pytest.approx(expected)


@pytest.mark.parametrize("wrap", [np.array, np.float32, pd.Series, list])
@pytest.mark.parametrize("column", [False, True])
def test_columns_and_rows_may_meet(wrap, column):
    ages = np.array(AGES)[:, None] if column else AGES
    assert evaluation.summarize(wrap(PREDICTIONS), ages) == evaluation.summarize(PREDICTIONS, AGES)
    assert evaluation.summarize(np.array(PREDICTIONS)[:, None], ages)["n"] == 4


@pytest.mark.parametrize(("predictions", "ages"), [([], []), ([1, 2], [1]), ([1], [1, 2]), (np.ones((2, 2)), [1, 2])])
def test_lengths_that_do_not_fit_are_refused(predictions, ages):
    for measure in (evaluation.mean_absolute_error, evaluation.bias, evaluation.summarize):
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
