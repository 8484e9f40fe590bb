"""The networks SSR-Net is compared with: same input, same output, built by name (chapter 04)."""

import keras
import numpy as np
from keras import layers, ops

from ssrlib.network import SSRNet, fuse, stage_features, stream_levels
from ssrlib.normalization import BatchNormalization
from ssrlib.stagewise import SoftStagewiseRegression

# Filters of the full network and stride of each depthwise separable convolution.
MOBILENET_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
DENSENET_EPSILON = 1.1e-5  # of the authors' DenseNet; everything else has Keras's 1e-3


def MobileNet(alpha=0.25, image_size=64, batch_norm_momentum=0.99, dropout=0.2, name="mobilenet"):
    """Build the authors' MobileNet baseline: MobileNet v1 with a small regression head.

    Parameters
    ----------
    alpha : float
        Width of the network as a share of the full one; the authors use 0.25 and 0.5.
    image_size : int
        Side of the input in pixels, at least 32.
    batch_norm_momentum, dropout : float
        See `network.SSRNet`.
    name : str

    Returns
    -------
    keras.Model
        Takes (N, image_size, image_size, 3) RGB values 0..255, returns (N, 1) years.

    Notes
    -----
    The Keras of 2018 put a border of one zero on all four sides before a convolution of stride 2; today's
    `keras.applications.MobileNet` adds zeros at the bottom and the right only, and its answers to the same weights
    differ by decades.

    Examples
    --------
    >>> MobileNet(0.25).count_params()
    226309
    """
    image = keras.Input((image_size, image_size, 3), name="image")

    def norm_relu6(features, name):
        norm = BatchNormalization(momentum=batch_norm_momentum, name=f"{name}_bn")
        return layers.ReLU(6.0, name=f"{name}_relu")(norm(features))

    def halve_or_keep(features, stride, convolution, name, **arguments):
        if stride == 2:
            features = layers.ZeroPadding2D(1, name=f"{name}_pad")(features)
        padding = "valid" if stride == 2 else "same"
        convolve = convolution(kernel_size=3, strides=stride, padding=padding, use_bias=False, name=name, **arguments)
        return norm_relu6(convolve(features), name)

    features = ops.clip(image, 0.0, 255.0)
    features = halve_or_keep(features, 2, layers.Conv2D, "conv1", filters=int(32 * alpha))
    for number, (filters, stride) in enumerate(MOBILENET_BLOCKS, start=1):
        features = halve_or_keep(features, stride, layers.DepthwiseConv2D, f"conv_dw_{number}")
        pointwise = layers.Conv2D(int(filters * alpha), 1, use_bias=False, name=f"conv_pw_{number}")
        features = norm_relu6(pointwise(features), pointwise.name)
    features = layers.Conv2D(20, 1, activation="relu", name="reduce")(features)
    features = layers.Dropout(dropout, name="drop")(layers.Flatten(name="flatten")(features))
    features = layers.Dense(32, activation="relu", name="features")(features)
    return keras.Model(image, layers.Dense(1, dtype="float32", name="prediction")(features), name=name)


