"""What a network is taught to answer: an age in years, or in the general form the probability that a face is male."""

import numpy as np
from scipy import optimize, special

from ssrlib import evaluation

TARGETS = ("age", "male")
LARGEST_LOGIT = 8.0  # a network's raw answer may leave [0, 1], where the logit ends; this is 0.9997


def labels(table, target):
    """Take the labels out of a data set's table.

    Parameters
    ----------
    table : pandas.DataFrame
        From `datasets.load_table`: with the column `age` or `sex`.
    target : str
        "age" (years), or "male" (1 or 0, by the column `sex`).

    Returns
    -------
    ndarray of float32, shape (N, 1)
        NaN where the table does not know.

    Raises
    ------
    ValueError
        If the table knows no sex.

    Examples
    --------
    >>> import pandas as pd
    >>> labels(pd.DataFrame({"sex": ["male", "female", ""]}), "male").ravel().tolist()
    [1.0, 0.0, nan]
    """
    if target == "age":
        return table["age"].to_numpy(np.float32)[:, None]
    if "sex" not in table:
        raise ValueError("This data set does not say who is male and who is female.")
    known = table["sex"].map({"male": 1.0, "female": 0.0})
    return known.to_numpy(np.float32)[:, None]


def calibrate(outputs, truth):
    """Fit what turns raw answers into probabilities: a straight line in their logits (Platt scaling).

    Parameters
    ----------
    outputs : array_like of float, shape (N,) or (N, 1)
        A network's answers to pictures that it did not learn from.
    truth : array_like of float, shape (N,) or (N, 1)
        1 or 0.

    Returns
    -------
    dict of float
        `slope` and `intercept`.

    References
    ----------
    Platt: Probabilistic outputs for support vector machines and comparisons to regularized likelihood methods, 1999.
    """
    logits, truth = _logit(outputs), np.asarray(truth, float).reshape(-1)

    def loss(line):
        scores = line[0] * logits + line[1]
        return np.mean(np.logaddexp(0, scores) - truth * scores)

    slope, intercept = optimize.minimize(loss, [1.0, 0.0]).x
    return {"slope": float(slope), "intercept": float(intercept)}


def probabilities(outputs, calibration):
    """Turn raw answers into probabilities with what `calibrate` gave.

    Returns
    -------
    ndarray of float64, shape (N,)

    Examples
    --------
    >>> probabilities([0.5, 1.7], {"slope": 1.0, "intercept": 0.0}).round(4).tolist()
    [0.5, 0.9997]
    """
    return special.expit(calibration["slope"] * _logit(outputs) + calibration["intercept"])


def target_of(record):
    """Tell from the record of some weights what their network answers, see `TARGETS`.

    The authors' files name no recipe; among them a range of 1 means the probability.

    Examples
    --------
    >>> target_of({"network": {"value_range": 1}}), target_of({"network": {}, "recipe": {"target": "age"}})
    ('male', 'age')
    """
    if "recipe" in record:
        return record["recipe"].get("target", "age")
    return "male" if record.get("network", {}).get("value_range") == 1 else "age"


def answers(outputs, record):
    """Make answers of a network's raw outputs of shape (N, 1), as the record of its weights says."""
    if "calibration" in record:
        return probabilities(outputs, record["calibration"])
    outputs = np.asarray(outputs)[:, 0]
    return outputs.clip(0, 1) if target_of(record) == "male" else outputs


def summarize(target, answers, truth):
    """Score answers: `evaluation.summarize` for ages, `summarize_probabilities` for probabilities."""
    return evaluation.summarize(answers, truth) if target == "age" else summarize_probabilities(answers, truth)


def summarize_probabilities(answers, truth):
    """Score probabilities.

    Parameters
    ----------
    answers : array_like of float, shape (N,) or (N, 1)
        Probabilities, 0 to 1.
    truth : array_like of float, shape (N,) or (N, 1)
        1 or 0.

    Returns
    -------
    dict
        `n`; `accuracy`, the share on the right side of one half; `brier`, the mean squared error; `log_loss` in nats;
        and `calibration_error`: how far the stated probability is from the share that came true, on average over ten
        bins of probability, weighted by their numbers.

    Examples
    --------
    >>> round(summarize_probabilities([0.8, 0.8], [1, 0])["calibration_error"], 3)
    0.3
    """
    differences = evaluation.errors(answers, truth)
    truth = np.asarray(truth, float).reshape(-1)
    answers = differences + truth
    bins = np.minimum((answers * 10).astype(int), 9)
    gaps = np.abs(np.bincount(bins, differences, minlength=10))
    likelihood = np.clip(np.where(truth == 1, answers, 1 - answers), 1e-12, None)
    return {
        "n": truth.size,
        "accuracy": float(((answers > 0.5) == (truth == 1)).mean()),
        "brier": float((differences**2).mean()),
        "log_loss": float(-np.log(likelihood).mean()),
        "calibration_error": float(gaps.sum() / truth.size),
    }


def guess(target, learned, truth):
    """Score the best answer that never looks at a picture: the median age, or the share of male faces."""
    center = np.median(learned) if target == "age" else np.mean(learned)
    return summarize(target, np.full(np.size(truth), center), truth)


def _logit(outputs):
    furthest = special.expit(LARGEST_LOGIT)
    return special.logit(np.clip(np.asarray(outputs, float).reshape(-1), 1 - furthest, furthest))
