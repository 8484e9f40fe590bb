"""The landing page's picture: bars and bins stand where the numbers say, and the numbers are the network's."""

import sys

import numpy as np
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT

from ssrlib import weights

sys.path.append(str(ROOT / "book" / "_ext"))

import one_answer

FACE = np.full((64, 64, 3), 200, np.uint8)
# Adds 0.5 * 20 + 0.25 * 40 = 20 years, and then 1 * 6 - 0.5 * 2 = 5; a weight of 0.25 is half as wide as one of 1.
STAGES = [
    {"weights": np.array([0.0, 0.5, 0.25]), "years": np.array([0.0, 20.0, 40.0]), "width": 20.0},
    {"weights": np.array([1.0, 0.5]), "years": np.array([6.0, -2.0]), "width": 8.0},
]


def test_bars_and_bins_stand_at_their_years():
    page = BeautifulSoup(one_answer.draw(FACE, STAGES, 26), "html.parser")
    first, second, axis = page.find_all("svg")
    assert axis.get_text(" ").split() == ["0", "20", "40", "years"]  # 40 years are the furthest bin
    assert [(bar["x"], bar["width"]) for bar in first.find_all("rect")] == [("0.0%", "50.0%")]
    assert [(bar["x"], bar["width"]) for bar in second.find_all("rect")] == [("0.0%", "50.0%"), ("50.0%", "12.5%")]
    assert [dot["cx"] for dot in first.find_all("circle")] == ["0.0%", "50.0%", "100.0%"]
    assert [dot["cx"] for dot in second.find_all("circle")] == ["65.0%", "45.0%"]
    assert [dot["r"] for dot in first.find_all("circle")] == ["0.0", "5.7", "4.0"]


def test_the_words_say_the_same():
    text = BeautifulSoup(one_answer.draw(FACE, STAGES, 26), "html.parser").get_text(" ", strip=True)
    assert "In: 64x64 pixels" in text and "25.0 years drawn at 26" in text
    assert "Stage 1 : bins 20.0 years apart add 20.0" in text and "Stage 2 : bins 8.0 years apart add 5.0" in text


def test_a_bar_may_go_back():
    back = [STAGES[0], {"weights": np.array([1.0]), "years": np.array([-4.0]), "width": 4.0}]
    bars = BeautifulSoup(one_answer.draw(FACE, back, 26), "html.parser").find_all("svg")[1].find_all("rect")
    assert (bars[1]["x"], bars[1]["width"]) == ("40.0%", "10.0%")


def test_the_stages_add_up_to_the_networks_answer():
    face, stages = one_answer.compute(38)
    total = sum(stage["weights"] @ stage["years"] for stage in stages)
    model, _, _ = weights.load_model("drawn")
    assert total == pytest.approx(model.predict(face[None], verbose=0)[0, 0], abs=1e-3)
