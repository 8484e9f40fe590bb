"""The pictures of a data set in one table: name, path, age, split and attributes; and what its labels rule out."""

import itertools
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ssrlib import readers
from ssrlib.catalogue import DATASETS
from ssrlib.splits import SPLITS, hash_split, split_key, stable_fraction

DRAWN_FACES = 4000
OLDEST = 122  # years: the longest life that is documented


class Listing(NamedTuple):
    """What a data set lists: `table`, the pictures with a usable label, and `rejects`, all others with the reason."""

    table: pd.DataFrame
    rejects: pd.DataFrame


def find_dataset(name):
    """Look a data set up by name; case, hyphens, underscores and blanks make no difference.

    Returns
    -------
    catalogue.DatasetInfo

    Raises
    ------
    ValueError
        If no data set has that name.

    Examples
    --------
    >>> find_dataset("All-Age-Faces").name
    'all_age_faces'
    """
    for info in DATASETS.values():
        if _plain(info.name) == _plain(name):
            return info
    raise ValueError(f"There is no data set called '{name}'; ssrlib reads {', '.join(DATASETS)}.")


def find_folder(info, root):
    """Find where a data set lies.

    Parameters
    ----------
    info : catalogue.DatasetInfo
    root : path
        The set's own folder, or one that holds it under its name here or as published. Of people's own data, the
        folder itself, or for `csv` the file.

    Returns
    -------
    Path
        The set's folder; for `csv` the file.

    Raises
    ------
    ValueError
        If no root is given, or a folder holds not just one CSV file.
    FileNotFoundError
        If there is no such folder, or it holds another set of the same kind instead.
    """
    if not root:
        raise ValueError(f"Where is {info.name}? Give its folder with --root or SSRNET_DATA.")
    root = Path(root)
    if info.name == "csv" and root.is_file():
        return root
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder '{root}'; {info.name} was to be read from it.")
    if info.name == "csv":
        files = [path for path in sorted(root.iterdir()) if _is_list(path.name.lower())]
        if len(files) != 1:
            raise ValueError(f"The folder '{root}' holds {len(files)} CSV files; name one of them with --root.")
        return files[0]
    return root if info.name == "folder" else _descend(info, root)


def list_pictures(name, root=None, limit=None, split="all"):
    """List the pictures of a data set, with and without a usable label.

    No picture is opened. Every listed picture is in exactly one of the two tables; whether its file is there, whole,
    and no copy of another is for `cleaning` to say.

    Parameters
    ----------
    name : str
        The data set's name, see `find_dataset`.
    root : path, optional
        Where it is, see `find_folder`. Drawn faces need none.
    limit : int, optional
        Keep this many of all listed pictures of the chosen split, by a stable hash of their names, as if only these
        were on disk. For drawn faces the first ones (default 4,000 of all splits together).
    split : str
        "train", "val", "test" or "all".

    Returns
    -------
    Listing
        `table`, one row a picture, ordered by name (drawn faces by number): `name` (as published), `path` (what
        `pictures.read_picture` takes), `age` (years, float32), `split` ("train", "val" or "test"), and attributes
        where the set has them: `sex` ("female", "male", ""), `ethnicity`, `identity`, `apparent_age` and `age_std`
        (years).
        `rejects`: `name`, `split`, `reason`, `detail`.

    Raises
    ------
    ValueError
        If the name, limit or split is none, the folder holds no picture of the set, or its lists are broken.
    FileNotFoundError
        If the folder or a list does not exist.
    """
    info = find_dataset(name)
    if limit is not None and limit < 1:
        raise ValueError(f"The limit is {limit}; it is a number of pictures and at least 1.")
    if split not in ("all", *SPLITS):
        raise ValueError(f"There is no split called '{split}'; use all, {', '.join(SPLITS)}.")
    if info.name == "drawn":
        raw = readers.drawn(_drawn_indexes(limit, split))
    else:
        raw = info.read(find_folder(info, root))
    raw = _judge_labels(raw)
    raw["split"] = _splits(raw)
    if split != "all":
        raw = raw[raw["split"] == split]
    if info.name != "drawn":
        raw = raw.sort_values("name", kind="stable")
    if limit is not None and info.name != "drawn":
        # Not the hash of the splits: a small sample would all be of one split.
        order = raw["name"].map(lambda name: stable_fraction(f"limit {split_key(name)}"))
        raw = raw[raw.index.isin(order.nsmallest(limit).index)]
    kept = raw["reason"] == ""
    columns = ["name", "path", "age", "split"]
    attributes = [column for column in raw if column not in (*columns, "reason", "detail")]
    return Listing(
        raw.loc[kept, columns + attributes].reset_index(drop=True),
        raw.loc[~kept, ["name", "split", "reason", "detail"]].reset_index(drop=True),
    )


def load_table(name, root=None, limit=None, split="all"):
    """List the pictures of a data set that have a usable label: the `table` of `list_pictures`."""
    return list_pictures(name, root, limit, split).table


