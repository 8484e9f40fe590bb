"""Import Keras without the notes that TensorFlow prints about the processor."""

import contextlib
import logging
import os
import re
import sys

import numpy as np


def import_keras():
    """Import Keras and its backend quietly.

    TensorFlow announces oneDNN on the standard error stream of the process, below Python, and no setting stops it
    but switching oneDNN off, which costs a third of the speed or more. Python's own exceptions and warnings still show.

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


def supports_precision(precision):
    """Say whether the device has instructions for a precision; without, 16 bits take many times as long as 32.

    Parameters
    ----------
    precision : str
        "float32", "mixed_float16" or "mixed_bfloat16".

    Returns
    -------
    bool
        NVIDIA's GPUs multiply float16 from compute capability 7.0 on (T4: 7.5) and bfloat16 from 8.0 on (A100: 8.0).
        A processor needs AVX-512 for TensorFlow's bfloat16, and has nothing for its float16.
    """
    if precision == "float32":
        return True
    if capability := _gpu_capability():
        return capability >= {"mixed_float16": (7, 0), "mixed_bfloat16": (8, 0)}[precision]
    # NumPy 2.4 names the level of the x86 architecture, earlier ones the extension; an empty list is left out.
    found = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return precision == "mixed_bfloat16" and ("X86_V4" in found or "AVX512_SKX" in found)


def _gpu_capability():
    """Find the compute capability of the first GPU, such as (7, 5); None without a GPU of NVIDIA's."""
    backend = import_keras().backend.backend()
    if backend == "torch":
        import torch

        return torch.cuda.get_device_capability() if torch.cuda.is_available() else None
    if backend == "jax":
        import jax

        found = re.fullmatch(r"(\d+)\.(\d+)", getattr(jax.devices()[0], "compute_capability", ""))
        return (int(found[1]), int(found[2])) if found else None
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0]).get("compute_capability") if gpus else None


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
