"""Lighthouse's scores of three pages of the built book, at a desk and on a slow phone; fails under 90 of 100.

The desk has a line of 10 Mbit/s, the phone one of 1.6 Mbit/s and a slow processor: this machine is held back as much as
its own speed asks for, see Lighthouse's docs/throttling.md. As that speed goes up and down with whatever else runs
here, a score is the median of three, and the phone's performance may fall to 80.

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
RUNS = 3
PHONE_SPEED = 1750 / 4  # by Lighthouse's benchmark, which gives 1500 to 2000 on the desk that it slows down four times
LEAST = 90
LEAST_ON_PHONE = 80  # of performance
MOST_KILOBYTES = 1000  # of the first page


def install(folder: Path) -> Path:
    """Install Lighthouse into a folder and give the path of its program."""
    options = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    subprocess.run(["npm", "install", "--prefix", folder, *options, f"lighthouse@{VERSION}"], check=True)
    return folder / "node_modules" / ".bin" / "lighthouse"


def audit(program: Path, url: str, *options: str) -> dict:
    """Give scores (0..100), kilobytes over the wire, seconds until the first contentful paint, this machine's speed."""
    flags = [
        "--quiet",
        *options,
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
        "speed": report["environment"]["benchmarkIndex"],
    }


def audit_all(program: Path, address: str) -> pd.DataFrame:
    """Give the median of every page's values on every device."""
    speed = audit(program, address + PAGES[0])["speed"]
    slowdown = f"--throttling.cpuSlowdownMultiplier={max(1, speed / PHONE_SPEED):.1f}"
    flags = {"desk": ["--preset=desktop"], "phone": [slowdown]}
    print(f"This machine's benchmark gives {speed:.0f}: {slowdown}")
    runs = itertools.product(PAGES, flags, range(RUNS))
    values = pd.DataFrame({run: audit(program, address + run[0], *flags[run[1]]) for run in runs}).T
    return values.groupby(level=[0, 1], sort=False).median()


def main():
    if not browser.PAGES:
        raise SystemExit("The book is not built: run `make book` before.")
    with tempfile.TemporaryDirectory() as folder, browser.serve() as address:
        program = install(Path(folder))
        table = audit_all(program, address)
    print(table.to_string(float_format="{:g}".format))
    failures = []
    for (page, device), row in table.iterrows():
        for name in SCORES:
            least = LEAST_ON_PHONE if (name, device) == ("performance", "phone") else LEAST
            if row[name] < least:
                failures.append(f"{name} of {page}, {device}: {row[name]:.0f}, less than {least}")
    if table["kilobytes"].iloc[0] > MOST_KILOBYTES:
        failures.append(f"{PAGES[0]} takes more than {MOST_KILOBYTES} kB")
    if failures:
        raise SystemExit("\n".join(failures))


if __name__ == "__main__":
    main()
