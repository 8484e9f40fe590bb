"""The drawn faces: same bytes everywhere, true landmarks, faces for dlib, and a floor that is exact."""

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from statistics import NormalDist

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssrlib import synthetic
from ssrlib.drawing import face_shape
from ssrlib.sketch import Sketch
from ssrlib.synthetic import CUES, KNOTS, draw_face, draw_faces, ideal_guess, sample_attributes

ROOT = Path(__file__).parent.parent
GOLDEN = "cb72ac2c41dbed52741a6593911082b7c443e1b4ed091d27adf0fe6f4b162d81"


def digest():
    """SHA-256 of a small batch: pictures, ages and landmarks rounded to a thousandth."""
    total = hashlib.sha256()
    for n, seed, size in ((12, 5, 64), (4, 6, 128), (1, 7, 200)):
        images, ages, landmarks, _ = draw_faces(n, seed, size)
        total.update(images.tobytes())
        total.update(np.rint(1000 * ages.astype(np.float64)).astype("<i8").tobytes())
        total.update(np.rint(1000 * landmarks.astype(np.float64)).astype("<i8").tobytes())
    return total.hexdigest()


@pytest.fixture(scope="module")
def faces():
    return draw_faces(60, seed=3, size=200)


@pytest.fixture(scope="module")
def people():
    return sample_attributes(2500, seed=4)


def test_golden_bytes():
    assert digest() == GOLDEN


@pytest.mark.parametrize(
    "settings_",
    [
        {"OPENCV_IPP": "disabled", "THREADS": "1"},
        {"OPENCV_CPU_DISABLE": "AVX512-SKX,AVX2,FP16,AVX,SSE4.2,SSE4.1", "THREADS": "4"},
        {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR", "OPENCV_OPENCL_RUNTIME": "disabled"},
        {"JSIMD_FORCENONE": "1", "OPENCV_IPP": "disabled",
         "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX2", "NPY_DISABLE_CPU_FEATURES": "X86_V4"},
    ],
    ids=lambda settings_: " ".join(settings_),
)  # fmt: skip
def test_same_bytes_on_poorer_machines(settings_):
    code = (
        "import os, sys, cv2; sys.path[:0] = ['tests', '.']; cv2.setNumThreads(int(os.environ.get('THREADS', '2')));"
        "import test_synthetic; print(test_synthetic.digest())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | settings_, capture_output=True, text=True, check=True
    )
    assert run.stdout.split()[-1] == GOLDEN


def test_a_face_depends_on_seed_and_index_only():
    images, ages, landmarks, attributes = draw_faces(4, seed=8, size=48)
    for i in (3, 1):
        image, age, points, row = draw_face(8, i, size=48)
        np.testing.assert_array_equal(image, images[i])
        np.testing.assert_array_equal(points, landmarks[i])
        assert age == ages[i]
        assert attributes.iloc[i].to_dict() == row
    assert not np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], draw_face(9, 0, size=48)[0])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**40), index=st.integers(0, 10**6), size=st.integers(32, 150),
       age=st.none() | st.floats(0, 90))  # fmt: skip
def test_any_face_can_be_drawn(seed, index, size, age):
    image, drawn_age, landmarks, attributes = draw_face(seed, index, size, age)
    assert image.shape == (size, size, 3) and image.dtype == np.uint8
    assert landmarks.shape == (68, 2) and landmarks.dtype == np.float32
    assert 0 <= landmarks.min() and landmarks.max() < size
    assert 0 <= drawn_age <= 90 and (age is None or drawn_age == age)
    assert image.std() > 8  # a picture, not one colour
    assert abs(attributes["roll"]) <= 15


