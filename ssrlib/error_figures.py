"""Pictures of errors: by age, by group, by weights, and the intervals of single faces."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from ssrlib import conformal, evaluation

LEAST_FACES = 10  # fewer say nothing about the errors at an age


def plot_predictions(predictions):
    """Plot the estimated against the true age, picture by picture; the diagonal is perfection."""
    figure, axis = plt.subplots(figsize=(4.6, 4.2))
    sns.scatterplot(predictions, x="age", y="prediction", s=12, alpha=0.5, linewidth=0, ax=axis)
    top = 5 + max(predictions["age"].max(), predictions["prediction"].max())
    axis.plot([0, top], [0, top], color="0.3", lw=1)
    axis.set(xlabel="age (years)", ylabel="estimate (years)", xlim=(0, top), ylim=(min(0, axis.get_ylim()[0]), top))
    return figure


def plot_error_by_age(predictions):
    """Plot the mean absolute error with its 95 % interval and the bias for each decade of life."""
    table = predictions.assign(
        decade=(predictions["age"] // 10 * 10).astype(int),
        error=predictions["prediction"] - predictions["age"],
    )
    table["absolute error"] = table["error"].abs()
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2))
    sns.barplot(table, x="decade", y="absolute error", color="C0", seed=0, ax=left)
    left.set(title="mean absolute error", xlabel="age from (years)", ylabel="years")
    sns.barplot(table, x="decade", y="error", color="C1", seed=0, ax=right)
    right.axhline(0, color="0.3", lw=1)
    right.set(title="bias: estimate minus age", xlabel="age from (years)", ylabel="years")
    return figure


def plot_accuracy_curves(answers, ages, limits=range(21)):
    """Plot CA(n) against n, a curve for each who answers.

    Parameters
    ----------
    answers : dict of array_like of float, shape (N,)
        For each name its predictions in years.
    ages : array_like of float, shape (N,)
    limits : iterable of float
        Years.

    Returns
    -------
    matplotlib.figure.Figure
    """
    curves = pd.DataFrame(
        {name: evaluation.accuracy_curve(answer, ages, limits)["at most n"] for name, answer in answers.items()}
    )
    figure, axis = plt.subplots(figsize=(7, 3.4))
    sns.lineplot(curves, marker="o", markersize=4, ax=axis)
    axis.set(xlabel="n (years)", ylabel="CA(n)", ylim=(0, 1))
    axis.xaxis.get_major_locator().set_params(integer=True)
    sns.move_legend(axis, "upper left")
    return figure


def plot_groups(tables):
    """Plot the mean absolute error of group after group with its interval.

    Parameters
    ----------
    tables : dict of pandas.DataFrame
        For each title what `intervals.errors_by_group` gives.

    Returns
    -------
    matplotlib.figure.Figure
        One axis; a dashed line stands at the mean over all faces of the first table.
    """
    figure, axis = plt.subplots(figsize=(7, 0.23 * sum(len(table) + 1 for table in tables.values()) + 0.7))
    labels = []
    for number, (title, table) in enumerate(tables.items()):
        places = len(labels) + 1 + np.arange(len(table))
        spread = np.abs(table[["low", "high"]].sub(table["mae"], axis=0).to_numpy().T)
        axis.errorbar(table["mae"], places, xerr=spread, fmt="o", ms=4, color=f"C{number}")
        labels += [title.upper(), *(f"{group} ({n:,})" for group, n in zip(table.index, table["n"], strict=True))]
    first = next(iter(tables.values()))
    axis.axvline(np.average(first["mae"], weights=first["n"]), color="0.3", ls="--", lw=1)
    axis.set_yticks(range(len(labels)), labels, fontsize=8)
    axis.set(xlabel="mean absolute error (years), with 95 % interval", ylim=(len(labels) - 0.4, -0.6))
    axis.grid(axis="y", visible=False)
    return figure


def sums_by_age(table, weights):
    """Add up faces and errors for each year of age, so that any range of ages can be averaged later.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a face: `age` and a column of predictions for each of the weights, in years.
    weights : sequence of str

    Returns
    -------
    pandas.DataFrame
        One row a year of age (whole years); the columns are `("faces", "n")` and, for each set of weights, the sums
        of the errors (`"signed"`) and of their sizes (`"absolute"`).

    Examples
    --------
    >>> table = pd.DataFrame({"age": [3.0, 3.0, 5.0], "mine": [4.0, 1.0, 5.5]})
    >>> sums_by_age(table, ["mine"])["mine"].reset_index()
       age  signed  absolute
    0    3    -1.0       3.0
    1    5     0.5       0.5
    """
    errors = table[list(weights)].sub(table["age"], axis=0)
    parts = {("faces", "n"): pd.Series(1, table.index)}
    for name in weights:
        parts |= {(name, "signed"): errors[name], (name, "absolute"): errors[name].abs()}
    return pd.DataFrame(parts).groupby(table["age"].astype(int)).sum()


def plot_errors_in_windows(sums, weights, age, window):
    """Plot mean absolute error, bias and number of faces in a window that moves over the ages.

    Parameters
    ----------
    sums : pandas.DataFrame
        From `sums_by_age`, a row for every year.
    weights : sequence of str
    age, window : int
        A line stands at `age`; the window is so many years wide.

    Returns
    -------
    matplotlib.figure.Figure
        Three axes. Windows with fewer than `LEAST_FACES` faces are left out.
    """
    inside = sums.rolling(window, center=True, min_periods=1).sum()
    n = inside["faces", "n"]
    figure, axes = plt.subplots(3, 1, figsize=(7, 5.4), sharex=True, height_ratios=(2, 2, 1))
    for axis, what in zip(axes, ("absolute", "signed"), strict=False):
        for name in weights:
            axis.plot((inside[name, what] / n).where(n >= LEAST_FACES), label=name)
    axes[0].set(ylabel="MAE (years)", ylim=(0, None))
    axes[0].legend()
    axes[1].axhline(0, color="0.3", lw=1)
    axes[1].set(ylabel="bias (years)")
    axes[2].bar(n.index, n, color="0.6")
    axes[2].set(ylabel="faces", xlabel="age (years)")
    for axis in axes:
        axis.axvline(age, color="0.3", ls=":")
    return figure


def plot_cross(cross):
    """Plot the mean absolute error of each set of weights on each test set as a heat map.

    Parameters
    ----------
    cross : pandas.DataFrame
        The recorded table "cross": `weights`, `tested_on`, `mae` (years).

    Returns
    -------
    matplotlib.figure.Figure
    """
    table = cross.pivot(index="weights", columns="tested_on", values="mae").loc[cross["weights"].unique()]
    figure, axis = plt.subplots(figsize=(5.6, 0.36 * len(table) + 0.9))
    bar = {"label": "mean absolute error (years)"}
    sns.heatmap(table, annot=True, fmt=".2f", cmap="viridis_r", cbar_kws=bar, ax=axis)
    axis.set(xlabel="tested on", ylabel="weights")
    return figure


def plot_coverage(intervals, level):
    """Plot, by predicted decade, how many ages lie inside their intervals and how wide these are.

    Parameters
    ----------
    intervals : dict of pandas.DataFrame
        For each way what `conformal.predict_intervals` gives, with the column `age`.
    level : float
        What was promised; a dashed line.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = [
        {"way": way, "decade": decade} | conformal.measure_coverage(group)
        for way, table in intervals.items()
        for decade, group in table.groupby(conformal.predicted_decade(table))
    ]
    table = pd.DataFrame(rows)
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.6))
    for axis, column in zip(axes, ("coverage", "width"), strict=True):
        legend = column == "coverage"
        sns.lineplot(table, x="decade", y=column, hue="way", style="way", markers=True, legend=legend, ax=axis)
        axis.set(xlabel="predicted age from (years)")
    axes[0].axhline(level, color="0.3", ls="--", lw=1)
    axes[0].set(title="ages inside the interval", ylabel="share", ylim=(None, 1.02))
    axes[1].set(title="mean width of the interval", ylabel="years", ylim=(0, None))
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].get_legend().remove()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(intervals), frameon=False)
    return figure
