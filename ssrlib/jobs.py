"""Work through a long list in chunks, in several processes, so that a stopped job goes on where it was."""

import hashlib
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
from filelock import FileLock
from tqdm import tqdm

CHUNK = 250  # items; what a killed job loses at most, for each worker


def cache_folder():
    """Return the folder for what can be made again: `SSRNET_CACHE`, or `~/.cache/ssrlib`."""
    return Path(os.environ.get("SSRNET_CACHE", "~/.cache/ssrlib")).expanduser()


def lock(path, timeout=-1):
    """Let one process at a time work on a file or folder; the lock itself does not lie beside it.

    Parameters
    ----------
    path : Path
    timeout : float
        Seconds to wait for another process, which then raise `filelock.Timeout`; by default for ever.

    Returns
    -------
    filelock.FileLock
        To be used in a `with`.
    """
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16], timeout=timeout)


def map_chunks(function, items, folder, workers=None, title=""):
    """Apply a function to chunks of a list and keep each result in a file.

    A chunk whose file is already there is not worked on again, so the same call after an interruption goes on. Results
    stay on disk: memory does not grow with the list.

    Parameters
    ----------
    function : callable
        Takes a list of items, returns a dict of arrays. With several workers it must be importable from its module.
    items : list
    folder : Path
        Where the results go; made if it does not exist. It must not be used for any other function or list, nor by two
        processes at once.
    workers : int, optional
        Processes; default one for each core, and 1 works in this process.
    title : str
        Stands beside the progress bar.

    Returns
    -------
    list of Path
        `.npz` files, in the order of the items.

    Raises
    ------
    ValueError
        If `workers` is less than 1.
    ChildProcessError
        If a worker was killed from outside.
    """
    workers = os.cpu_count() if workers is None else workers
    if workers < 1:
        raise ValueError(f"The number of worker processes is {workers}; it must be at least 1.")
    folder.mkdir(parents=True, exist_ok=True)
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    files = [folder / f"{number:06d}.npz" for number in range(len(chunks))]
    todo = [(function, chunk, file) for chunk, file in zip(chunks, files, strict=True) if not file.is_file()]
    waiting = sum(len(chunk) for _, chunk, _ in todo)
    # Quick to show its first sign of life, slow enough to stay out of the way of a log file.
    with tqdm(total=len(items), initial=len(items) - waiting, desc=title, unit="picture", mininterval=1) as progress:
        for done in _map(_work, todo, workers):
            progress.update(done)
    return files


def _map(function, jobs, workers):
    """Run jobs in order of their results, in this process or in several."""
    if workers == 1 or len(jobs) <= 1:
        yield from map(function, jobs)
        return
    # Spawned, not forked: a fork of a process that runs TensorFlow's threads can hang.
    with ProcessPoolExecutor(min(workers, len(jobs)), get_context("spawn"), _start_worker) as pool:
        try:
            yield from pool.map(function, jobs)
        except BrokenProcessPool:
            raise ChildProcessError(
                "A worker process was killed, most likely for lack of memory; the same command goes on where it was, "
                "and needs less memory with fewer workers."
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker():
    cv2.setNumThreads(1)  # the processes share the cores already
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends them
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    # A killed parent cannot tell its workers, and they would wait for it for ever.
    parent_process().join()
    os._exit(1)


def _work(job):
    function, items, file = job
    save_arrays(file, function(items))
    return len(items)


def save_arrays(file, arrays):
    """Write a dict of arrays to an `.npz` file, which appears complete or not at all."""
    temporary = file.with_suffix(".tmp")
    with temporary.open("wb") as stream:
        np.savez(stream, **arrays)
    os.replace(temporary, file)
