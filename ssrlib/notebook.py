"""What every notebook starts with: the device, the rung and the data set, in one line and one object."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass

from skimage import data

from ssrlib import colab, crops, datasets, jobs, pictures, provenance, scoreboard
from ssrlib.backend import import_keras, list_devices

RUNGS = ("read", "small", "full")
SMALL_SET = 3000  # pictures; what two cores crop and learn from within a notebook's two minutes


@dataclass(frozen=True)
class Session:
    """How a notebook runs, as the environment says.

    Attributes
    ----------
    rung : str
        `SSRNET_RUNG`: "read" shows recorded runs, "small" (default) trains in a minute or two, "full" for real.
    dataset : str
        `SSRNET_DATASET`: name of the data set, by default the drawn faces.
    root : str or None
        `SSRNET_DATA`: folder that holds the data sets.
    device : str
    """

    rung: str
    dataset: str
    root: str | None
    device: str

    def crops(self, crop=None):
        """Give the data set's crops, made on first use and kept in the cache folder."""
        limit = None if self.rung == "full" else SMALL_SET
        return crops.prepare_crops(self.dataset, self.root, crop=crop, limit=limit)

    def table(self):
        """List the data set's pictures with all that is known of them, see `datasets.load_table`."""
        return datasets.load_table(self.dataset, self.root)

    def recorded(self):
        """Read the recorded run that belongs to the data set."""
        return scoreboard.shipped_run(self.dataset)

    def train(self, faces, recipe, seed=1):
        """Train, or on the rung "read" fetch the recorded run of the data set.

        A run that was interrupted goes on; one that the same code has finished is not repeated.
        """
        if self.rung == "read":
            return self.recorded()
        from ssrlib import training

        plan = json.dumps([asdict(recipe), faces.record["fingerprint"], len(faces), seed, provenance.code_version()])
        name = f"{self.dataset}-{recipe.name}-{hashlib.sha256(plan.encode()).hexdigest()[:12]}"
        return training.train(faces, recipe, jobs.cache_folder() / "runs" / name, seed)


def photograph(own=None):
    """Give a photograph to try things on.

    Parameters
    ----------
    own : str or Path, optional
        A file of your own; "upload" asks for one, on Colab. Without it, the portrait of the astronaut Eileen Collins
        that scikit-image brings along (NASA, public domain).

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

    Raises
    ------
    ValueError
        If there is no upload because this is not Colab, or nothing was uploaded.
    """
    if own is None:
        return data.astronaut()
    if own != "upload":
        return pictures.read_picture(own)
    try:
        from google.colab import files
    except ImportError:
        raise ValueError("There is an upload on Colab only; name a file instead, as in photograph('me.jpg').") from None
    uploaded = files.upload()
    if not uploaded:
        raise ValueError("Nothing was uploaded; run the cell again, or call photograph() for the astronaut.")
    return pictures.decode(next(iter(uploaded.values())))


def start():
    """Read the environment, import Keras, and print device, rung and data set.

    On Colab, Drive is mounted if `SSRNET_CACHE` or `SSRNET_DATA` lies on it, a data set that is not there is fetched,
    and the rung "full" says what it lacks.

    Returns
    -------
    Session

    Raises
    ------
    ValueError
        If the rung or the data set does not exist, or a real data set is named without a folder.
    FileNotFoundError
        If there is no such folder.
    ConnectionError, OSError
        On Colab, if the data set cannot be fetched, see `colab.provide_dataset`.
    """
    rung = os.environ.get("SSRNET_RUNG", "small")
    if rung not in RUNGS:
        raise ValueError(f"SSRNET_RUNG is '{rung}'; it must be {', '.join(RUNGS)}.")
    dataset = datasets.find_dataset(os.environ.get("SSRNET_DATASET", "drawn")).name
    root = os.environ.get("SSRNET_DATA")
    if colab.is_here():
        colab.mount_drive(root, jobs.cache_folder())
        root = root if dataset == "drawn" else colab.provide_dataset(dataset, root)
    if dataset != "drawn":
        if root is None:
            raise ValueError(f"SSRNET_DATASET is '{dataset}': set SSRNET_DATA to the folder that holds it.")
        datasets.find_folder(datasets.find_dataset(dataset), root)
    import_keras()
    _use_the_books_style()
    session = Session(rung, dataset, root, _device())
    print(f"device: {session.device} | rung: {rung} | data set: {dataset}")
    if colab.is_here() and rung == "full":
        print(*colab.advise("GPU" in session.device, jobs.cache_folder()), sep="\n")
    return session


def _device():
    kinds = [name.split(":")[0] for name in list_devices()]
    if "gpu" in kinds:
        return f"{kinds.count('gpu')} GPU"
    return f"CPU, {os.cpu_count()} cores"


def _use_the_books_style():
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.set_theme(style="whitegrid", palette="colorblind", font_scale=0.9)
    plt.rcParams |= {"figure.constrained_layout.use": True, "figure.figsize": (7, 3.2), "figure.dpi": 110}
