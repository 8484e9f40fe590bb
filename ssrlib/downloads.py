"""Fetch, check and unpack what has a stable address and a checksum; it appears complete or not at all."""

import lzma
import os
import re
import shutil
import struct
import sys
import tarfile
import zipfile
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PureWindowsPath
from urllib.parse import urlsplit

import pooch
import requests
import urllib3
from filelock import FileLock, Timeout
from tqdm import tqdm

TIMEOUT = 60  # seconds; a server that sends nothing for as long has failed
CHUNK = 2**16  # bytes; what a killed download loses at most
# What Python's unpackers raise for damaged, encrypted, malicious and other files; OSError without a number among them.
BAD_ARCHIVE = (
    ValueError, RuntimeError, OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
    struct.error,
)  # fmt: skip


@dataclass(frozen=True)
class Archive:
    """An archive at a stable address.

    Attributes
    ----------
    url : str
    checksum : str
        "md5:..." or "sha256:...", in hexadecimal digits, as published.

    Raises
    ------
    ValueError
        If the checksum is written in another way.

    Examples
    --------
    >>> Archive("https://example.org/faces.zip", "md5:9e107d9d372bb6826bd81d3542a419d6").url
    'https://example.org/faces.zip'
    >>> Archive("https://example.org/faces.zip", "9e107d9d")
    Traceback (most recent call last):
        ...
    ValueError: '9e107d9d' is no checksum; write md5: and 32, or sha256: and 64 hexadecimal digits.
    """

    url: str
    checksum: str

    def __post_init__(self):
        if not re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", self.checksum, re.IGNORECASE):
            raise ValueError(
                f"'{self.checksum}' is no checksum; write md5: and 32, or sha256: and 64 hexadecimal digits."
            )


def fetch(archives, folder, progress=True):
    """Fetch a data set's archives, check them and unpack them into one new folder.

    The folder appears complete or not at all. Unfinished work stays in a hidden folder beside it, and the same call
    goes on there: what was fetched whole is not fetched again, and of half a file only the rest where the server allows
    that. A second process that fetches the same folder waits for the first. If everything in the archives lies in one
    folder, that becomes `folder`.

    Parameters
    ----------
    archives : sequence of Archive
        Zip or tar, the latter as it is or compressed by gzip, bzip2 or xz. They are removed once unpacked.
    folder : path
        Must not exist yet, or be empty.
    progress : bool
        Show a bar of the bytes fetched.

    Returns
    -------
    Path
        The folder, absolute.

    Raises
    ------
    FileExistsError
        If the folder holds something already.
    ConnectionError
        If the server cannot be reached, falls silent, breaks off or does not have the file.
    ValueError
        If there is nothing to fetch, a checksum is wrong, or an archive is damaged, no archive at all, or would write
        outside the folder.
    OSError
        If the disk is full or not to be written to.
    """
    folder = Path(folder).resolve()
    if not archives:
        raise ValueError(f"There is no archive to fetch into '{folder}'; get the data set by hand.")
    if _holds_something(folder):
        raise FileExistsError(f"'{folder}' is already there and not empty; remove it or name another folder.")
    by_hand = f"get it by hand from the data set's page and unpack it into '{folder}'"
    with _claim(folder) as unfinished:
        if _holds_something(folder):  # the other process, for which this one waited, has fetched it
            return folder
        files = [_download(archive, unfinished, by_hand, progress) for archive in archives]
        unpacked = unfinished / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir()
        try:
            for archive, file in zip(archives, files, strict=True):
                _unpack(archive, file, unpacked, by_hand)
            if folder.is_dir():
                folder.rmdir()
            found = list(unpacked.iterdir())
            whole = found[0] if len(found) == 1 and found[0].is_dir() and not found[0].is_symlink() else unpacked
            whole.rename(folder)
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)
    return folder


def fetch_file(url, checksum, path, progress=True):
    """Fetch one file and check it; if it is already there, nothing is fetched.

    The file appears complete or not at all, in place of a damaged or older one; the same call goes on after an
    interruption, as with `fetch`.

    Parameters
    ----------
    url : str
    checksum : str
        "md5:..." or "sha256:...".
    path : path
        Where the file shall lie.
    progress : bool
        Show a bar of the bytes fetched.

    Returns
    -------
    Path
        The file, absolute.

    Raises
    ------
    FileExistsError
        If there is a folder at `path`.
    ConnectionError, ValueError, OSError
        As `fetch` does.
    """
    archive, path = Archive(url, checksum), Path(path).resolve()
    if not _is_there(path, checksum):
        with _claim(path) as unfinished:
            if not _is_there(path, checksum):
                os.replace(_download(archive, unfinished, f"get it by hand and save it as '{path}'", progress), path)
    return path


def _holds_something(folder):
    return folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))


def _is_there(path, checksum):
    if path.is_dir():
        raise FileExistsError(f"'{path}' is a folder; name a file in it.")
    algorithm, digest = checksum.lower().split(":")
    return path.is_file() and pooch.file_hash(path, algorithm) == digest


