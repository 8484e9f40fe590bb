import numpy as np
import pytest

from ssrlib import bounded, crops, records, synthetic, weights
from ssrlib.alignment import Crop

LIMIT = 40


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """A few drawn crops, small ones."""
    out = tmp_path_factory.mktemp("crops") / "drawn.npz"
    return crops.prepare_crops("drawn", out=out, crop=Crop(size=40, upsample=0), limit=LIMIT, workers=1)


def test_an_attribute_belongs_to_its_face(faces):
    turns = bounded.drawn_attribute(faces, "yaw")
    for name, turn in zip(faces.table["name"], turns, strict=True):
        seed, number = (int(part) for part in name.split(":")[1:])
        assert synthetic.draw_face(seed, number)[3]["yaw"] == turn


def test_unknown_attributes_and_other_faces_are_refused(faces):
    with pytest.raises(ValueError, match="not drawn with a 'hat'; there are: sex"):
        bounded.drawn_attribute(faces, "hat")
    other = crops.Crops(faces.images, faces.table, faces.rejects, faces.record | {"dataset": "utkface"})
    with pytest.raises(ValueError, match="not of utkface"):
        bounded.drawn_attribute(other, "yaw")


@pytest.mark.slow
def test_a_quantity_that_can_be_seen_is_learned_in_its_own_unit():
    """Grey pictures whose brightness, from black to white, is 100 to 150 of something."""
    rng = np.random.default_rng(0)
    values = rng.uniform(100, 150, 300)
    images = np.clip((values - 100)[:, None, None, None] * 5.1 + rng.normal(0, 5, (300, 40, 40, 3)), 0, 255)
    model = bounded.learn_bounded(images.astype(np.uint8)[:250], values[:250], 100, 150, epochs=8)
    errors = np.abs(model.predict(images.astype(np.uint8)[250:], verbose=0)[:, 0] - values[250:])
    assert errors.mean() < 6 < np.abs(values[250:] - np.median(values[:250])).mean()


def test_what_does_not_fit_is_refused(faces):
    with pytest.raises(ValueError, match="between the bounds 0 and 1"):
        bounded.learn_bounded(faces.images, np.linspace(0, 1.1, len(faces)), 0, 1)
    with pytest.raises(ValueError, match="3 values"):
        bounded.learn_bounded(faces.images, [0, 0, 1], 0, 1)


def test_recorded_turns_are_those_of_the_faces_and_of_the_scores():
    table = records.read_table("head_turn")[0]
    answers = records.read_predictions("head_turn")
    _, people = synthetic.sample_attributes(3000, 0)
    numbers = answers["name"].str.split(":").str[2].astype(int)
    assert np.allclose(people["yaw"].to_numpy()[numbers], answers["turn"], atol=0.01)
    errors = (answers["prediction"] - answers["turn"]).abs()
    assert table["mae"][0] == pytest.approx(errors.mean(), abs=0.01) and table["n"][0] == len(answers)
    assert table["mae"][0] < table["guess"][0] / 2


def test_released_gender_scores_follow_from_their_outputs():
    table = records.read_table("released_gender")[0]
    outputs = records.read_predictions("released_gender")
    for row in table.to_dict("records"):
        faces = outputs[outputs["dataset"] == row["dataset"]]
        right = (faces[row["weights"]] > 0.5) == (faces["male"] == 1)
        assert right.mean() == pytest.approx(row["accuracy"], abs=0.001) and len(faces) == row["n"]
        assert faces[row["weights"]].max() == pytest.approx(row["largest"], abs=1e-3)
    ours = outputs.set_index("name")["sex"]
    run = records.read_run("sex").predictions.query("split == 'test'").set_index("name")["output"]
    assert np.allclose(ours, run.loc[ours.index], atol=0.01)
    assert weights.load_model("sex")[2]["network"]["value_range"] == 1
