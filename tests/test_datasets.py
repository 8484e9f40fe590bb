"""Data sets by name: found, listed, split, limited and described; the readers have tests of their own."""

import itertools
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import touch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssrlib import datasets, synthetic
from ssrlib.downloads import Archive
from ssrlib.splits import SPLITS, split_key, stable_fraction

ROOT = Path(__file__).resolve().parents[1]
NAMES = [f"{row % 100}_{row % 2}_{row % 5}_2017011{row:010d}.jpg.chip.jpg" for row in range(1000, 1400)]


@pytest.fixture
def utkface(tmp_path):
    touch(tmp_path / "utkface", *NAMES)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "found"),
    [(name, "all_age_faces") for name in ("all_age_faces", "All-Age-Faces", "ALL AGE FACES", "allagefaces")]
    + [("MegaAge-Asian", "megaage_asian"), ("APPA REAL", "appa_real"), ("FG-NET", "fgnet"), ("AFAD-Lite", "afad_lite")]
    + [("MORPH-2", "morph2"), ("IMDB", "imdb"), ("UTK Face", "utkface"), ("CSV", "csv")],
)
def test_names_are_found_in_any_spelling(name, found):
    assert datasets.find_dataset(name) is datasets.DATASETS[found]


def test_an_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match=r"'imdb-wiki-plus'.*drawn, megaage_asian, imdb, wiki, morph2, utkface"):
        datasets.load_table("imdb-wiki-plus")


@pytest.mark.parametrize("info", datasets.DATASETS.values(), ids=lambda info: info.name)
def test_every_set_says_what_a_reader_must_know(info):
    assert datasets.DATASETS[info.name] is info
    assert info.title and info.terms
    assert bool(info.citation) == bool(info.reference)
    if info.name == "drawn":
        return
    assert callable(info.read)
    assert len(info.steps) == 2 and all(step.endswith(".") for step in info.steps)
    assert info.home.startswith("http") == (info.name not in ("folder", "csv"))
    keys = re.findall(r"^@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"), re.MULTILINE)
    assert not info.citation or info.citation in keys


def test_only_what_has_a_checksum_is_fetched():
    fetched = {info.name: info.archives for info in datasets.DATASETS.values() if info.archives}
    assert set(fetched) == {"imdb", "wiki", "fgnet", "appa_real"}
    for archive in itertools.chain.from_iterable(fetched.values()):
        assert isinstance(archive, Archive)
        assert archive.url.startswith("https://")
        assert re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", archive.checksum)


def test_what_comes_cropped_is_known():
    assert {info.name for info in datasets.DATASETS.values() if info.precropped} == {"megaage_asian", "imdb", "wiki"}


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_one_is_refused(limit):
    with pytest.raises(ValueError, match=f"limit is {limit}"):
        datasets.load_table("drawn", limit=limit)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match=r"no split called 'holdout'; use all, train, val, test"):
        datasets.list_pictures("drawn", split="holdout")


def test_a_real_set_needs_its_folder(tmp_path):
    for root in (None, ""):
        with pytest.raises(ValueError, match=r"Where is utkface\? Give its folder with --root"):
            datasets.load_table("utkface", root)
    touch(tmp_path, "portrait.jpg")
    for nowhere in ("nowhere", "portrait.jpg"):
        with pytest.raises(FileNotFoundError, match=nowhere):
            datasets.load_table("utkface", tmp_path / nowhere)
    with pytest.raises(ValueError, match="holds no picture"):
        datasets.load_table("utkface", tmp_path)


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("utkface", "UTKFace"),
        ("utkface", "utkface/UTKFace"),
        ("fgnet", "fgnet/FGNET"),
        ("fgnet", "FG-NET"),
        ("imdb", "imdb_crop"),
        ("wiki", "wiki/wiki_crop"),
        ("appa_real", "appa_real/appa-real-release"),
        ("megaage_asian", "megaage_asian/megaage_asian"),
        ("all_age_faces", "All-Age-Faces Dataset"),
        ("afad", "AFAD-Full"),
        ("afad_lite", "AFAD-Lite"),
        ("afad_lite", "."),
        ("folder", "."),
    ],
)
def test_folders_are_found_under_their_published_names(tmp_path, name, inside):
    touch(tmp_path / inside, "something")
    touch(tmp_path, "other/something")
    assert datasets.find_folder(datasets.find_dataset(name), tmp_path) == tmp_path / inside


def test_the_published_folder_goes_before_the_one_that_is_named_as_here(tmp_path):
    # imdb_meta.tar makes a folder imdb with the list alone, imdb_crop.tar one with the pictures.
    touch(tmp_path, "imdb/imdb.mat", "imdb_crop/imdb.mat")
    assert datasets.find_folder(datasets.find_dataset("imdb"), tmp_path) == tmp_path / "imdb_crop"


