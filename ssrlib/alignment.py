"""From a photograph to the network's input: turn the face upright, scale it to a reference, crop it with a margin.

One function, `crop_face`, serves training, evaluation and prediction; its parameters, a `Crop`, travel with every
weights file, because a network only works on the crop it was trained on. Chapter 01 explains every step.

Coordinates here are x right, y down, in pixels from the picture's top left corner, so the centre of the first pixel is
at (0.5, 0.5).
"""

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from ssrlib.detection import Face, check_picture, detect_faces, find_landmarks

DETECTORS = ("dlib-hog", "none")
# The landmarks that decide how a face is turned, for each model: all 5, or of the 68 those the released MORPH2 script
# takes (brows, nose but for one nostril, eyes, outer lips and one inner corner): no jaw, which follows the expression.
ALIGNING = {5: [*range(5)], 68: [*range(17, 35), *range(36, 61)]}
RIVAL = 0.5  # a second face of at least this share of the largest one's width makes a picture ambiguous
FINEST = 16  # samples along each side of a crop's pixel: beyond it, averaging more of a huge picture changes nothing


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
        `"dlib-hog"`, or `"none"` for pictures that come aligned: their largest centred square is the box.
    upsample : int
        How often the picture is doubled in size before the detector looks at it (1 as in the authors' code).
    threshold : float
        Lowest detector score that is still taken when nothing better is found; from 0 (dlib's own default) a detection
        counts as certain.
    landmarks : int
        5 or 68: turn and scale the face so that its landmarks lie on a reference shape, and crop the reference box.
        0: crop the detector's box as it is. Without a detector always 0.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    margin: float = 0.4
    size: int = 64
    detector: str = "dlib-hog"
    upsample: int = 1
    threshold: float = -0.3
    landmarks: int = 5

    def __post_init__(self):
        if not 0 <= self.margin < math.inf:
            raise ValueError(f"The crop's margin is {self.margin}; it is a share of the box's side and at least 0.")
        if self.size < 1:
            raise ValueError(f"The crop's size is {self.size}; it is a number of pixels and at least 1.")
        if self.upsample < 0:
            raise ValueError(f"The picture is to be doubled {self.upsample} times; that is a number and at least 0.")
        if self.detector not in DETECTORS:
            raise ValueError(f"There is no face detector called '{self.detector}'; use {' or '.join(DETECTORS)}.")
        if self.landmarks not in (0, *ALIGNING):
            raise ValueError(f"Nothing can be aligned by {self.landmarks} landmarks; use 5 or 68, or 0 for none.")
        if self.detector == "none" and self.landmarks:
            raise ValueError("Without a detector there is no face to place landmarks on; set landmarks to 0.")


WHOLE_PICTURE = Crop(margin=0.0, detector="none", landmarks=0)  # for sets that come cropped and aligned


class NoFaceError(ValueError):
    """The detector found no face in a picture."""


class SeveralFacesError(ValueError):
    """A picture holds several faces of about the same size, so nobody knows whose age its label is."""


def similarity_transform(points, targets):
    """Find the turn, scale and shift that brings points as near as possible to their targets, by least squares.

    Written with complex numbers z = x + iy, a similarity is w = a z + b, which is linear, so the least-squares answer
    is that of a regression line. It is Umeyama's (1991) in two dimensions, without reflections.

    Parameters
    ----------
    points, targets : array_like of float, shape (N, 2)
        At least two different points.

    Returns
    -------
    ndarray of float64, shape (2, 3)
        Maps (x, y, 1) to the target's (x, y).

    Raises
    ------
    ValueError
        If the shapes differ, or all points are the same.

    Examples
    --------
    >>> similarity_transform([[0, 0], [1, 0]], [[5, 5], [5, 7]]).round(9) + 0
    array([[ 0., -2.,  5.],
           [ 2.,  0.,  5.]])
    """
    points, targets = np.asarray(points, float), np.asarray(targets, float)
    if points.shape != targets.shape or points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"Points and targets have shape (N, 2), and as many rows: {points.shape}, {targets.shape}.")
    z, w = points @ [1, 1j], targets @ [1, 1j]
    spread = z - z.mean()
    if not np.abs(spread).any():
        raise ValueError("All points are the same; a turn and a scale need two different ones.")
    a = np.vdot(spread, w - w.mean()) / np.vdot(spread, spread)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


@functools.cache
def reference_shape(landmarks):
    """Return where the landmarks of an average upright face lie in the detector's box.

    The average over the 102 frontal portraits of the Face Research Lab London Set and their mirror images, measured
    by `benchmarks/reference_shape.py`.

    Parameters
    ----------
    landmarks : int
        5 or 68.

    Returns
    -------
    ndarray of float64, shape (N, 2)
        One row for each of `ALIGNING[landmarks]`; (0, 0) is the box's top left corner and (1, 1) its bottom right one.
    """
    table = pd.read_csv(Path(__file__).with_name("reference_shape.csv"))
    return table.loc[table["landmarks"] == landmarks, ["x", "y"]].to_numpy()[ALIGNING[landmarks]]


def alignment_matrix(points, crop):
    """Find the similarity transform from a picture to the crop of a face in it.

    Parameters
    ----------
    points : ndarray of float, shape (crop.landmarks, 2)
        The face's landmarks, as `detection.find_landmarks` gives them (the centre of the first pixel is at (0, 0)).
    crop : Crop
        With 5 or 68 landmarks.

    Returns
    -------
    ndarray of float64, shape (2, 3)
        Maps (x, y, 1) in the picture to (x, y) in the crop.
    """
    box = (reference_shape(crop.landmarks) + crop.margin) / (1 + 2 * crop.margin)
    return similarity_transform(points[ALIGNING[crop.landmarks]] + 0.5, box * crop.size)


def warp_crop(picture, matrix, size=64):
    """Cut a turned square out of a picture, averaging over the area that each of the crop's pixels covers.

    What lies outside the picture repeats its border.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        RGB.
    matrix : ndarray of float, shape (2, 3)
        A similarity, from coordinates in the picture to those in the crop.
    size : int, default 64
        Side of the result in pixels.

    Returns
    -------
    ndarray of uint8, shape (size, size, 3)
    """
    check_picture(picture)
    # Each pixel of the crop is sampled as finely as the picture is, and the samples are averaged.
    fine = int(np.clip(math.ceil(1 / np.hypot(*matrix[:, 0])), 1, FINEST))
    sampled = fine * np.asarray(matrix, float)
    # OpenCV puts the centre of the first pixel at (0, 0).
    sampled[:, 2] += sampled[:, :2].sum(axis=1) / 2 - 0.5
    side = (fine * size, fine * size)
    warped = cv2.warpAffine(picture, sampled, side, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA)


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
    check_picture(picture)
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
    the best score above the crop's threshold. Without a detector it is the picture's largest centred square.

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
    if crop.detector == "none":
        check_picture(picture)
        height, width = picture.shape[:2]
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        return [Face(left, top, left + side, top + side, 0.0)]
    faces = detect_faces(picture, crop.upsample, crop.threshold)
    if not faces:
        raise NoFaceError("no face found")
    return [face for face in faces if face.score >= 0] or [max(faces, key=lambda face: face.score)]


def crop_at(picture, face, crop):
    """Turn one face of a photograph into network input.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        RGB.
    face : Face
        From `usable_faces`.
    crop : Crop
        The parameters that the network was trained with.

    Returns
    -------
    ndarray of uint8, shape (crop.size, crop.size, 3)
    """
    if not crop.landmarks:
        return crop_box(picture, face, crop.margin, crop.size)
    points = find_landmarks(picture, face, crop.landmarks)
    return warp_crop(picture, alignment_matrix(points, crop), crop.size)


def crop_face(picture, crop):
    """Turn a photograph of one person into network input.

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
    SeveralFacesError
        If it finds a second one at least half as wide as the largest.
    """
    faces = usable_faces(picture, crop)
    largest = faces[0].right - faces[0].left
    rivals = sum(face.right - face.left >= RIVAL * largest for face in faces)
    if rivals > 1:
        raise SeveralFacesError(f"{rivals} faces of about the same size")
    return crop_at(picture, faces[0], crop), faces[0]
