"""The last step of a build: pages get lighter, and nothing that a reader sees is lost."""

import base64
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pydata_sphinx_theme
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ttLib import TTFont

sys.path.insert(0, str(ROOT / "book" / "_ext"))

import lighten

THEME = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static"
PICTURE = cv2.imencode(".png", np.arange(60, dtype=np.uint8).reshape(5, 4, 3))[1].tobytes()
EMBEDDED = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
PAGE = f"""<html><head>
<script>document.documentElement.dataset.theme = localStorage.getItem("theme") || "auto";</script>
<link href="../_static/styles/pydata-sphinx-theme.css?digest=1" rel="stylesheet" />
<script src="../_static/one.js"></script><script>let before = 1;</script><script data-x="y" src="two.js?v=1"></script>
<script type="application/vnd.jupyter.widget-state+json">{{"state": {{"a": "</p>"}}}}</script>
<script>DOCUMENTATION_OPTIONS.pagename = 'a';</script></head>
<body><img src="logo.png"><i class="fa-solid fa-sun"></i><i class="fa-brands fa-github"></i><article>
<p>text &amp; more</p><img alt="first" src="{EMBEDDED}"><img src="{EMBEDDED}" alt="second" hidden>
<img src="../own.png" alt="third"><img src="../own.png" alt="fourth" width="30"></article></body></html>"""


@pytest.fixture
def site(tmp_path):
    shutil.copytree(THEME, tmp_path / "_static", ignore=shutil.ignore_patterns("*.map", "*.woff2", "fontawesome.js"))
    (tmp_path / "_static" / "styles" / "sphinx-book-theme.css").write_text(".note:before{content:'\\f06a'}")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "a.html").write_text(PAGE, encoding="utf-8")
    (tmp_path / "own.png").write_bytes(PICTURE)
    lighten.lighten(tmp_path)
    return tmp_path


@pytest.fixture
def page(site):
    return BeautifulSoup((site / "notebooks" / "a.html").read_text(encoding="utf-8"), "html.parser")


def test_pictures_become_files_that_say_their_size_and_wait(site, page):
    first, second, third, fourth = page.article.find_all("img")
    for image in (first, second):
        assert (site / "notebooks" / image["src"]).read_bytes() == PICTURE
    assert third["src"] == fourth["src"] == "../own.png"
    for image in (first, second, third):
        assert (image["width"], image["height"]) == ("4", "5")
    assert fourth["width"] == "30" and "height" not in fourth.attrs
    assert [image.get("loading") for image in (first, second, third, fourth)] == [None, "lazy", "lazy", "lazy"]
    assert [image["alt"] for image in page.article.find_all("img")] == ["first", "second", "third", "fourth"]
    assert "hidden" in second.attrs and page.body.img.attrs == {"src": "logo.png"} and page.p.text == "text & more"


def test_scripts_of_the_head_wait_in_their_order(page):
    theme, one, before, two, name = page.head.find_all("script")
    assert (one["src"], two["src"]) == ("../_static/one.js", "two.js?v=1")
    assert all("defer" in script.attrs for script in (one, two)) and two["data-x"] == "y"
    assert before.attrs == {} and before.text == "let before = 1;"
    assert name["type"] == "module" and name.text == "DOCUMENTATION_OPTIONS.pagename = 'a';"
    assert '"auto"' not in theme.text and "prefers-color-scheme: dark" in theme.text


def outlines(path):
    found = {}
    with TTFont(path) as font:
        glyphs = font.getGlyphSet()
        for code, name in font.getBestCmap().items():
            pen = DecomposingRecordingPen(glyphs)
            glyphs[name].draw(pen)
            found[code] = pen.value
    return found


def test_icons_that_are_shown_keep_their_shape_and_no_other_remains(site, page):
    style = site / "notebooks" / page.link["href"]
    text = style.read_text(encoding="utf-8")
    assert ".fa-sun:before" in text and ".fa-github:before" in text and ".fa-hippo:before" not in text
    original = (THEME / "styles" / "pydata-sphinx-theme.css").read_text(encoding="utf-8")
    assert len(text) < 0.85 * len(original) and text.count("@media") == original.count("@media")
    fonts = THEME / "vendor" / "fontawesome" / "webfonts"
    folder = site / "_static" / "vendor" / "fontawesome" / "webfonts"
    (solid,) = folder.glob("fa-solid-900-*.woff")
    (brands,) = folder.glob("fa-brands-400-*.woff")
    assert f"url(../vendor/fontawesome/webfonts/{solid.name}) format" in text and brands.name in text
    cut, whole = outlines(solid), outlines(fonts / "fa-solid-900.ttf")
    assert {0xF185, 0xF06A} <= cut.keys(), "the sun, and what another style sheet shows"
    assert all(cut[code] == whole[code] for code in cut) and len(cut) < 100 < len(whole)
    assert 0xF09B in outlines(brands), "GitHub's mark"


def test_what_is_light_stays_as_it_is(site):
    files = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    lighten.lighten(site)
    assert {path: path.read_bytes() for path in site.rglob("*") if path.is_file()} == files
