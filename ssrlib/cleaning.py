"""Which listed files cannot or must not be used: the missing, the broken, copies, and copies whose ages disagree."""

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ssrlib import jobs, pictures

SIDE = 32  # pixels of the small grey picture by which two files are compared
SAME = 0.85  # least correlation of the fine detail of two copies
NEIGHBOURS = 16  # candidates compared with each picture in each band of the hash
_FIELDS = ("digest", "hash", "thumbnail", "reason", "detail")


def clean_table(table, workers=None):
    """Drop the pictures of a table that cannot be read, that are there twice, or whose copies have different ages.

    Of copies with one age, one is kept: that of the test part before validation and training, then the first by name.
    So no photograph is in two splits. Of copies whose ages differ none is kept, as nobody can say which is right.
    Drawn faces are not looked at.

    Parameters
    ----------
    table : pandas.DataFrame
        From `datasets.load_table`.
    workers : int, optional
        Processes; default one for each core.

    Returns
    -------
    kept : pandas.DataFrame
        Ordered by name, with a column `digest`: the first 16 hex digits of the SHA-256 of the file.
    rejects : pandas.DataFrame
        Columns `name`, `split`, `reason` ("no such file", "unreadable", "copy", "conflicting ages") and `detail`.
    """
    table = table.sort_values("name", ignore_index=True)
    scan = scan_pictures(table["path"].tolist(), workers)
    table["digest"] = scan["digest"]
    notes = pd.DataFrame({"reason": scan["reason"], "detail": scan["detail"]}, dtype=object)
    notes.loc[_copies(table, np.flatnonzero(scan["reason"] == ""), scan, notes), "reason"] = "copy"
    good = notes["reason"] == ""
    rejects = pd.concat([table.loc[~good, ["name", "split"]], notes[~good]], axis=1)
    return table[good].reset_index(drop=True), rejects.reset_index(drop=True).astype(str)


def scan_pictures(paths, workers=None):
    """Read every file once: is it a picture, and what would its copies have in common with it?

    The answer is kept in the cache folder until a file's size, permissions or time of change, or the code, is another.

    Parameters
    ----------
    paths : list of str
        Files; drawn faces (`drawn:SEED:INDEX`) are not opened.
    workers : int, optional
        Processes; default one for each core.

    Returns
    -------
    dict of ndarray, each of length N
        `digest` (first 16 hex digits of the SHA-256 of the bytes, "" where there are none), `hash` (uint64, perceptual
        hash), `thumbnail` (uint8, 32 by 32, grey), `reason` ("", "no such file" or "unreadable") and `detail`.
    """
    if all(path.startswith("drawn:") for path in paths):
        return {name: values.copy() for name, values in _empty(len(paths)).items()}
    key = hashlib.sha256(json.dumps([_state(path) for path in paths]).encode())
    for module in (__file__, pictures.__file__):
        key.update(Path(module).read_bytes())
    file = jobs.cache_folder() / f"scan-{key.hexdigest()[:24]}.npz"
    file.parent.mkdir(parents=True, exist_ok=True)
    with jobs.lock(file):
        if not file.is_file():
            partial = file.with_suffix("")
            chunks = []
            for chunk in jobs.map_chunks(_scan_chunk, list(paths), partial, workers, "reading"):
                with np.load(chunk, allow_pickle=False) as arrays:
                    chunks.append(dict(arrays))
            jobs.save_arrays(file, {name: np.concatenate([chunk[name] for chunk in chunks]) for name in _FIELDS})
            shutil.rmtree(partial)
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def find_copies(digests, hashes, thumbnails):
    """Group the files that show the same photograph: byte by byte, or re-encoded, rescaled, a little brighter.

    Candidates share a quarter of their perceptual hash. They are copies if the fine detail of their small grey
    pictures, what is left after a blurred version is subtracted, correlates by at least 0.85: two people in the same
    pose and light agree in the coarse, but not in the fine.

    Parameters
    ----------
    digests : ndarray of str, shape (N,)
    hashes : ndarray of uint64, shape (N,)
    thumbnails : ndarray of uint8, shape (N, 32, 32)

    Returns
    -------
    ndarray of int, shape (N,)
        Files with the same number are copies of each other.
    """
    count = len(digests)
    order = np.argsort(digests, kind="stable")
    same = digests[order][1:] == digests[order][:-1]
    pairs = [np.stack([order[1:][same], order[:-1][same]])]
    for band in range(4):
        part = (hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)
        order = np.lexsort((hashes, part))
        for step in range(1, min(NEIGHBOURS + 1, count)):
            near = part[order][step:] == part[order][:-step]
            if not near.any():
                break
            candidates = np.stack([order[step:][near], order[:-step][near]])
            pairs.append(candidates[:, _same_detail(thumbnails, candidates)])
    first, second = np.concatenate(pairs, axis=1)
    links = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    return connected_components(links, directed=False)[1]


