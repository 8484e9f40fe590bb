"""Import Keras without the notes that TensorFlow prints about the processor."""

import contextlib
import logging
import os
import sys

import numpy as np


def import_keras():
    """Import Keras and its backend quietly.

    TensorFlow announces oneDNN on the standard error stream of the process, below Python, and no setting stops it
    but switching oneDNN off, which costs a third of the speed. Python's own exceptions and warnings still show.
    Returns
    -------
    module
        Keras.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "keras" in sys.modules:
        return sys.modules["keras"]
    with silent_stderr():
        import keras
    # Advice on speed, wherever several networks are called one after the other; a notebook would show it as output.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return keras


def list_devices():
    """Name the devices that the backend uses, as "cpu:0" or "gpu:1". Keras itself cannot tell with PyTorch."""
    keras = import_keras()
    if keras.backend.backend() == "torch":
        import torch

        return [f"gpu:{number}" for number in range(torch.cuda.device_count())] or ["cpu:0"]
    return keras.distribution.list_devices()


def counts_in_16_bits():
    """Say whether the device is fit for 16-bit numbers: a GPU, or a processor with AVX-512.

    Any other processor makes each of them a 32-bit one and back: training takes nearly ten times as long as with 32.
    """
    if any(name.startswith("gpu") for name in list_devices()):
        return True
    # NumPy 2.4 names the level of the x86 architecture, earlier ones the extension; an empty list is left out.
    found = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return "X86_V4" in found or "AVX512_SKX" in found


def jit_compile():
    """Say what Keras's `compile` is to be told: TensorFlow cannot compile the warp with XLA, which JAX needs."""
    return False if import_keras().backend.backend() == "tensorflow" else "auto"


@contextlib.contextmanager
def silent_stderr():
    """Hide what libraries below Python print on the standard error stream."""
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
