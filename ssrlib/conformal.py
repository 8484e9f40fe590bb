"""An interval for each face that holds its age with a stated probability: split conformal prediction.

Errors on faces that the network did not learn from say how wide the interval must be. The promise: over all new faces
drawn like those, at least the stated share of ages lies inside, whatever the network and whatever the errors look like.
"""

import math

import numpy as np
import pandas as pd

WAYS = ("same for all", "scaled by predicted age", "by predicted decade")
_OFFSET = 10.0  # years; keeps the scale of a newborn's interval away from 0
_LAST_DECADE = 60.0  # few faces are older: one group


def conformal_radius(errors, level):
    """Give the half width of an interval around a prediction.

    Parameters
    ----------
    errors : array_like of float, shape (N,) or (N, 1)
        Errors (signed or absolute) on the calibration faces, in years, or in units of a difficulty.
    level : float
        Share of new faces that shall lie inside, between 0 and 1.

    Returns
    -------
    float
        The ceil((N + 1) level)-th smallest absolute error; infinite where N faces are too few to promise the level.

    Raises
    ------
    ValueError
        If the level lies outside of 0 to 1, or an error is not a number.

    References
    ----------
    Angelopoulos and Bates: Conformal prediction: a gentle introduction, 2023, section 1.

    Examples
    --------
    >>> conformal_radius([1, -2, 3, -4], 0.8)
    4.0
    >>> conformal_radius([1, -2, 3, -4], 0.9)
    inf
    """
    errors = np.sort(np.abs(np.asarray(errors, dtype=np.float64).reshape(-1)))
    if not 0 < level < 1:
        raise ValueError(f"The level of an interval lies between 0 and 1, such as 0.9; it is {level}.")
    if np.isnan(errors).any():
        raise ValueError("An error of the calibration faces is not a number; leave out faces without a prediction.")
    rank = math.ceil(round((errors.size + 1) * level, 9))  # rounded: 0.55 * 100 is 55.00000000000001
    return float(errors[rank - 1]) if rank <= errors.size else math.inf


def predict_intervals(calibration, faces, level=0.9, way=WAYS[0]):
    """Give each face an interval of ages.

    Parameters
    ----------
    calibration : pandas.DataFrame
        Faces that the network did not learn from, with the columns `age` and `prediction` in years: a validation part.
    faces : pandas.DataFrame
        New faces, with the column `prediction`.
    level : float
        See `conformal_radius`.
    way : str
        "same for all": one half width. "scaled by predicted age": half widths grow with 10 years + predicted age, a
        guess at the difficulty; a bad guess makes the intervals wider, not wrong. "by predicted decade": each decade of
        predicted age (from 60 on, one group) is calibrated by itself, so that the promise holds in each.

    Returns
    -------
    pandas.DataFrame
        The faces with the columns `low` and `high` besides, in years. No age is below 0, so `low` is not either.

    Raises
    ------
    ValueError
        If there is no such way.

    Examples
    --------
    >>> known = pd.DataFrame({"age": [21, 22, 23, 24], "prediction": [20, 20, 20, 20]})
    >>> predict_intervals(known, pd.DataFrame({"prediction": [3.0, 50.0]}), level=0.8)
       prediction   low  high
    0         3.0   0.0   7.0
    1        50.0  46.0  54.0
    """
    if way not in WAYS:
        raise ValueError(f"There is no way '{way}' to make intervals; use one of: {', '.join(WAYS)}.")
    errors = calibration["prediction"] - calibration["age"]
    if way == "by predicted decade":
        radii = errors.groupby(predicted_decade(calibration)).apply(conformal_radius, level)
        radius = predicted_decade(faces).map(radii).fillna(math.inf)
    else:
        scale = _difficulty if way == "scaled by predicted age" else _even
        radius = conformal_radius(errors / scale(calibration), level) * scale(faces)
    return faces.assign(low=(faces["prediction"] - radius).clip(lower=0), high=faces["prediction"] + radius)


def measure_coverage(intervals):
    """Check intervals against the true ages.

    Parameters
    ----------
    intervals : pandas.DataFrame
        From `predict_intervals`, with the column `age`.

    Returns
    -------
    dict
        `n`; `coverage`, the share of ages inside; `width`, the mean width in years.

    Examples
    --------
    >>> measure_coverage(pd.DataFrame({"age": [20, 30], "low": [18, 31], "high": [24, 39]}))
    {'n': 2, 'coverage': 0.5, 'width': 7.0}
    """
    inside = intervals["age"].between(intervals["low"], intervals["high"])
    width = (intervals["high"] - intervals["low"]).mean()
    return {"n": len(intervals), "coverage": float(inside.mean()), "width": float(width)}


def coverage_table(predictions, levels=(0.8, 0.9)):
    """Calibrate on the validation part, measure on the test part, in every way.

    Parameters
    ----------
    predictions : pandas.DataFrame
        A run's: `split`, `age` and `prediction`.
    levels : sequence of float

    Returns
    -------
    pandas.DataFrame
        One row a level and way: `level`, `way` and what `measure_coverage` gives.
    """
    val, test = (predictions[predictions["split"] == split] for split in ("val", "test"))
    return pd.DataFrame(
        [
            {"level": level, "way": way} | measure_coverage(predict_intervals(val, test, level, way))
            for level in levels
            for way in WAYS
        ]
    )


def predicted_decade(table):
    """Name the decade that each prediction falls into by its first year: 0, 10, ... 60, where 60 has no end."""
    return (table["prediction"].clip(0, _LAST_DECADE) // 10 * 10).astype(int)


def _difficulty(table):
    return table["prediction"].clip(lower=0) + _OFFSET


def _even(table):
    return 1.0
