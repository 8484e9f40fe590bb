"""How sure a measured error is: bootstrap intervals, two models on the same faces, and one group after another."""

import numpy as np
import pandas as pd
from scipy import stats

from ssrlib import evaluation

RESAMPLES = 2000
_BATCH = 100  # resamples held in memory at once


def bootstrap_interval(values, level=0.95, resamples=RESAMPLES, seed=0):
    """Estimate how far the mean of some values may be off, had other faces been drawn.

    The percentile bootstrap: draw the values again with replacement, take the mean, many times.

    Parameters
    ----------
    values : array_like of float, shape (N,) or (N, 1)
        One a face: absolute errors for the MAE, signed ones for the bias, hits (1 or 0) for a CA.
    level : float
        Between 0 and 1.
    resamples : int
    seed : int

    Returns
    -------
    low, high : float
        NaN for a single value, which says nothing of how much others would differ.

    Raises
    ------
    ValueError
        If there is no value, one is not a number, or the level lies outside of 0 to 1.

    References
    ----------
    Efron and Tibshirani: An Introduction to the Bootstrap, 1993, chapter 13.

    Examples
    --------
    >>> low, high = bootstrap_interval([1.0, 2.0, 3.0, 6.0])
    >>> low < 3 < high
    True
    """
    values = np.asarray(values, dtype=np.float64).reshape(-1)
    if not values.size or not np.isfinite(values).all():
        raise ValueError(f"Cannot resample these {values.size} values: there must be some, and all must be finite.")
    if not 0 < level < 1:
        raise ValueError(f"The level of an interval lies between 0 and 1, such as 0.95; it is {level}.")
    if values.size == 1:
        return np.nan, np.nan
    result = stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=level,
        n_resamples=resamples,
        batch=_BATCH,
        method="percentile",
        rng=seed,
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def compare_errors(predictions, others, ages, level=0.95, resamples=RESAMPLES, seed=0):
    """Compare the absolute errors of two models on the same faces.

    Parameters
    ----------
    predictions, others, ages : array_like of float, shape (N,) or (N, 1)
        Years, face by face in the same order.
    level, resamples, seed
        See `bootstrap_interval`.

    Returns
    -------
    dict
        `n`; `difference`, the MAE of the first model minus that of the second, in years: negative where the first is
        better; `low` and `high`, its bootstrap interval; and `p`: how often a difference as large arises when, face by
        face, chance decides which model made which error (two-sided permutation test).

    Raises
    ------
    ValueError
        If the lengths differ or are 0, or a prediction is not finite.

    Examples
    --------
    >>> compared = compare_errors([21, 32, 43], [24, 35, 46], [20, 30, 40])
    >>> compared["difference"], compared["p"]  # 2 of 8 ways to swap give 3 years or more
    (-3.0, 0.25)
    """
    differences = np.abs(evaluation.errors(predictions, ages)) - np.abs(evaluation.errors(others, ages))
    low, high = bootstrap_interval(differences, level, resamples, seed)
    # With one sample, SciPy flips signs at random: it swaps the two models' errors on a face.
    test = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        batch=_BATCH,
        rng=seed,
    )
    return {
        "n": differences.size,
        "difference": float(differences.mean()),
        "low": low,
        "high": high,
        "p": float(test.pvalue),
    }


def errors_by_group(table, groups, prediction="prediction", level=0.95, seed=0):
    """Score each group of faces by itself.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a face, with the column `age` and one of predictions, in years.
    groups : str or array_like, or a list of them
        What `pandas.DataFrame.groupby` takes: a column such as "sex", or a value for each row, such as
        `table["age"] // 10 * 10` for decades or `pandas.qcut(table["score"], 4)` for quarters. Faces without a value
        are left out.
    prediction : str
        Name of the column of predictions.
    level, seed
        See `bootstrap_interval`.

    Returns
    -------
    pandas.DataFrame
        One row a group: `n`, `mae` with its interval `low` to `high`, `bias` (years) and `ca5` (a share).

    Raises
    ------
    ValueError
        If no face belongs to a group.

    Examples
    --------
    >>> faces = pd.DataFrame({"sex": ["f", "f", "m"], "age": [20, 30, 40], "prediction": [22, 29, 47]})
    >>> errors_by_group(faces, "sex")[["n", "mae", "bias", "ca5"]].reset_index()
      sex  n  mae  bias  ca5
    0   f  2  1.5   0.5  1.0
    1   m  1  7.0   7.0  0.0
    """

    def score(group):
        numbers = evaluation.summarize(group[prediction], group["age"])
        low, high = bootstrap_interval(np.abs(group[prediction] - group["age"]), level, seed=seed)
        scores = {"n": numbers["n"], "mae": numbers["mae"], "low": low, "high": high}
        return pd.Series(scores | {"bias": numbers["bias"], "ca5": numbers["ca5"]}, dtype=object)

    by_group = table.groupby(groups, observed=True)
    if not len(by_group):
        raise ValueError("None of these faces belongs to a group: the column is empty.")
    return by_group[["age", prediction]].apply(score).astype({"n": int}).infer_objects()
