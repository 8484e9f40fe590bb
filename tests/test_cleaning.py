"""Copies and broken files, made for the purpose and as they are in the real sets."""

import errno

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssrlib import cleaning, datasets, synthetic
from ssrlib.cleaning import clean_table, find_copies, scan_pictures

FACES = 60


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SSRNET_CACHE", str(folder))
    return folder


@pytest.fixture(scope="module")
def drawn():
    return synthetic.draw_faces(FACES, seed=31, size=128)[0]


def encode(picture, suffix=".png", *parameters):
    return cv2.imencode(suffix, picture[..., ::-1], parameters)[1].tobytes()


def table_of(folder, /, **files):
    """Write files; each is given by its content, age and split."""
    rows = []
    for name, (content, age, split) in files.items():
        path = folder / name
        if content is not None:
            path.write_bytes(content)
        rows.append((name, str(path), np.float32(age), split))
    return pd.DataFrame(rows, columns=["name", "path", "age", "split"])


def reasons(rejects):
    return dict(zip(rejects["name"], rejects["reason"], strict=True))


def test_the_test_copy_is_kept_and_conflicts_go_altogether(drawn, tmp_path):
    one, two, three, four = map(encode, drawn[:4])
    table = table_of(
        tmp_path,
        a=(one, 20, "train"), b=(one, 20, "test"), c=(one, 20, "val"), d=(two, 30, "train"), e=(two, 30, "train"),
        f=(three, 40, "train"), g=(three, 41, "test"), h=(four, 50, "val"),
    )  # fmt: skip
    kept, rejects = clean_table(table, workers=1)
    assert list(kept["name"]) == ["b", "d", "h"]
    assert reasons(rejects) == {
        "a": "copy", "c": "copy", "e": "copy", "f": "conflicting ages", "g": "conflicting ages"
    }  # fmt: skip
    details = dict(zip(rejects["name"], rejects["detail"], strict=True))
    assert details["a"] == "same picture as b (20 years)" and details["f"] == "same picture as g (41 years)"
    # sha256sum of the file, first 16 digits: independent of how the module reads it.
    import hashlib

    assert kept["digest"][2] == hashlib.sha256((tmp_path / "h").read_bytes()).hexdigest()[:16]


def test_missing_broken_and_dangling_files_are_rejected(drawn, tmp_path):
    good = encode(drawn[0], ".jpg")
    table = table_of(
        tmp_path,
        good=(good, 1, "train"), empty=(b"", 2, "train"), text=(b"I am no picture", 3, "train"),
        cut=(good[: len(good) // 2], 4, "train"), gone=(None, 5, "test"), link=(None, 6, "train"),
        folder=(None, 7, "train"),
    )  # fmt: skip
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    kept, rejects = clean_table(table, workers=1)
    assert list(kept["name"]) == ["good"]
    assert reasons(rejects) == {
        "empty": "unreadable", "text": "unreadable", "cut": "unreadable", "folder": "unreadable",
        "gone": "no such file", "link": "no such file",
    }  # fmt: skip
    assert list(rejects.columns) == ["name", "split", "reason", "detail"] and len(kept) + len(rejects) == len(table)


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: encode(picture, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 95),
        lambda picture: encode(picture, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 60),
        lambda picture: encode(cv2.resize(picture, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)),
        lambda picture: encode(cv2.resize(picture, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)),
        lambda picture: encode(cv2.convertScaleAbs(picture, alpha=0.95, beta=8)),
    ],
    ids=["quality 95", "quality 60", "smaller", "larger", "brighter"],
)
def test_a_picture_saved_again_is_found(drawn, tmp_path, change):
    files = {f"{number}": (encode(picture), 30, "train") for number, picture in enumerate(drawn[:20])}
    files |= {f"{number} again": (change(picture), 30, "test") for number, picture in enumerate(drawn[:20])}
    kept, rejects = clean_table(table_of(tmp_path, **files), workers=1)
    assert (rejects["reason"] == "copy").all()
    assert len(kept) + len(rejects) == 40
    assert len(rejects) >= 19  # of 20; the hash may miss one


def test_different_faces_are_not_merged(drawn, tmp_path):
    files = {f"{number:03d}": (encode(picture), number, "train") for number, picture in enumerate(drawn)}
    kept, rejects = clean_table(table_of(tmp_path, **files), workers=1)
    assert rejects.empty and len(kept) == FACES


