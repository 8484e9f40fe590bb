"""The book's pictures: faces, training curves, stages and networks, drawn with matplotlib and seaborn."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.patches import Rectangle

from ssrlib.stagewise import bin_widths, stage_contributions


def show_faces(images, captions=None, columns=8, side=1.15):
    """Show pictures in a grid.

    Parameters
    ----------
    images : sequence of ndarray, uint8, shape (H, W, 3)
    captions : sequence of str, optional
        One a picture.
    columns : int
    side : float
        Of one picture, in inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = -(-len(images) // columns)
    height = side + (0.22 * max(text.count("\n") + 1 for text in captions) if captions is not None else 0.03)
    figure, axes = plt.subplots(rows, min(columns, len(images)), squeeze=False, layout="constrained")
    figure.set_size_inches(axes.shape[1] * side, rows * height)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02)
    for number, axis in enumerate(axes.flat):
        axis.axis("off")
        if number < len(images):
            axis.imshow(images[number], interpolation="nearest")
            if captions is not None:
                axis.set_title(captions[number], fontsize=8, pad=3)
    return figure


def show_detection(axis, picture, face, margin, landmarks=None):
    """Draw a picture with the detector's box (solid), the crop with its margin (dashed) and landmarks (dots)."""
    left, top, right, bottom = face[:4]
    dx, dy = margin * (right - left), margin * (bottom - top)
    axis.imshow(picture)
    axis.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, color="C0", lw=2))
    outer = Rectangle((left - dx, top - dy), right - left + 2 * dx, bottom - top + 2 * dy, fill=False, ls="--", lw=2)
    outer.set_edgecolor("C1")
    axis.add_patch(outer)
    if landmarks is not None:
        axis.scatter(*landmarks.T, s=7, color="white", edgecolors="black", linewidths=0.5)
    height, width = picture.shape[:2]
    axis.set(xlim=(min(0, left - dx) - 2, max(width, right + dx) + 2))
    axis.set(ylim=(max(height, bottom + dy) + 2, min(0, top - dy) - 2))
    axis.axis("off")


def plot_age_histogram(table):
    """Plot how many pictures each split has at each age."""
    figure, axis = plt.subplots()
    order = [split for split in ("train", "val", "test") if (table["split"] == split).any()]
    sns.histplot(table, x="age", hue="split", hue_order=order, multiple="stack", binwidth=5, binrange=(0, 120), ax=axis)
    sns.move_legend(axis, "upper right")  # "best" warns when a busy machine takes long to search
    axis.set(xlabel="age (years)", ylabel="pictures", xlim=(0, 5 * np.ceil(table["age"].max() / 5 + 0.2)))
    return figure


def plot_histories(histories, drops=(), reference=None):
    """Plot the error in training and in validation by epoch, a panel a run.

    Parameters
    ----------
    histories : dict of pandas.DataFrame
        For each title a table with the columns `epoch`, `mae` and `val_mae` (years), as in a run's history.
    drops : sequence of float
        Epochs after which the learning rate falls; a dotted line each.
    reference : float, optional
        The median guesser's error in years; a dashed line.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = plt.subplots(1, len(histories), figsize=(max(5.0, 3.6 * len(histories)), 3.2), squeeze=False)
    for axis, (title, history) in zip(axes[0], histories.items(), strict=True):
        sns.lineplot(history, x="epoch", y="mae", label="training", ax=axis)
        sns.lineplot(history, x="epoch", y="val_mae", label="validation", ax=axis)
        for epoch in drops:
            axis.axvline(epoch + 0.5, color="0.4", ls=":", lw=1)
        if reference is not None:
            axis.axhline(reference, color="0.4", ls="--", label="guessing the median")
        axis.set(title=title, ylabel="mean absolute error (years)")
        axis.legend(loc="upper right")
    return figure


def plot_speeds(speeds):
    """Plot pictures a second as one bar a row, with the spread of the repeats.

    Parameters
    ----------
    speeds : pandas.DataFrame
        With the columns `path` and `pictures_per_second`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axis = plt.subplots(figsize=(7, 0.4 * speeds["path"].nunique() + 0.7))
    sns.barplot(
        speeds, x="pictures_per_second", y="path", estimator="median", errorbar=("pi", 100), color="C0", ax=axis
    )
    axis.set(xlabel="pictures a second", ylabel="")
    return figure


