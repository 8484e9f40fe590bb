"""The book's pictures: what is drawn is what was given."""

import matplotlib

matplotlib.use("Agg")

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ssrlib import figures
from ssrlib.alignment import Face
from ssrlib.network import SSRNet, stage_heads

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def style():
    """The layout that `notebook.start` sets, and no figure left open."""
    with plt.rc_context({"figure.constrained_layout.use": True}):
        yield
    plt.close("all")


def pictures(count):
    return RANDOM.integers(0, 256, (count, 20, 20, 3), dtype=np.uint8)


def drawn(figure):
    """Render the figure, which is when most mistakes show."""
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    return figure


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (3, 1, 3), (4, 1, 4), (6, 2, 4), (9, 3, 4)])
def test_faces_stand_in_reading_order(count, rows, columns):
    images = pictures(count)
    figure = drawn(figures.show_faces(images, [f"age {n}" for n in range(count)], columns=4))
    grid = figure.axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == (rows, columns)
    shown = [axis for axis in figure.axes if axis.images]
    assert len(shown) == count
    for number, axis in enumerate(shown):
        np.testing.assert_array_equal(axis.images[0].get_array(), images[number])
        assert axis.get_title() == f"age {number}"
        assert axis.get_subplotspec().num1 == number
    assert not any(axis.axison for axis in figure.axes)


def test_faces_need_no_captions_and_long_ones_make_room():
    plain, one, two = (
        drawn(figures.show_faces(pictures(2), captions)) for captions in (None, ["a", "b"], ["a\nb", "c"])
    )
    assert plain.axes[0].get_title() == ""
    assert plain.get_figheight() < one.get_figheight() < two.get_figheight()


def test_a_detection_shows_box_margin_and_landmarks():
    figure, axis = plt.subplots()
    points = RANDOM.uniform(10, 90, (68, 2))
    figures.show_detection(axis, pictures(1)[0], Face(10, 20, 60, 120, 1.0), 0.4, points)
    drawn(figure)
    inner, outer = (patch.get_bbox().extents for patch in axis.patches)
    assert inner.tolist() == [10, 20, 60, 120]
    # 0.4 of 50 is 20, 0.4 of 100 is 40.
    assert outer.tolist() == pytest.approx([-10, -20, 80, 160])
    np.testing.assert_allclose(axis.collections[0].get_offsets(), points)
    low, high = sorted(axis.get_xlim())
    assert low < -10 and high > 80
    bottom, top = axis.get_ylim()
    assert top < -20 and bottom > 160, "y runs down, as in the picture"


def test_the_histogram_counts_every_picture_once():
    ages = RANDOM.uniform(0, 84, 60)
    table = pd.DataFrame({"age": ages, "split": np.resize(["train", "train", "test"], 60)})
    (axis,) = drawn(figures.plot_age_histogram(table)).axes
    counts = np.zeros(24)
    for container in axis.containers:
        for bar in container:
            assert bar.get_width() == pytest.approx(5)
            counts[round(bar.get_x() / 5)] += bar.get_height()
    np.testing.assert_array_equal(counts, np.histogram(ages, np.arange(0, 121, 5))[0])
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["train", "test"]
    assert axis.get_xlim()[1] >= ages.max()


@pytest.mark.parametrize("reference", [None, 18.0])
def test_each_history_has_a_panel_with_both_curves(reference):
    first = pd.DataFrame({"epoch": [1, 2, 3], "mae": [20.0, 9.0, 8.0], "val_mae": [15.0, 10.0, 9.5]})
    second = first[:2] * 2
    panels = drawn(figures.plot_histories({"theirs": first, "ours": second}, [1], reference)).axes
    assert [axis.get_title() for axis in panels] == ["theirs", "ours"]
    for axis, history in zip(panels, (first, second), strict=True):
        curves = {line.get_label(): line for line in axis.lines}
        assert curves["training"].get_ydata().tolist() == history["mae"].tolist()
        assert curves["validation"].get_ydata().tolist() == history["val_mae"].tolist()
        assert [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == ":"] == [1.5]
        assert ("guessing the median" in curves) == (reference is not None)
        if reference is not None:
            assert set(curves["guessing the median"].get_ydata()) == {reference}


def test_speeds_are_bars_of_medians():
    speeds = pd.DataFrame({"path": ["a", "a", "a", "b"], "pictures_per_second": [1.0, 2.0, 9.0, 5.0]})
    (axis,) = drawn(figures.plot_speeds(speeds)).axes
    assert [bar.get_width() for bar in axis.patches] == [2.0, 5.0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]


@pytest.mark.parametrize("stages", [(3, 3, 3), (5, 2), (4,)])
@pytest.mark.parametrize("row", [0, 1])
def test_the_stages_add_up_to_the_models_age(stages, row):
    model = SSRNet(stages, image_size=40, value_range=90)
    model.set_weights([RANDOM.uniform(0, 0.12, weight.shape) for weight in model.get_weights()])
    images = RANDOM.integers(0, 256, (2, 40, 40, 3)).astype(np.float32)
    heads = {name: np.asarray(value) for name, value in stage_heads(model)(images).items()}
    age = float(np.asarray(model(images))[row, 0])
    figure = drawn(figures.plot_stages(heads, stages, value_range=90, row=row))
    assert len(figure.axes) == len(stages)
    added = 0.0
    for k, axis in enumerate(figure.axes, start=1):
        title = axis.get_title(loc="left")
        parts = re.fullmatch(r"stage (\d): bins (\S+) years apart, adds (\S+), sum (\S+) years", title)
        added += float(parts[3])
        assert int(parts[1]) == k
        assert float(parts[4]) == pytest.approx(added, abs=0.05 * (k + 1) + 1e-9)
        assert [bar.get_height() for bar in axis.patches] == pytest.approx(heads[f"p_{k}"][row].tolist())
        # A bar's height times the years where it stands is what its bin adds.
        adds = sum(bar.get_height() * (bar.get_x() + bar.get_width() / 2) for bar in axis.patches)
        assert adds == pytest.approx(float(parts[3]), abs=0.06)
    assert float(parts[4]) == pytest.approx(age, abs=0.051)


def test_ablations_have_a_panel_a_question_and_a_point_a_variant():
    table = pd.DataFrame(
        {"question": ["stages", "stages", "loss"], "variant": ["(27)", "(101)", "squared"],
         "difference": [0.0, 0.5, -0.2], "low": [-9.0, 0.2, np.nan], "high": [9.0, 0.8, np.nan]}
    )  # fmt: skip
    figure = drawn(figures.plot_ablations(table))
    assert [axis.get_title("left") for axis in figure.axes] == ["stages", "loss"]
    assert [[text.get_text() for text in axis.get_yticklabels()] for axis in figure.axes] == [
        ["(27)", "(101)"], ["squared"]
    ]  # fmt: skip
    points = np.concatenate([axis.collections[-1].get_offsets()[:, 0] for axis in figure.axes])
    np.testing.assert_allclose(points, table["difference"])
    assert figure.axes[0].get_xlim() == pytest.approx((-0.5, 0.8)), "a wide interval does not squeeze the points"
