"""How a page without landmarks turns a face upright: one linear step from the gradients in the detector's box.

    python benchmarks/page_alignment.py FILE.npz=FOLDER...

records results/page_alignment: the coefficients, one row a feature. FILE.npz is written by `preprocess` from the set in
FOLDER; only its training part is used. The step is the first of the supervised descent method (Xiong and De la Torre,
2013): a ridge regression from the features of a patch around a box to where the reference crop lies in it. The boxes
are dlib's, moved, resized and turned at random, so that the step may be done again from where the first one led.
"""

import sys

import numpy as np
import pandas as pd
from tqdm import tqdm

from ssrlib import alignment, crops, datasets
from ssrlib.detection import Face, find_landmarks
from ssrlib.pictures import read_picture

SIDE, CELL, DIRECTIONS = 96, 8, 18  # pixels, pixels, signed directions of a gradient
MARGIN = 0.3  # of the box on each side of the patch
JITTERS = 4  # boxes a face
SHIFT, SCALE, TURN = 0.06, 0.08, 10.0  # standard deviations: of the box's side, of its logarithm, in degrees
RIDGE = 30.0
TARGETS = ["cos", "sin", "x", "y"]
FACES = 6000


def gradient_features(patches):
    """Compute the 31 features a cell of Felzenszwalb et al. (2010), as the page's finder.mjs does.

    Parameters
    ----------
    patches : ndarray of uint8, shape (N, SIDE, SIDE, 3)

    Returns
    -------
    ndarray of float32, shape (N, 10, 10, 31)
    """
    values = patches.astype(np.float32)
    across = values[:, 1:-1, 2:] - values[:, 1:-1, :-2]
    down = values[:, 2:, 1:-1] - values[:, :-2, 1:-1]
    squares = across**2 + down**2
    strongest = squares.argmax(axis=3, keepdims=True)
    across, down, squares = (np.take_along_axis(part, strongest, 3)[..., 0] for part in (across, down, squares))
    # Straight up and straight down lie midway between two directions and go to the first.
    direction = np.ceil(np.arctan2(down, across) / (2 * np.pi) * DIRECTIONS - 0.5).astype(int) % DIRECTIONS
    count = SIDE // CELL
    places = (np.arange(1, SIDE - 1) + 0.5) / CELL - 0.5
    shares = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(count))).astype(np.float32)
    lengths = np.sqrt(squares)
    cells = np.stack([shares.T @ (lengths * (direction == number)) @ shares for number in range(DIRECTIONS)], axis=-1)
    both = cells[..., :9] + cells[..., 9:]
    energy = (both**2).sum(axis=-1)
    blocks = energy[:, 1:, 1:] + energy[:, :-1, 1:] + energy[:, 1:, :-1] + energy[:, :-1, :-1]
    corners = (blocks[:, 1:, 1:], blocks[:, :-1, 1:], blocks[:, 1:, :-1], blocks[:, :-1, :-1])
    signed, unsigned = cells[:, 1:-1, 1:-1], both[:, 1:-1, 1:-1]
    features, texture = 0, []
    for corner in corners:
        norm = np.sqrt(corner + 1e-4)[..., None]
        parts = [0.5 * np.minimum(part / norm, 0.2) for part in (signed, unsigned)]
        features += np.concatenate(parts, axis=-1)
        texture.append(2 * 0.2357 * parts[0].sum(axis=-1))
    return np.concatenate([features, np.stack(texture, axis=-1)], axis=-1)


def box_matrix(box, turn=0.0):
    """Map a picture to the patch around a box, turned by some degrees about its centre."""
    centre = np.array([box[0] + box[2], box[1] + box[3]]) / 2
    scale = SIDE / ((1 + 2 * MARGIN) * (box[2] - box[0]))
    angle = np.deg2rad(turn)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([linear, SIDE / 2 - linear @ centre])


def then(first, second):
    """Combine two affine maps of the plane, shape (2, 3) each."""
    return np.column_stack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2]])


