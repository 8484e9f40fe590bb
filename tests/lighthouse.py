"""Lighthouse's scores of three pages of the built book, at a desk and on a slow phone; fails under 90 of 100.

The desk has a line of 10 Mbit/s, the phone one of 1.6 Mbit/s and a quarter of this machine's speed, whatever that is:
chapter 02 got 91 on one machine and 73 on another. So the phone's performance is printed and fails nothing.

npm puts Lighthouse into a temporary folder; npm itself, with Node 18.16 or newer, and Chromium must be there.
"""

import itertools
import json
import os
import subprocess
import tempfile
from pathlib import Path

import browser
import pandas as pd

VERSION = "12.2.3"  # the next major one wants Node 22
PAGES = ["book/intro.html", "notebooks/00_quickstart.html", "notebooks/02_stagewise.html"]
SCORES = ["performance", "accessibility", "best-practices"]
DEVICES = {"desk": ["--preset=desktop"], "phone": []}
LEAST = 90
MOST_KILOBYTES = 1000  # of the first page


def install(folder: Path) -> Path:
    """Install Lighthouse into a folder and give the path of its program."""
    options = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    subprocess.run(["npm", "install", "--prefix", folder, *options, f"lighthouse@{VERSION}"], check=True)
    return folder / "node_modules" / ".bin" / "lighthouse"


def audit(program: Path, url: str, device: str) -> dict:
    """Give scores (0..100), kilobytes over the wire and seconds until the first contentful paint."""
    flags = [
        "--quiet",
        *DEVICES[device],
        "--output=json",
        f"--only-categories={','.join(SCORES)}",
        "--no-enable-error-reporting",
    ]
    flags += [f"--chrome-flags={' '.join(['--headless=new', *browser.QUIET])}"]
    environment = os.environ | {"CHROME_PATH": browser.find_chromium()}
    answer = subprocess.run([program, url, *flags], env=environment, check=True, capture_output=True, text=True)
    report = json.loads(answer.stdout)
    audits = report["audits"]
    return {name: round(100 * report["categories"][name]["score"]) for name in SCORES} | {
        "kilobytes": round(audits["total-byte-weight"]["numericValue"] / 1000),
        "first paint (s)": round(audits["first-contentful-paint"]["numericValue"] / 1000, 2),
    }


def main():
    if not browser.PAGES:
        raise SystemExit("The book is not built: run `make book` before.")
    with tempfile.TemporaryDirectory() as folder, browser.serve() as address:
        program = install(Path(folder))
        pairs = itertools.product(PAGES, DEVICES)
        table = pd.DataFrame({(page, device): audit(program, address + page, device) for page, device in pairs}).T
    print(table.to_string(float_format="{:g}".format))
    failures = []
    for (page, device), row in table.iterrows():
        for name in SCORES:
            if row[name] < LEAST and (name, device) != ("performance", "phone"):
                failures.append(f"{name} of {page}, {device}: {row[name]:.0f}, less than {LEAST}")
    if table["kilobytes"].iloc[0] > MOST_KILOBYTES:
        failures.append(f"{PAGES[0]} takes more than {MOST_KILOBYTES} kB")
    if failures:
        raise SystemExit("\n".join(failures))


if __name__ == "__main__":
    main()
