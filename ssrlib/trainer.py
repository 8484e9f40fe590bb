"""What a recipe puts around a network to train it: augmentation, losses, and an optimizer with its learning rate."""

import keras

from ssrlib.augmentation import RandomAffine
from ssrlib.backend import jit_compile


def build_trainer(model, recipe, schedule, seed, wanted):
    """Put the augmentation before a network, losses and optimizer behind it, and compile.

    Parameters
    ----------
    model : keras.Model
        From pictures to values; it is trained in place.
    recipe : Recipe
    schedule : keras.optimizers.schedules.LearningRateSchedule or float
        Learning rate.
    seed : int
        Of the augmentation.
    wanted : container of str
        What the labels hold besides "value": "distribution" adds a softmax over ages on the stages' features, "answer"
        a distance to a teacher's answer.

    Returns
    -------
    keras.Model
        From pictures, 0..255, to a dictionary with an output for each name in `wanted`.
    """
    image = keras.Input(model.input_shape[1:])
    varied = image
    for layer in augmentation_layers(recipe, seed):
        varied = layer(varied)
    outputs, losses, weights = {}, {}, {}
    if "distribution" in wanted:
        features = [layer.output for layer in model.layers if layer.name.endswith("_flatten")]
        opened = keras.Model(model.input, [model.output, keras.layers.Concatenate()(features)])
        outputs["value"], joined = opened(varied)
        outputs["distribution"] = keras.layers.Dense(101, dtype="float32", name="ages")(joined)
        losses["distribution"] = DistributionLoss(recipe.spread)
        weights["distribution"] = recipe.distribution
    else:
        outputs["value"] = model(varied)
    losses["value"], weights["value"] = recipe.loss, 1.0
    if "answer" in wanted:
        outputs["answer"] = outputs["value"]
        losses["answer"], weights["answer"] = "mean_absolute_error", recipe.distillation
    trainer = keras.Model(image, outputs)
    adam = {
        "epsilon": recipe.epsilon,
        "use_ema": recipe.weight_average > 0,
        "ema_momentum": recipe.weight_average or 0.99,
    }
    kind = keras.optimizers.AdamW if recipe.weight_decay else keras.optimizers.Adam
    optimizer = kind(schedule, weight_decay=recipe.weight_decay or None, global_clipnorm=recipe.clip or None, **adam)
    if model.dtype_policy.name == "mixed_float16":
        # Small gradients are no float16. Keras would see to it itself, if the trainer, too, counted in 16 bits.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    trainer.compile(
        optimizer,
        loss=losses,
        loss_weights=weights,
        # A name would become variables only while TensorFlow traces the step, which it then has to trace twice.
        weighted_metrics={"value": [keras.metrics.MeanAbsoluteError()]},
        jit_compile=jit_compile(),
    )
    trainer.optimizer.build(trainer.trainable_variables)
    return trainer


def learning_rate(recipe, steps):
    """Give the learning rate of each step of a training.

    Parameters
    ----------
    recipe : Recipe
        Its `schedule` is "steps", divided by ten after a third and two thirds of the epochs as the authors do, or
        "cosine", with a twentieth of the steps to warm up.
    steps : int
        Steps in an epoch.

    Returns
    -------
    keras.optimizers.schedules.LearningRateSchedule
    """
    total = recipe.epochs * steps
    if recipe.schedule == "steps":
        # Keras changes the value after the boundary, not on it.
        boundaries = [round(recipe.epochs / 3) * steps - 1, round(recipe.epochs * 2 / 3) * steps - 1]
        values = [recipe.learning_rate * factor for factor in (1, 0.1, 0.01)]
        return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, values)
    warm_up = max(1, total // 20)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total - warm_up), warmup_target=recipe.learning_rate, warmup_steps=warm_up
    )


def augmentation_layers(recipe, seed):
    """List the layers that vary a batch of pictures, 0..255, as a recipe says.

    Yields
    ------
    keras.Layer
    """
    if recipe.flip or recipe.chance:
        yield RandomAffine(**recipe.augmentation, seed=seed, dtype="float32")
    bounds = {"value_range": (0, 255), "seed": seed, "dtype": "float32"}
    if recipe.brightness:
        yield keras.layers.RandomBrightness(recipe.brightness, **bounds)
    if recipe.contrast:
        yield keras.layers.RandomContrast(recipe.contrast, **bounds)
    if recipe.erasing:
        yield keras.layers.RandomErasing(recipe.erasing, **bounds)


class DistributionLoss(keras.losses.Loss):
    """Cross-entropy of a softmax over the ages 0 to 100 against a normal distribution about the true age.

    Parameters
    ----------
    spread : float
        Standard deviation of that distribution in years.
    """

    def __init__(self, spread):
        super().__init__(name="distribution")
        self.spread = spread

    def call(self, ages, scores):
        distances = keras.ops.arange(scores.shape[-1], dtype="float32") - ages
        wanted = keras.ops.softmax(-((distances / self.spread) ** 2) / 2)
        return keras.ops.categorical_crossentropy(wanted, scores, from_logits=True)