def DenseNet(depth=19, image_size=64, batch_norm_momentum=0.99, dropout=0.2, name="densenet"):
    """Build the authors' DenseNet baseline: three blocks without bottlenecks that grow by 12 channels a layer.

    Parameters
    ----------
    depth : int
        Number of layers, 3 n + 4 for n convolutions a block; the authors use 13 and 19.
    image_size : int
        Side of the input in pixels, at least 4.
    batch_norm_momentum, dropout : float
        See `network.SSRNet`.
    name : str

    Returns
    -------
    keras.Model
        Takes (N, image_size, image_size, 3) RGB values 0..255, returns (N, 1) years.

    Raises
    ------
    ValueError
        If no three equal blocks have that depth.

    Examples
    --------
    >>> DenseNet(19).count_params()
    242009
    """
    if depth < 7 or (depth - 4) % 3:
        raise ValueError(f"A DenseNet of three equal blocks has a depth of 7, 10, 13, ..., not {depth}.")
    image = keras.Input((image_size, image_size, 3), name="image")

    def norm_relu_conv(features, filters, size, name):
        features = _norm_relu(features, batch_norm_momentum, name, DENSENET_EPSILON)
        return _unbiased_conv(filters, size, f"{name}_conv")(features)

    features = _unbiased_conv(24, 3, "conv")(ops.clip(image, 0.0, 255.0))
    for block in range(1, 4):
        for number in range(1, (depth - 4) // 3 + 1):
            grown = norm_relu_conv(features, 12, 3, f"block_{block}_{number}")
            features = layers.Concatenate(name=f"block_{block}_{number}_join")([features, grown])
        if block < 3:
            features = norm_relu_conv(features, features.shape[-1], 1, f"transition_{block}")
            features = layers.AveragePooling2D(2, name=f"transition_{block}_pool")(features)
    features = _norm_relu(features, batch_norm_momentum, "last", DENSENET_EPSILON)
    features = layers.GlobalAveragePooling2D(name="pool")(features)
    features = layers.Dense(128, activation="relu", name="hidden")(features)
    features = layers.Dense(32, activation="relu", name="features")(layers.Dropout(dropout, name="drop")(features))
    return keras.Model(image, layers.Dense(1, dtype="float32", name="prediction")(features), name=name)


def PlainRegression(image_size=64, value_range=101, batch_norm_momentum=0.99, dropout=0.2, name="plain"):
    """Build the plainest rival: SSR-Net's own trunk and a hidden layer of eight, which gives about its size, to an age.

    As in SSR-Net, what the layers compute is a share of V: at the same learning rate, years would be learned a hundred
    times as slowly.

    Parameters
    ----------
    image_size : int
        Side of the input in pixels, at least 38.
    value_range : float
        V in years.
    batch_norm_momentum, dropout : float
        See `network.SSRNet`.
    name : str

    Returns
    -------
    keras.Model
        Takes (N, image_size, image_size, 3) RGB values 0..255, returns (N, 1) years.

    Examples
    --------
    >>> PlainRegression().count_params()
    41053
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    hidden = layers.Dense(8, activation="relu", name="hidden")(_trunk(image, batch_norm_momentum, dropout))
    share = layers.Dense(1, dtype="float32", name="share")(hidden)
    return keras.Model(image, layers.Rescaling(value_range, dtype="float32", name="prediction")(share), name=name)


def DEX(bins=101, image_size=64, value_range=101, batch_norm_momentum=0.99, dropout=0.2, name="dex"):
    """Build DEX's output on SSR-Net's own trunk: a softmax over the years, and its expectation (equation 2).

    Parameters
    ----------
    bins : int
        At least 1; bin i stands for `i * value_range / bins` years.
    image_size : int
        Side of the input in pixels, at least 38.
    value_range : float
        V in years.
    batch_norm_momentum, dropout : float
        See `network.SSRNet`.
    name : str

    Returns
    -------
    keras.Model
        Takes (N, image_size, image_size, 3) RGB values 0..255, returns (N, 1) years. Its layer "p" holds the softmax.

    References
    ----------
    Rothe, Timofte, Van Gool: Deep expectation of real and apparent age from a single image, IJCV 2018.

    Examples
    --------
    >>> DEX().count_params()
    72757
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    p = layers.Dense(bins, activation="softmax", dtype="float32", name="p")(_trunk(image, batch_norm_momentum, dropout))
    return keras.Model(image, SoftStagewiseRegression(value_range, name="prediction")([(p,)]), name=name)


def C3AE(image_size=64, batch_norm_momentum=0.99, name="c3ae"):
    """Build C3AE, the closest rival of SSR-Net's size: one thin network looks at three cuts of the face.

    A softmax over twelve points ten years apart comes first and the age is regressed from it. Two losses belong to it:
    one on the layer "p", whose target spreads an age over the two points beside it, one on the age.

    Parameters
    ----------
    image_size : int
        Side of the input in pixels, at least 38.
    batch_norm_momentum : float
        See `network.SSRNet`.
    name : str

    Returns
    -------
    keras.Model
        Takes (N, image_size, image_size, 3) RGB values 0..255, returns (N, 1) years.

    Notes
    -----
    The paper crops each photograph with three margins. Here all cuts are made of the one crop that every network
    gets: of a crop with a margin of 0.4, the middle that a margin of 0.4, 0.2 or 0 would have held, enlarged to the
    full size. The three cuts' features meet in a convolution of one pixel's width; the paper is silent on that.

    References
    ----------
    Zhang, Liu, Xu, Zhu: C3AE: Exploring the limits of compact model for age estimation, CVPR 2019.

    Examples
    --------
    >>> C3AE().count_params()
    38425
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    view = keras.Input((image_size, image_size, 3), name="view")
    features = view
    for block in range(1, 5):
        features = layers.Conv2D(32, 3, name=f"conv_{block}")(features)
        features = _norm_relu(features, batch_norm_momentum, f"block_{block}")
        if block < 4:
            features = layers.AveragePooling2D(2, name=f"pool_{block}")(features)
    shared = keras.Model(view, features, name="views")
    pixels = ops.clip(image, 0.0, 255.0)
    seen = []
    for margin in (0.4, 0.2, 0.0):
        side = round(image_size * (1 + 2 * margin) / 1.8)
        cut = layers.CenterCrop(side, side, name=f"cut_{side}")(pixels)
        seen.append(shared(layers.Resizing(image_size, image_size, name=f"view_{side}")(cut)))
    features = layers.Conv2D(32, 1, name="context")(layers.Concatenate(name="join")(seen))
    features = layers.Flatten(name="flatten")(features)
    p = layers.Dense(12, activation="softmax", dtype="float32", name="p")(features)
    # Untrained, the answer is the mean of the points: from weights around 0 it would take epochs to get near any age.
    points = keras.initializers.Constant(10.0 * np.arange(12)[:, None])
    age = layers.Dense(1, kernel_initializer=points, dtype="float32", name="prediction")(p)
    return keras.Model(image, age, name=name)


ARCHITECTURES = {
    "ssrnet": SSRNet,
    "mobilenet": MobileNet,
    "densenet": DenseNet,
    "plain": PlainRegression,
    "dex": DEX,
    "c3ae": C3AE,
}


def build_network(architecture, **arguments):
    """Build a network by name, as recorded runs do.

    Parameters
    ----------
    architecture : str
        One of `ARCHITECTURES`.
    **arguments
        Of the function that builds it.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        If there is no such architecture, or it has no such argument.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(f"There is no network called '{architecture}'; use {', '.join(ARCHITECTURES)}.")
    try:
        return ARCHITECTURES[architecture](**arguments)
    except TypeError as error:
        raise ValueError(f"The network '{architecture}' cannot be built: {error}.") from error


def _trunk(image, momentum, dropout):
    """Multiply SSR-Net's streams at its three levels and join the results to one vector."""
    levels = stream_levels(image, batch_norm_momentum=momentum)
    vectors = [fuse(stage_features(levels, block, f"level_{block}"), f"level_{block}_product") for block in (4, 2, 1)]
    return layers.Dropout(dropout, name="drop")(layers.Concatenate(name="join")(vectors))


def _norm_relu(features, momentum, name, epsilon=1e-3):
    norm = BatchNormalization(momentum=momentum, epsilon=epsilon, name=f"{name}_norm")
    return layers.ReLU(name=f"{name}_relu")(norm(features))


def _unbiased_conv(filters, size, name):
    return layers.Conv2D(filters, size, padding="same", use_bias=False, kernel_initializer="he_normal", name=name)
