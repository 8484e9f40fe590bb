"""Crops of a whole data set in one file: complete or not there, never made twice, never mistaken for others."""

import functools
import hashlib
import json
import os
import shutil
import zipfile
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from ssrlib import alignment, cleaning, datasets, jobs
from ssrlib.pictures import read_picture

# What a picture of a face can still fail at, once its label is known to be good.
UNUSABLE = ("no such file", "unreadable", "no face", "several faces")
# The code that decides the pixels of a crop, beside its parameters.
_CROPPING_CODE = ("alignment.py", "detection.py", "reference_shape.csv")
_DRAWING_CODE = ("synthetic.py", "drawing.py", "hair.py", "sketch.py")


@dataclass(frozen=True)
class Crops:
    """Crops in memory.

    Attributes
    ----------
    images : ndarray of uint8, shape (N, size, size, 3)
        RGB.
    table : pandas.DataFrame
        One row a crop: the columns of `datasets.load_table` (but for `path`), the first 16 hex digits of the file's
        SHA-256 as `digest`, and the detector's box and `score`.
    rejects : pandas.DataFrame
        One row a listed picture that was not cropped: `name`, `split`, `reason`, `detail`.
    record : dict
        What made them: `dataset`, `crop` (the fields of `alignment.Crop`), `fingerprint`.
    """

    images: np.ndarray
    table: pd.DataFrame
    rejects: pd.DataFrame
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
        part = self.choose((self.table["split"] == name).to_numpy())
        return replace(part, rejects=_of_split(self.rejects, name))

    def choose(self, rows):
        """Return the crops of some rows, a boolean array of shape (N,); the very same object if these are all."""
        if rows.all():
            return self
        return replace(self, images=self.images[rows], table=self.table[rows].reset_index(drop=True))

    @property
    def unusable(self):
        """The rejected pictures with a good label: those that are missing, broken, or show no face or several."""
        return self.rejects[self.rejects["reason"].isin(UNUSABLE)]


