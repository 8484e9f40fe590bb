"""What a network costs: parameters and multiply-adds, layer by layer (chapter 02)."""

import math

import keras
import pandas as pd
from keras import layers


def layer_costs(model):
    """Count the parameters and the multiply-adds of each layer for one picture.

    Parameters
    ----------
    model : keras.Model

    Returns
    -------
    pandas.DataFrame
        One row for each layer with parameters, in the order they are computed: `layer`, `kind`, `output` (its shape
        without the batch), `parameters`, `multiply_adds`. Convolutions and dense layers are counted; what is left out
        (normalization, activations, pooling, the sum over the stages) is a few operations for each value. The layers
        of a model inside the model stand once, with the multiply-adds of all its uses.

    Examples
    --------
    >>> from ssrlib.network import SSRNet
    >>> int(layer_costs(SSRNet())["multiply_adds"].sum())
    17078926
    """
    return pd.DataFrame(_rows(model, 1), columns=["layer", "kind", "output", "parameters", "multiply_adds"])


def _rows(model, uses):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _rows(layer, uses * _uses_inside(model, layer))
        elif layer.weights:
            shape = layer.output.shape[1:]
            macs = uses * _multiply_adds(layer, shape)
            yield layer.name, type(layer).__name__, "x".join(map(str, shape)), layer.count_params(), macs


def _uses_inside(model, layer):
    """Count how often a model calls one of its layers."""
    nodes = [node for nodes in model._nodes_by_depth.values() for node in nodes]
    return sum(node.operation is layer for node in nodes)


def _multiply_adds(layer, shape):
    if isinstance(layer, layers.DepthwiseConv2D):
        return math.prod(layer.kernel.shape[:2]) * math.prod(shape)
    if isinstance(layer, (layers.Conv2D, layers.Dense)):
        return math.prod(layer.kernel.shape[:-1]) * math.prod(shape)
    return 0
