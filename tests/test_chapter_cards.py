"""The card on a notebook's page says what stands in metadata and record, and when the build ran it."""

import datetime
import sys

import nbformat
import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup
from conftest import ROOT
from sphinx.application import Sphinx

from ssrlib import provenance, records

sys.path.append(str(ROOT / "book" / "_ext"))

import chapter_cards
import execution_cache

CONTENTS = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
ORDER = [CONTENTS["root"], *(chapter["file"] for part in CONTENTS["parts"] for chapter in part["chapters"])]
APPENDED = ["extensions = ['myst_nb', 'chapter_cards']", "nb_execution_mode = 'force'"]


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.stem)
def test_every_notebook_says_what_its_card_needs(path):
    told = nbformat.read(path, as_version=4).metadata.ssrnet
    assert set(told) == {"data", "needs"} and told.data
    # What is to be read before comes before.
    assert all(ORDER.index(page) < ORDER.index(f"notebooks/{path.stem}") for page in told.needs)


def test_a_card_lists_what_is_known():
    noon = datetime.datetime(2026, 3, 9, 12, tzinfo=datetime.UTC).timestamp()
    execution = {"mtime": noon, "runtime": 61.7, "succeeded": True}
    metadata = {"data": "drawn faces", "needs": ["notebooks/a"]}
    assert chapter_cards.describe(metadata, None, execution, {"numpy": "2.4.6", "cffi": "1"}) == [
        ("Read before", ["notebooks/a"]),
        ("Data", "drawn faces"),
        ("Last run", "9 March 2026 in 62 s, with NumPy 2.4.6"),
    ]
    failed = chapter_cards.describe(metadata, "9 s", execution | {"succeeded": False}, {})
    assert [name for name, _ in failed] == ["Read before", "Data", "Takes"]


def write_notebook(path, title, **metadata):
    cells = [nbformat.v4.new_markdown_cell(f"# {title}"), nbformat.v4.new_code_cell("1 + 1")]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel} | metadata), path)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Sphinx and its extensions have their own
def test_pages_get_cards_from_metadata_record_and_build(tmp_path, monkeypatch):
    source = tmp_path / "source"
    monkeypatch.setattr(records, "results_folder", lambda: tmp_path / "results")
    records.write_table(
        "executions", pd.DataFrame({"notebook": ["second"], "seconds": [600.0], "peak_mb": [2340]}), {"cores": 4}
    )
    write_notebook(source / "first.ipynb", "One", ssrnet={"data": "none", "needs": []})
    write_notebook(source / "second.ipynb", "Two", ssrnet={"data": "a few", "needs": ["first", "page"]})
    write_notebook(source / "third.ipynb", "Three")
    (source / "page.md").write_text("# A page\n")
    (source / "index.md").write_text("# Start\n\n```{toctree}\nfirst\nsecond\nthird\npage\n```\n")
    (source / "conf.py").write_text("\n".join(APPENDED))
    warned = open(tmp_path / "warnings", "w+")
    app = Sphinx(source, source, tmp_path / "html", tmp_path / "doctrees", "html", status=None, warning=warned)
    app.build()

    def card(name):
        page = BeautifulSoup((tmp_path / "html" / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
        found = page.select("h1 + dl.chapter-card")
        return {term.text: term.find_next("dd") for term in page.select("dl.chapter-card dt")} if found else None

    assert card("index") is card("page") is card("third") is None
    assert {name: told.text.strip() for name, told in card("first").items() if name != "Last run"} == {
        "Read before": "nothing", "Data": "none"}  # fmt: skip
    second = card("second")
    assert second["Takes"].text.strip() == "10.0 minutes on 4 cores, 2.3 GB of memory"
    assert [(link["href"], link.text) for link in second["Read before"].find_all("a")] == [
        ("first.html", "One"), ("page.html", "A page")]  # fmt: skip
    assert f"with Python {provenance.library_versions()['python']}, " in second["Last run"].text
    assert str(datetime.datetime.now(datetime.UTC).year) in second["Last run"].text
    warned.seek(0)
    assert "third" in (text := warned.read()) and "has no `ssrnet`" in text and text.count("ssrnet") == 1
    warned.close()


def test_a_new_record_of_executions_runs_no_notebook_again(tmp_path):
    for name in ("executions", "cross"):
        (tmp_path / "results" / name).mkdir(parents=True)
    before = execution_cache.fingerprint(tmp_path)
    (tmp_path / "results" / "executions" / "table.csv").touch()
    assert execution_cache.fingerprint(tmp_path) == before
    (tmp_path / "results" / "cross" / "table.csv").touch()
    assert execution_cache.fingerprint(tmp_path) != before
