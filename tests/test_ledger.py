"""The ledger's tables: against the files they quote, numbers worked by hand, and filled by a run of one's own."""

import shutil

import cv2
import h5py
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from test_authors import KINDS, random_model, write_as_the_authors_did

from ssrlib import __main__ as cli
from ssrlib import alignment, crops, ledger, records, scoreboard, synthetic
from ssrlib.authors import AUTHORS_WEIGHTS

FACES = 40


def read(markdown):
    """Read a Markdown table back: one dict a row, by column."""
    head, rule, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines())
    assert set(rule) == {"---"}
    return [dict(zip(head, row, strict=True)) for row in rows]


def named(markdown):
    """Read a Markdown table whose first column names the rows."""
    return {name: cells for name, *cells in (row.values() for row in read(markdown))}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """The book's results in a folder of its own, to which runs can be added."""
    folder = tmp_path / "results"
    shutil.copytree(ROOT / "results", folder)
    monkeypatch.setattr(records, "results_folder", lambda: folder)
    return folder


@pytest.fixture
def megaage(tmp_path):
    """MegaAge-Asian's layout with drawn faces: 178x218 pixels, whole years, lists of names and ages."""
    folder = tmp_path / "megaage_asian"
    (folder / "list").mkdir(parents=True)
    for number, part in enumerate(("train", "test")):
        (folder / part).mkdir()
        ages = np.random.default_rng(number).integers(1, 70, FACES)
        for row, age in enumerate(ages, start=1):
            face = synthetic.draw_face(number, row, 218, age=int(age))[0][:, 20:198]
            assert cv2.imwrite(str(folder / part / f"{row}.jpg"), face[..., ::-1])
        names = "".join(f"{row}.jpg\n" for row in range(1, FACES + 1))
        (folder / "list" / f"{part}_name.txt").write_text(names)
        (folder / "list" / f"{part}_age.txt").write_text("".join(f"{age}\n" for age in ages))
    return folder


@pytest.mark.parametrize("name", ledger.TABLES)
def test_every_table_is_whole(name):
    rows = read(ledger.TABLES[name]())
    assert rows and all(cell for row in rows for cell in row.values())
    assert not any("nan" in cell.lower() for row in rows for cell in row.values())


def test_quotations_keep_their_digits():
    assert named(ledger.claim("MORPH2", "MAE"))["the paper"] == ["3.16", "6.50", "5.05"]
    assert named(ledger.claim("MegaAge-Asian", "CA(3)"))["the paper"] == ["0.549", "0.440", "0.517"]
    assert named(ledger.TABLES["ledger_sizes"]())["MobileNet"][0] == "1.0"


def test_logs_end_and_are_best_where_the_files_say(shared):
    rows = named(ledger.claim("MORPH2", "MAE"))
    files = ("ssrnet_3_3_3_64_1.0_1.0", "mobilenet_reg_0.25_64", "densenet_reg_19_64")
    logs = [np.loadtxt(shared / "reference" / "histories" / f"morph2__{file}.csv", delimiter=",", skiprows=1, ndmin=2)
            for file in files]  # fmt: skip
    header = (shared / "reference" / "histories" / f"morph2__{files[0]}.csv").read_text().splitlines()[0].split(",")
    errors = [log[np.argsort(log[:, header.index("epoch")]), header.index("val_mae")] for log in logs]
    assert rows["authors' log, last epoch"] == [f"{error[-1]:.2f}" for error in errors]
    assert rows["authors' log, best epoch"] == [f"{min(error):.2f}" for error in errors]


def test_released_files_are_of_the_recorded_size(shared):
    sizes = named(ledger.TABLES["ledger_sizes"]())
    for model, weights in ledger.RELEASED["MegaAge-Asian"].items():
        path, values = shared / "reference" / "weights" / f"{weights}.h5", []
        with h5py.File(path) as file:
            file.visititems(lambda _, item, values=values: values.append(getattr(item, "size", 0)))
        assert sizes[model][1:3] == [f"{path.stat().st_size:,}", f"{sum(values):,}"]


def test_parameters_counted_here_are_those_of_the_released_files():
    sizes = named(ledger.TABLES["ledger_sizes"]())
    paper = records.read_table("paper")[0].query("source == 'released files' and measure == 'parameters'")
    assert {row.model: f"{row.value:,.0f}" for row in paper.itertuples()} == {
        model: sizes[model][2] for model in ledger.LOGGED
    }


@pytest.mark.parametrize("dataset", ["all_age_faces", "utkface"])
def test_scores_of_all_weights_are_the_recorded_ones(dataset):
    rows = named(ledger.measured(dataset))
    cross = records.read_table("cross")[0].query("tested_on == @dataset").set_index("weights")
    for name in cross.index.intersection(list(AUTHORS_WEIGHTS)):
        assert float(rows[f"authors' `{name}`"][0]) == pytest.approx(cross.loc[name, "mae"], abs=0.006)
    guess = [run.record["median_guess"]["mae"] for run in map(records.read_run, scoreboard.SHIPPED)
             if run.record["data"]["dataset"] == dataset]  # fmt: skip
    assert rows["the median age for everybody"][0] == f"{guess[0]:.2f}"


