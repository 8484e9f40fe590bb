"""Recipes: everything that decides a training run besides the data and the seed."""

import inspect
from dataclasses import dataclass, fields, replace

from ssrlib.baselines import ARCHITECTURES
from ssrlib.targets import TARGETS

SCHEDULES = ("steps", "cosine")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
HEADS = ("kept", "fresh")


@dataclass(frozen=True)
class Recipe:
    """A way to train a network.

    Attributes
    ----------
    name : str
    epochs : int
    batch_size : int
    learning_rate : float
        The highest one, for Adam.
    schedule : str
        "steps" divides the rate by 10 after a third and again after two thirds of the epochs, as the authors do;
        "cosine" raises it during the first twentieth of the steps and lets it fall to zero along a cosine.
    target : str
        What is learned: "age" in years or, in the general form with a `value_range` of 1, "male", a probability.
    loss : str
        A Keras loss; the paper's is the mean absolute error. For a probability, take "mean_squared_error".
    weight_decay : float
        Above 0 for AdamW; a share of the weights, times the learning rate, taken off each step.
    clip : float
        Largest norm of a step's gradient, all weights together; a longer one is shortened to it. 0 for no limit.
    epsilon : float
        Adam divides each weight's gradient by its usual size plus this. The larger it is, the less a weight whose
        gradient is tiny for long is thrown about when it meets a usual one.
    weight_average : float
        Momentum of an exponential moving average of the weights, which is what is validated and kept; 0 for none.
    distribution : float
        Weight of a second loss, which is there in training only: from the features that the stages read, a softmax over
        the ages 0 to 100 is learned, with cross-entropy against a normal distribution about the true age. SSR-Net only.
    spread : float
        Standard deviation of that distribution, in years.
    distillation : float
        Weight of a third loss: the mean absolute difference to what teachers answer, on average over them, the picture
        as it is and its mirror image, after the straight line that fits their answers to the ages learned from.
    heads : str
        "kept" starts with the heads of the initial weights, or with Keras's default ones; "fresh" with ones of which
        none is dead (`network.enliven_heads`), and takes from initial weights, which may then be another network's,
        only what lies before the heads.
    precision : str
        "float32", or one of Keras's mixed policies, in which convolutions count with 16 bits; on a device that is not
        made for these, with 32 all the same (`backend.supports_precision`). The run's record says which it was.
    flip, chance, rotation, shear, shift, zoom : float
        The augmentation, see `augmentation.RandomAffine`.
    brightness, contrast : float
        Largest change of brightness as a share of 255, and of contrast as a share, see Keras's layers of these names.
    erasing : float
        Chance that a rectangle of a picture is replaced by noise, see `keras.layers.RandomErasing`.
    architecture : str
        See `baselines.ARCHITECTURES`.
    stages, lambda_index, lambda_width, value_range, division_floor, streams, fusion, p_activation,
    batch_norm_momentum, leak, dropout
        The network, see `network.SSRNet`; other architectures take those of them that they know.

    Raises
    ------
    ValueError
        If a field has a value that cannot be.
    """

    name: str
    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str = "steps"
    target: str = "age"
    loss: str = "mean_absolute_error"
    weight_decay: float = 0.0
    clip: float = 0.0
    epsilon: float = 1e-7
    weight_average: float = 0.0
    distribution: float = 0.0
    spread: float = 2.0
    distillation: float = 0.0
    heads: str = "kept"
    precision: str = "float32"
    flip: float = 0.5
    chance: float = 0.25
    rotation: float = 20.0
    shear: float = 0.2
    shift: float = 0.2
    zoom: float = 0.2
    brightness: float = 0.0
    contrast: float = 0.0
    erasing: float = 0.0
    architecture: str = "ssrnet"
    stages: tuple = (3, 3, 3)
    lambda_index: float = 1.0
    lambda_width: float = 1.0
    value_range: float = 101
    division_floor: float = 0.1
    streams: str = "xs"
    fusion: str = "product"
    p_activation: str = "relu"
    batch_norm_momentum: float = 0.99
    leak: float = 0.0
    dropout: float = 0.2

    def __post_init__(self):
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError("A recipe needs at least one epoch and one picture a batch.")
        if not self.learning_rate > 0:
            raise ValueError(f"The learning rate is {self.learning_rate}; it must be above 0.")
        if self.clip < 0 or not self.epsilon > 0:
            raise ValueError("The gradient's limit 'clip' must be at least 0, Adam's 'epsilon' above 0.")
        if not 0 <= self.weight_average < 1:
            raise ValueError(f"The weight average has a momentum of {self.weight_average}; it must be 0 to below 1.")
        if not self.spread > 0:
            raise ValueError(f"The spread of the ages is {self.spread} years; it must be above 0.")
        for name, value, known in (
            ("schedule", self.schedule, SCHEDULES),
            ("target", self.target, TARGETS),
            ("precision", self.precision, PRECISIONS),
            ("kind of heads", self.heads, HEADS),
            ("architecture", self.architecture, ARCHITECTURES),
        ):
            if value not in known:
                raise ValueError(f"There is no {name} called '{value}'; use {', '.join(known)}.")
        if self.target == "male" and self.value_range != 1:
            raise ValueError(f"A probability has a value_range of 1, not {self.value_range}.")
        if self.distribution and self.target != "age":
            raise ValueError("The second loss is about ages; leave 'distribution' at 0.")
        if self.distribution and self.architecture != "ssrnet":
            raise ValueError("The second loss reads the features of SSR-Net's stages; other networks have none.")

    @property
    def network(self):
        """The arguments of `baselines.build_network`, without the image size."""
        known = inspect.signature(ARCHITECTURES[self.architecture]).parameters
        return {"architecture": self.architecture} | {
            field.name: getattr(self, field.name) for field in fields(self) if field.name in known.keys() - {"name"}
        }

    @property
    def augmentation(self):
        """The arguments of `augmentation.RandomAffine`, without the seed."""
        return {name: getattr(self, name) for name in ("flip", "chance", "rotation", "shear", "shift", "zoom")}


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("paper", epochs=90, batch_size=50, learning_rate=0.001, division_floor=0.0),
        Recipe(
            "modern",
            epochs=25,
            batch_size=50,
            learning_rate=0.001,
            schedule="cosine",
            weight_average=0.999,
            heads="fresh",
            leak=0.1,
            precision="mixed_bfloat16",
            rotation=10.0,
            shift=0.05,
            zoom=0.1,
        ),
        Recipe(
            "small",
            epochs=12,
            batch_size=50,
            learning_rate=0.002,
            schedule="cosine",
            heads="fresh",
            leak=0.1,
            rotation=10.0,
            shift=0.05,
            zoom=0.1,
            batch_norm_momentum=0.9,
        ),
    )
}


def find_recipe(name, **changes):
    """Look a recipe up and change some of its fields.

    Raises
    ------
    ValueError
        If there is no such recipe or field.

    Examples
    --------
    >>> find_recipe("paper", epochs=3).epochs
    3
    """
    if name not in RECIPES:
        raise ValueError(f"There is no recipe called '{name}'; use {', '.join(RECIPES)}.")
    unknown = changes.keys() - {field.name for field in fields(Recipe)}
    if unknown:
        raise ValueError(f"A recipe has no field called '{min(unknown)}'.")
    return replace(RECIPES[name], **changes)
