"""Every solution in code runs and holds what it asserts, with no more of its chapter than it needs."""

import ast
import symtable

import matplotlib.pyplot as plt
import pytest
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
    return given, read


def names_in(tree):
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def needed(cells):
    """Choose of a list of sources, from the last one backwards, those that the last one rests on."""
    chosen, missing = [], set()
    for source in reversed(cells):
        given, read = names(source)
        if not chosen or given & missing:
            chosen.insert(0, source)
            missing = missing - given | read
    return chosen


def sources(name):
    """List a notebook's code as plain Python, each with whether it is a solution."""
    plain = InteractiveShell.instance().input_transformer_manager.transform_cell
    return [(plain(cell.source), is_solution(cell)) for cell in code_cells(name)]


def solutions():
    for name in NOTEBOOKS:
        cells = sources(name)
        for number, end in enumerate((i for i, (_, solves) in enumerate(cells, 1) if solves), start=1):
            yield pytest.param([source for source, _ in cells[:end]], id=f"{name}-{number}")


def test_a_solution_gets_the_cells_that_it_rests_on():
    rests_on = ["import a.b", "x = a.b", "x[0] = 1", "def f():\n    return x"]
    does_not = ["y = 0", "[x for x in y]", "z = 1"]
    solution = "z = 0\nz += f()\nfor y in range(z):\n    print(y)"
    cells = [*rests_on[:2], *does_not, *rests_on[2:], solution]
    assert needed(cells) == [*rests_on, solution]


@pytest.mark.slow
@pytest.mark.parametrize("cells", list(solutions()))
def test_a_solution_holds(cells, monkeypatch):
    """On the rung "small", as the book is built; a chapter's earlier cells run only if a solution reads from them."""
    for variable in ("SSRNET_RUNG", "SSRNET_DATASET", "SSRNET_DATA"):
        monkeypatch.delenv(variable, raising=False)
    shell = InteractiveShell.instance()
    shell.reset(new_session=False)
    for source in needed(cells):
        shell.run_cell(source).raise_error()
    plt.close("all")
