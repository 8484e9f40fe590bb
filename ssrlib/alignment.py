"""From a photograph to the network's input: find the face, crop it with a margin.

One function, `crop_face`, serves training, evaluation and prediction; its parameters, a `Crop`, travel with every
weights file, because a network only works on the crop it was trained on. Chapter 01 explains every step.
"""

import functools
import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

LARGEST_SIDE = 1024  # pixels; dlib's time and memory grow with the area, and a face this book can use stays findable


class Face(NamedTuple):
    """One detected face: its box in pixels of the picture (x right, y down) and the detector's score."""

    left: float
    top: float
    right: float
    bottom: float
    score: float


@dataclass(frozen=True)
class Crop:
    """What turns a photograph into network input.

    Attributes
    ----------
    margin : float
        Share of the box's width (height) added on the left and right (top and bottom) each, at least 0.
    size : int
        Side of the square crop in pixels.
    detector : str
        Name of the face detector; `"dlib-hog"` is the only one.
    upsample : int
        How often the picture is doubled in size before the detector looks at it (1 as in the authors' code).
    threshold : float
        Lowest detector score that is still taken when nothing better is found; from 0 (dlib's own default) a detection
        counts as certain.
    """

    margin: float = 0.4
    size: int = 64
    detector: str = "dlib-hog"
    upsample: int = 1
    threshold: float = -0.3

    def __post_init__(self):
        if not 0 <= self.margin < math.inf:
            raise ValueError(f"The crop's margin is {self.margin}; it is a share of the box's side and at least 0.")
        if self.size < 1:
            raise ValueError(f"The crop's size is {self.size}; it is a number of pixels and at least 1.")
        if self.upsample < 0:
            raise ValueError(f"The picture is to be doubled {self.upsample} times; that is a number and at least 0.")
        if self.detector != "dlib-hog":
            raise ValueError(f"There is no face detector called '{self.detector}'; use 'dlib-hog'.")


class NoFaceError(ValueError):
    """The detector found no face in a picture."""


@functools.cache
def _detector():
    return _dlib().get_frontal_face_detector()


@functools.cache
def _landmark_predictor():
    # The package only carries the model files; importing it needs pkg_resources, which new setuptools no longer has.
    package = importlib.util.find_spec("face_recognition_models").submodule_search_locations[0]
    return _dlib().shape_predictor(str(Path(package) / "models" / "shape_predictor_68_face_landmarks.dat"))


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
    _check_picture(picture)
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


def find_landmarks(picture, face):
    """Place the 68 iBUG landmarks on a detected face (Kazemi and Sullivan, 2014, as trained by dlib's author).

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        RGB.
    face : Face
        Where the face is.

    Returns
    -------
    ndarray of float32, shape (68, 2)
        x and y in pixels; 0-16 jaw, 17-26 brows, 27-35 nose, 36-47 eyes, 48-67 mouth.
    """
    _check_picture(picture)
    left, top, right, bottom = (round(value) for value in face[:4])
    rectangle = _dlib().rectangle(left, top, right - 1, bottom - 1)
    shape = _landmark_predictor()(np.ascontiguousarray(picture), rectangle)
    return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float32)


def crop_box(picture, box, margin=0.4, size=64):
    """Cut a box with a margin out of a picture and scale it to a square.

    What lies outside the picture repeats its border; scaling down averages over areas.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        RGB.
    box : sequence of float
        left, top, right, bottom in pixels (a `Face` will do).
    margin : float, default 0.4
        Share of the box's width (height) added on the left and right (top and bottom) each.
    size : int, default 64
        Side of the result in pixels.

    Returns
    -------
    ndarray of uint8, shape (size, size, 3)

    Raises
    ------
    ValueError
        If the box is empty or `picture` is not an RGB uint8 array.

    Examples
    --------
    >>> picture = np.full((100, 100, 3), 7, np.uint8)
    >>> crop_box(picture, (20, 20, 80, 80)).shape
    (64, 64, 3)
    """
    _check_picture(picture)
    left, top, right, bottom = box[:4]
    if not (right > left and bottom > top):
        raise ValueError(f"The box {tuple(box[:4])} is empty: right must exceed left and bottom must exceed top.")
    x0, x1 = round(left - margin * (right - left)), round(right + margin * (right - left))
    y0, y1 = round(top - margin * (bottom - top)), round(bottom + margin * (bottom - top))
    height, width = picture.shape[:2]
    columns = np.clip(np.arange(x0, max(x0 + 1, x1)), 0, width - 1)
    rows = np.clip(np.arange(y0, max(y0 + 1, y1)), 0, height - 1)
    window = picture[rows[:, None], columns]
    # Area averaging is only defined for shrinking; a window smaller than the result is interpolated.
    interpolation = cv2.INTER_AREA if min(window.shape[:2]) >= size else cv2.INTER_LINEAR
    return cv2.resize(window, (size, size), interpolation=interpolation)


def usable_faces(picture, crop):
    """Find the faces that a picture is used for.

    Those are the certain detections (score from 0), the largest first; or, if there is none, the one detection with
    the best score above the crop's threshold.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        RGB.
    crop : Crop

    Returns
    -------
    list of Face
        At least one.

    Raises
    ------
    NoFaceError
        If the detector finds no face.
    """
    faces = detect_faces(picture, crop.upsample, crop.threshold)
    if not faces:
        raise NoFaceError("no face found")
    return [face for face in faces if face.score >= 0] or [max(faces, key=lambda face: face.score)]


def crop_face(picture, crop):
    """Turn a photograph into network input: its first usable face, cropped.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        RGB.
    crop : Crop
        The parameters that the network was trained with.

    Returns
    -------
    image : ndarray of uint8, shape (crop.size, crop.size, 3)
    face : Face
        Where it was found.

    Raises
    ------
    NoFaceError
        If the detector finds no face.
    """
    face = usable_faces(picture, crop)[0]
    return crop_box(picture, face, crop.margin, crop.size), face


def _check_picture(picture):
    if not (isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.ndim == 3):
        raise ValueError("A picture is an RGB array of uint8 with shape (height, width, 3).")
    if picture.shape[2] != 3 or 0 in picture.shape:
        raise ValueError(f"A picture has shape (height, width, 3), this one {picture.shape}.")
