"""Multiply-adds against sums worked by hand."""

import keras

from ssrlib.baselines import C3AE, MobileNet
from ssrlib.costs import layer_costs
from ssrlib.network import SSRNet


def test_ssrnet_by_hand():
    # Places times kernel times channels of the 3x3 convolutions, level by level.
    x = 32 * 9 * (62**2 * 3 + 29**2 * 32 + 12**2 * 32 + 4**2 * 32)
    s = 16 * 9 * (62**2 * 3 + 29**2 * 16 + 12**2 * 16 + 4**2 * 16)
    reductions = (32 + 16) * 10 * (4**2 + 14**2 + 31**2)
    dense = sum(features + 2 * 3 * features + 3 * 6 + 2 * 6 * 3 for features in (160, 90, 90))
    table = layer_costs(SSRNet())
    assert table["multiply_adds"].sum() == x + s + reductions + dense == 17_078_926
    assert table["parameters"].sum() == 40_915
    first = table[table["layer"] == "x_conv_1"].iloc[0]
    assert (first["output"], first["parameters"], first["multiply_adds"]) == ("62x62x32", 896, 62**2 * 27 * 32)


def test_depthwise_convolutions_count_once_a_channel():
    table = layer_costs(MobileNet(0.25)).set_index("layer")["multiply_adds"]
    assert table["conv_dw_1"] == 32 * 32 * 9 * 8
    assert table["conv_pw_1"] == 32 * 32 * 8 * 16


def test_a_shared_network_counts_each_time_it_is_used():
    model = C3AE()
    table = layer_costs(model)
    assert table["parameters"].sum() == model.count_params()
    assert table.set_index("layer").loc["conv_1", "multiply_adds"] == 3 * 62**2 * 27 * 32


def test_normalization_has_parameters_and_no_multiply_adds():
    image = keras.Input((4, 4, 2))
    table = layer_costs(keras.Model(image, keras.layers.BatchNormalization(name="norm")(image)))
    assert table.to_dict("records") == [
        {"layer": "norm", "kind": "BatchNormalization", "output": "4x4x2", "parameters": 8, "multiply_adds": 0}
    ]


def test_an_empty_model_has_no_rows():
    image = keras.Input((4,))
    assert len(layer_costs(keras.Model(image, keras.layers.ReLU()(image)))) == 0
