"""The readers on made-up folders and on the real sets, and one picture in every state that a file may be in."""

import itertools
import shutil
import struct
import zlib

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssrlib import datasets, synthetic

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


def write_picture(path, picture=None):
    """Write an RGB picture in the format that the file's name asks for."""
    picture = np.full((6, 8, 3), 128, np.uint8) if picture is None else picture
    done, encoded = cv2.imencode(path.suffix, picture[..., ::-1] if picture.ndim == 3 else picture)
    assert done
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded.tobytes())
    return path


@pytest.fixture
def utkface(tmp_path):
    for name in UTKFACE_NAMES:
        write_picture(tmp_path / "utkface" / name)
    (tmp_path / "utkface" / "notes.txt").write_text("not a picture")
    write_picture(tmp_path / "utkface" / "portrait.jpg")
    return tmp_path


@pytest.mark.parametrize("name", ["all_age_faces", "All-Age-Faces", "ALL AGE FACES", "allagefaces"])
def test_names_are_found_in_any_spelling(name):
    assert datasets.find_dataset(name) is datasets.DATASETS["all_age_faces"]


def test_an_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match=r"'imdb'.*drawn, all_age_faces, utkface"):
        datasets.load_table("imdb")


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_one_is_refused(limit):
    with pytest.raises(ValueError, match=f"limit is {limit}"):
        datasets.load_table("drawn", limit=limit)


def test_a_real_set_needs_its_folder(tmp_path):
    with pytest.raises(ValueError, match=r"Where is utkface\?"):
        datasets.load_table("utkface")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        datasets.load_table("utkface", tmp_path / "nowhere")
    write_picture(tmp_path / "portrait.jpg")
    with pytest.raises(ValueError, match="holds no picture"):
        datasets.load_table("utkface", tmp_path)


@pytest.mark.parametrize("inside", [False, True])
def test_utkface_names_are_read(utkface, inside):
    table = datasets.load_table("UTKFace", utkface / "utkface" if inside else utkface)
    assert list(table.columns) == ["name", "path", "age", "split", "sex", "ethnicity"]
    assert table["age"].dtype == np.float32
    assert list(table["name"]) == sorted(UTKFACE_NAMES)
    for row in table.itertuples():
        assert (row.age, row.sex, row.ethnicity) == UTKFACE_NAMES[row.name]
        assert row.path == str(utkface / "utkface" / row.name)


def test_all_age_faces_takes_the_originals_and_the_official_list(tmp_path):
    folder = tmp_path / "all_age_faces"
    for name in AGED_NAMES:
        write_picture(folder / "original images" / name)
        write_picture(folder / "aglined faces" / name)
    (folder / "image sets").mkdir()
    (folder / "image sets" / "val.txt").write_text("00000A02.jpg 0\n13321A100.JPG 1\n\n")
    table = datasets.load_table("all_age_faces", tmp_path)
    assert {row.name: (row.age, row.sex) for row in table.itertuples()} == AGED_NAMES
    assert all("original images" in path for path in table["path"])
    assert set(table["name"][table["split"] == "test"]) == {"00000A02.jpg", "13321A100.JPG"}


def test_without_the_official_list_all_age_faces_is_split_by_hash(tmp_path):
    for name in AGED_NAMES:
        write_picture(tmp_path / name)
    table = datasets.load_table("all_age_faces", tmp_path)
    fractions = table["name"].map(datasets.stable_fraction)
    expected = ["val" if f < 0.1 else "test" if f < 0.2 else "train" for f in fractions]
    assert list(table["split"]) == expected


def test_the_hash_is_the_first_48_bits_of_sha256():
    # printf 00000A02.jpg | sha256sum
    assert datasets.stable_fraction("00000A02.jpg") == pytest.approx(0x0BA868C07C18 / 2**48, abs=0)


@settings(deadline=None, max_examples=20)
@given(present=st.sets(st.sampled_from(sorted(UTKFACE_NAMES)), min_size=1))
def test_a_files_split_depends_on_no_other_file(present, tmp_path_factory):
    folder = tmp_path_factory.mktemp("some")
    for name in present:
        (folder / name).touch()
    table = datasets.load_table("utkface", folder)
    assert set(table["name"]) == present
    for row in table.itertuples():
        fraction = datasets.stable_fraction(row.name)
        assert row.split == ("val" if fraction < 0.1 else "test" if fraction < 0.2 else "train")
    shutil.rmtree(folder)


def test_a_limit_keeps_the_same_pictures_and_larger_limits_keep_them_too(utkface):
    whole = datasets.load_table("utkface", utkface)
    names = [set(datasets.load_table("utkface", utkface, limit)["name"]) for limit in range(1, len(whole) + 2)]
    assert [len(chosen) for chosen in names] == [*range(1, len(whole) + 1), len(whole)]
    assert all(smaller <= larger for smaller, larger in itertools.pairwise(names))
    by_hash = sorted(whole["name"], key=datasets.stable_fraction)
    assert names[2] == set(by_hash[:3])
    some = datasets.load_table("utkface", utkface, 4)
    assert some["name"].is_monotonic_increasing
    pd.testing.assert_frame_equal(some, whole[whole["name"].isin(some["name"])].reset_index(drop=True))


