"""What can run the network in a browser: bytes over the wire and milliseconds, in Chromium.

    npm install @tensorflow/tfjs-core @tensorflow/tfjs-backend-cpu @tensorflow/tfjs-backend-wasm onnxruntime-web esbuild
    python benchmarks/runtimes.py node_modules MODEL.onnx

records results/runtimes. The packages stay in a folder of their own: the book needs none of them. MODEL.onnx is the
network `faces`, written by `python -m ssrlib export`.
"""

import base64
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from ssrlib import synthetic, weights
from ssrlib.alignment import crop_face
from ssrlib.backend import import_keras

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "benchmarks" / "runtimes"
RUNTIMES = {
    "page": "the page: JavaScript and one function in WebAssembly",
    "plain": "the page's forward pass in JavaScript alone",
    "tfjs-cpu": "TensorFlow.js core, in JavaScript",
    "tfjs-wasm": "TensorFlow.js core, in WebAssembly",
    "onnxruntime": "ONNX Runtime Web, in WebAssembly",
}
BUNDLED = ("tfjs-cpu", "tfjs-wasm", "onnxruntime")
LARGE = ("tfjs-backend-wasm/dist/*.wasm", "onnxruntime-web/dist/ort-wasm-simd-threaded.*")
ROUNDS, REPEATS = 5, 40
MEASURE = """async ([name, faces, repeats]) => {
  const all = Float32Array.from(atob(faces), (letter) => letter.charCodeAt(0));
  const started = performance.now();
  window[name] ??= await (await import(`/${name}.mjs`)).load();
  const ages = [];
  let first;
  for (let start = 0; start < all.length; start += 12288) {
    ages.push(await window[name](all.slice(start, start + 12288)));
    first ??= performance.now() - started;
  }
  const pixels = all.slice(0, 12288);
  const times = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    const from = performance.now();
    await window[name](pixels);
    times.push(performance.now() - from);
  }
  return { ages, first, times };
}"""


def build(site, node_modules, onnx):
    """Put everything that a runtime loads into a folder, its scripts bundled and minified by esbuild."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "book" / "_ext")]
    import try_page

    try_page.copy_static(site)
    try_page.write_assets(site / "try")
    (site / "index.html").write_text("<!doctype html>")
    shutil.copy(onnx, site / "model.onnx")
    for pattern in LARGE:
        for file in node_modules.glob(f"**/{pattern}"):
            shutil.copy(file, site)
    for name in RUNTIMES:
        if name not in BUNDLED:
            shutil.copy(SCRIPTS / f"{name}.mjs", site)
            continue
        command = [node_modules / ".bin" / "esbuild", SCRIPTS / f"{name}.mjs", "--bundle", "--minify", "--format=esm"]
        path = {"NODE_PATH": str(node_modules.resolve())}
        outfile = f"--outfile={site / name}.mjs"
        subprocess.run([*command, "--log-level=error", outfile], check=True, env=os.environ | path)


def wire_bytes(site, addresses):
    """Sum up what a host sends that compresses everything."""
    paths = {urlsplit(address).path.lstrip("/") for address in addresses} - {"", "favicon.ico"}
    return sum(len(gzip.compress((site / path).read_bytes())) for path in paths)


def encode(pixels):
    """Turn bytes into a text: lists of numbers take a browser minutes."""
    return base64.b64encode(pixels.tobytes()).decode()


def measure(site, faces):
    """Time each runtime, first in a page of its own and then in turns."""
    import browser

    rows = []
    with browser.serve(site) as address, browser.start_chromium() as chromium:
        tabs = {}
        for name in RUNTIMES:
            tabs[name] = chromium.new_page()
            loaded = []
            tabs[name].goto(address)
            tabs[name].on("request", lambda request, loaded=loaded: loaded.append(request.url))
            answer = tabs[name].evaluate(MEASURE, [name, encode(faces), 10])
            rows.append({"ages": answer["ages"], "bytes": wire_bytes(site, loaded), "first_ms": answer["first"]})
        times = {name: [] for name in RUNTIMES}
        for _ in range(ROUNDS):
            for name, tab in tabs.items():
                times[name] += tab.evaluate(MEASURE, [name, encode(faces[:1]), REPEATS])["times"]
    for row, (name, measured) in zip(rows, times.items(), strict=True):
        row |= {"median_ms": np.median(measured), "fastest_ms": min(measured), "runtime": RUNTIMES[name]}
    return rows


if __name__ == "__main__":
    import_keras()
    from ssrlib import records

    node_modules, onnx = (Path(argument) for argument in sys.argv[1:])
    model, crop, _ = weights.load_model("faces")
    images = np.stack([crop_face(synthetic.draw_face(5, number, 160)[0], crop)[0] for number in range(20)])
    ages = model.predict(images, verbose=0)[:, 0]
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), node_modules, onnx)
        rows = measure(Path(folder), images)
    for row in rows:
        row["largest_difference"] = np.abs(np.array(row.pop("ages")) - ages).max()
    columns = ["runtime", "bytes", "first_ms", "median_ms", "fastest_ms", "largest_difference"]
    table = pd.DataFrame(rows)[columns]
    print(table.round(4).to_string())
    about = {
        "bytes": "all that is loaded, weights included, compressed by gzip",
        "first_ms": "from nothing loaded to the first answer, files from this machine",
        "largest_difference": f"from Keras on {len(images)} drawn faces, in years",
        "cores": os.cpu_count(),
    }
    records.write_table("runtimes", table, about)
