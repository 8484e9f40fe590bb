"""The sliders of soft stagewise regression: what a page gets, and what a live notebook does."""

import json

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from bs4 import BeautifulSoup
from ipywidgets import Button, FloatSlider, Image

from ssrlib import widgets

# V = 90: 0.5 * 1 * 30 + 0.25 * (2 - 0.4) * 30, then bins of 30 / (2 * 0.5) = 30: 1 * 1.2 * 30.
STAGES = [([0.1, 0.5, 0.25], [0.0, 0.0, -0.4], 0.0), ([0.0, 1.0], [0.0, 0.2], -0.5)]
AGE = 0.5 * 30 + 0.25 * 1.6 * 30 + 1.2 * 30


@pytest.fixture
def shown(monkeypatch):
    """What was displayed, and the widgets that were made."""
    bundles, made = [], []
    monkeypatch.setattr(widgets, "display", lambda bundle, raw: bundles.append(bundle))
    for name in ("FloatSlider", "Image", "Label", "Button"):
        original = getattr(ipywidgets, name)
        monkeypatch.setattr(
            ipywidgets, name, lambda *a, original=original, **k: made.append(original(*a, **k)) or made[-1]
        )
    return bundles, made


def test_a_page_gets_the_numbers_the_module_and_a_still_picture(shown):
    widgets.stagewise(STAGES, 'a "label" & more', value_range=90)
    (bundle,) = shown[0]
    page = BeautifulSoup(bundle["text/html"], "html.parser")
    figure = page.find(class_="ssr-stages")
    assert json.loads(figure["data-stages"]) == {
        "value_range": 90,
        "division_floor": 0.1,
        "stages": [{"p": p, "eta": eta, "delta": delta} for p, eta, delta in STAGES],
    }
    assert page.find("script")["src"] == "../_static/stages.mjs"
    assert page.find(class_="ssr-label").text == 'a "label" & more'
    assert figure.img["src"].startswith("data:image/png;base64,") and f"{AGE:.2f} years" in figure.img["alt"]
    assert "application/vnd.jupyter.widget-view+json" in bundle and f"{AGE:.2f}" in bundle["text/plain"]


def test_a_moved_slider_draws_and_tells_anew_and_reset_goes_back(shown):
    widgets.stagewise(STAGES, "label", value_range=90)
    made = shown[1]
    sliders = [widget for widget in made if isinstance(widget, FloatSlider)]
    (picture,) = [widget for widget in made if isinstance(widget, Image)]
    told = next(widget for widget in made if getattr(widget, "value", "") == f"Age: {AGE:.2f} years")
    assert [slider.value for slider in sliders] == [0.1, 0.5, 0.25, 0, 0, -0.4, 0, 0, 1, 0, 0.2, -0.5]
    before = picture.value
    sliders[-1].value = 0.0  # the second stage's Delta: bins of 15 instead of 30 years
    assert picture.value != before
    assert told.value == f"Age: {AGE - 18:.2f} years"
    next(widget for widget in made if isinstance(widget, Button)).click()
    assert told.value == f"Age: {AGE:.2f} years" and picture.value == before


def test_weights_above_one_have_room(shown):
    widgets.stagewise([([0.0, 2.3], [0.0, 0.0], 0.0)], "label")
    sliders = [widget for widget in shown[1] if isinstance(widget, FloatSlider)]
    assert [slider.max for slider in sliders[:2]] == [1, 3] and np.isclose(sliders[1].value, 2.3)


def test_a_bin_without_its_shift_is_refused():
    with pytest.raises(ValueError, match="Stage 2 has 2 weights p but 3 shifts eta"):
        widgets.stagewise([([1, 0], [0, 0], 0.0), ([1, 0], [0, 0, 0], 0.0)], "label")


def test_a_figure_follows_its_controls(shown):
    def draw(power, base):
        figure, axis = plt.subplots(figsize=(2, 2))
        axis.plot([0, base**power])
        return figure, f"{base} to the {power} is {base**power}"

    controls = {"power": ipywidgets.IntSlider(2, max=5), "base": ipywidgets.Dropdown(options=[2, 3], value=3)}
    widgets.respond("powers", {"of": "<2 & 3>"}, "Powers", controls, draw)
    (bundle,) = shown[0]
    page = BeautifulSoup(bundle["text/html"], "html.parser")
    assert json.loads(page.find(class_="ssr-powers")["data-powers"]) == {"of": "<2 & 3>"}
    assert page.img["alt"] == bundle["text/plain"] == "3 to the 2 is 9"
    assert page.script["src"] == "../_static/powers.mjs"
    (picture,) = [widget for widget in shown[1] if isinstance(widget, Image)]
    before = picture.value
    controls["power"].value = 4
    assert picture.value != before
    assert any(getattr(widget, "value", "") == "3 to the 4 is 81" for widget in shown[1])
    controls["base"].value = 2
    assert any(getattr(widget, "value", "") == "2 to the 4 is 16" for widget in shown[1])
