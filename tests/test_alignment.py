"""Cropping against areas worked out pixel by pixel; detection on drawn faces and on hand-marked portraits."""

import math

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssrlib import alignment, synthetic
from ssrlib.alignment import Crop, Face, NoFaceError, crop_box, crop_face, detect_faces, find_landmarks, usable_faces

PORTRAITS = 30  # of 102, to be quick


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def area_weights(source, target):
    """For each target pixel the share that each source pixel has in it: the definition of area averaging."""
    edges = np.arange(target + 1) * source / target
    low = np.maximum(edges[:-1, None], np.arange(source))
    high = np.minimum(edges[1:, None], np.arange(source) + 1)
    return np.maximum(high - low, 0) * target / source


def reference_crop(picture, x0, y0, x1, y1, size):
    """Pad the picture with NumPy so far that the window lies inside, and average areas by two matrix products."""
    height, width = picture.shape[:2]
    pad = max(0, -x0, -y0, x1 - width, y1 - height)
    padded = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    window = padded[y0 + pad : y1 + pad, x0 + pad : x1 + pad].astype(float)
    rows, columns = area_weights(window.shape[0], size), area_weights(window.shape[1], size)
    return np.einsum("ij,jkc,lk->ilc", rows, window, columns)


@settings(deadline=None, max_examples=60)
@given(
    left=st.integers(-60, 90),
    top=st.integers(-60, 90),
    width=st.integers(10, 60),
    height=st.integers(10, 60),
    margin=st.sampled_from([0.0, 0.1, 0.4, 1.0]),
    size=st.sampled_from([1, 5, 8, 10]),
)
def test_crop_agrees_with_padding_and_averaging(left, top, width, height, margin, size):
    picture = noise(50, 70)
    x0, x1 = round(left - margin * width), round(left + width + margin * width)
    y0, y1 = round(top - margin * height), round(top + height + margin * height)
    crop = crop_box(picture, (left, top, left + width, top + height), margin, size)
    assert crop.shape == (size, size, 3) and crop.dtype == np.uint8
    expected = reference_crop(picture, x0, y0, x1, y1, size)
    np.testing.assert_allclose(crop, expected, atol=1.01)  # rounding, and OpenCV's single precision


def test_an_integer_factor_is_the_mean_of_blocks():
    picture = noise(100, 100)
    # 0.4 of 40 pixels on each side: columns 14 to 86 and rows 4 to 76, 72 pixels for 24, so blocks of 3 by 3.
    crop = crop_box(picture, (30, 20, 70, 60), margin=0.4, size=24)
    blocks = picture[4:76, 14:86].reshape(24, 3, 24, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(crop, blocks, atol=0.51)


def test_the_same_size_without_margin_copies_the_pixels():
    picture = noise(90, 90)
    np.testing.assert_array_equal(crop_box(picture, (10, 20, 74, 84), margin=0), picture[20:84, 10:74])


def test_a_small_box_is_enlarged_bilinearly():
    picture = np.zeros((20, 20, 3), np.uint8)
    picture[:, 10:] = 200
    row = crop_box(picture, (8, 8, 12, 12), margin=0, size=8)[0, :, 0]
    # Centres of the 8 result pixels in the window's pixels: -0.25, 0.25 .. 3.25; the step lies between 1 and 2.
    np.testing.assert_allclose(row, [0, 0, 0, 50, 150, 200, 200, 200], atol=1)


@pytest.mark.parametrize("box", [(-60, -60, -20, -20), (500, 500, 600, 600)])
def test_a_box_outside_repeats_the_corner(box):
    picture = noise(30, 40)
    corner = picture[0, 0] if box[0] < 0 else picture[-1, -1]
    np.testing.assert_array_equal(crop_box(picture, box, size=16), np.broadcast_to(corner, (16, 16, 3)))


@pytest.mark.parametrize("box", [(9.5, 9.5, 10.5, 10.5), (10.1, 10.1, 10.3, 10.3)])
def test_a_box_that_rounds_to_nothing_is_one_pixel(box):
    picture = noise(30, 40)
    np.testing.assert_array_equal(crop_box(picture, box, margin=0, size=4), np.broadcast_to(picture[10, 10], (4, 4, 3)))


@pytest.mark.parametrize("box", [(10, 10, 10, 20), (10, 10, 20, 10), (20, 10, 10, 20), (math.nan, 0, 9, 9)])
def test_an_empty_box_is_refused(box):
    with pytest.raises(ValueError, match="is empty"):
        crop_box(noise(30, 40), box)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((30, 40, 3)),
        np.zeros((30, 40), np.uint8),
        np.zeros((30, 40, 4), np.uint8),
        np.zeros((0, 40, 3), np.uint8),
        [[[1, 2, 3]]],
    ],
    ids=["float", "grey", "four channels", "no rows", "a list"],
)
def test_what_is_no_rgb_picture_is_refused(picture):
    for function in (detect_faces, lambda p: crop_box(p, (0, 0, 9, 9)), lambda p: find_landmarks(p, (0, 0, 9, 9))):
        with pytest.raises(ValueError, match="A picture"):
            function(picture)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"margin": -0.1}, "margin is -0.1"),
        ({"margin": math.nan}, "margin is nan"),
        ({"margin": math.inf}, "margin is inf"),
        ({"size": 0}, "size is 0"),
        ({"upsample": -1}, "doubled -1 times"),
        ({"detector": "haar"}, "no face detector called 'haar'"),
    ],
)
def test_impossible_crops_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Crop(**change)


