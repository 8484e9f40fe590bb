"""The landing page's picture: one drawn face, what each stage adds for it, and the age that comes out.

Bars and bins stand at shares of the width, and all words are the page's own text: so the picture fits a phone, follows
light and dark, and can be read aloud. The directive `one-answer` takes the age at which the face is drawn.
"""

import base64
import itertools
import math

import cv2
import numpy as np
import seaborn as sns
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from ssrlib import records, synthetic, weights
from ssrlib.alignment import crop_face
from ssrlib.backend import import_keras

WEIGHTS, SEED, INDEX = "drawn", 11, 6  # the person on README's picture
COLOURS = sns.color_palette("colorblind").as_hex()


def compute(age):
    """Let the recorded network answer to a drawn face.

    Parameters
    ----------
    age : float
        At which the face is drawn, in years.

    Returns
    -------
    face : ndarray of uint8, shape (64, 64, 3)
    stages : list of dict
        Of each stage `weights` and `years`, arrays with an item for each bin, and `width`, in years.
    """
    import_keras()
    from ssrlib.network import stage_heads
    from ssrlib.stagewise import bin_widths

    model, crop, record = weights.load_model(WEIGHTS)
    network = record["network"]
    face = crop_face(synthetic.draw_face(SEED, INDEX, size=160, age=age)[0], crop)[0]
    heads = {name: head[0] for name, head in stage_heads(model).predict(face[None], verbose=0).items()}
    numbers = range(1, len(network["stages"]) + 1)
    widths = bin_widths(network["stages"], network["value_range"], [float(heads[f"delta_{k}"][0]) for k in numbers])
    return face, [
        {"weights": heads[f"p_{k}"], "width": width, "years": (np.arange(bins) + heads[f"eta_{k}"]) * width}
        for k, bins, width in zip(numbers, network["stages"], widths, strict=True)
    ]


def draw(face, stages, age):
    """Write the picture as HTML.

    Parameters
    ----------
    face, stages
        As `compute` returns them.
    age : float
        The true one, in years.

    Returns
    -------
    str
    """
    sums = np.cumsum([0, *(float(stage["weights"] @ stage["years"]) for stage in stages)])
    furthest = max(sums.max(), *(start + max(stage["years"]) for start, stage in zip(sums[:-1], stages, strict=True)))
    scale = 10 * math.ceil(furthest / 10)
    rows = [
        f"<p><b>Stage {k}</b>: bins {stage['width']:.1f} years apart add <b>{sums[k] - sums[k - 1]:.1f}</b></p>"
        f"{draw_stage(k, stage, sums, scale)}"
        for k, stage in enumerate(stages, start=1)
    ]
    picture = base64.b64encode(cv2.imencode(".png", face[..., ::-1])[1]).decode()
    alt = f"A drawn face at {age:g} years, upright and cut out, so coarse that its pixels can be seen."
    image = f'<img src="data:image/png;base64,{picture}" width="128" height="128" alt="{alt}">'
    return (
        f'<div class="one-answer"><div class="side">{image}<p>In: {face.shape[1]}x{face.shape[0]} pixels</p></div>'
        f"<div>{''.join(rows)}{draw_axis(scale)}</div>"
        f'<div class="side"><p>Out:</p><p class="age">{sums[-1]:.1f} years</p><p>drawn at {age:g}</p></div></div>'
    )


def draw_stage(number, stage, sums, scale):
    """Write a bar for each stage so far, and above them a dot for each bin of this one."""
    bars = "".join(
        f'<rect x="{share(min(ends), scale)}" width="{share(max(ends) - min(ends), scale)}" y="20" height="14" '
        f'fill="{COLOURS[k]}" fill-opacity="{1 if k == number - 1 else 0.35}"/>'
        for k, ends in enumerate(itertools.pairwise(sums[: number + 1]))
    )
    dots = "".join(
        f'<circle cx="{share(sums[number - 1] + years, scale)}" cy="9" r="{8 * math.sqrt(weight):.1f}" '
        f'fill="{COLOURS[number - 1]}"/>'
        for weight, years in zip(stage["weights"], stage["years"], strict=True)
    )
    return f'<svg height="36" aria-hidden="true">{bars}{dots}</svg>'


def draw_axis(scale):
    """Write the years below the bars."""
    ticks = "".join(
        f'<text x="{share(years, scale)}" y="14" text-anchor="{"middle" if years else "start"}">{years}</text>'
        for years in range(0, math.ceil(0.75 * scale), 20)
    )
    end = f'<text x="100%" y="14" text-anchor="end">{scale} years</text>'
    return f'<svg height="18" aria-hidden="true">{ticks}{end}</svg>'


def share(years, scale):
    """Write years as a share of the width.

    >>> share(15, 60)
    '25.0%'
    """
    return f"{100 * years / scale:.1f}%"


class OneAnswer(SphinxDirective):
    required_arguments = 1

    def run(self):
        age = float(self.arguments[0])
        self.env.note_dependency(str(records.read_run(WEIGHTS).weights))
        return [nodes.raw("", draw(*compute(age), age), format="html")]


def setup(app):
    app.add_directive("one-answer", OneAnswer)
    return {"parallel_read_safe": True}
