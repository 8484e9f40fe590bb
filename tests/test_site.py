"""The built book as readers get it: served from this machine and opened in a real browser, page by page."""

import functools
import json
import os
import re
import urllib.parse
from pathlib import Path

import numpy as np
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from browser import PAGES, READERS, SITE, serve
from bs4 import BeautifulSoup
from conftest import ROOT, skip_unless_required

from ssrlib.stagewise import SoftStagewiseRegression

NOTEBOOKS = [path.stem for path in sorted(ROOT.glob("notebooks/*.ipynb"))]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
WIDTHS = {"desk, light": (1280, 768), "phone, dark": (390, 320)}
PAPER = {"width": 720, "height": 1000}  # A4 with margins, at 96 pixels an inch
# What a widget, or any object without a picture of its own, leaves in a page that has no kernel.
BARE_OBJECTS = re.compile(r"(HBox|VBox|Output|interactive|\w*(Slider|Progress|Dropdown|Button))\(|<[\w. ]+ at 0x")
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Boxes in the text that hide a part of what is in them.
CUT_OFF = """overflows => [...document.querySelectorAll("article *")]
  .filter(box => overflows.includes(getComputedStyle(box).overflowX))
  .filter(box => box.clientWidth > 1 && box.scrollWidth > box.clientWidth + 1)
  .map(box => box.outerHTML.slice(0, 200))"""
FILTERED = """[...document.images].filter(image => image.checkVisibility() && getComputedStyle(image).filter != "none")
  .map(image => image.outerHTML.slice(0, 200))"""

every_page = pytest.mark.parametrize("page", PAGES or ["none"])


@pytest.fixture(autouse=True)
def site():
    if not (SITE / "index.html").is_file():
        skip_unless_required("SSRNET_REQUIRE_SITE", "the book is not built: run `make book` before")


@functools.cache
def parsed(page: str) -> BeautifulSoup:
    return BeautifulSoup((SITE / page).read_text(encoding="utf-8"), "html.parser")


@pytest.fixture(scope="session")
def address():
    with serve() as address:
        yield address


@pytest.fixture
def visit(browser, address):
    """Open a page as for the first time; any trouble it had on the way is in the list beside it."""
    contexts = []

    def visit(page, **options):
        contexts.append(browser.new_context(**options))
        tab = contexts[-1].new_page()
        trouble = []
        tab.on("console", lambda message: message.type == "error" and trouble.append(f"console: {message.text}"))
        tab.on("pageerror", lambda error: trouble.append(f"script: {error}"))
        tab.on("requestfailed", lambda request: trouble.append(f"failed: {request.url} ({request.failure})"))
        tab.on("response", lambda answer: answer.status >= 400 and trouble.append(f"{answer.status}: {answer.url}"))

        def note_foreign(request):
            if not request.url.startswith((address, "data:", "blob:")):
                trouble.append(f"another host: {request.url}")

        tab.on("request", note_foreign)
        tab.goto(address + page, wait_until="networkidle")
        return tab, trouble

    yield visit
    for context in contexts:
        context.close()


def find_barriers(tab, **options):
    """What axe finds that keeps somebody from reading the page."""
    # No preload: axe would ask for style sheets at addresses where they are not.
    found = Axe().run(tab, options={"resultTypes": ["violations"], "preload": False} | options).response["violations"]
    return [f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
            for rule in found if rule["impact"] in ("serious", "critical") for node in rule["nodes"]]  # fmt: skip


@every_page
@pytest.mark.parametrize("reader", READERS)
def test_page_is_for_everybody(visit, page, reader):
    """One visit for all that takes a browser: no trouble, no barrier, nothing too wide or cut off, fit for print."""
    tab, trouble = visit(page, **READERS[reader])
    barriers = find_barriers(tab)
    # The other colours, which the page follows as the reader's system changes.
    other = {"light": "dark", "dark": "light"}[READERS[reader]["color_scheme"]]
    tab.emulate_media(color_scheme=other)
    tab.wait_for_selector(f"html[data-theme={other}]", state="attached")
    tab.evaluate("Promise.all(document.getAnimations().map(change => change.finished))")
    barriers += find_barriers(tab, runOnly=["color-contrast"])
    tab.emulate_media(color_scheme="dark")
    filtered = tab.evaluate(FILTERED)
    wide, cut = {}, []
    for width in WIDTHS[reader]:
        tab.set_viewport_size({"width": width, "height": 900})
        wide[width] = tab.evaluate(TOO_WIDE)
        cut += tab.evaluate(CUT_OFF, ["hidden", "clip"])
    assert trouble == []
    assert barriers == []
    assert filtered == []
    assert wide == dict.fromkeys(WIDTHS[reader], 0)
    assert cut == []
    check_print(tab)


def check_print(tab):
    tab.set_viewport_size(PAPER)
    tab.emulate_media(media="print", color_scheme="dark")
    tab.wait_for_selector("html[data-theme=light]", state="attached")
    for beside in tab.locator(".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article").all():
        assert not beside.is_visible()
    assert tab.locator(".bd-article-container").bounding_box()["width"] > 0.9 * PAPER["width"]
    assert tab.evaluate(TOO_WIDE) == 0
    # Paper does not scroll, and nothing on it unfolds.
    assert tab.locator("article details:not([open])").count() == 0
    assert tab.evaluate(CUT_OFF, ["hidden", "clip", "auto", "scroll"]) == []


