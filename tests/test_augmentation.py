"""The warp against SciPy, picture by picture, and the draws against their nominal chances."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from ssrlib.augmentation import RandomAffine, affine_matrices, warp

SIZE = 16
IDENTITY = {"flip": False, "angle": 0.0, "shear": 0.0, "shift": (0.0, 0.0), "zoom": (1.0, 1.0)}


def pictures(count=1, seed=0, size=SIZE):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype(np.float32)


def matrices(*steps, size=SIZE):
    """Call `affine_matrices` with one dict of parameters a picture, each telling only what it changes."""
    rows = [IDENTITY | step for step in steps]
    columns = {name: np.array([row[name] for row in rows]) for name in IDENTITY}
    columns = {name: value if name == "flip" else np.float32(value) for name, value in columns.items()}
    return keras.ops.convert_to_numpy(affine_matrices(size, **columns))


def warped(images, *steps):
    result = warp(images, matrices(*steps, size=images.shape[1]))
    return keras.ops.convert_to_numpy(result)


def scipy_warp(image, step):
    """Work out the source of every pixel in double precision and let SciPy interpolate it."""
    step = IDENTITY | step
    size = image.shape[0]
    centre = (size - 1) / 2
    y, x = np.mgrid[:size, :size] - centre
    # Going back from the result: undo the last step first.
    x, y = step["zoom"][0] * x, step["zoom"][1] * y
    x, y = x + step["shift"][0] * size, y + step["shift"][1] * size
    x, y = math.cos(step["shear"]) * x, y - math.sin(step["shear"]) * x
    cosine, sine = math.cos(step["angle"]), math.sin(step["angle"])
    x, y = cosine * x + sine * y, cosine * y - sine * x
    x = -x if step["flip"] else x
    where = [y + centre, x + centre]
    return np.stack([ndimage.map_coordinates(image[..., c], where, order=1, mode="nearest") for c in range(3)], axis=-1)


angles, shears = st.floats(-0.6, 0.6), st.floats(-0.4, 0.4)
shifts = st.tuples(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4))
zooms = st.tuples(st.floats(0.6, 1.4), st.floats(0.6, 1.4))


@pytest.mark.parametrize(
    "step",
    [
        {"flip": True},
        {"angle": 0.3},
        {"angle": -0.3},
        {"shear": 0.2},
        {"shear": -0.2},
        {"shift": (0.15, 0.0)},
        {"shift": (0.0, -0.15)},
        {"zoom": (1.2, 1.0)},
        {"zoom": (1.0, 0.8)},
        {"flip": True, "angle": 0.2, "shear": 0.1, "shift": (0.1, -0.2), "zoom": (0.8, 1.2)},
    ],
    ids=str,
)
def test_each_step_agrees_with_scipy(step):
    image = pictures()[0]
    np.testing.assert_allclose(warped(image[None], step)[0], scipy_warp(image, step), atol=0.05)


@settings(deadline=None, max_examples=40)
@given(
    steps=st.lists(
        st.fixed_dictionaries(
            {"flip": st.booleans(), "angle": angles, "shear": shears, "shift": shifts, "zoom": zooms}
        ),
        min_size=1,
        max_size=3,
    )
)
def test_all_steps_together_agree_with_scipy_picture_by_picture(steps):
    images = pictures(len(steps))
    expected = [scipy_warp(image, step) for image, step in zip(images, steps, strict=True)]
    # Single precision moves a source by some 1e-6 pixels, and neighbours differ by up to 255.
    np.testing.assert_allclose(warped(images, *steps), expected, atol=0.05)


def test_matrices_agree_with_scipys_affine_transform():
    image = pictures()[0]
    step = {"angle": 0.25, "shear": -0.1, "shift": (0.1, 0.05), "zoom": (1.1, 0.9)}
    (matrix,) = matrices(step).astype(float)
    swap = [1, 0, 2]  # SciPy's coordinates are (row, column)
    matrix = matrix[swap][:, swap]
    expected = [ndimage.affine_transform(image[..., c], matrix, order=1, mode="nearest") for c in range(3)]
    np.testing.assert_allclose(warped(image[None], step)[0], np.stack(expected, axis=-1), atol=0.05)


def test_steps_without_interpolation_are_numpys_own_moves():
    images = pictures(5)
    steps = [
        {"flip": True},
        {"angle": math.pi / 2},
        {"shift": (3 / SIZE, 0.0)},
        {"shift": (0.0, -2 / SIZE)},
        {"flip": True, "shift": (3 / SIZE, 0.0)},
    ]
    expected = [
        images[0][:, ::-1],
        # A quarter turn takes the pixel (x, y) about the centre from (y, -x).
        np.rot90(images[1], 3),
        # The result's left edge shows what was 3 pixels further right; the right edge repeats.
        np.concatenate([images[2][:, 3:], images[2][:, -1:].repeat(3, axis=1)], axis=1),
        np.concatenate([images[3][:1].repeat(2, axis=0), images[3][:-2]], axis=0),
        # Flipped first, then shifted.
        np.concatenate([images[4][:, ::-1][:, 3:], images[4][:, :1].repeat(3, axis=1)], axis=1),
    ]
    np.testing.assert_allclose(warped(images, *steps), expected, atol=0.05)


def test_one_resampling_equals_the_steps_one_after_another():
    # A plane stays a plane under bilinear interpolation, so that resampling five times loses nothing in the middle.
    y, x = np.mgrid[:32, :32].astype(np.float32)
    image = np.stack([3 * x + y, 2 * y - x, x + 40], axis=-1)[None]
    step = {"flip": True, "angle": 0.2, "shear": 0.15, "shift": (0.06, -0.03), "zoom": (0.9, 1.1)}
    one_by_one = image
    for name, value in step.items():
        one_by_one = warped(one_by_one, {name: value})
    np.testing.assert_allclose(warped(image, step)[0, 12:20, 12:20], one_by_one[0, 12:20, 12:20], atol=0.01)


@pytest.mark.parametrize("size", [16, 33, 64])
def test_the_identity_leaves_pictures_unchanged(size):
    images = pictures(3, size=size)
    np.testing.assert_array_equal(warped(images, {}, {}, {}), images)


def test_pictures_are_only_warped_while_training():
    images = pictures(8, size=64)
    layer = RandomAffine(chance=1.0)
    np.testing.assert_array_equal(layer(images), images)
    np.testing.assert_array_equal(layer(images, training=False), images)
    assert np.all(np.abs(np.asarray(layer(images, training=True)) - images).mean(axis=(1, 2, 3)) > 1)


def test_a_layer_with_no_chances_changes_nothing():
    images = pictures(8)
    np.testing.assert_array_equal(RandomAffine(flip=0.0, chance=0.0)(images, training=True), images)


def test_a_layer_does_what_it_has_drawn():
    images = pictures(6)
    drawn = {name: keras.ops.convert_to_numpy(v) for name, v in RandomAffine(chance=1.0, seed=3).draw(6).items()}
    result = np.asarray(RandomAffine(chance=1.0, seed=3)(images, training=True))
    for row in range(6):
        step = {name: value[row] for name, value in drawn.items()}
        np.testing.assert_allclose(result[row], scipy_warp(images[row], step), atol=0.05)


def test_the_seed_decides_and_every_call_draws_anew():
    images = pictures(4)
    layers = [RandomAffine(seed=seed) for seed in (1, 1, 2)]
    first = [np.asarray(layer(images, training=True)) for layer in layers]
    second = [np.asarray(layer(images, training=True)) for layer in layers]
    np.testing.assert_array_equal(first[0], first[1])
    np.testing.assert_array_equal(second[0], second[1])
    assert np.any(first[0] != first[2])
    assert np.any(first[0] != second[0])


def test_chances_and_limits_are_the_nominal_ones():
    count = 4000
    layer = RandomAffine(flip=0.5, chance=0.25, rotation=20, shear=0.2, shift=0.1, zoom=0.3, seed=5)
    drawn = {name: keras.ops.convert_to_numpy(value) for name, value in layer.draw(count).items()}
    values = {"angle": drawn["angle"], "shear": drawn["shear"], "shift": drawn["shift"], "zoom": drawn["zoom"] - 1}
    limits = {"angle": math.radians(20), "shear": 0.2, "shift": 0.1, "zoom": 0.3}
    happened = {"flip": drawn["flip"]}
    for name, value in values.items():
        moved = value != 0
        if value.ndim == 2:
            np.testing.assert_array_equal(moved[:, 0], moved[:, 1], err_msg="x and y are moved together")
            assert abs(np.corrcoef(value[moved[:, 0]].T)[0, 1]) < 0.15
            moved = moved[:, 0]
        happened[name] = moved
        drawn_values = value[moved]
        assert np.abs(drawn_values).max() == pytest.approx(limits[name], rel=0.02)
        assert np.abs(drawn_values).max() <= limits[name] * (1 + 1e-6)
        # The mean of a uniform variable on [-a, a] is 0 and its deviation a / sqrt(3).
        assert abs(drawn_values.mean()) < 5 * limits[name] / math.sqrt(3 * drawn_values.size)
        assert drawn_values.std() == pytest.approx(limits[name] / math.sqrt(3), rel=0.05)
    for name, chance in {"flip": 0.5, "angle": 0.25, "shear": 0.25, "shift": 0.25, "zoom": 0.25}.items():
        # Five standard deviations of a binomial share.
        assert abs(happened[name].mean() - chance) < 5 * math.sqrt(chance * (1 - chance) / count), name
    together = np.corrcoef(np.array(list(happened.values()), float))
    assert np.abs(together - np.eye(5)).max() < 0.08, "the steps are drawn independently"


def test_a_saved_layer_comes_back(tmp_path):
    layer = RandomAffine(flip=0.1, chance=0.9, rotation=5.0, shear=0.05, shift=0.15, zoom=0.25, seed=4)
    images = pictures(4)
    expected = RandomAffine.from_config(layer.get_config())
    assert expected.get_config() == layer.get_config()
    np.testing.assert_array_equal(expected(images, training=True), layer(images, training=True))
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), layer])
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    assert restored.layers[0].get_config() == layer.get_config()
    # Keras saves no random state (`training` does): the restored layer starts again from its seed.
    fresh = RandomAffine.from_config(layer.get_config())
    np.testing.assert_array_equal(restored(images, training=True), fresh(images, training=True))
