"""A film in, a film out: its faces with boxes, smoothed answers and the speed drawn into each frame (chapter 06)."""

import contextlib
import itertools
import math
import os
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from ssrlib import drawing, synthetic, targets
from ssrlib.backend import silent_stderr
from ssrlib.tracking import Tracker

FILM_SUFFIXES = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"}
FRAME_RATE = 25.0  # frames a second, where a film or a camera does not say
COLOURS = ((181, 101, 29), (66, 133, 244), (115, 158, 2), (141, 160, 203))  # BGR


@dataclass(frozen=True)
class Annotated:
    """What `annotate_film` found.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a face and frame: `frame` (from 0), `second`, `face` (its number), `answer` and `smoothed` (years, or a
        probability), and the box `left`, `top`, `right`, `bottom` in pixels.
    frames : int
        How many were read.
    seconds : float
        That it took.
    stopped : bool
        Whether Ctrl-C ended it.
    """

    table: pd.DataFrame
    frames: int
    seconds: float
    stopped: bool


def is_film(name):
    """Tell by its name whether something is a film, or a camera, whose name is a number.

    Examples
    --------
    >>> is_film("birthday.MOV"), is_film("0"), is_film("me.jpg")
    (True, True, False)
    """
    path = Path(name)
    return path.suffix.lower() in FILM_SUFFIXES or (path.name.isdecimal() and not path.exists())


def annotate_film(source, out, model, crop, record, every=1):
    """Draw into each frame of a film its faces' boxes and smoothed answers, and how many frames a second that goes.

    Parameters
    ----------
    source : str or Path
        A file, or the number of a camera, such as "0"; a camera runs until Ctrl-C.
    out : str or Path
        The new film, an .mp4 file (MPEG-4). It appears complete or not at all; Ctrl-C completes it where it is.
    model, crop, record
        From `weights.load_model`.
    every : int
        Detect faces in each `every`-th frame, from 1.

    Returns
    -------
    Annotated

    Raises
    ------
    FileNotFoundError
        If there is no such film or camera, or no folder for the new one.
    ValueError
        If the file is no film, or holds no face in any frame, or the new one's name is the old one's or does not end in
        .mp4.
    OSError
        If the new film cannot be written.
    """
    out = Path(out)
    if out.suffix.lower() != ".mp4":
        raise ValueError(f"The new film '{out}' must have a name that ends in .mp4.")
    if not out.absolute().parent.is_dir():
        raise FileNotFoundError(f"There is no folder for '{out}'; make it first.")
    if out.exists() and Path(source).exists() and out.samefile(source):
        raise ValueError(f"The new film '{out}' must not take the place of the old one; give it another name.")
    target = targets.target_of(record)
    tracker = Tracker(crop, lambda crops: targets.answers(model.predict_on_batch(crops), record), every)
    rows, stopped, written = [], False, 0
    started = time.perf_counter()
    marks = deque(maxlen=30)
    with _open_film(source) as (frames, rate, size, total), _open_writer(out, rate, size) as writer:
        try:
            for picture, now in tqdm(frames, total=total, desc=out.name, unit="frame"):
                marks.append(time.perf_counter())
                tracks = tracker.step(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), now)
                rows += [_row(tracker.frames - 1, now, track) for track in tracks]
                speed = (len(marks) - 1) / (marks[-1] - marks[0]) if len(marks) > 1 else None
                draw_answers(picture, tracks, target, speed)
                # A camera may be faster than we are: a frame stands until the next one, so that the film keeps time.
                for _ in range(max(1, round(now * rate) + 1 - written)):
                    writer.write(picture)
                    written += 1
        except KeyboardInterrupt:
            stopped = True
        if not tracker.frames:
            raise ValueError(f"'{source}' gives no frame; it is broken, or was stopped before its first one.")
        if not rows:
            raise ValueError(f"There is no face in any of the {tracker.frames:,} frames of '{source}'.")
    return Annotated(pd.DataFrame(rows), tracker.frames, time.perf_counter() - started, stopped)


