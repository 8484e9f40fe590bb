"""SSR-Net in Keras 3: two thin convolutional streams whose stages add up to an age (chapter 02)."""

import math

import keras
import numpy as np
from keras import layers, ops

BATCH_NORM_EPSILON = 1e-3  # Keras 2's default, which the released weights were trained with


@keras.saving.register_keras_serializable(package="ssrlib")
class SoftStagewiseRegression(layers.Layer):
    r"""Add up the stages' soft classifications to one number (equation 7 of the paper).

    With K stages of s_k bins, distributions p, index shifts eta and width shifts Delta, the result is

    .. math::
        \hat y = V \sum_{k=1}^{K} \frac{\sum_{i=0}^{s_k - 1} p_i^{(k)} (i + \lambda_\eta \eta_i^{(k)})}
                 {\prod_{j=1}^{k} s_j (1 + \lambda_\Delta \Delta_j)}

    Parameters
    ----------
    value_range : float
        V, the range of the answer (101 years).
    lambda_index, lambda_width : float
        How much of eta and of Delta is used, 0 to 1. In the released code, not in the paper; 0 switches that part of
        the dynamic range off.

    Notes
    -----
    Called with a list of K triples (p, eta, Delta) of shapes (N, s_k), (N, s_k) and (N, 1); returns shape (N, 1).
    Nothing bounds the result to [0, V], and it grows without bound as a Delta approaches -1.

    Examples
    --------
    One stage of two bins, no shifts, V = 10: all weight on bin 1 gives half of the range.

    >>> import numpy as np
    >>> p, eta, delta = np.array([[0.0, 1.0]]), np.zeros((1, 2)), np.zeros((1, 1))
    >>> float(SoftStagewiseRegression(value_range=10)([(p, eta, delta)])[0, 0])
    5.0
    """

    def __init__(self, value_range=101, lambda_index=1.0, lambda_width=1.0, **kwargs):
        super().__init__(**kwargs)
        self.value_range = value_range
        self.lambda_index = lambda_index
        self.lambda_width = lambda_width

    def call(self, stages):
        total, width = 0.0, float(self.value_range)
        for stage in stages:
            p, eta, delta = (ops.cast(head, self.compute_dtype) for head in stage)
            bins = p.shape[-1]
            index = ops.arange(bins, dtype=self.compute_dtype) + self.lambda_index * eta
            width = width / (bins * (1 + self.lambda_width * delta))
            total = total + ops.sum(p * index, axis=-1, keepdims=True) * width
        return total

    def compute_output_shape(self, stages_shape):
        return (*stages_shape[0][2][:-1], 1)

    def get_config(self):
        return super().get_config() | {
            "value_range": self.value_range,
            "lambda_index": self.lambda_index,
            "lambda_width": self.lambda_width,
        }


def SSRNet(
    stages=(3, 3, 3),
    image_size=64,
    lambda_index=1.0,
    lambda_width=1.0,
    value_range=101,
    batch_norm_momentum=0.99,
    name="ssrnet",
):
    """Build the Soft Stagewise Regression Network (Yang et al., IJCAI 2018, as released).

    Parameters
    ----------
    stages : sequence of int
        Bins of each stage, coarse to fine; one to three stages of at least one bin.
    image_size : int
        Side of the input in pixels, at least 38.
    lambda_index, lambda_width : float
        See `SoftStagewiseRegression`.
    value_range : float
        Range V of the answer, in years.
    batch_norm_momentum : float
        How slowly the running means of batch normalization follow, 0 to 1. The authors' 0.99 needs some thousand
        steps of training before the network predicts as well as it has learned; short runs want less.
    name : str
        The model's name.

    Returns
    -------
    keras.Model
        Takes (N, image_size, image_size, 3) RGB values 0..255, returns (N, 1) years. The default has 40,915 parameters.

    Raises
    ------
    ValueError
        If the stages or the image size cannot be built.

    Examples
    --------
    >>> SSRNet().count_params()
    40915
    """
    stages = tuple(int(bins) for bins in stages)
    if not (1 <= len(stages) <= 3 and min(stages) >= 1):
        raise ValueError(f"SSR-Net has one to three stages of at least one bin each, not {stages}.")
    if image_size < 38:
        raise ValueError(f"SSR-Net needs pictures of at least 38x38 pixels, not {image_size}.")
    image = keras.Input((image_size, image_size, 3), name="image")
    x_levels = _stream(image, 32, "relu", layers.AveragePooling2D, batch_norm_momentum, "x")
    s_levels = _stream(image, 16, "tanh", layers.MaxPooling2D, batch_norm_momentum, "s")
    heads = []
    for number, bins in enumerate(stages, start=1):
        # Stage 1 is the coarsest and reads the deepest features; later stages read ever earlier, finer ones.
        level = (3, 1, 0)[number - 1]
        pool = (None, 4, 8)[number - 1]
        heads.append(_stage(x_levels[level], s_levels[level], bins, pool, f"stage_{number}"))
    age = SoftStagewiseRegression(value_range, lambda_index, lambda_width, name="age")(heads)
    return keras.Model(image, age, name=name)


