"""Model cards: what our weights are and learned from, how they score for whom, as Markdown made of the records."""

import hashlib
import itertools
import json
from dataclasses import asdict
from functools import partial

import pandas as pd

from ssrlib import conformal, intervals, records, scoreboard, targets
from ssrlib.authors import AUTHORS_WEIGHTS
from ssrlib.catalogue import DATASETS
from ssrlib.recipes import RECIPES

CARDS = (*scoreboard.SHIPPED, "sex")
# What the authors' weights that ours started from, or were taught by, have learned from last.
AUTHORS_DATA = {"megaage": "megaage_asian", "megaage_densenet_19": "megaage_asian"}
LEVEL = 0.9  # of the intervals
FEWEST = 30  # faces; a smaller group's error is chance
NONE = "\N{EN DASH}"
DECADES = [0, 10, 20, 30, 40, 50, 60, 120]


def identity(name):
    """Tabulate what a run's weights are: file, network, input, data, recipe and their terms.

    Parameters
    ----------
    name : str
        Of a recorded run.

    Returns
    -------
    str
        A Markdown table with a row a property.
    """
    run = records.read_run(name)
    record, data = run.record, run.record["data"]
    crop, network = record["crop"], record["network"]
    content = run.weights.read_bytes()
    counts = ", ".join(f"{data[split]:,} {split}" for split in ("train", "val", "test"))
    aligned = f"aligned by {crop['landmarks']} landmarks" if crop["landmarks"] else "not aligned"
    age = record["recipe"].get("target", "age") == "age"
    rows = {
        "file": f"`results/{name}/{records.WEIGHTS_FILE}`, {len(content):,} bytes",
        "SHA-256": f"`{hashlib.sha256(content).hexdigest()}`",
        "network": f"{scoreboard.describe_network(network)}, {record['parameters']:,} parameters, V = "
        f"{network['value_range']}",
        "input": f"RGB, {crop['size']}x{crop['size']}, 0 to 255; face by {crop['detector']}, {aligned}, margin "
        f"{crop['margin']:.0%} of the box on each side",
        "answer": "years" if age else "the probability of the label `male`, after a calibration in the record",
        "learned from": f"{data['dataset'].replace('+', ' and ')}: {counts}",
        "started from": _start(record),
        "recipe": _recipe(record["recipe"]),
        "seed": str(record["seed"]),
        "made with": f"code {record['code']}, Keras {record['versions']['keras']} on {record['backend']}, "
        f"{record['processor']}",
        "terms": "; ".join(f"{source}: {terms}" for source, terms in _terms(name).items()),
    }
    return scoreboard.markdown_table(["property", "`" + name + "`"], rows.items())


def contract(name):
    """Tabulate the crop that a run's weights want, field by field as `alignment.Crop` has it."""
    crop = records.read_run(name).record["crop"]
    return scoreboard.markdown_table(["field", "value"], [[f"`{field}`", str(value)] for field, value in crop.items()])


def scores(name):
    """Tabulate how a run's weights do on the faces of their test part, for everybody and by group.

    Parameters
    ----------
    name : str
        Of a recorded run.

    Returns
    -------
    str
        A Markdown table: for ages the MAE with its 95 % interval, bias and CA(5), for a probability the accuracy with
        its interval, and how far it is from the share that came true. Groups of fewer than `FEWEST` faces are left out.
    """
    run = records.read_run(name)
    faces = _known(run)
    groups = {"everybody": pd.Series("all", faces.index)}
    if "dataset" in faces and faces["dataset"].nunique() > 1:
        groups["data set"] = faces["dataset"]
    groups["age"] = _decades(faces["age"])
    groups |= {column: faces[column] for column in ("sex", "ethnicity") if column in faces and faces[column].any()}
    by_age = "male" not in faces
    rows = []
    for kind, values in groups.items():
        for value, group in faces.groupby(values, observed=True):
            if len(group) >= FEWEST and value != "":
                cells = _row(group, by_age)
                if kind == "sex" and not by_age:
                    cells[-1] = NONE  # a probability is calibrated over both answers or not at all
                rows.append([kind if kind == "everybody" else f"{kind}: {value}", f"{len(group):,}", *cells])
    head = ["MAE (years)", "bias", "CA(5)"] if by_age else ["accuracy", "calibration error"]
    return scoreboard.markdown_table(["test faces", "number", *head], rows)


