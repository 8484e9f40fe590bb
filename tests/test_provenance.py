"""Where a result comes from: the source decides the code version, the imported modules the versions."""

import keras
import numpy as np

from ssrlib import provenance


def test_the_code_version_follows_the_source(tmp_path, monkeypatch):
    import ssrlib

    assert provenance.code_version().startswith(f"{ssrlib.__version__}+")
    versions = []
    for content in ("a = 1\n", "a = 2\n", "a = 1\n"):
        (tmp_path / "provenance.py").write_text(content)
        monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
        versions.append(provenance.code_version())
    assert versions[0] == versions[2] != versions[1]


def test_versions_are_those_of_the_imported_modules():
    versions = provenance.library_versions()
    assert versions["keras"] == keras.__version__ and versions["numpy"] == np.__version__
    assert versions.keys() & {"tensorflow", "tensorflow-cpu", "jax", "torch"}
    assert provenance.processor().strip()
