"""The appendix's forward pass in NumPy, taken out of the notebook, against Keras and against the authors' outputs."""

import json

import numpy as np
import pytest
from conftest import ROOT
from test_network import alive

from ssrlib.authors import load_authors
from ssrlib.network import stage_heads


@pytest.fixture(scope="module")
def ssrnet():
    notebook = json.loads((ROOT / "notebooks" / "08_numpy.ipynb").read_text(encoding="utf-8"))
    names = {}
    for cell in notebook["cells"]:
        if "forward" in cell["metadata"].get("tags", []):
            exec("".join(cell["source"]), names)
    assert {name for name, value in names.items() if type(value).__name__ == "module"} == {"np"}
    return names["ssrnet"]


def arrays_of(model):
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_it_says_what_keras_says(ssrnet, floor):
    model = alive(division_floor=floor)
    faces = np.random.default_rng(2).integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    expected = stage_heads(model).predict(faces, verbose=0)
    found = ssrnet(faces, arrays_of(model), floor=floor)
    assert found.keys() == expected.keys()
    assert np.ptp(expected["prediction"]) > 0
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-4, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", ["imdb", "wiki", "megaage", "megaface_asian"])
def test_with_the_authors_weights_it_says_what_their_code_said(shared, ssrnet, name):
    reference = shared / "reference"
    faces = np.load(reference / "golden" / "inputs.npz")["x"][..., ::-1]
    golden = np.load(reference / "golden" / f"{name}.npz")
    model = load_authors(reference / "weights" / f"{name}.h5")
    found = ssrnet(faces, arrays_of(model))
    np.testing.assert_allclose(found["prediction"], model.predict(faces, verbose=0), atol=1e-4)
    np.testing.assert_allclose(found["prediction"], golden["out"], atol=1e-3)
    for k in (1, 2, 3):
        for head, theirs in (("p", "pred_age_stage"), ("eta", "local_delta_stage"), ("delta", "delta_s")):
            np.testing.assert_allclose(found[f"{head}_{k}"], golden[f"{theirs}{k}"], atol=1e-5)