def interval(name):
    """Say how wide the interval around an answer in years is, and how often it held.

    Parameters
    ----------
    name : str
        Of a recorded run that answers with ages.

    Returns
    -------
    str
        A sentence.
    """
    predictions = records.read_run(name).predictions
    known, asked = (predictions[predictions["split"] == split] for split in ("val", "test"))
    radius = conformal.conformal_radius(known["prediction"] - known["age"], LEVEL)
    reached = conformal.measure_coverage(conformal.predict_intervals(known, asked, LEVEL))["coverage"]
    return (
        f"`{name}`: the answer plus and minus {radius:.1f} years is promised to hold {LEVEL:.0%} of the ages of faces "
        f"like those it was tested on; it held {reached:.1%} of them."
    )


def _known(run):
    """Give a run's test predictions with what is recorded of each picture: age, data set, sex, ethnicity."""
    faces = run.predictions.query("split == 'test'").reset_index(drop=True)
    known = records.read_predictions("cross")[["dataset", "name", "age", "sex", "ethnicity"]]
    known = known[known["dataset"].isin(run.record["data"]["dataset"].split("+"))]
    if known.empty:
        return faces
    faces = faces.merge(known, on="name", how="left", suffixes=("", "_known"), validate="one_to_one")
    return faces.assign(**faces[["sex", "ethnicity"]].fillna(""))


def _decades(ages):
    names = [f"{low} to {high - 1}" for low, high in itertools.pairwise(DECADES[:-1])]
    return pd.cut(ages, DECADES, right=False, labels=[*names, f"{DECADES[-2]} and more"])


def _row(group, by_age):
    if by_age:
        (row,) = intervals.errors_by_group(group, pd.Series(0, group.index)).to_dict("records")
        return [f"{row['mae']:.2f} ({row['low']:.2f} to {row['high']:.2f})", f"{row['bias']:+.2f}", f"{row['ca5']:.3f}"]
    numbers = targets.summarize_probabilities(group["prediction"], group["male"])
    right = (group["prediction"] > 0.5) == (group["male"] == 1)
    low, high = intervals.bootstrap_interval(right.astype(float))
    return [f"{numbers['accuracy']:.3f} ({low:.3f} to {high:.3f})", f"{numbers['calibration_error']:.3f}"]


def _start(record):
    names = [f"`{record['init']['name']}`"] if record["init"] else ["random weights"]
    names += [f"taught by `{teacher['name']}`" for teacher in record["teachers"]]
    return ", ".join(names)


def _recipe(recipe):
    """Name a recipe, its length, and in which fields it differs from the one it is named after."""
    plain = json.loads(json.dumps(asdict(RECIPES[recipe["name"]])))  # a record's lists are a recipe's tuples
    changed = [
        f"{key}={value}" for key, value in recipe.items() if key not in ("name", "epochs") and plain[key] != value
    ]
    return f"`{recipe['name']}`, {recipe['epochs']} epochs" + "".join(f", `{change}`" for change in changed)


def _terms(name):
    """Collect the terms of all data that weights have seen, those before them and their teachers included."""
    if name in AUTHORS_WEIGHTS:
        return {f"the authors' `{name}`": DATASETS[AUTHORS_DATA[name]].terms}
    record, terms = records.read_run(name).record, {}
    for dataset in record["data"]["dataset"].split("+"):
        terms[dataset] = DATASETS[dataset].terms
    for used in filter(None, [record["init"], *record["teachers"]]):
        terms |= _terms(used["name"])
    return terms


TABLES = {f"card_{name}": partial(identity, name) for name in CARDS}
TABLES |= {f"scores_{name}": partial(scores, name) for name in CARDS}
TABLES |= {"crop_faces": partial(contract, "faces")}
TABLES |= {f"interval_{name}": partial(interval, name) for name in scoreboard.SHIPPED}