def draw_answers(picture, tracks, target, speed=None):
    """Draw boxes, smoothed answers and the speed into a frame, in place.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        BGR, as OpenCV reads and writes films.
    tracks : list of tracking.Track
    target : str
        See `targets.TARGETS`.
    speed : float, optional
        Frames a second.
    """
    scale = picture.shape[0] / 480
    line = max(1, round(2 * scale))

    def write(text, place, colour):
        for width, shade in ((line + 2, (0, 0, 0)), (line, colour)):  # an outline keeps it readable on any ground
            cv2.putText(
                picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, max(0.4, 0.8 * scale), shade, width, cv2.LINE_AA
            )

    for track in tracks:
        left, top, right, bottom = (round(value) for value in track.face[:4])
        colour = COLOURS[(track.number - 1) % len(COLOURS)]
        cv2.rectangle(picture, (left, top), (right, bottom), colour, line, cv2.LINE_AA)
        text = f"age {track.smoothed:.0f}" if target == "age" else f"male {track.smoothed:.2f}"
        write(text, (max(0, left), max(round(24 * scale), top - 3 * line)), (255, 255, 255))
    if speed is not None:
        write(f"{speed:.1f} frames/s", (4 * line, picture.shape[0] - 4 * line), (255, 255, 255))


def draw_clip(frames=100, size=160, seed=3):
    """Draw a film of two people: the one on the left grows from 8 to 80 years old, the one on the right turns the head.

    Parameters
    ----------
    frames : int
        How many, from 2.
    size : int
        Height of a frame in pixels; it is twice as wide.
    seed : int
        Decides who they are, and the noise of the camera, which is new in each frame.

    Yields
    ------
    picture : ndarray of uint8, shape (size, 2 size, 3)
        RGB.
    ages : tuple of float
        True ages in years, left and right.
    """
    _, age, _, turning = synthetic.draw_face(seed, 1, size)
    for number in range(frames):
        part = number / (frames - 1)
        growing = 8 + 72 * part
        left = synthetic.draw_face(seed, 0, size, growing)[0]
        sway = math.sin(4 * math.pi * part)
        moved = turning | {"yaw": 14 * sway, "centre_x": 0.5 + 0.04 * sway}
        picture = np.hstack([left, drawing.paint_face(moved, size)[0]])
        noise = np.random.default_rng([seed, number]).normal(0, 4, picture.shape)
        yield np.clip(picture + noise, 0, 255).astype(np.uint8), (growing, age)


def write_film(pictures, out, rate):
    """Write RGB pictures of one size, `rate` a second, as an .mp4 file, which appears complete or not at all."""
    pictures = iter(pictures)
    first = next(pictures)
    with _open_writer(Path(out), rate, first.shape[1::-1]) as writer:
        for picture in itertools.chain([first], pictures):
            writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


@contextlib.contextmanager
def _open_film(source):
    """Give the frames (BGR, and the second of each), their rate, their size and, of a file, their number."""
    camera = str(source).isdecimal()
    if not camera and not Path(source).is_file():
        raise FileNotFoundError(f"There is no film '{source}'.")
    with silent_stderr():  # OpenCV and FFmpeg tell the same at length
        film = cv2.VideoCapture(int(source) if camera else str(source))
    try:
        if not film.isOpened():
            if camera:
                raise FileNotFoundError(f"There is no camera with the number {source}, or it is in use.")
            raise ValueError(f"'{source}' is not a film that can be read (broken, empty or of an unknown format).")
        rate, count = film.get(cv2.CAP_PROP_FPS), film.get(cv2.CAP_PROP_FRAME_COUNT)
        rate = rate if 1 <= rate <= 1000 else FRAME_RATE
        size = int(film.get(cv2.CAP_PROP_FRAME_WIDTH)), int(film.get(cv2.CAP_PROP_FRAME_HEIGHT))
        yield _frames(film, None if camera else rate), rate, size, int(count) if count > 0 and not camera else None
    finally:
        film.release()


def _frames(film, rate):
    """Give one frame after the other, and its second: by the film's rate or, of a camera, by the clock."""
    started = time.perf_counter()
    for number in itertools.count():
        there, picture = film.read()
        if not there:
            return
        yield picture, number / rate if rate else time.perf_counter() - started


@contextlib.contextmanager
def _open_writer(out, rate, size):
    temporary = out.with_name(f"tmp.{out.name}")
    with silent_stderr():
        writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter_fourcc(*"mp4v"), rate, size)
    try:
        if not writer.isOpened():
            raise OSError(f"The film '{out}' cannot be written.")
        yield writer
    except BaseException:
        writer.release()
        temporary.unlink(missing_ok=True)
        raise
    writer.release()
    os.replace(temporary, out)


def _row(frame, now, track):
    box = {side: round(value, 1) for side, value in zip(("left", "top", "right", "bottom"), track.face, strict=False)}
    return {"frame": frame, "second": round(now, 3), "face": track.number, "answer": round(track.answer, 2),
            "smoothed": round(track.smoothed, 2)} | box  # fmt: skip