def eye_centres(points):
    return np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0)])


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
        placed = find_landmarks(picture, usable_faces(picture, Crop())[0])
        assert placed.shape == (68, 2) and placed.dtype == np.float32
        eyes = eye_centres(points)
        distances.append(np.linalg.norm(eye_centres(placed) - eyes, axis=1).mean() / np.linalg.norm(eyes[0] - eyes[1]))
    assert np.median(distances) < 0.1


def test_crop_face_is_the_crop_of_the_first_usable_face(drawn):
    crop = Crop(margin=0.2, size=40)
    for picture, _ in drawn[:3]:
        image, face = crop_face(picture, crop)
        left, top, right, bottom, score = face
        dx, dy = 0.2 * (right - left), 0.2 * (bottom - top)
        edges = (round(left - dx), round(top - dy), round(right + dx), round(bottom + dy))
        np.testing.assert_allclose(image, reference_crop(picture, *edges, 40), atol=1.01)
        assert score >= crop.threshold


def test_several_faces_come_with_the_largest_first(drawn):
    small, large = (cv2.resize(drawn[i][0], (side, side)) for i, side in ((0, 140), (1, 260)))
    picture = np.full((260, 400, 3), 128, np.uint8)
    picture[60:200, :140] = small
    picture[:, 140:] = large
    faces = detect_faces(picture)
    assert len(faces) == 2
    assert all(0 < face.left < 400 and face.right - face.left > 40 for face in faces)
    assert faces[0].left > 140 > faces[1].right
    assert usable_faces(picture, Crop()) == faces


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [((0.5, -0.1, 0.0, 2.0), (0.5, 0.0, 2.0)), ((-0.2, -0.05, -0.1), (-0.05,)), ((3.0,), (3.0,))],
)
def test_certain_faces_are_all_used_and_else_the_likeliest(monkeypatch, scores, chosen):
    found = [Face(0, 0, 50 - row, 50 - row, score) for row, score in enumerate(scores)]
    asked = []
    monkeypatch.setattr(alignment, "detect_faces", lambda *arguments: asked.append(arguments[1:]) or found)
    assert tuple(face.score for face in usable_faces(noise(9, 9), Crop(upsample=2, threshold=-0.7))) == chosen
    assert asked == [(2, -0.7)]


@pytest.mark.parametrize("shape", [(1, 1), (120, 160), (1, 5000), (3000, 2)])
def test_a_picture_without_a_face_says_so(shape):
    with pytest.raises(NoFaceError, match="no face found"):
        crop_face(np.full((*shape, 3), 90, np.uint8), Crop())


def test_a_very_large_picture_is_searched_at_a_smaller_scale_and_boxes_scale_back(drawn, monkeypatch):
    seen = []

    class Detector:
        def run(self, picture, *arguments):
            seen.append(picture.shape)
            return detector.run(picture, *arguments)

    detector = alignment._detector()
    monkeypatch.setattr(alignment, "_detector", Detector)
    picture = drawn[2][0]
    once = cv2.resize(picture, (alignment.LARGEST_SIDE, alignment.LARGEST_SIDE))
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


def test_landmarks_agree_with_the_points_placed_by_hand(portraits):
    distances = []
    for picture, eyes, faces in portraits:
        placed = eye_centres(find_landmarks(picture, faces[0]))
        distances.append(np.linalg.norm(placed - eyes, axis=1).mean() / np.linalg.norm(eyes[0] - eyes[1]))
    assert np.median(distances) < 0.05


def test_boxes_are_those_of_dlib_with_exclusive_edges(portraits):
    import dlib

    picture = portraits[0][0]
    (rectangle,) = dlib.get_frontal_face_detector()(picture, 0)
    (face,) = portraits[0][2]
    assert face[:4] == (rectangle.left(), rectangle.top(), rectangle.right() + 1, rectangle.bottom() + 1)
    assert face.right - face.left == rectangle.width()
