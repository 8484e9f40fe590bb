"""The stagewise sum against the equation worked by hand, and its safe division against everything finite."""

import keras
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keras import ops

from ssrlib.stagewise import SoftStagewiseRegression, bin_widths, stage_contributions

FINITE = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": 3.4028234663852886e38}
lambdas = st.sampled_from([0.0, 0.5, 1.0])


def by_the_equation(heads, value_range, lambda_index, lambda_width):
    """Equation 7 bin by bin, in double precision: what each stage adds, shape (N, K)."""
    rows = len(heads[0][0])
    added = np.zeros((rows, len(heads)))
    for row in range(rows):
        width = value_range
        for k, (p, eta, delta) in enumerate(heads):
            width /= p.shape[1] * (1 + lambda_width * float(delta[row, 0]))
            for i in range(p.shape[1]):
                added[row, k] += float(p[row, i]) * (i + lambda_index * float(eta[row, i])) * width
    return added


def random_heads(stages, seed, lowest=-0.9):
    random = np.random.default_rng(seed)
    return [(random.random((2, s)), random.uniform(-1, 1, (2, s)), random.uniform(lowest, 1, (2, 1))) for s in stages]


def test_layer_agrees_with_a_sum_worked_by_hand():
    # Stage 1: bins 0 and 1 with weights 0.25 and 0.5, shifts 0.2 and -0.4, Delta 0.25; V = 100:
    #   (0.25 * 0.2 + 0.5 * 0.6) * 100 / (2 * 1.25) = 0.35 * 40 = 14
    # Stage 2: bins 0, 1, 2 with weights 0, 1, 0.5, no shifts, Delta -0.5:
    #   (1 + 2 * 0.5) * 40 / (3 * 0.5) = 2 * 26.667 = 53.333
    stages = [
        (np.array([[0.25, 0.5]]), np.array([[0.2, -0.4]]), np.array([[0.25]])),
        (np.array([[0.0, 1.0, 0.5]]), np.zeros((1, 3)), np.array([[-0.5]])),
    ]
    result = SoftStagewiseRegression(value_range=100)(stages)
    np.testing.assert_allclose(result, [[14 + 2 * 40 / 1.5]], rtol=1e-6)


@settings(deadline=None, max_examples=50)
@given(
    stages=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    seed=st.integers(0, 2**32 - 1),
    lambda_index=lambdas,
    lambda_width=lambdas,
    division_floor=st.sampled_from([0.0, 0.1]),
)
def test_both_divisions_agree_with_the_equation_above_the_floor(
    stages, seed, lambda_index, lambda_width, division_floor
):
    heads = random_heads(stages, seed)
    expected = by_the_equation(heads, 101.0, lambda_index, lambda_width)
    layer = SoftStagewiseRegression(101, lambda_index, lambda_width, division_floor)
    np.testing.assert_allclose(layer(heads), expected.sum(axis=1, keepdims=True), rtol=2e-4, atol=1e-4)
    named = {
        f"{name}_{k}": value
        for k, stage in enumerate(heads, start=1)
        for name, value in zip(("p", "eta", "delta"), stage, strict=True)
    }
    found = stage_contributions(named, 101, lambda_index, lambda_width, division_floor)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-4)


def test_below_the_floor_the_bins_stop_growing():
    heads = [(np.ones((3, 2)), np.zeros((3, 2)), np.array([[-0.5], [-0.95], [-1.0]]))]
    safe = SoftStagewiseRegression(10)(heads)
    np.testing.assert_allclose(safe, [[10 / (2 * 0.5)], [10 / (2 * 0.1)], [10 / (2 * 0.1)]], rtol=1e-6)
    released = ops.convert_to_numpy(SoftStagewiseRegression(10, division_floor=0)(heads))
    np.testing.assert_allclose(released[:2], [[10 / (2 * 0.5)], [10 / (2 * 0.05)]], rtol=1e-5)
    assert np.isinf(released[2, 0])


@pytest.mark.parametrize("dtype", FINITE)
@settings(deadline=None, max_examples=60)
@given(data=st.data(), bins=st.integers(1, 4), stages=st.integers(1, 4), lambda_index=lambdas, lambda_width=lambdas)
def test_no_finite_head_gives_an_infinity(dtype, data, bins, stages, lambda_index, lambda_width):
    limit = FINITE[dtype]
    extreme = st.sampled_from([-limit, limit, -1.0, -0.9999999, 1.0, 0.0, 1e-30])
    values = extreme | st.floats(-limit, limit, width=32)
    heads = [
        tuple(
            data.draw(hnp.arrays("float32", (1, width), elements=values)).astype(getattr(ml_dtypes, dtype, dtype))
            for width in (bins, bins, 1)
        )
        for _ in range(stages)
    ]
    for layer_dtype in ("float32", dtype):
        layer = SoftStagewiseRegression(101, lambda_index, lambda_width, dtype=layer_dtype)
        result = layer([tuple(map(ops.convert_to_tensor, stage)) for stage in heads])
        assert keras.backend.standardize_dtype(result.dtype) == layer_dtype
        assert np.isfinite(ops.convert_to_numpy(ops.cast(result, "float32"))).all()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes gradients as TensorFlow does")
@pytest.mark.parametrize("delta", [-1.0, -0.97, -0.5, 0.8])
def test_a_delta_below_the_floor_can_still_be_learned(delta):
    import tensorflow as tf

    p, eta, variable = tf.constant([[0.2, 0.6]]), tf.constant([[0.1, 0.0]]), tf.Variable([[delta]])
    with tf.GradientTape() as tape:
        result = SoftStagewiseRegression(90)([(p, eta, variable)])
    gradient = float(tape.gradient(result, variable)[0, 0])
    # By hand: 0.2 * 0.1 + 0.6 * 1 = 0.62, times 45 / u with u = max(1 + Delta, 0.1); the derivative is -0.62 * 45 / u².
    assert gradient == pytest.approx(-0.62 * 45 / max(1 + delta, 0.1) ** 2, rel=1e-4)


def test_without_dynamic_range_a_stage_is_its_weights_alone():
    p = np.array([[0.2, 0.3, 0.5]])
    np.testing.assert_allclose(SoftStagewiseRegression(90)([(p,), (p,)]), [[1.3 * 30 + 1.3 * 10]], rtol=1e-6)


def test_widths_multiply_down_the_stages():
    assert bin_widths((2, 5), value_range=100, deltas=[0.25, 0.0]) == pytest.approx([40, 8])
    assert bin_widths((2, 5), value_range=100, deltas=[-0.95, 0.0]) == pytest.approx([500, 100])
    assert bin_widths((2, 5), value_range=100, deltas=[-1.0, 0.0], division_floor=0) == [np.inf, np.inf]


def test_the_layer_comes_back_from_its_configuration():
    layer = SoftStagewiseRegression(90, 0.25, 0.5, 0.0, name="sum")
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    assert (again.value_range, again.lambda_index, again.lambda_width, again.division_floor) == (90, 0.25, 0.5, 0.0)