def describe(info, root=None):
    """Say what a data set is, under which terms, whether it was found, and how to get it.

    Parameters
    ----------
    info : catalogue.DatasetInfo
    root : path, optional
        Where to look, see `find_folder`.

    Returns
    -------
    str
        Some lines; all but the first, which is the name, start with blanks. Nothing that is wrong with a folder or a
        file in it is raised: it stands in the lines.

    Examples
    --------
    >>> print(describe(find_dataset("drawn")))
    drawn
      Drawn faces, ages 0 to 90, made by this program
      terms: none: nobody is in the pictures
      found: 4,000 pictures listed, 4,000 with a usable label
    """
    lines = [info.title, f"terms: {info.terms}"]
    if info.reference:
        lines.append(f"cite: {info.reference}")
    if info.home:
        lines.append(f"page: {info.home}")
    present = 0
    if info.name == "drawn" or root:
        try:
            if root and info.name != "drawn":
                lines.append(f"looked in: {root}")
                lines[-1] = f"looked in: {find_folder(info, root)}"
            table, rejects = list_pictures(info.name, root)
            found = f"found: {len(table) + len(rejects):,} pictures listed, {len(table):,} with a usable label"
            present = sum(path.startswith("drawn:") or os.path.isfile(path) for path in table["path"])
            lines.append(found if present == len(table) else f"{found}, {present:,} of these on disk")
        except (ValueError, OSError) as error:
            lines.append(f"not found: {error}")
    else:
        lines.append("looked in: nowhere; name a folder with --root or SSRNET_DATA")
    if not present:
        if info.archives:
            lines.append(f"get it: python -m ssrlib download {info.name} --root DIR")
        else:
            lines += [f"get it: {info.steps[0]}", *(f"        {step}" for step in info.steps[1:])]
    return "\n  ".join([info.name, *lines])


def _plain(name):
    return re.sub(r"[\s_-]", "", name).lower()


def _descend(info, folder):
    """Go down as long as there is a folder that is called like the set: archives often hold one in another."""
    inner = {_plain(path.name): path for path in sorted(folder.iterdir(), reverse=True) if path.is_dir()}
    named = next((inner[name] for name in _folder_names(info) if name in inner), None)
    if named is not None:
        return _descend(info, named)
    for other in DATASETS.values():
        if other is not info and other.read is info.read and not inner.keys().isdisjoint(_folder_names(other)):
            raise FileNotFoundError(f"The folder '{folder}' holds {other.name}, but no {info.name}.")
    return folder


def _folder_names(info):
    return [_plain(name) for name in (*info.folders, info.name)]


def _is_list(name):
    return name.endswith(".csv") and not name.endswith(".rejects.csv") and not name.startswith(".")


def _drawn_indexes(limit, split):
    """Choose drawn faces: of 4,000 those of the split, or with a limit the first so many of it."""
    chosen = (
        index
        for index in itertools.count()
        if split == "all" or hash_split([split_key(f"drawn:{readers.DRAWN_SEED}:{index}")])[0] == split
    )
    if limit is None:
        return list(itertools.takewhile(lambda index: index < DRAWN_FACES, chosen))
    return list(itertools.islice(chosen, limit))


def _judge_labels(raw):
    """Fill in `reason` and `detail`: of ages that are none, and of pictures that are listed twice."""
    raw = raw.reindex(columns=[*raw, *({"reason", "detail"} - {*raw})])
    texts = raw.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in raw.dtypes]].union(["reason", "detail"])
    raw[texts] = raw[texts].astype(object).fillna("").astype(str)
    raw["age"] = raw["age"].astype(np.float32)
    good = raw["reason"] == ""
    unknown, outside = raw["age"].isna(), ~raw["age"].between(0, OLDEST)
    raw.loc[good & outside, "reason"] = "age out of range"
    raw.loc[good & outside, "detail"] = raw["age"].map("{:g} years".format)
    raw.loc[good & unknown, ["reason", "detail"]] = "no age", ""
    ages = raw[raw["reason"] == ""].groupby("path")["age"]
    conflicting, repeated = ages.transform("nunique") > 1, ages.cumcount() > 0
    for row in conflicting.index[conflicting | repeated]:
        if conflicting[row]:
            listed = " and ".join(f"{age:g}" for age in sorted(set(ages.get_group(raw.at[row, "path"]))))
            raw.loc[row, ["reason", "detail"]] = "conflicting ages", f"listed with {listed} years"
        else:
            raw.loc[row, ["reason", "detail"]] = "copy", "listed more than once"
    return raw


def _splits(raw):
    """Assign splits: by the set's own lists, else by the hash of the person or of the name."""
    keys = raw["name"].map(split_key)
    if "identity" in raw:
        keys = raw["identity"].where(raw["identity"] != "", keys)
    hashed = hash_split(keys)
    if "split" not in raw:
        return hashed
    official = raw["split"].to_numpy(str)
    if "val" in official:
        return official
    return np.where((official == "train") & (hashed == "val"), "val", official)
