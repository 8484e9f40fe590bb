"""Age from one face picture with 40,915 parameters: the helper package of the SSR-Net book.

Pictures of faces come in at `datasets` and `synthetic`, leave `alignment` and `crops` as 64x64 crops, become a model in
`network` and `training`, numbers in `evaluation`, files in `records` and pictures in `figures`.
"""

import os
import platform

# Without it TensorFlow leaves oneDNN off where a processor has no AVX-512, as in most laptops, and trains this book's
# network at a third of the speed. On other architectures it decides by itself.
if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"


def __getattr__(name):
    # On first use, because Keras takes seconds to import and cropping does without.
    if name == "load_authors":
        from ssrlib.authors import load_authors

        return load_authors
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