def _copies(table, readable, scan, notes):
    """Return the rows that are copies of a kept one; write details, and the reason of conflicts, into the notes."""
    seen = readable[scan["digest"][readable] != ""]
    if not len(seen):
        return []
    groups = find_copies(*(scan[name][seen] for name in ("digest", "hash", "thumbnail")))
    rank = table["split"].map({"test": 0, "val": 1, "train": 2}).to_numpy()
    copies = []
    by_group = pd.Series(seen).groupby(groups)
    for rows in (rows.to_numpy() for _, rows in by_group if len(rows) > 1):
        ages = table["age"].to_numpy()[rows]
        kept = rows[np.argmin(rank[rows])]
        for row, age in zip(rows, ages, strict=True):
            other = kept if row != kept else rows[rows != kept][0]
            if (ages != ages[0]).any():
                other = rows[ages != age][0]
                notes.loc[row, "reason"] = "conflicting ages"
            elif row == kept:
                continue
            else:
                copies.append(row)
            notes.loc[row, "detail"] = f"same picture as {table['name'][other]} ({table['age'][other]:g} years)"
    return copies


def _same_detail(thumbnails, pairs, batch=20_000):
    """Say which pairs of small pictures agree in their fine detail; flat pictures agree with none."""
    result = np.zeros(pairs.shape[1], bool)
    for start in range(0, pairs.shape[1], batch):
        first, second = (_detail(thumbnails[rows]) for rows in pairs[:, start : start + batch])
        result[start : start + batch] = (first * second).sum(axis=1) >= SAME
    return result


def _detail(thumbnails):
    fine = np.stack([small - cv2.GaussianBlur(small, (0, 0), 2) for small in thumbnails.astype(np.float32)])
    fine = fine.reshape(len(fine), -1)
    return fine / np.maximum(np.linalg.norm(fine, axis=1, keepdims=True), SIDE)


def _perceptual_hash(thumbnail):
    """Hash the signs of the lowest frequencies against their median (the usual pHash)."""
    low = cv2.dct(thumbnail.astype(np.float32))[:8, :8].ravel()
    return np.packbits(low > np.median(low)).view(">u8")[0]


def _scan_chunk(paths):
    result = _empty(len(paths))
    for row, path in enumerate(paths):
        if path.startswith("drawn:"):
            continue
        try:
            content = Path(path).read_bytes()
            grey = cv2.cvtColor(pictures.decode(content), cv2.COLOR_RGB2GRAY)
        except FileNotFoundError:
            result["reason"][row] = "no such file"
        except (ValueError, OSError) as error:
            if getattr(error, "errno", None) == errno.EIO:  # of the drive, not of the picture: this may pass
                raise
            result["reason"][row], result["detail"][row] = "unreadable", _without_path(error)
        else:
            result["digest"][row] = hashlib.sha256(content).hexdigest()[:16]
            result["thumbnail"][row] = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            result["hash"][row] = _perceptual_hash(result["thumbnail"][row])
    return result


def _without_path(error):
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).lower()


def _empty(count):
    return {
        "digest": np.zeros(count, "U16"),
        "hash": np.zeros(count, np.uint64),
        "thumbnail": np.zeros((count, SIDE, SIDE), np.uint8),
        "reason": np.zeros(count, "U20"),
        "detail": np.zeros(count, "U120"),
    }


def _state(path):
    try:
        status = os.stat(path)
    except OSError:
        return [path]
    return [path, status.st_size, status.st_mtime_ns, status.st_ctime_ns]  # the last changes with the permissions
