import cv2
import numpy as np
import pandas as pd
import pytest

from ssrlib import __main__ as cli
from ssrlib import alignment, records, video, weights
from ssrlib.tracking import SMOOTHING, Track, Tracker

FRAMES, RATE = 12, 10.0


@pytest.fixture(scope="module")
def drawn():
    return weights.load_model("drawn")


@pytest.fixture(scope="module")
def clip():
    return list(video.draw_clip(FRAMES))


@pytest.fixture(scope="module")
def film(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("films") / "two people.mp4"
    video.write_film((picture for picture, _ in clip), path, RATE)
    return path


def read_frames(path):
    """Read a film with nothing but OpenCV: its RGB frames and its rate."""
    capture, frames = cv2.VideoCapture(str(path)), []
    while (answer := capture.read())[0]:
        frames.append(cv2.cvtColor(answer[1], cv2.COLOR_BGR2RGB))
    return np.array(frames), capture.get(cv2.CAP_PROP_FPS)


def test_a_written_film_is_what_was_drawn(film, clip):
    frames, rate = read_frames(film)
    assert rate == RATE and len(frames) == FRAMES
    # Colours in the right order, up to what the codec takes away.
    for frame, (picture, _) in zip(frames, clip, strict=True):
        assert np.abs(frame.astype(int) - picture).mean() < 8


def test_a_drawn_clip_is_two_people_who_differ(clip):
    ages = np.array([ages for _, ages in clip])
    assert (np.diff(ages[:, 0]) > 0).all() and np.ptp(ages[:, 1]) == 0
    again = next(iter(video.draw_clip(FRAMES)))[0]
    assert (again == clip[0][0]).all() and (again != next(iter(video.draw_clip(FRAMES, seed=4)))[0]).any()


@pytest.mark.slow
def test_annotated_film_has_every_frame_and_the_answers_of_single_pictures(film, drawn, tmp_path):
    model, crop, record = drawn
    out = tmp_path / "out.mp4"
    found = video.annotate_film(film, out, model, crop, record)
    frames, rate = read_frames(out)
    before = read_frames(film)[0]
    assert (len(frames), rate, found.frames, found.stopped) == (FRAMES, RATE, FRAMES, False)
    assert list(tmp_path.iterdir()) == [out]
    assert found.table.groupby("frame").size().tolist() == [2] * FRAMES
    for number, rows in found.table.groupby("frame"):
        # As if each frame were a photograph.
        faces = alignment.usable_faces(before[number], crop)
        images = np.stack([alignment.crop_at(before[number], face, crop) for face in faces])
        expected = sorted(model.predict(images, verbose=0)[:, 0])
        assert sorted(rows["answer"]) == pytest.approx(expected, abs=0.02)
        assert rows["second"].unique().tolist() == [number / RATE]
    # Something was drawn, and only near the boxes, the words above them and the speed in the corner.
    box = found.table.query("frame == 5").iloc[0]
    edge = frames[5, round(box.top) + 5 : round(box.bottom) - 5, round(box.left)]
    there = before[5, round(box.top) + 5 : round(box.bottom) - 5, round(box.left)]
    assert np.abs(edge.astype(int) - there).mean() > 20


def test_detecting_less_often_answers_in_every_frame(film, drawn, tmp_path, monkeypatch):
    calls = []
    detect = Tracker._detect
    monkeypatch.setattr(Tracker, "_detect", lambda *arguments: calls.append(1) or detect(*arguments))
    found = video.annotate_film(film, tmp_path / "out.mp4", *drawn, every=5)
    assert len(calls) == 3 and len(found.table) == 2 * FRAMES


def test_ctrl_c_leaves_a_film_that_can_be_read(film, drawn, tmp_path, monkeypatch):
    step = Tracker.step

    def interrupted(tracker, *arguments):
        if tracker.frames == 7:
            raise KeyboardInterrupt
        return step(tracker, *arguments)

    monkeypatch.setattr(Tracker, "step", interrupted)
    out = tmp_path / "out.mp4"
    found = video.annotate_film(film, out, *drawn)
    assert found.stopped and found.frames == len(read_frames(out)[0]) == 7


def test_a_failure_leaves_nothing_behind(film, drawn, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("no answer")

    monkeypatch.setattr(Tracker, "step", fail)
    with pytest.raises(RuntimeError, match="no answer"):
        video.annotate_film(film, tmp_path / "out.mp4", *drawn)
    assert list(tmp_path.iterdir()) == []


def test_a_slow_camera_film_keeps_time(drawn, tmp_path, monkeypatch, clip):
    """A frame at 0, 0.3 and 0.4 seconds: at 10 frames a second, the second one stands where two were missed."""
    pictures = [cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) for picture, _ in clip[:3]]
    moments = zip(pictures, (0.0, 0.3, 0.4), strict=True)

    class Opened:
        def __enter__(self):
            return moments, RATE, pictures[0].shape[1::-1], None

        def __exit__(self, *_):
            return False

    monkeypatch.setattr(video, "_open_film", lambda _: Opened())
    video.annotate_film("0", tmp_path / "out.mp4", *drawn)
    assert len(read_frames(tmp_path / "out.mp4")[0]) == 5


@pytest.mark.parametrize(
    ("source", "out", "error", "message"),
    [
        ("no.mp4", "out.mp4", FileNotFoundError, "There is no film"),
        ("99", "out.mp4", FileNotFoundError, "no camera with the number 99"),
        ("broken.mp4", "out.mp4", ValueError, "not a film that can be read"),
        ("empty.mp4", "out.mp4", ValueError, "no face in any of the 3 frames"),
        ("empty.mp4", "out.mov", ValueError, "ends in .mp4"),
        ("empty.mp4", "absent/out.mp4", FileNotFoundError, "no folder"),
        ("empty.mp4", "empty.mp4", ValueError, "must not take the place of the old one"),
    ],
)
def test_what_is_wrong_is_said(source, out, error, message, drawn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    video.write_film([np.full((120, 160, 3), 90, np.uint8)] * 3, "empty.mp4", RATE)
    (tmp_path / "broken.mp4").write_bytes((tmp_path / "empty.mp4").read_bytes()[:300])
    before = set(tmp_path.iterdir())
    with pytest.raises(error, match=message):
        video.annotate_film(source, out, *drawn)
    assert set(tmp_path.iterdir()) == before


def test_a_probability_is_drawn_as_one(monkeypatch):
    words = []
    monkeypatch.setattr(cv2, "putText", lambda picture, text, *_: words.append(text))
    track = Track(1, alignment.Face(5, 5, 30, 30, 1.0), smoothed=0.934)
    video.draw_answers(np.zeros((60, 60, 3), np.uint8), [track], "male", 12.34)
    video.draw_answers(np.zeros((60, 60, 3), np.uint8), [track], "age")
    assert list(dict.fromkeys(words)) == ["male 0.93", "12.3 frames/s", "age 1"]


def test_predict_on_a_film_from_a_shell(film, tmp_path, capsys):
    out, table = tmp_path / "out.mp4", tmp_path / "out.csv"
    arguments = ["predict", "drawn", str(film), "--out", str(out), "--every", "5", "--csv", str(table)]
    assert cli.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = pd.read_csv(table)
    means = rows.groupby("face")["answer"].mean()
    assert [line.split(" years")[0] for line in lines[:2]] == [f"face {n}: {means[n]:.1f}" for n in (1, 2)]
    assert lines[2].startswith(f"{out}: {FRAMES} frames") and len(read_frames(out)[0]) == FRAMES


@pytest.mark.parametrize(
    "arguments", [["film.mp4"], ["film.mp4", "b.mp4", "--out", "c.mp4"], ["a.jpg", "--out", "c.mp4"]]
)
def test_a_film_stands_alone_and_needs_a_name_for_the_new_one(arguments, capsys):
    assert cli.main(["predict", "drawn", *arguments]) == 1
    assert "stands alone" in capsys.readouterr().err


def test_the_recorded_film_agrees_with_itself():
    table, _ = records.read_table("video")
    assert np.allclose(table["faces_per_second"], table["faces"] / table["seconds"], rtol=1e-4)
    for (every, _), rows in records.read_predictions("video").groupby(["every", "face"]):
        assert len(rows) == table.loc[table["every"] == every, "frames"].iloc[0]
        weights = np.exp(-(rows["second"].max() - rows["second"]) / SMOOTHING)
        assert rows["smoothed"].iloc[-1] == pytest.approx((weights * rows["answer"]).sum() / weights.sum(), abs=0.02)
