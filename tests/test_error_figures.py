"""Pictures of errors: what is drawn is what was given."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ssrlib import error_figures, evaluation, intervals

PREDICTIONS = pd.DataFrame({"age": [3.0, 7.0, 25.0, 26.0, 41.0], "prediction": [5.0, 6.0, 20.0, 31.0, 40.0]})


@pytest.fixture(autouse=True)
def style():
    """The layout that `notebook.start` sets, and no figure left open."""
    with plt.rc_context({"figure.constrained_layout.use": True}):
        yield
    plt.close("all")


def drawn(figure):
    """Render the figure, which is when most mistakes show."""
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    return figure


@pytest.mark.parametrize("worst", [44.0, 130.0, -12.0])
def test_every_prediction_is_a_dot_inside_the_picture(worst):
    predictions = PREDICTIONS.assign(prediction=[5.0, 6.0, 20.0, 31.0, worst])
    (axis,) = drawn(error_figures.plot_predictions(predictions)).axes
    np.testing.assert_allclose(axis.collections[0].get_offsets(), predictions[["age", "prediction"]])
    assert axis.get_ylim()[0] <= predictions["prediction"].min()
    assert axis.get_ylim()[1] > predictions["prediction"].max() and axis.get_xlim()[1] > 41
    x, y = axis.lines[0].get_data()
    np.testing.assert_array_equal(x, y)


def test_errors_are_averaged_by_decade():
    left, right = drawn(error_figures.plot_error_by_age(PREDICTIONS)).axes
    # Ages 3 and 7: errors +2 and -1; 25 and 26: -5 and +5; 41: -1.
    assert [bar.get_height() for bar in left.patches] == pytest.approx([1.5, 5, 1])
    assert [bar.get_height() for bar in right.patches] == pytest.approx([0.5, 0, -1])
    assert [label.get_text() for label in left.get_xticklabels()] == ["0", "20", "40"]


def test_accuracy_curves_are_those_of_the_table():
    answers = {"one": PREDICTIONS["prediction"], "25 for all": np.full(5, 25.0)}
    (axis,) = drawn(error_figures.plot_accuracy_curves(answers, PREDICTIONS["age"], limits=[0, 1, 5, 9])).axes
    assert [text.get_text() for text in axis.get_legend().get_texts()] == list(answers)
    curves = [line for line in axis.lines if len(line.get_xdata())]
    for line, answer in zip(curves, answers.values(), strict=False):
        assert line.get_xdata().tolist() == [0, 1, 5, 9]
        shares = [evaluation.cumulative_accuracy(answer, PREDICTIONS["age"], n) for n in (0, 1, 5, 9)]
        assert line.get_ydata().tolist() == pytest.approx(shares)


def test_groups_stand_at_their_errors_under_their_title():
    table = PREDICTIONS.assign(sex=["f", "m", "f", "m", "m"])
    tables = {
        "age from": intervals.errors_by_group(table, (table["age"] // 10 * 10).astype(int)),
        "sex": intervals.errors_by_group(table, "sex"),
    }
    (axis,) = drawn(error_figures.plot_groups(tables)).axes
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels == ["AGE FROM", "0 (2)", "20 (2)", "40 (1)", "SEX", "f (2)", "m (3)"]
    first, second = axis.containers
    # Errors 2 and 1, 5 and 5, 1; of f 2 and 5, of m 1, 5 and 1.
    assert first.lines[0].get_xydata().tolist() == [[1.5, 1], [5, 2], [1, 3]]
    np.testing.assert_allclose(second.lines[0].get_xydata(), [[3.5, 5], [7 / 3, 6]])
    (bars,) = second.lines[2]
    ends = np.array(bars.get_segments())[:, :, 0]
    np.testing.assert_allclose(ends, tables["sex"][["low", "high"]])
    assert axis.lines[-1].get_xdata()[0] == pytest.approx((2 + 1 + 5 + 5 + 1) / 5)
    assert axis.get_ylim()[0] > axis.get_ylim()[1], "the first title is on top"


def test_errors_in_windows_are_those_of_the_faces_in_them():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"age": rng.integers(0, 40, 300).astype(float)})
    table["one"], table["other"] = table["age"] + rng.normal(1, 4, 300), table["age"] + rng.normal(-2, 8, 300)
    table = table[~table["age"].between(20, 29)]
    sums = error_figures.sums_by_age(table, ["one", "other"]).reindex(range(40), fill_value=0)
    top, middle, bottom = drawn(error_figures.plot_errors_in_windows(sums, ["one", "other"], 8, 5)).axes
    for age in (0, 8, 19, 24, 39):
        inside = table[table["age"].between(age - 2, age + 2)]
        assert bottom.patches[age].get_height() == len(inside)
        for line, name in enumerate(["one", "other"]):
            errors = inside[name] - inside["age"] if len(inside) >= 10 else pd.Series([np.nan])
            assert top.lines[line].get_ydata()[age] == pytest.approx(errors.abs().mean(), nan_ok=True)
            assert middle.lines[line].get_ydata()[age] == pytest.approx(errors.mean(), nan_ok=True)
    assert np.isnan(top.lines[0].get_ydata()[24]), "too few faces leave a gap"


def test_the_heat_map_shows_the_numbers_in_the_order_of_the_table():
    cross = pd.DataFrame({"weights": list("bbaa"), "tested_on": list("xyxy"), "mae": [5.123, 6.0, 7.0, 8.25]})
    axis = drawn(error_figures.plot_cross(cross)).axes[0]
    assert [text.get_text() for text in axis.texts] == ["5.12", "6.00", "7.00", "8.25"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["b", "a"]


def test_coverage_and_width_by_predicted_decade():
    one = PREDICTIONS.assign(low=PREDICTIONS["prediction"] - 3, high=PREDICTIONS["prediction"] + 3)
    two = PREDICTIONS.assign(low=0.0, high=50.0)
    figure = drawn(error_figures.plot_coverage({"narrow": one, "wide": two}, 0.9))
    left, right = figure.axes
    # Predictions 5 and 6 (errors 2 and 1), 20 (5), 31 (5), 40 (1).
    curves = [
        [line.get_ydata().tolist() for line in axis.lines if len(line.get_xdata()) == 4] for axis in (left, right)
    ]
    assert curves == [[[1, 0, 0, 1], [1, 1, 1, 1]], [[6] * 4, [50] * 4]]
    assert left.lines[0].get_xdata().tolist() == [0, 20, 30, 40]
    assert left.lines[-1].get_ydata()[0] == 0.9
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["narrow", "wide"]
    assert left.get_legend() is None and right.get_legend() is None
