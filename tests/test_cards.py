"""The model cards, and the page for those who only want the answer."""

import hashlib
import re
import shlex

import cv2
import pandas as pd
import pytest
from conftest import ROOT

from ssrlib import __main__ as cli
from ssrlib import cards, catalogue, records, scoreboard, synthetic, weights

ANSWER = (ROOT / "book" / "answer.md").read_text(encoding="utf-8")
CARDS = (ROOT / "book" / "model_cards.md").read_text(encoding="utf-8")


def cells(table):
    """Read a Markdown table as a list of rows, the head first."""
    lines = [line.strip("| ").split(" | ") for line in table.splitlines()]
    return [lines[0], *lines[2:]]


@pytest.mark.parametrize("name", cards.CARDS)
def test_every_shipped_weight_has_a_card_with_all_its_tables(name):
    mine = [table for table in cards.TABLES if table.endswith(f"_{name}") and not table.startswith("crop")]
    assert len(mine) == (2 if name == "sex" else 3)
    assert all(CARDS.count(f"{{{{ {table} }}}}") == 1 for table in mine)
    assert f"(sec-card-{name})=" in CARDS


def test_pages_name_only_tables_that_there_are():
    used = re.findall(r"\{\{ (\w+) \}\}", ANSWER + CARDS)
    assert set(used) - {"results_table"} == set(cards.TABLES)


@pytest.mark.parametrize("name", cards.CARDS)
def test_identity_is_that_of_the_weights_file(name):
    rows = dict(cells(cards.identity(name))[1:])
    path = ROOT / rows["file"].split("`")[1]
    assert rows["SHA-256"] == f"`{hashlib.sha256(path.read_bytes()).hexdigest()}`"
    assert rows["file"].endswith(f" {path.stat().st_size:,} bytes")
    model, crop, record = weights.load_model(path)
    assert f"{model.count_params():,} parameters" in rows["network"]
    assert f"margin {crop.margin:.0%}" in rows["input"] and rows["seed"] == str(record["seed"])


def test_terms_follow_the_weights_back_to_where_they_started():
    terms = dict(cells(cards.identity("asian"))[1:])["terms"]
    for name in ("all_age_faces", "utkface", "megaage_asian"):  # `asian` from `faces`, which saw both, from `megaage`
        assert catalogue.DATASETS[name].terms in terms
    assert "`megaage_densenet_19`" in terms  # its teacher
    assert "utkface" not in dict(cells(cards.identity("drawn"))[1:])["terms"]


def test_scores_by_group_are_those_of_the_recorded_predictions():
    """Against pandas alone, and on the file of all answers instead of the run's."""
    rows = {row[0]: row[1:] for row in cells(cards.scores("utkface"))[1:]}
    answers = records.read_predictions("cross").query("dataset == 'utkface'")
    for row, group in {
        "everybody": answers,
        "sex: female": answers[answers["sex"] == "female"],
        "ethnicity: black": answers[answers["ethnicity"] == "black"],
        "age: 60 and more": answers[answers["age"] >= 60],
        "age: 10 to 19": answers[answers["age"].between(10, 19)],
    }.items():
        errors = group["utkface"] - group["age"]
        number, mae, bias, ca5 = rows[row]
        assert number == f"{len(group):,}"
        assert float(mae.split()[0]) == pytest.approx(errors.abs().mean(), abs=0.011)
        assert float(bias) == pytest.approx(errors.mean(), abs=0.011)
        assert float(ca5) == pytest.approx((errors.abs() <= 5).mean(), abs=0.005)


def test_groups_of_an_attribute_share_out_everybody():
    rows = {row[0]: int(row[1].replace(",", "")) for row in cells(cards.scores("faces"))[1:]}
    for kind in ("data set", "age", "sex"):
        assert sum(number for name, number in rows.items() if name.startswith(f"{kind}: ")) == rows["everybody"]


def test_accuracy_of_a_probability_is_counted():
    rows = {row[0]: row[1:] for row in cells(cards.scores("sex"))[1:]}
    test = records.read_run("sex").predictions.query("split == 'test'")
    men = test[test["male"] == 1]
    assert rows["sex: male"][1].startswith(f"{(men['prediction'] > 0.5).mean():.3f} ")
    assert rows["sex: male"][2] == cards.NONE and rows["everybody"][2] != cards.NONE


@pytest.mark.parametrize("name", scoreboard.SHIPPED)
def test_the_stated_interval_holds_the_stated_share(name):
    text = cards.interval(name)
    radius, reached = float(re.search(r"minus ([\d.]+) years", text)[1]), float(re.search(r"held ([\d.]+)%", text)[1])
    test = records.read_run(name).predictions.query("split == 'test'")
    inside = ((test["prediction"] - test["age"]).abs() <= radius).mean()
    assert 100 * inside == pytest.approx(reached, abs=0.7)  # the radius is printed to a tenth of a year
    assert reached == pytest.approx(100 * cards.LEVEL, abs=4)


def test_what_the_page_says_of_teenagers_and_old_people_is_recorded():
    for name in ("faces", "asian", "utkface"):
        rows = {row[0]: row for row in cells(cards.scores(name))}
        assert float(rows["age: 10 to 19"][3]) > 2 and float(rows["age: 60 and more"][3]) < -2
    table = records.read_table("cross")[0].query("tested_on == 'utkface'").set_index("weights")["mae"]
    assert table["faces"] < table["asian"]


@pytest.fixture
def my_picture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "holiday").mkdir()
    for index, name in enumerate(["me.jpg", "holiday/us.jpg"]):
        cv2.imwrite(name, synthetic.draw_face(1, index, 200)[0][..., ::-1])


def test_the_five_lines_and_the_interval_run_as_printed(my_picture, capsys):
    blocks = re.findall(r"```python\n(.*?)```", ANSWER, re.DOTALL)
    assert len(blocks) == 2
    assert len([line for line in blocks[0].splitlines() if line]) == 5
    names = {}
    for block in blocks:
        exec(block, names)
    lines = capsys.readouterr().out.splitlines()
    expected = weights.load_model("faces")[0].predict(names["face"][None], verbose=0)[0, 0]
    assert lines[0] == f"{expected:.0f} years"
    low, high = (float(value) for value in lines[-1].split()[-2:])
    assert low <= expected <= high and f"{(high - low) / 2:.0f}" in cards.interval("faces")


def test_the_commands_run_as_printed(my_picture, capsys):
    commands = re.findall(r"^python -m ssrlib (.*)$", ANSWER, re.MULTILINE)
    assert cli.main(shlex.split(commands[0])) == 0
    assert len(pd.read_csv("ages.csv")) == len(capsys.readouterr().out.splitlines()) == 2
    parsed = cli._parser().parse_args(shlex.split(commands[1]))
    assert (parsed.pictures, parsed.out, parsed.every) == (["birthday.mp4"], "birthday-ages.mp4", 5)


def test_the_contract_is_the_one_that_travels_with_the_weights():
    rows = dict(cells(cards.contract("faces"))[1:])
    crop = weights.load_model("faces")[1]
    assert rows == {f"`{field}`": str(value) for field, value in vars(crop).items()}
