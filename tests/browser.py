"""The built book on an address of this machine, and the Chromium that opens it: for the tests, pictures and scores."""

import contextlib
import functools
import gzip
import http.server
import os
import shutil
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

SITE = Path(__file__).resolve().parents[1] / "_build" / "html"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html") if "_static" not in path.parts)
READERS = {
    "desk, light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "phone, dark": {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
}
NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
QUIET += ["--disable-sync", "--no-first-run"]
TEXT = {".css", ".html", ".js", ".json", ".mjs", ".svg", ".txt"}


class Host(http.server.SimpleHTTPRequestHandler):
    """Sends text compressed and keeps connections, as every host of static pages does."""

    protocol_version = "HTTP/1.1"
    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}

    def do_GET(self):
        file = Path(self.translate_path(self.path))
        if file.suffix not in TEXT or not file.is_file():
            return super().do_GET()
        body = gzip.compress(file.read_bytes())
        self.send_response(http.HTTPStatus.OK)
        self.send_header("Content-Type", self.guess_type(file))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serve(folder=SITE):
    """Give the address of the built book, or of another folder, with a slash at its end."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Host, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def find_chromium():
    """Find the browser: the one that CHROMIUM names or one on the path; FileNotFoundError if there is none."""
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        raise FileNotFoundError(f"None of {', '.join(NAMES)} is installed, and CHROMIUM names none.")
    return program


@contextlib.contextmanager
def start_chromium():
    """Give a running Chromium, see playwright's `Browser`."""
    program = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()
