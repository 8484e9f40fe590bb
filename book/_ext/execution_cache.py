"""Run a notebook again when something it depends on changed, or when it failed.

jupyter-cache compares a notebook's own code cells and nothing else. So the cache lives in a folder named after
everything else that the outputs come from: change any of it, and Sphinx sees a changed setting, reads all notebooks
anew and finds an empty cache.
"""

import hashlib
import os
import shutil
from pathlib import Path

from sphinx.application import ENV_PICKLE_FILENAME

INPUT_FILES = ("ssrlib/**/*.py", "requirements.txt", "results/**/run.json", "results/*/table.csv")
NO_INPUTS = ("results/executions/table.csv",)  # comes out of running notebooks, and only cards and prose read it
INPUT_VARIABLES = ("SSRNET_RUNG", "SSRNET_DATASET", "SSRNET_DATA")
KEPT = 3  # caches: going back to another branch or rung costs nothing


def fingerprint(root: Path) -> str:
    """Hash what notebooks depend on besides their own cells."""
    digest = hashlib.sha256()
    files = {path for pattern in INPUT_FILES for path in root.glob(pattern)}
    for path in sorted(files - {root / name for name in NO_INPUTS}):
        digest.update(
            f"{path.relative_to(root).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
        )
    for name in INPUT_VARIABLES:
        digest.update(f"{name}={os.environ.get(name, '')}\n".encode())
    return digest.hexdigest()[:16]


def choose_cache(app, config):
    caches = Path(app.outdir).parent / ".jupyter_cache"
    cache = caches / fingerprint(Path(app.srcdir))
    cache.mkdir(parents=True, exist_ok=True)
    cache.touch()
    for old in sorted(caches.iterdir(), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(old)
    config.nb_execution_cache_path = str(cache)


def forget_failed_build(app, exception):
    """Drop what Sphinx read in a build with warnings: the next build would skip the failing page, and pass."""
    if app._warncount:
        Path(app.doctreedir, ENV_PICKLE_FILENAME).unlink(missing_ok=True)


def setup(app):
    app.connect("config-inited", choose_cache)
    app.connect("build-finished", forget_failed_build, priority=900)  # others may still warn before
    return {"parallel_read_safe": True, "parallel_write_safe": True}