def test_one_set_is_not_taken_for_another_of_its_kind(tmp_path):
    touch(tmp_path, "AFAD-Full/15/111/1.jpg")
    assert datasets.find_folder(datasets.find_dataset("afad"), tmp_path) == tmp_path / "AFAD-Full"
    with pytest.raises(FileNotFoundError, match="holds afad, but no afad_lite"):
        datasets.find_folder(datasets.find_dataset("afad_lite"), tmp_path)


def test_a_table_of_own_pictures_is_a_file_or_the_only_one_in_a_folder(tmp_path):
    info = datasets.find_dataset("csv")
    with pytest.raises(ValueError, match="holds 0 CSV files"):
        datasets.find_folder(info, tmp_path)
    touch(tmp_path, "faces.CSV", "faces.txt", "deep/other.csv", "crops.rejects.csv", "._faces.csv")
    assert datasets.find_folder(info, tmp_path) == tmp_path / "faces.CSV"
    assert datasets.find_folder(info, tmp_path / "faces.txt") == tmp_path / "faces.txt"
    touch(tmp_path, "more.csv")
    with pytest.raises(ValueError, match="holds 2 CSV files"):
        datasets.find_folder(info, tmp_path)


def test_drawn_faces_need_no_folder_and_a_limit_only_shortens_the_list():
    table, rejects = datasets.list_pictures("drawn", limit=300)
    assert len(table) == 300 and rejects.empty
    pd.testing.assert_frame_equal(datasets.load_table("drawn", limit=50), table[:50])
    assert list(table["name"]) == list(table["path"]) == [f"drawn:0:{index}" for index in range(300)]
    assert table["age"].dtype == np.float32
    assert set(table["sex"]) == {"female", "male"}
    assert set(table["split"]) == set(SPLITS)
    assert len(datasets.load_table("drawn")) == datasets.DRAWN_FACES


@pytest.mark.parametrize("split", SPLITS)
def test_a_limit_of_drawn_faces_is_one_of_the_split(split):
    whole = datasets.load_table("drawn", limit=1000)
    table = datasets.load_table("drawn", limit=40, split=split)
    assert len(table) == 40 and set(table["split"]) == {split}
    assert list(table["name"]) == list(whole["name"][whole["split"] == split][:40])


@pytest.mark.parametrize("index", [0, 17])
def test_a_drawn_row_describes_the_face_that_is_drawn(index):
    row = datasets.load_table("drawn", limit=18).set_index("name").loc[f"drawn:0:{index}"]
    _, age, _, attributes = synthetic.draw_face(0, index)
    assert row["age"] == np.float32(age) and row["sex"] == attributes["sex"]


def test_splits_are_hashed_from_the_name_without_its_format(utkface):
    table = datasets.load_table("utkface", utkface)
    fractions = table["name"].map(split_key).map(stable_fraction)
    assert list(table["split"]) == ["val" if f < 0.1 else "test" if f < 0.2 else "train" for f in fractions]
    assert set(table["split"]) == set(SPLITS)


@settings(deadline=None, max_examples=20)
@given(present=st.sets(st.sampled_from(NAMES), min_size=1))
def test_a_files_split_depends_on_no_other_file(present, tmp_path_factory):
    table = datasets.load_table("utkface", touch(tmp_path_factory.mktemp("some"), *present))
    assert set(table["name"]) == present
    for row in table.itertuples():
        fraction = stable_fraction(split_key(row.name))
        assert row.split == ("val" if fraction < 0.1 else "test" if fraction < 0.2 else "train")


def test_a_chosen_split_is_a_part_of_all(utkface):
    whole = datasets.load_table("utkface", utkface)
    for split in SPLITS:
        part = datasets.load_table("utkface", utkface, split=split)
        pd.testing.assert_frame_equal(part, whole[whole["split"] == split].reset_index(drop=True))


@pytest.mark.parametrize("split", ["all", "train", "test"])
def test_a_limit_keeps_the_same_pictures_and_larger_limits_keep_them_too(utkface, split):
    whole = datasets.load_table("utkface", utkface, split=split)
    limits = [1, 2, 5, len(whole) - 1, len(whole), len(whole) + 1]
    tables = [datasets.load_table("utkface", utkface, limit, split) for limit in limits]
    assert [len(table) for table in tables] == [min(limit, len(whole)) for limit in limits]
    assert all(set(less["name"]) <= set(more["name"]) for less, more in itertools.pairwise(tables))
    for table in tables:
        assert table["name"].is_monotonic_increasing
        pd.testing.assert_frame_equal(table, whole[whole["name"].isin(table["name"])].reset_index(drop=True))


