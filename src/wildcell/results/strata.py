"""Ranks by how hard conditions are: strata of a column that is known of each of them.

Strata are fixed over conditions, once for all models, so that none chooses what it is judged on.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from wildcell.arrays import Codes, Floats
from wildcell.errors import OptionError, UnknownNameError
from wildcell.names import CONDITION, CONDITION_COLUMNS, Role
from wildcell.registry import did_you_mean
from wildcell.results.rank import EVERY_CATEGORY, QUESTION, rank, without_shams
from wildcell.results.words import number

BINS = 4
UNKNOWN_STRATUM = "unknown"
"""Where conditions are whose value is not known."""

ROWS = [*QUESTION, "seed", "fold", *CONDITION]
NO_STRATA = ("role", "reason", "unknown", "judged", "components", "context_x", "context_y")
COLUMNS = [name for name in CONDITION_COLUMNS if name not in {*ROWS, *NO_STRATA}]
"""What conditions can be laid in strata by."""

STRATUM_COLUMNS = ["by", "stratum", "stratum_conditions"]
"""What the ranks in strata have in the place of `category`."""


def rank_in_strata(
    scores: pd.DataFrame,
    references: Mapping[str, str],
    conditions: pd.DataFrame,
    *,
    by: str,
    bins: int = BINS,
) -> pd.DataFrame:
    """Rank models in each stratum of the conditions.

    Parameters
    ----------
    scores
        The long table, of any number of questions.
    references
        The reference baseline of each scenario, by name.
    conditions
        All conditions of the questions, with the columns of `CONDITION_COLUMNS`.
    by
        One of `COLUMNS`.
    bins
        Quantiles that numbers are laid in; words, and numbers of so few values, are strata as
        they are.

    Returns
    -------
    The columns of `wildcell.results.rank.rank`, with `STRATUM_COLUMNS` in the place of the
    category: rows of all conditions but shams (`all`) first, then those of each stratum in order.

    Raises
    ------
    UnknownNameError
        There is no such column.
    OptionError
        There are fewer than two bins, or nothing is known of the conditions.
    """
    asked, told = without_shams(scores), strata(conditions, by=by, bins=bins)
    stratum = asked[ROWS].merge(told, on=ROWS, how="left", validate="many_to_one")["stratum"]
    labels = stratum.fillna(UNKNOWN_STRATUM).to_numpy()
    ranks = rank(asked.assign(category=labels), references).rename(columns={"category": "stratum"})
    sizes = _sizes(told)
    order = {key: place for place, key in enumerate(sizes)}
    keys = list(ranks[[*QUESTION, "stratum"]].itertuples(index=False, name=None))
    ranks["by"] = by
    ranks["stratum_conditions"] = [sizes.get(key, 0) for key in keys]
    place = np.array([order.get(key, len(order)) for key in keys])
    columns = [*QUESTION, *STRATUM_COLUMNS]
    found = ranks.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)
    return found[[*columns, *(name for name in found if name not in columns)]]


def strata(conditions: pd.DataFrame, *, by: str, bins: int = BINS) -> pd.DataFrame:
    """Return the stratum of each tested condition but shams, question by question, in order.

    Numbers are averaged over seeds and folds first, so that a condition is in one stratum only.

    Returns
    -------
    The columns of `ROWS` and `stratum`, a row a tested condition.

    Examples
    --------
    >>> names = {"scenario": "s", "dataset": "d", "arm": "a", "seed": 0, "fold": 0}
    >>> rows = [
    ...     {**names, "context": "c", "perturbation": name, "role": "test", "category": "single",
    ...      "effect_size": size}
    ...     for name, size in zip("wxyz", [3.0, 1.0, 4.0, 2.0], strict=True)
    ... ]
    >>> strata(pd.DataFrame(rows), by="effect_size", bins=2)["stratum"].tolist()
    ['1 of 2: 1.00 to 2.00', '1 of 2: 1.00 to 2.00', '2 of 2: 3.00 to 4.00', '2 of 2: 3.00 to 4.00']
    """
    if by not in COLUMNS:
        raise UnknownNameError(f"Conditions have no column {by!r}. {did_you_mean(by, COLUMNS)}")
    if bins < 2:
        raise OptionError(f"Strata take two bins at least; got {bins}.")
    tested = without_shams(conditions[conditions["role"] == Role.TEST])
    if tested.empty:
        raise OptionError(
            "Nothing is known of the conditions of these runs: wildcell run writes it, and "
            "wildcell score --runs."
        )
    tables = [_of_question(table, by, bins) for _, table in tested.groupby(QUESTION, sort=True)]
    return pd.concat(tables, ignore_index=True)


def _sizes(told: pd.DataFrame) -> dict[tuple[str, ...], int]:
    """Count the conditions of each question and stratum, in order; those of all come first."""
    once = told.drop_duplicates([*QUESTION, *CONDITION, "stratum"])
    every = once.drop_duplicates([*QUESTION, *CONDITION]).assign(stratum=EVERY_CATEGORY)
    counts = pd.concat([every, once]).groupby([*QUESTION, "stratum"], sort=False).size()
    return {tuple(map(str, key)): int(n) for key, n in counts.items()}


def _of_question(tested: pd.DataFrame, by: str, bins: int) -> pd.DataFrame:
    column = tested[by]
    if pd.api.types.is_numeric_dtype(column):
        of_condition = [tested[name] for name in CONDITION]
        values = column.groupby(of_condition).transform("mean").to_numpy(float)
        once = ~tested.duplicated(CONDITION).to_numpy()
        place, labels = _quantiles(values, np.sort(values[once & np.isfinite(values)]), bins)
    else:
        place, labels = pd.factorize(column.astype(str), sort=True)
    order = np.argsort(place, kind="stable")
    return tested[ROWS].assign(stratum=np.asarray(labels, dtype=object)[place]).iloc[order]


def _quantiles(values: Floats, known: Floats, bins: int) -> tuple[Codes, list[str]]:
    """Return the quantile of each value, the unknown ones after the last, and their labels.

    Parameters
    ----------
    values
        A value a row, shape (n_rows,).
    known
        The known values, one a condition, sorted.
    bins
        How many quantiles.
    """
    starts = np.unique(known)
    if len(starts) > bins:
        starts = np.unique(known[len(known) * np.arange(bins) // bins])
    place = np.where(np.isnan(values), len(starts), np.searchsorted(starts, values, "right") - 1)
    of_known = np.searchsorted(starts, known, "right") - 1
    members = [known[of_known == number] for number in range(len(starts))]
    labels = [
        f"{order} of {len(starts)}: {_span(float(some[0]), float(some[-1]))}"
        for order, some in enumerate(members, start=1)
    ]
    return place.astype(np.intp), [*labels, UNKNOWN_STRATUM]


def _span(low: float, high: float) -> str:
    return number(low) if low == high else f"{number(low)} to {number(high)}"
