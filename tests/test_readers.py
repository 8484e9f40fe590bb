"""Every published data set, built small in the layout in which it is published, and the real lists where they are."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import touch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from ssrlib import datasets, readers

UTKFACE_NAMES = {
    "1_0_0_20161219140623097.jpg.chip.jpg": (1, "male", "white"),
    "26_1_1_20170116220224657.jpg.chip.jpg": (26, "female", "black"),
    "116_1_2_20170112220255346.jpg.chip.jpg": (116, "female", "asian"),
    "40_0_3_20170119180000001.jpg.chip.jpg": (40, "male", "indian"),
    "9_1_4_20170103200329407.jpg.chip.jpg": (9, "female", "other"),
    # As published: a field is missing, a blank too many, a dot too few.
    "61_1_20170109142408075.jpg.chip.jpg": (61, "", ""),
    "39_1_20170116174525125.jpg.chip.jpg": (39, "", ""),
    "24_0_1_20170116220224657 .jpg.chip.jpg": (24, "male", "black"),
    "55_0_0_20170116232725357jpg.chip.jpg": (55, "male", "white"),
}
AGED_NAMES = {
    "00000A02.jpg": (2, "female"),
    "07380A80.jpg": (80, "female"),
    "07381A02.jpg": (2, "male"),
    "13321A100.JPG": (100, "male"),
}


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def columns(table, *names):
    """Return the rows as tuples, so that they can be compared with what was worked out by hand."""
    return list(zip(*(table[name] for name in names), strict=True))


def list_whole(name, root):
    """List a set and see that nothing is lost: everything the reader found is kept or rejected."""
    table, rejects = datasets.list_pictures(name, root)
    info = datasets.find_dataset(name)
    raw = info.read(datasets.find_folder(info, root))
    assert sorted(raw["name"]) == sorted([*table["name"], *rejects["name"]])
    assert table["name"].is_monotonic_increasing and table["name"].is_unique
    assert table["age"].dtype == np.float32 and table["age"].between(0, 122).all()
    assert set(table["split"]) | set(rejects["split"]) <= {"train", "val", "test"}
    assert (rejects["reason"] != "").all()
    return table, rejects


def megaage(folder, ages):
    """Write MegaAge-Asian's lists: `ages` is {"train": [...], "test": [...]}, pictures are numbered from 1."""
    for split, years in ages.items():
        write(folder / "list" / f"{split}_age.txt", "".join(f"{age}\n" for age in years))
        write(folder / "list" / f"{split}_name.txt", "".join(f"{row + 1}.jpg\n" for row in range(len(years))))
    return folder


@pytest.mark.parametrize("inside", ["megaage_asian", "megaage_asian/megaage_asian"])
def test_megaage_asian_lists_what_its_lists_name_whether_it_is_there_or_not(tmp_path, inside):
    folder = megaage(tmp_path / inside, {"train": [27, 1, 70], "test": [5, 6]})
    touch(folder, "train/2.JPG", "train/3.png", "test/1.jpg")
    table, rejects = list_whole("MegaAge-Asian", tmp_path)
    assert rejects.empty
    assert columns(table, "name", "age") == [
        ("test/1.jpg", 5), ("test/2.jpg", 6), ("train/1.jpg", 27), ("train/2.jpg", 1), ("train/3.jpg", 70)
    ]  # fmt: skip
    assert [Path(path).relative_to(folder).as_posix() for path in table["path"]] == [
        "test/1.jpg", "test/2.jpg", "train/1.jpg", "train/2.JPG", "train/3.png"
    ]  # fmt: skip
    assert set(table["split"][table["name"].str.startswith("test/")]) == {"test"}
    assert "test" not in set(table["split"][table["name"].str.startswith("train/")])


def test_megaage_asian_takes_a_tenth_of_the_training_part_for_validation(tmp_path):
    megaage(tmp_path, {"train": [30] * 2000, "test": [30] * 500})
    counts = list_whole("megaage_asian", tmp_path)[0]["split"].value_counts()
    assert counts["test"] == 500
    assert counts["val"] == pytest.approx(200, rel=0.2)


