"""The ledger: the paper's numbers beside what was measured here, as Markdown tables made of the records."""

from functools import partial

import pandas as pd

from ssrlib import records, scoreboard

NONE = "\N{EN DASH}"
DATASETS = {"MORPH2": "morph2", "MegaAge-Asian": "megaage_asian"}
# What the paper's networks are called in the authors' logs and in our runs.
LOGGED = {"SSR-Net": "SSR-Net", "MobileNet": "MobileNet 0.25", "DenseNet": "DenseNet-19"}
TRAINED = {"SSR-Net": "ssrnet (3,3,3)", "MobileNet": "mobilenet", "DenseNet": "densenet"}
# Whose weights on which data set were released and can be read.
RELEASED = {
    "MegaAge-Asian": dict(zip(LOGGED, ("megaage", "megaage_mobilenet_0.25", "megaage_densenet_19"), strict=True))
}
# Variants of results/ablations with and without dynamic range; None is the one that it calls its base.
FIXED_BINS = {
    "ours, p from a ReLU": (None, "bins neither move nor stretch"),
    "the same, 25 epochs": ("25 epochs", "25 epochs, bins neither move nor stretch"),
    "ours, p from a softmax": ("softmax", "softmax, bins neither move nor stretch"),
}


def claim(dataset, measure):
    """Compare one measure of the paper on one data set: paper, authors' logs, authors' weights, our runs.

    Parameters
    ----------
    dataset : str
        "MORPH2" or "MegaAge-Asian". Our runs on it count as soon as they are recorded.
    measure : str
        "MAE" (years), "CA(3)" or "CA(5)" (shares).

    Returns
    -------
    str
        A Markdown table with a column for each network and a row for each origin of a number.
    """
    runs = _our_runs(DATASETS[dataset])
    rows = {"the paper": _quotations(measure, dataset)} | (_logged(dataset) if measure == "MAE" else {})
    rows["authors' weights, measured here"] = _released(dataset, measure)
    paper = runs[runs["recipe"] == "paper"]
    for _, same in paper.groupby(["start", "heads"]):
        rows[f"our runs, {_way(same.iloc[0])}"] = _by_network(same, measure)
    if paper.empty:
        rows["our runs, `paper`"] = {}
    rows["our best"] = _by_network(runs, measure, named=True)
    if not rows["the paper"]:
        del rows["the paper"]
    needs = f"[needs {dataset}](sec-run-{DATASETS[dataset].replace('_', '-')})"
    table = []
    for name, cells in rows.items():
        cells = cells or {"SSR-Net": needs}
        table.append([name, *(cells.get(network, NONE) for network in LOGGED)])
    return scoreboard.markdown_table([measure, *LOGGED], table)


def measured(dataset):
    """List what the authors' weights and our runs reach on a data set that the paper does not have.

    Parameters
    ----------
    dataset : str
        A data set of the recorded runs, as "all_age_faces".

    Returns
    -------
    str
        A Markdown table: the median guess, then the authors' weights and ours, each sorted by their error.
    """
    from ssrlib.authors import AUTHORS_WEIGHTS

    guess = scoreboard.shipped_run(dataset).record["median_guess"]
    rows = [["the median age for everybody", *_scores(guess)]]
    cross = records.read_table("cross")[0].query("tested_on == @dataset").sort_values("mae")
    for row in cross[cross["weights"].isin(AUTHORS_WEIGHTS)].to_dict("records"):
        rows.append([f"authors' `{row['weights']}`", *_scores(row)])
    for row in cross[~cross["weights"].isin(AUTHORS_WEIGHTS) & (cross["trained_on"] != dataset)].to_dict("records"):
        rows.append([f"our `{row['weights']}`, trained on {row['trained_on'].replace('+', ' and ')}", *_scores(row)])
    for _, run in _our_runs(dataset).iterrows():
        seeds = f", {run['seeds']} seeds" if run["seeds"] > 1 else ""
        steps = f"{run['epochs']} epochs at {run['rate']:g}"
        name = f"our {run['network']}, {_way(run)}, {steps}{seeds}"
        rows.append([name, *(_cell(run, measure) for measure in ("MAE", "CA(3)", "CA(5)"))])
    return scoreboard.markdown_table(["weights", "MAE", "CA(3)", "CA(5)"], rows)


def _logs():
    """List the validation error of the last and of the best epoch in the authors' logs, in years."""
    table = records.read_table("authors_histories")[0].groupby(["dataset", "network"])["val_mae"]
    ends = table.agg(["last", "min"]).reset_index()
    return scoreboard.markdown_table(
        ["data", "network", "last epoch", "best epoch"],
        [[dataset, network, f"{last:.2f}", f"{best:.2f}"] for dataset, network, last, best in ends.to_numpy()],
    )


