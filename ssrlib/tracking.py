"""Faces followed from frame to frame of a film, and what a network answers about each, smoothed (chapter 06)."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ssrlib import alignment
from ssrlib.detection import Face, detect_faces

SMOOTHING = 1.0  # seconds after which an answer counts 1/e of a new one
FORGOTTEN = 1.0  # seconds without a detection after which a face that comes back is a new one
OVERLAP = 0.3  # least intersection over union of two boxes that are the same face's


@dataclass
class Track:
    """One face as long as it stays in sight.

    Attributes
    ----------
    number : int
        From 1, in the order of appearance.
    face : detection.Face
        Its box at the last detection.
    answer : float
        What the network says of the last frame, years or a probability.
    smoothed : float
        The mean of all its answers, where one that is `t` seconds old counts exp(-t / `SMOOTHING`).
    weight : float
        The sum of these weights.
    updated : float
        When it was last seen, in seconds of the film.
    """

    number: int
    face: Face
    answer: float = math.nan
    smoothed: float = 0.0
    weight: float = 0.0
    updated: float = 0.0

    def add(self, answer, now):
        """Take in the answer to the frame at `now` seconds.

        Examples
        --------
        >>> track = Track(1, Face(0, 0, 9, 9, 1.0))
        >>> track.add(20.0, now=0.0)
        >>> track.add(30.0, now=0.0)
        >>> track.smoothed
        25.0
        """
        self.weight = 1 + self.weight * math.exp((self.updated - now) / SMOOTHING)
        self.answer, self.updated = float(answer), now
        self.smoothed += (self.answer - self.smoothed) / self.weight


class Tracker:
    """Finds faces in some frames of a film and follows them through all.

    Between two detections a face keeps its box, but its landmarks are placed anew in each frame, so that the crop goes
    with a head that moves a little.

    Parameters
    ----------
    crop : alignment.Crop
        How the network wants its input.
    answer : callable
        Takes crops (N, size, size, 3), returns N numbers.
    every : int
        Detect in each `every`-th frame, from 1.

    Raises
    ------
    ValueError
        If `every` is below 1.
    """

    def __init__(self, crop, answer, every=1):
        if every < 1:
            raise ValueError(f"Faces can be detected in every frame or in every n-th one, not in every {every}-th.")
        self.crop, self.answer, self.every = crop, answer, every
        self.frames, self.faces = 0, 0
        self.known, self.seen = [], []

    def step(self, picture, now):
        """Go one frame on.

        Parameters
        ----------
        picture : ndarray of uint8, shape (H, W, 3)
            RGB.
        now : float
            Seconds since the film's start.

        Returns
        -------
        list of Track
            The faces in this frame.
        """
        if self.frames % self.every == 0:
            self._detect(picture, now)
        self.frames += 1
        if self.seen:
            crops = np.stack([alignment.crop_at(picture, track.face, self.crop) for track in self.seen])
            for track, answer in zip(self.seen, self.answer(crops), strict=True):
                track.add(answer, now)
        return self.seen

    def _detect(self, picture, now):
        if self.crop.detector == "none":
            faces = alignment.usable_faces(picture, self.crop)
        else:
            faces = detect_faces(picture, self.crop.upsample, self.crop.threshold)
        self.known = [track for track in self.known if now - track.updated <= FORGOTTEN]
        self.seen = []
        for face, track in zip(faces, match_faces([track.face for track in self.known], faces), strict=True):
            if track is not None:
                self.seen.append(self.known[track])
                self.known[track].face = face
            elif face.score >= 0:  # a doubtful detection may go on with a face, but not begin one
                self.faces += 1
                self.seen.append(Track(self.faces, face))
        self.known += [track for track in self.seen if track.number not in {known.number for known in self.known}]


def match_faces(before, after):
    """Say which box of an earlier frame each box of a later one goes on with.

    Boxes are paired so that their intersections over unions add up to the most; pairs below `OVERLAP` are none.

    Parameters
    ----------
    before, after : list of Face
        Anything that starts with left, top, right and bottom will do.

    Returns
    -------
    list of int or None
        For each box of `after` the index of its box in `before`.

    Examples
    --------
    >>> match_faces([(0, 0, 10, 10), (50, 0, 60, 10)], [(52, 0, 62, 10), (200, 0, 210, 10)])
    [1, None]
    """
    matches = [None] * len(after)
    if before and after:
        one, other = np.array([face[:4] for face in before])[:, None], np.array([face[:4] for face in after])[None]
        sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
        common = np.clip(sides, 0, None).prod(axis=-1)
        areas = [(boxes[..., 2:] - boxes[..., :2]).prod(axis=-1) for boxes in (one, other)]
        overlaps = common / (areas[0] + areas[1] - common)
        for row, column in zip(*linear_sum_assignment(overlaps, maximize=True), strict=True):
            if overlaps[row, column] >= OVERLAP:
                matches[column] = int(row)
    return matches
