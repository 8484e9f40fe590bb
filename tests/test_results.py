"""No typed result: numbers about networks come from `results/`, and the records there agree with their own files."""

import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import h5py
import nbformat
import pandas as pd
import pytest
from conftest import ROOT

from ssrlib import __main__ as cli
from ssrlib import crops, evaluation, recipes, records, scoreboard, targets, training, weights
from ssrlib.authors import AUTHORS_WEIGHTS

NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("book/*.md")), *NOTEBOOKS]
RUNS = sorted(path.parent.name for path in (ROOT / "results").glob(f"*/{records.RUN_FILE}"))

# A sentence that says how good a network is has one of these words ...
WORDS = re.compile(r"\bMAE\b|\bCA\(|\berrors?\b|\boff by\b|\bwrong by\b|\baccura|\bbias\b|\bbetter\b|\bworse\b", re.I)
# ... and states a result if it has a decimal number or a number of years behind one of them; 0.9 is no error or share
# as they are reported, but a level or a threshold.
RESULTS = re.compile(
    r"(?<![\w.])(?:[1-9]\d*\.\d+|0\.\d{2,})(?![\w.]*\w)|(?<=\bMAE )\d+|(?<=\boff by )\d+|(?<=\babsolute error of )\d+"
)
# A share in per cent is one of an accuracy.
SHARES = re.compile(r"(?:\bCA\(|\baccura)[^.]*?\b(\d+)\s*%(?! interval)", re.I)
# Decimal years are one anywhere.
DECIMAL_YEARS = re.compile(r"(?<![\w.])\d+\.\d+(?=\s+years\b)")
OTHERS = re.compile(r"\bpaper|\bauthors\b|\{cite", re.I)  # whose numbers may be quoted

# What is no result of a network here, page by page.
ALLOWED = {
    ("about.md", "14.4"): "users of the released weights report it; not measured here",
    ("about.md", "8.1"): "users of the released weights report it; not measured here",
    ("notation.md", "47.5"): "an age worked out by hand from made-up heads",
    ("notation.md", "2.1"): "the same example",
    ("notation.md", "4.3"): "the same example",
    ("02_stagewise.ipynb", "11.73"): "the answer to an exercise by hand",
    ("05_evaluation.ipynb", "11.77"): "a user of the released script reports it; not measured here",
}


def prose(path):
    """Read what a page says, without code and without the table that README copies from the records."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = nbformat.reads(text, as_version=4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    lines, fences = [], []
    for line in text.replace(scoreboard.results_table(ROOT / "results"), "").splitlines():
        mark = re.match(r"\s*(`{3,}|~{3,})(.*)", line)
        if mark and fences and mark[1] == fences[-1][0] and not mark[2].strip():
            fences.pop()
        elif mark:
            fences.append((mark[1], mark[2].startswith("{")))
        elif all(directive for _, directive in fences):  # what stands in a directive is prose
            lines.append(line)
    return "\n".join(lines)


def quotable():
    """List the numbers of the paper, and of the authors' logs the errors of the last and of the best epoch."""
    logs = records.read_table("authors_histories")[0].groupby(["dataset", "network"])["val_mae"]
    return [*records.read_table("paper")[0]["value"], *logs.last(), *logs.min()]


def is_quoted(number, value):
    """Say whether a number in a text is a value, rounded to two digits or more, or not at all."""
    digits = len(number.partition(".")[2])
    return float(number) == value or (digits > 1 and f"{value:.{digits}f}" == number)


def typed_results(text):
    """Find the numbers in a text that state a network's error or accuracy and are nobody else's."""
    known = quotable()
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        quoting = bool(OTHERS.search(paragraph))
        for sentence in re.split(r"(?<=[.!?:;])\s+", paragraph):
            numbers = RESULTS.findall(sentence) if WORDS.search(sentence) else DECIMAL_YEARS.findall(sentence)
            for number in numbers + SHARES.findall(sentence):
                if not (quoting and any(is_quoted(number, value) for value in known)):
                    found.append(number)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_no_page_types_a_result(page):
    """Whoever wants to say such a number lets a code cell print it, or a substitution; see `book/_ext`."""
    assert [number for number in typed_results(prose(page)) if (page.name, number) not in ALLOWED] == []


def test_every_exception_is_needed():
    assert {(page.name, number) for page in PAGES for number in typed_results(prose(page))} == set(ALLOWED)


