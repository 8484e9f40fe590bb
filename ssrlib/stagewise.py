"""Soft stagewise regression: a few coarse-to-fine stages of moving bins add up to one number (chapter 02)."""

import itertools
import math

import keras
import ml_dtypes
import numpy as np
from keras import layers, ops

LARGEST_WEIGHT = 1e6  # what the safe division lets through of a p; a trained network stays around 1


@keras.saving.register_keras_serializable(package="ssrlib")
class SoftStagewiseRegression(layers.Layer):
    r"""Add up the stages' soft classifications to one number (equation 7 of the paper).

    With K stages of s_k bins, weights p, index shifts eta and width shifts Delta, the result is

    .. math::
        \hat y = V \sum_{k=1}^{K} \frac{\sum_{i=0}^{s_k - 1} p_i^{(k)} (i + \lambda_\eta \eta_i^{(k)})}
                 {\prod_{j=1}^{k} s_j \max(1 + \lambda_\Delta \Delta_j, f)}

    Parameters
    ----------
    value_range : float
        V, the range of the answer (101 years).
    lambda_index, lambda_width : float
        How much of eta and of Delta is used, 0 to 1. In the released code, not in the paper; 0 switches that part of
        the dynamic range off.
    division_floor : float
        f, the least that a bin count may shrink to, as a share of it, 0 to 1. With 0 the division is the released one,
        which grows without bound as a Delta approaches -1. Above 0 no finite head gives an infinity or a NaN: heads
        outside of what a tanh gives are cut to it, and weights to 1e6.
    **kwargs
        Of `keras.layers.Layer`. `dtype` is float32 whatever the global policy says: ages need more digits than half
        precision has.

    Notes
    -----
    Called with a list of K triples (p, eta, Delta) of shapes (N, s_k), (N, s_k) and (N, 1), or of K tuples (p,) where
    the dynamic range is off; returns shape (N, 1). Nothing bounds the result to [0, V].

    Examples
    --------
    One stage of two bins, no shifts, V = 10: all weight on bin 1 gives half of the range.

    >>> import numpy as np
    >>> p, eta, delta = np.array([[0.0, 1.0]]), np.zeros((1, 2)), np.zeros((1, 1))
    >>> float(SoftStagewiseRegression(value_range=10)([(p, eta, delta)])[0, 0])
    5.0
    """

    def __init__(self, value_range=101, lambda_index=1.0, lambda_width=1.0, division_floor=0.1, **kwargs):
        super().__init__(**({"dtype": "float32"} | kwargs))
        self.value_range = value_range
        self.lambda_index = lambda_index
        self.lambda_width = lambda_width
        self.division_floor = division_floor

    def call(self, stages):
        total = sum(self.contributions(stages))
        largest = float(ml_dtypes.finfo(self.compute_dtype).max)
        return ops.cast(ops.clip(total, -largest, largest) if self.division_floor else total, self.compute_dtype)

    def contributions(self, stages):
        """Compute what each stage adds to the answer: K tensors of shape (N, 1), float32."""
        added, width = [], float(self.value_range)
        for stage in stages:
            p, eta, delta = self._heads(stage)
            bins = p.shape[-1]
            index = ops.arange(bins, dtype="float32") + self.lambda_index * eta
            width = width / (bins * self._stretch(delta))
            added.append(ops.sum(p * index, axis=-1, keepdims=True) * width)
        return added

    def _heads(self, stage):
        p, *shifts = [ops.cast(head, "float32") for head in stage]
        eta, delta = shifts or (ops.zeros_like(p), ops.zeros_like(p[..., :1]))
        if self.division_floor:
            p = ops.clip(p, -LARGEST_WEIGHT, LARGEST_WEIGHT)
            eta, delta = ops.clip(eta, -1.0, 1.0), ops.clip(delta, -1.0, 1.0)
        return p, eta, delta

    def _stretch(self, delta):
        stretch = 1 + self.lambda_width * delta
        if not self.division_floor:
            return stretch
        # The gradient passes as if there were no floor: a Delta that went below it would otherwise never come back.
        return stretch + ops.stop_gradient(ops.maximum(stretch, self.division_floor) - stretch)

    def compute_output_shape(self, stages_shape):
        return (*stages_shape[0][0][:-1], 1)

    def get_config(self):
        return super().get_config() | {
            "value_range": self.value_range,
            "lambda_index": self.lambda_index,
            "lambda_width": self.lambda_width,
            "division_floor": self.division_floor,
        }


def stage_contributions(heads, value_range=101, lambda_index=1.0, lambda_width=1.0, division_floor=0.1):
    """Compute what each stage adds to the answer.

    Parameters
    ----------
    heads : dict of ndarray
        What `stage_heads(model).predict` returns.
    value_range, lambda_index, lambda_width, division_floor : float
        As the model was built with.

    Returns
    -------
    ndarray of float32, shape (N, K)
        Years; each row adds up to the age.
    """
    stages = [
        [heads[f"{head}_{k}"] for head in ("p", "eta", "delta") if f"{head}_{k}" in heads]
        for k in range(1, sum(name.startswith("p_") for name in heads) + 1)
    ]
    layer = SoftStagewiseRegression(value_range, lambda_index, lambda_width, division_floor)
    return np.concatenate([ops.convert_to_numpy(years) for years in layer.contributions(stages)], axis=1)


def bin_widths(stages, value_range=101, deltas=None, division_floor=0.1):
    """Compute the width of each stage's bins in years (equation 5).

    Parameters
    ----------
    stages : sequence of int
        Bins of each stage.
    value_range : float
        V in years.
    deltas : sequence of float, optional
        Delta of each stage, -1 to 1; without them nothing is stretched.
    division_floor : float
        See `SoftStagewiseRegression`.

    Returns
    -------
    list of float

    Examples
    --------
    >>> [round(width, 3) for width in bin_widths((3, 3, 3))]
    [33.667, 11.222, 3.741]
    """
    deltas = [0.0] * len(stages) if deltas is None else deltas
    counts = [bins * max(1 + delta, division_floor) for bins, delta in zip(stages, deltas, strict=True)]
    products = list(itertools.accumulate(counts, lambda one, other: one * other))
    return [value_range / product if product else math.inf for product in products]
