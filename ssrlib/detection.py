"""Where the faces and their landmarks are, with dlib: boxes, and 5 or 68 points on each face."""

import functools
import importlib.util
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

LARGEST_SIDE = 1024  # pixels; dlib's time and memory grow with the area, and a face this book can use stays findable
# The landmarks of each eye, the one on the left of the picture first.
EYES = {5: ([2, 3], [0, 1]), 68: ([*range(36, 42)], [*range(42, 48)])}
# How far the pupil lies above the mean of an eye's landmarks, as a share of the eyes' distance: the corners hang lower.
# Measured on the odd-numbered half of the London set by benchmarks/landmarks.py.
PUPIL_RISE = {5: 0.048, 68: 0.034}


class Face(NamedTuple):
    """One detected face: its box in pixels of the picture (x right, y down) and the detector's score."""

    left: float
    top: float
    right: float
    bottom: float
    score: float


@functools.cache
def _detector():
    return _dlib().get_frontal_face_detector()


@functools.cache
def _landmark_predictor(count):
    # The package only carries the model files; importing it needs pkg_resources, which new setuptools no longer has.
    package = importlib.util.find_spec("face_recognition_models").submodule_search_locations[0]
    return _dlib().shape_predictor(str(Path(package) / "models" / f"shape_predictor_{count}_face_landmarks.dat"))


def _dlib():
    try:
        import dlib
    except ImportError:
        raise ImportError("Finding faces needs dlib: 'pip install dlib-bin' brings it ready-made.") from None
    return dlib


def detect_faces(picture, upsample=1, threshold=0.0):
    """Find frontal faces with dlib's histogram-of-oriented-gradients detector.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        RGB.
    upsample : int, default 1
        How often the picture is doubled in size first; once finds faces from about 40 pixels.
    threshold : float, default 0.0
        Lowest score that counts as a face.

    Returns
    -------
    list of Face
        The largest first. Boxes are in pixels of `picture` and may reach past its border.

    Raises
    ------
    ValueError
        If `picture` is not an RGB uint8 array.
    """
    check_picture(picture)
    scale = min(1.0, LARGEST_SIDE / max(picture.shape[:2]))
    small = picture
    if scale < 1:
        height, width = (max(1, round(scale * side)) for side in picture.shape[:2])
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    boxes, scores, _ = _detector().run(np.ascontiguousarray(small), upsample, threshold)
    faces = [
        Face(box.left() / scale, box.top() / scale, (box.right() + 1) / scale, (box.bottom() + 1) / scale, score)
        for box, score in zip(boxes, scores, strict=True)
    ]
    return sorted(faces, key=lambda face: (face.right - face.left) * (face.bottom - face.top), reverse=True)


def find_landmarks(picture, face, count=5):
    """Place landmarks on a detected face with an ensemble of regression trees (Kazemi and Sullivan, 2014).

    The two models were trained by dlib's author. The one with 5 points is in the public domain; the one with 68 was
    trained on the iBUG 300-W pictures, whose terms allow research only.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        RGB.
    face : Face
        Where the face is.
    count : int, default 5
        5: outer and inner corner of the eye on the right of the picture, of the one on the left, and the base of the
        nose. 68: 0-16 jaw, 17-26 brows, 27-35 nose, 36-47 eyes, 48-67 mouth.

    Returns
    -------
    ndarray of float32, shape (count, 2)
        x and y in pixels; the centre of the first pixel is at (0, 0).

    Raises
    ------
    ValueError
        If `count` is neither 5 nor 68, or `picture` is not an RGB uint8 array.
    """
    check_picture(picture)
    if count not in EYES:
        raise ValueError(f"There is no model for {count} landmarks; there is one for 5 and one for 68.")
    left, top, right, bottom = (round(value) for value in face[:4])
    rectangle = _dlib().rectangle(left, top, right - 1, bottom - 1)
    shape = _landmark_predictor(count)(np.ascontiguousarray(picture), rectangle)
    return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float32)


def eye_centres(landmarks):
    """Say where the pupils of a person who looks straight ahead are: above the mean of each eye's landmarks.

    Parameters
    ----------
    landmarks : ndarray of float, shape (5, 2) or (68, 2)
        From `find_landmarks`.

    Returns
    -------
    ndarray of float, shape (2, 2)
        The eye on the left of the picture first.
    """
    left, right = (landmarks[eye].mean(axis=0) for eye in EYES[len(landmarks)])
    across = right - left
    up = np.array([across[1], -across[0]])
    return np.stack([left, right]) + PUPIL_RISE[len(landmarks)] * up


def check_picture(picture):
    """Raise a ValueError unless this is an RGB picture of uint8."""
    if not (isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.ndim == 3):
        raise ValueError("A picture is an RGB array of uint8 with shape (height, width, 3).")
    if picture.shape[2] != 3 or 0 in picture.shape:
        raise ValueError(f"A picture has shape (height, width, 3), this one {picture.shape}.")
