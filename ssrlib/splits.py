"""Which part of a data set a picture belongs to: decided by its own name or person, never by what else is there."""

import hashlib
import unicodedata

import numpy as np

from ssrlib.pictures import PICTURE_SUFFIXES

SPLITS = ("train", "val", "test")

_SUFFIXES = (*PICTURE_SUFFIXES, ".chip")


def split_key(name):
    """Reduce a published name to what stays the same when a copy of the picture is saved in another format.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        Without picture suffixes, in lower case, accents in one piece.

    Examples
    --------
    >>> split_key("100_1_0_20170112213001988.jpg.chip.jpg"), split_key("train/9.PNG"), split_key("own/23.5/me")
    ('100_1_0_20170112213001988', 'train/9', 'own/23.5/me')
    """
    key = unicodedata.normalize("NFC", name).lower()
    while key.endswith(_SUFFIXES):
        key = key[: key.rindex(".")]
    return key


def stable_fraction(text):
    """Map a text to a number in [0, 1) that is the same on every machine.

    It is the first 48 bits of the text's SHA-256, as a fraction.

    Examples
    --------
    >>> round(stable_fraction("00000a02"), 6)
    0.783999
    """
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


def hash_split(keys):
    """Split 80/10/10 by the stable fraction of each key.

    Parameters
    ----------
    keys : sequence of str
        One a picture: the person where known, else `split_key` of the name. Equal keys get equal splits.

    Returns
    -------
    ndarray of str, shape (N,)
        "val" below 0.1, "test" below 0.2, else "train".

    Examples
    --------
    >>> [str(split) for split in hash_split(["009", "010", "015", "010"])]
    ['train', 'val', 'test', 'val']
    """
    fractions = np.array([stable_fraction(key) for key in keys])
    return np.select([fractions < 0.1, fractions < 0.2], ["val", "test"], "train")


def person_folds(table):
    """Leave one person out: for each person, train on all others and test on that one. FG-NET's protocol.

    Parameters
    ----------
    table : pandas.DataFrame
        With the column `identity`. Pictures of unknown people ("") are in no fold, neither to train nor to test.

    Yields
    ------
    identity : str
    train_index, test_index : Index
        Labels of the table's rows, for `table.loc`.

    Raises
    ------
    ValueError
        If the table knows no identity.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"identity": ["001", "002", "001", "003"]})
    >>> for identity, train_index, test_index in person_folds(table):
    ...     print(identity, list(train_index), list(test_index))
    001 [1, 3] [0, 2]
    002 [0, 2, 3] [1]
    003 [0, 1, 2] [3]
    """
    known = table[table["identity"] != ""] if "identity" in table else table[:0]
    if known.empty:
        raise ValueError("The table does not know who is in its pictures; folds by person need the column 'identity'.")
    return _folds(known["identity"])


def _folds(people):
    for identity in sorted(set(people)):
        chosen = people == identity
        yield identity, people.index[~chosen], people.index[chosen]
