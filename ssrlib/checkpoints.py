"""Checkpoints: all that a training run needs to go on as if it had never stopped, in one file."""

import json

import h5py
import keras
import numpy as np

CHECKPOINT_FILE = "checkpoint.weights.h5"


def save_checkpoint(trainer, path, key, history):
    """One file holds weights, optimizer, random state and history, and replaces the last one in one step."""
    temporary = path.with_name("tmp." + path.name)
    trainer.save_weights(temporary)
    with h5py.File(temporary, "a") as file:
        file.attrs["key"], file.attrs["history"] = key, json.dumps(history)
        file.attrs["random"] = np.array([keras.ops.convert_to_numpy(state) for state in _random_states(trainer)])
    temporary.replace(path)


def load_checkpoint(trainer, path, key):
    """Restore a checkpoint of the same run and return its history; without one, an empty history.

    Raises
    ------
    FileExistsError
        If it belongs to another run, whose work would be lost.
    """
    if not path.is_file():
        return []
    with h5py.File(path) as file:
        if file.attrs["key"] != key:
            raise FileExistsError(
                f"'{path.parent}' holds an unfinished run of something else; choose another folder or remove it."
            )
        history, states = json.loads(file.attrs["history"]), file.attrs["random"]
    trainer.load_weights(path)
    for variable, state in zip(_random_states(trainer), states, strict=True):
        variable.assign(state)
    return history


def _random_states(trainer):
    """List where the augmentation and the dropouts are in their random streams; Keras saves no such variable."""
    saved = {id(variable) for variable in trainer.weights}
    return [variable for variable in trainer.variables if id(variable) not in saved]
