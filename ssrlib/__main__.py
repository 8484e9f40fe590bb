"""The package from a shell: datasets, download, preprocess, train, evaluate, predict, export, runs."""

import argparse
import json
import os
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

from ssrlib import alignment, crops, datasets, finding
from ssrlib.backend import import_keras
from ssrlib.pictures import read_picture


def main(arguments=None):
    """Run one command and return its exit status: 0 done, 1 nothing could be done, 130 interrupted."""
    parsed = _parser().parse_args(arguments)
    try:
        return parsed.command(parsed)
    except (ValueError, OSError, ImportError, FloatingPointError) as error:
        print(f"ssrlib: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        goes_on = parsed.command in (preprocess, train, evaluate, download)
        print("ssrlib: stopped" + "; the same command goes on where this one was" * goes_on + ".", file=sys.stderr)
        return 130


def preprocess(parsed):
    """Write the face crops of a data set to a file, and what could not be used to a table beside it."""
    from ssrlib import records

    crop = crops.default_crop(parsed.dataset)
    if parsed.detector == "none":
        crop = alignment.WHOLE_PICTURE
    elif parsed.detector is not None and crop.detector == "none":
        crop = alignment.Crop()
    chosen = {"margin": parsed.margin, "size": parsed.size, "landmarks": parsed.landmarks}
    crop = replace(crop, **{name: value for name, value in chosen.items() if value is not None})
    made = crops.prepare_crops(
        parsed.dataset, parsed.root, parsed.out, crop, limit=parsed.limit, workers=parsed.workers
    )
    _report_unusable(made)
    rejects = Path(parsed.out).with_suffix(".rejects.csv")
    records.write_atomically(rejects, made.rejects.to_csv(index=False).encode())
    splits = ", ".join(f"{len(made.split(split)):,} {split}" for split in datasets.SPLITS)
    print(f"{parsed.out}: {len(made):,} faces ({splits})")
    print(f"{rejects}: {_count_rejects(made)}")
    print(f"{len(made) + len(made.rejects):,} pictures listed")
    return 0


def train(parsed):
    """Train a network on a file of crops and record the run."""
    import_keras()
    import keras

    from ssrlib import recipes, training

    changes = {name: value for name, value in (_setting(text) for text in parsed.set)}
    if parsed.epochs is not None:
        changes["epochs"] = parsed.epochs
    recipe = recipes.find_recipe(parsed.recipe, **changes)
    print(recipe)
    faces = crops.join_crops([crops.load_crops(file) for file in parsed.data])
    logs = [keras.callbacks.TensorBoard(parsed.tensorboard)] if parsed.tensorboard else []
    run = training.train(faces, recipe, parsed.out, parsed.seed, parsed.init, parsed.teacher, logs)
    test = run.record["test"]
    score = f"MAE {test['mae']:.2f} years" if "mae" in test else f"accuracy {test['accuracy']:.3f}"
    print(f"{parsed.out}: test {score} on {test['n']} faces, {run.record['images_per_second']:.0f} images/s")
    return 0


def evaluate(parsed):
    """Measure a network on a data set, from the pictures as they are."""
    started = time.perf_counter()
    import_keras()
    import numpy as np

    from ssrlib import targets, weights

    model, crop, record = weights.load_model(parsed.weights)
    target = targets.target_of(record)
    faces = crops.prepare_crops(
        parsed.dataset, parsed.root, crop=crop, split=parsed.split, limit=parsed.limit, workers=parsed.workers
    )
    _report_unusable(faces)
    faces = faces.choose(np.isfinite(targets.labels(faces.table, target)[:, 0]))
    answers = targets.answers(model.predict(faces.images, batch_size=256, verbose=0), record)
    numbers = targets.summarize(target, answers, targets.labels(faces.table, target))
    failed, rejected = len(faces.unusable), len(faces.rejects)
    numbers = {"n": numbers.pop("n"), "failed": failed, "dropped": rejected - failed} | numbers
    numbers["seconds"] = round(time.perf_counter() - started, 3)
    if parsed.json:
        print(json.dumps(numbers))
    else:
        print(f"{numbers['n']:,} faces, {numbers['seconds']:.1f} s; {_count_rejects(faces)}")
        if target == "age":
            print(f"MAE {numbers['mae']:.2f} years, bias {numbers['bias']:+.2f} years")
            print(f"CA(3) {numbers['ca3']:.3f}  CA(5) {numbers['ca5']:.3f}  CA(7) {numbers['ca7']:.3f}")
        else:
            print(f"accuracy {numbers['accuracy']:.3f}, mean squared error of the probability {numbers['brier']:.3f}")
    return 0


def predict(parsed):
    """Estimate the age of every face in some pictures or in a film, or what else the weights have learned."""
    import_keras()
    import numpy as np
    import pandas as pd

    from ssrlib import records, targets, video, weights

    if parsed.csv and not Path(parsed.csv).absolute().parent.is_dir():
        raise FileNotFoundError(f"There is no folder for '{parsed.csv}'; make it first.")
    if parsed.out or any(map(video.is_film, parsed.pictures)):
        return _predict_film(parsed)
    model, crop, record = weights.load_model(parsed.weights)
    target = targets.target_of(record)
    rows, images = [], []
    for path in _picture_paths(parsed.pictures):
        try:
            picture = read_picture(path)
            found = [(face, alignment.crop_at(picture, face, crop)) for face in alignment.usable_faces(picture, crop)]
        except FileNotFoundError:
            print(f"{path}: there is no such file", file=sys.stderr)
            continue
        except (ValueError, OSError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            continue
        for face, image in found:
            images.append(image)
            rows.append({"picture": str(path), **{name: round(value, 1) for name, value in face._asdict().items()}})
    if not rows:
        raise ValueError("None of the pictures holds a usable face.")
    table = pd.DataFrame(rows)
    outputs = model.predict(np.stack(images), batch_size=256, verbose=0)
    table.insert(1, target, targets.answers(outputs, record).round(2))
    if parsed.csv:
        records.write_atomically(Path(parsed.csv), table.to_csv(index=False).encode())
    for row, answer in zip(table.itertuples(), table[target], strict=True):
        print(f"{row.picture}: {_in_words(answer, target)}, face at ({row.left:.0f}, {row.top:.0f})")
    return 0


def export_weights(parsed):
    """Write a network to a LiteRT or ONNX file that runs without Keras, once it answers as Keras does."""
    import_keras()
    import numpy as np

    from ssrlib import export

    faces = None
    if parsed.calibrate:
        faces = crops.load_crops(parsed.calibrate).split("train").images
        count = min(len(faces), export.CALIBRATION_FACES)
        faces = faces[np.random.default_rng(0).choice(len(faces), count, replace=False)]
    report = export.export(parsed.weights, parsed.out, parsed.format, parsed.quantize, faces)
    print(f"{parsed.out}: {report['bytes']:,} bytes")
    print(f"from Keras on {report['faces']} faces: {report['mean']:.2g} on average, {report['largest']:.2g} at most")
    return 0


def list_runs(parsed):
    """Print the table of recorded runs."""
    from ssrlib import scoreboard

    table = scoreboard.list_runs()
    print(table.to_string(index=False) if len(table) else "There is no recorded run.")
    return 0


def list_datasets(parsed):
    """Say of each data set what it is, under which terms, whether it was found, and how to get it."""
    print("\n\n".join(datasets.describe(info, parsed.root) for info in datasets.DATASETS.values()))
    return 0


def download(parsed):
    """Fetch a data set that has a public address and a known checksum; say of any other how to get it."""
    from ssrlib import downloads

    info = datasets.find_dataset(parsed.dataset)
    if not info.archives:
        raise ValueError(" ".join((f"{info.name} cannot be fetched by a program.", *info.steps)))
    folder = Path(parsed.root) / info.name
    downloads.fetch(info.archives, folder)
    print(f"{folder}: {len(datasets.load_table(info.name, folder)):,} pictures")
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m ssrlib", description=sys.modules[__name__].__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fetchable = [info.name for info in datasets.DATASETS.values() if info.archives]

    def add(command, name):
        sub = commands.add_parser(name, help=command.__doc__, description=command.__doc__)
        sub.set_defaults(command=command)
        return sub

    def add_root(sub, required=False):
        default = os.environ.get("SSRNET_DATA")
        where = "the data set's folder, or the one it lies in; default: the environment's SSRNET_DATA"
        sub.add_argument("--root", metavar="DIR", default=default, required=required and default is None, help=where)

    def add_data_options(sub):
        add_root(sub)
        sub.add_argument("--limit", type=int, metavar="N", help="use only N pictures, chosen by their names' hash")
        sub.add_argument("--workers", type=int, metavar="N", help="processes; default: one for each core")

    add_root(add(list_datasets, "datasets"))

    sub = add(download, "download")
    sub.add_argument("dataset", metavar="DATASET", help=f"one of {', '.join(fetchable)}")
    add_root(sub, required=True)

    sub = add(preprocess, "preprocess")
    sub.add_argument("dataset", metavar="DATASET", help=f"one of {', '.join(datasets.DATASETS)}")
    sub.add_argument("--out", required=True, metavar="FILE.npz", help="where the crops go")
    sub.add_argument("--size", type=int, help="side of a crop in pixels (default 64)")
    sub.add_argument("--margin", type=float, help="share of the box added on each side (default 0.4, or 0)")
    sub.add_argument("--detector", choices=alignment.DETECTORS,
                     help="default dlib-hog, or none for the sets that come cropped")  # fmt: skip
    sub.add_argument("--landmarks", type=int, choices=(0, *alignment.ALIGNING),
                     help="align by this many; 0 crops the detector's box (default 5; without detector 0)")  # fmt: skip
    add_data_options(sub)

    sub = add(train, "train")
    sub.add_argument("--data", required=True, nargs="+", metavar="FILE.npz", help="crops from 'preprocess'")
    sub.add_argument("--out", required=True, metavar="DIR", help="folder of the run, as results/NAME")
    sub.add_argument("--recipe", default="paper", help="paper (default), modern or small")
    sub.add_argument("--epochs", type=int, help="instead of the recipe's")
    sub.add_argument("--seed", type=int, default=0, help="default 0")
    sub.add_argument("--init", metavar="WEIGHTS", help="start from these weights")
    sub.add_argument("--teacher", metavar="WEIGHTS", action="append", default=[],
                     help="imitate these, where the recipe has a distillation; may be given several times")  # fmt: skip
    sub.add_argument("--tensorboard", metavar="DIR", help="write logs for TensorBoard there")
    sub.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a field of the recipe")

    sub = add(evaluate, "evaluate")
    sub.add_argument("weights", metavar="WEIGHTS", help="name of a recorded run, its folder, or a weights file")
    sub.add_argument("dataset", metavar="DATASET", help=f"one of {', '.join(datasets.DATASETS)}")
    sub.add_argument("--split", default="test", choices=("all", *datasets.SPLITS), help="default test")
    sub.add_argument("--json", action="store_true", help="print one JSON object")
    add_data_options(sub)

    sub = add(predict, "predict")
    sub.add_argument("weights", metavar="WEIGHTS", help="name of a recorded run, its folder, or a weights file")
    sub.add_argument("pictures", nargs="+", metavar="PICTURE_OR_DIR", help="or one film, or the number of a camera")
    sub.add_argument("--csv", metavar="FILE", help="also write a table")
    sub.add_argument("--out", metavar="FILM.mp4", help="of a film: the new one, with boxes and smoothed answers")
    sub.add_argument("--every", type=int, default=1, metavar="N", help="of a film: find faces in each N-th frame")

    sub = add(export_weights, "export")
    sub.add_argument("weights", metavar="WEIGHTS", help="name of a recorded run, its folder, or a weights file")
    sub.add_argument("--format", required=True, choices=("litert", "onnx"))
    sub.add_argument("--quantize", choices=("float16", "int8"), help="bits of the weights; default 32")
    sub.add_argument("--calibrate", metavar="FILE.npz", help="crops from 'preprocess'; default: drawn faces")
    sub.add_argument("--out", required=True, metavar="FILE", help="FILE.tflite or FILE.onnx")

    add(list_runs, "runs")
    return parser


def _setting(text):
    """Read KEY=VALUE; the value is JSON, or a plain word where the recipe holds one."""
    from ssrlib.recipes import Recipe

    kinds = {field.name: field.type for field in fields(Recipe)}
    key, separator, value = text.partition("=")
    if not separator or key not in kinds:
        raise ValueError(f"'--set {text}' does not name a field of a recipe; write as in --set batch_size=32.")
    if kinds[key] is str:
        return key, value
    try:
        value = json.loads(value)
    except json.JSONDecodeError:
        pass
    wanted = {int: int, float: (int, float), tuple: list}[kinds[key]]
    if not isinstance(value, wanted) or isinstance(value, bool):
        kind = kinds[key].__name__
        raise ValueError(f"'--set {text}' needs a value of type {kind}; write as in batch_size=32 or stages=[3,3,3].")
    return key, tuple(value) if isinstance(value, list) else value


def _picture_paths(arguments):
    """List the named files, and the pictures in the named folders."""
    for argument in map(Path, arguments):
        if not argument.is_dir():
            yield argument
            continue
        found = finding.walk(argument, finding.ANY_PICTURE)
        if not found:
            print(f"{argument}: no picture in this folder", file=sys.stderr)
        yield from found


def _report_unusable(made):
    for row in made.unusable.itertuples():
        print(f"{row.name}: {row.reason}{f' ({row.detail})' if row.detail else ''}", file=sys.stderr)


def _predict_film(parsed):
    from ssrlib import records, targets, video, weights

    if parsed.out is None or len(parsed.pictures) > 1 or not video.is_film(parsed.pictures[0]):
        raise ValueError("A film, or a camera's number, stands alone, and --out says where the new film goes.")
    model, crop, record = weights.load_model(parsed.weights)
    film = video.annotate_film(parsed.pictures[0], parsed.out, model, crop, record, parsed.every)
    if parsed.csv:
        records.write_atomically(Path(parsed.csv), film.table.to_csv(index=False).encode())
    for face, rows in film.table.groupby("face"):
        answer = _in_words(rows["answer"].mean(), targets.target_of(record))
        first, last = rows["second"].iloc[[0, -1]]
        print(f"face {face}: {answer}, seen from second {first:.1f} to {last:.1f}")
    print(f"{parsed.out}: {film.frames:,} frames, {len(film.table) / film.seconds:.1f} faces a second")
    if film.stopped:
        print("ssrlib: stopped; the new film ends there.", file=sys.stderr)
    return 130 if film.stopped and not parsed.pictures[0].isdecimal() else 0  # only Ctrl-C ends a camera's film


def _in_words(answer, target):
    return f"{answer:.1f} years" if target == "age" else f"male with a probability of {answer:.2f}"


def _count_rejects(made):
    counts = ", ".join(f"{count:,} {reason}" for reason, count in made.rejects["reason"].value_counts().items())
    return f"{len(made.rejects):,} pictures rejected" + (f" ({counts})" if counts else "")


if __name__ == "__main__":
    sys.exit(main())