def test_lists_of_different_lengths_are_refused_by_name(tmp_path):
    megaage(tmp_path, {"train": [27, 1], "test": [5, 6]})
    write(tmp_path / "list" / "test_age.txt", "5\n6\n7\n")
    with pytest.raises(ValueError, match=r"test_name\.txt' has 2 lines and '.*test_age\.txt' has 3"):
        readers.megaage_asian(tmp_path)


def test_missing_and_broken_lists_are_named(tmp_path):
    megaage(tmp_path, {"train": [27, 1], "test": [5, 6]})
    (tmp_path / "list" / "test_age.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ValueError, match=r"test_age\.txt' is not a text file"):
        readers.megaage_asian(tmp_path)
    (tmp_path / "list" / "test_age.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"test_age\.txt"):
        readers.megaage_asian(tmp_path)


def test_an_age_that_is_no_number_is_a_reject_not_an_error(tmp_path):
    megaage(tmp_path, {"train": [27, "old", -1, 999, ""], "test": [5]})
    write(tmp_path / "list" / "train_age.txt", "27\nold\n-1\n999\n\n")
    write(tmp_path / "list" / "train_name.txt", "1.jpg\n2.jpg\n3.jpg\n4.jpg\n")
    table, rejects = list_whole("megaage_asian", tmp_path)
    assert list(table["name"]) == ["test/1.jpg", "train/1.jpg"]
    assert columns(rejects, "name", "reason", "detail") == [
        ("train/2.jpg", "no age", ""),
        ("train/3.jpg", "age out of range", "-1 years"),
        ("train/4.jpg", "age out of range", "999 years"),
    ]


def test_real_megaage_lists(shared):
    table, rejects = list_whole("megaage_asian", shared / "data")
    assert rejects.empty
    assert (table["split"] == "test").sum() == 3_945 and (table["split"] != "test").sum() == 40_000
    assert (table["split"] == "val").sum() == pytest.approx(4_000, rel=0.1)
    row = table.set_index("name").loc["train/9.jpg"]
    assert row["age"] == 27 and Path(row["path"]).is_file()


INF, NAN = float("inf"), float("nan")
# file, born, photograph, gender, face score, second face's score -> age, sex, identity, reason, detail
IMDB_ROWS = [
    ("01/nm9000001_rm1_1901-5-10_1970.jpg", date(1901, 5, 10), 1970, 1, 1.459, NAN, 69, "male", "nm9000001", "", ""),
    ("01/nm9000001_rm2_1901-5-10_1972.jpg", date(1901, 5, 10), 1972, 1, 1.0, -0.2, 71, "male", "nm9000001", "", ""),
    ("02/nm0000002_rm3_1980-6-30_2010.jpg", date(1980, 6, 30), 2010, 0, 5.0, NAN, 30, "female", "nm0000002", "", ""),
    # Born in the second half of the year: the birthday comes after the middle of the year.
    ("02/nm0000003_rm4_1980-7-1_2010.jpg", date(1980, 7, 1), 2010, 0, 5.0, NAN, 29, "female", "nm0000003", "", ""),
    ("02/nm0000003_rm5_1980-7-1_1980.jpg", date(1980, 7, 1), 1980, 0, 5.0, NAN, -1, "female", "nm0000003",
     "age out of range", "-1 years"),
    ("03/nm0000004_rm6_1900-1-1_2001.jpg", date(1900, 1, 1), 2001, 0, 5.0, NAN, 101, "female", "nm0000004",
     "age out of range", "101 years"),
    ("03/nm0000004_rm7_1900-1-1_2000.jpg", date(1900, 1, 1), 2000, 0, 5.0, NAN, 100, "female", "nm0000004", "", ""),
    # A day number of 0, as in the published list, becomes the first day that there is.
    ("03/nm0000005_rm8_0-0-0_2000.jpg", None, 2000, 0, 5.0, NAN, 1999, "female", "nm0000005",
     "age out of range", "1999 years"),
    ("04/nm0000006_rm9_1980-1-1_2010.jpg", date(1980, 1, 1), 2010, 1, -INF, NAN, 30, "male", "nm0000006",
     "no face by the set's own detector", ""),
    ("04/nm0000006_rm10_1980-1-1_2010.jpg", date(1980, 1, 1), 2010, 1, 0.99, NAN, 30, "male", "nm0000006",
     "face score below 1", "0.99"),
    ("04/nm0000006_rm11_1980-1-1_2010.jpg", date(1980, 1, 1), 2010, 1, 3.0, 2.5, 30, "male", "nm0000006",
     "second face", "score 2.50"),
    ("04/nm0000007_rm12_1980-1-1_2010.jpg", date(1980, 1, 1), 2010, NAN, 3.0, NAN, 30, "", "nm0000007",
     "sex unknown", ""),
]  # fmt: skip
WIKI_ROWS = [
    ("17/90000217_1981-05-05_2009.jpg", date(1981, 5, 5), 2009, 1, 4.3, NAN, 28, "male", "90000217", "", ""),
    ("48/90000548_1925-04-04_1964.jpg", date(1925, 4, 4), 1964, 1, -INF, NAN, 39, "male", "90000548",
     "no face by the set's own detector", ""),
]  # fmt: skip


def write_mat(folder, part, rows):
    """Write the list that comes with IMDB-WIKI, every cell in the shape that the published files have."""

    def cells(values):
        row = np.empty((1, len(values)), object)
        row[0, :] = values
        return row

    files, born, taken, gender, score, second = zip(*(row[:6] for row in rows), strict=True)
    # Matlab counts days from the year 0, a leap year; Python's day 1 is the first of the year 1.
    serial = [0.0 if day is None else day.toordinal() + 366.0 for day in born]
    fields = {
        "dob": np.array([serial]),
        "photo_taken": np.array([taken]),
        "full_path": cells(files),
        "gender": np.array([gender], float),
        "name": cells(["Somebody"] * len(rows)),
        "face_location": cells([np.array([1.0, 2.0, 3.0, 4.0])] * len(rows)),
        "face_score": np.array([score], float),
        "second_face_score": np.array([second], float),
    }
    if part == "imdb":
        fields |= {"celeb_names": cells(["Somebody"]), "celeb_id": np.ones((1, len(rows)))}
    folder.mkdir(parents=True, exist_ok=True)
    savemat(folder / f"{part}.mat", {part: fields})
    return touch(folder, *files)


@pytest.mark.parametrize(("part", "rows"), [("imdb", IMDB_ROWS), ("wiki", WIKI_ROWS), ("wiki", WIKI_ROWS[:1])])
def test_imdb_wiki_follows_the_authors_filter(tmp_path, part, rows):
    folder = write_mat(tmp_path / f"{part}_crop", part, rows)
    table, rejects = list_whole(part, tmp_path)
    expected = sorted(rows)
    assert columns(table, "name", "age", "sex", "identity") == [(row[0], *row[6:9]) for row in expected if row[9] == ""]
    assert columns(rejects, "name", "reason", "detail") == [(row[0], *row[9:]) for row in expected if row[9] != ""]
    assert list(table["path"]) == [str(folder / name) for name in table["name"]]
    assert list(table.columns) == ["name", "path", "age", "split", "sex", "identity"]


def test_the_day_number_of_a_birthday_is_what_matlab_says():
    # datenum(2012, 3, 29) is 734957 in Matlab.
    assert date(2012, 3, 29).toordinal() + 366 == 734_957
    age = readers._years_between(np.array([734_957.0]), np.array([2020.0]))
    assert age == [8]


@settings(deadline=None)
@given(born=st.dates(date(1, 1, 1), date(2100, 12, 31)), taken=st.integers(1, 2100))
def test_ages_at_the_middle_of_a_year(born, taken):
    age = readers._years_between(np.array([born.toordinal() + 366.0]), np.array([float(taken)]))
    assert age == [taken - born.year - (born.month > 6)]


def test_unknown_dates_are_no_ages():
    ages = readers._years_between(np.array([NAN, 723_000.0, INF]), np.array([2000.0, NAN, 2000.0]))
    assert np.isnan(ages).all()


@pytest.mark.parametrize("content", [b"", b"not a list", None])
def test_a_broken_mat_file_is_named(tmp_path, content):
    write_mat(tmp_path, "wiki", WIKI_ROWS)
    path = tmp_path / "wiki.mat"
    path.write_bytes(path.read_bytes()[:700] if content is None else content)
    with pytest.raises(ValueError, match=r"wiki\.mat' is not the list that comes with this data set"):
        readers.wiki(tmp_path)


def test_a_mat_file_of_the_other_part_or_none_is_named(tmp_path):
    write_mat(tmp_path, "imdb", IMDB_ROWS)
    with pytest.raises(FileNotFoundError, match=r"wiki\.mat"):
        readers.wiki(tmp_path)
    (tmp_path / "imdb.mat").rename(tmp_path / "wiki.mat")
    with pytest.raises(ValueError, match=r"wiki\.mat' is not the list"):
        readers.wiki(tmp_path)


def test_columns_of_different_lengths_in_a_mat_file_are_refused(tmp_path):
    savemat(tmp_path / "wiki.mat", {"wiki": {
        "dob": [1.0, 2.0], "photo_taken": [1.0, 2.0], "gender": [1.0, 1.0], "face_score": [1.0, 2.0],
        "second_face_score": [1.0, 2.0, 3.0], "full_path": np.array(["a.jpg", "b.jpg"], object)}})  # fmt: skip
    with pytest.raises(ValueError, match=r"wiki\.mat' is not the list"):
        readers.wiki(tmp_path)


def test_morph_says_all_in_its_names(tmp_path):
    touch(tmp_path / "morph2", "Album2/a/009055_1M54.JPG", "Album2/b/009055_02M55.jpg", "Album2/b/300001_0F16.JPG",
          "Album2/copy/009055_1M54.JPG", "Album2/readme.txt", "Album2/portrait.jpg")  # fmt: skip
    table, rejects = list_whole("MORPH2", tmp_path)
    assert rejects.empty
    assert columns(table, "name", "age", "sex", "identity") == [
        ("009055_02M55.jpg", 55, "male", "009055"),
        ("009055_1M54.JPG", 54, "male", "009055"),
        ("300001_0F16.JPG", 16, "female", "300001"),
    ]
    assert table["path"][1] == str(tmp_path / "morph2/Album2/a/009055_1M54.JPG")
    assert table["split"][0] == table["split"][1]


@pytest.mark.parametrize("published", ["utkface", "UTKFace"])
def test_utkface_says_all_in_its_names(tmp_path, published):
    touch(tmp_path / published, *UTKFACE_NAMES, "notes.txt", "portrait.jpg")
    table, rejects = list_whole("UTKFace", tmp_path)
    assert rejects.empty
    assert list(table.columns) == ["name", "path", "age", "split", "sex", "ethnicity"]
    assert list(table["name"]) == sorted(UTKFACE_NAMES)
    for row in table.itertuples():
        assert (row.age, row.sex, row.ethnicity) == UTKFACE_NAMES[row.name]
        assert row.path == str(tmp_path / published / row.name)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg", ".chip.PNG", ".jpg.chip.webp"])
def test_re_encoded_utkface_keeps_labels_and_splits(tmp_path, suffix):
    dates = range(10_000, 10_200)
    touch(
        tmp_path / "original",
        *(f"{date % 90}_{date % 2}_{date % 5}_2017010200{date:07d}.jpg.chip.jpg" for date in dates),
    )
    touch(tmp_path / "copies", *(f"{date % 90}_{date % 2}_{date % 5}_2017010200{date:07d}{suffix}" for date in dates))
    original, copies = (list_whole("utkface", tmp_path / part)[0] for part in ("original", "copies"))
    assert set(original["split"]) == {"train", "val", "test"}
    same = ["age", "split", "sex", "ethnicity"]
    pd.testing.assert_frame_equal(original[same], copies[same])


def test_the_same_name_in_two_folders_or_formats_enters_once(tmp_path):
    name = "26_1_1_20170116220224657.jpg"
    touch(tmp_path, f"a part 1/{name}", f"UTKFace/{name}.chip.jpg", f"z/{name}.chip.png", f"crop_part1/{name}.chip.jpg")
    table, _ = list_whole("utkface", tmp_path / ".")
    assert list(table["path"]) == [str(tmp_path / f"UTKFace/{name}.chip.jpg")]
    # Looked at from outside the folder that is called like the set: still the chip, not the whole photograph.
    assert list(readers.utkface(tmp_path)["path"]) == [str(tmp_path / f"UTKFace/{name}.chip.jpg")]


def test_all_age_faces_takes_the_originals_and_the_official_list(tmp_path):
    folder = tmp_path / "all_age_faces"
    for part in ("original images", "aglined faces"):
        touch(folder / part, *AGED_NAMES)
    # The makers' page shows names without a suffix, their lists have one.
    write(folder / "image sets" / "val.txt", "00000A02.jpg 0\n13321A100 1\n\n")
    table, rejects = list_whole("all_age_faces", tmp_path)
    assert rejects.empty
    assert {row.name: (row.age, row.sex) for row in table.itertuples()} == AGED_NAMES
    assert all("original images" in path for path in table["path"])
    assert set(table["name"][table["split"] == "test"]) == {"00000A02.jpg", "13321A100.JPG"}


def test_all_age_faces_re_encoded_is_found_in_the_official_list(tmp_path):
    touch(tmp_path / "original images", "00000A02.png", "00001A02.webp")
    write(tmp_path / "image sets" / "val.txt", "00000A02.jpg 0\n")
    table, _ = list_whole("all_age_faces", tmp_path)
    assert [split == "test" for split in table["split"]] == [True, False]


@pytest.mark.parametrize(("name", "published"), [("afad", "AFAD-Full"), ("afad_lite", "AFAD-Lite")])
def test_afad_says_all_in_its_folders(tmp_path, name, published):
    for folder in ("AFAD-Full", "AFAD-Lite"):
        touch(tmp_path / folder, "15/111/638660-1.jpg", "15/112/638660-1.jpg", "39/112/7-0.JPG", "39/113/1-0.jpg",
              "39/112/Thumbs.db", "39/112/._7-0.JPG", "AFAD.txt", "example.jpg")  # fmt: skip
    table, rejects = list_whole(name, tmp_path)
    assert rejects.empty
    assert columns(table, "name", "age", "sex") == [
        ("15/111/638660-1.jpg", 15, "male"), ("15/112/638660-1.jpg", 15, "female"), ("39/112/7-0.JPG", 39, "female")
    ]  # fmt: skip
    assert all(path.startswith(str(tmp_path / published)) for path in table["path"])
    assert len(readers.afad(tmp_path)) == 3  # two copies of the set, each name once


def test_fgnet_says_all_in_its_names(tmp_path):
    touch(tmp_path / "fgnet" / "FGNET", "images/001A02.JPG", "images/001A43a.JPG", "images/001a43b.jpg",
          "images/082A00.JPG", "images/Thumbs.db", "points/001a02.pts", "__MACOSX/images/._001A02.JPG")  # fmt: skip
    table, rejects = list_whole("FG-NET", tmp_path)
    assert rejects.empty
    assert columns(table, "name", "age", "identity") == [
        ("001A02.JPG", 2, "001"), ("001A43a.JPG", 43, "001"), ("001a43b.jpg", 43, "001"), ("082A00.JPG", 0, "082")
    ]  # fmt: skip
    assert table["split"][:3].nunique() == 1


APPA_REAL_LINES = {
    "train": "000000.jpg,36,5.055555,1.04,4\n000001.jpg,37,25.6,8.5,21\n",
    "valid": "004113.jpg,33,51.4,6.1,55\n",
    "test": "005613.jpg,40,30.0,4.0,\n",
}


def test_appa_real_has_real_and_apparent_age(tmp_path):
    folder = touch(tmp_path / "appa-real-release", "train/000000.jpg", "train/000000.jpg_face.jpg", "valid/004113.jpg")
    for part, lines in APPA_REAL_LINES.items():
        write(
            folder / f"gt_avg_{part}.csv", f"file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age\n{lines}"
        )
    table, rejects = list_whole("APPA REAL", tmp_path)
    assert columns(table, "name", "age", "apparent_age", "age_std", "ratings", "split") == [
        ("train/000000.jpg", 4, pytest.approx(5.055555), pytest.approx(1.04), 36, "train"),
        ("train/000001.jpg", 21, pytest.approx(25.6), pytest.approx(8.5), 37, "train"),
        ("valid/004113.jpg", 55, pytest.approx(51.4), pytest.approx(6.1), 33, "val"),
    ]
    assert list(table["path"]) == [str(folder / name) for name in table["name"]]
    assert columns(rejects, "name", "split", "reason") == [("test/005613.jpg", "test", "no age")]


def test_appa_real_without_its_lists_or_with_others_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds none of APPA-REAL's lists"):
        readers.appa_real(tmp_path)
    write(tmp_path / "gt_avg_train.csv", "file_name,age\na.jpg,3\n")
    with pytest.raises(ValueError, match=r"gt_avg_train\.csv' has no column 'real_age'"):
        readers.appa_real(tmp_path)
    (tmp_path / "gt_avg_train.csv").write_bytes(b"")
    with pytest.raises(ValueError, match=r"gt_avg_train\.csv' is not a table"):
        readers.appa_real(tmp_path)


LONDON_INFO = (
    "face_id,face_age,{sex},face_eth\n{x}001,24,female,white\n{x}002,NA,male,east_asian/white\n{x}005,31,male,\n"
)


@pytest.mark.parametrize(
    ("pictures", "info", "sex", "x"),
    [("neutral_front", "london_faces_info.csv", "face_sex", "X"), ("images", "info.csv", "face_gender", "")],
)
def test_london_set_as_published_and_as_it_lies_beside_this_repository(tmp_path, pictures, info, sex, x):
    folder = touch(tmp_path / "london", *(f"{pictures}/{name}.jpg" for name in ("001_03", "002_03", "173_03")),
                   f"{pictures}/001_03.tem", "smiling_front/001_08.jpg")  # fmt: skip
    write(folder / info, LONDON_INFO.format(sex=sex, x=x))
    table, rejects = list_whole("london", tmp_path)
    # 005 has a label and no picture: that is for the cleaning to find. 173 has a picture and no label.
    assert columns(table, "name", "age", "sex", "ethnicity", "identity") == [
        ("001_03.jpg", 24, "female", "white", "001"), ("005_03.jpg", 31, "male", "", "005")
    ]  # fmt: skip
    assert table["path"][0] == str(folder / pictures / "001_03.jpg") and not Path(table["path"][1]).exists()
    assert columns(rejects, "name", "reason") == [("002_03.jpg", "no age"), ("173_03.jpg", "no age")]


def test_the_london_set_needs_its_list(tmp_path):
    touch(tmp_path, "neutral_front/001_03.jpg")
    with pytest.raises(ValueError, match=r"lacks london_faces_info\.csv"):
        readers.london(tmp_path)


def test_real_london_set(shared):
    table, rejects = list_whole("london", shared / "data")
    assert len(table) == 100 and list(rejects["reason"]) == ["no age"] * 2
    assert (table["age"].min(), table["age"].max()) == (18, 54)
    assert table["identity"].is_unique
    assert all(Path(path).is_file() for path in table["path"])


def test_real_london_points(shared):
    points = readers.london_points(shared / "data" / "london")
    assert list(points.columns) == ["name", "point", "x", "y"]
    assert points["name"].nunique() == 102
    assert (points.groupby("name")["point"].apply(list).map(lambda numbers: numbers == list(range(189)))).all()
    first = points.iloc[0]
    assert (first["name"], first["x"], first["y"]) == ("001_03.jpg", 214.28, 239.69)


def test_london_points_from_the_published_templates(tmp_path):
    write(tmp_path / "neutral_front" / "002_03.tem", "2\n10.5\t20\n30 40.25\n1\n0\n2\n0 1\n")
    write(tmp_path / "neutral_front" / "001_03.tem", "1\r\n5 6\r\n0\r\n")
    write(tmp_path / "smiling_front" / "001_08.tem", "1\n7 8\n0\n")
    points = readers.london_points(tmp_path)
    assert columns(points, "name", "point", "x", "y") == [
        ("001_03.jpg", 0, 5, 6), ("002_03.jpg", 0, 10.5, 20), ("002_03.jpg", 1, 30, 40.25)
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "many\n1 2\n", "3\n1 2\n", "1\n1 2 3\n", "1\nhere there\n"])
def test_a_broken_template_is_named(tmp_path, text):
    write(tmp_path / "001_03.tem", text)
    with pytest.raises(ValueError, match=r"001_03\.tem' is not a template"):
        readers.london_points(tmp_path)


def test_a_folder_without_points_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"neither points\.csv nor"):
        readers.london_points(tmp_path)


