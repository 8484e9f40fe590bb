"""The weights that the paper's authors released, read into the networks of this package (chapter 02)."""

import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from ssrlib import downloads, jobs
from ssrlib.baselines import build_network

_IMDB_WIKI = "https://raw.githubusercontent.com/shamangary/SSR-Net/master/pre-trained"
_MEGAAGE = "https://raw.githubusercontent.com/b02901145/SSR-Net_megaage-asian/master/megaage_models"
_SSRNET = "ssrnet_3_3_3_64_1.0_1.0/ssrnet_3_3_3_64_1.0_1.0.h5"


class Released(NamedTuple):
    """One of the released files."""

    url: str
    sha256: str


AUTHORS_WEIGHTS = {
    "imdb": Released(
        f"{_IMDB_WIKI}/imdb/{_SSRNET}",
        "f51ac230a68bafdcd9699160f01e4d67a78232419ebcfae8622e0638e6dd4ca3",
    ),
    "wiki": Released(
        f"{_IMDB_WIKI}/wiki/{_SSRNET}",
        "f8b677f1a61fcf1233de0bd942f3172b1397fcbfe0f2784220154af1faf833e0",
    ),
    "megaface_asian": Released(
        f"{_IMDB_WIKI}/megaface_asian/{_SSRNET}",
        "4bc9348a8ee89dc21d16a4e06a994e287650d068eb9f789578698c7377a07ef7",
    ),
    "megaage": Released(
        f"{_MEGAAGE}/batch_size_50/{_SSRNET}",
        "aaccfd1c76f6c4d2cd2c729dced710b794c2254c4b7d6e6a5e1d59fd7fcb17a9",
    ),
    "imdb_gender": Released(
        f"{_IMDB_WIKI}/imdb_gender_models/{_SSRNET}",
        "e295148efe9c282a27ebd69a64f6495b1b280728141047866ff81001089b1767",
    ),
    "wiki_gender": Released(
        f"{_IMDB_WIKI}/wiki_gender_models/{_SSRNET}",
        "2d15bfa72869526d1e2b80385157e34a55fb5a4b184bbac5ea56d623141d7e8c",
    ),
    "megaage_mobilenet_0.25": Released(
        f"{_MEGAAGE}/MobileNet/batch_size_50/mobilenet_reg_0.25_64/mobilenet_reg_0.25_64.h5",
        "dba72b98520de6f3e6b273eee960b355aea73fc495127cd1399715b628860a7b",
    ),
    "megaage_densenet_19": Released(
        f"{_MEGAAGE}/DenseNet/batch_size_50/densenet_reg_19_64/densenet_reg_19_64.h5",
        "b66f853d84c2fa10d8ca21251e8c1cd0c5de2b6b04d93a4b45a3752efd5a6148",
    ),
}
_HEAD = {"features": "feat_a", "prediction": "pred_a"}  # the end of both baselines: our names, theirs


def load_authors(path_or_name, lambda_index=1.0, lambda_width=1.0):
    """Build the network that a file of the authors' belongs to and fill it.

    The file is read with h5py, layer by layer; no old Keras is needed. The kernels that look at the picture are turned
    from BGR to RGB, so the network takes what every network of this package takes.

    Parameters
    ----------
    path_or_name : str or Path
        A file, or one of the names in `AUTHORS_WEIGHTS`, which is fetched once and checked by its SHA-256.
    lambda_index, lambda_width : float
        See `stagewise.SoftStagewiseRegression`. The file does not say; in all released ones both are 1.

    Returns
    -------
    keras.Model
        Takes (N, 64, 64, 3) RGB values 0..255. Returns (N, 1): years, or the probability that a face is male for the
        files "imdb_gender" and "wiki_gender". An SSR-Net divides as released (`division_floor=0`).

    Raises
    ------
    FileNotFoundError
        If there is no such file or name.
    ValueError
        If the file is damaged, or does not hold exactly the layers of one of the authors' networks.
    ConnectionError
        If it cannot be fetched.
    """
    return read_authors(path_or_name, lambda_index, lambda_width)[0]


def read_authors(path_or_name, lambda_index=1.0, lambda_width=1.0):
    """Do what `load_authors` does, and say how the network was built.

    Returns
    -------
    model : keras.Model
    network : dict
        The arguments of `baselines.build_network`.
    """
    path = Path(path_or_name)
    if not path.is_file():
        path = fetch_authors(str(path_or_name))
    theirs = _read_layers(path)
    if "delta_s1" in theirs:
        network, name_pairs = _ssrnet(path, theirs, lambda_index, lambda_width)
    elif "conv_dw_1" in theirs:
        network, name_pairs = _mobilenet(path, theirs)
    elif "feat_a" in theirs:
        network, name_pairs = _densenet(path, theirs)
    else:
        raise ValueError(f"'{path}' holds none of the authors' networks: SSR-Net, MobileNet or DenseNet.")
    model = build_network(**network)
    filled = [layer.name for layer in model.layers if layer.weights]
    _fill(model, name_pairs(filled), theirs, path)
    return model, network


def is_authors_file(path):
    """Tell whether a file is laid out as Keras 2 did, as the authors' are."""
    try:
        with h5py.File(path) as file:
            return "layer_names" in file.get("model_weights", file).attrs
    except OSError:
        return False


def fetch_authors(name):
    """Fetch weights that the authors released, or find them in the cache folder.

    Parameters
    ----------
    name : str
        One of `AUTHORS_WEIGHTS`.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        If they released none by that name.
    ConnectionError
        If the file cannot be fetched.
    """
    if name not in AUTHORS_WEIGHTS:
        known = ", ".join(AUTHORS_WEIGHTS)
        raise FileNotFoundError(
            f"There is no file '{name}', and the authors released no weights by that name: {known}."
        )
    released = AUTHORS_WEIGHTS[name]
    path = jobs.cache_folder() / "authors" / f"{name}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    return downloads.fetch_file(released.url, f"sha256:{released.sha256}", path)


