"""The network as a Keras model: its size, its options, and everything that Keras can do with a model."""

import keras
import numpy as np
import pytest

from ssrlib.network import LeakyGradientReLU, SSRNet, enliven_heads, head_part, stage_heads
from ssrlib.stagewise import stage_contributions


def pictures(count=4, size=64):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def alive(**arguments):
    """A network in which every weight counts and the answer depends on the picture."""
    model = SSRNet(**arguments)
    random = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            scale, others = random.uniform(0.5, 1, layer.gamma.shape), random.normal(0, 0.1, layer.beta.shape)
            layer.set_weights([scale, others, random.normal(0, 20, scale.shape), random.uniform(2e3, 4e3, scale.shape)])
        elif layer.name.endswith(("_p", "_features")):
            layer.set_weights([np.abs(weights) + 0.05 for weights in layer.get_weights()])
    return model


def test_parameter_counts_of_the_paper():
    model = SSRNet()
    assert model.count_params() == 40_915
    assert sum(np.prod(variable.shape) for variable in model.trainable_variables) == 40_531


@pytest.mark.parametrize("stages", [(27,), (101,), (5, 5, 5), (9, 3), (2, 2, 2, 2), (2, 3, 2, 3, 2, 3)])
def test_any_stages_can_be_built_and_add_up(stages):
    model = alive(stages=stages)
    heads = stage_heads(model).predict(pictures(), verbose=0)
    assert [heads[f"p_{k}"].shape for k in range(1, len(stages) + 1)] == [(4, bins) for bins in stages]
    total = stage_contributions(heads).sum(axis=1)
    np.testing.assert_allclose(total, model.predict(pictures(), verbose=0)[:, 0], rtol=1e-4)
    assert np.ptp(total) > 0


def test_parameters_of_one_stage_by_hand():
    # 1x1 convolutions to 10 channels, a dense layer from each stream, then features, p, eta and Delta.
    streams = sum(channels_in * filters * 9 + filters + 4 * filters
                  for filters in (32, 16) for channels_in in (3, filters, filters, filters))  # fmt: skip
    stage = (32 + 1) * 10 + (16 + 1) * 10 + 2 * (160 + 1) * 27 + (27 + 1) * 54 + 2 * (54 + 1) * 27 + 160 + 1
    assert SSRNet((27,)).count_params() == streams + stage


@pytest.mark.parametrize(("streams", "kept"), [("x", "s_"), ("s", "x_")])
def test_one_stream_has_no_layer_of_the_other(streams, kept):
    model = SSRNet(streams=streams)
    assert not [layer.name for layer in model.layers if layer.name.startswith(kept) or f"_{kept}" in layer.name]
    assert np.isfinite(model.predict(pictures(), verbose=0)).all()


def test_streams_that_are_added_instead_of_multiplied():
    model = alive(fusion="sum")
    opened = keras.Model(
        model.input, [model.get_layer(f"stage_1_{name}").output for name in ("x_flatten", "s_flatten", "product")]
    )
    x, s, fused = opened.predict(pictures(), verbose=0)
    np.testing.assert_allclose(fused, x + s, rtol=1e-6)
    assert model.count_params() == SSRNet().count_params()


def test_softmax_weights_add_up_to_one():
    heads = alive(p_activation="softmax", return_heads=True).predict(pictures(), verbose=0)
    for k in (1, 2, 3):
        np.testing.assert_allclose(heads[f"p_{k}"].sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("change", [{"fusion": "maximum"}, {"p_activation": "sigmoid"}])
def test_unknown_options_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change.values()))):
        SSRNet(**change)


def test_without_dynamic_range_there_are_no_such_heads():
    heads = SSRNet(dynamic_range=False, return_heads=True).predict(pictures(), verbose=0)
    assert sorted(heads) == ["p_1", "p_2", "p_3", "prediction"]
    expected = sum(heads[f"p_{k}"] @ np.arange(3) * 101 / 3**k for k in (1, 2, 3))
    np.testing.assert_allclose(heads["prediction"][:, 0], expected, rtol=1e-4, atol=1e-5)


def test_switched_off_shifts_are_a_network_without_them():
    model = alive(lambda_index=0.0, lambda_width=0.0)
    still = SSRNet(dynamic_range=False)
    for layer in still.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    np.testing.assert_allclose(
        still.predict(pictures(), verbose=0), model.predict(pictures(), verbose=0), rtol=1e-5, atol=1e-5
    )


def test_the_general_form_answers_in_its_range():
    age, general = alive(), SSRNet(value_range=1)
    general.set_weights(age.get_weights())
    np.testing.assert_allclose(
        101 * general.predict(pictures(), verbose=0), age.predict(pictures(), verbose=0), rtol=1e-5
    )


