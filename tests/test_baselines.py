"""The rivals: their published sizes, the common contract, and what makes each of them what it is."""

import keras
import numpy as np
import pytest

from ssrlib.baselines import ARCHITECTURES, C3AE, DEX, DenseNet, MobileNet, PlainRegression, build_network
from ssrlib.network import SSRNet

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


def pictures(count=2, size=64):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_parameter_counts_as_published():
    assert (MobileNet(0.25).count_params(), DenseNet(19).count_params()) == (226_309, 242_009)


def test_the_rivals_on_the_same_trunk_and_c3ae_are_of_its_size():
    size = SSRNet().count_params()
    assert PlainRegression().count_params() == pytest.approx(size, rel=0.01)
    assert C3AE().count_params() == pytest.approx(size, rel=0.1)


@every_architecture
def test_every_network_keeps_the_contract(architecture, tmp_path):
    model = build_network(architecture, image_size=48, batch_norm_momentum=0.8)
    ages = model.predict(pictures(size=48), verbose=0)
    assert ages.shape == (2, 1) and ages.dtype == np.float32 and np.isfinite(ages).all()
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    assert norms and all(layer.momentum == 0.8 for layer in norms)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(restored.predict(pictures(size=48), verbose=0), ages)


@pytest.mark.slow
@every_architecture
def test_every_network_learns(architecture):
    keras.utils.set_random_seed(0)
    model = build_network(architecture, image_size=40, batch_norm_momentum=0.5)
    bright = np.repeat(np.arange(16), 2)
    images = np.full((32, 40, 40, 3), 100, np.uint8) + (8 * bright[:, None, None, None]).astype(np.uint8)
    images += np.random.default_rng(0).integers(0, 20, images.shape, dtype=np.uint8)
    ages = 20.0 + 2.0 * bright[:, None]
    model.compile("adam", "mean_absolute_error")
    history = model.fit(images, ages, epochs=6, batch_size=8, verbose=0).history["loss"]
    assert history[-1] < history[0]
    before = model.get_weights()
    model.fit(images, ages, epochs=1, batch_size=8, verbose=0)
    assert any(not np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))


def test_dex_is_the_expectation_over_its_bins():
    model = DEX(bins=11, value_range=110)
    opened = keras.Model(model.input, [model.output, model.get_layer("p").output])
    ages, p = opened.predict(pictures(), verbose=0)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(ages[:, 0], p @ (10.0 * np.arange(11)), rtol=1e-4)


def test_c3ae_begins_as_the_expectation_over_its_points():
    model = C3AE()
    opened = keras.Model(model.input, [model.output, model.get_layer("p").output])
    ages, p = opened.predict(pictures(), verbose=0)
    np.testing.assert_allclose(ages[:, 0], p @ (10.0 * np.arange(12)), rtol=1e-4)


def test_the_plain_regression_answers_in_units_of_the_range():
    years, decades = PlainRegression(), PlainRegression(value_range=10.1)
    decades.set_weights(years.get_weights())
    ages = years.predict(pictures(), verbose=0)
    np.testing.assert_allclose(ages, 10 * decades.predict(pictures(), verbose=0), rtol=1e-5)


@pytest.mark.parametrize("architecture", ["mobilenet", "densenet", "plain", "dex"])
def test_without_dropout_only_the_norms_train_differently(architecture):
    keras.utils.set_random_seed(0)
    dark = pictures() // 128  # bright ones can drive the untrained softmax of DEX into one bin, whatever is dropped
    for rate in (0.0, 0.5):
        model = build_network(architecture, dropout=rate)
        for layer in model.layers:
            layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
        trained, asked = model(dark, training=True), model(dark, training=False)
        assert np.allclose(trained, asked, rtol=1e-4, atol=0) == (rate == 0)


def test_c3ae_sees_the_middle_three_times():
    model = C3AE()
    sides = [layer.height for layer in model.layers if isinstance(layer, keras.layers.CenterCrop)]
    # A margin of 0.4 makes the crop 1.8 boxes wide; margins of 0.2 and 0 keep 1.4 and 1 box of it.
    assert sides == [64, round(64 * 1.4 / 1.8), round(64 / 1.8)]
    outside = pictures(1)
    inside = outside.copy()
    inside[:, 20:44, 20:44] = 0
    views = keras.Model(model.input, [model.get_layer(f"view_{side}").output for side in sides])
    changed = [np.abs(one - other).mean() for one, other in zip(views(outside), views(inside), strict=True)]
    assert changed[0] < changed[1] < changed[2]


@pytest.mark.parametrize("depth", [4, 12, 20])
def test_a_densenet_of_unequal_blocks_is_refused(depth):
    with pytest.raises(ValueError, match=r"depth of 7, 10, 13"):
        DenseNet(depth)


def test_what_cannot_be_built_is_named():
    with pytest.raises(ValueError, match=r"no network called 'resnet'; use ssrnet, mobilenet"):
        build_network("resnet")
    with pytest.raises(ValueError, match=r"'dex' cannot be built: .*'stages'"):
        build_network("dex", stages=[3])
