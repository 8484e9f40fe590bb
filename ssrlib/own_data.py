"""People's own pictures: a folder with one sub-folder for each age, or a table that a spreadsheet wrote."""

import codecs
import csv
import io
import posixpath
import re
from pathlib import Path

import pandas as pd

from ssrlib.finding import ANY_PICTURE, file_finder, walk

PICTURE_COLUMNS = ("picture", "path", "file", "filename", "file_name", "name", "image")
SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}

_SEX_WORDS = {"f": "female", "female": "female", "woman": "female", "m": "male", "male": "male", "man": "male"}
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d*)?", re.ASCII)
_OURS = ("name", "path", "reason", "detail")  # columns of the table that a file must not fill


def folder(root):
    """List own pictures in sub-folders that are named by an age in years, as in 23/me.jpg or 23.5/me.jpg.

    Raises
    ------
    ValueError
        If there is no picture, or no sub-folder named by an age.
    """
    files = walk(root, ANY_PICTURE)
    if not files:
        raise ValueError(f"The folder '{root}' holds no picture.")
    ages = [float("nan") if file.parent == Path(root) else parse_number(file.parent.name) for file in files]
    table = pd.DataFrame(
        {"name": [file.relative_to(root).as_posix() for file in files], "path": list(map(str, files)), "age": ages}
    )
    unknown = table["age"].isna()
    if unknown.all():
        raise ValueError(
            f"The folder '{root}' has no sub-folder named by an age in years, such as 23; put pictures there."
        )
    table["reason"] = unknown.map({True: "no age", False: ""})
    table["detail"] = unknown.map({True: "not in a folder named by an age", False: ""})
    return table


def csv_file(path):
    """List own pictures from a table with a column for the picture and a column `age`.

    Commas, semicolons, tabs and bars separate, decimal commas count, and the encodings of spreadsheets are known.
    Columns `split`, `sex` (or `gender`), `identity`, `ethnicity`, `apparent_age` and `age_std` are understood. All
    others are kept as text, but for those named `name`, `path`, `reason` or `detail` that are not the picture's.

    Raises
    ------
    ValueError
        If the file is not such a table, a split is none, or a person is in several.
    """
    text = _decode(Path(path).read_bytes()).lstrip("\r\n")
    if "\0" in text:
        raise ValueError(f"'{path}' is not a table that can be read (it holds a zero byte); save it as CSV again.")
    separator = max(",;\t|", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        columns = [re.sub(r"[\s-]+", "_", column.strip().lower()) for column in next(reader, [])]
        rows = [(reader.line_num, dict(zip(columns, map(str.strip, row), strict=False))) for row in reader if any(row)]
    except csv.Error as error:
        raise ValueError(f"'{path}' is not a table that can be read ({error}); save it as CSV again.") from error
    picture = next((column for column in PICTURE_COLUMNS if column in columns), None)
    if picture is None or "age" not in columns:
        lacking = "age" if picture else f"for the picture ({', '.join(PICTURE_COLUMNS)})"
        raise ValueError(f"'{path}' has no column {lacking}; its first line must name the columns.")
    if not rows:
        raise ValueError(f"'{path}' lists no picture.")
    here = Path(path).absolute().parent
    splits = any(row.get("split") for _, row in rows)
    records = [_record(path, line, row, picture, splits) for line, row in rows]
    table = pd.DataFrame(records)
    table["name"] = [_relative(name, here) for name in table["name"]]
    find = file_finder(Path(path).parent)
    table.insert(1, "path", [find(name) for name in table["name"]])
    if {"split", "identity"} <= {*table}:
        _refuse_crossing(path, table[(table["identity"] != "") & table["age"].notna()])
    for column in {"apparent_age", "age_std"} & {*table}:
        table[column] = table[column].map(parse_number)
    return table


def parse_number(text):
    """Read a number with a decimal point or comma; NaN where there is none.

    Examples
    --------
    >>> [parse_number(text) for text in ("23", "23,5", "-3", "a few", "inf", "")]
    [23.0, 23.5, -3.0, nan, nan, nan]
    """
    return float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else float("nan")


def _record(path, line, row, picture, splits):
    """Turn one line of a table into one row of ours."""
    known = {column: value for column, value in row.items() if column and column not in (*_OURS, picture, "gender")}
    for column in ("sex", "gender"):
        if column in row:
            known["sex"] = _SEX_WORDS.get(row[column].lower(), "")
            break
    known.pop("split", None)
    if splits:
        known["split"] = SPLIT_WORDS.get(row.get("split", "").lower())
        if known["split"] is None:
            raise ValueError(f"'{path}', line {line}: the split is '{row.get('split', '')}'; write train, val or test.")
    text = row.get("age", "")
    age = parse_number(text)
    if age != age:
        known |= {"reason": "no age", "detail": f"'{text[:40]}' is not a number" if text else ""}
    name = posixpath.normpath(row[picture].replace("\\", "/")) if row.get(picture) else ""
    if not name:
        known |= {"reason": "no such file", "detail": f"line {line} names no picture"}
    return {"name": name, **known, "age": age}


def _refuse_crossing(path, table):
    several = table.groupby("identity")["split"].nunique() > 1
    if several.any():
        person = several.index[several][0]
        raise ValueError(f"'{path}' has pictures of person '{person}' in more than one split; put them all into one.")


def _relative(name, folder):
    """Make a name relative to a folder that it lies in, so that it is the same on every machine."""
    listed = Path(name)
    return listed.relative_to(folder).as_posix() if listed.is_relative_to(folder) else name


def _decode(content):
    """Read the bytes of a text in the encodings that spreadsheets write."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