@pytest.mark.parametrize(
    ("sentence", "numbers"),
    [
        ("Our network has an MAE of 5.54.", ["5.54"]),
        ("It reaches MAE 6 on All-Age-Faces.", ["6"]),
        ("The answer is off by 5.54 years.", ["5.54"]),
        ("Half of the faces are off by 4 years.", ["4"]),
        ("After training, 5.54 years are left.", ["5.54"]),
        ("CA(3) 0.371", ["0.371"]),
        ("On our faces a CA(5) of 0.741 is reached.", ["0.741"]),
        ("Its CA(5) is 74 %.", ["74"]),
        ("| weights | MAE |\n|---|---|\n| `asian` | 5.55 |", ["5.55"]),
        ("The bias is -0.42 on average.", ["0.42"]),
        ("A mean absolute error of 6 years is left.", ["6"]),
        ("The accuracy is 91 % on our faces.", ["91"]),
        ("The paper reports 3.16 years; our network reaches an MAE of 4.05.", ["4.05"]),
        ("Our MAE is 3.16.", ["3.16"]),
        ("The paper has a CA(5) of 0.741 and an MAE of 3.16 years.", []),
        ("The authors' own log ends with an error of 5.18 years; at its best it was 3.73 years.", []),
        ("The authors' own log ends with an error of 5.19 years.", ["5.19"]),
        ("CA(3) counts errors of at most 3 years, CA(5) of at most 5.", []),
        ("With a 95 % interval of the error; 90 % of the errors stay below it.", []),
        ("Why does an error of 3 years count less here, and what if two differed by 0.1 in MAE?", []),
        ("MobileNet 0.25a is better, says version 1.2.3.", []),
    ],
)
def test_the_guard_finds_typed_results(sentence, numbers):
    assert typed_results(sentence) == numbers


def test_the_guard_reads_prose_and_no_code(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "An MAE of 1.25.\n\n```\nMAE 2.25\n```\n\n```{note}\nMAE 3.25\n\n~~~\nMAE 4.25\n~~~\n```\nMAE 5.25\n"
    )
    assert typed_results(prose(page)) == ["1.25", "3.25", "5.25"]


def records_read(code):
    """Find the names of the records that code reads."""
    return re.findall(r"\b(read_run|read_table|read_predictions|load_model)\(\s*[\"']([^\"']+)[\"']", code)


def missing(calls):
    """Say which of the records cannot be read."""
    files = {"read_table": "table.csv", "read_predictions": records.PREDICTIONS_FILE}
    return [
        name
        for reader, name in calls
        if not (ROOT / "results" / name / files.get(reader, records.RUN_FILE)).is_file()
        and not (reader == "load_model" and name in AUTHORS_WEIGHTS)
    ]


def test_every_record_that_a_chapter_reads_is_there():
    cells = (cell for path in NOTEBOOKS for cell in nbformat.read(path, as_version=4).cells)
    calls = [call for cell in cells if cell.cell_type == "code" for call in records_read(cell.source)]
    assert {"read_run", "read_table", "load_model"} <= {reader for reader, _ in calls}
    assert missing(calls) == []


def test_a_missing_record_is_noticed():
    assert missing(records_read('records.read_run("asian"), read_table("asian"), load_model("wiki")')) == ["asian"]
    assert missing(records_read("read_run('no such run'), read_predictions(\"paper\")")) == ["no such run", "paper"]


def contradictions(folder):
    """Say in which respects a recorded run disagrees with its own files."""
    run = records.read_run(folder)
    record, found = run.record, []
    target = record["recipe"].get("target", "age")
    for split in ("val", "test"):
        rows = run.predictions[run.predictions["split"] == split]
        if len(rows) != record["data"][split] or not rows["name"].is_unique:
            found.append(f"pictures of {split}")
        if targets.summarize(target, rows["prediction"], rows[target]) != pytest.approx(record[split], abs=1e-5):
            found.append(f"scores of {split}")
    if run.history["epoch"].tolist() != list(range(1, record["recipe"]["epochs"] + 1)):
        found.append("epochs")
    if weights.read_record(run.weights) != record:
        found.append("record of the weights")
    with h5py.File(run.weights) as file:
        sizes = []
        file.visititems(lambda _, item: sizes.append(getattr(item, "size", 0)))
        if sum(sizes) != record["parameters"]:
            found.append("parameters")
    return found


@pytest.mark.parametrize("name", RUNS)
def test_a_record_agrees_with_its_files(name):
    assert contradictions(ROOT / "results" / name) == []


