"""One function a published data set: a folder in, a table of what the set's own names and lists say out.

Each table has the columns `name`, `path` and `age` (years, NaN where unknown), what else the set knows, `split` where
it has official lists, and `reason` and `detail` where the set's own rules exclude a picture. No picture is opened.
"""

import re
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from ssrlib import synthetic
from ssrlib.finding import ANY_PICTURE, SUFFIX, file_finder, named_pictures, read_lines, read_list, walk
from ssrlib.splits import split_key

DRAWN_SEED = 0

_AGED_NAME = re.compile(rf"(\d{{5}})A(\d{{2,3}}){SUFFIX}", re.IGNORECASE)
_UTKFACE_NAME = re.compile(
    rf"(\d{{1,3}})_(?:([01])_([0-4])|\d)_\d{{17}} ?(?:\.?jpg)?(?:\.chip)?{SUFFIX}", re.IGNORECASE
)
_MORPH_NAME = re.compile(rf"(\d+)_\d+([MF])(\d{{2,3}}){SUFFIX}", re.IGNORECASE)
_FGNET_NAME = re.compile(rf"(\d{{3}})A(\d{{2}})[a-z]?{SUFFIX}", re.IGNORECASE)
_LONDON_NAME = re.compile(rf"(\d{{3}})_03{SUFFIX}", re.IGNORECASE)
_UTKFACE_ETHNICITIES = ("white", "black", "asian", "indian", "other")
_LAST_FEMALE_ID = 7380
_UNIX_EPOCH = 719_163  # ordinal of 1970-01-01, day 1 being 0001-01-01
_MATLAB_OFFSET = 366  # Matlab counts days from the year 0
# What SciPy raises for a broken file, one of another kind, or another list.
_NOT_A_LIST = (ValueError, TypeError, KeyError, IndexError, OSError, NotImplementedError, MatReadError, zlib.error)


def drawn(indexes):
    """List drawn faces by their number in the stream of seed 0."""
    names = [f"drawn:{DRAWN_SEED}:{index}" for index in indexes]
    ages, people = synthetic.sample_attributes(max(indexes, default=-1) + 1, DRAWN_SEED)
    chosen = list(indexes)
    return pd.DataFrame({"name": names, "path": names, "age": ages[chosen], "sex": people["sex"].to_numpy()[chosen]})


def megaage_asian(folder):
    """MegaAge-Asian: every picture that the official lists name, as "train/9.jpg"."""
    find = file_finder(folder)
    parts = []
    for split in ("train", "test"):
        names, ages = (Path(find(f"list/{split}_{column}.txt")) for column in ("name", "age"))
        listed, years = read_lines(names), read_lines(ages)
        if len(listed) != len(years):
            raise ValueError(
                f"'{names}' has {len(listed)} lines and '{ages}' has {len(years)}; they belong together line by line, "
                "so fetch both again."
            )
        parts.append(pd.DataFrame({"name": [f"{split}/{name}" for name in listed], "age": years, "split": split}))
    table = pd.concat(parts, ignore_index=True)
    table["age"] = pd.to_numeric(table["age"], errors="coerce")
    table.insert(1, "path", [find(name) for name in table["name"]])
    return table


def imdb(folder):
    """IMDB, the part of IMDB-WIKI from the film database; filtered as the authors of SSR-Net do."""
    return _imdb_wiki(folder, "imdb", r"(nm\d+)_")


def wiki(folder):
    """WIKI, the part of IMDB-WIKI from Wikipedia; filtered as the authors of SSR-Net do."""
    return _imdb_wiki(folder, "wiki", r"(\d+)_")


def morph2(folder):
    """MORPH, album 2: all is in the names, 009055_1M54.JPG."""
    table, (people, sexes, ages) = named_pictures(folder, _MORPH_NAME)
    sexes = [{"M": "male", "F": "female"}[sex.upper()] for sex in sexes]
    return table.assign(age=[int(age) for age in ages], sex=sexes, identity=list(people))


def utkface(folder):
    """UTKFace: all is in the names, AGE_SEX_RACE_DATETIME.jpg.chip.jpg."""
    # Three published names lack a field, and nobody can say whether it is the sex or the ethnicity.
    table, (ages, sexes, ethnicities) = named_pictures(folder, _UTKFACE_NAME)
    return table.assign(
        age=[int(age) for age in ages],
        sex=[{"0": "male", "1": "female", None: ""}[sex] for sex in sexes],
        ethnicity=["" if code is None else _UTKFACE_ETHNICITIES[int(code)] for code in ethnicities],
    )


