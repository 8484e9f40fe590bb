"""Pictures a second and core: our path against the order of work of the authors' MORPH2 script, on the same pictures.

    python benchmarks/preprocessing.py [FOLDER_OF_ALL_AGE_FACES]

Both align by the same 68 landmarks and crop 64x64 pixels with a margin of 40 %. Theirs detects three times: once to see
whether there is exactly one face, once for the landmarks, and once more on the turned picture to crop it. Without a
folder the pictures are drawn faces. Records results/preprocessing.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import cv2
import pandas as pd

from ssrlib import alignment, crops, datasets, detection, jobs, records, synthetic

PICTURES = 300
CROP = alignment.Crop(landmarks=68)


def ours(picture):
    """Detect once, place the landmarks, turn and crop in one step."""
    return alignment.crop_face(picture, CROP)[0]


def theirs(picture):
    """Detect, detect and place, turn the whole picture, detect again, crop."""
    if len(detection.detect_faces(picture)) != 1:
        raise alignment.NoFaceError("not exactly one face")
    face = detection.detect_faces(picture)[0]
    points = detection.find_landmarks(picture, face, 68)[alignment.ALIGNING[68]]
    # To a reference face of the same size, in the middle of a picture of the same size.
    height, width = picture.shape[:2]
    side = face.right - face.left
    target = alignment.reference_shape(68) * side + [(width - side) / 2, (height - side) / 2]
    matrix = alignment.similarity_transform(points, target)
    turned = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    again = detection.detect_faces(turned)
    if not again:
        raise alignment.NoFaceError("no face after turning")
    return alignment.crop_box(turned, again[0], CROP.margin, CROP.size)


def pictures_a_second(path, pictures):
    """Run a path on all pictures; return pictures per second of processor time, and how many it cropped."""
    done = 0
    start = time.process_time()
    for picture in pictures:
        try:
            path(picture)
            done += 1
        except ValueError:
            pass
    return len(pictures) / (time.process_time() - start), done


def scaling(root):
    """Time the whole command on 1 and 2 processes; return pictures per second."""
    rates = {}
    name = "drawn" if root is None else "all_age_faces"
    jobs.CHUNK = 50
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["SSRNET_CACHE"] = folder  # so that none finds what another has scanned
            start = time.perf_counter()
            made = crops.prepare_crops(name, root, Path(folder) / "faces.npz", limit=4 * PICTURES, workers=workers)
            seconds = time.perf_counter() - start
            rates[workers] = round((len(made) + len(made.rejects)) / seconds, 1)
    return rates


if __name__ == "__main__":
    cv2.setNumThreads(1)
    root = sys.argv[1] if len(sys.argv) > 1 else None
    if root is None:
        pictures = synthetic.draw_faces(PICTURES, seed=3, size=224)[0]
    else:
        pictures = [crops.read_picture(path) for path in datasets.load_table("all_age_faces", root, PICTURES)["path"]]
    ours(pictures[0])  # loads the models
    rows = []
    for turn in range(3):
        for path in (ours, theirs) if turn % 2 == 0 else (theirs, ours):
            rate, done = pictures_a_second(path, pictures)
            rows.append((path.__name__, turn, rate, done))
    table = pd.DataFrame(rows, columns=["path", "turn", "pictures_per_second", "cropped"])
    print(table.to_string(index=False))
    medians = table.groupby("path")["pictures_per_second"].median()
    print(f"ours / theirs: {medians['ours'] / medians['theirs']:.2f}")
    rates = scaling(root)
    print("whole command, pictures a second by processes:", rates)
    about = {"pictures": "drawn" if root is None else "All-Age-Faces", "pictures_per_second_by_processes": rates}
    records.write_table("preprocessing", table, about)
