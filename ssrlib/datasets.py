"""One reader a data set, one table out: path, age, split and what else the set knows of each picture."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from ssrlib import synthetic

SPLITS = ("train", "val", "test")
DRAWN_FACES = 4000
DRAWN_SEED = 0

_AGED_NAME = re.compile(r"\d{5}A(\d{2,3})\.jpe?g", re.IGNORECASE)
_UTKFACE_NAME = re.compile(r"(\d{1,3})_(?:([01])_([0-4])|\d)_\d{17} ?\.?jpg(?:\.chip)?\.jpg", re.IGNORECASE)
_UTKFACE_ETHNICITIES = ("white", "black", "asian", "indian", "other")
_LAST_FEMALE_ID = 7380


@dataclass(frozen=True)
class DatasetInfo:
    """What a reader should know of a data set before using it: name, one line on what it holds, terms, citation."""

    name: str
    title: str
    terms: str
    citation: str


DATASETS = {
    info.name: info
    for info in (
        DatasetInfo("drawn", "Drawn faces, ages 0 to 90, made by this program", "none: nobody is in the pictures", ""),
        DatasetInfo(
            "all_age_faces",
            "All-Age-Faces, 13,322 pictures, mostly Asian, ages 2 to 80",
            "no licence stated",
            "cheng2019allagefaces",
        ),
        DatasetInfo(
            "utkface",
            "UTKFace aligned and cropped, 23,708 pictures, ages 0 to 116",
            "non-commercial research",
            "zhang2017utkface",
        ),
    )
}


def find_dataset(name):
    """Look a data set up by name; case, hyphens, underscores and blanks make no difference.

    Returns
    -------
    DatasetInfo

    Raises
    ------
    ValueError
        If no data set has that name.

    Examples
    --------
    >>> find_dataset("All-Age-Faces").name
    'all_age_faces'
    """
    wanted = re.sub(r"[\s_-]", "", name).lower()
    for info in DATASETS.values():
        if info.name.replace("_", "") == wanted:
            return info
    raise ValueError(f"There is no data set called '{name}'; ssrlib reads {', '.join(DATASETS)}.")


def load_table(name, root=None, limit=None):
    """List the pictures of a data set.

    Parameters
    ----------
    name : str
        `"drawn"`, `"all_age_faces"` or `"utkface"`.
    root : path, optional
        The data set's folder, or a folder that holds it under its name. Drawn faces need none.
    limit : int, optional
        Keep this many pictures, chosen by a stable hash of their names. For drawn faces, how many to draw
        (default 4,000).

    Returns
    -------
    pandas.DataFrame
        One row a picture, ordered by name: `name` (as published), `path` (what `read_picture` takes), `age` (years,
        float32), `split` ("train", "val" or "test"), and attributes: `sex`, for UTKFace also `ethnicity`.

    Raises
    ------
    ValueError
        If the name is unknown or the folder holds no picture of the set.
    FileNotFoundError
        If the folder does not exist.
    """
    info = find_dataset(name)
    if limit is not None and limit < 1:
        raise ValueError(f"The limit is {limit}; it is a number of pictures and at least 1.")
    if info.name == "drawn":
        return _drawn(limit or DRAWN_FACES)
    table = (_all_age_faces if info.name == "all_age_faces" else _utkface)(_dataset_folder(info, root))
    table["age"] = table["age"].astype(np.float32)
    if limit is not None:
        table = table.loc[table["name"].map(stable_fraction).nsmallest(limit).index]
    return table.sort_values("name", ignore_index=True)


def read_picture(path):
    """Read one picture of a table.

    Parameters
    ----------
    path : str or Path
        A file, or `drawn:SEED:INDEX` for a drawn face.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB, turned upright if the file says how the camera was held.

    Raises
    ------
    ValueError
        If the file is not a picture that OpenCV can read.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> read_picture("drawn:0:17").shape
    (128, 128, 3)
    """
    if str(path).startswith("drawn:"):
        _, seed, index = str(path).split(":")
        return synthetic.draw_face(int(seed), int(index))[0]
    # Not cv2.imread: it cannot open every file name on Windows and only warns when a file is missing.
    encoded = np.frombuffer(Path(path).read_bytes(), dtype=np.uint8)
    try:
        picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    except cv2.error:  # a header that announces more pixels than OpenCV accepts
        picture = None
    if picture is None:
        raise ValueError("not a picture that can be read (broken, empty or of an unknown format)")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def stable_fraction(name):
    """Map a file name to a number in [0, 1) that is the same on every machine and for every subset of files.

    Examples
    --------
    >>> round(stable_fraction("00000A02.jpg"), 6)
    0.045538
    """
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48


def _drawn(count):
    names = [f"drawn:{DRAWN_SEED}:{index}" for index in range(count)]
    ages, people = synthetic.sample_attributes(count, DRAWN_SEED)
    table = pd.DataFrame({"name": names, "path": names, "age": np.float32(ages), "sex": people["sex"]})
    table.insert(3, "split", _hash_split(table["name"]))
    return table


def _all_age_faces(folder):
    # The published set also has a folder of aligned copies by the same names.
    originals = folder / "original images"
    files = _files(originals if originals.is_dir() else folder, _AGED_NAME)
    table = pd.DataFrame(
        {
            "name": [file.name for file in files],
            "path": [str(file) for file in files],
            "age": [int(_AGED_NAME.fullmatch(file.name)[1]) for file in files],
            "sex": ["female" if int(file.name[:5]) <= _LAST_FEMALE_ID else "male" for file in files],
        }
    )
    official = folder / "image sets" / "val.txt"
    if official.is_file():
        # The official validation list has always served as the test set; ours is taken from the training part.
        tested = {line.split()[0] for line in official.read_text().splitlines() if line.strip()}
        validation = table["name"].map(stable_fraction) < 0.1
        split = np.where(table["name"].isin(tested), "test", np.where(validation, "val", "train"))
    else:
        split = _hash_split(table["name"])
    table.insert(3, "split", split)
    return table


def _utkface(folder):
    files = _files(folder, _UTKFACE_NAME)
    # Three published names lack a field, and nobody can say whether it is the sex or the ethnicity.
    ages, sexes, ethnicities = zip(*(_UTKFACE_NAME.fullmatch(file.name).groups() for file in files), strict=True)
    table = pd.DataFrame(
        {
            "name": [file.name for file in files],
            "path": [str(file) for file in files],
            "age": [int(age) for age in ages],
            "sex": [{"0": "male", "1": "female", None: ""}[sex] for sex in sexes],
            "ethnicity": ["" if code is None else _UTKFACE_ETHNICITIES[int(code)] for code in ethnicities],
        }
    )
    table.insert(3, "split", _hash_split(table["name"]))
    return table


def _hash_split(names):
    """Split 80/10/10 by the stable hash of each name."""
    fraction = names.map(stable_fraction)
    return np.select([fraction < 0.1, fraction < 0.2], ["val", "test"], "train")


def _dataset_folder(info, root):
    if root is None:
        raise ValueError(f"Where is {info.name}? Give its folder with --root or SSRNET_DATA.")
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder '{root}'; {info.name} was to be read from it.")
    return root / info.name if (root / info.name).is_dir() else root


def _files(folder, pattern):
    files = [
        Path(where) / file for where, _, names in os.walk(folder) for file in names if pattern.fullmatch(file)
    ]
    if not files:
        raise ValueError(f"The folder '{folder}' holds no picture named as this data set names them.")
    return files
