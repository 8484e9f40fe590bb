"""The chapters' explorers: turn a face and see its crops, scrub through a training run, take errors apart by age."""

import base64

import cv2
import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Polygon

from ssrlib import alignment, detection, error_figures, widgets

VIEW = 320  # pixels, the side of the picture that holds the turned face
TURNS, SIZES = range(-30, 31, 5), (0.7, 0.85, 1.0, 1.15, 1.3)
MARGIN_STEP = 0.05


def turn_face(picture, turn=20, size=1.0, margin=0.4):
    """Show a face under sliders for its turn, its size and the crop's margin, with its two crops.

    Detector and landmarks look at every position that the sliders offer; from the box and the points that they find,
    the page works out the crops as `alignment.crop_box` and `alignment.alignment_matrix` do.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        RGB, with one face that the detector finds at any turn; a drawn one, for it becomes part of the page.
    turn, size, margin : float
        Where the sliders start: degrees to the left, one of `TURNS`; one of `SIZES`; at least 0.

    Raises
    ------
    NoFaceError
        If the detector misses the face in one of the positions.
    """
    found = {(t, s): _look(place_face(picture, t, s)) for s in SIZES for t in TURNS}

    def draw(turn, size, margin):
        view, (face, points) = place_face(picture, turn, size), found[turn, size]
        crop = alignment.Crop(margin=margin)
        matrix = alignment.alignment_matrix(points, crop)
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * crop.size - matrix[:, 2]
        figure, axes = plt.subplots(1, 3, figsize=(7.5, 2.8))
        axes[0].imshow(view)
        left, top, right, bottom = face[:4]
        dx, dy = margin * (right - left), margin * (bottom - top)
        box = [(left - dx, top - dy), (right + dx, top - dy), (right + dx, bottom + dy), (left - dx, bottom + dy)]
        axes[0].add_patch(Polygon(box, fill=False, color="C0", ls="--", lw=2))
        axes[0].add_patch(Polygon(corners @ np.linalg.inv(matrix[:, :2]).T, fill=False, color="C1", lw=2))
        axes[0].scatter(*points.T, s=7, color="white", edgecolors="black", linewidths=0.5)
        axes[1].imshow(alignment.crop_box(view, face, margin), interpolation="nearest")
        axes[2].imshow(alignment.warp_crop(view, matrix), interpolation="nearest")
        for axis, title in zip(axes, ("the picture", "crop of the box (dashed)", "aligned crop (solid)"), strict=True):
            axis.set_title(title, fontsize=9)
            axis.axis("off")
        axes[0].set(xlim=(0, VIEW), ylim=(VIEW, 0))
        return figure, f"The face turned by {turn} degrees at size {size}; the crop of its box, and the aligned crop."

    numbers = {
        "picture": _embed(picture),
        "size": alignment.Crop().size,
        "view": VIEW,
        "reference": alignment.reference_shape(5).tolist(),
        "turns": list(TURNS),
        "sizes": list(SIZES),
        "faces": [
            [{"box": [*map(float, found[t, s][0][:4])], "points": _rounded(found[t, s][1] + 0.5)} for t in TURNS]
            for s in SIZES
        ],
        "start": {"turn": TURNS.index(turn), "size": SIZES.index(size), "margin": margin},
    }
    controls = {
        "turn": _choose("turn", TURNS, turn),
        "size": _choose("size", SIZES, size),
        "margin": ipywidgets.FloatSlider(margin, min=0, max=0.8, step=MARGIN_STEP, description="margin"),
    }
    widgets.respond("alignment", numbers, "One face, turned and scaled, and its two crops", controls, draw)


def place_face(picture, turn, size):
    """Turn a picture (degrees to the left) and scale it about the middle of a square of `VIEW` pixels."""
    height, width = picture.shape[:2]
    # OpenCV puts the centre of the first pixel at (0, 0).
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, size)
    matrix[:, 2] += (VIEW - width) / 2, (VIEW - height) / 2
    return cv2.warpAffine(picture, matrix, (VIEW, VIEW), borderMode=cv2.BORDER_REPLICATE)


