"""What the crop of the page "Try it" costs in years, beside the one that the weights were trained with.

    python benchmarks/page_crop.py FACES FOLDER...

records results/page_crop: the same test pictures of the sets in the FOLDERs, FACES in all, drawn at random. Each is
cropped by `ssrlib.alignment` and by the page in Chromium: with the face turned upright, and with the detector's box as
it is, as when a reader moved it.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from ssrlib import datasets, evaluation, intervals, weights
from ssrlib.alignment import NoFaceError, crop_at, usable_faces
from ssrlib.backend import import_keras
from ssrlib.pictures import read_picture

ROOT = Path(__file__).resolve().parents[1]
WAYS = {"ssrlib": "as in training", "page": "the page", "box": "the page, box as it is"}
MEASURE = """async (address) => {
  const { Estimator } = await import("/try/estimator.mjs");
  window.estimator ??= await Estimator.load();
  const bitmap = await createImageBitmap(await (await fetch(address)).blob());
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const picture = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const [box] = estimator.find(picture);
  if (!box) return null;
  const { age, low, high } = estimator.estimate(picture, box);
  return { page: age, low: low ?? 0, high: high ?? Infinity, box: estimator.estimate(picture, box, false).age };
}"""


def ask_ssrlib(paths, name):
    """Give the answers of the network to the crops it was trained with; NaN where no face is found."""
    model, crop, _ = weights.load_model(name)
    images, found = [], []
    for path in tqdm(paths):
        picture = read_picture(path)
        try:
            images.append(crop_at(picture, usable_faces(picture, crop)[0], crop))
            found.append(True)
        except NoFaceError:
            found.append(False)
    answers = np.full(len(paths), np.nan)
    answers[found] = model.predict(np.stack(images), verbose=0)[:, 0]
    return answers


def ask_page(paths):
    """Give what the page answers to files, as a table; empty rows where it finds no face."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "book" / "_ext")]
    import browser
    import try_page

    with tempfile.TemporaryDirectory() as folder:
        site = try_page.copy_static(Path(folder))
        try_page.write_assets(site / "try")
        (site / "index.html").write_text("<!doctype html>")
        for number, path in enumerate(paths):
            (site / str(number)).symlink_to(Path(path).resolve())
        with browser.serve(site) as address, browser.start_chromium() as chromium:
            tab = chromium.new_page()
            tab.goto(address)
            answers = [tab.evaluate(MEASURE, f"{address}{number}") for number in tqdm(range(len(paths)))]
    return pd.DataFrame([answer or {} for answer in answers], columns=["page", "low", "high", "box"])


if __name__ == "__main__":
    import_keras()
    from ssrlib import records

    count, *folders = sys.argv[1:]
    run = records.read_run("faces")
    listed = pd.concat([datasets.load_table(Path(folder).name, folder) for folder in folders])
    test = run.predictions.query("split == 'test'")[["name"]]
    table = listed.merge(test, on="name").sample(int(count), random_state=0).reset_index(drop=True)
    table = table.join(ask_page(table["path"])).assign(ssrlib=ask_ssrlib(table["path"], "faces"))
    both = table.dropna(subset=["page", "ssrlib"])
    low, high = intervals.bootstrap_interval((both["page"] - both["age"]).abs() - (both["ssrlib"] - both["age"]).abs())
    rows = [{"crop": label} | evaluation.summarize(both[way], both["age"]) for way, label in WAYS.items()]
    about = {
        "pictures": len(table),
        "no_face_on_the_page": int(table["page"].isna().sum()),
        "faces": f"{len(both)} test pictures of All-Age-Faces and UTKFace on which both find a face",
        "page_minus_ssrlib": [round(low, 3), round(high, 3)],
        "mean_difference": float((both["page"] - both["ssrlib"]).abs().mean()),
        "coverage": float(both["age"].between(both["low"], both["high"]).mean()),
        "unit": "years; page_minus_ssrlib is the 95 % interval of the difference of the two MAE",
    }
    print(pd.DataFrame(rows).round(3))
    print(about)
    records.write_table("page_crop", pd.DataFrame(rows), about)
