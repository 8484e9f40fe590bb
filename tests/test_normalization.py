"""The fused normalization against Keras's own layer: answers, gradients and running means."""

import keras
import numpy as np
import pytest

from ssrlib.network import SSRNet
from ssrlib.normalization import BatchNormalization

PICTURES = np.random.default_rng(0).normal(3, 5, (7, 6, 5, 4)).astype("float32")


def filled(kind, **settings):
    layer = kind(momentum=0.8, epsilon=1e-3, **settings)
    layer.build(PICTURES.shape)
    random = np.random.default_rng(1)
    layer.set_weights([random.uniform(0.5, 2, weight.shape) for weight in layer.get_weights()])
    return layer


def learn(layer, steps=3):
    """Train a model of this layer alone: its weights afterwards show gradients and running means."""
    image = keras.Input(PICTURES.shape[1:])
    model = keras.Model(image, layer(image))
    model.compile(keras.optimizers.SGD(0.1), loss="mean_squared_error")
    target = np.random.default_rng(2).normal(size=PICTURES.shape).astype("float32")
    losses = [model.train_on_batch(PICTURES, target) for _ in range(steps)]
    return np.array(losses), layer.get_weights()


@pytest.mark.parametrize("training", [True, False])
def test_it_answers_as_keras_does(training):
    ours, theirs = (np.asarray(filled(kind)(PICTURES, training=training)) for kind in
                    (BatchNormalization, keras.layers.BatchNormalization))  # fmt: skip
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_it_learns_as_keras_does():
    losses, weights = learn(filled(BatchNormalization))
    their_losses, their_weights = learn(filled(keras.layers.BatchNormalization))
    np.testing.assert_allclose(losses, their_losses, rtol=1e-5)
    for one, other in zip(weights, their_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert not np.allclose(weights[2], filled(BatchNormalization).get_weights()[2]), "the running mean moved"


def test_a_frozen_layer_neither_normalizes_by_the_batch_nor_learns():
    layer = filled(BatchNormalization)
    expected, before = np.asarray(layer(PICTURES)), layer.get_weights()
    layer.trainable = False
    np.testing.assert_allclose(np.asarray(layer(PICTURES, training=True)), expected)
    for one, other in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_vectors_are_normalized_too():
    layer = BatchNormalization()
    np.testing.assert_allclose(np.asarray(layer(PICTURES.reshape(-1, 4), training=True)).mean(axis=0), 0, atol=1e-5)


@pytest.mark.slow
def test_a_step_of_the_network_is_that_of_keras_layers(monkeypatch):
    """The whole network, on the same weights: one step with the fused layers and one with Keras's."""
    random = np.random.default_rng(3)
    pictures = random.integers(0, 256, (16, 64, 64, 3)).astype("float32")
    ages = random.uniform(0, 90, (16, 1)).astype("float32")

    def step():
        keras.utils.set_random_seed(4)
        model = SSRNet()
        model.compile(keras.optimizers.SGD(1e-3), loss="mean_absolute_error")
        loss = model.train_on_batch(pictures, ages)
        return float(loss), model.get_weights()

    loss, weights = step()
    monkeypatch.setattr(BatchNormalization, "call", keras.layers.BatchNormalization.call)
    their_loss, their_weights = step()
    assert loss == pytest.approx(their_loss, rel=1e-4)
    for one, other in zip(weights, their_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
