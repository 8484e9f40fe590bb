"""The general form: any quantity between two bounds, learned by the same stages that learn an age (chapter 07)."""

import keras
import numpy as np
from tqdm import tqdm

from ssrlib import synthetic
from ssrlib.backend import jit_compile
from ssrlib.network import SSRNet, enliven_heads


def drawn_attribute(faces, attribute):
    """Look up what drawn faces were drawn with.

    Parameters
    ----------
    faces : crops.Crops
        Of the data set "drawn".
    attribute : str
        A column of `synthetic.sample_attributes`, such as "yaw", the turn of the head in degrees.

    Returns
    -------
    ndarray, shape (N,)

    Raises
    ------
    ValueError
        If these are other faces, or nothing is called so.
    """
    if faces.record["dataset"] != "drawn":
        raise ValueError(f"Only of drawn faces it is known how they were drawn, not of {faces.record['dataset']}.")
    seed, number = faces.table["name"].str.extract(r"drawn:(\d+):(\d+)").astype(int).to_numpy().T
    _, people = synthetic.sample_attributes(number.max() + 1, seed[0])
    if attribute not in people:
        raise ValueError(f"Faces are not drawn with a '{attribute}'; there are: {', '.join(people)}.")
    return people[attribute].to_numpy()[number]


def learn_bounded(images, values, low, high, start=None, epochs=6, seed=0):
    """Teach an SSR-Net with V = high - low a quantity that lies between two bounds.

    Equation 7 gives values from about 0 to about V; `low` is added to them. No augmentation: whether a picture may be
    mirrored or turned depends on the quantity.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, size, size, 3)
        RGB.
    values : array_like of float, shape (N,)
        In the quantity's own unit.
    low, high : float
        Its bounds.
    start : keras.Model, optional
        An SSR-Net (3, 3, 3) whose convolutions are taken over.
    epochs : int
    seed : int
        Decides the first weights, the order of the pictures and the dropout.

    Returns
    -------
    keras.Model
        Takes crops as `images`, returns (N, 1), in the quantity's own unit. Nothing holds it between the bounds.

    Raises
    ------
    ValueError
        If a value lies outside of the bounds, or there are not as many values as pictures.
    """
    values = np.asarray(values, np.float32).reshape(-1, 1)
    if len(values) != len(images):
        raise ValueError(f"There are {len(values)} values for {len(images)} pictures.")
    if not ((values >= low) & (values <= high)).all():
        raise ValueError(f"Values must lie between the bounds {low:g} and {high:g}.")
    keras.utils.set_random_seed(seed)
    network = SSRNet(
        image_size=images.shape[1], value_range=high - low, leak=0.1, batch_norm_momentum=0.9, name="bounded"
    )
    if start is not None:
        network.set_weights(start.get_weights())
    enliven_heads(network, seed)
    model = keras.Model(network.input, network.output + low)
    steps = -(-len(images) // 50) * epochs
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=0.002, warmup_steps=steps // 20)
    model.compile(keras.optimizers.Adam(schedule), loss="mean_absolute_error", jit_compile=jit_compile())
    with tqdm(total=epochs, unit="epoch") as progress:
        done = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: progress.update())
        model.fit(images, values, batch_size=50, epochs=epochs, verbose=0, callbacks=[done])
    return model
