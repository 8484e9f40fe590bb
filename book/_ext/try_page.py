"""Write what the page "Try it" loads: the network's weights, its settings, the face finder and the sample pictures.

All of it comes from `results/`, dlib and the packages of this book; nothing is fetched and nothing is kept in git.
"""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from convolution import assemble_convolution
from face_finder import finder_weights
from PIL import Image
from skimage import data

from ssrlib import conformal, records, synthetic
from ssrlib.backend import import_keras

WEIGHTS = "faces"
LEVEL = 0.9  # of the interval
SAMPLES = {"drawn-1": 9, "drawn-2": 38, "drawn-3": 67}  # drawn faces by age, in years
SEED, SAMPLE_SIZE = 11, 320  # pixels


def fold_network(model):
    """Merge each batch normalization into the convolution before it.

    Parameters
    ----------
    model : keras.Model
        An SSR-Net with stages (3, 3, 3).

    Returns
    -------
    layers : list of dict
        `name`, `kernel` (how many numbers) and `filters` of each layer.
    weights : ndarray of float32
        Kernel and bias of each layer, one after the other.
    """
    layers, weights = [], []
    for layer in model.layers:
        if not hasattr(layer, "kernel"):
            continue
        kernel, bias = (np.asarray(array, np.float64) for array in layer.get_weights())
        if (part := layer.name.replace("_conv_", "_norm_")) != layer.name and part.count("_") == 2:
            norm = model.get_layer(part)
            gamma, beta, mean, variance = (np.asarray(array, np.float64) for array in norm.get_weights())
            scale = gamma / np.sqrt(variance + norm.epsilon)
            kernel, bias = kernel * scale, (bias - mean) * scale + beta
        layers.append({"name": layer.name, "kernel": kernel.size, "filters": kernel.shape[-1]})
        weights += [kernel.ravel(), bias]
    return layers, np.concatenate(weights).astype(np.float32)


def write_network(folder, model, network, crop, radii):
    """Write `model.json` and `model.bin`.

    Parameters
    ----------
    folder : Path
    model : keras.Model
    network, crop : dict
        As in a weights file's record.
    radii : list of float or None
        Half widths of the interval for estimates from 0, 10, ... years.
    """
    layers, weights = fold_network(model)
    settings = {
        "weights": WEIGHTS,
        "value_range": network["value_range"],
        "division_floor": network["division_floor"],
        "crop": {"margin": crop["margin"]},
        "interval": {"level": LEVEL, "radii": radii},
        "layers": layers,
    }
    (folder / "model.json").write_text(json.dumps(settings))
    (folder / "model.bin").write_bytes(weights.tobytes())


def interval_radii(predictions):
    """Half widths of the conformal interval by decade of the estimate, from the validation part; None: no promise."""
    decades = pd.DataFrame({"prediction": np.arange(5.0, 70, 10)})
    known = predictions[predictions["split"] == "val"]
    intervals = conformal.predict_intervals(known, decades, LEVEL, "by predicted decade")
    radii = intervals["high"] - intervals["prediction"]
    return [round(radius, 3) if math.isfinite(radius) else None for radius in radii]


def write_samples(folder):
    """Write three drawn faces and NASA's portrait of Eileen Collins."""
    for number, (name, age) in enumerate(SAMPLES.items()):
        face = synthetic.draw_face(SEED, number, SAMPLE_SIZE, age=age)[0]
        Image.fromarray(face).save(folder / f"{name}.webp", quality=85)
    Image.fromarray(data.astronaut()[:340, 60:400]).save(folder / "astronaut.webp", quality=85)


def write_assets(folder):
    """Write all files into a folder."""
    import_keras()
    from ssrlib import weights

    folder.mkdir(parents=True, exist_ok=True)
    model, _, record = weights.load_model(WEIGHTS)
    radii = interval_radii(records.read_run(WEIGHTS).predictions)
    write_network(folder, model, record["network"], record["crop"], radii)
    step = records.read_table("page_alignment")[0].to_numpy(np.float32)
    (folder / "finder.bin").write_bytes(np.concatenate([finder_weights(), step.ravel()]).tobytes())
    (folder / "convolution.wasm").write_bytes(assemble_convolution())
    write_samples(folder)


def copy_static(folder):
    """Copy what the pages load into a folder, for tests and measurements without a built book; gives the folder."""
    return Path(shutil.copytree(Path(__file__).parents[1] / "_static", folder, dirs_exist_ok=True))


def crop_table():
    """Say in a Markdown table what the page's crop costs, as recorded by `benchmarks/page_crop.py`."""
    table, about = records.read_table("page_crop")
    rows = [(row.crop, f"{row.mae:.2f}", f"{row.bias:+.2f}", f"{row.ca5:.3f}") for row in table.itertuples()]
    low, high = about["page_minus_ssrlib"]
    return (
        f"{write_markdown(('Crop', 'MAE (years)', 'Bias (years)', 'CA(5)'), rows)}\n\n"
        f"Measured on {about['faces']}, out of {about['pictures']}. The first two rows differ by {low:+.2f} to "
        f"{high:+.2f} years (95 % interval). The page's {LEVEL:.0%} interval held {about['coverage']:.1%} of the ages."
    )


def runtimes_table():
    """Compare in a Markdown table what can run the network in a browser, as recorded by `benchmarks/runtimes.py`."""
    table, about = records.read_table("runtimes")
    rows = [
        (
            row.runtime,
            f"{row.bytes / 1000:,.0f}",
            f"{row.median_ms:.1f}",
            f"{row.fastest_ms:.1f}",
            f"{row.largest_difference:.5f}",
        )
        for row in table.itertuples()
    ]
    heads = ("Runtime", "kB over the wire", "ms, median", "ms, fastest", "off Keras by at most (years)")
    return f"{write_markdown(heads, rows)}\n\nMeasured in Chromium on {about['cores']} cores of a {about['processor']}."


def write_markdown(heads, rows):
    lines = [heads, ["---"] + ["--:"] * (len(heads) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def setup(app):
    def write(app, exception):
        if exception is None and app.builder.format == "html":
            write_assets(Path(app.outdir, "_static", "try"))

    def substitute(app, config):
        tables = {"try_crop": crop_table(), "try_runtimes": runtimes_table()}
        config.myst_substitutions = config.myst_substitutions | tables

    app.connect("config-inited", substitute)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
