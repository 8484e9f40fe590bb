"""The downloader against a server of our own that does everything a server should not do."""

import hashlib
import io
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ssrlib import downloads
from ssrlib.downloads import Archive, fetch, fetch_file

FILES = {"set/list.txt": b"9.jpg 27\n", "set/pictures/9.jpg": bytes(range(256)) * 3000}


def archive(kind, files=FILES):
    stream = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stream, "w") as packed:
            for name, content in files.items():
                packed.writestr(name, content)
    else:
        with tarfile.open(fileobj=stream, mode={"tar": "w", "tar.xz": "w:xz", "tar.gz": "w:gz"}[kind]) as packed:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                packed.addfile(member, io.BytesIO(content))
    return stream.getvalue()


class Server(ThreadingHTTPServer):
    """Serves `content` in the way that the path's first part names; keeps what was asked and how much was sent."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.requests, self.sent, self.open = b"", [], 0, threading.Event()

    def url(self, way, name="set.zip"):
        return f"http://127.0.0.1:{self.server_address[1]}/{way}/{name}"

    def handle_error(self, *_):
        """A client that hangs up is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server, way = self.server, self.path.split("/")[1]
        server.requests.append((way, self.headers.get("Range")))
        getattr(self, f"answer_{way}")(server.content)

    def send(self, content, length=None, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)
        self.server.sent += len(content)

    def answer_good(self, content):
        self.send(content)

    def answer_half(self, content):
        self.send(content[: len(content) // 2], len(content))
        self.close_connection = True

    def answer_ranges(self, content):
        wanted = self.headers.get("Range")
        if wanted is None:
            return self.answer_half(content)
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        return self.send(content[start:], status=206)

    def answer_slow(self, content):
        """Half, then nothing until the test lets go."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        self.server.open.wait(20)

    def answer_corrupt(self, content):
        self.send(content[:-9] + b"corrupted")

    def answer_redirect(self, content):
        self.send_response(302)
        self.send_header("Location", self.path.replace("redirect", "good"))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer_circle(self, content):
        self.send_response(302)
        self.send_header("Location", self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer_missing(self, content):
        self.send(b"gone", status=404)

    def answer_broken(self, content):
        self.send(b"sorry", status=500)

    def answer_nothing(self, content):
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def answer_hang(self, content):
        self.server.open.wait(20)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        running.content = archive("zip")
        yield running
        running.open.set()
        running.shutdown()
        thread.join()


def published(server, way="good", name="set.zip", kind="sha256"):
    return Archive(server.url(way, name), f"{kind}:{hashlib.new(kind, server.content).hexdigest()}")


def assert_complete(folder):
    found = {f"set/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in folder.rglob("*.*")}
    assert found == FILES


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
@pytest.mark.parametrize("checksum", ["md5", "sha256"])
def test_archives_are_unpacked_and_their_one_folder_is_the_set(server, tmp_path, kind, checksum):
    server.content = archive(kind)
    fetch([published(server, name=f"set.{kind}", kind=checksum)], tmp_path / "deep" / "own")
    assert_complete(tmp_path / "deep" / "own")
    assert {path.name for path in (tmp_path / "deep").iterdir()} <= {"own", ".own.lock"}


def test_a_redirect_is_followed(server, tmp_path):
    fetch([published(server, "redirect")], tmp_path / "own")
    assert_complete(tmp_path / "own")
    assert [way for way, _ in server.requests] == ["redirect", "good"]


@pytest.mark.parametrize(
    ("way", "error", "message"),
    [
        ("half", ConnectionError, "cannot be fetched"),
        ("corrupt", ValueError, "does not have the published checksum"),
        ("circle", ConnectionError, "redirects in a circle"),
        ("missing", ConnectionError, "status 404"),
        ("broken", ConnectionError, "status 500"),
        ("nothing", ConnectionError, "the connection failed"),
        ("hang", ConnectionError, "no answer"),
    ],
)
def test_what_goes_wrong_is_said_in_one_sentence_and_leaves_no_set(server, tmp_path, monkeypatch, way, error, message):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.3)
    with pytest.raises(error, match=message) as raised:
        fetch([published(server, way)], tmp_path / "own")
    assert server.url(way) in str(raised.value)
    assert not (tmp_path / "own").exists()
    # And the next call, with a server that behaves, is not disturbed by what was left behind.
    fetch([published(server)], tmp_path / "own")
    assert_complete(tmp_path / "own")


def test_nobody_at_the_address(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/set.zip"
    with pytest.raises(ConnectionError, match="the connection failed"):
        fetch([Archive(url, "md5:" + 32 * "0")], tmp_path / "own")


def test_the_second_half_is_fetched_after_the_first(server, tmp_path):
    wanted = published(server, "ranges")
    with pytest.raises(ConnectionError):
        fetch([wanted], tmp_path / "own")
    fetch([wanted], tmp_path / "own")
    assert_complete(tmp_path / "own")
    (first, none), (second, wanted) = server.requests
    start = int(wanted.removeprefix("bytes=").removesuffix("-"))
    half = len(server.content) // 2
    # What came after the last whole block is not kept.
    assert (first, second, none) == ("ranges", "ranges", None) and half - downloads.BLOCK < start <= half


def test_a_killed_fetch_leaves_no_set_and_goes_on(server, tmp_path):
    url, checksum = server.url("slow"), published(server).checksum
    program = (
        f"from ssrlib.downloads import *\nfetch([Archive({url!r}, {checksum!r})], Path({str(tmp_path / 'own')!r}))"
    )
    job = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    part = tmp_path / ".own.download" / "set.zip.part"
    half = len(server.content) // 2
    while not part.is_file() or part.stat().st_size < half // downloads.BLOCK * downloads.BLOCK:
        assert job.poll() is None
        time.sleep(0.01)
    job.kill()
    job.wait()
    assert not (tmp_path / "own").exists()
    arrived = part.stat().st_size
    fetch([published(server, "ranges")], tmp_path / "own")
    assert_complete(tmp_path / "own")
    assert arrived > 0 and server.requests[-1] == ("ranges", f"bytes={arrived}-")


def test_a_folder_with_something_in_it_is_left_alone(server, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "diary.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="something in"):
        fetch([published(server)], tmp_path / "own")
    assert (tmp_path / "own" / "diary.txt").read_text() == "mine" and server.requests == []
    assert not (tmp_path / ".own.download").exists()


def test_what_is_no_archive_is_said(server, tmp_path):
    server.content = b"I am a page that says sorry"
    for name in ("set.zip", "set.tar", "set.unknown"):
        with pytest.raises(ValueError, match="cannot be unpacked"):
            fetch([published(server, name=name)], tmp_path / "own")
        assert not (tmp_path / "own").exists()


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", ["../outside.txt", "/tmp/ssrlib-outside.txt", "set/../../outside.txt"])
def test_no_member_leaves_the_folder(server, tmp_path, kind, name):
    server.content = archive(kind, {"set/inside.txt": b"in", name: b"out"})
    try:
        fetch([published(server, name=f"set.{kind}")], tmp_path / "deep" / "own")
    except ValueError as error:
        assert "cannot be unpacked" in str(error)
    assert not list(tmp_path.glob("*.txt")) and not list((tmp_path / "deep").glob("*.txt"))
    assert not (tmp_path / "deep" / ".own.download" / "outside.txt").exists()


def test_one_file_is_fetched_once(server, tmp_path):
    wanted = published(server)
    for _ in range(2):
        path = fetch_file(wanted.url, wanted.checksum, tmp_path / "weights" / "one.h5")
        assert path.read_bytes() == server.content
    assert len(server.requests) == 1
    path.write_bytes(b"damaged")
    fetch_file(wanted.url, wanted.checksum, path)
    assert path.read_bytes() == server.content
    assert [file.name for file in path.parent.iterdir()] == ["one.h5"]