def test_the_network_with_heads_is_the_network_opened_up():
    model, opened = alive(), SSRNet(return_heads=True)
    for layer in opened.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    heads = stage_heads(model).predict(pictures(), verbose=0)
    assert len(heads) == 10 and heads.keys() == opened.output.keys()
    for name, value in opened.predict(pictures(), verbose=0).items():
        np.testing.assert_allclose(value, heads[name], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(heads["prediction"], model.predict(pictures(), verbose=0), rtol=1e-5)


def test_saved_model_comes_back(tmp_path):
    model = alive(stages=(5, 2), lambda_width=0.5, division_floor=0.0)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(restored.predict(pictures(), verbose=0), model.predict(pictures(), verbose=0))
    layer = restored.get_layer("prediction")
    assert (layer.lambda_width, layer.division_floor) == (0.5, 0.0)


def test_a_clone_with_the_same_weights_says_the_same():
    model = alive()
    clone = keras.models.clone_model(model)
    assert not np.allclose(clone.predict(pictures(), verbose=0), model.predict(pictures(), verbose=0))
    clone.set_weights(model.get_weights())
    np.testing.assert_allclose(clone.predict(pictures(), verbose=0), model.predict(pictures(), verbose=0), rtol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a SavedModel is TensorFlow's")
def test_an_exported_model_says_the_same(tmp_path):
    import tensorflow as tf

    model = alive()
    model.export(tmp_path / "exported", format="tf_saved_model", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    served = exported.serve(pictures().astype("float32"))
    np.testing.assert_allclose(served, model.predict(pictures(), verbose=0), rtol=1e-4)


def test_compiled_with_xla_it_says_the_same():
    model = alive()
    expected = model.predict(pictures(), verbose=0)
    model.compile(jit_compile=True)
    np.testing.assert_allclose(model.predict(pictures(), verbose=0), expected, rtol=1e-4)


@pytest.mark.parametrize("half", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_answers_in_float32_and_nearly_the_same(half):
    model = alive()
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(half)
    try:
        halved = SSRNet()
    finally:
        keras.config.set_dtype_policy(policy)
    assert halved.get_layer("x_conv_1").compute_dtype == half.removeprefix("mixed_")
    halved.set_weights(model.get_weights())
    found = halved.predict(pictures(), verbose=0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, model.predict(pictures(), verbose=0), rtol=0.05)


@pytest.mark.parametrize("half", [None, "mixed_float16"])
@pytest.mark.parametrize("value", [-3e38, -1.0, 0.0, 255.0, 1e9, 3e38])
def test_no_finite_picture_gives_an_infinity(half, value):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(half or policy)
    try:
        model = alive()
    finally:
        keras.config.set_dtype_policy(policy)
    picture = np.full((1, 64, 64, 3), value, np.float32)
    picture[:, ::2] *= -1
    result = model.predict(picture, verbose=0)
    assert np.isfinite(result).all()
    np.testing.assert_allclose(result, model.predict(np.clip(picture, 0, 255), verbose=0))


@pytest.mark.parametrize("image_size", [38, 48, 96])
def test_other_input_sizes_build(image_size):
    assert SSRNet(image_size=image_size).predict(np.zeros((1, image_size, image_size, 3)), verbose=0).shape == (1, 1)


@pytest.mark.parametrize(
    "arguments", [{"stages": ()}, {"stages": (3, 0)}, {"image_size": 16}, {"streams": "xx"}, {"streams": ""}]
)
def test_impossible_networks_are_refused(arguments):
    with pytest.raises(ValueError, match="SSR-Net"):
        SSRNet(**arguments)


def test_a_leak_changes_gradients_and_no_value():
    tf = pytest.importorskip("tensorflow")
    values = np.float32([[-3.0, -0.5, 0.0, 0.5, 3.0]])
    layer = LeakyGradientReLU(0.25)
    with tf.GradientTape() as tape:
        given = tf.constant(values)
        tape.watch(given)
        answer = layer(given)
    np.testing.assert_array_equal(answer, np.maximum(values, 0))
    slopes = tape.gradient(answer, given).numpy()[0]
    np.testing.assert_allclose(slopes[[0, 1, 3, 4]], [0.25, 0.25, 1, 1])
    again = LeakyGradientReLU.from_config(layer.get_config())
    assert again.leak == 0.25


def test_a_network_with_a_leak_gives_the_same_ages():
    plain, leaky = SSRNet(), SSRNet(leak=0.1)
    leaky.set_weights(plain.get_weights())
    np.testing.assert_array_equal(leaky.predict(pictures(), verbose=0), plain.predict(pictures(), verbose=0))


@pytest.mark.parametrize("stages", [(3, 3, 3), (9, 3), (2, 2, 2, 2)])
def test_fresh_heads_are_open_for_every_picture_whatever_the_seed(stages):
    model = SSRNet(stages, 40, batch_norm_momentum=0.0)
    model(pictures(8, 40), training=True)  # normalization knows the pictures after one look
    convolutions = {layer.name: layer.get_weights() for layer in model.layers if "conv" in layer.name}
    answers = []
    for seed in range(4):
        enliven_heads(model, seed)
        heads = stage_heads(model).predict(pictures(8, 40), verbose=0)
        assert all((heads[f"p_{k}"] > 0).all() for k in range(1, len(stages) + 1))
        answers.append(heads["prediction"])
    assert 15 < np.mean(answers) < 75, "plausible ages before any training"
    assert len({float(answer.mean()) for answer in answers}) == 4
    enliven_heads(model, 0)
    np.testing.assert_array_equal(stage_heads(model).predict(pictures(8, 40), verbose=0)["prediction"], answers[0])
    for name, kept in convolutions.items():
        for before, after in zip(kept, model.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(before, after)


def test_parts_of_the_heads_have_names():
    parts = {head_part(layer) for layer in SSRNet().layers}
    assert parts == {None, "x_dense", "s_dense", "features", "p", "eta", "delta"}