def test_a_limit_chooses_among_all_splits_alike_and_in_any_format(utkface):
    some = datasets.load_table("utkface", utkface, 150)
    whole = datasets.load_table("utkface", utkface)
    for split in SPLITS:
        share = (whole["split"] == split).mean()
        assert (some["split"] == split).mean() == pytest.approx(share, abs=3 * np.sqrt(share * (1 - share) / 150))
    copies = touch(utkface / "copies", *(name.replace(".jpg.chip.jpg", ".png") for name in NAMES))
    again = datasets.load_table("utkface", copies, 150)
    assert set(again["name"].map(split_key)) == set(some["name"].map(split_key))


def test_a_limit_counts_what_is_listed_not_what_is_kept(tmp_path):
    lines = [f"{row:03d}.jpg,{999 if row % 2 else 30}" for row in range(200)]
    (tmp_path / "faces.csv").write_text("\n".join(["picture,age", *lines]))
    table, rejects = datasets.list_pictures("csv", tmp_path, limit=60)
    assert len(table) + len(rejects) == 60
    assert min(len(table), len(rejects)) > 15
    assert list(rejects.columns) == ["name", "split", "reason", "detail"]
    for split in SPLITS:
        part = datasets.list_pictures("csv", tmp_path, split=split)
        assert set(part.rejects["split"]) <= {split} and set(part.table["split"]) <= {split}


def test_a_set_with_no_usable_label_is_an_empty_table(tmp_path):
    (tmp_path / "faces.csv").write_text("picture,age\na.jpg,999\n")
    table, rejects = datasets.list_pictures("csv", tmp_path)
    assert len(table) == 0 and len(rejects) == 1
    assert list(table.columns) == ["name", "path", "age", "split"]


def test_a_description_says_what_was_found(utkface):
    lines = datasets.describe(datasets.find_dataset("utkface"), utkface).splitlines()
    assert lines[0] == "utkface"
    assert all(line.startswith("  ") for line in lines[1:])
    assert "  terms: non-commercial research" in lines
    assert f"  looked in: {utkface / 'utkface'}" in lines
    assert "  found: 400 pictures listed, 400 with a usable label" in lines
    assert not any("get it" in line for line in lines)


def test_a_description_counts_labels_and_files(tmp_path):
    touch(tmp_path, "a.jpg")
    (tmp_path / "faces.csv").write_text("picture,age\na.jpg,30\nb.jpg,999\nc.jpg,5\n")
    text = datasets.describe(datasets.find_dataset("csv"), tmp_path)
    assert "  found: 3 pictures listed, 2 with a usable label, 1 of these on disk" in text


@pytest.mark.parametrize("root", [None, "empty"])
@pytest.mark.parametrize("info", datasets.DATASETS.values(), ids=lambda info: info.name)
def test_a_description_says_how_to_get_what_was_not_found(tmp_path, info, root):
    (tmp_path / "empty").mkdir()
    text = datasets.describe(info, tmp_path / root if root else None)
    if info.name == "drawn":
        assert "found: 4,000" in text
        return
    assert ("not found: " if root else "looked in: nowhere; name a folder with --root or SSRNET_DATA") in text
    if info.archives:
        assert text.endswith(f"\n  get it: python -m ssrlib download {info.name} --root DIR")
    else:
        assert text.endswith(f"\n  get it: {info.steps[0]}\n          {info.steps[1]}")


def test_a_description_survives_a_broken_folder(tmp_path):
    touch(tmp_path, "megaage_asian/list/train_name.txt", "wiki_crop/wiki.mat", "appa_real/gt_avg_train.csv")
    (tmp_path / "london").touch()
    for name, reason in {
        "megaage_asian": "There is no file", "wiki": "is not the list", "appa_real": "is not a table",
        "london": "holds no picture", "csv": "holds 0 CSV files",
    }.items():  # fmt: skip
        text = datasets.describe(datasets.find_dataset(name), tmp_path)
        line = next(line for line in text.splitlines() if "found: " in line)
        assert line.startswith("  not found: ") and reason in line
    assert "not found: There is no folder" in datasets.describe(datasets.find_dataset("fgnet"), tmp_path / "nowhere")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may open every folder")
def test_a_description_survives_a_closed_folder(tmp_path):
    touch(tmp_path, "utkface/closed/a.jpg")
    (tmp_path / "utkface" / "closed").chmod(0)
    assert "not found: " in datasets.describe(datasets.find_dataset("utkface"), tmp_path)
