"""Cropping and turning, against areas worked out pixel by pixel, scikit-image and known turns of drawn faces."""

import math
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import estimate_transform

from ssrlib import alignment, datasets, synthetic
from ssrlib.alignment import (
    Crop,
    NoFaceError,
    SeveralFacesError,
    alignment_matrix,
    crop_at,
    crop_box,
    crop_face,
    reference_shape,
    similarity_transform,
    usable_faces,
    warp_crop,
)
from ssrlib.detection import Face, detect_faces, find_landmarks

ROOT = Path(__file__).resolve().parents[1]


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
        ({"landmarks": 6}, "by 6 landmarks"),
        ({"detector": "none"}, "set landmarks to 0"),
    ],
)
def test_impossible_crops_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Crop(**change)


@pytest.fixture(scope="module")
def drawn():
    """Ten drawn faces, as (picture, true landmarks)."""
    return [(picture, points) for picture, _, points, *_ in (synthetic.draw_face(1, index, 160) for index in range(10))]


def test_crop_face_is_the_crop_of_the_first_usable_face(drawn):
    crop = Crop(margin=0.2, size=40, landmarks=0)
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


coordinates = st.floats(-1000, 1000).map(lambda value: round(value, 3))
points = st.lists(st.tuples(coordinates, coordinates), min_size=2, max_size=20, unique=True).map(np.array)


@settings(deadline=None)
@given(points=points, degrees=st.floats(-180, 180), scale=st.floats(0.1, 10), shift=st.tuples(coordinates, coordinates))
def test_a_similarity_is_found_again(points, degrees, scale, shift):
    turn = np.radians(degrees)
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    found = similarity_transform(points, points @ matrix.T + shift)
    np.testing.assert_allclose(points @ found[:, :2].T + found[:, 2], points @ matrix.T + shift, atol=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_the_least_squares_answer_is_that_of_scikit_image(seed):
    random = np.random.default_rng(seed)
    source, target = random.normal(0, 50, (2, 7, 2))
    target += 3 * source  # scikit-image's Umeyama, too, finds no mirror image then
    expected = estimate_transform("similarity", source, target).params[:2]
    np.testing.assert_allclose(similarity_transform(source, target), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ([[1, 2], [1, 2]], [[0, 0], [1, 1]], "All points are the same"),
        ([[1, 2]], [[0, 0]], "All points are the same"),
        ([[1, 2], [3, 4]], [[0, 0]], "as many rows"),
        ([1, 2], [3, 4], "shape"),
    ],
)
def test_points_that_fix_no_similarity_are_refused(source, target, message):
    with pytest.raises(ValueError, match=message):
        similarity_transform(source, target)


@pytest.mark.parametrize("landmarks", [5, 68])
def test_the_reference_is_upright_symmetric_and_inside_the_box(landmarks):
    shape = reference_shape(landmarks)
    assert shape.shape == (len(alignment.ALIGNING[landmarks]), 2)
    assert 0 < shape.min() and shape.max() < 1
    eyes = {5: ([2, 3], [0, 1]), 68: ([*range(18, 24)], [*range(24, 30)])}[landmarks]
    left, right = (shape[eye].mean(axis=0) for eye in eyes)
    assert left[1] == pytest.approx(right[1], abs=1e-3) and left[0] + right[0] == pytest.approx(1, abs=1e-3)


@settings(deadline=None, max_examples=40)
@given(
    left=st.integers(-30, 60), top=st.integers(-30, 60), factor=st.integers(1, 5), size=st.sampled_from([8, 16])
)  # fmt: skip
def test_without_a_turn_a_warp_is_the_crop_of_the_box(left, top, factor, size):
    picture = noise(70, 90)
    side = factor * size
    matrix = np.array([[1 / factor, 0, -left / factor], [0, 1 / factor, -top / factor]])
    expected = crop_box(picture, (left, top, left + side, top + side), margin=0, size=size)
    np.testing.assert_allclose(warp_crop(picture, matrix, size).astype(int), expected, atol=1)


