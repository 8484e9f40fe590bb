"""Maps of what a network looks at: of networks that look at a known place, and of one network on two backends."""

import itertools
import os
import subprocess
import sys
from importlib.util import find_spec

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from ssrlib import alignment, saliency, synthetic, weights

PATCH = np.s_[20:24, 24:28]
HEIGHT, WIDTH = 11, 14
CROP = alignment.Crop()


def picture(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def linear(weight):
    """A network whose answer is the sum of weight times picture."""
    layers = [keras.Input(weight.shape), keras.layers.Flatten(), keras.layers.Dense(1, use_bias=False)]
    model = keras.Sequential(layers)
    model.set_weights([weight.reshape(-1, 1)])
    return model


def reads_patch(value=0.01):
    weight = np.zeros((64, 64, 3))
    weight[PATCH] = value
    return linear(weight)


RANDOM_WEIGHT = np.random.default_rng(1).normal(0, 0.01, (HEIGHT, WIDTH, 3))
RANDOM_LINEAR = linear(RANDOM_WEIGHT)


def test_covering_moves_the_answer_where_the_network_looks_and_nowhere_else():
    image = picture(64, 64)
    image[PATCH] //= 4
    found = saliency.occlusion_map(reads_patch(), image, size=12, stride=4, fill="mean")
    # The patch lies on the grid of the steps: a square that covers one of its pixels covers it all.
    expected = 0.01 * (np.rint(image.mean(axis=(0, 1))) - image[PATCH]).sum()
    np.testing.assert_allclose(found[PATCH], expected, rtol=1e-4)
    near = np.zeros((64, 64), bool)
    near[20 - 11 : 24 + 11, 24 - 11 : 28 + 11] = True
    assert abs(expected) > 1 and np.abs(found[~near]).max() == 0


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_map_averages_the_squares_that_cover_a_pixel(data):
    size = data.draw(st.integers(1, HEIGHT))
    stride = data.draw(st.integers(1, size))
    image = picture(HEIGHT, WIDTH, seed=size)
    change = (RANDOM_WEIGHT * (np.rint(image.mean(axis=(0, 1))) - image)).sum(axis=-1)
    tops, lefts = ({s for s in range(side) if s + size <= side and s % stride == 0} | {side - size}
                   for side in (HEIGHT, WIDTH))  # fmt: skip
    covering = {pixel: [] for pixel in np.ndindex(HEIGHT, WIDTH)}
    for top, left in itertools.product(tops, lefts):
        for pixel in itertools.product(range(top, top + size), range(left, left + size)):
            covering[pixel].append(change[top : top + size, left : left + size].sum())
    expected = np.reshape([np.mean(changes) for changes in covering.values()], (HEIGHT, WIDTH))
    found = saliency.occlusion_map(RANDOM_LINEAR, image, size, stride, "mean")
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_the_blurred_square_is_a_gaussian_blur():
    image = picture(12, 12)
    image[:, :6] //= 3
    weight = np.random.default_rng(2).uniform(0, 0.01, image.shape) * (image > 128)
    blurred = ndimage.gaussian_filter(image.astype(float), (4, 4, 0), mode="nearest")
    found = saliency.occlusion_map(linear(weight), image, size=12, stride=12, fill="blur")
    # One square covers the whole picture, whose bytes are rounded.
    np.testing.assert_allclose(found, (weight * (blurred - image)).sum(), atol=np.abs(weight).sum())
    assert np.ptp(found) == 0 and abs((weight * (blurred - image)).sum()) > 3 * np.abs(weight).sum()


@pytest.mark.parametrize(
    "arguments", [{"size": 0}, {"size": 65}, {"size": 8, "stride": 9}, {"stride": 0}, {"fill": "black"}]
)
def test_impossible_squares_are_refused(arguments):
    with pytest.raises(ValueError, match=r"Squares of|is filled with"):
        saliency.occlusion_map(reads_patch(), picture(64, 64), **arguments)


def test_the_gradient_of_a_linear_network_is_its_weight_however_noisy():
    weight = np.zeros((64, 64, 3))
    weight[PATCH] = 0.01, -0.02, 0.03
    found = saliency.gradient_map(linear(weight), picture(64, 64))
    np.testing.assert_allclose(found, weight, atol=1e-8)


def squares_model(side=16):
    """The answer is half of the sum of squares of the picture cut to 0..255: its gradient is the picture."""
    image = keras.Input((side, side, 3))
    cut = keras.ops.clip(image, 0.0, 255.0)
    return keras.Model(image, 0.5 * keras.ops.sum(cut * cut, axis=(1, 2, 3))[:, None])


def test_noise_averages_out():
    image = np.clip(picture(16, 16), 40, 215)
    found = saliency.gradient_map(squares_model(), image, noise=5.0, copies=64, seed=3)
    deviation = (found - image) / (5 / np.sqrt(64))
    assert np.abs(deviation).max() < 5 and 0.9 < deviation.std() < 1.1
    again = saliency.gradient_map(squares_model(), image, noise=5.0, copies=64, seed=3)
    other = saliency.gradient_map(squares_model(), image, noise=5.0, copies=64, seed=4)
    np.testing.assert_array_equal(found, again)
    assert np.abs(found - other).max() > 0.5


@pytest.mark.parametrize("value", [0, 255])
def test_pixels_at_the_end_of_the_range_keep_their_gradient(value):
    image = np.full((16, 16, 3), value, np.uint8)
    found = saliency.gradient_map(squares_model(), image, noise=0, copies=1)
    np.testing.assert_allclose(found, abs(value - 0.5))


@pytest.mark.parametrize("arguments", [{"noise": -1}, {"noise": float("nan")}, {"copies": 0}])
def test_impossible_smoothing_is_refused(arguments):
    with pytest.raises(ValueError, match="Smoothing takes"):
        saliency.gradient_map(reads_patch(), picture(64, 64), **arguments)


@pytest.mark.parametrize("function", [saliency.occlusion_map, saliency.gradient_map])
def test_a_picture_is_rgb_bytes(function):
    with pytest.raises(ValueError, match="RGB"):
        function(reads_patch(), picture(64, 64).astype(np.float32))


def drawn_crop():
    return alignment.crop_face(synthetic.draw_face(seed=1, index=0, age=70)[0], CROP)[0]


def test_the_gradient_foretells_a_small_change_of_the_picture():
    model, image = weights.load_model("drawn")[0], drawn_crop()
    gradient = saliency.gradient_map(model, image, noise=0, copies=1)
    step = 0.01 * np.sign(gradient)
    inside = np.clip(image, 0.5, 254.5)
    above, below = model.predict(np.float32([inside + step, inside - step]), verbose=0)[:, 0]
    assert (above - below) / 2 == pytest.approx((gradient * step).sum(), rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backends_agree(backend, tmp_path):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    script = """
import sys, numpy as np
from ssrlib import saliency, weights
image = np.load(sys.argv[1])
np.save(sys.argv[2], saliency.gradient_map(weights.load_model("drawn")[0], image, copies=4))
"""
    image, found = drawn_crop(), tmp_path / "gradient.npy"
    np.save(tmp_path / "image.npy", image)
    subprocess.run(
        [sys.executable, "-c", script, tmp_path / "image.npy", found],
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    expected = saliency.gradient_map(weights.load_model("drawn")[0], image, copies=4)
    np.testing.assert_allclose(np.load(found), expected, atol=1e-3 * np.abs(expected).max())


def brightness():
    return linear(np.full((64, 64, 3), 1 / (64 * 64 * 3)))


def test_all_signs_set_back_draw_the_person_at_25():
    ages = np.random.default_rng(4).uniform(50, 80, 3)
    changes, ideal = [], []
    for index, age in enumerate(ages):
        old, young = (synthetic.draw_face(4, index, age=years) for years in (age, saliency.YOUNG))
        assert (old[3]["beard"], old[3]["make_up"]) == (young[3]["beard"], young[3]["make_up"])
        points = alignment.find_landmarks(old[0], alignment.usable_faces(old[0], CROP)[0])
        matrix = alignment.alignment_matrix(points, CROP)
        changes.append(alignment.warp_crop(young[0], matrix).mean() - alignment.warp_crop(old[0], matrix).mean())
        ideal.append(np.subtract(*(synthetic.ideal_guess(pd.DataFrame([p[3]]))[0] for p in (young, old))))
    effects = saliency.cue_effects({"brightness": brightness()}, CROP, {"all": tuple(synthetic.CUES)}, 3, seed=4)
    assert effects["guesser"].tolist() == ["brightness", "ideal"] and set(effects["people"]) == {3}
    assert effects["years"].tolist() == pytest.approx([np.mean(changes), np.mean(ideal)], abs=0.1)


def test_only_what_has_changed_since_25_has_an_effect():
    # Full growth and maturity are reached before 25; dyed hair is darker than grey hair.
    groups = {"nothing": (), "grown up": ("maturity", "hair_growth"), "dyed": ("greying",)}
    effects = saliency.cue_effects({"brightness": brightness()}, CROP, groups, 8).set_index(["cues", "guesser"])
    assert (effects.loc[["nothing", "grown up"], ["years", "low", "high"]] == 0).all(axis=None)
    assert (effects.loc["dyed", "high"] < 0).all()


def test_the_interval_is_about_two_standard_errors():
    groups = {"hair": saliency.CUE_GROUPS["hair"]}
    row = saliency.cue_effects({}, CROP, groups, 40, seed=5).iloc[0]
    changes = []
    for index, age in enumerate(np.random.default_rng(5).uniform(50, 80, 40)):
        own = synthetic.draw_face(5, index, 32, age)[3]
        pair = pd.DataFrame([own, saliency.set_back(own, age, groups["hair"])])
        changes.append(np.diff(synthetic.ideal_guess(pair))[0])
    assert row["people"] == 40, "a person without a face would shift the others"
    assert row["years"] == pytest.approx(np.mean(changes))
    two_sided = 1.96 * np.std(changes) / np.sqrt(40)
    assert row["high"] - row["years"] == pytest.approx(two_sided, rel=0.2)
    assert row["years"] - row["low"] == pytest.approx(two_sided, rel=0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": {"hair": ("greying", "dye")}}, "no cue dye"),
        ({"count": 1}, "at least 2 people"),
        ({"crop": alignment.WHOLE_PICTURE}, "with landmarks"),
    ],
)
def test_impossible_questions_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        saliency.cue_effects(**{"models": {}, "crop": CROP} | arguments)