def _sizes():
    """Compare the paper's megabytes, the authors' files, and parameters and multiply-adds counted here."""
    paper, files = _quotations("size"), _quotations("file")
    rows = []
    for network, (parameters, multiply_adds) in _counted(
        {"SSR-Net": ("ssrnet", {}), "MobileNet": ("mobilenet", {}), "DenseNet": ("densenet", {})}
    ).items():
        rows.append(
            [network, paper[network], f"{int(files[network]):,}", f"{parameters:,}", f"{multiply_adds / 1e6:.1f}"]
        )
    rows += [[network, size, NONE, NONE, NONE] for network, size in paper.items() if network not in LOGGED]
    columns = ["network", "paper, MB", "authors' file, bytes", "parameters", "multiply-adds, millions"]
    return scoreboard.markdown_table(columns, rows)


def _stage_sizes():
    """Count the parameters of the stages in the paper's figure 3, and of plain outputs on the same trunk."""
    from ssrlib.stagewise import bin_widths

    shapes = [(3, 3, 3), (27,), (5, 5, 5), (101,)]
    networks = {f"SSR-Net {shape}".replace(",)", ")"): ("ssrnet", {"stages": shape}) for shape in shapes}
    finest = {name: f"{bin_widths(shape)[-1]:.2f}" for name, shape in zip(networks, shapes, strict=True)}
    networks |= {"plain regression": ("plain", {}), "DEX's output, 101 bins": ("dex", {})}
    rows = [[name, f"{count:,}", finest.get(name, NONE)] for name, (count, _) in _counted(networks).items()]
    orcnn = _quotations("parameters", source="figure 3")["ORCNN"]
    return scoreboard.markdown_table(
        ["network", "parameters", "finest bin, years"],
        [*rows, ["ORCNN (the paper's figure)", f"about {int(orcnn):,}", NONE]],
    )


def _dynamic_range():
    """Compare errors with and without dynamic range: the paper's, and those of our runs that differ in nothing else."""
    paper = _quotations("MAE", "MORPH2")
    rows = [["the paper", "MORPH2", paper["SSR-Net"], paper["SSR-Net without dynamic range"]]]
    try:
        table, about = records.read_table("ablations")
    except FileNotFoundError:
        rows.append(["ours", "any", *["[none recorded yet](sec-run-fixed-bins)"] * 2])
    else:
        errors = table.groupby("variant")["mae"].agg(["mean", scoreboard.half_interval])
        errors.columns = ["MAE", "+-"]
        for name, (moving, fixed) in FIXED_BINS.items():
            pair = [variant or about["base"] for variant in (moving, fixed)]
            if set(pair) <= set(errors.index):
                rows.append([name, about["dataset"], *(_cell(errors.loc[variant], "MAE") for variant in pair)])
    return scoreboard.markdown_table(["MAE", "data", "with", "without"], rows)


def _heads():
    """Tell of the authors' heads how many bins ever have a weight, how far a shift moves (bins), Delta's ends."""
    bins = records.read_table("released_bins")[0].query("dataset == 'all_age_faces'")
    stages = records.read_table("released_stages")[0].query("dataset == 'all_age_faces'").groupby("weights")
    least, largest = stages["least_delta"].min(), stages["largest_delta"].max()
    rows = []
    for name, table in bins.groupby("weights", sort=False):
        moves = (table["largest_eta"] - table["least_eta"]).max()
        alive = f"{(table['fires'] > 0).sum()} of {len(table)}"
        rows.append([f"`{name}`", alive, f"{moves:.2f}", f"{least[name]:.2f} to {largest[name]:.2f}"])
    return scoreboard.markdown_table(["authors' weights", "bins alive", "η moves by", "Δ"], rows)


def _parity():
    """Tell how near our networks with the authors' weights come to what the authors' own code computed, in years."""
    table = records.read_table("parity")[0]
    table = table[~table["weights"].str.endswith("gender")]
    worst = table.groupby("weights")["output"].agg(["max", "size"])
    return scoreboard.markdown_table(
        ["weights", "largest deviation, years", "backends"],
        [[f"`{name}`", f"{row['max']:.5f}", f"{row['size']:.0f}"] for name, row in worst.iterrows()],
    )


def _paper_times():
    """List the paper's times for one picture, in milliseconds."""
    gpu, cpu = _quotations("time on a GPU"), _quotations("time on a CPU")
    rows = [[network, gpu[network], cpu[network]] for network in gpu]
    return scoreboard.markdown_table(["the paper, ms", "GPU", "CPU"], rows)


def _our_times():
    """List the times of SSR-Net's forward pass measured here, in milliseconds a picture.

    Returns
    -------
    str
        A Markdown table of medians.
    """
    table, about = records.read_table("forward")
    medians = table.groupby(["batch", "compiler", "network"])["milliseconds"].median().unstack()
    return scoreboard.markdown_table(
        [f"{about['processor']}, {about['cores']} cores, ms", "layer by layer, as released", "`ssrlib`"],
        [
            [f"batch {batch}, {compiler}", f"{row['layer by layer']:.2f}", f"{row['ssrlib']:.2f}"]
            for (batch, compiler), row in medians.iterrows()
        ],
    )