def test_a_quarter_turn_turns_the_pixels():
    picture = noise(64, 64)
    # (x, y) goes to (64 - y, x): clockwise, as y points down.
    matrix = np.array([[0.0, -1.0, 64.0], [1.0, 0.0, 0.0]])
    np.testing.assert_array_equal(warp_crop(picture, matrix), np.rot90(picture, -1))


def test_a_huge_face_is_averaged_not_sampled():
    checkers = np.kron(np.indices((400, 400)).sum(axis=0) % 2, np.ones((4, 4)))[..., None].repeat(3, axis=2)
    crop = warp_crop((255 * checkers).astype(np.uint8), np.array([[0.04, 0, 0], [0, 0.04, 0]]), 64)
    assert 100 < crop.min() and crop.max() < 155


@pytest.mark.parametrize("landmarks", [5, 68])
def test_landmarks_land_on_the_reference(drawn, landmarks):
    crop = Crop(landmarks=landmarks, margin=0.3, size=100)
    for picture, _ in drawn:
        found = find_landmarks(picture, usable_faces(picture, crop)[0], landmarks)
        matrix = alignment_matrix(found, crop)
        landed = (found[alignment.ALIGNING[landmarks]] + 0.5) @ matrix[:, :2].T + matrix[:, 2]
        target = (reference_shape(landmarks) + 0.3) / 1.6 * 100
        assert np.linalg.norm(landed - target, axis=1).mean() < 5
        np.testing.assert_allclose(landed.mean(axis=0), target.mean(axis=0), atol=1e-3)


@pytest.mark.parametrize("landmarks", [5, 68])
@pytest.mark.parametrize("degrees", [-20, 25])
def test_a_turned_face_gives_the_crop_of_the_upright_one(landmarks, degrees):
    crop = Crop(landmarks=landmarks)
    differences = []
    for index in range(8):
        picture = synthetic.draw_face(21, index, 200)[0]
        turned = cv2.warpAffine(
            picture, cv2.getRotationMatrix2D((99.5, 99.5), degrees, 1), (200, 200), borderMode=cv2.BORDER_REPLICATE
        )
        upright = crop_face(picture, crop)[0].astype(float)
        boxed = crop_face(turned, Crop(landmarks=0))[0]
        middle = np.s_[16:48, 16:48]
        differences.append(
            [np.abs(upright[middle] - image[middle]).mean() for image in (crop_face(turned, crop)[0], boxed)]
        )
    aligned, boxed = np.median(differences, axis=0)
    assert aligned < 0.6 * boxed


def test_without_a_detector_the_largest_centred_square_is_the_crop():
    picture = noise(218, 178)
    image, face = crop_face(picture, alignment.WHOLE_PICTURE)
    assert face[:4] == (0, 20, 178, 198)
    np.testing.assert_array_equal(image, cv2.resize(picture[20:198], (64, 64), interpolation=cv2.INTER_AREA))


def test_several_faces_of_one_size_are_refused_and_a_small_one_in_the_background_is_not(drawn, monkeypatch):
    found = [Face(0, 0, 50, 50, 1.0), Face(60, 0, 85, 25, 1.0), Face(60, 60, 84, 84, 2.0)]
    monkeypatch.setattr(alignment, "detect_faces", lambda *arguments: found)
    with pytest.raises(SeveralFacesError, match="2 faces"):
        crop_face(noise(100, 100), Crop(landmarks=0))
    del found[1]
    assert crop_face(noise(100, 100), Crop(landmarks=0))[1] == found[0]


def test_crop_face_is_crop_at_the_first_usable_face(drawn):
    for picture, _ in drawn[:3]:
        image, face = crop_face(picture, Crop())
        np.testing.assert_array_equal(image, crop_at(picture, face, Crop()))


@pytest.mark.slow
def test_the_reference_is_the_average_of_the_london_portraits(shared):
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import reference_shape as benchmark

    table = datasets.load_table("london", shared / "data")
    measured = benchmark.measure(table).set_index(["landmarks", "point"])
    recorded = pd.read_csv(ROOT / "ssrlib" / "reference_shape.csv").set_index(["landmarks", "point"])
    pd.testing.assert_frame_equal(measured, recorded, atol=0.002)
