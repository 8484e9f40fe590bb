"""Crops on disk: complete or not there, never made twice, never mistaken for others."""

import io
import json
import os
import zipfile

import cv2
import numpy as np
import pandas as pd
import pytest

from ssrlib import alignment, crops, datasets, synthetic
from ssrlib.alignment import Crop
from ssrlib.crops import Crops, load_crops, make_crops, prepare_crops, save_crops

FACES = 11


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of eleven drawn faces, named as UTKFace names them."""
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(FACES):
        encoded = cv2.imencode(".jpg", synthetic.draw_face(5, index, 112)[0][..., ::-1])[1]
        (folder / f"{20 + index}_{index % 2}_0_{index:017d}.jpg.chip.jpg").write_bytes(encoded.tobytes())
    return folder


@pytest.fixture
def table(pictures):
    return datasets.load_table("utkface", pictures)


@pytest.fixture(scope="module")
def made(pictures):
    return make_crops("utkface", datasets.load_table("utkface", pictures), Crop(), workers=1)


@pytest.fixture
def calls(monkeypatch):
    """Count the pictures that the detector really looks at; a negative allowance means no end of them."""

    class Calls(list):
        allowed = -1

    calls, crop_face = Calls(), alignment.crop_face

    def counted(picture, crop):
        if len(calls) == calls.allowed:
            raise KeyboardInterrupt
        calls.append(picture.shape)
        return crop_face(picture, crop)

    monkeypatch.setattr(alignment, "crop_face", counted)
    return calls


def assert_same(first, second):
    np.testing.assert_array_equal(first.images, second.images)
    pd.testing.assert_frame_equal(first.table, second.table, check_exact=True)
    assert first.record == second.record


def test_crops_are_those_of_the_one_crop_function(made, table):
    assert len(made) == len(made.images) == FACES - len(made.record["failed"]) >= FACES - 1
    paths = dict(zip(table["name"], table["path"], strict=True))
    for image, row in zip(made.images, made.table.itertuples(), strict=True):
        expected, face = alignment.crop_face(datasets.read_picture(paths[row.name]), Crop())
        np.testing.assert_array_equal(image, expected)
        assert (row.left, row.top, row.right, row.bottom, row.score) == face
    assert "path" not in made.table
    assert made.ages.shape == (len(made), 1) and made.ages.dtype == np.float32
    assert made.ages[:, 0].tolist() == made.table["age"].tolist()
    assert made.record["dataset"] == "utkface"
    assert made.record["crop"] == {
        "margin": 0.4, "size": 64, "detector": "dlib-hog", "upsample": 1, "threshold": -0.3
    }  # fmt: skip


def test_two_processes_give_what_one_gives(made, table, monkeypatch):
    monkeypatch.setattr(crops, "CHUNK", 4)
    assert_same(make_crops("utkface", table, Crop(), workers=2), made)


def test_splits_divide_the_crops(made):
    parts = [made.split(name) for name in datasets.SPLITS]
    assert sum(map(len, parts)) == len(made) and made.split("all") is made
    for name, part in zip(datasets.SPLITS, parts, strict=True):
        assert len(part.images) == len(part.table) == (made.table["split"] == name).sum()
        assert list(part.table.index) == list(range(len(part)))
        for image, picture_name in zip(part.images, part.table["name"], strict=True):
            (row,) = np.flatnonzero(made.table["name"] == picture_name)
            np.testing.assert_array_equal(image, made.images[row])
    with pytest.raises(ValueError, match="no split called 'tset'"):
        made.split("tset")


def test_an_interrupted_job_goes_on_where_it_was(made, table, tmp_path, monkeypatch, calls):
    monkeypatch.setattr(crops, "CHUNK", 4)
    partial = tmp_path / "partial"
    calls.allowed = 9  # in the middle of the third chunk
    with pytest.raises(KeyboardInterrupt):
        make_crops("utkface", table, Crop(), partial, workers=1)
    assert sorted(path.name for path in partial.glob("*.npz")) == ["000000.npz", "000001.npz"]
    calls.clear()
    calls.allowed = -1
    assert_same(make_crops("utkface", table, Crop(), partial, workers=1), made)
    assert len(calls) == FACES - 8
    assert not partial.exists()


def test_chunks_of_another_job_are_thrown_away(made, table, tmp_path, monkeypatch, calls):
    monkeypatch.setattr(crops, "CHUNK", 4)
    partial = tmp_path / "partial"
    calls.allowed = 9
    with pytest.raises(KeyboardInterrupt):
        make_crops("utkface", table, Crop(margin=0.1), partial, workers=1)
    calls.clear()
    calls.allowed = -1
    assert_same(make_crops("utkface", table, Crop(), partial, workers=1), made)
    assert len(calls) == FACES


def test_a_chunk_that_was_being_written_does_not_count(made, table, tmp_path, monkeypatch, calls):
    monkeypatch.setattr(crops, "CHUNK", 4)
    with monkeypatch.context() as patch:
        patch.setattr(crops.os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make_crops("utkface", table, Crop(), tmp_path / "partial", workers=1)
    calls.clear()
    assert_same(make_crops("utkface", table, Crop(), tmp_path / "partial", workers=1), made)
    assert len(calls) == FACES


def interrupt(*arguments):
    raise KeyboardInterrupt


def test_unusable_pictures_are_named_and_the_others_done(table, made, tmp_path):
    bad = {
        "1_0_0_00000000000000001.jpg.chip.jpg": (b"no picture", "not a picture that can be read"),
        "2_0_0_00000000000000002.jpg.chip.jpg": (b"", "not a picture that can be read"),
        "3_0_0_00000000000000003.jpg.chip.jpg": (
            cv2.imencode(".jpg", np.full((90, 90), 99, np.uint8))[1].tobytes(),
            "no face found",
        ),
        "4_0_0_00000000000000004.jpg.chip.jpg": (
            cv2.imencode(".png", np.full((1, 3000), 99, np.uint8))[1].tobytes(),
            "no face found",
        ),
    }
    for name, (content, _) in bad.items():
        (tmp_path / name).write_bytes(content)
    mixed = pd.concat([datasets.load_table("utkface", tmp_path), table]).sort_values("name", ignore_index=True)
    result = make_crops("utkface", mixed, Crop(), workers=1)
    reasons = {failure["name"]: failure["reason"] for failure in result.record["failed"]}
    assert reasons.keys() == bad.keys() | {failure["name"] for failure in made.record["failed"]}
    for name, (_, reason) in bad.items():
        assert reasons[name].startswith(reason)
    np.testing.assert_array_equal(result.images, made.images)
    assert list(result.table["name"]) == list(made.table["name"])


def test_a_picture_that_goes_missing_is_named(table):
    gone = table.copy()
    key = crops.fingerprint(gone, Crop())
    gone.loc[1, "path"] = "/nowhere/picture.jpg"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crops, "fingerprint", lambda *_: key)
        result = make_crops("utkface", gone[:2], Crop(), workers=1)
    assert [failure["name"] for failure in result.record["failed"]] == [table["name"][1]]
    assert len(result) == 1


def test_a_saved_file_comes_back(made, tmp_path):
    path = tmp_path / "deep" / "faces.npz"
    save_crops(made, path)
    assert_same(load_crops(path), made)
    assert [file.name for file in path.parent.iterdir()] == ["faces.npz"]


def test_odd_names_and_empty_fields_survive_the_file(made, tmp_path):
    table = made.table.assign(name=[f'Größe, "顔" {n}' for n in range(len(made))], sex="", ethnicity="NA")
    odd = Crops(made.images, table, made.record)
    save_crops(odd, tmp_path / "odd.npz")
    pd.testing.assert_frame_equal(load_crops(tmp_path / "odd.npz").table, table)


def test_a_file_is_never_half_written(made, tmp_path, monkeypatch):
    path = tmp_path / "faces.npz"
    save_crops(made, path)
    before = path.read_bytes()

    def break_off(file, **arrays):
        file.write(b"half a fi")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", break_off)
    with pytest.raises(OSError, match="no space left"):
        save_crops(made.split("train"), path)
    assert path.read_bytes() == before
    with pytest.raises(OSError, match="no space left"):
        save_crops(made, tmp_path / "other.npz")
    assert not (tmp_path / "other.npz").exists()


def npy_bytes():
    stream = io.BytesIO()
    np.save(stream, np.arange(3))
    return stream.getvalue()


def npz_bytes(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"I am no crops.",
        b"PK\x03\x04 and no more",
        npy_bytes(),
        npz_bytes(a=np.arange(3)),
        npz_bytes(images=np.zeros(3), table=np.array(""), record=np.array("{}")),
        npz_bytes(images=np.zeros(3), table=np.array("age\n1\n"), record=np.array("{")),
        npz_bytes(images=np.zeros(3), table=np.array("age\nold\n"), record=np.array("{}")),
        npz_bytes(images=np.array([{}]), table=np.array("age\n1\n"), record=np.array("{}")),
    ],
    ids=["empty", "text", "zip", "npy", "other npz", "no table", "no record", "no ages", "pickled"],
)
def test_foreign_files_are_refused(tmp_path, content):
    (tmp_path / "faces.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"faces\.npz' is not a file of crops; remove it"):
        load_crops(tmp_path / "faces.npz")


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*absent\.npz'.*preprocess"):
        load_crops(tmp_path / "absent.npz")


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_truncated_files_are_refused(made, tmp_path, share):
    path = tmp_path / "faces.npz"
    save_crops(made, path)
    os.truncate(path, int(share * path.stat().st_size))
    with pytest.raises(ValueError, match="is not a file of crops"):
        load_crops(path)


@pytest.mark.parametrize("member", ["images.npy", "table.npy", "record.npy"])
def test_a_flipped_bit_is_noticed(made, tmp_path, member):
    path = tmp_path / "faces.npz"
    save_crops(made, path)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(member)
    content = bytearray(path.read_bytes())
    content[info.header_offset + 200 + info.file_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not a file of crops"):
        load_crops(path)


def test_prepared_crops_are_made_once(pictures, made, tmp_path, monkeypatch, calls):
    monkeypatch.setenv("SSRNET_CACHE", str(tmp_path / "cache"))
    assert_same(prepare_crops("UTKFace", pictures, workers=1), made)
    assert len(calls) == FACES
    assert_same(prepare_crops("utkface", pictures, workers=1), made)
    assert len(calls) == FACES
    (file,) = (tmp_path / "cache").iterdir()
    assert file.name == f"utkface-{made.record['fingerprint'][:16]}.npz"


def test_prepared_crops_are_made_again_for_another_crop_or_file(pictures, tmp_path, monkeypatch, calls):
    monkeypatch.setenv("SSRNET_CACHE", str(tmp_path / "cache"))
    folder, out = tmp_path / "copy", tmp_path / "faces.npz"
    folder.mkdir()
    paths = sorted(pictures.iterdir())[:3]
    for path in paths:
        (folder / path.name).write_bytes(path.read_bytes())

    def looked_at(**changes):
        calls.clear()
        result = prepare_crops("utkface", folder, out, workers=1, **changes)
        assert_same(load_crops(out), result)
        return len(calls)

    assert looked_at() == 3
    assert looked_at() == 0
    assert looked_at(crop=Crop(margin=0.3)) == 3
    assert looked_at(crop=Crop(margin=0.3), limit=2) == 2
    assert looked_at() == 3
    (folder / paths[0].name).write_bytes(paths[0].read_bytes() + b"\0")
    assert looked_at() == 3
    assert looked_at() == 0
    os.rename(folder / paths[0].name, folder / ("9" + paths[0].name))
    assert looked_at() == 3
    assert not (tmp_path / "cache").exists()


def test_a_moved_folder_needs_no_new_crops(pictures, tmp_path, calls):
    folder, out = tmp_path / "here", tmp_path / "faces.npz"
    folder.mkdir()
    path = min(pictures.iterdir())
    (folder / path.name).write_bytes(path.read_bytes())
    first = prepare_crops("utkface", folder, out, workers=1)
    folder.rename(tmp_path / "there")
    assert_same(prepare_crops("utkface", tmp_path / "there", out, workers=1), first)
    assert len(calls) == 1


def test_prepared_crops_of_a_split_are_those_pictures_only(tmp_path, calls):
    table = datasets.load_table("drawn", limit=20)
    wanted = set(table["name"][table["split"] == "test"])
    faces = prepare_crops("drawn", out=tmp_path / "faces.npz", limit=20, split="test", workers=1)
    assert len(calls) == len(wanted) > 0
    assert set(faces.table["name"]) | {failure["name"] for failure in faces.record["failed"]} == wanted
    with pytest.raises(ValueError, match="no picture in the split 'tset'"):
        prepare_crops("drawn", out=tmp_path / "faces.npz", limit=20, split="tset")


def test_without_a_single_face_nothing_is_written(tmp_path):
    (tmp_path / "1_0_0_00000000000000001.jpg.chip.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="None of the 1 pictures of utkface holds a usable face"):
        prepare_crops("utkface", tmp_path, tmp_path / "faces.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["1_0_0_00000000000000001.jpg.chip.jpg"]


def test_a_damaged_file_in_the_way_says_what_to_do(pictures, tmp_path):
    (tmp_path / "faces.npz").write_text("my diary")
    with pytest.raises(ValueError, match="remove it"):
        prepare_crops("utkface", pictures, tmp_path / "faces.npz", workers=1)
    assert (tmp_path / "faces.npz").read_text() == "my diary"


def test_the_record_is_plain_json(made, tmp_path):
    save_crops(made, tmp_path / "faces.npz")
    with np.load(tmp_path / "faces.npz") as arrays:
        assert json.loads(str(arrays["record"])) == made.record