def plot_stages(heads, stages, value_range=101, row=0, division_floor=0.1):
    """Show how the stages of one prediction add up.

    Each row is one stage: bars are the weights p of its bins, standing at the years that a weight of 1 on that bin
    would add; the title says what the stage adds to the sum.

    Parameters
    ----------
    heads : dict of ndarray
        What `network.stage_heads(model).predict` returns.
    stages : sequence of int
        Bins of each stage.
    value_range : float
        V in years.
    row : int
        Which picture.
    division_floor : float
        See `stagewise.SoftStagewiseRegression`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    deltas = [float(heads[f"delta_{k}"][row, 0]) for k in range(1, len(stages) + 1)]
    widths = bin_widths(stages, value_range, deltas, division_floor)
    contributions = stage_contributions(heads, value_range, division_floor=division_floor)
    figure, axes = plt.subplots(len(stages), 1, figsize=(7, 1.5 * len(stages)), squeeze=False)
    running = 0.0
    for k, (axis, width) in enumerate(zip(axes[:, 0], widths, strict=True), start=1):
        p, eta = heads[f"p_{k}"][row], heads[f"eta_{k}"][row]
        years = (np.arange(len(p)) + eta) * width
        added = contributions[row, k - 1]
        running += added
        axis.bar(years, p, width=0.12 * width, color=f"C{k - 1}")
        axis.axhline(0, color="0.5", lw=0.8)
        title = f"stage {k}: bins {width:.1f} years apart, adds {added:+.1f}, sum {running:.1f} years"
        axis.set_title(title, fontsize=9, loc="left")
        axis.set(ylabel="weight p")
    axes[-1, 0].set_xlabel("years that a weight of 1 on the bin adds")
    return figure


def plot_life(pictures, ages, contributions):
    """Show one person at several ages and, below each picture, what the stages add up to.

    Parameters
    ----------
    pictures : sequence of ndarray, uint8, shape (H, W, 3)
    ages : sequence of float
        True ages in years.
    contributions : ndarray of float, shape (N, K)
        From `network.stage_contributions`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    count = len(pictures)
    figure = plt.figure(figsize=(max(5.2, 1.05 * count), 4.2), layout="constrained")  # the legend needs its width
    faces, sums = figure.add_gridspec(2, 1, height_ratios=[1, 2.4])
    for number, (picture, spec) in enumerate(zip(pictures, faces.subgridspec(1, count, wspace=0.02), strict=True)):
        axis = figure.add_subplot(spec)
        axis.imshow(picture)
        axis.axis("off")
        axis.set_title(f"{ages[number]:g} years", fontsize=9)
    axis = figure.add_subplot(sums)
    bottom = np.zeros(count)
    for k in range(contributions.shape[1]):
        axis.bar(range(count), contributions[:, k], 0.55, bottom=bottom, label=f"stage {k + 1}")
        bottom += contributions[:, k]
    axis.plot(range(count), ages, "D", color="black", label="true age")
    for number, estimate in enumerate(bottom):
        axis.annotate(f"{estimate:.0f}", (number + 0.33, estimate), va="center", fontsize=9)
    axis.axhline(0, color="0.3", lw=1)
    axis.set(xticks=[], ylabel="years", xlim=(-0.5, count - 0.5))
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def draw_network(model):
    """Draw an SSR-Net: its two streams, the fusion block of each stage, and the sum.

    Parameters
    ----------
    model : keras.Model
        With three stages and both streams. Sizes and parameter counts are read from its layers.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axis = plt.subplots(figsize=(8.4, 4.6))
    axis.set(xlim=(-0.75, 5.05), ylim=(-1.75, 1.75))
    axis.axis("off")
    box = {"boxstyle": "round,pad=0.35", "ec": "0.3", "lw": 1}
    arrow = {"arrowstyle": "-|>", "color": "0.45", "lw": 1, "shrinkA": 2, "shrinkB": 2}

    def put(x, y, text, color):
        style = box | {"fc": color}
        return axis.text(x, y, text, ha="center", va="center", fontsize=7.5, color="black", bbox=style)

    def connect(one, other):
        axis.annotate("", other, one, arrowprops=arrow, zorder=0)

    put(-0.45, 0, "picture\n64x64x3", "#e8e8e8")
    for stream, y, color in (("x", 1.35, "#cfe3f5"), ("s", -1.35, "#fbe3c8")):
        connect((-0.4, 0.2 * np.sign(y)), (0.25, y))
        for block in range(1, 5):
            last = block == 4
            activation = "relu" if stream == "x" else "tanh"
            name = f"{stream}_{activation}_{block}" if last or stream == "s" else f"{stream}_pool_{block}"
            height, width, channels = model.get_layer(name).output.shape[1:]
            pooling = "" if last else ("\naverage" if stream == "x" else "\nmaximum") + " pool 2"
            put(block - 0.45, y, f"conv 3x3\n{activation}{pooling}\n→ {height}x{width}x{channels}", color)
            if block > 1:
                connect((block - 1.08, y), (block - 0.8, y))
    for stage, block in ((3, 1), (2, 2), (1, 4)):
        x = block - 0.45
        parameters = sum(layer.count_params() for layer in model.layers if layer.name.startswith(f"stage_{stage}_"))
        put(x, 0, f"stage {stage}\np, η, Δ\n{parameters:,} parameters", "#d8efd3")
        connect((x, 1.02), (x, 0.3))
        connect((x, -1.02), (x, -0.3))
    put(4.65, 0, "sum of\nthe stages\n= age", "#f4d3dc")
    connect((4.02, 0), (4.3, 0))
    for x, bend in ((0.55, -0.28), (1.55, -0.36)):
        style = arrow | {"connectionstyle": f"arc3,rad={bend}"}
        axis.annotate("", (4.6, 0.34), (x, 0.34), arrowprops=style, zorder=0)
    return figure


def plot_costs(costs):
    """Plot parameters and multiply-adds of a network, layer by layer.

    Parameters
    ----------
    costs : pandas.DataFrame
        From `costs.layer_costs`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 0.17 * len(costs) + 0.7), sharey=True)
    for axis, column, color in zip(axes, ("parameters", "multiply_adds"), ("C0", "C1"), strict=True):
        sns.barplot(costs, x=column, y="layer", color=color, ax=axis)
        axis.set(title=f"{column.replace('_', '-')}: {costs[column].sum():,}", xlabel="", ylabel="")
        axis.tick_params(labelsize=7)
        axis.ticklabel_format(axis="x", style="plain")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value / 1e6:g} M" if value >= 1e6 else f"{value:,.0f}")
    return figure


