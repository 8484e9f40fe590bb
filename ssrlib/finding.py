"""Where the files of a data set are: however they are spelled, in whatever picture format, and each of them once."""

import functools
import os
import re
from pathlib import Path

import pandas as pd

from ssrlib.pictures import PICTURE_SUFFIXES
from ssrlib.splits import split_key

SUFFIX = rf"\.(?:{'|'.join(suffix[1:] for suffix in sorted(PICTURE_SUFFIXES))})"  # part of a regular expression
ANY_PICTURE = re.compile(rf"[^.].*{SUFFIX}", re.IGNORECASE)  # a name that starts with a dot is some system's own


def file_finder(root):
    """Return a function that finds a listed file, in whatever letter case or picture format it lies on the disk.

    Parameters
    ----------
    root : path
        What relative names start from.

    Returns
    -------
    callable
        Takes a name with "/" between its parts, returns a path (str): of the file of just that name if there is one,
        else of one whose name has the same `splits.split_key`, else where the file should be. Looks into each folder
        once, on first use.
    """

    @functools.cache
    def entries(folder):
        try:
            names = sorted(os.listdir(folder), reverse=True)
        except OSError:  # no such folder: what is listed in it is missing
            return {}
        return {split_key(name): name for name in names} | {name: name for name in names}

    def find(name):
        listed = Path(name)
        path = listed.anchor or str(root)
        for part in listed.relative_to(listed.anchor).parts:
            known = entries(path)
            path = os.path.join(path, known.get(part) or known.get(split_key(part)) or part)
        return path

    return find


def walk(folder, pattern):
    """List the files of a folder, and of all below it, whose whole name matches, in the order of their paths.

    Raises
    ------
    OSError
        If a folder may not be opened: what is in it must not be missed in silence.
    ValueError
        If a name is not UTF-8, which no table could hold.
    """

    def refuse(error):
        raise error

    found, seen = [], set()
    for where, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(where)
        if real in seen:  # links can lead in circles
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        found += [Path(where, name) for name in sorted(names) if pattern.fullmatch(name)]
    for file in found:
        try:
            str(file).encode()
        except UnicodeEncodeError:
            raise ValueError(f"The name of the file {str(file)!a} is not UTF-8; rename it.") from None
    return found


def named_pictures(folder, pattern):
    """List the pictures of a set that says all in its file names.

    Returns
    -------
    table : pandas.DataFrame
        Columns `name` and `path`, ordered by name. The same name in two folders or formats is one picture.
    groups : list of tuple of str
        For each group of the pattern, what it found in each name.

    Raises
    ------
    ValueError
        If no file name matches.
    """
    once = {}
    # Both files of UTKFace have the same name but for ".chip": rather the chip than the whole photograph.
    for file in sorted(walk(folder, pattern), key=lambda file: ".chip" not in file.name.lower()):
        once.setdefault(split_key(file.name), file)
    if not once:
        raise ValueError(f"The folder '{folder}' holds no picture named as this data set names them.")
    files = sorted(once.values(), key=lambda file: file.name)
    groups = zip(*(pattern.fullmatch(file.name).groups() for file in files), strict=True)
    return pd.DataFrame({"name": [file.name for file in files], "path": [str(file) for file in files]}), list(groups)


def read_lines(path):
    """Read the lines of a list, without the blank ones at its end.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a text.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file '{path}'; it comes with the pictures.")
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"'{path}' is not a text file; fetch it again.") from None
    return [line.strip() for line in text.rstrip().splitlines()]


def read_list(path, columns):
    """Read a CSV file that comes with a set and has at least these columns.

    Raises
    ------
    ValueError
        If it is not such a file.
    """
    try:
        table = pd.read_csv(path, encoding="utf-8-sig", dtype={columns[0]: str})
    except ValueError as error:
        raise ValueError(f"'{path}' is not a table that can be read; fetch it again.") from error
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(f"'{path}' has no column '{missing[0]}'; fetch it again.")
    return table.dropna(subset=columns[0])
