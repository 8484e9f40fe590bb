"""Measure the average face that `ssrlib.alignment` turns all others to, on the London set.

    python benchmarks/reference_shape.py FOLDER_OF_THE_LONDON_SET

writes ssrlib/reference_shape.csv: the mean position of the 5 and the 68 landmarks in the detector's box.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from ssrlib import alignment, datasets, detection, records
from ssrlib.pictures import read_picture

# Where each landmark goes in a mirror image.
MIRRORED = {
    5: [2, 3, 0, 1, 4],
    68: [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), *range(45, 41, -1), 47, 46,
         *range(39, 35, -1), 41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65],
}  # fmt: skip


def measure(table):
    """Average the landmarks of a table's pictures and of their mirror images.

    Returns
    -------
    pandas.DataFrame
        Columns landmarks (5 or 68), point, x, y; the coordinates are in units of the detector's box.
    """
    shapes = {5: [], 68: []}
    for path in table["path"]:
        picture = read_picture(path)
        face = alignment.usable_faces(picture, alignment.Crop())[0]
        for count, found in shapes.items():
            points = detection.find_landmarks(picture, face, count) + 0.5
            shape = (points - face[:2]) / (face.right - face.left, face.bottom - face.top)
            found += [shape, (shape * [-1, 1] + [1, 0])[MIRRORED[count]]]
    parts = []
    for count, found in shapes.items():
        mean = np.mean(found, axis=0)
        parts.append(pd.DataFrame({"landmarks": count, "point": range(count), "x": mean[:, 0], "y": mean[:, 1]}))
    return pd.concat(parts, ignore_index=True).round(4)


if __name__ == "__main__":
    measured = measure(datasets.load_table("london", sys.argv[1]))
    file = Path(alignment.__file__).with_name("reference_shape.csv")
    records.write_atomically(file, measured.to_csv(index=False).encode())
