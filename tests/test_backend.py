"""How Keras comes in: quietly, and as fast as the processor can."""

import os
import platform
import re
import subprocess
import sys
import types
from pathlib import Path

import keras
import pytest

from ssrlib import backend
from ssrlib.recipes import PRECISIONS

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
def test_a_processor_needs_avx_512_for_bfloat16(monkeypatch):
    flags = re.search(r"^flags\s*:(.*)$", CPUINFO.read_text(), re.MULTILINE)[1].split()
    monkeypatch.setattr(backend, "_gpu_capability", lambda: None)
    expected = {"avx512f", "avx512bw", "avx512vl", "avx512dq"} <= set(flags)
    assert backend.supports_precision("mixed_bfloat16") is expected
    assert backend.supports_precision("float32") and not backend.supports_precision("mixed_float16")


@pytest.mark.parametrize(
    ("found", "expected"),
    [(["X86_V3", "X86_V4"], True), (["FMA3", "AVX512_SKX"], True), (["X86_V3"], False), ([], False), (None, False)],
)
def test_numpy_tells_what_the_processor_has(monkeypatch, found, expected):
    told = {} if found is None else {"SIMD Extensions": {"baseline": ["X86_V2"], "found": found}}
    monkeypatch.setattr(backend, "_gpu_capability", lambda: None)
    monkeypatch.setattr(backend.np, "show_config", lambda mode: told)
    assert backend.supports_precision("mixed_bfloat16") is expected


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ((6, 1), ["float32"]),
        ((7, 5), ["float32", "mixed_float16"]),
        ((8, 0), list(PRECISIONS)),
        ((12, 0), list(PRECISIONS)),
    ],
)
@pytest.mark.parametrize("name", ["tensorflow", "jax", "torch"])
def test_a_gpu_has_what_its_compute_capability_says(monkeypatch, name, capability, expected):
    """With GPUs that are made up, as the libraries would tell of them."""
    monkeypatch.setattr(keras.backend, "backend", lambda: name)
    if name == "tensorflow":
        monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [f"the first {kind}"])
        details = {"the first GPU": {"compute_capability": capability}}
        monkeypatch.setattr("tensorflow.config.experimental.get_device_details", details.get)
    elif name == "jax":
        gpu = types.SimpleNamespace(compute_capability="{}.{}".format(*capability))
        monkeypatch.setitem(sys.modules, "jax", types.SimpleNamespace(devices=lambda: [gpu]))
    else:
        cuda = types.SimpleNamespace(is_available=lambda: True, get_device_capability=lambda: capability)
        monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    assert list(filter(backend.supports_precision, PRECISIONS)) == expected


@pytest.mark.parametrize("name", ["tensorflow", "jax", "torch"])
def test_without_a_gpu_there_is_no_compute_capability(monkeypatch, name):
    monkeypatch.setattr(keras.backend, "backend", lambda: name)
    devices = [types.SimpleNamespace(platform="cpu")]
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [])
    monkeypatch.setitem(sys.modules, "jax", types.SimpleNamespace(devices=lambda: devices))
    cuda = types.SimpleNamespace(is_available=lambda: False)
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    assert backend._gpu_capability() is None


@pytest.mark.parametrize(("chosen", "expected"), [(None, "1" if X86 else None), ("0", "0")])
def test_onednn_is_on_unless_the_user_says_otherwise(chosen, expected):
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    environment |= {} if chosen is None else {"TF_ENABLE_ONEDNN_OPTS": chosen}
    code = "import os, ssrlib; print(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))"
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == f"{expected}\n"
