"""Boxes and landmarks on drawn faces, whose points are known, and on portraits with points placed by hand."""

import cv2
import numpy as np
import pandas as pd
import pytest

from ssrlib import detection, synthetic
from ssrlib.alignment import Crop, usable_faces
from ssrlib.detection import detect_faces, eye_centres, find_landmarks

PORTRAITS = 30  # of 102, to be quick


def holds(face, points):
    left, top, right, bottom = face[:4]
    return bool(np.all((points > (left, top)) & (points < (right, bottom))))


@pytest.fixture(scope="module")
def drawn():
    """Ten drawn faces, as (picture, true landmarks)."""
    return [(picture, points) for picture, _, points, *_ in (synthetic.draw_face(1, index, 160) for index in range(10))]


def test_drawn_faces_are_found_where_they_are(drawn):
    crop = Crop()
    found = 0
    for picture, points in drawn:
        face = usable_faces(picture, crop)[0]
        found += holds(face, eye_centres(points))
    assert found >= 9


def test_landmarks_of_drawn_faces_are_where_they_were_drawn(drawn):
    distances = []
    for picture, points in drawn:
        placed = find_landmarks(picture, usable_faces(picture, Crop())[0], 68)
        assert placed.shape == (68, 2) and placed.dtype == np.float32
        eyes = eye_centres(points)
        distances.append(np.linalg.norm(eye_centres(placed) - eyes, axis=1).mean() / np.linalg.norm(eyes[0] - eyes[1]))
    assert np.median(distances) < 0.1


def test_a_very_large_picture_is_searched_at_a_smaller_scale_and_boxes_scale_back(drawn, monkeypatch):
    seen = []

    class Detector:
        def run(self, picture, *arguments):
            seen.append(picture.shape)
            return detector.run(picture, *arguments)

    detector = detection._detector()
    monkeypatch.setattr(detection, "_detector", Detector)
    picture = drawn[2][0]
    once = cv2.resize(picture, (detection.LARGEST_SIDE, detection.LARGEST_SIDE))
    # Doubling pixels and averaging four of them gives the picture back, so the same boxes must come, twice as large.
    twice = once.repeat(2, axis=0).repeat(2, axis=1)
    expected, faces = detect_faces(once, upsample=0), detect_faces(twice, upsample=0)
    assert seen == [(1024, 1024, 3)] * 2
    assert len(faces) == len(expected) == 1
    assert faces[0].score == expected[0].score
    np.testing.assert_allclose(faces[0][:4], 2 * np.array(expected[0][:4]))


@pytest.fixture(scope="module")
def portraits(shared):
    """(picture, hand-placed eye centres, detected faces) of some of the London portraits."""
    points = pd.read_csv(shared / "data" / "london" / "points.csv")
    eyes = points[points["point"].isin([0, 1])].sort_values("point").groupby("file")[["x", "y"]]
    result = []
    for name, group in list(eyes)[:: 102 // PORTRAITS][:PORTRAITS]:
        picture = cv2.imread(str(shared / "data" / "london" / "images" / name))[..., ::-1].copy()
        result.append((picture, group.to_numpy(), detect_faces(picture, upsample=0)))
    return result


def test_the_box_holds_both_eyes_of_portraits(portraits):
    held = [len(faces) == 1 and holds(faces[0], eyes) for _, eyes, faces in portraits]
    assert len(held) == PORTRAITS
    assert np.mean(held) >= 0.98


@pytest.mark.parametrize("count", [5, 68])
def test_landmarks_agree_with_the_points_placed_by_hand(portraits, count):
    distances = []
    for picture, eyes, faces in portraits:
        placed = eye_centres(find_landmarks(picture, faces[0], count))
        distances.append(np.linalg.norm(placed - eyes, axis=1).mean() / np.linalg.norm(eyes[0] - eyes[1]))
    assert np.median(distances) < 0.03


def test_boxes_are_those_of_dlib_with_exclusive_edges(portraits):
    import dlib

    picture = portraits[0][0]
    (rectangle,) = dlib.get_frontal_face_detector()(picture, 0)
    (face,) = portraits[0][2]
    assert face[:4] == (rectangle.left(), rectangle.top(), rectangle.right() + 1, rectangle.bottom() + 1)
    assert face.right - face.left == rectangle.width()


def test_there_is_no_model_for_another_number_of_landmarks(drawn):
    with pytest.raises(ValueError, match="no model for 6 landmarks"):
        find_landmarks(drawn[0][0], detection.Face(0, 0, 90, 90, 1.0), 6)
