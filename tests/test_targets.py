"""Ages and probabilities: labels, scores and calibration, against scikit-learn and sums done by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import linear_model, metrics

from ssrlib import evaluation, targets

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(0, 2, 500)
ANSWERS = np.clip(0.5 + 0.3 * (TRUTH - 0.5) + RANDOM.normal(0, 0.2, 500), 0.01, 0.99)


def test_labels_are_ages_or_ones_for_male():
    table = pd.DataFrame({"age": [3, 40, 7], "sex": ["female", "male", ""]})
    ages, male = (targets.labels(table, target) for target in targets.TARGETS)
    np.testing.assert_array_equal(ages, np.float32([[3], [40], [7]]))
    np.testing.assert_array_equal(male, np.float32([[0], [1], [np.nan]]))
    assert ages.dtype == male.dtype == np.float32
    with pytest.raises(ValueError, match="does not say who is male"):
        targets.labels(table[["age"]], "male")


def test_scores_of_probabilities_agree_with_scikit_learn():
    scores = targets.summarize_probabilities(ANSWERS[:, None], TRUTH)
    assert scores["n"] == 500
    assert scores["accuracy"] == pytest.approx(metrics.accuracy_score(TRUTH, ANSWERS > 0.5))
    assert scores["brier"] == pytest.approx(metrics.brier_score_loss(TRUTH, ANSWERS))
    assert scores["log_loss"] == pytest.approx(metrics.log_loss(TRUTH, ANSWERS))


def test_the_calibration_error_by_hand():
    # Two of 0.25, of which one came true, and two of 0.95, of which both did: 0.25 and 0.05, each for half of the four.
    scores = targets.summarize_probabilities([0.25, 0.25, 0.95, 0.95], [1, 0, 1, 1])
    assert scores["calibration_error"] == pytest.approx((0.25 + 0.05) / 2)
    assert targets.summarize_probabilities([1.0, 0.0], [1, 0]) == {
        "n": 2, "accuracy": 1.0, "brier": 0.0, "log_loss": 0.0, "calibration_error": 0.0
    }  # fmt: skip


def test_the_line_is_that_of_a_logistic_regression():
    overconfident = 1 / (1 + np.exp(-3 * np.log(ANSWERS / (1 - ANSWERS)) - 1))
    line = targets.calibrate(overconfident, TRUTH)
    logits = np.clip(np.log(overconfident / (1 - overconfident)), -targets.LARGEST_LOGIT, targets.LARGEST_LOGIT)
    reference = linear_model.LogisticRegression(C=np.inf).fit(logits[:, None], TRUTH)
    assert line["slope"] == pytest.approx(reference.coef_[0, 0], rel=1e-3)
    assert line["intercept"] == pytest.approx(reference.intercept_[0], abs=1e-3)
    before = targets.summarize_probabilities(overconfident, TRUTH)
    after = targets.summarize_probabilities(targets.probabilities(overconfident, line), TRUTH)
    assert after["log_loss"] < before["log_loss"]


@given(st.floats(allow_nan=False), st.floats(-5, 5), st.floats(-5, 5))
def test_whatever_a_network_says_becomes_a_probability(output, slope, intercept):
    answer = targets.probabilities([output], {"slope": slope, "intercept": intercept})[0]
    assert 0 <= answer <= 1


@pytest.mark.parametrize(
    ("record", "target"),
    [
        ({"network": {"value_range": 1}}, "male"),  # the authors' files
        ({"network": {"value_range": 101}}, "age"),
        ({"network": {}, "recipe": {}}, "age"),
        ({"network": {"value_range": 1}, "recipe": {"target": "male"}}, "male"),
    ],
)
def test_a_record_tells_what_its_network_answers(record, target):
    assert targets.target_of(record) == target


def test_an_uncalibrated_probability_stays_one():
    outputs = np.float32([[-0.2], [0.3], [1.4]])
    record = {"network": {"value_range": 1}}
    np.testing.assert_allclose(targets.answers(outputs, record), [0, 0.3, 1])
    assert targets.summarize_probabilities(targets.answers(outputs, record), [0, 0, 1])["accuracy"] == 1


def test_answers_follow_the_record():
    outputs = np.float32([[-0.2], [0.5], [30]])
    np.testing.assert_array_equal(targets.answers(outputs, {}), outputs[:, 0])
    calibrated = targets.answers(outputs, {"calibration": {"slope": 1.0, "intercept": 0.0}})
    np.testing.assert_allclose(calibrated, [1 / (1 + np.exp(8)), 0.5, 1 / (1 + np.exp(-8))])


def test_the_lazy_guesser_of_each_target():
    assert targets.guess("male", np.array([[1.0], [1.0], [0.0], [1.0]]), [1, 0])["brier"] == pytest.approx(
        (0.25**2 + 0.75**2) / 2
    )
    assert targets.guess("age", [10, 20, 60], [18, 26]) == evaluation.summarize([20, 20], [18, 26])
