"""Figures with sliders that work in a live notebook and, without a kernel, on a page."""

import base64
import html
import io
import json
import math

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display

from ssrlib.figures import plot_stages
from ssrlib.stagewise import stage_contributions


def explore(draw, values, label, start=0):
    """Show one figure for each value and a slider to walk through them.

    All figures are drawn at once. A live notebook shows an ipywidgets slider; a static page shows the same pictures
    with a plain HTML slider, which needs no kernel and no library.

    Parameters
    ----------
    draw : callable
        Takes one of the values, returns `(figure, description)`: a matplotlib figure and a sentence that says what is
        on it, used as the picture's alternative text.
    values : sequence
        What the slider offers.
    label : str
        What the slider changes.
    start : int
        Position of the slider at first.
    """
    frames, descriptions = zip(*(_render(*draw(value)) for value in values), strict=True)
    picture = ipywidgets.Image(value=frames[start], format="png")
    options = [(str(value), number) for number, value in enumerate(values)]
    slider = ipywidgets.SelectionSlider(options=options, value=start, description=label)

    def turn(change):
        picture.value = frames[change["new"]]

    slider.observe(turn, names="value")
    live = ipywidgets.VBox([slider, picture])
    _show(live, _page(frames, descriptions, list(map(str, values)), label, start), descriptions[start])


def stagewise(stages, label, value_range=101, division_floor=0.1):
    """Show soft stagewise regression with a slider for every p, eta and Delta.

    A live notebook draws the figure again with `figures.plot_stages` whenever a slider moves; a static page does the
    same in the browser with `book/_static/stages.mjs`, and shows a still picture in print.

    Parameters
    ----------
    stages : sequence of (sequence of float, sequence of float, float)
        p, eta and Delta of each stage; the sliders start there.
    label : str
        What the numbers are.
    value_range, division_floor : float
        See `stagewise.SoftStagewiseRegression`.

    Raises
    ------
    ValueError
        If a stage has not as many etas as weights.
    """
    for k, (p, eta, _) in enumerate(stages, start=1):
        if len(p) != len(eta):
            raise ValueError(f"Stage {k} has {len(p)} weights p but {len(eta)} shifts eta; each bin needs one of both.")

    def slide(text, value, least, most):
        return ipywidgets.FloatSlider(value, min=least, max=most, step=0.01, description=text)

    groups_of_stages = [
        (
            [slide(f"p of bin {i}", weight, 0, max(1, math.ceil(weight))) for i, weight in enumerate(p)],
            [slide(f"η of bin {i}", shift, -1, 1) for i, shift in enumerate(eta)],
            [slide("Δ", delta, -1, 1)],
        )
        for p, eta, delta in stages
    ]

    def draw():
        heads = {
            f"{name}_{k}": np.array([[slider.value for slider in group]], "float32")
            for k, groups in enumerate(groups_of_stages, start=1)
            for name, group in zip(("p", "eta", "delta"), groups, strict=True)
        }
        years = stage_contributions(heads, value_range, division_floor=division_floor).sum()
        bins = [len(p) for p, _, _ in stages]
        return _render(plot_stages(heads, bins, value_range, division_floor=division_floor), f"{years:.2f} years")

    frame, answer = draw()
    picture, told = ipywidgets.Image(value=frame, format="png"), ipywidgets.Label(f"Age: {answer}")
    reset = ipywidgets.Button(description="Reset")

    def turn(_):
        picture.value, said = draw()
        told.value = f"Age: {said}"

    sliders = [[slider for group in groups for slider in group] for groups in groups_of_stages]

    def start_again(_):
        for (p, eta, delta), own in zip(stages, sliders, strict=True):
            for slider, value in zip(own, [*p, *eta, delta], strict=True):
                slider.value = value

    for slider in [slider for own in sliders for slider in own]:
        slider.observe(turn, names="value")
    reset.on_click(start_again)
    columns = [ipywidgets.VBox([ipywidgets.Label(f"stage {k}"), *own]) for k, own in enumerate(sliders, start=1)]
    live = ipywidgets.VBox([ipywidgets.Label(label), ipywidgets.HBox(columns), picture, told, reset])
    description = f"{label}: bars for the weights of each stage's bins; they add up to {answer}."
    numbers = {
        "value_range": value_range,
        "division_floor": division_floor,
        "stages": [{"p": list(p), "eta": list(eta), "delta": delta} for p, eta, delta in stages],
    }
    _show(live, _module("stages", numbers, label, frame, description), description)


def respond(name, numbers, label, controls, draw):
    """Show a figure that follows its controls.

    A live notebook draws it again with matplotlib whenever a control moves; a static page does the same in the browser
    with `book/_static/NAME.mjs`, and shows a still picture in print.

    Parameters
    ----------
    name : str
        The module's.
    numbers : dict
        What the module draws from, fit for JSON.
    label : str
        What the figure shows.
    controls : dict of ipywidgets.Widget
        For each of `draw`'s parameters the widget that holds its value.
    draw : callable
        Takes the controls' values, returns `(figure, description)`: a matplotlib figure and what is on it in words.
    """

    def render():
        return _render(*draw(**{name: control.value for name, control in controls.items()}))

    frame, description = render()
    picture, told = ipywidgets.Image(value=frame, format="png"), ipywidgets.Label(description)

    def turn(_):
        picture.value, told.value = render()

    for control in controls.values():
        control.observe(turn, names="value")
    live = ipywidgets.VBox([ipywidgets.Label(label), *controls.values(), picture, told])
    _show(live, _module(name, numbers, label, frame, description), description)


def _module(name, numbers, label, frame, description):
    """Write the part of a page that one of the modules takes over."""
    given = html.escape(json.dumps(numbers, separators=(",", ":")))
    return (
        f'<p class="ssr-label">{html.escape(label)}</p>'
        f'<div class="ssr-figure ssr-{name}" data-{name}="{given}">{_image(frame, description)}</div>'
        f'<script type="module" src="../_static/{name}.mjs"></script>'
    )


def _show(live, page, text):
    """Display a widget that a static page replaces by HTML."""
    view = {"version_major": 2, "version_minor": 0, "model_id": live.model_id}
    bundle = {"application/vnd.jupyter.widget-view+json": view, "text/html": page, "text/plain": text}
    display(bundle, raw=True)


def _image(frame, text, attributes=""):
    encoded = base64.b64encode(frame).decode()
    return f'<img src="data:image/png;base64,{encoded}" alt="{html.escape(text)}"{attributes}>'


def _render(figure, description):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    plt.close(figure)
    return buffer.getvalue(), description


def _page(frames, descriptions, values, label, start):
    images = "".join(
        _image(frame, text, f' data-value="{html.escape(value)}"{"" if number == start else " hidden"}')
        for number, (frame, text, value) in enumerate(zip(frames, descriptions, values, strict=True))
    )
    turn = (
        "const box = this.closest('.ssr-explore'), images = box.querySelectorAll('img');"
        "images.forEach((image, number) => image.hidden = number != this.value);"
        "box.querySelector('output').textContent = images[this.value].dataset.value;"
    )
    return (
        f'<div class="ssr-explore"><label>{html.escape(label)} '
        f'<input type="range" min="0" max="{len(frames) - 1}" value="{start}" oninput="{turn}"> '
        f"<output>{html.escape(values[start])}</output></label><div>{images}</div></div>"
    )