def _downloads():
    """List the recorded runs, each with a link to its predictions that starts at the root of the book."""
    rows = []
    for run in scoreboard.list_runs().to_dict("records"):
        score = f"{run['MAE']:.2f}" if pd.notna(run["MAE"]) else f"accuracy {run['accuracy']:.3f}"
        rows.append([f"`{run['run']}`", run["data"].replace("+", " and "), score, run["run"]])
    rows.append(["all weights of [the two tables](sec-ledger-open)", "their test parts", NONE, "cross"])
    file = records.PREDICTIONS_FILE
    return scoreboard.markdown_table(
        ["run", "trained and tested on", "MAE", "per picture"],
        [
            [*cells, f"{{download}}`predictions </results/{name}/{file}>`"]
            for *cells, name in rows
            if (records.results_folder() / name / file).is_file()  # an unfinished run has none yet
        ],
    )


TABLES = {
    "ledger_sizes": _sizes,
    "ledger_stage_sizes": _stage_sizes,
    "ledger_parity": _parity,
    "ledger_morph2": partial(claim, "MORPH2", "MAE"),
    **{f"ledger_megaage_{name}": partial(claim, "MegaAge-Asian", measure)
       for name, measure in {"mae": "MAE", "ca3": "CA(3)", "ca5": "CA(5)"}.items()},
    "ledger_logs": _logs,
    "ledger_all_age_faces": partial(measured, "all_age_faces"),
    "ledger_utkface": partial(measured, "utkface"),
    "ledger_dynamic_range": _dynamic_range,
    "ledger_heads": _heads,
    "ledger_paper_times": _paper_times,
    "ledger_our_times": _our_times,
    "ledger_downloads": _downloads,
}  # fmt: skip


def _quotations(measure, dataset=None, source=None):
    """Look up the paper's numbers by model, with the digits that the paper prints."""
    table = pd.read_csv(records.results_folder() / "paper" / "table.csv", dtype=str)
    chosen = (table["measure"] == measure) & (table["data"].eq(dataset) if dataset else table["data"].isna())
    chosen &= table["source"].eq(source) if source else True
    return table[chosen].set_index("model")["value"].to_dict()


def _logged(dataset):
    """Write the authors' validation errors of the last and the best epoch, by model."""
    table = records.read_table("authors_histories")[0].query("dataset == @dataset").groupby("network")["val_mae"]
    return {
        f"authors' log, {name} epoch": {
            model: f"{values[logged]:.2f}" for model, logged in LOGGED.items() if logged in values
        }
        for name, values in (("last", table.last()), ("best", table.min()))
    }


def _released(dataset, measure):
    """Write what the authors' weights for a data set reach on it, by model, where that was measured."""
    table = records.read_table("cross")[0]
    table = table[table["tested_on"] == DATASETS[dataset]].set_index("weights")
    column = measure.lower().replace("(", "").replace(")", "")
    return {
        model: f"{table.loc[weights, column]:.{2 if measure == 'MAE' else 3}f}"
        for model, weights in RELEASED.get(dataset, {}).items()
        if weights in table.index
    }


def _our_runs(dataset):
    """Average our runs on a data set over their seeds, the lowest error first."""
    return scoreboard.compare_runs().query("data == @dataset")


def _by_network(runs, measure, named=False):
    """Write a measure of averaged runs, by model."""
    models = {trained: model for model, trained in TRAINED.items()}
    cells = {}
    for _, run in runs[runs["network"].isin(models)].iterrows():
        name = f" ({_way(run)})" if named else ""
        cells.setdefault(models[run["network"]], _cell(run, measure) + name)  # the lowest MAE comes first
    return cells


def _way(run):
    """Write how a run was trained and from which start."""
    fresh = ", fresh heads" if run["heads"] == "fresh" and run["start"] != "random" else ""
    return f"`{run['recipe']}` from {run['start']}{fresh}"


def _cell(run, measure):
    """Write a mean over seeds, of the MAE with half of its interval where there are several."""
    if measure != "MAE":
        return f"{run[measure]:.3f}"
    return f"{run['MAE']:.2f}" + (f"\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{run['+-']:.2f}" if run["+-"] >= 0 else "")


def _scores(numbers):
    return f"{numbers['mae']:.2f}", f"{numbers['ca3']:.3f}", f"{numbers['ca5']:.3f}"


def _counted(networks):
    """Count the parameters and the multiply-adds of networks given as a name and arguments."""
    from ssrlib.baselines import build_network
    from ssrlib.costs import layer_costs

    built = {name: build_network(architecture, **arguments) for name, (architecture, arguments) in networks.items()}
    return {name: (model.count_params(), layer_costs(model)["multiply_adds"].sum()) for name, model in built.items()}
