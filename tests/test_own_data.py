"""People's own pictures, in the states in which folders and spreadsheets are."""

import math
from pathlib import Path

import pandas as pd
import pytest
from conftest import touch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ssrlib import datasets, own_data


def columns(table, *names):
    return list(zip(*(table[name] for name in names), strict=True))


def write(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def test_folders_named_by_age_hold_pictures(tmp_path):
    touch(tmp_path, "23/me.jpg", "23/you.PNG", "23.5/me.jpg", "7,25/Größe 顔.webp", "0/new born.tiff",
          "999/Methuselah.jpg", "-3/me.jpg", "holiday/me.jpg", "loose.jpg", "23/deeper/me.jpg",
          "23/notes.txt", "23/._me.jpg", "nan/me.jpg", "1e1/me.jpg")  # fmt: skip
    table, rejects = datasets.list_pictures("folder", tmp_path)
    assert columns(table, "name", "age") == [
        ("0/new born.tiff", 0), ("23.5/me.jpg", 23.5), ("23/me.jpg", 23), ("23/you.PNG", 23),
        ("7,25/Größe 顔.webp", 7.25),
    ]  # fmt: skip
    assert list(table["path"]) == [str(tmp_path / name) for name in table["name"]]
    elsewhere = "not in a folder named by an age"
    assert columns(rejects, "name", "reason", "detail") == [
        ("-3/me.jpg", "age out of range", "-3 years"),
        ("1e1/me.jpg", "no age", elsewhere),
        ("23/deeper/me.jpg", "no age", elsewhere),
        ("999/Methuselah.jpg", "age out of range", "999 years"),
        ("holiday/me.jpg", "no age", elsewhere),
        ("loose.jpg", "no age", elsewhere),
        ("nan/me.jpg", "no age", elsewhere),
    ]


def test_a_folder_that_is_itself_named_by_a_number_says_nothing_of_age(tmp_path):
    touch(tmp_path / "2024", "me.jpg", "30/me.jpg")
    table, rejects = datasets.list_pictures("folder", tmp_path / "2024")
    assert columns(table, "name", "age") == [("30/me.jpg", 30)]
    assert list(rejects["name"]) == ["me.jpg"]


def test_folders_without_ages_or_pictures_are_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no picture"):
        datasets.list_pictures("folder", tmp_path)
    touch(tmp_path, "me.jpg", "holiday/me.jpg")
    with pytest.raises(ValueError, match="has no sub-folder named by an age in years, such as 23"):
        datasets.list_pictures("folder", tmp_path)


def test_a_table_needs_two_columns_and_keeps_all_others(tmp_path):
    touch(tmp_path, "a.jpg", "deep/b.jpg")
    write(tmp_path / "faces.csv", "Age,Picture,Sex,Identity,Ethnicity,Skin Tone,age_std,name,\n"
          "23,a.jpg,F,007,south asian,3,1.5,Somebody,\n"
          '"23,5",deep/b.jpg,man,,,,,,\n')  # fmt: skip
    table, rejects = datasets.list_pictures("csv", tmp_path)
    assert rejects.empty
    assert list(table.columns) == [
        "name", "path", "age", "split", "sex", "identity", "ethnicity", "skin_tone", "age_std"
    ]  # fmt: skip
    assert columns(table.drop(columns=["split", "age_std"]), *table.columns.drop(["split", "age_std"])) == [
        ("a.jpg", str(tmp_path / "a.jpg"), 23, "female", "007", "south asian", "3"),
        ("deep/b.jpg", str(tmp_path / "deep" / "b.jpg"), 23.5, "male", "", "", ""),
    ]
    assert table["age_std"][0] == 1.5 and math.isnan(table["age_std"][1])


@pytest.mark.parametrize("column", own_data.PICTURE_COLUMNS)
def test_the_column_of_the_picture_has_many_names(tmp_path, column):
    write(tmp_path / "faces.csv", f"age,{column.upper()}\n23,a.jpg\n")
    assert columns(datasets.load_table("csv", tmp_path), "name", "age") == [("a.jpg", 23)]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_whatever_a_spreadsheet_writes_is_read(tmp_path, separator, encoding, newline):
    lines = ["file name;age;note", "Größe é.jpg;23;fine", '"b; or, c.jpg";40;"two', 'lines"', ";;", ""]
    lines = [line.replace(";", separator) if "or" not in line else line[:13] + line[13:].replace(";", separator)
             for line in lines]  # fmt: skip
    path = write(tmp_path / "faces.csv", newline.join(lines), encoding)
    table, rejects = datasets.list_pictures("csv", path)
    assert columns(table, "name", "age") == [("Größe é.jpg", 23), ("b; or, c.jpg", 40)]
    assert rejects.empty


def test_what_pandas_writes_is_read(tmp_path):
    pd.DataFrame({"picture": ["a.jpg", "b.jpg"], "age": [23.5, None]}).to_csv(tmp_path / "faces.csv")
    table, rejects = datasets.list_pictures("csv", tmp_path / "faces.csv")
    assert list(table.columns) == ["name", "path", "age", "split"]
    assert columns(table, "name", "age") == [("a.jpg", 23.5)]
    assert columns(rejects, "name", "reason", "detail") == [("b.jpg", "no age", "")]


AGES = {
    "23": (23, ""), "23.5": (23.5, ""), "0": (0, ""), "122": (122, ""), " 40 ": (40, ""),
    "": ("no age", ""), "NA": ("no age", "'NA' is not a number"), "nan": ("no age", "'nan' is not a number"),
    "twenty": ("no age", "'twenty' is not a number"), "inf": ("no age", "'inf' is not a number"),
    "-1": ("age out of range", "-1 years"), "999": ("age out of range", "999 years"),
    "122.5": ("age out of range", "122.5 years"), "1_0": ("no age", "'1_0' is not a number"),
}  # fmt: skip


def test_ages_that_are_none_are_rejects(tmp_path):
    lines = [f"{row:02d}.jpg;{age}" for row, age in enumerate(AGES)]
    table, rejects = datasets.list_pictures("csv", write(tmp_path / "faces.csv", "\n".join(["picture;age", *lines])))
    kept = {f"{row:02d}.jpg": age for row, (age, _) in enumerate(AGES.values()) if not isinstance(age, str)}
    assert dict(columns(table, "name", "age")) == kept
    assert columns(rejects, "name", "reason", "detail") == [
        (f"{row:02d}.jpg", *said) for row, said in enumerate(AGES.values()) if isinstance(said[0], str)
    ]


def test_a_line_without_a_picture_is_a_reject_that_names_the_line(tmp_path):
    path = write(tmp_path / "faces.csv", "picture,age\na.jpg,23\n,40\n\nb.jpg\n")
    table, rejects = datasets.list_pictures("csv", path)
    assert list(table["name"]) == ["a.jpg"]
    assert columns(rejects, "name", "reason", "detail") == [
        ("", "no such file", "line 3 names no picture"), ("b.jpg", "no age", "")
    ]  # fmt: skip


def test_pictures_listed_twice_are_kept_once_unless_their_ages_differ(tmp_path):
    touch(tmp_path, "a.jpg", "b.jpg", "c.JPG", "d.jpg")
    path = write(
        tmp_path / "faces.csv", "picture,age\na.jpg,23\n./a.jpg,23.0\nb.jpg,30\nb.jpg,31\nb.jpg,30\nc.jpg,5\nc.JPG,5\n"
        "d.jpg,40\nd.jpg,\nd.jpg,999\n"
    )  # fmt: skip
    table, rejects = datasets.list_pictures("csv", path)
    assert columns(table, "name", "age") == [("a.jpg", 23), ("c.jpg", 5), ("d.jpg", 40)]
    conflict = ("b.jpg", "conflicting ages", "listed with 30 and 31 years")
    assert columns(rejects, "name", "reason", "detail") == [
        ("a.jpg", "copy", "listed more than once"), conflict, conflict, conflict,
        ("c.JPG", "copy", "listed more than once"),
        ("d.jpg", "no age", ""), ("d.jpg", "age out of range", "999 years"),
    ]  # fmt: skip
    assert len(table) + len(rejects) == 10


def test_names_are_the_same_on_every_machine(tmp_path):
    touch(tmp_path / "own", "deep/a.jpg", "b.jpg")
    touch(tmp_path / "other", "c.jpg")
    other = (tmp_path / "other" / "c.jpg").as_posix()
    path = write(
        tmp_path / "own" / "faces.csv", f"picture,age\ndeep\\a.jpg,1\n{tmp_path / 'own' / 'b.jpg'},2\n{other},3\n"
    )
    table = datasets.load_table("csv", path).sort_values("age")
    assert list(table["name"]) == ["deep/a.jpg", "b.jpg", other]
    assert all(Path(path).is_file() for path in table["path"])


def test_given_splits_are_used(tmp_path):
    path = write(
        tmp_path / "faces.csv", "picture,age,split\na.jpg,1,Training\nb.jpg,2,validation\nc.jpg,3,TEST\nd.jpg,4,val\n"
    )
    assert list(datasets.load_table("csv", path)["split"]) == ["train", "val", "test", "val"]


def test_without_a_validation_split_a_tenth_of_training_becomes_one(tmp_path):
    lines = [f"{row:04d}.jpg,{row % 90},{'test' if row % 4 == 0 else 'train'}" for row in range(2000)]
    table = datasets.load_table("csv", write(tmp_path / "faces.csv", "\n".join(["picture,age,split", *lines])))
    assert list(table["name"][table["split"] == "test"]) == [f"{row:04d}.jpg" for row in range(0, 2000, 4)]
    assert (table["split"] == "val").sum() == pytest.approx(150, rel=0.25)


def test_an_empty_column_of_splits_is_none(tmp_path):
    lines = [f"{row}.jpg,30," for row in range(300)]
    table = datasets.load_table("csv", write(tmp_path / "faces.csv", "\n".join(["picture,age,split", *lines])))
    assert set(table["split"]) == {"train", "val", "test"}


def test_persons_stay_together_in_hashed_splits(tmp_path):
    lines = [f"{row:04d}.jpg,30,person {row % 50}" for row in range(500)]
    table = datasets.load_table("csv", write(tmp_path / "faces.csv", "\n".join(["picture,age,identity", *lines])))
    assert set(table["split"]) == {"train", "val", "test"}
    assert (table.groupby("identity")["split"].nunique() == 1).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column for the picture"),
        ("a.jpg,23\n", "has no column for the picture"),
        ("picture,years\na.jpg,23\n", "has no column age"),
        ("picture,age\n", "lists no picture"),
        (
            "picture,age,split\na.jpg,23,train\nb.jpg,23,holdout\n",
            "line 3: the split is 'holdout'; write train, val or",
        ),
        ("picture,age,split\na.jpg,23,train\nb.jpg,23,\n", "line 3: the split is ''"),
        ("picture,age,split,identity\na.jpg,23,train,Q\nb.jpg,23,test,Q\n", "of person 'Q' in more than one split"),
        ("picture,age\na.jpg," + "9" * 200_000, "is not a table that can be read"),
    ],
)
def test_other_tables_are_refused_by_name(tmp_path, text, message):
    path = write(tmp_path / "faces.csv", text)
    with pytest.raises(ValueError, match=message) as refused:
        own_data.csv_file(path)
    assert str(path) in str(refused.value)


@settings(deadline=None)
@given(st.binary(max_size=400))
@example(b"\x00/\x00")
def test_any_file_is_a_table_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "any.csv"
    path.write_bytes(b"picture,age,split\n" + content)
    try:
        table, rejects = datasets.list_pictures("csv", path)
    except ValueError as refused:
        assert str(path) in str(refused)
    else:
        assert len(table) + len(rejects) >= 1


@settings(deadline=None)
@given(st.floats(-1e6, 1e6).map(lambda number: round(number, 3)))
def test_numbers_are_read_with_point_or_comma(number):
    text = f"{number:f}"
    assert own_data.parse_number(text) == own_data.parse_number(text.replace(".", ",")) == number
