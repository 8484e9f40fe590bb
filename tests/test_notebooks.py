"""What holds for every notebook as it is stored. The book's build runs them."""

import re
import statistics
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in sorted(ROOT.glob("notebooks/*.ipynb"))}

every_notebook = pytest.mark.parametrize("name", NOTEBOOKS)


def code_cells(name):
    return [cell for cell in NOTEBOOKS[name].cells if cell.cell_type == "code"]


def line_count(cell):
    return sum(bool(line.strip()) for line in cell.source.splitlines())


@every_notebook
def test_is_a_valid_notebook(name):
    nbformat.validate(NOTEBOOKS[name])
    assert NOTEBOOKS[name].metadata.kernelspec.name == "python3"


@every_notebook
def test_name_tells_the_order_and_the_topic(name):
    assert re.fullmatch(r"\d\d_[a-z_]+", name)


@every_notebook
def test_is_stored_without_outputs(name):
    for cell in code_cells(name):
        assert cell.outputs == [] and cell.execution_count is None, f"run nbstripout notebooks/{name}.ipynb"
    assert "widgets" not in NOTEBOOKS[name].metadata


@every_notebook
def test_starts_with_one_title(name):
    first = NOTEBOOKS[name].cells[0]
    assert first.cell_type == "markdown" and first.source.startswith("# ")


def test_first_code_cell_is_the_same_everywhere():
    assert len({code_cells(name)[0].source for name in NOTEBOOKS}) == 1


@every_notebook
def test_no_cell_wants_to_be_a_function(name):
    for cell in code_cells(name):
        assert line_count(cell) <= 30, f"this cell wants to move to ssrlib:\n{cell.source}"


def test_cells_are_short():
    assert statistics.median(line_count(cell) for name in NOTEBOOKS for cell in code_cells(name)) <= 6
