"""The files around the project: licence, citation, changelog, contributing, hooks and workflows name what there is."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from pybtex.database import parse_file
from test_house import ADDRESS, CONFIG, PROJECT, PYTHONS, ROOT

import ssrlib
from ssrlib.__main__ import main

PROGRAMS = Path(sys.executable).parent
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
FILES = {".bib", ".cff", ".csv", ".ipynb", ".md", ".py", ".toml", ".txt", ".yaml", ".yml"}
READERS_OWN = ("/", "~", "../shared", "_build/")  # folders that are elsewhere, or made by a command
# Read as text: `on` is no truth value there, and 3.10 is not 3.1.
WORKFLOWS = {
    path.stem: yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    for path in sorted(ROOT.glob(".github/workflows/*.yml"))
}


def absent(code: str) -> list[str]:
    """Find the paths, programs, `make` targets and commands of `ssrlib` in code that do not exist."""
    code = re.sub(r"https?://\S+", "", code)
    found = [target for target in re.findall(r"\bmake +([a-z]+)", code) if target not in TARGETS]
    for word in re.findall(r"[\w.~/-]+", code):
        if word.startswith(".venv/bin/"):
            place = PROGRAMS / Path(word).name
        elif word.startswith(READERS_OWN) or not ("/" in word or Path(word).suffix in FILES):
            continue
        else:
            place = ROOT / word.removesuffix("NAME")
        found += [] if place.exists() else [word]
    for command in re.findall(r"python -m ssrlib ([a-z]+)", code):
        with pytest.raises(SystemExit) as stopped:
            main([command, "--help"])
        found += [command] if stopped.value.code else []
    return found


def code_in(text: str) -> str:
    """Give what a Markdown text has as code or links to, line by line."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`]+)`", prose), *re.findall(r"\]\(([^)]+)\)", prose)])


def steps(name: str) -> list[dict]:
    return [step for job in WORKFLOWS[name]["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "LICENSE-text.md", "CHANGELOG.md", "README.md"])
def test_a_page_names_only_what_exists(page, capsys):
    assert absent(code_in((ROOT / page).read_text(encoding="utf-8"))) == []


def test_what_does_not_exist_is_noticed(capsys):
    page = "Run `make tests`, read [it](NEWS.md), see `ssrlib/nothing.py`.\n\n```\npython -m ssrlib fly --far\n```\n"
    assert sorted(absent(code_in(page))) == ["NEWS.md", "fly", "ssrlib/nothing.py", "tests"]
    assert absent(".venv/bin/no-such-program _build/html") == [".venv/bin/no-such-program"]


def test_licences_are_those_of_the_package():
    assert [(ROOT / name).is_file() for name in PROJECT["license-files"]] == [True, True]
    code, text = ((ROOT / name).read_text(encoding="utf-8") for name in PROJECT["license-files"])
    assert code.startswith(f"{PROJECT['license']} License\n")
    for licence in (code, text):
        assert re.search(rf"^Copyright (\(c\) )?{CONFIG['copyright']} {CONFIG['author']}\b", licence, re.MULTILINE)


def test_the_version_is_the_same_everywhere_and_has_an_entry_in_the_changelog():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    entries = re.findall(r"^## \[(\S+)\] - (?:\d{4}-\d\d-\d\d|unreleased)$", changelog, flags=re.MULTILINE)
    assert PROJECT["version"] == ssrlib.__version__ == entries[0]
    assert len(set(entries)) == changelog.count("\n## ")


def test_the_citation_names_this_book():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] == CONFIG["title"]
    assert citation["authors"] == [{"name": CONFIG["author"]}]
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert citation["repository-code"] == ADDRESS == PROJECT["urls"]["Repository"]


def test_the_preferred_citation_is_the_paper_as_the_bibliography_has_it():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["preferred-citation"]
    paper = parse_file(ROOT / "book" / "references.bib").entries["yang2018ssrnet"]
    assert cited["title"] == paper.fields["title"].replace("{", "").replace("}", "")
    assert cited["collection-title"] == paper.fields["booktitle"]
    assert f"{cited['start']}--{cited['end']}" == paper.fields["pages"]
    assert (str(cited["year"]), cited["doi"]) == (paper.fields["year"], paper.fields["doi"])
    authors = [f"{author['family-names']}, {author['given-names']}" for author in cited["authors"]]
    assert authors == [str(person) for person in paper.persons["author"]]


def hooks() -> dict[str, dict]:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local"  # nothing is downloaded
    return {hook["id"]: hook for hook in repository["hooks"]}


def run_hook(name: str, file: Path) -> int:
    program, *arguments = hooks()[name]["entry"].split()
    return subprocess.run([PROGRAMS / program, *arguments, file], capture_output=True).returncode


def test_hooks_are_programs_of_the_environment():
    for hook in hooks().values():
        assert hook["language"] == "system"
        assert shutil.which(hook["entry"].split()[0], path=PROGRAMS)


def test_hooks_bring_files_into_the_form_in_which_they_are_stored(tmp_path):
    stored = ROOT / "notebooks" / "00_quickstart.ipynb"
    notebook = nbformat.read(stored, as_version=4)
    code = next(cell for cell in notebook.cells if cell.cell_type == "code")
    code.outputs, code.execution_count = [nbformat.v4.new_output("stream", text="1")], 1
    nbformat.write(notebook, tmp_path / "run.ipynb")
    assert run_hook("nbstripout", tmp_path / "run.ipynb") == 0
    assert nbformat.read(tmp_path / "run.ipynb", as_version=4) == nbformat.read(stored, as_version=4)
    script = tmp_path / "script.py"
    script.write_text("import os\nx = ( 1 )\n")
    assert run_hook("ruff-check", script) == 1
    assert run_hook("ruff-format", script) == 0
    assert script.read_text() == "import os\n\nx = 1\n"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_names_only_what_exists(name):
    workflow = WORKFLOWS[name]
    assert {"name", "on", "permissions", "jobs"} <= workflow.keys()
    assert workflow["permissions"] == {"contents": "read"}
    assert absent("\n".join(step["run"] for step in steps(name) if "run" in step)) == []
    for step in steps(name):
        assert ("run" in step) != ("uses" in step)
        assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/x@v1"))
        assert step.get("with", {}).get("path", "_build/").startswith("_build/")


def test_the_book_is_tested_on_all_its_pythons_and_published_from_the_main_branch():
    python = next(step for step in steps("book") if "setup-python" in step.get("uses", ""))
    # The last one becomes `python3`, and the book is built with the oldest.
    assert python["with"]["python-version"].split() == PYTHONS[::-1]
    assert WORKFLOWS["book"]["on"]["push"]["branches"] == ["main"]
    deploy = WORKFLOWS["book"]["jobs"]["deploy"]
    assert deploy["if"] == "github.ref == 'refs/heads/main'" and deploy["needs"] == "build"
    assert deploy["permissions"] == {"pages": "write", "id-token": "write"}


@pytest.mark.parametrize(("given", "required"), [({}, "1"), ({"SSRNET_REQUIRE_SHARED": ""}, "")])
def test_reference_files_are_required_unless_somebody_says_otherwise(given, required):
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (line,) = re.findall(r"^export SSRNET_REQUIRE_SHARED=.*$", script, flags=re.MULTILINE)
    clean = {name: value for name, value in os.environ.items() if name != "SSRNET_REQUIRE_SHARED"}
    shell = ["bash", "-c", f'{line}\nprintf %s "$SSRNET_REQUIRE_SHARED"']
    assert subprocess.run(shell, env=clean | given, check=True, capture_output=True, text=True).stdout == required
