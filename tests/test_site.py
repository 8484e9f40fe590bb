"""The built book as readers get it: served from this machine and opened in a real browser, page by page."""

import functools
import http.server
import json
import os
import re
import shutil
import threading
import urllib.parse
from pathlib import Path

import numpy as np
import pytest
import yaml
from bs4 import BeautifulSoup
from conftest import ROOT, skip_unless_required
from playwright.sync_api import sync_playwright

from ssrlib.stagewise import SoftStagewiseRegression

SITE = ROOT / "_build" / "html"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html") if "_static" not in path.parts)
NOTEBOOKS = [path.stem for path in sorted(ROOT.glob("notebooks/*.ipynb"))]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
QUIET += ["--disable-sync", "--no-first-run"]
READERS = {
    "desk, light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "phone, dark": {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# What a widget, or any object without a picture of its own, leaves in a page that has no kernel.
BARE_OBJECTS = re.compile(r"(HBox|VBox|Output|interactive|\w*(Slider|Progress|Dropdown|Button))\(|<[\w. ]+ at 0x")

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
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=SITE)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        skip_unless_required("SSRNET_REQUIRE_SITE", f"none of {', '.join(BROWSERS)} is installed, CHROMIUM names none")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield started
        started.close()


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


@every_page
@pytest.mark.parametrize("reader", READERS)
def test_page_opens_without_trouble(visit, page, reader):
    tab, trouble = visit(page, **READERS[reader])
    assert trouble == []
    assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


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
