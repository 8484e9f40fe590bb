"""Crops on disk: complete or not there, never made twice, never mistaken for others."""

import io
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile

import cv2
import numpy as np
import pandas as pd
import pytest

from ssrlib import alignment, crops, datasets, jobs, synthetic
from ssrlib.alignment import Crop
from ssrlib.crops import Crops, load_crops, prepare_crops, save_crops
from ssrlib.pictures import read_picture

FACES = 11
REJECT_COLUMNS = ["name", "split", "reason", "detail"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of eleven drawn faces, named as UTKFace names them."""
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(FACES):
        encoded = cv2.imencode(".jpg", synthetic.draw_face(5, index, 112)[0][..., ::-1])[1]
        (folder / f"{20 + index}_{index % 2}_0_{index:017d}.jpg.chip.jpg").write_bytes(encoded.tobytes())
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SSRNET_CACHE", str(folder))
    return folder


@pytest.fixture
def table(pictures):
    return datasets.load_table("utkface", pictures)


@pytest.fixture(scope="module")
def made(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSRNET_CACHE", str(folder))
        return prepare_crops("utkface", pictures, folder / "made.npz", workers=1)


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
    pd.testing.assert_frame_equal(first.rejects, second.rejects)
    assert first.record == second.record


def test_crops_are_those_of_the_one_crop_function(made, table):
    assert len(made) == len(made.images) == FACES - len(made.rejects) >= FACES - 1
    paths = dict(zip(table["name"], table["path"], strict=True))
    for image, row in zip(made.images, made.table.itertuples(), strict=True):
        expected, face = alignment.crop_face(read_picture(paths[row.name]), Crop())
        np.testing.assert_array_equal(image, expected)
        assert (row.left, row.top, row.right, row.bottom, row.score) == face
    assert "path" not in made.table
    assert made.ages.shape == (len(made), 1) and made.ages.dtype == np.float32
    assert made.ages[:, 0].tolist() == made.table["age"].tolist()
    assert made.record["dataset"] == "utkface"
    assert made.record["crop"] == {
        "margin": 0.4, "size": 64, "detector": "dlib-hog", "upsample": 1, "threshold": -0.3, "landmarks": 5
    }  # fmt: skip


def test_two_processes_give_what_one_gives(made, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "CHUNK", 4)
    assert_same(prepare_crops("utkface", pictures, tmp_path / "faces.npz", workers=2), made)


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


def test_an_interrupted_job_goes_on_where_it_was(made, pictures, tmp_path, monkeypatch, calls):
    monkeypatch.setattr(jobs, "CHUNK", 4)
    out = tmp_path / "faces.npz"
    calls.allowed = 9  # in the middle of the third chunk
    with pytest.raises(KeyboardInterrupt):
        prepare_crops("utkface", pictures, out, workers=1)
    assert sorted(path.name for path in tmp_path.glob("*.partial/*.npz")) == ["000000.npz", "000001.npz"]
    assert not out.exists()
    calls.clear()
    calls.allowed = -1
    assert_same(prepare_crops("utkface", pictures, out, workers=1), made)
    assert len(calls) == FACES - 8
    assert [path.name for path in tmp_path.iterdir()] == ["faces.npz"]


def test_what_became_unusable_since_is_told_without_cropping_anew(pictures, tmp_path, calls):
    folder, out = tmp_path / "pictures", tmp_path / "faces.npz"
    shutil.copytree(pictures, folder)
    first = prepare_crops("utkface", folder, out, workers=1)
    (folder / "33_0_0_00000000000000099.jpg.chip.jpg").touch()
    calls.clear()
    again = prepare_crops("utkface", folder, out, workers=1)
    assert not calls and len(again) == len(first)
    assert again.rejects["reason"].tolist() == [*first.rejects["reason"], "unreadable"]
    assert_same(load_crops(out), again)


def test_a_folder_in_the_place_of_the_file_is_said_before_any_work(pictures, tmp_path, calls):
    with pytest.raises(IsADirectoryError, match="is a folder; name a file in it"):
        prepare_crops("utkface", pictures, tmp_path, workers=1)
    assert not calls and not list(tmp_path.iterdir())


def test_chunks_of_another_job_are_thrown_away(made, pictures, tmp_path, monkeypatch, calls):
    monkeypatch.setattr(jobs, "CHUNK", 4)
    calls.allowed = 9
    with pytest.raises(KeyboardInterrupt):
        prepare_crops("utkface", pictures, tmp_path / "faces.npz", Crop(margin=0.1), workers=1)
    calls.clear()
    calls.allowed = -1
    assert_same(prepare_crops("utkface", pictures, tmp_path / "faces.npz", workers=1), made)
    assert len(calls) == FACES


@pytest.mark.slow
def test_a_killed_job_goes_on_and_nothing_is_lost_or_doubled(made, pictures, tmp_path):
    """Killed with SIGKILL as soon as the first chunk is there; its workers go with it."""
    program = (
        "import sys; from ssrlib import crops, jobs\n"
        "if __name__ == '__main__':\n"
        "    jobs.CHUNK = 1; crops.prepare_crops('utkface', sys.argv[1], sys.argv[2], workers=2)"
    )
    script = tmp_path / "job.py"
    script.write_text(program)
    out = tmp_path / "faces.npz"
    job = subprocess.Popen([sys.executable, script, pictures, out], stderr=subprocess.DEVNULL)
    partial = tmp_path / "faces.npz.partial"
    while not list(partial.glob("*.npz")):
        assert job.poll() is None
        time.sleep(0.01)
    job.kill()
    job.wait()
    assert not out.exists()
    subprocess.run([sys.executable, script, pictures, out], check=True, capture_output=True)
    assert_same(load_crops(out), made)


@pytest.mark.slow
def test_two_processes_on_one_file_do_not_disturb_each_other(made, pictures, tmp_path):
    out = tmp_path / "faces.npz"
    command = [sys.executable, "-m", "ssrlib", "preprocess", "utkface", "--root", pictures, "--out", out]
    jobs_at_once = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    for job in jobs_at_once:
        errors = job.communicate()[1]
        assert job.returncode == 0, errors
    assert_same(load_crops(out), made)


def test_every_listed_picture_ends_in_the_table_or_in_the_rejects(pictures, made, tmp_path, monkeypatch):
    """All that can be wrong with a picture, in one folder."""
    folder = tmp_path / "all"
    shutil.copytree(pictures, folder)

    def write(number, content):
        (folder / f"{number}_0_0_{number:017d}.jpg.chip.jpg").write_bytes(content)

    def encoded(picture, suffix=".png"):
        return cv2.imencode(suffix, picture)[1].tobytes()

    face = synthetic.draw_face(5, 99, 112)[0][..., ::-1]
    five = np.full((240, 360, 3), 128, np.uint8)
    for place in range(5):
        y, x = 120 * (place // 3), 120 * (place % 3)
        five[y : y + 112, x : x + 112] = synthetic.draw_face(6, place, 112)[0][..., ::-1]
    write(101, b"")
    write(102, b"I am no picture.")
    write(103, encoded(face, ".jpg")[:3000])
    write(104, encoded(np.full((90, 90), 99, np.uint8)))
    write(105, encoded(np.full((1, 1, 3), 9, np.uint8)))
    write(106, encoded(np.random.default_rng(0).integers(0, 255, (20, 20000), dtype=np.uint8)))
    write(107, encoded(five))
    write(108, encoded(face))
    write(109, encoded(face))
    original = min(pictures.iterdir())
    (folder / ("20" + original.name[original.name.index("_") :].replace("000.jpg", "777.jpg"))).write_bytes(
        original.read_bytes()
    )
    (folder / "110_0_0_00000000000000110.jpg.chip.jpg").symlink_to(tmp_path / "nowhere.jpg")
    write(999, encoded(synthetic.draw_face(5, 98, 112)[0][..., ::-1]))
    result = prepare_crops("utkface", folder, tmp_path / "faces.npz", workers=1)
    reasons = dict(zip(result.rejects["name"].str.partition("_")[0].astype(int), result.rejects["reason"], strict=True))
    assert {number: reason for number, reason in reasons.items() if number > 100} == {
        101: "unreadable", 102: "unreadable", 103: "unreadable", 104: "no face", 105: "no face", 106: "no face",
        107: "several faces", 108: "conflicting ages", 109: "conflicting ages", 110: "no such file",
        999: "age out of range",
    }  # fmt: skip
    assert list(result.rejects["reason"]).count("copy") == 1
    assert len(result) + len(result.rejects) == len(list(folder.iterdir()))
    assert set(result.unusable["reason"]) == {"unreadable", "no face", "several faces", "no such file"}
    assert set(result.table["name"]) <= set(os.listdir(folder))
    assert len(result) == len(made)


def test_a_picture_that_goes_missing_between_the_steps_is_rejected(table, tmp_path, monkeypatch):
    gone = table[:2].assign(digest="0")
    gone.loc[1, "path"] = "/nowhere/picture.jpg"
    nothing = pd.DataFrame(columns=REJECT_COLUMNS, dtype=object)
    monkeypatch.setattr(crops.datasets, "list_pictures", lambda *_: datasets.Listing(gone, nothing))
    monkeypatch.setattr(crops.cleaning, "clean_table", lambda *_: (gone, nothing))
    result = prepare_crops("utkface", "anywhere", tmp_path / "faces.npz", workers=1)
    assert list(result.rejects["name"]) == [table["name"][1]] and len(result) == 1


def test_sets_that_come_cropped_need_no_detector(tmp_path):
    folder = tmp_path / "megaage_asian"
    (folder / "list").mkdir(parents=True)
    picture = np.random.default_rng(0).integers(0, 256, (218, 178, 3), dtype=np.uint8)
    for part, names in {"train": ["1.png", "2.png"], "test": ["1.png"]}.items():
        (folder / part).mkdir()
        (folder / "list" / f"{part}_name.txt").write_text("\n".join(names) + "\n")
        (folder / "list" / f"{part}_age.txt").write_text("\n".join("7" for _ in names) + "\n")
    (folder / "test" / "1.png").write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
    faces = prepare_crops("megaage_asian", tmp_path, tmp_path / "faces.npz", workers=1)
    assert list(faces.rejects["reason"]) == ["no such file"] * 2
    # The released preparation: 20 rows off the top and the bottom, then 64 by 64.
    expected = cv2.resize(picture[20:-20], (64, 64), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(faces.images[0], expected)


def test_a_saved_file_comes_back(made, tmp_path):
    path = tmp_path / "deep" / "faces.npz"
    save_crops(made, path)
    assert_same(load_crops(path), made)
    assert [file.name for file in path.parent.iterdir()] == ["faces.npz"]


def test_odd_names_and_empty_fields_survive_the_file(made, tmp_path):
    table = made.table.assign(name=[f'Größe, "顔" {n}' for n in range(len(made))], sex="", ethnicity="NA")
    odd = Crops(made.images, table, made.rejects, made.record)
    save_crops(odd, tmp_path / "odd.npz")
    pd.testing.assert_frame_equal(load_crops(tmp_path / "odd.npz").table, table)


def test_a_file_is_never_half_written(made, tmp_path, monkeypatch):
    path = tmp_path / "faces.npz"
    save_crops(made, path)
    before = path.read_bytes()

    def break_off(file, *arguments, **keywords):
        file.write(b"half a fi")
        raise OSError("no space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", break_off)
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
        npz_bytes(images=np.zeros(3), table=np.array(b""), rejects=np.array(b"name\n"), record=np.array(b"{}")),
        npz_bytes(images=np.zeros(3), table=np.array(b"age\n1\n"), rejects=np.array(b"name\n"), record=np.array(b"{")),
        npz_bytes(
            images=np.zeros(3),
            table=np.array(b"age\nold\n"),
            rejects=np.array(b"name\n"),
            record=np.array(b'{"columns": {"age": "float32"}}'),
        ),
        npz_bytes(
            images=np.array([{}]),
            table=np.array(b"age\n1\n"),
            rejects=np.array(b"name\n"),
            record=np.array(b'{"columns": {}}'),
        ),
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


@pytest.mark.parametrize("member", ["images.npy", "table.npy", "rejects.npy", "record.npy"])
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


def test_prepared_crops_are_made_once(pictures, made, cache, calls):
    assert_same(prepare_crops("UTKFace", pictures, workers=1), made)
    assert len(calls) == FACES
    assert_same(prepare_crops("utkface", pictures, workers=1), made)
    assert len(calls) == FACES
    (file,) = cache.glob("utkface*")
    assert file.name == f"utkface-{made.record['fingerprint'][:16]}.npz"


def test_prepared_crops_are_made_again_for_another_crop_or_file(pictures, tmp_path, cache, calls):
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
    os.rename(folder / paths[0].name, folder / ("1" + paths[0].name))
    assert looked_at() == 3
    assert not list(cache.glob("utkface*"))


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
    table = datasets.load_table("drawn")
    wanted = set(table["name"][table["split"] == "test"])
    faces = prepare_crops("drawn", out=tmp_path / "faces.npz", split="test", limit=3, workers=1)
    found = set(faces.table["name"]) | set(faces.rejects["name"])
    assert len(calls) == len(found) == 3 and found < wanted
    with pytest.raises(ValueError, match="no split called 'tset'"):
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
        record = json.loads(arrays["record"].item())
    assert record.pop("columns")["age"] == "float32"
    assert record == made.record
