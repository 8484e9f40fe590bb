"""Networks prepared for inference: batch norms folded, weights rounded to 8 bits, still in Keras (chapter 06)."""

from collections import Counter

import keras
import numpy as np
from keras import layers, ops

from ssrlib.network import LeakyGradientReLU
from ssrlib.stagewise import SoftStagewiseRegression


@keras.saving.register_keras_serializable(package="ssrlib")
class LeanRegression(SoftStagewiseRegression):
    """The same sums without what only training needs: cuts that a tanh and a trained p never reach, and gradients."""

    def call(self, stages):
        return sum(self.contributions(stages))

    def _heads(self, stage):
        p, *shifts = stage
        return p, *(shifts or (ops.zeros_like(p), ops.zeros_like(p[..., :1])))

    def _stretch(self, delta):
        return ops.maximum(1 + self.lambda_width * delta, self.division_floor)


def lean_model(model):
    """Copy a network for inference: uint8 pictures in, batch norms folded, nothing that only training needs.

    Returns
    -------
    keras.Model
        The same answers, up to rounding.
    """

    def clone(layer):
        config = layer.get_config()
        if isinstance(layer, SoftStagewiseRegression):
            return LeanRegression.from_config(config)
        if isinstance(getattr(layer, "activation", None), LeakyGradientReLU):
            config["activation"] = "relu"
        return type(layer).from_config(config)

    lean = keras.models.clone_model(model, clone_function=clone)
    lean.set_weights(model.get_weights())
    fold_norms(lean)
    image = keras.Input(model.input.shape[1:], dtype="uint8", name="image")
    return keras.Model(image, lean(ops.cast(image, "float32")))


def fold_norms(model):
    """Move each batch norm that follows a convolution into its kernel and bias; what is left of it is the identity.

    Both are linear, so that one does what the two did. Where something else reads the convolution, too, both stay. The
    model is changed in place.
    """
    producers = {id(layer.output): layer for layer in model.layers}
    readers = Counter(id(tensor) for layer in model.layers for tensor in keras.tree.flatten(layer.input))
    for norm in model.layers:
        conv = producers.get(id(norm.input)) if isinstance(norm, layers.BatchNormalization) else None
        if not isinstance(conv, layers.Conv2D) or conv.activation is not keras.activations.linear:
            continue
        if readers[id(norm.input)] > 1:
            continue
        gamma, beta, mean, variance = norm.get_weights()
        scale = gamma / np.sqrt(variance + norm.epsilon)
        conv.kernel.assign(conv.kernel * scale)
        shift = beta - mean * scale
        if conv.use_bias:
            conv.bias.assign(conv.bias * scale + shift)
            shift = np.zeros_like(shift)
        norm.set_weights([np.ones_like(scale), shift, np.zeros_like(mean), np.full_like(variance, 1 - norm.epsilon)])


def round_weights(model, faces=None, only=None):
    """Round the weights of convolutions and dense layers to 8 bits, and take back what that shifts.

    Parameters
    ----------
    model : keras.Model
        From `lean_model`; changed in place. Its kernels become multiples of a step of their output channel, the
        largest weight's 127th part.
    faces : ndarray of uint8, optional
        Crops. A rounded kernel shifts a layer's mean output on them; the bias takes the shift back (Nagel et al.,
        2019). Without them, nothing is taken back.
    only : callable, optional
        Given a layer's name, says whether to round it. By default all are.
    """
    inner = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    chosen = [layer for layer in inner.layers
              if isinstance(layer, layers.Conv2D | layers.Dense) and (only is None or only(layer.name))]  # fmt: skip
    means = {}
    if faces is not None:
        inputs = keras.Model(inner.input, {layer.name: layer.input for layer in chosen})
        for name, values in inputs.predict(faces.astype("float32"), verbose=0).items():
            means[name] = values.mean(axis=tuple(range(values.ndim - 1)))
    for layer in chosen:
        kernel = ops.convert_to_numpy(layer.kernel)
        step = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1))) / 127
        rounded = np.round(kernel / np.where(step > 0, step, 1)) * step
        layer.kernel.assign(rounded)
        if layer.name in means and layer.use_bias:
            lost = (kernel - rounded).reshape(-1, *kernel.shape[-2:]).sum(axis=0)
            layer.bias.assign(layer.bias + means[layer.name] @ lost)