def all_age_faces(folder):
    """All-Age-Faces: ages are in the names, 00000A02.jpg; the official validation list has always been the test set."""
    find = file_finder(folder)
    # The published set also has a folder of aligned copies by the same names.
    originals = Path(find("original images"))
    table, (numbers, ages) = named_pictures(originals if originals.is_dir() else folder, _AGED_NAME)
    table["age"] = [int(age) for age in ages]
    table["sex"] = ["female" if int(number) <= _LAST_FEMALE_ID else "male" for number in numbers]
    official = Path(find("image sets/val.txt"))
    if official.is_file():
        tested = {split_key(line.split()[0]) for line in read_lines(official) if line}
        table["split"] = np.where(table["name"].map(split_key).isin(tested), "test", "train")
    return table


def afad(folder):
    """AFAD and AFAD-Lite: the folders say all, AGE/111/N.jpg for a man and AGE/112/N.jpg for a woman."""
    rows = {}
    for file in walk(folder, ANY_PICTURE):
        age, sex = file.parent.parent.name, file.parent.name
        if age.isdecimal() and sex in ("111", "112"):
            name = f"{age}/{sex}/{file.name}"
            rows.setdefault(split_key(name), (name, str(file), int(age), "male" if sex == "111" else "female"))
    if not rows:
        raise ValueError(f"The folder '{folder}' holds no picture in folders named as this data set names them.")
    return pd.DataFrame(list(rows.values()), columns=["name", "path", "age", "sex"])


def fgnet(folder):
    """FG-NET: person and age are in the names, 001A02.JPG."""
    table, (people, ages) = named_pictures(folder, _FGNET_NAME)
    return table.assign(age=[int(age) for age in ages], identity=list(people))


def appa_real(folder):
    """APPA-REAL: the real age, what people guessed on average, and how far the guesses spread, from gt_avg_*.csv."""
    find = file_finder(folder)
    parts = []
    for part, split in (("train", "train"), ("valid", "val"), ("test", "test")):
        path = Path(find(f"gt_avg_{part}.csv"))
        if path.is_file():
            columns = ("file_name", "real_age", "apparent_age_avg", "apparent_age_std", "num_ratings")
            rows = read_list(path, columns).assign(split=split)
            parts.append(rows.assign(file_name=f"{part}/" + rows["file_name"]))
    if not parts:
        raise ValueError(f"The folder '{folder}' holds none of APPA-REAL's lists gt_avg_train, _valid and _test.csv.")
    rows = pd.concat(parts, ignore_index=True)
    numbers = {"age": "real_age", "apparent_age": "apparent_age_avg", "age_std": "apparent_age_std"}
    return pd.DataFrame(
        {
            "name": rows["file_name"],
            "path": [find(name) for name in rows["file_name"]],
            **{column: pd.to_numeric(rows[source], errors="coerce") for column, source in numbers.items()},
            "ratings": rows["num_ratings"],
            "split": rows["split"],
        }
    )


def london(folder):
    """Face Research Lab London Set: the neutral frontal portraits and what their people said of themselves."""
    pictures = {_LONDON_NAME.fullmatch(file.name)[1]: file for file in walk(folder, _LONDON_NAME)}
    if not pictures:
        raise ValueError(f"The folder '{folder}' holds no picture named as this data set names them, 001_03.jpg.")
    find = file_finder(folder)
    lists = [path for name in ("london_faces_info.csv", "info.csv") if (path := Path(find(name))).is_file()]
    if not lists:
        raise ValueError(f"The folder '{folder}' lacks london_faces_info.csv, which holds the ages; put it there.")
    info = read_list(lists[0], ("face_id", "face_age", "face_eth")).rename(columns={"face_gender": "face_sex"})
    # Some versions of the list write X001 for 001.
    info.index = info["face_id"].str.lstrip("Xx").str.zfill(3)
    info = info[~info.index.duplicated()]
    people = sorted({*info.index, *pictures})
    info = info.reindex(columns=["face_age", "face_sex", "face_eth"]).reindex(people)
    paths = [pictures.get(person, Path(folder, f"{person}_03.jpg")) for person in people]
    sex = info["face_sex"].fillna("").astype(str).str.lower()
    return pd.DataFrame(
        {
            "name": [path.name for path in paths],
            "path": [str(path) for path in paths],
            "age": pd.to_numeric(info["face_age"], errors="coerce").to_numpy(),
            "sex": sex.where(sex.isin(["female", "male"]), "").to_list(),
            "ethnicity": info["face_eth"].fillna("").astype(str).str.lower().to_list(),
            "identity": people,
        }
    )


