"""SSR-Net in Keras 3: two thin convolutional streams whose stages add up to an age (chapter 02)."""

import itertools
import re
from typing import NamedTuple

import keras
from keras import layers, ops

from ssrlib.normalization import BatchNormalization
from ssrlib.stagewise import SoftStagewiseRegression

BATCH_NORM_EPSILON = 1e-3  # Keras 2's default, which the released weights were trained with
FUSIONS = {"product": layers.Multiply, "sum": layers.Add}
POOLS = {1: 8, 2: 4, 3: 2}  # what brings a block's features to about 3x3 places; the fourth block's are that small


class Stream(NamedTuple):
    """One of the two stacks of four convolution blocks."""

    filters: int
    activation: str
    pooling: type


STREAMS = {"x": Stream(32, "relu", layers.AveragePooling2D), "s": Stream(16, "tanh", layers.MaxPooling2D)}


@keras.saving.register_keras_serializable(package="ssrlib")
class LeakyGradientReLU(layers.Layer):
    """A ReLU that lets a part of the gradient through where it is off.

    An ordinary ReLU that is off for every picture never learns again. The values of this one are those of a ReLU, to
    the last digit, and its gradient is that of a leaky ReLU.

    Parameters
    ----------
    leak : float
        Gradient for values below 0, 0 to 1.

    Examples
    --------
    >>> ops.convert_to_numpy(LeakyGradientReLU(0.1)(ops.array([-2.0, 3.0]))).tolist()
    [0.0, 3.0]
    """

    def __init__(self, leak, **kwargs):
        super().__init__(**kwargs)
        self.leak = leak

    def call(self, values):
        leaky = ops.maximum(values, self.leak * values)
        return leaky + ops.stop_gradient(ops.relu(values) - leaky)

    def get_config(self):
        return super().get_config() | {"leak": self.leak}


def SSRNet(
    stages=(3, 3, 3),
    image_size=64,
    lambda_index=1.0,
    lambda_width=1.0,
    value_range=101,
    division_floor=0.1,
    streams="xs",
    dynamic_range=True,
    batch_norm_momentum=0.99,
    leak=0.0,
    dropout=0.2,
    fusion="product",
    p_activation="relu",
    return_heads=False,
    name="ssrnet",
):
    """Build the Soft Stagewise Regression Network (Yang et al., IJCAI 2018, as released).

    Parameters
    ----------
    stages : sequence of int
        Bins of each stage, coarse to fine; at least one stage of at least one bin.
    image_size : int
        Side of the input in pixels, at least 38.
    lambda_index, lambda_width, division_floor : float
        See `SoftStagewiseRegression`. The released networks have a `division_floor` of 0.
    value_range : float
        Range V of the answer: 101 years, or for instance 1 for the probability that a face is male.
    streams : str
        "xs" for both streams, "x" for the one with ReLU and average pooling only, "s" for the one with tanh and
        maximum pooling only.
    dynamic_range : bool
        False leaves the heads eta and Delta out: bins that neither move nor stretch.
    batch_norm_momentum : float
        How slowly the running means of batch normalization follow, 0 to 1. The authors' 0.99 needs some thousand
        steps of training before the network predicts as well as it has learned; short runs want less.
    leak : float
        Gradient of the heads' ReLUs where they are off, 0 to 1. It is felt in training only: above 0, a unit that is
        off for every picture can come back, see `LeakyGradientReLU`.
    dropout : float
        Share of the features before the stages' dense layers that are left out at random in training, 0 to below 1.
    fusion : str
        How the two streams meet in a stage: "product" multiplies them element by element, as released, "sum" adds.
    p_activation : str
        "relu" as released, whose weights p need not add up to 1, or "softmax", whose do.
    return_heads : bool
        Return the heads of every stage as well, see `stage_heads`.
    name : str
        The model's name.

    Returns
    -------
    keras.Model
        Takes (N, image_size, image_size, 3) RGB values 0..255, returns (N, 1) float32 values of the range V (years).
        The default has 40,915 parameters.

    Raises
    ------
    ValueError
        If the stages, the streams, the image size, the fusion or the activation cannot be built.

    Notes
    -----
    Stage 1 reads the features of the fourth and last block, later stages those of ever earlier blocks: 4, 2, 1 as
    released, 4, 3, 2, 1 from four stages on, and any stage after these the first block's again.

    Examples
    --------
    >>> SSRNet().count_params()
    40915
    """
    stages = tuple(int(bins) for bins in stages)
    if not stages or min(stages) < 1:
        raise ValueError(f"SSR-Net has at least one stage of at least one bin, not {stages}.")
    if streams not in ("xs", "x", "s"):
        raise ValueError(f"SSR-Net has the streams 'xs', 'x' or 's', not '{streams}'.")
    if fusion not in FUSIONS:
        raise ValueError(f"Streams meet in a {' or a '.join(FUSIONS)}, not in a '{fusion}'.")
    if p_activation not in ("relu", "softmax"):
        raise ValueError(f"The activation of p is 'relu' or 'softmax', not '{p_activation}'.")
    image = keras.Input((image_size, image_size, 3), name="image")
    levels = stream_levels(image, streams, batch_norm_momentum)
    relu = LeakyGradientReLU(leak) if leak else "relu"
    options = {
        "dynamic_range": dynamic_range,
        "relu": relu,
        "p_activation": relu if p_activation == "relu" else p_activation,
        "dropout": dropout,
        "fusion": fusion,
    }
    blocks = (4, 2, 1) if len(stages) < 4 else itertools.chain((4, 3, 2), itertools.repeat(1))
    heads = [
        _stage(stage_features(levels, block, f"stage_{k}"), bins, f"stage_{k}", **options)
        for k, (bins, block) in enumerate(zip(stages, blocks, strict=False), start=1)
    ]
    value = SoftStagewiseRegression(value_range, lambda_index, lambda_width, division_floor, name="prediction")(heads)
    model = keras.Model(image, value, name=name)
    return stage_heads(model) if return_heads else model


