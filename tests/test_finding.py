"""Files found however they are spelled, folders walked whole and once."""

import os
import re
from pathlib import Path

import pytest
from conftest import touch

from ssrlib import finding

JPG = re.compile(r".*\.jpg")


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ("List/Train_Age.TXT", "List/Train_Age.TXT"),
        ("train/1.jpg", "Train/1.JPG"),
        ("TRAIN/2.jpg", "Train/2.png"),
        ("train/3.jpg", "Train/3.jpg"),  # although 3.png is there as well
        ("train/3.webp", "Train/3.jpg"),
        ("train/4.jpg", "Train/4.jpg"),  # not there: where it should be
        ("valid/1.jpg", "valid/1.jpg"),
        ("Train/../Train/1.JPG", "Train/../Train/1.JPG"),
    ],
)
def test_listed_files_are_found_in_other_letter_case_and_format(tmp_path, listed, found):
    touch(tmp_path, "List/Train_Age.TXT", "Train/1.JPG", "Train/2.png", "Train/3.png", "Train/3.jpg")
    assert finding.file_finder(tmp_path)(listed) == str(tmp_path / found)


def test_two_files_that_differ_in_letter_case_only_are_told_apart(tmp_path):
    touch(tmp_path, "a.jpg", "A.jpg")
    if len(os.listdir(tmp_path)) < 2:
        pytest.skip("this disk cannot hold both")
    find = finding.file_finder(tmp_path)
    assert [find("a.jpg"), find("A.jpg")] == [str(tmp_path / "a.jpg"), str(tmp_path / "A.jpg")]


def test_a_file_may_be_listed_with_its_whole_path(tmp_path):
    touch(tmp_path, "elsewhere/1.JPG")
    find = finding.file_finder(tmp_path / "here")
    assert find((tmp_path / "elsewhere" / "1.jpg").as_posix()) == str(tmp_path / "elsewhere" / "1.JPG")


def test_a_folder_is_looked_into_once(tmp_path, monkeypatch):
    touch(tmp_path, *(f"{row}.jpg" for row in range(20)))
    looked = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: looked.append(folder) or listdir(folder))
    find = finding.file_finder(tmp_path)
    assert all(Path(find(f"{row}.png")).is_file() for row in range(20))
    assert looked == [str(tmp_path)]


def test_a_walk_goes_everywhere_in_order(tmp_path):
    touch(tmp_path, "b/2.jpg", "b/1.jpg", "a/deep/er/3.jpg", "0.jpg", "a/3.txt")
    found = [path.relative_to(tmp_path).as_posix() for path in finding.walk(tmp_path, JPG)]
    assert found == ["0.jpg", "a/deep/er/3.jpg", "b/1.jpg", "b/2.jpg"]


def test_a_walk_follows_links_but_not_in_circles(tmp_path):
    touch(tmp_path / "elsewhere", "1.jpg")
    root = touch(tmp_path / "root", "2.jpg")
    try:
        (root / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        (root / "twice").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        (tmp_path / "elsewhere" / "round").symlink_to(root, target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    assert [path.name for path in finding.walk(root, JPG)] == ["2.jpg", "1.jpg"]


def test_a_name_that_no_table_can_hold_is_shown(tmp_path):
    try:
        Path(os.fsdecode(bytes(tmp_path) + b"/M\xfcller.jpg")).touch()
    except OSError:
        pytest.skip("this disk takes UTF-8 names only")
    with pytest.raises(ValueError, match=r"M\\udcfcller.jpg' is not UTF-8; rename it"):
        finding.walk(tmp_path, JPG)


@pytest.mark.parametrize("missing", [True, False])
def test_a_walk_never_misses_a_folder_in_silence(tmp_path, missing):
    if missing:
        with pytest.raises(FileNotFoundError):
            finding.walk(tmp_path / "nowhere", JPG)
        return
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        pytest.skip("root may open every folder")
    touch(tmp_path, "closed/1.jpg")
    (tmp_path / "closed").chmod(0)
    with pytest.raises(PermissionError):
        finding.walk(tmp_path, JPG)


def test_a_list_has_the_columns_that_it_should_have(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(b"\xef\xbb\xbfid,age\n001,23\n,24\n002,NA\n")
    table = finding.read_list(path, ("id", "age"))
    assert list(table["id"]) == ["001", "002"]
    assert table["age"].isna().to_list() == [False, True]
    with pytest.raises(ValueError, match=r"list\.csv' has no column 'sex'"):
        finding.read_list(path, ("id", "sex"))