@contextmanager
def _claim(target):
    """Give a hidden folder beside the target, to this process alone; it is removed when the work in it is done."""
    unfinished = target.with_name(f".{target.name}.partial")
    lock = FileLock(target.with_name(f".{target.name}.lock"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"Another process is fetching '{target}'; waiting for it.", file=sys.stderr, flush=True)
            lock.acquire()
        try:
            unfinished.mkdir(exist_ok=True)
            yield unfinished
            shutil.rmtree(unfinished, ignore_errors=True)
            # Those who still wait find the target in place, so that this lock has nothing more to guard.
            with suppress(OSError):
                os.unlink(lock.lock_file)
        finally:
            lock.release()
    except OSError as error:
        if error.errno is None:  # not the system's error, but one of this module's
            raise
        raise OSError(
            f"'{target}' could not be fetched ({error.strerror}: '{error.filename or target}'); make sure that you may "
            "write there and that there is room, and try again."
        ) from error


def _download(archive, folder, by_hand, progress):
    """Give the checked file in the folder, fetched if it is not there yet."""
    name = archive.checksum.lower().replace(":", "-")
    half = folder / f"{name}.half"
    pooch.get_logger().setLevel("WARNING")  # it would print where the hidden folder is
    try:
        file = pooch.retrieve(archive.url, archive.checksum, name, folder, downloader=partial(_go_on, half, progress))
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        reason = _reason(error)
        raise ConnectionError(f"'{archive.url}' could not be fetched: {reason}; try again, or {by_hand}.") from error
    except ValueError as error:
        half.unlink(missing_ok=True)
        raise ValueError(
            f"What came from '{archive.url}' has not the checksum {archive.checksum} and was thrown away; "
            f"try again, or {by_hand}."
        ) from error
    half.unlink(missing_ok=True)
    return Path(file)


def _go_on(half, progress, url, file, _=None):
    """Downloader for pooch, whose own begins anew each time: append to what an earlier call has left of the file."""
    have = half.stat().st_size if half.is_file() else 0
    # Compression on the way would make the announced length and the range mean something else than the file's bytes.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        expected = {206: rf"bytes {have}-\d+/(\d+)", 416: rf"bytes \*/({have})"}.get(answer.status_code)
        if have and expected:
            span = re.fullmatch(expected, answer.headers.get("Content-Range", ""))
            if not span:  # the file there has changed, or the server answers something else than it was asked
                half.unlink()
                return _go_on(half, progress, url, file)
            total = int(span[1])
        elif answer.status_code == 200:
            length = answer.headers.get("Content-Length", "")
            have, total = 0, int(length) if length.isdecimal() else None
        else:
            raise requests.HTTPError(f"the server answers {answer.status_code} {answer.reason}")
        if total is not None and total - have > (free := shutil.disk_usage(half.parent).free):
            raise OSError(
                f"'{url}' needs {total - have:,} more bytes and only {free:,} are free beside '{half.parent}'; "
                "make room and try again."
            )
        title = Path(urlsplit(url).path).name
        with (
            half.open("ab" if have else "wb") as output,
            tqdm(total=total, initial=have, desc=title, unit="B", unit_scale=True, disable=not progress) as bar,
        ):
            # Raw: some servers declare a .tar.gz as a compressed .tar, which must not be taken at its word.
            for chunk in answer.raw.stream(CHUNK, decode_content=False) if total != have else ():
                output.write(chunk)
                bar.update(len(chunk))
    # A second name, as pooch removes the first if it is interrupted while it checks.
    os.unlink(file)
    try:
        os.link(half, file)
    except OSError:  # a file system without such names
        os.replace(half, file)


def _reason(error):
    """Say in a few words why a request failed."""
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        return f"the server sent nothing for {TIMEOUT:g} seconds"
    if isinstance(error, ValueError):
        return "this is no address of the web"
    if isinstance(error, requests.TooManyRedirects):
        return "the server redirects in circles"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server does not prove who it is"
    if isinstance(error, requests.ConnectionError):
        closed = any(isinstance(part, urllib3.exceptions.ProtocolError) for part in error.args)
        return "the server closed the connection without an answer" if closed else "the server cannot be reached"
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "the connection broke off"
    return str(error)


def _unpack(archive, file, folder, by_hand):
    """Unpack a checked zip or tar file; no member may lie outside the folder, by its name or through a link."""
    try:
        # Tar first: a tar that ends in a zip passes for a zip as well.
        if tarfile.is_tarfile(file):
            if not hasattr(tarfile, "data_filter"):
                raise ValueError("that takes Python 3.11.4 or later")
            with tarfile.open(file) as members:
                members.extractall(folder, filter=_inside)
        elif not zipfile.is_zipfile(file):
            raise ValueError("it is neither a zip nor a tar archive, or damaged at its start or end")
        else:
            with zipfile.ZipFile(file) as members:
                for name in members.namelist():
                    _refuse_outside(name)
                members.extractall(folder)
    except BAD_ARCHIVE as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's fault, not the archive's
            raise
        file.unlink()
        raise ValueError(f"What came from '{archive.url}' cannot be unpacked: {error}; {by_hand}.") from error


def _inside(member, folder):
    _refuse_outside(member.name)
    return tarfile.data_filter(member, folder)


def _refuse_outside(name):
    # Windows reads both kinds of separator and drives, so what passes there passes everywhere.
    path = PureWindowsPath(name)
    if path.anchor or ".." in path.parts:
        raise ValueError(f"its member '{name}' would lie outside the folder")
