"""The network against the authors' own outputs and against formulas worked by hand."""

import h5py
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssrlib.network import SSRNet, stage_heads
from ssrlib.stagewise import SoftStagewiseRegression, bin_widths


def authors_network(path):
    """Fill an SSR-Net from one of the authors' Keras 2 files; their kernels expect BGR."""
    pairs = {}
    for block in range(1, 5):
        for stream, number in (("x", block), ("s", block + 4)):
            pairs[f"{stream}_conv_{block}"] = f"conv2d_{number}"
            pairs[f"{stream}_norm_{block}"] = f"batch_normalization_{number}"
    for k in range(1, 4):
        pairs |= {f"stage_{k}_s_conv": f"conv2d_{7 + 2 * k}", f"stage_{k}_x_conv": f"conv2d_{8 + 2 * k}"}
        pairs |= {f"stage_{k}_s_dense": f"dense_{3 * k - 2}", f"stage_{k}_x_dense": f"dense_{3 * k - 1}"}
        pairs |= {f"stage_{k}_features": f"dense_{3 * k}", f"stage_{k}_p": f"pred_age_stage{k}"}
        pairs |= {f"stage_{k}_delta": f"delta_s{k}", f"stage_{k}_eta": f"local_delta_stage{k}"}
    model = SSRNet(division_floor=0)
    with h5py.File(path) as file:
        for ours, theirs in pairs.items():
            values = [file[theirs][weight][()] for weight in file[theirs].attrs["weight_names"]]
            if ours in ("x_conv_1", "s_conv_1"):
                values[0] = values[0][:, :, ::-1]
            model.get_layer(ours).set_weights(values)
    return model


@pytest.mark.parametrize("name", ["megaage", "megaface_asian", "imdb", "wiki"])
def test_authors_weights_give_authors_outputs(shared, name):
    reference = shared / "reference"
    bgr = np.load(reference / "golden" / "inputs.npz")["x"]
    golden = np.load(reference / "golden" / f"{name}.npz")
    heads = stage_heads(authors_network(reference / "weights" / f"{name}.h5")).predict(bgr[..., ::-1], verbose=0)
    np.testing.assert_allclose(heads["prediction"], golden["out"], atol=1e-3)
    for k in range(1, 4):
        for ours, theirs in (("p", "pred_age_stage"), ("eta", "local_delta_stage"), ("delta", "delta_s")):
            np.testing.assert_allclose(heads[f"{ours}_{k}"], golden[f"{theirs}{k}"], atol=1e-5, err_msg=f"{ours}_{k}")


def test_parameter_counts_of_the_paper():
    model = SSRNet(division_floor=0)
    assert model.count_params() == 40_915
    assert sum(np.prod(variable.shape) for variable in model.trainable_variables) == 40_531


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
    stages=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    seed=st.integers(0, 2**32 - 1),
    lambda_index=st.sampled_from([0.0, 0.5, 1.0]),
    lambda_width=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_layer_agrees_with_the_equation_bin_by_bin(stages, seed, lambda_index, lambda_width):
    random = np.random.default_rng(seed)
    heads = [
        (random.random((2, s)), random.uniform(-1, 1, (2, s)), random.uniform(-0.9, 0.9, (2, 1))) for s in stages
    ]
    expected = np.zeros((2, 1))
    for row in range(2):
        for k in range(len(stages)):
            width = 101.0
            for j in range(k + 1):
                width /= stages[j] * (1 + lambda_width * heads[j][2][row, 0])
            for i in range(stages[k]):
                expected[row] += heads[k][0][row, i] * (i + lambda_index * heads[k][1][row, i]) * width
    result = SoftStagewiseRegression(101, lambda_index, lambda_width)(heads)
    np.testing.assert_allclose(result, expected, rtol=2e-4, atol=1e-4)


def test_widths_multiply_down_the_stages():
    assert bin_widths((2, 5), value_range=100, deltas=[0.25, 0.0]) == pytest.approx([40, 8])


def test_saved_model_comes_back(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    model = SSRNet((5, 2), lambda_width=0.5)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(restored.predict(pictures, verbose=0), model.predict(pictures, verbose=0))
    assert restored.get_layer("prediction").lambda_width == 0.5


@pytest.mark.parametrize("image_size", [38, 48, 96])
def test_other_input_sizes_build(image_size):
    assert SSRNet(image_size=image_size).predict(np.zeros((1, image_size, image_size, 3)), verbose=0).shape == (1, 1)


@pytest.mark.parametrize("arguments", [{"stages": ()}, {"stages": (3, 0)}, {"stages": (2,) * 4}, {"image_size": 16}])
def test_impossible_networks_are_refused(arguments):
    with pytest.raises(ValueError, match="SSR-Net"):
        SSRNet(**arguments)
