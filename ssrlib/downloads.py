"""Files from public addresses: fetched, checked, unpacked; complete or not there at all."""

import os
import shutil
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests
from filelock import FileLock
from tqdm import tqdm

TIMEOUT = 30  # seconds without a byte after which a server is given up
BLOCK = 2**18  # bytes


@dataclass(frozen=True)
class Archive:
    """An archive at a stable address.

    Attributes
    ----------
    url : str
    checksum : str
        "md5:..." or "sha256:...", as published.
    """

    url: str
    checksum: str


def fetch(archives, folder):
    """Fetch, check and unpack archives into a new folder.

    A fetch that was stopped goes on where it was. The folder appears complete or not at all. If everything in the
    archives lies in one folder, that becomes `folder`.

    Parameters
    ----------
    archives : sequence of Archive
    folder : Path
        Must not exist yet, or be empty.

    Raises
    ------
    FileExistsError
        If there is something in the folder already.
    ConnectionError
        If a file cannot be fetched.
    ValueError
        If what came is not what was published, or cannot be unpacked.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    workplace = folder.with_name(f".{folder.name}.download")
    workplace.mkdir(exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if folder.is_dir() and any(folder.iterdir()):
            workplace.rmdir()
            raise FileExistsError(f"There is something in '{folder}' already; remove it, or use it as it is.")
        unpacked = workplace / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)
        files = [fetch_file(archive.url, archive.checksum, workplace / _file_name(archive.url)) for archive in archives]
        for file in files:
            _unpack(file, unpacked)
        found = list(unpacked.iterdir())
        whole = found[0] if len(found) == 1 and found[0].is_dir() else unpacked
        if folder.is_dir():
            folder.rmdir()
        os.replace(whole, folder)
        shutil.rmtree(workplace)


def fetch_file(url, checksum, path):
    """Fetch one file, unless it is there already with the right checksum.

    Parameters
    ----------
    url : str
    checksum : str
        "md5:..." or "sha256:...".
    path : Path
        Where it goes. What has arrived of a stopped fetch waits beside it, in a file that ends in `.part`.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ConnectionError
        If it cannot be fetched.
    ValueError
        If what came has another checksum.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    pooch.get_logger().setLevel("WARNING")

    def download(url, output_file, _):
        try:
            _download(url, part)
        except requests.RequestException as error:
            raise ConnectionError(
                f"'{url}' cannot be fetched ({_reason(error)}); try again later (it goes on where it was), or fetch "
                "the file by hand."
            ) from None
        os.replace(part, output_file)

    if path.is_file() and not pooch.hashes.hash_matches(path, checksum):
        path.unlink()
    try:
        pooch.retrieve(url, checksum, fname=path.name, path=path.parent, downloader=download)
    except ValueError:
        raise ValueError(
            f"What came from '{url}' does not have the published checksum {checksum}; nothing was kept. Try again, or "
            "look at the set's page for a new release."
        ) from None
    return path


def _download(url, part):
    """Append to a partial file until it is complete."""
    start = part.stat().st_size if part.is_file() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(url, stream=True, timeout=TIMEOUT, headers=headers) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            return  # it was complete; the checksum will tell
        answer.raise_for_status()
        if answer.status_code != requests.codes.partial_content:
            start = 0
        length = answer.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        options = {"desc": _file_name(url), "unit": "B", "unit_scale": True, "mininterval": 1}
        with part.open("ab" if start else "wb") as file, tqdm(total=total, initial=start, **options) as progress:
            for block in answer.iter_content(BLOCK):
                file.write(block)
                progress.update(len(block))
    if total is not None and part.stat().st_size < total:
        raise requests.ConnectionError("the connection ended early")


def _unpack(file, folder):
    folder.mkdir(exist_ok=True)
    safely = {} if file.suffix == ".zip" else {"filter": "data"}  # shutil itself keeps a zip's members inside
    try:
        shutil.unpack_archive(file, folder, **safely)
    except (shutil.ReadError, tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"'{file}' cannot be unpacked ({error}); look at the set's page for a new release.") from error


def _file_name(url):
    return url.partition("?")[0].rsplit("/", 1)[-1]


def _reason(error):
    if isinstance(error, requests.Timeout):
        return "no answer"
    if isinstance(error, requests.TooManyRedirects):
        return "it redirects in a circle"
    if isinstance(error, requests.HTTPError):
        return f"status {error.response.status_code}"
    return "the connection failed"