def london_points(folder):
    """Read the 189 points that people placed by hand on each neutral frontal portrait of the London set.

    Parameters
    ----------
    folder : path
        With `points.csv`, or with the `.tem` files as published.

    Returns
    -------
    pandas.DataFrame
        Columns `name` (of the picture), `point` (0 to 188), `x` and `y` (pixels of the pictures in that folder, x right
        and y down), ordered by name and point. The eye centres are points 0 and 1.

    Raises
    ------
    ValueError
        If there is neither, or a file is not what it should be.
    """
    path = Path(file_finder(folder)("points.csv"))
    if path.is_file():
        table = read_list(path, ("file", "point", "x", "y")).rename(columns={"file": "name"})
        return table.sort_values(["name", "point"], ignore_index=True)
    files = walk(folder, re.compile(r"\d{3}_03\.tem", re.IGNORECASE))
    if not files:
        raise ValueError(f"The folder '{folder}' holds neither points.csv nor the published .tem files.")
    rows = [(f"{file.stem}.jpg", point, x, y) for file in files for point, (x, y) in enumerate(_template(file))]
    return pd.DataFrame(rows, columns=["name", "point", "x", "y"]).sort_values(["name", "point"], ignore_index=True)


def _imdb_wiki(folder, part, person):
    """Read one part of IMDB-WIKI from its .mat file; `person` finds who it is in a file name."""
    find = file_finder(folder)
    path = Path(find(f"{part}.mat"))
    if not path.is_file():
        raise FileNotFoundError(f"There is no file '{path}'; it comes with the pictures and holds the ages.")
    with path.open("rb") as stream:
        try:
            meta = loadmat(stream, variable_names=[part], simplify_cells=True)[part]
            born, taken, sex, score, second = (
                np.atleast_1d(np.asarray(meta[field], np.float64))
                for field in ("dob", "photo_taken", "gender", "face_score", "second_face_score")
            )
            names = np.atleast_1d(meta["full_path"]).astype(str)
            if not len(names) == len(born) == len(taken) == len(sex) == len(score) == len(second):
                raise ValueError("columns of different lengths")
        except _NOT_A_LIST as error:
            raise ValueError(f"'{path}' is not the list that comes with this data set; fetch it again.") from error
    age = _years_between(born, taken)
    checks = {
        "no age": (np.isnan(age), None),
        "no face by the set's own detector": (~np.isfinite(score), None),
        "face score below 1": (score < 1.0, [f"{value:.2f}" for value in score]),
        "second face": (second > 0.0, [f"score {value:.2f}" for value in second]),
        "age out of range": (~((age >= 0) & (age <= 100)), [f"{value:g} years" for value in age]),
        "sex unknown": (np.isnan(sex), None),
    }
    reason = np.select([failed for failed, _ in checks.values()], list(checks), "")
    details = {name: detail for name, (_, detail) in checks.items() if detail is not None}
    found = [re.match(person, name.rpartition("/")[2]) for name in names]
    return pd.DataFrame(
        {
            "name": names,
            "path": [find(name) for name in names],
            "age": age,
            "sex": np.select([sex == 0, sex == 1], ["female", "male"], ""),
            "identity": [match[1] if match else "" for match in found],
            "reason": reason,
            "detail": [details[name][row] if name in details else "" for row, name in enumerate(reason)],
        }
    )


def _years_between(born, taken):
    """Age on a photograph of which only the year is known, taken to be the middle of the year.

    Parameters
    ----------
    born : ndarray of float
        Matlab's serial day numbers.
    taken : ndarray of float
        Years.

    Returns
    -------
    ndarray of float
        Whole years, NaN where a date is unknown.

    Examples
    --------
    30 June 1980 and 1 July 1980, photographed in 2010:

    >>> [float(age) for age in _years_between(np.array([723362.0, 723363.0]), np.array([2010.0, 2010.0]))]
    [30.0, 29.0]
    """
    known = np.isfinite(born) & np.isfinite(taken)
    days = np.maximum(np.where(known, born, 0).astype(np.int64) - _MATLAB_OFFSET, 1) - _UNIX_EPOCH
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) + 12 * 1970
    return np.where(known, taken - months // 12 - (months % 12 >= 6), np.nan)


def _template(file):
    """Read the points of one .tem file: their number, one line `x y` each, then lines that connect them."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    try:
        points = [tuple(map(float, line.split())) for line in lines[1 : int(lines[0]) + 1]]
        if len(points) == int(lines[0]) and all(len(point) == 2 for point in points):
            return points
    except (ValueError, IndexError):
        pass
    raise ValueError(f"'{file}' is not a template: a number, then as many lines with x and y; fetch it again.")
