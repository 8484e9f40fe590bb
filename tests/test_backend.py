"""How Keras comes in: quietly, and as fast as the processor can."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ssrlib import backend

CPUINFO = Path("/proc/cpuinfo")
X86 = platform.machine() in ("x86_64", "AMD64")


def test_what_is_printed_below_python_is_silenced_only_while_keras_comes_in(capfd):
    with backend.silent_stderr():
        os.write(2, b"a note of TensorFlow's\n")
    os.write(2, b"a message of ours\n")
    assert capfd.readouterr().err == "a message of ours\n"
    with pytest.raises(ImportError, match="broken"), backend.silent_stderr():
        raise ImportError("broken")
    os.write(2, b"heard again\n")
    assert capfd.readouterr().err == "heard again\n"


@pytest.mark.skipif(not X86 or not CPUINFO.is_file(), reason="only Linux on x86 tells its processor's flags")
def test_16_bits_take_a_gpu_or_avx_512(monkeypatch):
    flags = re.search(r"^flags\s*:(.*)$", CPUINFO.read_text(), re.MULTILINE)[1].split()
    monkeypatch.setattr(backend, "list_devices", lambda: ["cpu:0"])
    assert backend.counts_in_16_bits() == ({"avx512f", "avx512bw", "avx512vl", "avx512dq"} <= set(flags))
    monkeypatch.setattr(backend, "list_devices", lambda: ["gpu:0"])
    assert backend.counts_in_16_bits()


@pytest.mark.parametrize(
    ("found", "expected"),
    [(["X86_V3", "X86_V4"], True), (["FMA3", "AVX512_SKX"], True), (["X86_V3"], False), ([], False), (None, False)],
)
def test_numpy_tells_what_the_processor_has(monkeypatch, found, expected):
    told = {} if found is None else {"SIMD Extensions": {"baseline": ["X86_V2"], "found": found}}
    monkeypatch.setattr(backend, "list_devices", lambda: ["cpu:0"])
    monkeypatch.setattr(backend.np, "show_config", lambda mode: told)
    assert backend.counts_in_16_bits() is expected


@pytest.mark.parametrize(("chosen", "expected"), [(None, "1" if X86 else None), ("0", "0")])
def test_onednn_is_on_unless_the_user_says_otherwise(chosen, expected):
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    environment |= {} if chosen is None else {"TF_ENABLE_ONEDNN_OPTS": chosen}
    code = "import os, ssrlib; print(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))"
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == f"{expected}\n"
