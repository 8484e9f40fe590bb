"""Crops of a whole data set in one file: made in parallel, resumable, atomic, and keyed by what made them."""

import hashlib
import json
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from ssrlib import alignment, datasets

CHUNK = 250  # pictures; what an interrupted job loses at most, for each worker


@dataclass(frozen=True)
class Crops:
    """Crops in memory.

    Attributes
    ----------
    images : ndarray of uint8, shape (N, size, size, 3)
        RGB.
    table : pandas.DataFrame
        One row a crop: the columns of `datasets.load_table` (but for `path`) and the detector's box and `score`.
    record : dict
        What made them: `dataset`, `crop` (the fields of `alignment.Crop`), `fingerprint`, `failed` (name and reason of
        each picture without a usable face).
    """

    images: np.ndarray
    table: pd.DataFrame
    record: dict

    def __len__(self):
        return len(self.table)

    @property
    def ages(self):
        """Ages in years, float32, shape (N, 1)."""
        return self.table["age"].to_numpy(np.float32)[:, None]

    def split(self, name):
        """Return the part named "train", "val" or "test", or everything for "all".

        Raises
        ------
        ValueError
            If there is no such split.
        """
        if name == "all":
            return self
        if name not in datasets.SPLITS:
            raise ValueError(f"There is no split called '{name}'; use all, {', '.join(datasets.SPLITS)}.")
        chosen = (self.table["split"] == name).to_numpy()
        return Crops(self.images[chosen], self.table[chosen].reset_index(drop=True), self.record)


def make_crops(name, table, crop, partial=None, workers=None):
    """Detect and crop the face of every picture of a table.

    Parameters
    ----------
    name : str
        The data set's name, for the record.
    table : pandas.DataFrame
        From `datasets.load_table`.
    crop : alignment.Crop
        How to crop.
    partial : Path, optional
        Folder for finished chunks: a job that is interrupted goes on there. It is removed at the end.
    workers : int, optional
        Processes; default one for each core, and 1 works in this process.

    Returns
    -------
    Crops
    """
    key = fingerprint(table, crop)
    if partial is not None:
        _claim(partial, key)
    chunks = [table.iloc[start : start + CHUNK] for start in range(0, len(table), CHUNK)]
    jobs = [
        (chunk["path"].tolist(), crop, None if partial is None else partial / f"{number:06d}.npz")
        for number, chunk in enumerate(chunks)
    ]
    done = []
    with tqdm(total=len(table), desc=f"cropping {name}", unit="face", mininterval=1) as progress:
        for result in _map(_crop_chunk, jobs, workers or os.cpu_count()):
            done.append(result)
            progress.update(len(result["reasons"]))
    parts = {field: np.concatenate([part[field] for part in done]) for field in done[0]}
    found = parts["reasons"] == ""
    kept = table[found].drop(columns="path").reset_index(drop=True)
    for column, values in zip(alignment.Face._fields, parts["faces"][found].T, strict=True):
        kept[column] = values
    failed = [
        {"name": failed_name, "reason": str(reason)}
        for failed_name, reason in zip(table["name"][~found], parts["reasons"][~found], strict=True)
    ]
    record = {"dataset": name, "crop": asdict(crop), "fingerprint": key, "failed": failed}
    if partial is not None:
        shutil.rmtree(partial)
    return Crops(parts["images"][found], kept, record)


def save_crops(crops, path):
    """Write crops to one `.npz` file; the file appears complete or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        np.savez(
            file,
            images=crops.images,
            table=np.array(crops.table.to_csv(index=False)),
            record=np.array(json.dumps(crops.record)),
        )
    os.replace(temporary, path)


def load_crops(path):
    """Read crops that `save_crops` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a file of crops.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file '{path}'; 'python -m ssrlib preprocess' makes one.")
    try:
        # NumPy does not close a damaged file that it opened itself.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            table = pd.read_csv(StringIO(str(arrays["table"])), keep_default_na=False, dtype={"age": np.float32})
            return Crops(arrays["images"], table, json.loads(str(arrays["record"])))
    except (ValueError, KeyError, TypeError, OSError, EOFError, BadZipFile) as error:
        raise ValueError(f"'{path}' is not a file of crops; remove it and make it again with 'preprocess'.") from error


