"""Weights files: Keras's own `.weights.h5` with the record of how to use them inside."""

import json
import os
from pathlib import Path

import h5py

from ssrlib import records
from ssrlib.alignment import Crop
from ssrlib.network import SSRNet

RECORD_ATTRIBUTE = "ssrlib"


def save_weights(model, record, path):
    """Write a model's weights and their record to one file, which appears complete or not at all.

    Parameters
    ----------
    model : keras.Model
    record : dict
        At least `network` (the arguments of `SSRNet`) and `crop` (those of `Crop`).
    path : Path
        Ends in `.weights.h5`. Keras reads it as it is; the record is the JSON attribute `ssrlib` of the file.
    """
    path = Path(path)
    temporary = path.with_name("tmp." + path.name)
    model.save_weights(temporary)
    with h5py.File(temporary, "a") as file:
        file.attrs[RECORD_ATTRIBUTE] = json.dumps(record)
    os.replace(temporary, path)


def read_record(path):
    """Read the record inside a weights file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a weights file of this package.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no weights file '{path}'.")
    try:
        with h5py.File(path) as file:
            return json.loads(file.attrs[RECORD_ATTRIBUTE])
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"'{path}' is not a weights file that ssrlib wrote.") from error


def load_model(weights):
    """Build the network that some weights belong to and fill it.

    Parameters
    ----------
    weights : str or Path
        The name of a recorded run, a run's folder, or a weights file.

    Returns
    -------
    model : keras.Model
    crop : Crop
        How pictures have to be cropped for it.
    record : dict

    Raises
    ------
    FileNotFoundError
        If nothing goes by that name.
    ValueError
        If the file is not one of ours or damaged.
    """
    path = Path(weights)
    if not path.is_file():
        path = records.find_run(weights) / records.WEIGHTS_FILE
    record = read_record(path)
    model = SSRNet(**record["network"])
    try:
        model.load_weights(path)
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"The weights in '{path}' do not fit the network that its record names.") from error
    return model, Crop(**record["crop"]), record