def inverse(matrix):
    """Turn an affine map around."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def target(patch, crop):
    """Say where the crop lies in the patch: its axis (cos, sin, times its side in patches) and its centre."""
    back = then(inverse(crop), patch)
    axis = back[:, :2] @ [64 / SIDE, 0]
    centre = back @ [32, 32, 1]
    return [*axis, *(centre / SIDE)]


def crop_matrix(patch, answer):
    """Undo `target`: from the picture to the crop."""
    cos, sin, x, y = answer
    linear = np.array([[cos, -sin], [sin, cos]]) * SIDE / 64
    back = np.column_stack([linear, np.array([x, y]) * SIDE - linear @ [32, 32]])
    return then(patch, inverse(back))


def patch_of(crop):
    """Where the next step looks: the patch in which an upright face's crop lies as in an average one."""
    side = (1 + 2 * MARGIN) / 1.8 * 64
    scale = SIDE / side
    return then(crop, np.array([[scale, 0, SIDE / 2 - scale * 32], [0, scale, SIDE / 2 - scale * 32]]))


def apply(picture, patch, coefficients):
    """Do the step twice, the second time from where the first one led; gives the matrix of the crop."""
    for _ in range(2):
        features = gradient_features(alignment.warp_crop(picture, patch, SIDE)[None]).reshape(-1)
        matrix = crop_matrix(patch, np.append(features, 1) @ coefficients)
        patch = patch_of(matrix)
    return matrix


def collect(files, seed=0):
    """Cut patches at jittered boxes out of the training faces: their features and targets."""
    random = np.random.default_rng(seed)
    features, targets = [], []
    for file, folder in files:
        faces = crops.load_crops(file).split("train")
        listed = datasets.load_table(faces.record["dataset"], folder)[["name", "path"]]
        table = faces.table.merge(listed, on="name")
        for row in tqdm(table.sample(min(len(table), FACES // len(files)), random_state=seed).itertuples()):
            picture = read_picture(row.path)
            face = Face(row.left, row.top, row.right, row.bottom, row.score)
            crop = alignment.alignment_matrix(find_landmarks(picture, face), alignment.Crop())
            patches = []
            for _ in range(JITTERS):
                side = (face.right - face.left) * np.exp(random.normal(0, SCALE))
                x, y = random.normal(0, SHIFT * side, 2) + [(face.left + face.right) / 2, (face.top + face.bottom) / 2]
                box = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
                patch = box_matrix(box, random.normal(0, TURN))
                patches.append(alignment.warp_crop(picture, patch, SIDE))
                targets.append(target(patch, crop))
            features.append(gradient_features(np.stack(patches)).reshape(JITTERS, -1))
    return np.concatenate(features), np.array(targets)


def fit(features, targets):
    """Ridge regression with a constant, which is not penalised; shape (features + 1, 4)."""
    mean, middle = features.mean(axis=0), targets.mean(axis=0)
    centred = (features - mean).astype(np.float32)
    gram = (centred.T @ centred).astype(float)
    slopes = np.linalg.solve(gram + RIDGE * np.eye(len(gram)), centred.T @ (targets - middle))
    return np.vstack([slopes, middle - mean @ slopes])


if __name__ == "__main__":
    from ssrlib import records

    features, targets = collect([argument.split("=", 1) for argument in sys.argv[1:]])
    random = np.random.default_rng(0)
    faces = random.permutation(len(targets) // JITTERS)
    learned = np.isin(np.arange(len(targets)) // JITTERS, faces[: int(0.9 * len(faces))])
    left = targets[~learned] - np.column_stack([features[~learned], np.ones((~learned).sum())]) @ fit(
        features[learned], targets[learned]
    )
    print(f"{len(targets)} boxes; left of the targets' spread:")
    print((left.std(axis=0) / targets[~learned].std(axis=0)).round(3), left.std(axis=0).round(4))
    coefficients = fit(features, targets)
    about = {
        "boxes": len(targets),
        "faces": "the training parts of All-Age-Faces and UTKFace",
        "residual": dict(zip(TARGETS, left.std(axis=0).round(5).tolist(), strict=True)),
        "unit": "sides of the patch",
    }
    records.write_table("page_alignment", pd.DataFrame(coefficients, columns=TARGETS), about)
