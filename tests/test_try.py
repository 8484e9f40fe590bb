"""The page "Try it" in a real browser: its arithmetic beside Keras, dlib and ssrlib, and the page in use."""

import base64
import re
import sys

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import serve
from conftest import ROOT
from PIL import Image
from skimage import data

from ssrlib import alignment, authors, conformal, records, synthetic, weights
from ssrlib.detection import detect_faces, find_landmarks
from ssrlib.network import stage_heads

AGE_MODELS = ("imdb", "wiki", "megaage", "megaface_asian")
PREDICT = """async ([folder, faces]) => {
  const { Arithmetic } = await import("/_static/try/arithmetic.mjs");
  const { Network } = await import("/_static/try/network.mjs");
  const files = ["model.json", "model.bin"].map((name) => fetch(`/${folder}/${name}`));
  const [settings, weights] = await Promise.all(files);
  const arithmetic = await Arithmetic.load((await fetch("/_static/try/convolution.wasm")).arrayBuffer());
  const network = new Network(arithmetic, await settings.json(), new Float32Array(await weights.arrayBuffer()));
  const pixels = Float32Array.from(atob(faces), (letter) => letter.charCodeAt(0));
  const starts = Array.from({ length: pixels.length / 12288 }, (_, i) => 12288 * i);
  return starts.map((start) => network.predict(pixels.subarray(start, start + 12288)));
}"""
PICTURE = """const { Estimator } = await import("/_static/try/estimator.mjs");
  const crop = await import("/_static/try/crop.mjs");
  const finder = await import("/_static/try/finder.mjs");
  const estimator = await (window.estimator ??= Estimator.load());
  const picture = { data: Uint8ClampedArray.from(atob(bytes), (letter) => letter.charCodeAt(0)), width, height };"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site of the one page, without a build of the book."""
    sys.path[:0] = [str(ROOT / "book" / "_ext"), str(ROOT / "benchmarks")]
    import try_page

    folder = tmp_path_factory.mktemp("site")
    try_page.copy_static(folder / "_static")
    try_page.write_assets(folder / "_static" / "try")
    html = re.search(r"```\{raw\} html\n(.*?)```", (ROOT / "book" / "try.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    (folder / "book").mkdir()
    start = '<!doctype html><html lang="en"><title>Try it</title><link rel="icon" href="data:,"><main><h1>Try it</h1>'
    view = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    (folder / "book" / "try.html").write_text(f"{start}{view}{html}</main></html>", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def address(site):
    with serve(site) as address:
        yield address


@pytest.fixture
def tab(browser, address):
    """The page, and everything that went wrong or over the wire in it."""
    page = browser.new_page()
    page.requests, page.trouble = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    page.on("console", lambda message: message.type == "error" and page.trouble.append(message.text))
    page.goto(f"{address}book/try.html", wait_until="networkidle")
    yield page
    assert page.trouble == []
    page.close()


def encode(pixels):
    """Turn bytes into a text: lists of numbers take a browser minutes."""
    return base64.b64encode(pixels.tobytes()).decode()


def ask(tab, picture, code, *more):
    """Run code of the page on a picture."""
    height, width = picture.shape[:2]
    opaque = np.dstack([picture, np.full((height, width), 255, np.uint8)])
    return tab.evaluate(
        f"async ([bytes, width, height, more]) => {{ {PICTURE} {code} }}", [encode(opaque), width, height, list(more)]
    )


def portrait(number=3, age=38):
    return synthetic.draw_face(5, number, 240, age=age)[0]


@pytest.mark.slow
def test_page_answers_as_keras_on_drawn_faces(tab):
    model, _, _ = weights.load_model("faces")
    faces = np.stack([synthetic.draw_face(7, number, 64)[0] for number in range(200)])
    expected = stage_heads(model).predict(faces, verbose=0)
    answers = tab.evaluate(PREDICT, ["_static/try", encode(faces)])
    ages = np.array([answer["age"] for answer in answers])
    assert np.ptp(ages) > 10
    np.testing.assert_allclose(ages, expected["prediction"][:, 0], atol=0.01)
    for k in (1, 2, 3):
        for head in ("p", "eta", "delta"):
            values = np.array([answer["stages"][k - 1][head] for answer in answers]).reshape(200, -1)
            np.testing.assert_allclose(values, expected[f"{head}_{k}"], atol=1e-4)


@pytest.mark.parametrize("name", AGE_MODELS)
def test_page_answers_as_the_authors_code(tab, site, shared, name):
    import try_page

    model, network = authors.read_authors(shared / "reference" / "weights" / f"{name}.h5")
    (site / name).mkdir()
    try_page.write_network(site / name, model, network, {"margin": 0.4}, [])
    golden = shared / "reference" / "golden"
    faces = np.load(golden / "inputs.npz")["x"][..., ::-1]
    answers = tab.evaluate(PREDICT, [name, encode(faces)])
    expected = np.load(golden / f"{name}.npz")["out"][:, 0]
    np.testing.assert_allclose([answer["age"] for answer in answers], expected, atol=0.01)


def test_finder_scores_as_dlib_does(tab):
    # So small that a filter matches at the picture's own size: there the two differ by rounding only.
    small = np.array(Image.fromarray(data.astronaut()[:300, 100:420]).resize((251, 236), Image.Resampling.BOX))
    found = ask(tab, small, "return finder.findFaces(picture, estimator.arithmetic, estimator.filters);")
    expected = detect_faces(small, upsample=0)
    assert len(found) == len(expected) == 1
    assert found[0]["score"] == pytest.approx(expected[0].score, abs=0.03)
    box = [found[0][side] for side in ("left", "top", "right", "bottom")]
    np.testing.assert_allclose(box, expected[0][:4], atol=1)


@pytest.mark.parametrize("number", range(6))
def test_finder_finds_drawn_faces(tab, number):
    picture = portrait(number, 12 * number + 6)
    found = ask(tab, picture, "return estimator.find(picture);")
    expected = detect_faces(picture)[0]
    assert len(found) == 1
    # The two may choose neighbouring sizes, which differ by a fifth.
    box = [found[0][side] for side in ("left", "top", "right", "bottom")]
    width, height = np.minimum(box[2:], expected[2:4]) - np.maximum(box[:2], expected[:2])
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in (box, expected[:4])]
    assert width * height / (sum(areas) - width * height) > 0.6


def test_features_are_those_that_the_step_was_learned_from(tab):
    from page_alignment import gradient_features

    patch = np.array(Image.fromarray(data.astronaut()[40:200, 150:310]).resize((96, 96)))
    code = """const { first } = finder.describe(picture, estimator.arithmetic);
      return Array.from(estimator.arithmetic.numbers.subarray(first, first + 10 * 10 * 31));"""
    np.testing.assert_allclose(ask(tab, patch, code), gradient_features(patch[None]).ravel(), atol=1e-5)


@pytest.mark.parametrize("scale, turn", [(0.9, 0), (0.31, 20), (2.0, -70)])
def test_crop_is_that_of_ssrlib(tab, scale, turn):
    picture = data.astronaut()[:200, 120:330]
    a, b = scale * np.cos(np.deg2rad(turn)), scale * np.sin(np.deg2rad(turn))
    x, y = 32 - a * 100 + b * 90, 32 - b * 100 - a * 90
    expected = alignment.warp_crop(picture, np.array([[a, -b, x], [b, a, y]]))
    code = "const [a, b, x, y] = more; return Array.from(crop.warp(picture, { a, b, x, y }, 64));"
    pixels = np.array(ask(tab, picture, code, a, b, x, y)).reshape(64, 64, 4)[..., :3]
    assert np.abs(pixels - expected.astype(int)).mean() < 1


@pytest.mark.parametrize("turn", [-12, 0, 12])
def test_face_is_turned_upright(tab, turn):
    picture = np.array(Image.fromarray(portrait()).rotate(turn, Image.Resampling.BILINEAR, fillcolor=(128, 128, 128)))
    points = find_landmarks(picture, detect_faces(picture, threshold=-0.3)[0])
    expected = alignment.alignment_matrix(points, alignment.Crop())
    found = ask(tab, picture, "return estimator.estimate(picture, estimator.find(picture)[0]).transform;")
    angles = np.rad2deg([np.arctan2(found["b"], found["a"]), np.arctan2(expected[1, 0], expected[0, 0])])
    assert abs(angles[0] - angles[1]) < 6
    assert np.hypot(found["a"], found["b"]) == pytest.approx(np.hypot(*expected[:, 0]), rel=0.2)


def test_interval_is_the_conformal_one(tab):
    predictions = records.read_run("faces").predictions
    ages = [-3.0, 4.0, 25.0, 39.9, 64.0, 99.0]
    expected = conformal.predict_intervals(
        predictions.query("split == 'val'"), pd.DataFrame({"prediction": ages}), 0.9, "by predicted decade"
    )
    found = pd.DataFrame(ask(tab, portrait(), "return more.map((age) => estimator.interval(age));", *ages))
    np.testing.assert_allclose(found, expected[["low", "high"]], atol=0.001)


def told(tab, words):
    status = tab.locator("#try > p.answer")
    tab.wait_for_function("words => document.querySelector('#try > p.answer').textContent.includes(words)", arg=words)
    return status.inner_text()


def choose(tab, picture, path):
    Image.fromarray(picture).save(path)
    tab.get_by_label("A picture of yours").set_input_files(path)


def test_a_picture_stays_on_the_page(tab, tmp_path):
    tab.requests.clear()
    tab.context.set_offline(True)
    choose(tab, data.astronaut(), tmp_path / "astronaut.png")
    text = told(tab, "Estimated age")
    tab.locator("#try fieldset", has_text="stage 3").wait_for()
    tab.context.set_offline(False)
    assert text.startswith("One face found.")
    low, high = map(int, re.search(r"90 % interval: (\d+) to (\d+) years", text).groups())
    assert low < float(re.search(r"age: ([\d.]+) years", text)[1]) < high
    assert tab.requests == []


def test_page_shows_what_the_stages_add(tab):
    tab.get_by_role("button", name="An astronaut").click()
    age = float(re.search(r"age: ([\d.]+) years", told(tab, "Estimated age"))[1])
    sums = tab.locator("#try fieldset p", has_text="adds")
    sums.nth(2).wait_for()
    parts = [float(re.search(r"adds (-?[\d.]+)", text)[1]) for text in sums.all_inner_texts()]
    assert len(parts) == 3
    assert sum(parts) == pytest.approx(age, abs=0.2)


def test_box_answers_to_keys_and_pointer(tab):
    tab.get_by_role("button", name="Drawn face 2").click()
    found = told(tab, "One face found.")
    side = tab.get_by_label("Side", exact=True)
    before = tab.locator("#try .box").bounding_box()
    side.focus()
    for _ in range(20):
        side.press("ArrowRight")
    assert "found" not in told(tab, "Estimated age")
    wider = tab.locator("#try .box").bounding_box()
    assert wider["width"] > before["width"] + 10
    assert told(tab, "Estimated age") != found
    tab.mouse.move(wider["x"] + 20, wider["y"] + 20)
    tab.mouse.down()
    tab.mouse.move(wider["x"], wider["y"] + 10, steps=3)
    tab.mouse.up()
    moved = tab.locator("#try .box").bounding_box()
    assert moved["x"] - wider["x"] == pytest.approx(-20, abs=2)
    assert moved["y"] - wider["y"] == pytest.approx(-10, abs=2)
    assert moved["width"] == pytest.approx(wider["width"], abs=2)
    assert int(tab.get_by_label("From left", exact=True).input_value()) > 0


def test_what_is_no_face_is_said(tab, tmp_path):
    choose(tab, np.full((120, 90, 3), 200, np.uint8), tmp_path / "wall.png")
    assert told(tab, "No face found").startswith("No face found. Move the box onto one.")
    assert tab.locator("#try .box").is_visible()
    (tmp_path / "letter.txt").write_text("Dear reader")
    tab.get_by_label("A picture of yours").set_input_files(tmp_path / "letter.txt")
    assert told(tab, "letter.txt").startswith("'letter.txt' is not a picture that this browser can open.")


def test_a_camera_that_is_missing_is_said(tab):
    tab.get_by_role("button", name="Use the camera").click()
    assert told(tab, "There is no camera to use.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_in_use_is_for_everybody(tab, scheme):
    tab.set_viewport_size({"width": 320, "height": 800})
    tab.emulate_media(color_scheme=scheme)
    tab.get_by_role("button", name="An astronaut").click()
    told(tab, "Estimated age")
    tab.locator("#try fieldset", has_text="stage 3").wait_for()
    found = Axe().run(tab, options={"resultTypes": ["violations"], "preload": False}).response["violations"]
    assert [rule["id"] for rule in found if rule["impact"] in ("serious", "critical")] == []
    assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
