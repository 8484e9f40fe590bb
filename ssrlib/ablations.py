"""Ablations: by how many years a network errs more when one of its parts is changed, and how sure that is."""

import numpy as np
import pandas as pd
from scipy import stats


def differences(table, base):
    """Compare each variant with the unchanged network, over seeds.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a run: `question`, `variant`, `parameters` and `mae`, the test error in years.
    base : str
        Name of the variant in which nothing is changed.

    Returns
    -------
    pandas.DataFrame
        One row a variant, in the table's order: `question`, `variant`, `parameters`, `seeds`, `mae` (mean, years),
        `difference` (years; above 0 is worse than the base), and `low` and `high`, the ends of its 95 % interval by
        Welch's t test: NaN where there is one seed only.

    Raises
    ------
    ValueError
        If the table holds no run of the base.

    Examples
    --------
    >>> table = pd.DataFrame({"question": ["base", "stages"], "variant": ["(3,3,3)", "(27)"],
    ...                       "parameters": [40_915, 60_000], "mae": [6.0, 6.5]})
    >>> differences(table, "(3,3,3)")[["variant", "difference"]].to_dict("records")
    [{'variant': '(27)', 'difference': 0.5}]
    """
    unchanged = table.loc[table["variant"] == base, "mae"]
    if unchanged.empty:
        raise ValueError(f"There is no run of '{base}' to compare with.")
    rows = []
    for (question, variant), runs in table[table["variant"] != base].groupby(["question", "variant"], sort=False):
        low, high = interval(runs["mae"], unchanged)
        rows.append(
            {
                "question": question,
                "variant": variant,
                "parameters": runs["parameters"].iloc[0],
                "seeds": len(runs),
                "mae": runs["mae"].mean(),
                "difference": runs["mae"].mean() - unchanged.mean(),
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)


def interval(runs, others):
    """Find the 95 % interval of the difference of two means by Welch's t test.

    Parameters
    ----------
    runs, others : sequence of float
        One value a seed.

    Returns
    -------
    low, high : float
        NaN where one of the two has fewer than two values.

    Examples
    --------
    >>> low, high = interval([6.4, 6.5, 6.6], [6.0, 6.1, 6.2])
    >>> round(float(low), 2), round(float(high), 2)
    (0.17, 0.63)
    """
    if min(len(runs), len(others)) < 2:
        return np.nan, np.nan
    found = stats.ttest_ind(runs, others, equal_var=False).confidence_interval(0.95)
    return found.low, found.high