@pytest.mark.parametrize(
    ("name", "rows", "youngest", "median", "oldest"),
    [("all_age_faces", 12_022, 2, 33, 80), ("utkface", 16_000, 1, 29, 116)],
)
def test_real_sets(shared, name, rows, youngest, median, oldest):
    table, rejects = list_whole(name, shared / "data")
    assert len(table) == rows and rejects.empty
    assert (table["age"].min(), table["age"].median(), table["age"].max()) == (youngest, median, oldest)
    assert all(Path(path).is_file() for path in table["path"][::1000])


def test_all_age_faces_sex_and_test_set_agree_with_the_published_lists(shared):
    folder = shared / "data" / "all_age_faces"
    table = datasets.load_table("all_age_faces", folder).set_index("name")
    lists = {
        split: dict(line.split() for line in (folder / "image sets" / f"{split}.txt").read_text().splitlines())
        for split in ("train", "val")
    }
    assert len(lists["train"]) + len(lists["val"]) == len(table)
    for name, code in (lists["train"] | lists["val"]).items():
        assert table.at[name, "sex"] == {"0": "female", "1": "male"}[code]
    assert set(table.index[table["split"] == "test"]) == set(lists["val"])
    assert (table["split"] == "val").sum() == pytest.approx(0.1 * len(lists["train"]), rel=0.15)


@pytest.mark.parametrize("name", ["morph2", "utkface", "all_age_faces", "fgnet", "london", "afad"])
def test_a_folder_with_other_pictures_is_refused(tmp_path, name):
    touch(tmp_path, "portrait.jpg", "12/portrait.jpg")
    with pytest.raises(ValueError, match=r"holds no picture .*named as this data set names them"):
        datasets.list_pictures(name, tmp_path)


def test_no_reader_opens_a_picture(tmp_path, monkeypatch):
    folder = touch(tmp_path, *UTKFACE_NAMES)
    monkeypatch.setattr(Path, "open", None)
    monkeypatch.setattr("builtins.open", None)
    assert len(readers.utkface(folder)) == len(UTKFACE_NAMES)
