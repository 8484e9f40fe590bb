"""How exact is the alignment? Eye centres on the London set, and the rotation and scale that remain on drawn faces.

    python benchmarks/landmarks.py FOLDER_OF_THE_LONDON_SET

records results/eye_centres and results/remaining_pose.
"""

import sys

import cv2
import numpy as np
import pandas as pd

from ssrlib import alignment, datasets, detection, readers, records, synthetic
from ssrlib.pictures import read_picture

FACES = 300
DEGREES, SCALES = (-30, 30), (0.6, 1.6)


def eye_centres(folder):
    """Compare found eye centres with hand-placed ones, in per cent of the eyes' distance.

    Returns
    -------
    pandas.DataFrame
        One row for each eye and path: name, landmarks (5 or 68), right and down (signed, in the picture), distance.
    """
    rows = []
    placed = readers.london_points(datasets.find_folder(datasets.find_dataset("london"), folder))
    placed = placed.set_index(["name", "point"])[["x", "y"]]
    for picture_row in datasets.load_table("london", folder).itertuples():
        picture = read_picture(picture_row.path)
        face = alignment.usable_faces(picture, alignment.Crop())[0]
        truth = placed.loc[picture_row.name].loc[[0, 1]].sort_values("x").to_numpy()
        apart = np.linalg.norm(truth[1] - truth[0])
        for count in detection.EYES:
            offsets = detection.eye_centres(detection.find_landmarks(picture, face, count)) - truth
            for right, down in 100 * offsets / apart:
                rows.append((picture_row.name, count, right, down, np.hypot(right, down)))
    return pd.DataFrame(rows, columns=["name", "landmarks", "right", "down", "distance"])


def remaining_pose(count=FACES, seed=21):
    """Turn and scale drawn faces, align them, and compare the crops with those of the upright faces.

    Returns
    -------
    pandas.DataFrame
        One row for each face and path: landmarks (0 for the detector's box), turned (degrees), scaled, degrees (that
        remain), scale (that remains, in per cent).
    """
    rng = np.random.default_rng(seed)
    rows = []
    pictures, _, truth, _ = synthetic.draw_faces(count, seed, size=200)
    for picture, points in zip(pictures, truth, strict=True):
        turned, scaled = rng.uniform(*DEGREES), rng.uniform(*SCALES)
        views = [_place(picture, 0, 1), _place(picture, turned, scaled)]
        try:
            faces = [alignment.usable_faces(view, alignment.Crop())[0] for view, _ in views]
        except alignment.NoFaceError:
            rows.append((-1, turned, scaled, np.nan, np.nan))
            continue
        for landmarks in (0, 5, 68):
            upright, other = (
                _apply(_matrix(view, face, landmarks), _apply(placed, points + 0.5))
                for (view, placed), face in zip(views, faces, strict=True)
            )
            a, b = alignment.similarity_transform(other, upright)[:, 0]
            rows.append((landmarks, turned, scaled, np.degrees(np.arctan2(b, a)), 100 * (np.hypot(a, b) - 1)))
    return pd.DataFrame(rows, columns=["landmarks", "turned", "scaled", "degrees", "scale"])


def _place(picture, degrees, scale, side=400):
    """Turn and scale a picture about its middle, in the middle of a larger one."""
    middle = picture.shape[0] / 2 - 0.5
    matrix = cv2.getRotationMatrix2D((middle, middle), degrees, scale)
    matrix[:, 2] += (side - picture.shape[0]) / 2
    view = cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    matrix[:, 2] += 0.5 - matrix[:, :2].sum(axis=1) / 2
    return view, matrix


def _matrix(view, face, landmarks):
    """Return the transform from picture to crop, for the box alone if there are no landmarks."""
    crop = alignment.Crop(landmarks=landmarks)
    if landmarks:
        return alignment.alignment_matrix(detection.find_landmarks(view, face, landmarks), crop)
    corners = np.array([[0, 0], [1, 1]])
    box = np.array([[face.left, face.top], [face.right, face.bottom]])
    return alignment.similarity_transform(box, (corners + crop.margin) / (1 + 2 * crop.margin) * crop.size)


def _apply(matrix, points):
    return points @ matrix[:, :2].T + matrix[:, 2]


if __name__ == "__main__":
    eyes = eye_centres(sys.argv[1])
    # The rise of the pupils was set on the odd-numbered portraits; the others judge.
    unseen = eyes[eyes["name"].str[:3].astype(int) % 2 == 0]
    summary = unseen.groupby("landmarks")["distance"].quantile([0.5, 0.95]).unstack()
    records.write_table("eye_centres", unseen.drop(columns="name"), {"eyes": "even-numbered London portraits"})
    print("eye centres, per cent of the eyes' distance\n", summary.round(2))
    print(eyes[~eyes.index.isin(unseen.index)].groupby("landmarks")["down"].mean().round(2))
    pose = remaining_pose()
    found = pose[pose["landmarks"] >= 0]
    records.write_table("remaining_pose", pose, {"faces": FACES, "turned": DEGREES, "scaled": SCALES})
    print("remaining pose, medians of absolute values\n",
          found.assign(degrees=found["degrees"].abs(), scale=found["scale"].abs())
          .groupby("landmarks")[["degrees", "scale"]].quantile([0.5, 0.95]).unstack().round(2))  # fmt: skip
    print(f"{(pose['landmarks'] < 0).sum()} of {FACES} faces not found")