def stage_heads(model):
    """Open a model up: the same network, returning what each stage said.

    Parameters
    ----------
    model : keras.Model
        An SSR-Net.

    Returns
    -------
    keras.Model
        Returns a dict with the keys `age` (N, 1) and, for each stage k from 1, `p_k` and `eta_k` (N, s_k) and
        `delta_k` (N, 1). It shares the weights of `model`.
    """
    outputs = {"age": model.output}
    for k in range(1, number_of_stages(model) + 1):
        for head in ("p", "eta", "delta"):
            outputs[f"{head}_{k}"] = model.get_layer(f"stage_{k}_{head}").output
    return keras.Model(model.input, outputs)


def stage_contributions(heads, value_range=101, lambda_index=1.0, lambda_width=1.0):
    """Compute what each stage adds to the age.

    Parameters
    ----------
    heads : dict of ndarray
        What `stage_heads(model).predict` returns.
    value_range, lambda_index, lambda_width : float
        As the model was built with.

    Returns
    -------
    ndarray of float, shape (N, K)
        Years; each row adds up to the age.
    """
    stages = [(heads[f"p_{k}"], heads[f"eta_{k}"], heads[f"delta_{k}"]) for k in range(1, (len(heads) - 1) // 3 + 1)]
    layer = SoftStagewiseRegression(value_range, lambda_index, lambda_width)
    sums = [ops.convert_to_numpy(layer(stages[:k])) for k in range(1, len(stages) + 1)]
    return np.diff(np.concatenate([np.zeros_like(sums[0]), *sums], axis=1), axis=1)


def number_of_stages(model):
    """Count the stages of an SSR-Net."""
    return sum(layer.name.startswith("stage_") and layer.name.endswith("_delta") for layer in model.layers)


def _stream(image, filters, activation, pooling, momentum, name):
    """Return the features after each of the stream's four blocks."""
    levels, features = [], image
    for block in range(1, 5):
        features = layers.Conv2D(filters, 3, name=f"{name}_conv_{block}")(features)
        features = layers.BatchNormalization(
            momentum=momentum, epsilon=BATCH_NORM_EPSILON, name=f"{name}_norm_{block}"
        )(features)
        features = layers.Activation(activation, name=f"{name}_{activation}_{block}")(features)
        if block < 4:
            features = pooling(2, name=f"{name}_pool_{block}")(features)
        levels.append(features)
    return levels


def _stage(x, s, bins, pool, name):
    """Fuse both streams at one level into the stage's p, eta and Delta."""
    x = layers.Conv2D(10, 1, activation="relu", name=f"{name}_x_conv")(x)
    s = layers.Conv2D(10, 1, activation="relu", name=f"{name}_s_conv")(s)
    if pool:
        x = layers.AveragePooling2D(min(pool, x.shape[1]), name=f"{name}_x_pool")(x)
        s = layers.MaxPooling2D(min(pool, s.shape[1]), name=f"{name}_s_pool")(s)
    x = layers.Flatten(name=f"{name}_x_flatten")(x)
    s = layers.Flatten(name=f"{name}_s_flatten")(s)
    delta = layers.Dense(1, activation="tanh", name=f"{name}_delta")(
        layers.Multiply(name=f"{name}_product")([s, x])
    )
    x = layers.Dense(bins, activation="relu", name=f"{name}_x_dense")(layers.Dropout(0.2, name=f"{name}_x_drop")(x))
    s = layers.Dense(bins, activation="relu", name=f"{name}_s_dense")(layers.Dropout(0.2, name=f"{name}_s_drop")(s))
    features = layers.Dense(2 * bins, activation="relu", name=f"{name}_features")(
        layers.Multiply(name=f"{name}_bins")([s, x])
    )
    p = layers.Dense(bins, activation="relu", name=f"{name}_p")(features)
    eta = layers.Dense(bins, activation="tanh", name=f"{name}_eta")(features)
    return p, eta, delta


def bin_widths(stages, value_range=101, deltas=None):
    """Compute the width of each stage's bins in years (equation 5).

    Examples
    --------
    >>> [round(width, 3) for width in bin_widths((3, 3, 3))]
    [33.667, 11.222, 3.741]
    """
    deltas = [0.0] * len(stages) if deltas is None else deltas
    counts = [bins * (1 + delta) for bins, delta in zip(stages, deltas, strict=True)]
    return [value_range / math.prod(counts[: k + 1]) for k in range(len(counts))]
