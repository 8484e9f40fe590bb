"""The explorers in a real browser: a page's modules work out what the library does, and everybody can use them."""

import json
import re
import shutil

import ipywidgets
import matplotlib
import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import serve
from bs4 import BeautifulSoup
from conftest import ROOT

matplotlib.use("Agg")

from ssrlib import alignment, explorers, synthetic, widgets

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>One figure</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<link rel="stylesheet" href="../_static/book.css"></head><body><main><h1>One figure</h1>{}</main></body></html>"""
KINDS = ("alignment", "training", "errors")
RNG = np.random.default_rng(4)
AGES = RNG.integers(0, 81, 60).astype(float)
EPOCHS = pd.DataFrame(
    {"age": AGES} | {f"epoch {n + 1}": (AGES + RNG.normal(0, 20 / (n + 1), 60)).round(1) for n in range(4)}
)
FACES = pd.DataFrame({"dataset": ["here", "there"] * 200, "age": RNG.integers(0, 51, 400).astype(float)})
FACES["one"] = (FACES["age"] + RNG.normal(2, 5, 400)).round(2)
FACES["other"] = (FACES["age"] + RNG.normal(-3, 9, 400)).round(2)
PICTURE = synthetic.draw_face(seed=3, index=14, size=256)[0]


@pytest.fixture(scope="module")
def bundles():
    """What each explorer displays; the face is looked for in a few positions only."""
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(widgets, "display", lambda bundle, raw: shown.append(bundle))
        patch.setattr(explorers, "TURNS", range(-20, 21, 20))
        patch.setattr(explorers, "SIZES", (0.85, 1.3))
        explorers.turn_face(PICTURE, size=0.85)
        explorers.scrub_epochs(EPOCHS)
        explorers.errors_by_age(FACES, ["one", "other"], "one", "other", {"here": "Here", "there": "There"})
    return dict(zip(KINDS, shown, strict=True))


@pytest.fixture(scope="module")
def numbers(bundles):
    def read(kind):
        return json.loads(
            BeautifulSoup(bundles[kind]["text/html"], "html.parser").find(class_=f"ssr-{kind}")[f"data-{kind}"]
        )

    return {kind: read(kind) for kind in KINDS}


@pytest.fixture(scope="module")
def address(bundles, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "book" / "_static", folder / "_static")
    (folder / "notebooks").mkdir()
    for kind, bundle in bundles.items():
        (folder / "notebooks" / f"{kind}.html").write_text(PAGE.format(bundle["text/html"]), encoding="utf-8")
    with serve(folder) as address:
        yield address


@pytest.fixture
def visit(browser, address):
    """Open the page of one explorer; nothing may go wrong on it."""
    contexts, trouble = [], []

    def visit(kind, **options):
        contexts.append(browser.new_context(**({"viewport": {"width": 320, "height": 800}} | options)))
        tab = contexts[-1].new_page()
        tab.on("console", lambda message: message.type == "error" and trouble.append(message.text))
        tab.on("pageerror", lambda error: trouble.append(str(error)))
        tab.clock.install()
        tab.goto(f"{address}notebooks/{kind}.html", wait_until="networkidle")
        if options.get("java_script_enabled", True):
            tab.locator(".ready").wait_for()
        return tab

    yield visit
    for context in contexts:
        context.close()
    assert trouble == []


def told(tab):
    return tab.get_by_role("status").inner_text()


def pixels(tab, name):
    read = "canvas => [...canvas.getContext('2d').getImageData(0, 0, 64, 64).data]"
    return np.array(tab.locator(f".{name} canvas").evaluate(read), float).reshape(64, 64, 4)[..., :3]


@pytest.mark.parametrize("kind", KINDS)
def test_everybody_can_use_it(visit, kind):
    tab = visit(kind)
    found = Axe().run(tab, options={"resultTypes": ["violations"], "preload": False}).response["violations"]
    assert [rule["id"] for rule in found] == []
    assert tab.evaluate("document.documentElement.scrollWidth") == 320
    still, live = tab.locator(".ssr-figure > img"), tab.locator(".live")
    assert live.is_visible() and not still.is_visible()
    tab.emulate_media(media="print")
    assert still.is_visible() and not live.is_visible()


@pytest.mark.parametrize("kind", KINDS)
def test_without_scripts_a_still_picture_stands_there(visit, kind):
    assert visit(kind, java_script_enabled=False).locator(".ssr-figure > img").is_visible()


@pytest.mark.parametrize("margin", [0.0, 0.4, 0.75])
def test_the_page_aligns_as_the_library_does(visit, numbers, margin):
    given = numbers["alignment"]
    found = visit("alignment").evaluate(
        """async ([given, margin]) => {
          const { alignmentMatrix } = await import("../_static/alignment.mjs");
          return given.faces.flat().map(({ points }) => alignmentMatrix(points, given, margin));
        }""",
        [given, margin],
    )
    points = [np.array(face["points"]) - 0.5 for row in given["faces"] for face in row]
    crop = alignment.Crop(margin=margin)
    np.testing.assert_allclose(found, [alignment.alignment_matrix(one, crop) for one in points], rtol=0, atol=1e-6)


def test_the_page_crops_as_the_library_does(visit, numbers):
    given = numbers["alignment"]
    tab = visit("alignment")
    for turn, key in ((2, "End"), (0, "Home")):
        tab.get_by_label("turn").press(key)
        view, face = explorers.place_face(PICTURE, given["turns"][turn], 0.85), given["faces"][0][turn]
        matrix = alignment.alignment_matrix(np.array(face["points"]) - 0.5, alignment.Crop())
        for name, crop in (
            ("aligned", alignment.warp_crop(view, matrix)),
            ("box", alignment.crop_box(view, face["box"])),
        ):
            assert np.abs(pixels(tab, name) - crop).mean() < 4, (name, turn)


def test_the_aligned_crop_stays_while_the_face_turns(visit):
    tab = visit("alignment")
    before = {name: pixels(tab, name) for name in ("box", "aligned")}
    tab.get_by_label("turn").focus()
    tab.get_by_label("turn").press("ArrowLeft")
    tab.get_by_label("turn").press("ArrowLeft")
    assert tab.get_by_label("turn").get_attribute("aria-valuetext") == "\N{MINUS SIGN}20°"
    moved = {name: np.abs(pixels(tab, name) - before[name]).mean() for name in before}
    assert moved["aligned"] < moved["box"] / 3


def mean_error(epoch):
    return (EPOCHS[f"epoch {epoch}"] - EPOCHS["age"]).abs().mean()


def test_epochs_are_scrubbed_by_keyboard(visit):
    tab = visit("training")
    slider = tab.get_by_label("epoch")
    slider.focus()
    for epoch in (1, 2, 3, 4):
        assert float(re.search(r"off by ([\d.]+)", told(tab))[1]) == pytest.approx(mean_error(epoch), abs=0.051)
        places = tab.locator("circle:not(.now)").evaluate_all(
            "all => all.map(dot => [+dot.getAttribute('cx'), +dot.getAttribute('cy')])"
        )
        x, y = np.transpose(places)
        assert np.corrcoef(x, EPOCHS["age"])[0, 1] == pytest.approx(1)
        assert np.corrcoef(y, EPOCHS[f"epoch {epoch}"].clip(upper=80))[0, 1] == pytest.approx(-1)
        slider.press("ArrowRight")


def test_play_runs_to_the_last_epoch_and_can_be_stopped(visit):
    tab = visit("training")
    tab.get_by_role("button", name="Play").press("Enter")
    tab.clock.run_for(1000)
    assert told(tab).startswith("After epoch 3")
    tab.get_by_role("button", name="Stop").press("Enter")
    tab.clock.run_for(5000)
    assert told(tab).startswith("After epoch 3")
    tab.get_by_role("button", name="Play").press("Enter")
    tab.clock.run_for(5000)
    assert told(tab).startswith("After epoch 4")
    assert tab.get_by_role("button", name="Play").is_visible()
    tab.get_by_role("button", name="Play").press("Enter")
    assert told(tab).startswith("After epoch 1")


def test_who_wants_no_motion_turns_epochs_by_hand(visit):
    tab = visit("training", reduced_motion="reduce")
    tab.get_by_role("button", name="Next epoch").press("Enter")
    tab.clock.run_for(5000)
    assert told(tab).startswith("After epoch 2")
    assert tab.locator("circle").first.evaluate("dot => getComputedStyle(dot).transitionDuration") == "0s"


def expected(faces, name):
    error = faces[name] - faces["age"]
    return error.abs().mean(), error.mean()


@pytest.mark.parametrize(("dataset", "label"), [(None, "all sets"), ("there", "There")])
def test_errors_by_age_are_those_of_the_faces(visit, dataset, label):
    tab = visit("errors")
    tab.get_by_label("test faces").select_option(label=label)
    tab.get_by_label("age", exact=True).press("ArrowRight")
    tab.get_by_label("window").press("ArrowLeft")
    inside = FACES[FACES["age"].between(31 - 4, 31 + 4) & ((FACES["dataset"] == dataset) | (dataset is None))]
    span, rest = told(tab).replace("\N{MINUS SIGN}", "-").split(" years, ", 1)
    assert span == "27 to 35" and rest.startswith(f"{len(inside)} faces.")
    for name in ("one", "other"):
        mae, bias = re.search(rf"{name}: off by ([\d.]+), bias ([+-]?[\d.]+)", rest).groups()
        found = float(mae), float(bias)
        assert found == pytest.approx(expected(inside, name), abs=0.06)
    tab.get_by_label("beside").select_option("none")
    assert "other" not in told(tab) and tab.locator("polyline").count() == 2
    tab.get_by_label("window").press("Home")
    tab.get_by_label("age", exact=True).press("Home")
    born = FACES[(FACES["age"] == 0) & ((FACES["dataset"] == dataset) | (dataset is None))]
    assert told(tab).startswith(f"0 years, {len(born)} faces.")


def test_a_live_notebook_tells_the_same(monkeypatch):
    made = []
    monkeypatch.setattr(widgets, "display", lambda bundle, raw: None)
    monkeypatch.setattr(widgets, "respond", lambda *given: made.append(given))
    explorers.scrub_epochs(EPOCHS)
    explorers.errors_by_age(FACES, ["one", "other"], "one", "none", {"here": "Here", "there": "There"})
    (*_, controls, draw), (*_, draw_errors) = made
    assert isinstance(controls["epoch"], ipywidgets.IntSlider) and controls["epoch"].max == 4
    figure, said = draw(2)
    np.testing.assert_allclose(figure.axes[0].collections[0].get_offsets()[:, 1], EPOCHS["epoch 2"].clip(upper=80))
    assert f"off by {mean_error(2):.1f}" in said
    inside = FACES[(FACES["dataset"] == "here") & FACES["age"].between(15, 25)]
    _, said = draw_errors("other", "none", "here", 20, 11)
    assert f"{len(inside)} faces; other is off by {expected(inside, 'other')[0]:.1f} years" in said