def test_batches_have_the_promised_types():
    images, ages, landmarks, attributes = draw_faces(2, size=40)
    assert (images.dtype, ages.dtype, landmarks.dtype) == (np.uint8, np.float32, np.float32)
    assert (images.shape, ages.shape, landmarks.shape, len(attributes)) == ((2, 40, 40, 3), (2,), (2, 68, 2), 2)
    images, ages, landmarks, nobody = draw_faces(0, size=40)
    assert (images.shape, ages.shape, landmarks.shape) == ((0, 40, 40, 3), (0,), (0, 68, 2))
    assert list(nobody.columns) == list(attributes.columns)
    assert ideal_guess(nobody).shape == (0,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw_faces(-1), "n must not be negative"),
        (lambda: sample_attributes(-2), "n must not be negative"),
        (lambda: draw_faces(1, size=31), "size must be at least 32"),
        (lambda: draw_face(0, 0, size=8), "size must be at least 32"),
        (lambda: draw_face(0, 0, age=-0.5), "age must lie between 0 and 90"),
        (lambda: draw_face(0, 0, age=90.5), "age must lie between 0 and 90"),
        (lambda: draw_face(0, 0, age=float("nan")), "age must lie between 0 and 90"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_ages_are_uniform_and_independent_of_the_person(people):
    ages, attributes = people
    counts = np.histogram(ages, bins=9, range=(0, 90))[0]
    assert ((counts - len(ages) / 9) ** 2 / (len(ages) / 9)).sum() < 26  # chi-square, 8 degrees: p = 0.001
    older = ages > 45
    for column in ("sex", "hair_colour", "glasses", "eye_colour"):
        shares = [attributes.loc[rows, column].value_counts(normalize=True) for rows in (older, ~older)]
        assert abs(shares[0] - shares[1]).max() < 0.075
    assert abs(np.corrcoef(ages, attributes["skin_tone"])[0, 1]) < 0.07


def test_children_have_neither_beard_nor_make_up(people):
    ages, attributes = people
    children, grown = ages < 8, ages > 25
    dressed = (attributes["beard"] != "none") | (attributes["make_up"] > 0)
    assert not dressed[children].any()
    assert 0.4 < dressed[grown].mean() < 0.7
    assert (attributes.loc[dressed, "cue_maturity"] > 0.5).all()


def test_redrawing_keeps_the_person():
    _, _, _, young = draw_face(12, 4, size=32, age=10)
    _, _, _, old = draw_face(12, 4, size=32, age=80)
    ageing = {"beard", "make_up"} | {f"cue_{name}" for name in CUES}
    assert {key for key in young if young[key] != old[key]} <= ageing
    for name in CUES:
        noise = []
        for a, age in ((young, 10), (old, 80)):
            mean, sigma = synthetic.cue_distribution(name, age, a["sex"])
            noise.append((a[f"cue_{name}"] - mean) / sigma)
        assert noise[0] == pytest.approx(noise[1], abs=0.02)
    image, age, _, _ = draw_face(12, 4, size=64)
    np.testing.assert_array_equal(image, draw_face(12, 4, size=64, age=age)[0])


def test_redrawing_keeps_the_background():
    pictures = np.array([[draw_face(2, i, 64, age)[0] for age in (4, 70)] for i in range(6)], dtype=np.float64)
    corners = pictures[:, :, :6, :6].mean(axis=(2, 3, 4))
    assert np.abs(corners[:, 0] - corners[:, 1]).max() < 4
    assert np.abs(pictures[:, 0] - pictures[:, 1]).mean(axis=(1, 2, 3)).min() > 5  # but the face has changed


def test_cues_follow_their_means(people):
    ages, attributes = people
    for name, cue in CUES.items():
        steps = np.diff(cue.means)
        rising = name not in ("eye_size", "forehead", "cheek_fullness")
        assert (steps * (1 if rising else -1) >= -0.06).all(), name
        men = (attributes["sex"] == "male").to_numpy()
        residual = attributes[f"cue_{name}"][men] - np.interp(ages[men], KNOTS, cue.means)
        assert abs(residual.mean()) < 4 * cue.sigma / men.sum() ** 0.5
        assert residual.std() == pytest.approx(cue.sigma, rel=0.1)
    noise = np.stack([attributes[f"cue_{n}"] - np.interp(ages, KNOTS, CUES[n].means) for n in ("greying", "jowls")])
    assert abs(np.corrcoef(noise)[0, 1]) < 0.08


def test_ideal_guess_against_direct_integration(people):
    _, attributes = people
    grid = np.linspace(0, 90, 1801)
    guesses = ideal_guess(attributes.iloc[:8])
    for (_, row), guess in zip(attributes.iloc[:8].iterrows(), guesses, strict=True):
        density = np.ones_like(grid)
        for name, cue in CUES.items():
            strength = cue.female if row["sex"] == "female" else 1.0
            means = strength * np.interp(grid, KNOTS, cue.means)
            likelihood = np.array([NormalDist(mean, strength * cue.sigma).pdf(row[f"cue_{name}"]) for mean in means])
            density *= likelihood / likelihood.max()
        mass = np.cumsum((density[1:] + density[:-1]) / 2)
        assert guess == pytest.approx(np.interp(0.5 * mass[-1], mass, grid[1:]), abs=0.15)


def test_the_floor_is_a_few_years_and_no_shift_of_the_guess_beats_it(people):
    ages, attributes = people
    guess = ideal_guess(attributes)
    floor = np.abs(guess - ages).mean()
    assert 3.4 < floor < 4.0
    for other in (guess + 1, guess - 1, 45 + 0.95 * (guess - 45), 45 + 1.05 * (guess - 45)):
        assert np.abs(other - ages).mean() > floor
    assert abs((guess > ages).mean() - 0.5) < 0.04  # a median


def test_landmarks_turn_with_the_head():
    _, _, landmarks, attributes = draw_face(1, 3, size=128)
    tilted = Sketch(attributes | {"roll": attributes["roll"] + 10}, 128)
    points, _ = face_shape(attributes)
    across = tilted.project(points[[36, 45]])[1] - tilted.project(points[[36, 45]])[0]
    before = landmarks[45] - landmarks[36]
    turned = np.degrees(np.arctan2(across[1], across[0]) - np.arctan2(before[1], before[0]))
    assert turned == pytest.approx(10, abs=0.1)


def test_the_eyes_are_where_the_landmarks_say(faces):
    images, _, landmarks, attributes = faces
    open_eyed = (attributes["cue_lid_droop"] < 0.2) & (attributes["glasses"] == "none")
    darker = []
    for image, points in zip(images[open_eyed], landmarks[open_eyed], strict=True):
        gray = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (3, 3), 0)
        for lids in (points[36:42], points[42:48]):
            left, right = lids[0], lids[3]
            pupil, *whites = (
                gray[tuple(np.rint(left + share * (right - left)).astype(int)[::-1])] for share in (0.5, 0.18, 0.82)
            )
            darker.append(pupil < max(whites))
    assert len(darker) > 30
    assert np.mean(darker) > 0.9