def stage_heads(model):
    """Open a model up: the same network, returning what each stage said.

    Parameters
    ----------
    model : keras.Model
        An SSR-Net.

    Returns
    -------
    keras.Model
        Returns a dict with the keys `prediction` (N, 1) and, for each stage k from 1, `p_k` (N, s_k) and, unless the
        dynamic range is off, `eta_k` (N, s_k) and `delta_k` (N, 1). It shares the weights of `model`.
    """
    outputs = {"prediction": model.get_layer("prediction").output}
    for layer in model.layers:
        if found := re.fullmatch(r"stage_(\d+)_(p|eta|delta)", layer.name):
            outputs[f"{found[2]}_{found[1]}"] = layer.output
    return keras.Model(model.input, outputs, name=model.name)


def enliven_heads(model, seed):
    """Draw the dense layers of an SSR-Net's stages anew, so that no ReLU among them is dead at the start.

    The answer of a stage passes through three ReLUs in a row. One that is 0 for every picture learns nothing any more
    and takes what is behind it with it: in most released weights all p and eta are constants, and only Delta still
    sees the picture. Positive biases and small weights keep every bin open until it has learned something.

    Parameters
    ----------
    model : keras.Model
        An SSR-Net; changed in place. Its convolutions keep their weights.
    seed : int

    Examples
    --------
    >>> import numpy as np
    >>> model = SSRNet(return_heads=True)
    >>> enliven_heads(model, seed=0)
    >>> heads = model.predict(np.zeros((1, 64, 64, 3)), verbose=0)
    >>> all((heads[f"p_{k}"] > 0).all() for k in (1, 2, 3))
    True
    """
    biases = {"x_dense": 1.0, "s_dense": 1.0, "features": 0.5, "eta": 0.0, "delta": 0.0}
    for number, layer in enumerate(model.layers):
        if not (part := head_part(layer)):
            continue
        # A tenth as wide as Keras draws them by default: the biases decide at first.
        draw = keras.initializers.VarianceScaling(0.01, "fan_avg", "uniform", seed=1000 * seed + number)
        layer.kernel.assign(draw(layer.kernel.shape))
        # With equal p of 1 / (s + 1) the first answer of (3, 3, 3) is 36 years, about the mean of most data sets.
        layer.bias.assign(ops.full(layer.bias.shape, biases.get(part, 1 / (layer.units + 1))))