def documented_runs(monkeypatch):
    """Let the command line say what the commands on the page would train: one entry for each folder of `--out`."""
    found = {}

    def train(faces, recipe, out, seed, init, teachers, _):
        found[Path(out).name] = {
            "recipe": asdict(recipe),
            "data": "+".join(Path(file).stem for file in faces),
            "seed": seed,
            "init": init and Path(init).name,
            "teachers": [Path(teacher).name for teacher in teachers],
        }
        score = {"mae": 0.0, "n": 1}
        return SimpleNamespace(record={"test": score, "images_per_second": 0.0})

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(crops, "load_crops", lambda file: file)
    monkeypatch.setattr(crops, "join_crops", list)
    page = (ROOT / "book" / "about.md").read_text(encoding="utf-8").replace("\\\n", " ")
    for command in re.findall(r"^python -m ssrlib (train .*)$", page, re.M):
        assert cli.main(command.split()) == 0
    return found


def test_the_commands_on_the_page_are_those_that_made_the_runs(monkeypatch, capsys):
    documented = documented_runs(monkeypatch)
    left = set(documented)
    for name in RUNS:
        record = records.read_run(name).record
        first = {"asian": "asian-modern-0"}.get(name, re.sub(r"-\d$", "-0", name))  # of runs that differ in the seed
        expected = documented[first] | ({"seed": record["seed"]} if first.endswith("-0") else {})
        made = {
            "recipe": asdict(recipes.Recipe(**record["recipe"] | {"stages": tuple(record["recipe"]["stages"])})),
            "data": record["data"]["dataset"],
            "seed": record["seed"],
            "init": record["init"] and record["init"]["name"],
            "teachers": [teacher["name"] for teacher in record["teachers"]],
        }
        assert made == expected, name
        left.discard(first)
    assert left == set()


def test_a_record_that_contradicts_its_files_is_noticed(tmp_path):
    run = records.read_run("drawn")
    wrong = json.loads(json.dumps(run.record))
    wrong["test"]["mae"] -= 0.01
    wrong["data"]["val"] += 1
    wrong["parameters"] += 1
    records.write_run(tmp_path, wrong, run.history[:-1], run.predictions)
    (tmp_path / records.WEIGHTS_FILE).write_bytes(run.weights.read_bytes())
    found = ["pictures of val", "scores of test", "epochs", "record of the weights", "parameters"]
    assert contradictions(tmp_path) == found


def test_scores_of_all_weights_follow_from_their_predictions():
    predictions = records.read_predictions("cross").groupby("dataset")
    for row in records.read_table("cross")[0].to_dict("records"):
        faces = predictions.get_group(row["tested_on"])
        scores = evaluation.summarize(faces[row["weights"]], faces["age"])
        # Predictions are kept to a hundredth of a year, which can carry a face over a limit of CA.
        assert scores == pytest.approx({name: row[name] for name in scores}, abs=0.005), row["weights"]


def test_the_shift_by_dropout_is_that_of_the_networks_in_the_cross_table():
    shift, about = records.read_table("dropout_shift")
    cross = records.read_table("cross")[0].query("tested_on == @about['dataset']").set_index("weights")
    assert about["faces"] == cross["n"].iloc[0]
    for row in shift.to_dict("records"):
        known = cross.loc[row["weights"], ["mae", "bias"]]
        assert [row["mae"], row["bias"]] == pytest.approx(known.tolist(), abs=1e-4), row["weights"]


def test_runs_are_told_apart_by_their_names():
    names = [*RUNS, *AUTHORS_WEIGHTS, *(path.parent.name for path in (ROOT / "results").glob("*/about.json"))]
    assert len({name.lower() for name in names}) == len(names)


def test_no_run_is_recorded_twice():
    predictions = {name: (records.read_run(name).folder / records.PREDICTIONS_FILE).read_bytes() for name in RUNS}
    twice = pd.Series(predictions).duplicated(keep=False)
    assert list(twice.index[twice]) == []


def test_initial_weights_and_teachers_can_be_had():
    """A record names them and gives their hash: no weights may have gone, or been made anew under the same name."""
    kept = {hashlib.sha256(records.read_run(name).weights.read_bytes()).hexdigest() for name in RUNS}
    kept |= {released.sha256 for released in AUTHORS_WEIGHTS.values()}
    for name in RUNS:
        record = records.read_run(name).record
        for used in filter(None, [record["init"], *record.get("teachers", [])]):
            assert used["sha256"] in kept, f"'{name}' was made with a '{used['name']}' that is not there any more"
