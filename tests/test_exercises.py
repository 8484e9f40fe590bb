"""Every solution in code runs and holds what it asserts, with no more of its chapter than it needs."""

import ast
import symtable
import sys

import matplotlib.pyplot as plt
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell
from test_notebooks import NOTEBOOKS, code_cells, is_solution


def names(source):
    """Find the names that a cell gives a value or changes, and those that it reads from the cells before it."""
    given, read = set(), set()
    for statement in ast.parse(source).body:
        new, wanted = names_of(statement)
        read |= wanted - given
        given |= new
    return given, read


def names_of(statement):
    table = symtable.symtable(ast.unparse(statement), "statement", "exec")
    symbols = {symbol.get_name(): symbol for symbol in table.get_symbols()}
    given = {name for name, symbol in symbols.items() if symbol.is_assigned() or symbol.is_imported()}
    read = {name for name, symbol in symbols.items() if symbol.is_referenced()}
    for node in ast.walk(statement):
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):  # changed in place
            given |= names_in(node) & symbols.keys()
        elif isinstance(node, ast.For):
            read -= names_in(node.target)
    inner = table.get_children()
    while inner:  # functions and comprehensions
        scope = inner.pop()
        inner += scope.get_children()
        read |= {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global()}
    # Since Python 3.12 the table of a statement holds the variables of its comprehensions, too.
    targets = [node.target for node in ast.walk(statement) if isinstance(node, ast.comprehension)]
    own = {id(node) for target in targets for node in ast.walk(target)}
    stored = {node.id for node in ast.walk(statement)
              if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in own}  # fmt: skip
    inside = set().union(*map(names_in, targets)) - stored
    return given - inside, read - inside


def names_in(tree):
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def needed(cells):
    """Choose of (source, is a solution) all solutions and the cells before that they rest on."""
    chosen, missing = [], set()
    for source, solves in reversed(cells):
        given, read = names(source)
        if solves or given & missing:
            chosen.insert(0, source)
            missing = missing - given | read
    return chosen


def test_solutions_get_the_cells_that_they_rest_on():
    first = ["import a.b", "x = a.b", "y = 0", "[x for x in y]", "x[0] = 1", "def f():\n    return x", "z = 1"]
    solution, between, last = "z = 0\nz += f()\nfor y in range(z):\n    print(y)", "w = z\nv = 2", "assert w"
    cells = [*((source, False) for source in first), (solution, True), (between, False), (last, True), ("v", False)]
    rested_on = [source for source in first if source not in ("y = 0", "[x for x in y]", "z = 1")]
    assert needed(cells) == [*rested_on, solution, between, last]


@pytest.fixture
def shell():
    """IPython as a kernel has it; it puts itself in the place of the module __main__, which others need."""
    main = sys.modules["__main__"]
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()
    sys.modules["__main__"] = main


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_solutions_hold(name, shell, monkeypatch):
    """On the rung "small", as the book is built; a chapter's other cells run only if a solution reads from them."""
    for variable in ("SSRNET_RUNG", "SSRNET_DATASET", "SSRNET_DATA"):
        monkeypatch.delenv(variable, raising=False)
    plain = TransformerManager().transform_cell
    cells = needed([(plain(cell.source), is_solution(cell)) for cell in code_cells(name)])
    assert cells, "no exercise of this chapter has a solution in code"
    for source in cells:
        shell.run_cell(source).raise_error()
    plt.close("all")