def prepare_crops(name, root=None, out=None, crop=None, limit=None, split="all", workers=None):
    """Give the crops of a data set: from the file if it holds just these, otherwise made and written there.

    Every listed picture ends either in the table or in the rejects. A job that was stopped goes on where it was.

    Parameters
    ----------
    name : str
        The data set's name.
    root : path, optional
        Its folder.
    out : path, optional
        The file; by default one in the cache folder (`SSRNET_CACHE`, or `~/.cache/ssrlib`), named by its content.
    crop : alignment.Crop, optional
        How to crop; by default as `default_crop` says.
    limit : int, optional
        Use only this many pictures (of the chosen split), as if there were no others.
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
        If not a single picture holds a usable face, or for what `datasets.list_pictures` raises.
    OSError
        If the file would be a folder, or a picture that was there a moment ago can no longer be read.
    """
    name = datasets.find_dataset(name).name
    crop = default_crop(name) if crop is None else crop
    # Copies are looked for in all splits, unless the few pictures asked for are to be had quickly.
    listing = datasets.list_pictures(name, root, limit, "all" if limit is None else split)
    table, unclean = cleaning.clean_table(listing.table, workers)
    rejects = pd.concat([listing.rejects, unclean], ignore_index=True)
    if split != "all":
        table, rejects = _of_split(table, split), _of_split(rejects, split)
    if table.empty and rejects.empty:
        raise ValueError(f"The data set {name} has no picture in the split '{split}'.")
    key = fingerprint(table, crop)
    out = Path(out) if out is not None else jobs.cache_folder() / f"{name}-{key[:16]}.npz"
    if out.is_dir():
        raise IsADirectoryError(f"'{out}' is a folder; name a file in it.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with jobs.lock(out):
        found = load_crops(out) if out.is_file() else None
        if found is None or found.record["fingerprint"] != key:
            _make(name, table, rejects, crop, key, out, workers)
            return load_crops(out)
        # The crops are the same, but what could not be used may have changed since.
        rejects = _join_rejects(rejects, found.rejects[found.rejects["name"].isin(table["name"])])
        if not rejects.equals(found.rejects):
            found = replace(found, rejects=rejects)
            save_crops(found, out)
        return found


def join_crops(parts):
    """Put the crops of several data sets together, to be learned as one.

    Parameters
    ----------
    parts : sequence of Crops

    Returns
    -------
    Crops
        Its table has the column `dataset` besides the columns of all, empty where a set does not know them.

    Raises
    ------
    ValueError
        If the parts were cropped differently.
    """
    if len(parts) == 1:
        return parts[0]
    ways = [part.record["crop"] for part in parts]
    if any(way != ways[0] for way in ways):
        raise ValueError("Crops can only be joined if all were made in the same way; see the records' `crop`.")
    names = [part.record["dataset"] for part in parts]
    tables, rejects = (
        pd.concat([each.assign(dataset=name) for name, each in zip(names, tables, strict=True)], ignore_index=True)
        for tables in ([part.table for part in parts], [part.rejects for part in parts])
    )
    fingerprints = "".join(part.record["fingerprint"] for part in parts)
    record = {
        "dataset": "+".join(names),
        "crop": ways[0],
        "fingerprint": hashlib.sha256(fingerprints.encode()).hexdigest(),
    }
    return Crops(np.concatenate([part.images for part in parts]), tables, rejects, record)


def default_crop(name):
    """Return how a data set is cropped unless told otherwise: aligned by 5 landmarks, or whole if it comes cropped."""
    return alignment.WHOLE_PICTURE if datasets.find_dataset(name).precropped else alignment.Crop()


def save_crops(crops, path):
    """Write crops to one `.npz` file; the file appears complete or not at all."""
    _write(path, [crops.images], crops.images.shape, crops.table, crops.rejects, crops.record)


def load_crops(path):
    """Read crops that `save_crops` or `prepare_crops` wrote.

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
            record = json.loads(arrays["record"].item())
            types = record.pop("columns")
            table = _read_table(arrays["table"].item(), types)
            rejects = _read_table(arrays["rejects"].item(), {})
            return Crops(arrays["images"], table, rejects, record)
    except (ValueError, KeyError, TypeError, AttributeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"'{path}' is not a file of crops; remove it and make it again with 'preprocess'.") from error


def fingerprint(table, crop):
    """Hash what decides the crops: names, labels, splits, the files' bytes, the crop, and the code that makes them.

    Parameters
    ----------
    table : pandas.DataFrame
        From `cleaning.clean_table`.
    crop : alignment.Crop

    Returns
    -------
    str
        64 hex digits.
    """
    digest = hashlib.sha256(json.dumps(asdict(crop), sort_keys=True).encode())
    digest.update(table.drop(columns="path").to_csv(index=False).encode())
    drawn = table["path"].str.startswith("drawn:").any()
    for file in _CROPPING_CODE + (_DRAWING_CODE if drawn else ()):
        digest.update(Path(__file__).with_name(file).read_bytes())
    return digest.hexdigest()


def _make(name, table, rejects, crop, key, out, workers):
    """Crop the pictures of a clean table into a file, chunk by chunk."""
    partial = out.with_name(out.name + ".partial")
    _claim(partial, key)
    chunks = jobs.map_chunks(
        functools.partial(_crop_chunk, crop=crop), table["path"].tolist(), partial, workers, f"cropping {name}"
    )
    # The pictures stay on disk: there may be more of them than memory.
    columns = {field: [_read_array(chunk, field) for chunk in chunks] for field in ("faces", "reasons", "details")}
    faces, reasons, details = (np.concatenate(parts) if parts else np.zeros(0, "U1") for parts in columns.values())
    found = reasons == ""
    if not found.any():
        shutil.rmtree(partial)
        raise ValueError(
            f"None of the {len(table) + len(rejects)} pictures of {name} holds a usable face; nothing was written."
        )
    kept = table[found].drop(columns="path").reset_index(drop=True)
    kept[list(alignment.Face._fields)] = faces[found]
    failed = table.loc[~found, ["name", "split"]].assign(reason=reasons[~found], detail=details[~found])
    rejects = _join_rejects(rejects, failed)
    images = (_read_array(chunk, "images")[kept] for chunk, kept in zip(chunks, _cut(found, chunks), strict=True))
    record = {"dataset": name, "crop": asdict(crop), "fingerprint": key}
    _write(out, images, (len(kept), crop.size, crop.size, 3), kept, rejects, record)
    shutil.rmtree(partial)


def _crop_chunk(paths, crop):
    images = np.zeros((len(paths), crop.size, crop.size, 3), np.uint8)
    faces = np.zeros((len(paths), len(alignment.Face._fields)))
    reasons, details = np.full((2, len(paths)), "", dtype="U120")
    for row, path in enumerate(paths):
        try:
            images[row], faces[row] = alignment.crop_face(read_picture(path), crop)
        except alignment.NoFaceError:
            reasons[row] = "no face"
        except alignment.SeveralFacesError as error:
            reasons[row], details[row] = "several faces", str(error)
        except (ValueError, FileNotFoundError) as error:
            reasons[row], details[row] = "unreadable", str(error)
    return {"images": images, "faces": faces, "reasons": reasons, "details": details}


def _join_rejects(listed, cropped):
    """Put together what was rejected before and while cropping."""
    return pd.concat([listed, cropped]).sort_values("name", kind="stable", ignore_index=True).astype(str)


def _claim(partial, key):
    """Keep the finished chunks of the same job, throw away those of another."""
    owner = partial / "key"
    if partial.is_dir() and not (owner.is_file() and owner.read_text() == key):
        shutil.rmtree(partial)
    partial.mkdir(parents=True, exist_ok=True)
    owner.write_text(key)


def _cut(array, chunks):
    return np.split(array, range(jobs.CHUNK, len(chunks) * jobs.CHUNK, jobs.CHUNK))


def _read_array(file, name):
    with np.load(file, allow_pickle=False) as arrays:
        return arrays[name]


def _write(path, images, shape, table, rejects, record):
    """Write an `.npz` file as `numpy.savez` does, but with the images coming part by part."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    types = {column: str(kind) for column, kind in table.dtypes.items() if kind.kind in "iuf"}
    texts = {
        "table": table.to_csv(index=False),
        "rejects": rejects.to_csv(index=False),
        "record": json.dumps(record | {"columns": types}),
    }
    temporary = path.with_name(path.name + ".tmp")
    with zipfile.ZipFile(temporary, "w") as archive:
        with archive.open("images.npy", "w", force_zip64=True) as member:
            header = {"descr": "|u1", "fortran_order": False, "shape": tuple(map(int, shape))}
            np.lib.format.write_array_header_2_0(member, header)
            for part in images:
                member.write(np.ascontiguousarray(part).data)
        for name, text in texts.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.array(text.encode()), allow_pickle=False)
    os.replace(temporary, path)


def _read_table(content, types):
    """Read a CSV whose columns are text, but for those with a type; only those can miss a value."""
    options = {"keep_default_na": False, "na_values": {column: [""] for column in types}}
    columns = pd.read_csv(BytesIO(content), nrows=0).columns
    return pd.read_csv(BytesIO(content), dtype={column: types.get(column, str) for column in columns}, **options)


def _of_split(table, split):
    return table[table["split"] == split].reset_index(drop=True)
