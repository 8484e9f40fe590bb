"""The files that must agree with one another: one address, one lock, one table of contents."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ssrlib import scoreboard

ROOT = Path(__file__).resolve().parents[1]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.txt").read_text(encoding="utf-8")
LOCKED = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", LOCK, flags=re.MULTILINE)}

ADDRESS = CONFIG["repository"]["url"]
OWNER, REPOSITORY = ADDRESS.split("/")[-2:]
BRANCH = CONFIG["repository"]["branch"]
PLACES = sorted(
    path
    for pattern in ("*.md", "*.toml", "*.yml", "*.cff", "Makefile", "book/*.md", "notebooks/*.ipynb", "ssrlib/**/*.py")
    for path in ROOT.glob(pattern)
)
PYTHONS = [f"3.{minor}" for minor in range(20) if f"3.{minor}" in SpecifierSet(PROJECT["requires-python"])]


def text_of(path):
    """Text as written: in a notebook, the cells' text without JSON's escapes."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return text


every_place = pytest.mark.parametrize("path", PLACES, ids=lambda path: path.relative_to(ROOT).as_posix())


@every_place
def test_colab_links_lead_to_this_repository(path):
    for link in re.findall(r"colab\.research\.google\.com/github/([^\s)\"'<>\]]+)", text_of(path)):
        start, _, notebook = link.partition(f"/blob/{BRANCH}/")
        assert start == f"{OWNER}/{REPOSITORY}"
        assert (ROOT / notebook).is_file(), f"{notebook} is not there"
        if path.suffix == ".ipynb":
            assert notebook == f"notebooks/{path.name}", "a notebook's own link leads to another one"


@every_place
def test_install_lines_and_links_name_this_repository(path):
    text = text_of(path)
    for link, ref in re.findall(r"git\+(https://[^\s)\"'<>\]@#]+)@?([^\s)\"'<>\]#]*)", text):
        assert (link.removesuffix(".git"), ref) == (ADDRESS, BRANCH)
    for owner, repository in re.findall(r"github\.com/([\w.-]+)/([\w.-]+)", text):
        if OWNER in (owner, repository) or repository.removesuffix(".git") == REPOSITORY:
            assert (owner, repository.removesuffix(".git")) == (OWNER, REPOSITORY)


def test_a_release_is_named_by_its_tag_and_all_else_is_the_main_branch():
    tag = f"v{PROJECT['version']}"
    assert BRANCH in ("main", tag), "run `make release`, or `make release REF=main`"
    asked = subprocess.run(["git", "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    tags = [name for name in asked.stdout.split() if re.match(r"v\d", name)]
    assert tags in ([], [BRANCH]), f"the commit is tagged {tags} and calls itself {BRANCH}; `make release` comes first"


def test_a_release_names_itself_everywhere_and_the_way_back_leaves_no_trace(tmp_path):
    paths = [ROOT / "pyproject.toml", *(path for path in PLACES if path.suffix in (".md", ".ipynb", ".yml"))]
    texts = {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in paths}
    script = tmp_path / "book" / "name_release.py"
    for path, text in texts.items() | {(script.relative_to(tmp_path), (ROOT / "book" / script.name).read_text())}:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    subprocess.run([sys.executable, script], check=True)
    tag, found = f"v{PROJECT['version']}", []
    for path in texts:
        text = text_of(tmp_path / path)
        found += re.findall(r"colab\.research\.google\.com/github/[^/\s]+/[^/\s]+/blob/([^/]+)/", text)
        found += re.findall(r"git\+https://[^@\s]+@([^\s\"]+)", text)
    assert len(found) >= 2 * len(list(ROOT.glob("notebooks/*.ipynb"))) and {*found} == {tag}
    assert yaml.safe_load((tmp_path / "_config.yml").read_text(encoding="utf-8"))["repository"]["branch"] == tag
    subprocess.run([sys.executable, script, BRANCH], check=True)
    assert {path: (tmp_path / path).read_text(encoding="utf-8") for path in texts} == texts


def test_table_of_contents_has_every_notebook_and_only_files_that_exist():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [contents["root"], *(chapter["file"] for part in contents["parts"] for chapter in part["chapters"])]
    missing = [name for name in listed if not any((ROOT / f"{name}{suffix}").is_file() for suffix in (".md", ".ipynb"))]
    assert missing == []
    notebooks = [path.relative_to(ROOT).with_suffix("").as_posix() for path in sorted(ROOT.glob("notebooks/*.ipynb"))]
    assert notebooks == sorted(name for name in listed if name.startswith("notebooks/"))


def test_lock_has_every_direct_dependency():
    listed = sum(PROJECT["optional-dependencies"].values(), start=PROJECT["dependencies"])
    assert {canonicalize_name(Requirement(line).name) for line in listed} <= LOCKED


def test_lock_names_no_addresses_and_hashes_everything():
    assert "://" not in LOCK
    assert not re.search(r"^\s*--(?!hash=sha256:)", LOCK, flags=re.MULTILINE)
    packages = re.split(r"^(?=[a-z])", LOCK, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in package for package in packages)


def test_makefile_knows_the_pythons_of_the_package():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^PYTHON_VERSIONS := (.+)$", makefile, flags=re.MULTILINE)[1].split() == PYTHONS


def test_conda_environment_installs_the_lock_and_pins_nothing_else():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, lock = environment["dependencies"]
    assert python.startswith("python") and SpecifierSet(python.removeprefix("python")) == SpecifierSet(
        PROJECT["requires-python"]
    )
    assert pip == "pip"
    assert lock == {"pip": ["--requirement requirements.txt"]}


def test_readme_opens_every_notebook_on_colab_in_the_order_of_the_book():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    links = re.findall(r"colab\S+/(notebooks/\w+)\.ipynb", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links == [name for name in chapters if name.startswith("notebooks/")]


def test_readme_shows_the_recorded_results():
    assert scoreboard.results_table(ROOT / "results") in (ROOT / "README.md").read_text(encoding="utf-8")
