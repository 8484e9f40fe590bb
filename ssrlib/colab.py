"""What is different on Colab: results last on Drive only, data sets have to be brought along, a GPU is switched on."""

from pathlib import Path

from ssrlib import datasets, downloads

DRIVE = Path("/content/drive")  # where Drive is mounted
DATA = Path("/content/data")  # on the machine's own disk: thousands of small files are slow to read from Drive


def is_here():
    """Tell whether this is Colab."""
    try:
        import google.colab  # noqa: F401
    except ImportError:
        return False
    return True


def mount_drive(*folders):
    """Mount Google Drive if one of these folders lies on it and it is not mounted yet; Colab asks for leave."""
    if any(map(on_drive, folders)) and not (DRIVE / "MyDrive").is_dir():
        from google.colab import drive

        drive.mount(str(DRIVE))


def on_drive(folder):
    """Tell whether a folder lies on Drive, mounted or not."""
    return folder is not None and Path(folder).is_relative_to(DRIVE)


def provide_dataset(name, root=None):
    """Fetch a data set, with a progress bar, unless it is there already.

    Parameters
    ----------
    name : str
        The data set's name.
    root : path, optional
        The folder that holds the data sets, on this machine or on Drive; by default `DATA`.

    Returns
    -------
    str
        The folder that holds the data sets.

    Raises
    ------
    ValueError
        If the data set is not there and no program can fetch it.
    FileExistsError
        If what is there is not the whole data set.
    ConnectionError, OSError
        As `downloads.fetch` does.
    """
    info, root = datasets.find_dataset(name), Path(DATA if root is None else root)
    try:
        datasets.list_pictures(info.name, root)
    except (ValueError, FileNotFoundError):
        if not info.archives:
            raise ValueError(
                f"{info.name} is not in '{root}' and cannot be fetched by a program. {' '.join(info.steps)} "
                f"Then put it on Drive and run '%env SSRNET_DATA={DRIVE}/MyDrive/FOLDER' in a cell above this one."
            ) from None
        downloads.fetch(info.archives, root / info.name)
    return str(root)


def advise(gpu, cache):
    """Say what long training still lacks: a GPU, and a place where its results outlive the machine.

    Parameters
    ----------
    gpu : bool
        Whether a GPU is in use.
    cache : path
        The folder where crops and runs are kept, see `jobs.cache_folder`.

    Returns
    -------
    list of str
        One line a piece of advice.

    Examples
    --------
    >>> advise(gpu=True, cache="/content/drive/MyDrive/ssrlib")
    []
    >>> print(*advise(gpu=False, cache="/content/drive/MyDrive/ssrlib"))
    No GPU is on: choose T4 GPU under Runtime > Change runtime type, then run all cells again.
    """
    lines = []
    if not gpu:
        lines.append("No GPU is on: choose T4 GPU under Runtime > Change runtime type, then run all cells again.")
    if not on_drive(cache):
        lines.append(
            "What is trained here is lost when Colab disconnects. To keep it and go on where it was, run "
            f"'%env SSRNET_CACHE={DRIVE}/MyDrive/ssrlib' in a cell above this one, then this cell again."
        )
    return lines