def head_part(layer):
    """Name a dense layer of an SSR-Net's stage without its number: `x_dense`, `features`, `p`...; else give None."""
    found = re.fullmatch(r"stage_\d+_(\w+)", layer.name)
    return found[1] if found and isinstance(layer, layers.Dense) else None


def stream_levels(image, streams="xs", batch_norm_momentum=0.99):
    """Compute the features of SSR-Net's streams after each of their four blocks.

    Parameters
    ----------
    image : keras.KerasTensor
        RGB; what lies outside of 0..255 is cut to it.
    streams : str
        Some of the letters "x" (32 filters, ReLU, average pooling) and "s" (16 filters, tanh, maximum pooling).
    batch_norm_momentum : float

    Returns
    -------
    dict of list of keras.KerasTensor
        For each stream its four feature maps, the first three of them pooled.

    Raises
    ------
    ValueError
        If the picture is too small for four blocks.
    """
    if image.shape[1] < 38:
        raise ValueError(f"SSR-Net needs pictures of at least 38x38 pixels, not {image.shape[1]}.")
    image = ops.clip(image, 0.0, 255.0)
    return {name: _stream(image, name, batch_norm_momentum) for name in streams}


def stage_features(levels, block, name):
    """Reduce the features of one block to what a stage reads: a vector for each stream.

    Parameters
    ----------
    levels : dict
        From `stream_levels`.
    block : int
        1 to 4.
    name : str
        Start of the layers' names.

    Returns
    -------
    dict of keras.KerasTensor
        For each stream a tensor of shape (N, features).
    """
    vectors = {}
    for stream, features in levels.items():
        features = layers.Conv2D(10, 1, activation="relu", name=f"{name}_{stream}_conv")(features[block - 1])
        if block in POOLS:
            size = min(POOLS[block], features.shape[1])
            features = STREAMS[stream].pooling(size, name=f"{name}_{stream}_pool")(features)
        vectors[stream] = layers.Flatten(name=f"{name}_{stream}_flatten")(features)
    return vectors


def fuse(vectors, name, fusion="product"):
    """Multiply, or add up, the streams' vectors element by element; a single stream's stays as it is."""
    return FUSIONS[fusion](name=name)(list(vectors.values())) if len(vectors) > 1 else next(iter(vectors.values()))


def _stream(image, name, momentum):
    filters, activation, pooling = STREAMS[name]
    levels, features = [], image
    for block in range(1, 5):
        features = layers.Conv2D(filters, 3, name=f"{name}_conv_{block}")(features)
        features = BatchNormalization(momentum=momentum, epsilon=BATCH_NORM_EPSILON, name=f"{name}_norm_{block}")(
            features
        )
        activate = layers.Activation(activation, name=f"{name}_{activation}_{block}")
        pool = pooling(2, name=f"{name}_pool_{block}") if block < 4 else lambda unpooled: unpooled
        # The largest tanh is the tanh of the largest: pooling first leaves a quarter of them to compute.
        features = activate(pool(features)) if pooling is layers.MaxPooling2D else pool(activate(features))
        levels.append(features)
    return levels


def _stage(vectors, bins, name, dynamic_range, relu, p_activation, dropout, fusion):
    """Make a stage's p, eta and Delta of the streams' vectors, or its p alone."""

    def dense(units, activation, part):
        # Never in 16 bits: a step of a bfloat16 is half a year at 60 years.
        return layers.Dense(units, activation=activation, dtype="float32", name=f"{name}_{part}")

    if dynamic_range:
        delta = dense(1, "tanh", "delta")(fuse(vectors, f"{name}_product", fusion))
    reduced = {
        stream: dense(bins, relu, f"{stream}_dense")(layers.Dropout(dropout, name=f"{name}_{stream}_drop")(vector))
        for stream, vector in vectors.items()
    }
    features = dense(2 * bins, relu, "features")(fuse(reduced, f"{name}_bins", fusion))
    p = dense(bins, p_activation, "p")(features)
    if not dynamic_range:
        return (p,)
    return p, dense(bins, "tanh", "eta")(features), delta
