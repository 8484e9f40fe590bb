"""Recipes: the paper's is the released one, and what cannot be trained is refused."""

from dataclasses import replace

import pytest

from ssrlib.baselines import ARCHITECTURES, build_network
from ssrlib.recipes import RECIPES, find_recipe


def test_the_papers_recipe():
    paper = find_recipe("paper")
    assert (paper.epochs, paper.batch_size, paper.learning_rate, paper.loss) == (90, 50, 1e-3, "mean_absolute_error")
    assert paper.network == {"architecture": "ssrnet", "stages": (3, 3, 3), "lambda_index": 1.0, "lambda_width": 1.0,
                             "value_range": 101, "division_floor": 0.0, "streams": "xs",
                             "fusion": "product", "p_activation": "relu",
                             "batch_norm_momentum": 0.99, "leak": 0.0, "dropout": 0.2}  # fmt: skip


def test_recipes_change_by_field():
    changed = find_recipe("paper", epochs=2, stages=(5, 2))
    assert changed == replace(RECIPES["paper"], epochs=2, stages=(5, 2))
    with pytest.raises(ValueError, match="no recipe called 'large'; use paper, modern, small"):
        find_recipe("large")
    with pytest.raises(ValueError, match="no field called 'momentum'"):
        find_recipe("paper", momentum=0.9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "at least one epoch"),
        ({"batch_size": 0}, "one picture a batch"),
        ({"learning_rate": 0}, "learning rate is 0"),
        ({"learning_rate": float("nan")}, "learning rate is nan"),
        ({"clip": -1.0}, "'clip' must be at least 0"),
        ({"epsilon": 0.0}, "'epsilon' above 0"),
        ({"schedule": "linear"}, "no schedule called 'linear'"),
        ({"target": "height"}, "no target called 'height'; use age, male"),
        ({"target": "male"}, "value_range of 1, not 101"),
        ({"target": "male", "value_range": 1, "distribution": 0.1}, "about ages"),
        ({"heads": "new"}, "no kind of heads called 'new'"),
    ],
)
def test_impossible_recipes_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(RECIPES["small"], **change)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_recipe_tells_each_network_what_it_understands(architecture):
    recipe = find_recipe("small", architecture=architecture)
    network = recipe.network
    assert network["batch_norm_momentum"] == 0.9
    assert ("stages" in network) == (architecture == "ssrnet")
    model = build_network(**network | {"image_size": 64})
    assert model.input_shape == (None, 64, 64, 3)
