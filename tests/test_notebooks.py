"""What holds for every notebook as it is stored. The book's build runs them."""

import itertools
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


def is_exercise(cell):
    return cell.cell_type == "markdown" and cell.source.startswith("**Exercise")


def is_solution(cell):
    return cell.cell_type == "code" and "solution" in cell.metadata.get("tags", [])


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


@every_notebook
def test_ends_with_exercises(name):
    cells = NOTEBOOKS[name].cells
    turn = next(i for i, cell in enumerate(cells) if re.search(r"^## Your turn$", cell.source, re.MULTILINE))
    exercises = [cell.source for cell in cells[turn:] if is_exercise(cell)]
    assert 3 <= len(exercises) <= 5
    for number, source in enumerate(exercises, start=1):
        assert source.startswith(f"**Exercise {number}.** ")


@every_notebook
def test_every_exercise_has_a_folded_solution(name):
    """In words below the question, as HTML that the site, Jupyter and Colab fold alike."""
    for cell in filter(is_exercise, NOTEBOOKS[name].cells):
        question, words = cell.source.split("\n\n<details>\n<summary>Solution</summary>\n\n")
        assert question and re.fullmatch(r"[^<]+\n\n</details>", words)


@every_notebook
def test_solutions_in_code_follow_an_exercise_are_folded_and_assert_something(name):
    """The tag folds a cell on the site, `source_hidden` in Jupyter, `cellView` on Colab."""
    cells = NOTEBOOKS[name].cells
    for before, cell in itertools.pairwise(cells):
        if is_solution(cell):
            assert is_exercise(before)
            assert re.search(r"^ *assert ", cell.source, re.MULTILINE)
            assert "hide-cell" in cell.metadata.tags and cell.metadata.mystnb.code_prompt_show == "Solution in code"
            assert cell.metadata.jupyter.source_hidden and cell.metadata.cellView == "form"
    assert sum(map(is_solution, cells)) >= 2
