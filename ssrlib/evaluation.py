"""How far off are the ages: mean absolute error, bias and cumulative accuracy."""

import numpy as np

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


def bias(predictions, ages):
    """Average the signed errors, in years: positive when people are taken for older than they are.

    Examples
    --------
    >>> bias([20, 30], [22, 27])
    0.5
    """
    return float(errors(predictions, ages).mean())


def cumulative_accuracy(predictions, ages, limit):
    """Share of the pictures whose error is at most `limit` years, CA(limit).

    The paper says smaller than the limit; its released code counts errors up to and including the limit, on unrounded
    predictions. This is the released rule.

    Examples
    --------
    >>> cumulative_accuracy([20, 30, 41], [23, 27, 37], 3)
    0.6666666666666666
    """
    return float((np.abs(errors(predictions, ages)) <= limit).mean())


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
