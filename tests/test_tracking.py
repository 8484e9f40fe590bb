import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssrlib import tracking
from ssrlib.alignment import WHOLE_PICTURE, Crop
from ssrlib.detection import Face
from ssrlib.tracking import SMOOTHING, Track, Tracker, match_faces

PICTURE = np.zeros((100, 200, 3), np.uint8)
LEFT, RIGHT = Face(0, 0, 40, 40, 1.0), Face(100, 0, 150, 50, 1.0)
CROP = Crop(landmarks=0)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 3)), min_size=1, max_size=8))
def test_smoothed_is_the_exponentially_weighted_mean(answers):
    """Against the sum written out."""
    track, now, times = Track(1, LEFT), 0.0, []
    for answer, pause in answers:
        now += pause
        times.append(now)
        track.add(answer, now)
    weights = [math.exp(-(now - then) / SMOOTHING) for then in times]
    mean = sum(weight * answer for weight, (answer, _) in zip(weights, answers, strict=True)) / sum(weights)
    assert track.smoothed == pytest.approx(mean)


def boxes(most=3):
    side = st.integers(5, 30)
    box = st.builds(lambda x, y, w, h: Face(x, y, x + w, y + h, 1.0), side, side, side, side)
    return st.lists(box, max_size=most)


def overlap(one, other):
    """Count pixels, for boxes with whole numbers."""
    masks = np.zeros((2, 70, 70), bool)
    for mask, (left, top, right, bottom, _) in zip(masks, (one, other), strict=True):
        mask[top:bottom, left:right] = True
    return masks.all(axis=0).sum() / masks.any(axis=0).sum()


@given(boxes(), boxes())
def test_boxes_are_paired_as_well_as_by_trying_everything(before, after):
    """Of all ways to pair, none has a larger sum of overlaps than the one found, before small ones are dropped."""
    matches = match_faces(before, after)
    pairs = [(before[row], after[column]) for column, row in enumerate(matches) if row is not None]
    assert len({id(box) for box, _ in pairs}) == len(pairs) and len(matches) == len(after)
    assert all(overlap(*pair) >= tracking.OVERLAP for pair in pairs)
    few, many = sorted([before, after], key=len)
    ways = [
        sum(value for value in map(overlap, few, way) if value >= tracking.OVERLAP)
        for way in itertools.permutations(many, len(few))
    ]
    # What is below the least overlap may have taken part in the choice: it can cost less than itself for each pair.
    assert sum(itertools.starmap(overlap, pairs)) >= max(ways) - tracking.OVERLAP * len(few) - 1e-9


def test_two_people_who_move_keep_their_numbers():
    moved = [Face(104, 3, 154, 53, 1.0), Face(6, 2, 46, 42, 1.0)]
    assert match_faces([LEFT, RIGHT], moved) == [1, 0]


@pytest.fixture
def detections(monkeypatch):
    """What the detector finds, call by call."""
    planned = []
    monkeypatch.setattr(tracking, "detect_faces", lambda *_: planned.pop(0))
    return planned


def sizes(crops):
    return np.arange(len(crops), dtype=float)


def test_a_face_is_followed_between_detections(detections):
    detections += [[RIGHT, LEFT], [RIGHT, LEFT]]
    tracker = Tracker(CROP, sizes, every=3)
    for frame in range(6):
        assert [track.number for track in tracker.step(PICTURE, frame / 25)] == [1, 2]
    assert detections == []  # looked for in frames 0 and 3 only


def test_who_comes_back_soon_is_the_same_and_who_comes_late_is_new(detections):
    detections += [[LEFT], [], [LEFT], [], [LEFT]]
    tracker = Tracker(CROP, sizes)
    numbers = [[track.number for track in tracker.step(PICTURE, now)] for now in (0, 0.4, 0.8, 1.2, 2.5)]
    assert numbers == [[1], [], [1], [], [2]]


def test_a_doubtful_detection_goes_on_with_a_face_but_begins_none(detections):
    doubtful = LEFT._replace(score=-0.2)
    detections += [[doubtful], [LEFT], [doubtful]]
    tracker = Tracker(CROP, sizes)
    assert [len(tracker.step(PICTURE, frame / 25)) for frame in range(3)] == [0, 1, 1]


def test_without_a_detector_the_whole_picture_is_one_face():
    tracker = Tracker(WHOLE_PICTURE, sizes)
    assert [[track.number for track in tracker.step(PICTURE, frame / 25)] for frame in range(2)] == [[1], [1]]


def test_faces_cannot_be_looked_for_in_less_than_every_frame():
    with pytest.raises(ValueError, match="not in every 0-th"):
        Tracker(CROP, sizes, every=0)
