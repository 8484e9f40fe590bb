"""Make the site's launch buttons, the links to Colab and the notebooks' install lines name a branch or a tag.

`make release` names the tag of the version in pyproject.toml, `make release REF=main` the branch again. The commit that
gets the tag names it, so that Colab opens and installs just that release.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MENTIONS = r"(?:(colab\.research\.google\.com/github/[^/\s]+/[^/\s]+/blob/)|(git\+https://[^@\s]+@))[\w.-]+"
PLACES = {
    "_config.yml": r"^(  branch: )[\w.-]+",
    "*.md": MENTIONS,
    "book/*.md": MENTIONS,
    "notebooks/*.ipynb": MENTIONS,
}


def name_release(ref, root=ROOT):
    """Name a branch or a tag in the configuration, the pages and the notebooks below a folder."""
    for places, pattern in PLACES.items():
        for path in sorted(root.glob(places)):
            text = path.read_text(encoding="utf-8")
            named = re.sub(pattern, lambda found: found[found.lastindex] + ref, text, flags=re.MULTILINE)
            path.write_text(named, encoding="utf-8")


def version_tag(root=ROOT):
    """Give the tag of the version that stands in pyproject.toml."""
    return "v" + tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


if __name__ == "__main__":
    name_release(sys.argv[1] if sys.argv[1:] else version_tag())
