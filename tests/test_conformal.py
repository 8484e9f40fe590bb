"""Conformal intervals: sums worked by hand, and the promise kept on made-up faces."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssrlib import conformal

RANDOM = np.random.default_rng(0)


def made_up_faces(count):
    """Faces whose errors grow with age, skewed and not centred."""
    ages = RANDOM.uniform(0, 90, count)
    return pd.DataFrame({"age": ages, "prediction": ages + (RANDOM.exponential(1, count) - 0.7) * (2 + ages / 5)})


@pytest.mark.parametrize(
    ("level", "rank"),
    [(0.5, 5), (0.8, 8), (0.81, 9), (0.9, 9), (0.91, None)],  # of 9 errors, the ceil(10 * level)-th
)
def test_the_radius_is_the_error_of_that_rank(level, rank):
    errors = RANDOM.permutation([1.0, -2, 3, -4, 5, 6, -7, 8, 9])
    expected = math.inf if rank is None else rank
    assert conformal.conformal_radius(errors, level) == expected
    assert conformal.conformal_radius(errors[:, None], level) == expected


def test_rounding_does_not_cost_a_rank():
    assert 0.55 * 100 > 55  # 55.00000000000001
    assert conformal.conformal_radius(np.arange(1, 100), 0.55) == 55


@given(st.lists(st.floats(-90, 90), max_size=30), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_the_radius_covers_its_share_and_grows_with_the_level(errors, one, other):
    low, high = sorted((one, other))
    assert conformal.conformal_radius(errors, low) <= conformal.conformal_radius(errors, high)
    radius = conformal.conformal_radius(errors, low)
    assert np.sum(np.abs(errors) <= radius) >= min(len(errors), low * (len(errors) + 1) - 1e-6)


@pytest.mark.parametrize(
    ("errors", "level", "message"), [([1, 2], 90, "such as 0.9"), ([1, np.nan], 0.9, "not a number")]
)
def test_bad_input_is_refused(errors, level, message):
    with pytest.raises(ValueError, match=message):
        conformal.conformal_radius(errors, level)


@pytest.mark.parametrize("way", conformal.WAYS)
@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_the_promise_holds_on_average_over_calibrations(way, level):
    shares = []
    for _ in range(60):
        intervals = conformal.predict_intervals(made_up_faces(150), made_up_faces(400), level, way)
        shares.append(conformal.measure_coverage(intervals)["coverage"])
    # Promised: at least the level, on average. The standard error of this average is below 0.007.
    assert level - 0.02 <= np.mean(shares)
    if way == "same for all":
        # And at most 1 / (N + 1) above it.
        assert np.mean(shares) <= level + 1 / 151 + 0.02


def test_only_decades_of_their_own_keep_the_promise_in_each():
    calibration, faces = made_up_faces(20_000), made_up_faces(20_000)
    coverage = {}
    for way in conformal.WAYS:
        intervals = conformal.predict_intervals(calibration, faces, 0.9, way)
        inside = intervals["age"].between(intervals["low"], intervals["high"])
        coverage[way] = inside.groupby(conformal.predicted_decade(faces)).mean()
    assert (coverage["by predicted decade"] - 0.9).abs().max() < 0.03
    assert coverage["same for all"][0] > 0.97 and coverage["same for all"][60] < 0.85


def test_the_ways_worked_by_hand():
    known = pd.DataFrame({"age": [5, 7, 12, 36, 30, 26], "prediction": [6, 5, 9, 30, 38, 36]})
    new = pd.DataFrame({"prediction": [-2.0, 30.0, 75.0]})
    # Errors 1, 2, 3, 6, 8, 10; of 6, the ceil(7 * 0.7) = 5th is 8.
    even = conformal.predict_intervals(known, new, 0.7, "same for all")
    assert even[["low", "high"]].to_numpy().tolist() == [[0, 6], [22, 38], [67, 83]]
    # By 10 + prediction: 1/16, 2/15, 3/19, 6/40, 8/48, 10/46; the 5th is 8/48 = 1/6, times 10, 40 and 85.
    scaled = conformal.predict_intervals(known, new, 0.7, "scaled by predicted age")
    np.testing.assert_allclose(scaled["high"] - new["prediction"], np.array([10, 40, 85]) / 6)
    # Decades 0 and 30 have 3 errors each, the ceil(4 * 0.7) = 3rd are 3 and 10; from 60 on nobody is known.
    decades = conformal.predict_intervals(known, new, 0.7, "by predicted decade")
    assert decades[["low", "high"]].to_numpy().tolist() == [[0, 1], [20, 40], [0, math.inf]]


def test_no_known_face_promises_nothing():
    nobody = pd.DataFrame({"age": [], "prediction": []}, dtype=float)
    for way in conformal.WAYS:
        intervals = conformal.predict_intervals(nobody, pd.DataFrame({"prediction": [20.0]}), 0.9, way)
        assert intervals[["low", "high"]].to_numpy().tolist() == [[0, math.inf]]


def test_an_unknown_way_is_refused():
    with pytest.raises(ValueError, match="no way 'magic'"):
        conformal.predict_intervals(made_up_faces(3), made_up_faces(3), way="magic")


def test_the_table_calibrates_on_validation_and_measures_on_test():
    val, test = made_up_faces(300).assign(split="val"), made_up_faces(200).assign(split="test")
    table = conformal.coverage_table(pd.concat([test, val], ignore_index=True))
    assert table[["level", "way"]].to_numpy().tolist() == [
        [level, way] for level in (0.8, 0.9) for way in conformal.WAYS
    ]
    assert (table["n"] == 200).all()
    row = table.loc[3]
    assert row["level"] == 0.9
    radius = np.sort((val["prediction"] - val["age"]).abs())[math.ceil(301 * 0.9) - 1]
    assert row["coverage"] == pytest.approx(((test["prediction"] - test["age"]).abs() <= radius).mean())
    least = (test["prediction"] - radius).clip(lower=0)
    assert row["width"] == pytest.approx((test["prediction"] + radius - least).mean())


def test_decades_begin_at_0_and_end_at_60():
    table = pd.DataFrame({"prediction": [-3.0, 0, 9.99, 10, 59.9, 60, 140]})
    assert conformal.predicted_decade(table).tolist() == [0, 0, 0, 10, 50, 60, 60]
