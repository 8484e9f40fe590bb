"""Sliders that work in a live notebook and, from the same pictures, on a page without a kernel."""

import base64
import html
import io

import ipywidgets
import matplotlib.pyplot as plt
from IPython.display import display


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
    picture = ipywidgets.Image(value=frames[start], format="png", alt=descriptions[start])
    options = [(str(value), number) for number, value in enumerate(values)]
    slider = ipywidgets.SelectionSlider(options=options, value=start, description=label)

    def turn(change):
        picture.value = frames[change["new"]]

    slider.observe(turn, names="value")
    live = ipywidgets.VBox([slider, picture])
    view = {"version_major": 2, "version_minor": 0, "model_id": live.model_id}
    bundle = {
        "application/vnd.jupyter.widget-view+json": view,
        "text/html": _page(frames, descriptions, list(map(str, values)), label, start),
        "text/plain": descriptions[start],
    }
    display(bundle, raw=True)


def _render(figure, description):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    plt.close(figure)
    return buffer.getvalue(), description


def _page(frames, descriptions, values, label, start):
    images = "".join(
        f'<img src="data:image/png;base64,{base64.b64encode(frame).decode()}" alt="{html.escape(text)}"'
        f' data-value="{html.escape(value)}"{"" if number == start else " hidden"}>'
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
