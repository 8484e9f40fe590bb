"""How far off are the ages: mean and squared error, bias, cumulative accuracy, and the worst of them."""

import numpy as np
import pandas as pd

CA_LIMITS = (3, 5, 7)  # years; the ones the field reports


def mean_absolute_error(predictions, ages):
    """Average the absolute errors, in years (equation 1 of the paper).

    Parameters
    ----------
    predictions, ages : array_like of float, shape (N,) or (N, 1)
        Years.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the two differ in length or are empty.

    Examples
    --------
    >>> mean_absolute_error([20, 30], [[22], [27]])
    2.5
    """
    return float(np.abs(errors(predictions, ages)).mean())


def root_mean_squared_error(predictions, ages):
    """Average the squared errors and take the root, in years: one error of 20 weighs as much as four of 10.

    Parameters and errors raised are those of `mean_absolute_error`.

    Examples
    --------
    >>> round(root_mean_squared_error([20, 30], [23, 26]), 2)  # the root of (9 + 16) / 2; the MAE is 3.5
    3.54
    """
    return float(np.sqrt(np.mean(errors(predictions, ages) ** 2)))


def bias(predictions, ages):
    """Average the signed errors, in years: positive when people are taken for older than they are.

    Examples
    --------
    >>> bias([20, 30], [22, 27])
    0.5
    """
    return float(errors(predictions, ages).mean())


def cumulative_accuracy(predictions, ages, limit, strict=False):
    """Share of the pictures whose error is at most `limit` years, CA(limit).

    Parameters
    ----------
    predictions, ages : array_like of float, shape (N,) or (N, 1)
        Years; neither is rounded.
    limit : float
        Years.
    strict : bool
        Count errors smaller than the limit, as the text of the paper says. Its released code counts errors up to and
        including the limit, which is the default.

    Returns
    -------
    float
        0 to 1.

    Examples
    --------
    >>> cumulative_accuracy([20, 30, 41], [23, 27, 37], 3)
    0.6666666666666666
    >>> cumulative_accuracy([20, 30, 41], [23, 27, 37], 3, strict=True)
    0.0
    """
    absolute = np.abs(errors(predictions, ages))
    return float((absolute < limit if strict else absolute <= limit).mean())


def accuracy_curve(predictions, ages, limits=range(11)):
    """Tabulate CA(n) under both rules.

    Parameters
    ----------
    predictions, ages : array_like of float, shape (N,) or (N, 1)
        Years.
    limits : iterable of float
        Years.

    Returns
    -------
    pandas.DataFrame
        One row a limit, the index `n`: `at most n` (the released code) and `less than n` (the paper's text), shares.

    Examples
    --------
    >>> accuracy_curve([20, 30], [22, 27.5], limits=[0, 2, 3]).reset_index()
       n  at most n  less than n
    0  0        0.0          0.0
    1  2        0.5          0.0
    2  3        1.0          1.0
    """
    limits = pd.Index(limits, name="n")
    rules = {"at most n": False, "less than n": True}
    return pd.DataFrame(
        {rule: [cumulative_accuracy(predictions, ages, n, strict) for n in limits] for rule, strict in rules.items()},
        index=limits,
    )


def epsilon_error(predictions, means, deviations):
    """Weigh each error by how much the people who labelled the picture disagreed.

    The average of 1 - exp(-(prediction - mean)^2 / (2 deviation^2)), the score of APPA-REAL and of the ChaLearn
    challenges on apparent age.

    Parameters
    ----------
    predictions : array_like of float, shape (N,) or (N, 1)
        Years.
    means, deviations : array_like of float, shape (N,) or (N, 1)
        Mean and standard deviation of the guesses for each picture, in years.

    Returns
    -------
    float
        0 (perfect) to 1.

    Raises
    ------
    ValueError
        If the lengths differ, or a deviation is not positive.

    Examples
    --------
    >>> round(epsilon_error([32, 34], [30, 30], [2, 4]), 3)  # each is off by one standard deviation
    0.393
    """
    difference = errors(predictions, means)
    deviations = np.asarray(deviations, dtype=np.float64).reshape(-1)
    if deviations.size != difference.size:
        raise ValueError(f"There are {deviations.size} standard deviations for {difference.size} pictures.")
    if not (deviations > 0).all():
        raise ValueError("The standard deviation of a label must be above 0; leave out pictures that one person rated.")
    return float(-np.expm1(-(difference**2) / (2 * deviations**2)).mean())


def errors(predictions, ages):
    """Subtract ages from predictions, picture by picture.

    Shapes (N,) and (N, 1) may meet here: NumPy alone would broadcast them to an N by N table, the mistake in the
    released evaluation script.

    Returns
    -------
    ndarray of float64, shape (N,)
    """
    predictions = np.asarray(predictions, dtype=np.float64).reshape(-1)
    ages = np.asarray(ages, dtype=np.float64).reshape(-1)
    if predictions.size != ages.size or not ages.size:
        raise ValueError(f"There are {predictions.size} predictions for {ages.size} ages; need as many, and some.")
    return predictions - ages


def summarize(predictions, ages):
    """Put the usual numbers into one dict.

    Returns
    -------
    dict
        `n`, `mae` and `bias` (years), `ca3`, `ca5`, `ca7` (shares).

    Examples
    --------
    >>> summarize([20, 30], [22, 27])
    {'n': 2, 'mae': 2.5, 'bias': 0.5, 'ca3': 1.0, 'ca5': 1.0, 'ca7': 1.0}
    """
    return {
        "n": errors(predictions, ages).size,
        "mae": mean_absolute_error(predictions, ages),
        "bias": bias(predictions, ages),
        **{f"ca{limit}": cumulative_accuracy(predictions, ages, limit) for limit in CA_LIMITS},
    }


def worst_cases(table, count=8, prediction="prediction"):
    """Choose the pictures with the largest errors, the worst first.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a picture, with the column `age` and one of predictions, in years.
    count : int
    prediction : str
        Name of the column of predictions.

    Returns
    -------
    pandas.DataFrame
        Rows of the table with the column `error` besides, prediction minus age in years.

    Examples
    --------
    >>> worst_cases(pd.DataFrame({"age": [20, 30, 5], "prediction": [21, 22, 8]}), count=2)
       age  prediction  error
    1   30          22   -8.0
    2    5           8    3.0
    """
    table = table.assign(error=errors(table[prediction], table["age"]))
    return table.sort_values("error", key=np.abs, ascending=False, kind="stable").head(count)