def test_without_dynamic_range_is_the_mean_over_the_seeds_of_the_pair(results):
    shutil.rmtree(results / "ablations", ignore_errors=True)
    assert "(sec-run-fixed-bins)" in named(ledger.TABLES["ledger_dynamic_range"]())["ours"][1]
    errors = {"whole": [5.0, 6.0, 7.0], "bins neither move nor stretch": [8.0, 8.0, 11.0]}
    table = pd.DataFrame([{"variant": name, "mae": mae} for name, values in errors.items() for mae in values])
    records.write_table("ablations", table, {"dataset": "drawn", "base": "whole"})
    rows = named(ledger.TABLES["ledger_dynamic_range"]())
    assert rows["the paper"] == ["MORPH2", "3.16", "9.29"]
    # Standard deviations 1 and the root of 3, three values each, Student's t of 2 degrees from a printed table.
    written = [float(number) for cell in rows["ours, p from a ReLU"][1:] for number in cell.split("±")]
    assert written == pytest.approx([6, 4.303 / 3**0.5, 9, 4.303], abs=0.006)


def test_every_pair_with_and_without_dynamic_range_is_recorded():
    assert set(named(ledger.TABLES["ledger_dynamic_range"]())) == {"the paper", *ledger.FIXED_BINS}


def test_what_the_weights_of_the_paper_reach_is_shown_once_it_is_measured(results):
    table, about = records.read_table("cross")
    row = {"weights": "megaage", "trained_on": "x", "tested_on": "megaage_asian", "mae": 3.21, "ca3": 0.6, "ca5": 0.7}
    records.write_table("cross", pd.concat([table, pd.DataFrame([row])]), about)
    name = "authors' weights, measured here"
    assert named(ledger.claim("MegaAge-Asian", "MAE"))[name] == ["3.21", ledger.NONE, ledger.NONE]
    assert named(ledger.claim("MegaAge-Asian", "CA(5)"))[name][0] == "0.700"


def test_downloads_lead_to_the_predictions():
    for row in read(ledger.TABLES["ledger_downloads"]()):
        path = row["per picture"].split("<")[1].split(">")[0]
        assert (ROOT / path.removeprefix("/")).is_file()


@pytest.mark.slow
def test_a_run_on_the_papers_data_fills_its_row(results, megaage, tmp_path, capsys):
    """The page's commands, on drawn faces in MegaAge-Asian's layout, from weights in the authors' format."""
    needs = "[needs MegaAge-Asian](sec-run-megaage-asian)"
    before = named(ledger.claim("MegaAge-Asian", "MAE"))
    assert before["our runs, `paper`"][0] == before["our best"][0] == needs
    wiki, data, out = tmp_path / "wiki.h5", tmp_path / "megaage_asian.npz", results / "megaage-paper-0"
    write_as_the_authors_did(random_model(KINDS["age"]), KINDS["age"], wiki)
    root = str(megaage.parent)
    assert cli.main(["preprocess", "megaage_asian", "--root", root, "--out", str(data), "--workers", "1"]) == 0
    faces = crops.load_crops(data)
    assert len(faces) == 2 * FACES and faces.record["crop"]["detector"] == "none"
    settings = ["--epochs", "1", "--set", "batch_size=10", "--set", "learning_rate=1e-5"]
    arguments = ["--data", str(data), "--recipe", "paper", "--init", str(wiki), "--out", str(out), *settings]
    assert cli.main(["train", *arguments]) == 0
    capsys.readouterr()
    assert cli.main(["evaluate", str(out), "megaage_asian", "--root", root, "--workers", "1"]) == 0
    said = capsys.readouterr().out
    after = named(ledger.claim("MegaAge-Asian", "MAE"))
    assert f"MAE {float(after['our runs, `paper` from wiki'][0]):.2f} years" in said


def test_runs_with_kept_and_with_fresh_heads_have_rows_of_their_own(results):
    """Two runs on All-Age-Faces are said to be on MegaAge-Asian."""
    for name in ("asian-paper-wiki-0", "asian-paper-wiki-fresh-0"):
        file = results / name / records.RUN_FILE
        file.write_text(file.read_text().replace('"all_age_faces"', '"megaage_asian"'))
    rows = named(ledger.claim("MegaAge-Asian", "MAE"))
    kept, fresh = rows["our runs, `paper` from wiki"][0], rows["our runs, `paper` from wiki, fresh heads"][0]
    for said, name in ((kept, "asian-paper-wiki-0"), (fresh, "asian-paper-wiki-fresh-0")):
        predictions = records.read_predictions(name).query("split == 'test'")
        assert float(said) == pytest.approx((predictions["prediction"] - predictions["age"]).abs().mean(), abs=0.006)
    assert rows["our best"][0] == f"{fresh} (`paper` from wiki, fresh heads)"


def test_the_middle_square_is_what_the_authors_cut(megaage):
    """Their script drops 20 rows at the top and at the bottom and resizes; so does the crop of a whole picture."""
    picture = cv2.imread(str(megaage / "train" / "1.jpg"))[..., ::-1]
    theirs = cv2.resize(picture[20:-20], (64, 64), interpolation=cv2.INTER_AREA)
    ours, _ = alignment.crop_face(picture, alignment.WHOLE_PICTURE)
    assert np.abs(ours.astype(int) - theirs).mean() < 2