def scrub_epochs(answers):
    """Show what a network answers to the same faces after each epoch, with a slider through the epochs.

    Parameters
    ----------
    answers : pandas.DataFrame
        The recorded table "epochs": `age` and the predictions `epoch 1`, `epoch 2` and so on, in years.
    """
    epochs = [name for name in answers if name != "age"]
    last = len(epochs)
    errors = [(answers[name] - answers["age"]).abs().mean() for name in epochs]

    def draw(epoch):
        figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.4))
        top = 20 * np.ceil(answers["age"].max() / 20)
        left.scatter(answers["age"], answers[epochs[epoch - 1]].clip(upper=top), s=12, alpha=0.5, linewidth=0)
        left.plot([0, top], [0, top], color="0.3", lw=1)
        left.set(xlabel="age (years)", ylabel="answer (years)", xlim=(0, top), ylim=(0, top))
        right.plot(range(1, last + 1), errors)
        right.plot(epoch, errors[epoch - 1], "o", color="C1")
        right.set(xlabel="epoch", ylabel="mean absolute error (years)", ylim=(0, None))
        return figure, f"After epoch {epoch} of {last}: off by {errors[epoch - 1]:.1f} years on average."

    numbers = {"ages": answers["age"].tolist(), "epochs": [answers[name].tolist() for name in epochs]}
    controls = {"epoch": ipywidgets.IntSlider(last, min=1, max=last, description="epoch")}
    widgets.respond("training", numbers, f"{len(answers)} validation faces, epoch by epoch", controls, draw)


def errors_by_age(table, weights, first, second, names, age=30, window=11):
    """Show mean absolute error, bias and number of faces by age, for one or two sets of weights.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a face: `dataset`, `age` in whole years and a column of predictions (years) for each of the weights.
    weights : sequence of str
    first, second : str
        The weights that are shown at first.
    names : dict of str
        How the data sets are called.
    age, window : int
        Where the sliders start: the middle of the window and its width, in years; the width is odd.
    """
    sums = {name: error_figures.sums_by_age(table[table["dataset"] == name], weights) for name in names}
    for name, by_age in sums.items():
        sums[name] = by_age.reindex(range(int(table["age"].max()) + 1), fill_value=0)

    def draw(first, second, dataset, age, window):
        chosen = sum(sums.values()) if dataset == "all" else sums[dataset]
        shown = [first] if second in ("none", first) else [first, second]
        figure = error_figures.plot_errors_in_windows(chosen, shown, age, window)
        inside = chosen.rolling(window, center=True, min_periods=1).sum().loc[age]
        told = [f"{who} is off by {inside[who, 'absolute'] / inside['faces', 'n']:.1f} years" for who in shown]
        return figure, f"At {age} years, in a window of {window}: {inside['faces', 'n']:.0f} faces; {', '.join(told)}."

    numbers = {
        "weights": list(weights),
        "names": names,
        "sets": {name: _lists(by_age, weights) for name, by_age in sums.items()},
        "start": {"first": first, "second": second, "set": "all", "age": age, "window": window},
    }
    controls = {
        "first": ipywidgets.Dropdown(options=weights, value=first, description="weights"),
        "second": ipywidgets.Dropdown(options=["none", *weights], value=second, description="beside"),
        "dataset": ipywidgets.Dropdown(options=["all", *names], value="all", description="test faces"),
        "age": ipywidgets.IntSlider(age, min=0, max=int(table["age"].max()), description="age"),
        "window": ipywidgets.IntSlider(window, min=1, max=21, step=2, description="window"),
    }
    widgets.respond("errors", numbers, "Errors by age on real test faces", controls, draw)


def _lists(sums, weights):
    errors = {what: {who: sums[who, what].round(1).tolist() for who in weights} for what in ("absolute", "signed")}
    return {"n": sums["faces", "n"].tolist()} | errors


def _look(view):
    face = alignment.usable_faces(view, alignment.Crop())[0]
    return face, detection.find_landmarks(view, face, 5)


def _choose(text, values, start):
    return ipywidgets.SelectionSlider(options=list(values), value=start, description=text)


def _rounded(points):
    return points.astype(float).round(2).tolist()


def _embed(picture):
    encoded = cv2.imencode(".webp", picture[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 90])[1]
    return f"data:image/webp;base64,{base64.b64encode(encoded).decode()}"