def _read_layers(path):
    """Read a Keras 2 file: for each layer, inside nested models too, its weights by their names."""
    theirs = defaultdict(dict)
    try:
        with h5py.File(path) as file:
            root = file.get("model_weights", file)  # a file of a whole model has its weights in a folder
            for layer in _texts(root.attrs["layer_names"]):
                names = _texts(root[layer].attrs["weight_names"])
                inner = {name.rpartition("/")[0] for name in names}
                for name in names:
                    folder, _, weight = name.rpartition("/")
                    owner = folder.rpartition("/")[2] if len(inner) > 1 else layer
                    value = np.asarray(root[layer][name][()], dtype="float32")
                    theirs[owner][weight.partition(":")[0].replace("depthwise_", "")] = value
    except (OSError, RuntimeError) as error:
        raise ValueError(f"'{path}' is no HDF5 file, or only the beginning of one: fetch it again.") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"'{path}' is not laid out as the authors' weights are: fetch it again.") from error
    for layer, values in theirs.items():
        if not all(np.isfinite(value).all() for value in values.values()):
            raise ValueError(f"'{path}' is damaged: the weights of its layer '{layer}' are not finite.")
    return dict(theirs)


def _texts(names):
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _numbered(theirs, kind):
    """List the layers that Keras numbered as they were made, in that order, whatever the first number was."""
    found = [name for name in theirs if re.fullmatch(rf"{kind}(_\d+)?", name)]
    return sorted(found, key=lambda name: int(name.rpartition("_")[2]) if name != kind else 0)


def _ssrnet(path, theirs, lambda_index, lambda_width):
    age = "pred_age_stage1" in theirs
    p = "pred_age_stage" if age else "pred_stage"
    network = {
        "architecture": "ssrnet",
        "stages": [_size(path, theirs, f"{p}{k}", "bias") for k in (1, 2, 3)],
        "lambda_index": lambda_index,
        "lambda_width": lambda_width,
        "value_range": 101 if age else 1,
        "division_floor": 0.0,
    }

    def name_pairs(ours):
        convolutions = [f"{stream}_conv_{block}" for stream in "xs" for block in range(1, 5)]
        reductions = [f"stage_{k}_{stream}_conv" for k in (1, 2, 3) for stream in "sx"]
        dense = [f"stage_{k}_{part}" for k in (1, 2, 3) for part in ("s_dense", "x_dense", "features")]
        norms = [name.replace("conv", "norm") for name in convolutions]
        pairs = _match(path, convolutions + reductions, _numbered(theirs, "conv2d"))
        pairs |= _match(path, norms, _numbered(theirs, "batch_normalization"))
        pairs |= _match(path, dense, _numbered(theirs, "dense"))
        for part, source in (("p", p), ("eta", "local_delta_stage"), ("delta", "delta_s")):
            pairs |= {f"stage_{k}_{part}": f"{source}{k}" for k in (1, 2, 3)}
        return pairs

    return network, name_pairs


def _mobilenet(path, theirs):
    network = {"architecture": "mobilenet", "alpha": _size(path, theirs, "conv1", "kernel") / 32}

    def name_pairs(ours):
        return {name: name for name in ours} | _match(path, ["reduce"], _numbered(theirs, "conv2d")) | _HEAD

    return network, name_pairs


def _densenet(path, theirs):
    convolutions = _numbered(theirs, "conv2d")
    if len(convolutions) < 6 or len(convolutions) % 3:
        raise ValueError(f"'{path}' holds no network of the authors': a DenseNet of theirs has three equal blocks.")

    def name_pairs(ours):
        pairs = _match(path, [name for name in ours if name.endswith("conv")], convolutions)
        norms = _numbered(theirs, "batch_normalization")
        pairs |= _match(path, [name for name in ours if name.endswith("norm")], norms)
        return pairs | _match(path, ["hidden"], _numbered(theirs, "dense")) | _HEAD

    return {"architecture": "densenet", "depth": len(convolutions) + 1}, name_pairs


def _match(path, ours, theirs):
    if len(ours) != len(theirs):
        kind = theirs[0].rpartition("_")[0] if theirs else ours[0]
        raise ValueError(f"'{path}' has {len(theirs)} layers '{kind}' where the authors' network has {len(ours)}.")
    return dict(zip(ours, theirs, strict=True))


def _size(path, theirs, layer, weight):
    """Read how many outputs one of the layers has."""
    try:
        return theirs[layer][weight].shape[-1]
    except KeyError:
        raise ValueError(f"'{path}' lacks the weights '{weight}' of the layer '{layer}'.") from None


def _fill(model, pairs, theirs, path):
    if unknown := theirs.keys() - set(pairs.values()):
        raise ValueError(f"'{path}' has a layer that none of the authors' networks has: '{min(unknown)}'.")
    for name, source in pairs.items():
        layer = model.get_layer(name)
        values = []
        for variable in layer.weights:
            value = theirs.get(source, {}).get(variable.name)
            if value is None:
                raise ValueError(f"'{path}' lacks the weights '{variable.name}' of the layer '{source}'.")
            if value.shape != tuple(variable.shape):
                raise ValueError(
                    f"'{path}' has weights of another shape than the authors' network for 64x64 pictures: "
                    f"'{variable.name}' of the layer '{source}' is {value.shape}, not {tuple(variable.shape)}."
                )
            looks_at_colours = value.ndim == 4 and value.shape[2] == 3
            values.append(value[:, :, ::-1] if looks_at_colours else value)
        layer.set_weights(values)