def plot_ablations(table):
    """Plot by how much worse each variant is, a panel a question, with its 95 % interval where it has one.

    Parameters
    ----------
    table : pandas.DataFrame
        From `ablations.differences`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    questions = list(table.groupby("question", sort=False))
    heights = [len(group) for _, group in questions]
    figure, axes = plt.subplots(
        len(questions),
        figsize=(7.6, 0.24 * sum(heights) + 0.42 * len(questions)),
        sharex=True,
        squeeze=False,
        height_ratios=[height + 0.6 for height in heights],
    )
    for axis, (question, group) in zip(axes.flat, questions, strict=True):
        places = range(len(group))
        sure = group["low"].notna()
        colors = np.where(~sure, "0.6", np.where(group["low"] > 0, "C3", np.where(group["high"] < 0, "C2", "C0")))
        axis.hlines(places, group["low"], group["high"], color=colors, lw=3)
        axis.scatter(group["difference"], places, color=colors, s=26, zorder=3)
        axis.axvline(0, color="0.3", lw=1)
        axis.set_yticks(places, group["variant"])
        axis.set_title(question, loc="left", fontsize=9, fontweight="bold")
        axis.margins(y=0.5 / len(group) + 0.05)
        axis.invert_yaxis()
        axis.grid(axis="y", visible=False)
    # The points decide what is shown: the interval of two or three seeds may be many times as wide.
    axes[0, 0].set_xlim(table["difference"].min() - 0.3, table["difference"].max() + 0.3)
    figure.supxlabel("years worse than the unchanged network", fontsize=9)
    return figure