def test_drawn_faces_need_no_folder_and_a_limit_only_shortens_the_list():
    table = datasets.load_table("drawn", limit=300)
    assert len(table) == 300
    pd.testing.assert_frame_equal(datasets.load_table("drawn", limit=50), table[:50])
    assert table["age"].dtype == np.float32
    assert set(table["sex"]) == {"female", "male"}
    assert set(table["split"]) == set(datasets.SPLITS)


@pytest.mark.parametrize("index", [0, 17])
def test_a_drawn_path_gives_the_face_that_the_table_describes(index):
    row = datasets.load_table("drawn", limit=18).iloc[index]
    picture, age = synthetic.draw_face(datasets.DRAWN_SEED, index)[:2]
    np.testing.assert_array_equal(datasets.read_picture(row["path"]), picture)
    assert np.float32(age) == row["age"]


@pytest.mark.parametrize(
    ("name", "rows", "youngest", "median", "oldest"),
    [("all_age_faces", 12_022, 2, 33, 80), ("utkface", 16_000, 1, 29, 116)],
)
def test_real_sets(shared, name, rows, youngest, median, oldest):
    table = datasets.load_table(name, shared / "data")
    assert len(table) == rows
    assert table["name"].is_unique
    assert (table["age"].min(), table["age"].median(), table["age"].max()) == (youngest, median, oldest)
    picture = datasets.read_picture(table["path"].iloc[len(table) // 2])
    assert picture.dtype == np.uint8 and picture.ndim == 3


def test_all_age_faces_sex_and_test_set_agree_with_the_published_lists(shared):
    folder = shared / "data" / "all_age_faces"
    table = datasets.load_table("all_age_faces", folder).set_index("name")
    lists = {
        split: dict(line.split() for line in (folder / "image sets" / f"{split}.txt").read_text().splitlines())
        for split in ("train", "val")
    }
    for name, code in (lists["train"] | lists["val"]).items():
        assert table.at[name, "sex"] == {"0": "female", "1": "male"}[code]
    assert set(table.index[table["split"] == "test"]) == set(lists["val"])
    assert (table["split"] == "val").sum() == pytest.approx(0.1 * len(lists["train"]), rel=0.15)


def test_colours_come_in_the_order_red_green_blue(tmp_path):
    # Bytes of a PNG written by hand, without OpenCV: one red pixel and one blue.
    path = tmp_path / "red and blue.png"
    path.write_bytes(png(2, 1, zlib.compress(b"\x00" + b"\xff\x00\x00" + b"\x00\x00\xff")))
    np.testing.assert_array_equal(datasets.read_picture(path), [[[255, 0, 0], [0, 0, 255]]])


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, -1), (8, 1)])
def test_a_picture_taken_with_a_turned_camera_is_turned_upright(tmp_path, orientation, turns):
    stored = np.zeros((32, 48, 3), np.uint8)
    stored[:16, :16] = 255, 0, 0
    stored[16:, 32:] = 0, 0, 255
    jpeg = write_picture(tmp_path / "turned.jpg", stored).read_bytes()
    tag = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0" + b"II*\0" + struct.pack("<IH", 8, 1) + tag + b"\0\0\0\0"
    path = tmp_path / "turned.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    # 6 means that the camera was turned left, so the picture is turned right, clockwise.
    expected = np.rot90(stored, turns).astype(int)
    assert np.abs(datasets.read_picture(path)[4::8, 4::8] - expected[4::8, 4::8]).max() < 60


def test_grey_deep_and_transparent_pictures_become_rgb_bytes(tmp_path):
    gradient = np.arange(48, dtype=np.uint8).reshape(6, 8)
    grey = datasets.read_picture(write_picture(tmp_path / "grey.png", gradient))
    np.testing.assert_array_equal(grey, np.repeat(gradient[..., None], 3, axis=2))
    deep = datasets.read_picture(write_picture(tmp_path / "deep.png", gradient.astype(np.uint16) * 257))
    np.testing.assert_array_equal(deep, grey)
    bgra = np.dstack([gradient + 2, gradient + 1, gradient, np.full_like(gradient, 7)])
    (tmp_path / "alpha.png").write_bytes(cv2.imencode(".png", bgra)[1].tobytes())
    alpha = datasets.read_picture(tmp_path / "alpha.png")
    np.testing.assert_array_equal(alpha, np.dstack([gradient, gradient + 1, gradient + 2]))


def test_any_file_name_will_do(tmp_path):
    path = write_picture(tmp_path / "Größe 顔 é" / "ein Bild.jpg")
    assert datasets.read_picture(path).shape == datasets.read_picture(str(path)).shape == (6, 8, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
def test_truncated_pictures_are_refused(tmp_path, suffix, share):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    path = write_picture(tmp_path / f"cut{suffix}", noise)
    assert datasets.read_picture(path).shape == (60, 80, 3)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="not a picture that can be read"):
        datasets.read_picture(path)


def test_files_that_are_no_pictures_are_refused(tmp_path):
    (tmp_path / "text.jpg").write_text("I am no picture.")
    # 10 gigapixels by its header: more than OpenCV accepts.
    (tmp_path / "bomb.png").write_bytes(png(100_000, 100_000, zlib.compress(b"\0")))
    for name in ("text.jpg", "bomb.png"):
        with pytest.raises(ValueError, match="not a picture that can be read"):
            datasets.read_picture(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        datasets.read_picture(tmp_path / "absent.jpg")
    with pytest.raises(OSError):
        datasets.read_picture(tmp_path)


def png(width, height, data):
    """Put together an RGB PNG from its parts."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