def test_landmarks_lie_in_their_order_and_show_the_roll(faces):
    _, _, landmarks, attributes = faces
    assert (landmarks[:, 36, 0] < landmarks[:, 45, 0]).all() and (landmarks[:, 48, 0] < landmarks[:, 54, 0]).all()
    assert (landmarks[:, 8, 1] > landmarks[:, 57, 1]).all() and (landmarks[:, 57, 1] > landmarks[:, 33, 1]).all()
    slope = landmarks[:, 45] - landmarks[:, 36]
    roll = np.degrees(np.arctan2(slope[:, 1], slope[:, 0]))
    np.testing.assert_allclose(roll, attributes["roll"], atol=1.5)


def test_dlib_finds_the_faces_and_agrees_about_the_landmarks(faces):
    dlib = pytest.importorskip("dlib")
    images, _, truth, _ = faces
    detector = dlib.get_frontal_face_detector()
    # The package itself imports pkg_resources, which is gone: only its folder is needed.
    [folder] = importlib.util.find_spec("face_recognition_models").submodule_search_locations
    predictor = dlib.shape_predictor(str(Path(folder, "models", "shape_predictor_68_face_landmarks.dat")))
    corners = [36, 39, 42, 45, 48, 54]
    once, distances = 0, []
    for image, points in zip(images, truth, strict=True):
        boxes = detector(image, 1)
        if len(boxes) == 1:
            once += 1
            found = np.array([(part.x, part.y) for part in predictor(image, boxes[0]).parts()])
            span = np.linalg.norm(points[45] - points[36])
            distances.append(np.linalg.norm(found - points, axis=1)[corners] / span)
    assert once >= 58
    assert np.median(distances) < 0.05
    assert np.quantile(distances, 0.9) < 0.15