def prepare_crops(name, root=None, out=None, crop=alignment.Crop(), limit=None, split="all", workers=None):
    """Give the crops of a data set: from the file if it holds just these, otherwise made and written there.

    Parameters
    ----------
    name : str
        The data set's name.
    root : path, optional
        Its folder.
    out : path, optional
        The file; by default one in the cache folder (`SSRNET_CACHE`, or `~/.cache/ssrlib`), named by its content.
    crop : alignment.Crop
        How to crop.
    limit : int, optional
        Use only this many pictures.
    split : str
        Use only the pictures of this split, or "all".
    workers : int, optional
        Processes; default one for each core.

    Returns
    -------
    Crops

    Raises
    ------
    ValueError
        If not a single picture holds a usable face, or for what `datasets.load_table` raises.
    """
    name = datasets.find_dataset(name).name
    table = datasets.load_table(name, root, limit)
    if split != "all":
        table = table[table["split"] == split].reset_index(drop=True)
        if table.empty:
            raise ValueError(f"The data set {name} has no picture in the split '{split}'.")
    key = fingerprint(table, crop)
    if out is None:
        out = cache_folder() / f"{name}-{key[:16]}.npz"
    out = Path(out)
    if out.is_file():
        crops = load_crops(out)
        if crops.record["fingerprint"] == key:
            return crops
    crops = make_crops(name, table, crop, out.with_name(out.name + ".partial"), workers)
    if not len(crops):
        raise ValueError(f"None of the {len(table)} pictures of {name} holds a usable face; nothing was written.")
    save_crops(crops, out)
    return crops


def cache_folder():
    """Return the folder for what can be made again: `SSRNET_CACHE`, or `~/.cache/ssrlib`."""
    return Path(os.environ.get("SSRNET_CACHE", "~/.cache/ssrlib")).expanduser()


def fingerprint(table, crop):
    """Hash what decides the crops: names, ages, splits, file sizes, the crop, and the code that draws faces."""
    digest = hashlib.sha256(json.dumps(asdict(crop), sort_keys=True).encode())
    digest.update(table.drop(columns="path").to_csv(index=False).encode())
    if str(table["path"].iloc[0]).startswith("drawn:"):
        for module in ("synthetic", "drawing", "hair", "sketch"):
            digest.update(Path(__file__).with_name(f"{module}.py").read_bytes())
    else:
        digest.update(json.dumps([os.path.getsize(path) for path in table["path"]]).encode())
    return digest.hexdigest()


def _claim(partial, key):
    """Keep the finished chunks of the same job, throw away those of another."""
    owner = partial / "key"
    if partial.is_dir() and not (owner.is_file() and owner.read_text() == key):
        shutil.rmtree(partial)
    partial.mkdir(parents=True, exist_ok=True)
    owner.write_text(key)


def _map(function, jobs, workers):
    """Run jobs in order of their results, in this process or in several."""
    if workers == 1 or len(jobs) == 1:
        yield from map(function, jobs)
        return
    # Spawned, not forked: a fork of a process that runs TensorFlow's threads can hang.
    with ProcessPoolExecutor(min(workers, len(jobs)), get_context("spawn"), _one_thread) as pool:
        try:
            yield from pool.map(function, jobs)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _one_thread():
    cv2.setNumThreads(1)


def _crop_chunk(job):
    """Crop one chunk, or read it if an interrupted job had finished it."""
    paths, crop, file = job
    if file is not None and file.is_file():
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    images = np.zeros((len(paths), crop.size, crop.size, 3), np.uint8)
    faces = np.zeros((len(paths), len(alignment.Face._fields)))
    reasons = np.full(len(paths), "", dtype="U120")
    for row, path in enumerate(paths):
        try:
            images[row], faces[row] = alignment.crop_face(datasets.read_picture(path), crop)
        except (ValueError, OSError) as error:
            reasons[row] = str(error)
    result = {"images": images, "faces": faces, "reasons": reasons}
    if file is not None:
        temporary = file.with_suffix(".tmp")
        with temporary.open("wb") as stream:
            np.savez(stream, **result)
        os.replace(temporary, file)
    return result
