"""Weights by name or file: this package's own, with the record of how to use them inside, and the authors'."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import h5py
from keras import ops

from ssrlib import records
from ssrlib.alignment import Crop
from ssrlib.authors import AUTHORS_WEIGHTS, fetch_authors, is_authors_file, read_authors
from ssrlib.baselines import build_network

RECORD_ATTRIBUTE = "ssrlib"


def save_weights(model, record, path):
    """Write a model's weights and their record to one file, which appears complete or not at all.

    Parameters
    ----------
    model : keras.Model
    record : dict
        At least `network` (the arguments of `baselines.build_network`) and `crop` (those of `Crop`). What else a run's
        record holds stands in the chapter "Notation and contracts".
    path : Path
        An HDF5 file: each weight under `layer name/weight name`, the record as the JSON attribute `ssrlib`. Keras's own
        format numbers the layers in the order in which they were made, so that a harmless change of the code that
        builds a network would exchange weights.
    """
    path = Path(path)
    temporary = path.with_name("tmp." + path.name)
    with h5py.File(temporary, "w", libver="latest") as file:
        for variable in model.weights:
            file[variable.path] = ops.convert_to_numpy(variable)
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


def find_weights(weights):
    """Turn what weights go by into the path of their file; the authors' are fetched.

    Parameters and errors are those of `load_model`.

    Returns
    -------
    Path
    """
    path = Path(weights)
    if path.is_file():
        return path
    try:
        return records.find_run(weights) / records.WEIGHTS_FILE
    except FileNotFoundError as error:
        if str(weights) not in AUTHORS_WEIGHTS:
            raise FileNotFoundError(f"{error} The authors' weights are: {', '.join(AUTHORS_WEIGHTS)}.") from None
        return fetch_authors(str(weights))


def load_model(weights):
    """Build the network that some weights belong to and fill it.

    Parameters
    ----------
    weights : str or Path
        The name of a recorded run, a run's folder, a weights file, or one of the authors' weights (a file of theirs, or
        a name in `authors.AUTHORS_WEIGHTS`).

    Returns
    -------
    model : keras.Model
    crop : Crop
        How pictures have to be cropped for it. The authors say nothing of it; their weights want a wide crop (chapter
        01), and get the default one.
    record : dict

    Raises
    ------
    FileNotFoundError
        If nothing goes by that name.
    ValueError
        If the file is neither ours nor the authors', or damaged.
    ConnectionError
        If the authors' weights cannot be fetched.
    """
    path = find_weights(weights)
    if is_authors_file(path):
        model, network = read_authors(path)
        record = {"source": f"the authors of the paper: {weights}", "network": network, "crop": asdict(Crop())}
        return model, Crop(), record
    record = read_record(path)
    model = build_network(**record["network"])
    try:
        _fill(model, path)
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"The weights in '{path}' do not fit the network that its record names.") from error
    return model, Crop(**record["crop"]), record


def _fill(model, path):
    stored = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: stored.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    if stored.keys() != {variable.path for variable in model.weights}:
        raise KeyError("The file holds other layers.")
    for variable in model.weights:
        variable.assign(stored[variable.path])
