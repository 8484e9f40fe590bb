"""Downloads from a server on this machine, which behaves, or fails in each way that servers fail."""

import gzip
import hashlib
import io
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import warnings
import zipfile
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from ssrlib import downloads
from ssrlib.downloads import Archive, fetch, fetch_file

FILES = {"faces/one.txt": b"one", "faces/deep/two.txt": b"two", "labels.csv": random.Random(1).randbytes(400_000)}


def make_zip(files=FILES):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # its date is fixed: two calls give the same bytes
    return stream.getvalue()


def make_tar(files=FILES, compression="", members=()):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{compression}") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in members:
            archive.addfile(member)
    return stream.getvalue()


def make_link(name, target, kind=tarfile.SYMTYPE):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `files` by their paths in the way that `mode` says; notes what was asked and how much was sent."""

    daemon_threads, block_on_close = True, False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.mode, self.ranges, self.sent = {}, "whole", True, 0
        self.requests = []  # (path, Range header or None)
        self.released = Event()

    def add(self, name, content, checksum=None):
        self.files[f"/{name}"] = content
        return Archive(self.address(name), checksum or sha256(content))

    def address(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def handle_error(self, request, client_address):
        pass  # clients that hang up are part of the tests


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        server, mode, asked = self.server, self.server.mode, self.headers["Range"]
        server.requests.append((self.path, asked))
        if mode == "silent":
            return
        if mode == "hang":
            server.released.wait(30)
            return
        if mode == "redirect" and not self.path.startswith("/moved"):
            return self.answer(302, Location=f"/moved{self.path}")
        if mode == "loop":
            return self.answer(302, Location=self.path)
        content = server.files.get(self.path.removeprefix("/moved"))
        if mode.isdigit() or content is None:
            return self.answer(int(mode) if mode.isdigit() else 404)
        if mode == "corrupt":
            content = content[:-1] + bytes([content[-1] ^ 1])
        if mode == "compress" and "gzip" in self.headers["Accept-Encoding"]:
            content = gzip.compress(content)
        start, headers = 0, {"Content-Encoding": "gzip"} if mode == "encoding" else {}
        if asked and server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(content):
                self.answer(416, **{"Content-Range": f"bytes */{len(content)}"})
                return self.wfile.write(b"a page that says so")
            shift = 1 if mode == "shifted" else 0
            headers["Content-Range"] = f"bytes {start - shift}-{len(content) - 1}/{len(content)}"
        body = content[start:]
        if mode != "no length":
            headers["Content-Length"] = len(body)
        self.answer(206 if start else 200, **headers)
        stop = {"half": len(body) // 2, "gate": 4 * 2**16, "stall": 4 * 2**16}.get(mode, len(body))
        self.send(body[:stop])
        if mode in ("gate", "stall"):
            server.released.wait(30)
        if mode == "gate":
            self.send(body[stop:])

    def answer(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()

    def send(self, content):
        self.server.sent += len(content)  # before the client can have it, and go on
        self.wfile.write(content)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server():
    with Server() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "sets" / "faces"


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_one_clear_sentence(error, *parts):
    message = str(error.value)
    assert all(part in message for part in parts), message
    # A single full stop at its end, but for those inside addresses, names and numbers.
    assert "\n" not in message and message.endswith(".") and not re.search(r"\.\s", message), message


def assert_complete(folder, files=FILES):
    """The whole set is there and nothing else is left beside it."""
    assert files_in(folder) == files
    assert os.listdir(folder.parent) == [folder.name]


@pytest.mark.parametrize("hashing", ["md5", "sha256"])
@pytest.mark.parametrize(
    "name, content",
    [
        ("faces.zip", make_zip()),
        ("faces.tar", make_tar()),
        ("faces.tar.gz", make_tar(compression="gz")),
        ("faces.tar.bz2", make_tar(compression="bz2")),
        ("faces.tar.xz", make_tar(compression="xz")),
        ("download", make_tar(compression="xz")),  # the content tells, not the name
        ("faces.zip?download=1", make_zip()),
    ],
    ids=["zip", "tar", "gz", "bz2", "xz", "nameless", "query"],
)
def test_an_archive_is_fetched_and_unpacked(server, folder, name, content, hashing):
    checksum = f"{hashing}:{hashlib.new(hashing, content).hexdigest().upper()}"
    assert fetch([server.add(name, content, checksum)], folder, progress=False) == folder
    assert_complete(folder)
    assert server.requests == [(f"/{name}", None)]


def test_several_archives_fill_one_folder(server, folder):
    archives = [server.add("1/a.zip", make_zip({"a.txt": b"a"})), server.add("2/a.zip", make_zip({"sub/b.txt": b"b"}))]
    folder.mkdir(parents=True)  # empty, so it may be there
    fetch(archives, str(folder), progress=False)
    assert_complete(folder, {"a.txt": b"a", "sub/b.txt": b"b"})


def test_a_folder_around_everything_is_taken_off(server, folder):
    archives = [server.add("a.zip", make_zip({"set/a.txt": b"a"})), server.add("b.zip", make_zip({"set/b.txt": b"b"}))]
    fetch(archives, folder, progress=False)
    assert_complete(folder, {"a.txt": b"a", "b.txt": b"b"})


def test_nothing_is_overwritten(server, folder):
    archive = server.add("faces.zip", make_zip())
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("mine")
    for taken in (folder, folder / "mine.txt"):
        with pytest.raises(FileExistsError) as error:
            fetch([archive], taken)
        assert_one_clear_sentence(error, str(taken), "remove it or name another folder")
    assert_complete(folder, {"mine.txt": b"mine"})
    assert server.requests == []


def test_a_relative_folder_and_a_link_to_an_empty_one(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    archive = server.add("faces.zip", make_zip())
    assert fetch([archive], "faces", progress=False) == tmp_path / "faces"
    assert_complete(tmp_path / "faces")
    (tmp_path / "disk" / "empty").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "empty")
    fetch([archive], "link", progress=False)
    assert (tmp_path / "link").is_symlink()
    assert_complete(tmp_path / "disk" / "empty")


FAILURES = {
    "404": (ConnectionError, "answers 404 Not Found"),
    "500": (ConnectionError, "answers 500 Internal Server Error"),
    "202": (ConnectionError, "answers 202 Accepted"),
    "206": (ConnectionError, "answers 206 Partial Content"),  # though nobody asked for a part
    "silent": (ConnectionError, "closed the connection without an answer"),
    "hang": (ConnectionError, "sent nothing for 0.2 seconds"),
    "stall": (ConnectionError, "sent nothing for 0.2 seconds"),
    "half": (ConnectionError, "broke off"),
    "loop": (ConnectionError, "redirects in circles"),
    "corrupt": (ValueError, "has not the checksum"),
}


@pytest.mark.parametrize("mode", FAILURES)
def test_a_failure_is_one_sentence_and_the_next_call_finishes(server, folder, monkeypatch, mode):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.2)
    archive = server.add("faces.zip", make_zip())
    kind, reason = FAILURES[mode]
    server.mode = mode
    with pytest.raises(kind) as error:
        fetch([archive], folder, progress=False)
    assert_one_clear_sentence(error, archive.url, reason, "try again", "by hand", str(folder))
    assert not folder.exists()
    server.released.set()
    server.mode = "whole"
    fetch([archive], folder, progress=False)
    assert_complete(folder)


def test_a_refused_connection(folder):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, but nobody listens
        archive = Archive(f"http://127.0.0.1:{closed.getsockname()[1]}/faces.zip", sha256(b""))
        with pytest.raises(ConnectionError) as error:
            fetch([archive], folder, progress=False)
    assert_one_clear_sentence(error, archive.url, "cannot be reached", "try again", str(folder))
    assert not folder.exists()


@pytest.mark.parametrize("url", ["faces.zip", "file:///faces.zip", "http://", "http://127.0.0.1:99999/faces.zip"])
def test_an_address_that_is_none(folder, url):
    with pytest.raises(ConnectionError) as error:
        fetch([Archive(url, sha256(b""))], folder, progress=False)
    assert_one_clear_sentence(error, f"'{url}' could not be fetched", "no address of the web", str(folder))


def test_no_archive_at_all(folder):
    with pytest.raises(ValueError) as error:
        fetch([], folder)
    assert_one_clear_sentence(error, "no archive to fetch", str(folder), "by hand")


def test_a_redirect_is_followed(server, folder):
    archive = server.add("faces.zip", make_zip())
    server.mode = "redirect"
    fetch([archive], folder, progress=False)
    assert_complete(folder)
    assert [path for path, _ in server.requests] == ["/faces.zip", "/moved/faces.zip"]


@pytest.mark.parametrize("mode", ["no length", "encoding", "compress"])
def test_servers_that_say_too_little_or_too_much(server, folder, mode):
    server.mode = mode
    fetch([server.add("faces.tar.gz", make_tar(compression="gz"))], folder, progress=False)
    assert_complete(folder)


@pytest.mark.parametrize("mode", ["whole", "redirect"])
def test_of_half_a_file_only_the_rest_is_fetched(server, folder, mode):
    content = make_zip()
    archive = server.add("faces.zip", content)
    server.mode = "half"
    with pytest.raises(ConnectionError):
        fetch([archive], folder, progress=False)
    server.mode, server.requests[:] = mode, []
    arrived = len(content) // 2
    fetch([archive], folder, progress=False)
    assert_complete(folder)
    start = int(server.requests[-1][1].removeprefix("bytes=").removesuffix("-"))
    assert arrived - downloads.CHUNK <= start <= arrived
    assert server.sent == arrived + len(content) - start


@pytest.mark.parametrize("ranges, mode", [(False, "whole"), (True, "shifted")], ids=["no ranges", "another range"])
def test_half_a_file_is_fetched_anew_where_the_rest_cannot_be_had(server, folder, ranges, mode):
    content = make_zip()
    archive = server.add("faces.zip", content)
    server.mode = "half"
    with pytest.raises(ConnectionError):
        fetch([archive], folder, progress=False)
    server.mode, server.ranges, server.sent = mode, ranges, 0
    fetch([archive], folder, progress=False)
    assert_complete(folder)
    assert server.sent >= len(content)


def test_half_of_another_file_is_thrown_away(server, folder):
    archive = server.add("faces.zip", make_zip())
    server.files["/faces.zip"] = bytes(len(make_zip()))
    server.mode = "half"
    with pytest.raises(ConnectionError):
        fetch([archive], folder, progress=False)
    server.mode, server.files["/faces.zip"] = "whole", make_zip()
    with pytest.raises(ValueError, match="has not the checksum"):
        fetch([archive], folder, progress=False)
    fetch([archive], folder, progress=False)
    assert_complete(folder)


def test_more_than_the_whole_file_is_thrown_away(server, folder):
    archive = server.add("faces.zip", make_zip())
    half = folder.parent / ".faces.partial" / f"{archive.checksum.replace(':', '-')}.half"
    half.parent.mkdir(parents=True)
    half.write_bytes(bytes(len(make_zip()) + 1))
    fetch([archive], folder, progress=False)
    assert_complete(folder)
    assert [asked for _, asked in server.requests] == [f"bytes={len(make_zip()) + 1}-", None]


def test_what_was_fetched_whole_is_not_fetched_again(server, folder):
    first, second = server.add("a.zip", make_zip({"a.txt": b"a"})), server.add("b.zip", make_zip({"b.txt": b"b"}))
    missing = server.files.pop("/b.zip")
    with pytest.raises(ConnectionError):
        fetch([first, second], folder, progress=False)
    assert not folder.exists()
    server.files["/b.zip"] = missing
    fetch([first, second], folder, progress=False)
    assert_complete(folder, {"a.txt": b"a", "b.txt": b"b"})
    assert [path for path, _ in server.requests] == ["/a.zip", "/b.zip", "/b.zip"]


@pytest.mark.parametrize("step", ["checking", "unpacking"])
@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_stop_after_the_last_byte_costs_none_of_them(server, folder, monkeypatch, step, links):
    def stop(*_, **__):
        raise KeyboardInterrupt

    def no_link(*_):
        raise PermissionError(1, "Operation not permitted")

    archive = server.add("faces.zip", make_zip())
    if not links:
        monkeypatch.setattr(os, "link", no_link)
    with monkeypatch.context() as patch:
        if step == "checking":
            patch.setattr("pooch.core.hash_matches", stop)
        else:
            patch.setattr(zipfile.ZipFile, "extractall", stop)
        with pytest.raises(KeyboardInterrupt):
            fetch([archive], folder, progress=False)
    assert not folder.exists()
    fetch([archive], folder, progress=False)
    assert_complete(folder)
    again = step == "checking" and not links  # without a second name, pooch removes the only one
    assert server.sent == len(make_zip()) * (2 if again else 1)


FETCH = "import sys; from ssrlib.downloads import *; fetch([Archive(*sys.argv[1:3])], sys.argv[3])"


def start_fetch(archive, folder):
    command = [sys.executable, "-W", "error", "-c", FETCH, archive.url, archive.checksum, str(folder)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_until(condition):
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_a_killed_process_leaves_no_folder_and_the_next_goes_on(server, folder):
    content, kept = make_zip(), 4 * 2**16
    archive = server.add("faces.zip", content)
    server.mode = "gate"
    with start_fetch(archive, folder) as process:
        try:
            place = folder.parent / ".faces.partial"
            wait_until(lambda: [half.stat().st_size for half in place.glob("*.half")] == [kept])
        finally:
            process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not folder.exists()
    server.mode, server.sent, server.requests[:] = "whole", 0, []
    fetch([archive], folder, progress=False)
    assert_complete(folder)
    assert server.requests == [("/faces.zip", f"bytes={kept}-")]
    assert server.sent == len(content) - kept


def test_two_processes_fetch_once(server, folder):
    archive = server.add("faces.zip", make_zip())
    server.mode = "gate"
    with start_fetch(archive, folder) as first:
        wait_until(lambda: server.requests)
        with start_fetch(archive, folder) as second:
            assert second.stderr.readline() == f"Another process is fetching '{folder}'; waiting for it.\n"
            server.released.set()
            assert (second.communicate()[1], second.returncode) == ("", 0)
        bar = first.communicate()[1]
    assert first.returncode == 0
    assert "faces.zip: 100%" in bar and "400k/400k" in bar
    assert_complete(folder)
    assert len(server.requests) == 1


EVIL = {
    "parent": (make_tar({"../evil.txt": b"evil"}), "outside"),
    "deep parent": (make_tar({"a/../../evil.txt": b"evil"}), "outside"),
    "zip parent": (make_zip({"../evil.txt": b"evil"}), "outside"),
    "zip drive": (make_zip({"C:\\evil.txt": b"evil"}), "outside"),
    "zip backslash": (make_zip({"..\\evil.txt": b"evil"}), "outside"),
    "tar absolute": (make_tar({"/tmp/ssrlib-evil.txt": b"evil"}), "outside"),
    "zip absolute": (make_zip({"/tmp/ssrlib-evil.txt": b"evil"}), "outside"),
    "link": (make_tar(members=[make_link("link", "../../evil.txt")]), "outside"),
    "absolute link": (make_tar(members=[make_link("link", "/evil.txt")]), "absolute path"),
    "hard link": (make_tar(members=[make_link("link", "../outside.txt", tarfile.LNKTYPE)]), "outside"),
    "through a link": (make_tar(members=[make_link("up", ".."), make_link("up/evil.txt", "x")]), "outside"),
    "pipe": (make_tar(members=[make_link("pipe", "", tarfile.FIFOTYPE)]), "special file"),
    "device": (make_tar(members=[make_link("device", "", tarfile.CHRTYPE)]), "special file"),
}


@pytest.mark.parametrize("content, reason", EVIL.values(), ids=EVIL)
def test_no_member_leaves_the_folder(server, folder, tmp_path, content, reason):
    archive = server.add("faces", content)
    with pytest.raises(ValueError) as error:
        fetch([archive], folder, progress=False)
    assert_one_clear_sentence(error, archive.url, "cannot be unpacked", reason, str(folder))
    assert not folder.exists()
    assert files_in(tmp_path).keys() <= {"sets/.faces.lock"}
    assert not os.path.exists("/tmp/ssrlib-evil.txt")


def test_a_link_inside_is_fine(server, folder):
    content = make_tar(members=[make_link("faces/again.txt", "one.txt")])
    fetch([server.add("faces.tar", content)], folder, progress=False)
    assert (folder / "faces" / "again.txt").readlink().as_posix() == "one.txt"
    assert_complete(folder, FILES | {"faces/again.txt": b"one"})


def encrypted_zip():
    """A zip whose only member claims to be encrypted."""
    content = bytearray(make_zip({"a.txt": b"a"}))
    content[6] |= 1  # the flags before the member
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and those in the list at the end
    return bytes(content)


def flipped(content, place=300_000):
    return content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]


DAMAGED = {
    "empty": b"",
    "page": b"<html>Please log in.</html>",
    "half a zip": make_zip()[:300_000],
    "half a tar": make_tar()[:300_000],
    "half a gz": make_tar(compression="gz")[:300_000],
    "half a bz2": make_tar(compression="bz2")[:300_000],
    "half an xz": make_tar(compression="xz")[:300_000],
    "bad zip": flipped(make_zip()),
    "bad bz2": flipped(make_tar(compression="bz2")),
    "bad xz": flipped(make_tar(compression="xz")),
    "encrypted": encrypted_zip(),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_an_archive_that_is_none_or_damaged(server, folder, content):
    archive = server.add("faces.zip", content)  # with its right checksum: it was published so
    with pytest.raises(ValueError) as error:
        fetch([archive], folder, progress=False)
    assert_one_clear_sentence(error, archive.url, "cannot be unpacked", "by hand", str(folder))
    assert not folder.exists()
    assert files_in(folder.parent).keys() <= {".faces.lock"}


def test_an_old_python_does_not_unpack_unsafely(server, folder, monkeypatch):
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(ValueError, match=r"takes Python 3\.11\.4 or later"):
        fetch([server.add("faces.tar", make_tar())], folder, progress=False)
    assert not folder.exists()


def test_too_little_room_is_told_before_anything_is_fetched(server, folder, monkeypatch):
    archive = server.add("faces.zip", make_zip())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(5000))
    with pytest.raises(OSError) as error:
        fetch([archive], folder, progress=False)
    assert_one_clear_sentence(error, archive.url, f"{len(make_zip()):,} more bytes", "only 5,000", "make room")
    assert not list(folder.parent.rglob("*.half"))


@pytest.mark.parametrize("step", ["fetching", "unpacking"])
def test_a_full_disk(server, folder, monkeypatch, step):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    archive = server.add("faces.zip", make_zip())
    with monkeypatch.context() as patch:
        if step == "fetching":
            patch.setattr(downloads, "tqdm", full)
        else:
            patch.setattr(zipfile.ZipFile, "extractall", full)
        with pytest.raises(OSError) as error:
            fetch([archive], folder, progress=False)
    assert_one_clear_sentence(error, str(folder), "No space left on device", "try again")
    assert not folder.exists()
    fetch([archive], folder, progress=False)
    assert_complete(folder)


def test_a_place_that_cannot_be_written_to(server, tmp_path):
    (tmp_path / "file").write_text("a file, not a folder")
    with pytest.raises(OSError) as error:
        fetch([server.add("faces.zip", make_zip())], tmp_path / "file" / "faces", progress=False)
    assert_one_clear_sentence(error, str(tmp_path / "file" / "faces"), "try again")
    assert server.requests == []


@pytest.mark.parametrize("checksum", ["", "md5:", "abc", "sha1:" + 40 * "0", "sha256:" + 32 * "0", "md5:" + 32 * "g"])
def test_a_checksum_must_be_one(checksum, tmp_path):
    with pytest.raises(ValueError, match="is no checksum"):
        Archive("http://127.0.0.1/faces.zip", checksum)
    with pytest.raises(ValueError, match="is no checksum"):
        fetch_file("http://127.0.0.1/faces.zip", checksum, tmp_path / "file")


def test_one_file(server, tmp_path, capsys):
    content = FILES["labels.csv"]
    url, checksum = server.add("weights.h5", content).url, sha256(content)
    path = tmp_path / "new" / "weights.h5"
    server.mode = "half"
    with pytest.raises(ConnectionError) as error:
        fetch_file(url, checksum, path, progress=False)
    assert_one_clear_sentence(error, url, "broke off", "try again", f"save it as '{path}'")
    assert not path.exists()
    server.mode = "whole"
    capsys.readouterr()
    assert fetch_file(url, checksum, path) == path
    assert re.search(r"weights\.h5: +\d+%", capsys.readouterr().err)
    assert server.sent < 1.5 * len(content)
    assert fetch_file(url, checksum, str(path)) == path
    assert len(server.requests) == 2
    assert files_in(path.parent) == {"weights.h5": content}


def test_one_file_takes_an_older_ones_place_only_when_it_is_complete(server, tmp_path):
    archive, path = server.add("weights.h5", b"new"), tmp_path / "weights.h5"
    path.write_bytes(b"old")
    for mode in ("404", "half", "corrupt"):
        server.mode = mode
        with pytest.raises((ConnectionError, ValueError)) as error:
            fetch_file(archive.url, archive.checksum, path, progress=False)
        assert_one_clear_sentence(error, archive.url, str(path))
        assert path.read_bytes() == b"old"
    server.mode = "whole"
    fetch_file(archive.url, archive.checksum, path, progress=False)
    assert files_in(tmp_path) == {"weights.h5": b"new"}


def test_one_file_does_not_take_a_folders_place(tmp_path):
    with pytest.raises(FileExistsError) as error:
        fetch_file("http://127.0.0.1/weights.h5", sha256(b""), tmp_path)
    assert_one_clear_sentence(error, str(tmp_path), "is a folder")


def test_without_warnings_and_without_a_bar(server, folder, capsys):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fetch([server.add("faces.tar", make_tar())], folder, progress=False)
    assert caught == []
    assert capsys.readouterr().err == ""