def test_flat_pictures_of_other_shades_are_not_copies(tmp_path):
    files = {f"{grey}": (encode(np.full((40, 40, 3), grey, np.uint8)), grey, "train") for grey in range(0, 90, 2)}
    kept, _ = clean_table(table_of(tmp_path, **files), workers=1)
    assert len(kept) == 45


def test_a_chain_of_copies_is_one_group():
    digests = np.array(["a", "b", "a", "c", "b"])
    flat = np.zeros((5, 32, 32), np.uint8)
    numbers = find_copies(digests, np.arange(5, dtype=np.uint64) * 0x1111_2222_3333_4444, flat)
    assert numbers[0] == numbers[2] and numbers[1] == numbers[4] and len(set(numbers)) == 3


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(range(6)))
def test_the_order_of_the_rows_does_not_matter(order, drawn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    one, two = map(encode, drawn[:2])
    table = table_of(
        folder,
        a=(one, 20, "train"), b=(one, 20, "val"), c=(two, 30, "train"), d=(two, 31, "train"), e=(b"", 1, "test"),
        f=(encode(drawn[2]), 9, "test"),
    )  # fmt: skip
    expected = clean_table(table, workers=1)
    for first, second in zip(clean_table(table.iloc[order], workers=1), expected, strict=True):
        pd.testing.assert_frame_equal(first, second)


def test_drawn_faces_are_never_opened(monkeypatch):
    monkeypatch.setattr(cleaning.pictures, "decode", None)
    table = datasets.load_table("drawn", limit=20)
    kept, rejects = clean_table(table)
    assert len(kept) == 20 and rejects.empty and set(kept["digest"]) == {""}


def test_files_are_read_once_until_they_change(drawn, tmp_path, monkeypatch):
    opened = []

    def counted(content):
        opened.append(len(content))
        return decode(content)

    decode = cleaning.pictures.decode
    monkeypatch.setattr(cleaning.pictures, "decode", counted)
    table = table_of(tmp_path, a=(encode(drawn[0]), 1, "train"), b=(encode(drawn[1]), 2, "train"))
    first = scan_pictures(table["path"].tolist(), workers=1)
    second = scan_pictures(table["path"].tolist(), workers=1)
    assert len(opened) == 2
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
    (tmp_path / "b").write_bytes(encode(drawn[2]) + b"\0")
    changed = scan_pictures(table["path"].tolist(), workers=1)
    assert len(opened) == 4 and changed["digest"][1] != first["digest"][1]
    (tmp_path / "a").chmod(0o600)  # whoever may read it now could not, perhaps, before
    scan_pictures(table["path"].tolist(), workers=1)
    assert len(opened) == 6


def test_a_failing_drive_stops_the_job_and_condemns_no_picture(drawn, tmp_path, monkeypatch):
    table = table_of(tmp_path, a=(encode(drawn[0]), 1, "train"))

    read = cleaning.Path.read_bytes

    def fail(path):
        if path.parent == tmp_path:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return read(path)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="Input/output error"):
        patch.setattr(cleaning.Path, "read_bytes", fail)
        scan_pictures(table["path"].tolist(), workers=1)
    assert list(clean_table(table, workers=1)[0]["name"]) == ["a"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "groups", "extra", "conflicts"), [("utkface", 375, 390, 205), ("all_age_faces", 188, 198, 163)]
)
def test_the_copies_in_the_real_sets(shared, name, groups, extra, conflicts):
    """The figures of the byte-identical groups were counted by other means; looks only add to them."""
    table = datasets.load_table(name, shared / "data")
    scan = scan_pictures(table["path"].tolist())
    assert not scan["reason"].any()
    same = table.groupby(scan["digest"])["age"].agg(["size", "nunique"])
    same = same[same["size"] > 1]
    assert (len(same), (same["size"] - 1).sum(), (same["nunique"] > 1).sum()) == (groups, extra, conflicts)
    if name == "all_age_faces":
        official = table["split"] == "test"
        assert (official.groupby(scan["digest"]).nunique() > 1).sum() == 97
    kept, rejects = clean_table(table)
    assert len(kept) + len(rejects) == len(table)
    assert kept["digest"].is_unique
    assert set(kept["digest"]).isdisjoint(same.index[same["nunique"] > 1])
    assert extra + conflicts <= len(rejects) < 0.1 * len(table)