def test_search_finds_a_word(visit):
    tab, trouble = visit("search.html?q=parameters")
    tab.wait_for_selector("#search-results li a")
    assert trouble == []


@every_page
def test_pictures_say_what_they_show(page):
    for image in parsed(page).find_all("img"):
        # Without a text of its own, a picture gets its file's name.
        if image.find_parent("article"):
            assert image.get("alt") and not image["alt"].endswith(Path(image["src"]).name), image
        else:
            assert "alt" in image.attrs, image


@every_page
def test_page_is_light(page):
    """What `lighten` takes out is not there, and nothing in the head keeps a reader waiting but style sheets."""
    assert not parsed(page).select('article img[src^="data:"]')
    assert not parsed(page).select('script[type$="widget-state+json"]')
    assert not parsed(page).select("head script[src]:not([defer], [async], [type=module])")


@every_page
def test_links_lead_somewhere(page):
    for link in parsed(page).find_all("a", href=True):
        target = urllib.parse.urlsplit(link["href"])
        if target.scheme or link["href"] == "#":
            continue
        path = urllib.parse.unquote(target.path)
        file = (SITE / page).parent / path if path else SITE / page
        assert file.is_file(), link
        if target.fragment and file.suffix == ".html":
            there = parsed(os.path.relpath(file.resolve(), SITE.resolve()))
            assert there.find(id=urllib.parse.unquote(target.fragment)), link


@every_page
def test_no_raw_tex_is_left(page):
    article = parsed(page).find("article")
    if article is None:  # the redirection at the top
        return
    formulas = article.select(".math")
    assert all(formula.find("math") for formula in formulas)
    text = "".join(piece for piece in article.find_all(string=True) if not piece.find_parent(["pre", "code", "script"]))
    for mark in ("$", r"\(", r"\[", r"\begin", r"\frac", "{eq}", "{cite", "{ref}", "{numref}"):
        assert mark not in text


def test_book_has_formulas():
    assert any(parsed(page).select_one("div.math math") for page in PAGES)
    assert any(parsed(page).select_one("div.math .eqno") for page in PAGES)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_opens_in_colab(name):
    repository = CONFIG["repository"]["url"].removeprefix("https://github.com/")
    colab = f"{CONFIG['launch_buttons']['colab_url']}/github/{repository}/blob/{CONFIG['repository']['branch']}"
    links = [link["href"] for link in parsed(f"notebooks/{name}.html").select(".bd-header-article a[href*=colab]")]
    assert set(links) == {f"{colab}/notebooks/{name}.ipynb"}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_outputs_show_themselves_without_a_kernel(name):
    for output in parsed(f"notebooks/{name}.html").select(".cell_output .output"):
        assert not BARE_OBJECTS.match(output.get_text().strip()), output


@every_page
def test_no_output_warns(page):
    for output in parsed(page).select(".cell_output .output"):
        assert "WARNING:" not in output.get_text(), output


@pytest.fixture
def stages(visit):
    """The chapter's first figure with sliders, its numbers, and any trouble."""
    tab, trouble = visit("notebooks/02_stagewise.html", viewport={"width": 390, "height": 844})
    figure = tab.locator(".ssr-stages").first
    figure.locator("fieldset").first.wait_for()
    yield tab, figure, json.loads(figure.get_attribute("data-stages"))
    assert trouble == []


def age_of(numbers):
    heads = [[np.array([stage["p"]]), np.array([stage["eta"]]), np.array([[stage["delta"]]])]
             for stage in numbers["stages"]]  # fmt: skip
    layer = SoftStagewiseRegression(numbers["value_range"], division_floor=numbers["division_floor"])
    return float(layer(heads)[0, 0])


def told(figure):
    return float(re.search(r"Age: (-?[\d.]+) years", figure.get_by_role("status").inner_text())[1])


def test_the_stages_answer_to_the_keyboard_as_the_layer_does(stages):
    _, figure, numbers = stages
    assert told(figure) == pytest.approx(age_of(numbers), abs=0.006)
    moves = (("stage 1, Δ", "delta", 5), ("stage 2, p of bin 1", "p", 3), ("stage 1, η of bin 1", "eta", 4))
    for label, head, keys in moves:
        slider = figure.get_by_label(label, exact=True)
        slider.focus()
        for _ in range(keys):
            slider.press("ArrowRight")
        stage = numbers["stages"][int(label[6]) - 1]
        if head == "delta":
            stage["delta"] += 0.01 * keys
        else:
            stage[head][1] += 0.01 * keys
        assert told(figure) == pytest.approx(age_of(numbers), abs=0.02), label
    delta = figure.get_by_label("stage 1, Δ", exact=True)
    delta.press("Home")
    numbers["stages"][0]["delta"] = -1.0
    assert told(figure) == pytest.approx(age_of(numbers), rel=0.01)


def test_reset_gives_the_stages_their_numbers_back(stages):
    _, figure, numbers = stages
    figure.get_by_label("stage 1, Δ", exact=True).press("End")
    assert told(figure) != pytest.approx(age_of(numbers), abs=1)
    figure.get_by_role("button", name="Reset").click()
    assert told(figure) == pytest.approx(age_of(numbers), abs=0.006)


def test_paper_shows_the_still_picture_of_the_stages(stages):
    tab, figure, _ = stages
    still, live = figure.locator("> img"), figure.locator(".live")
    assert live.is_visible() and not still.is_visible()
    tab.emulate_media(media="print")
    assert still.is_visible() and not live.is_visible()
