"""What the table of scores of a submission must be like."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from wildcell.arrays import Booleans
from wildcell.metrics.metric import METRICS, Metric
from wildcell.names import (
    ABSTENTIONS,
    BY_CELLS,
    CEILING,
    CONDITION,
    COST_COLUMNS,
    REPLICATE,
    SCORE_COLUMNS,
    SHAKEN,
    SHAKEN_UNDER,
    Status,
)
from wildcell.store.runs import slug
from wildcell.submitted.plain_name import label_trouble, name_trouble
from wildcell.submitted.remark import shown

RUN = ["dataset", "arm", "seed", "fold"]
"""What names a run among those of a model in a scenario."""

ROW = [*RUN, *CONDITION, "metric"]
TABLE_COLUMNS = [*SCORE_COLUMNS, *COST_COLUMNS]
OPTIONAL_COLUMNS = [*SHAKEN, *SHAKEN_UNDER, *BY_CELLS]
TEXTS = ["scenario", "arm", "dataset", "model", *CONDITION, "category", "metric", "status"]
WHOLE = ["seed", "fold", "n_truth", "n_prediction"]
NUMBERS = ["value", "numerator", "denominator", "null", *COST_COLUMNS]
PRESET, LEVEL = "wildcell", "condition"
MOST_ROWS = 10**7
ROUNDING = 1e-6
SHOWN_ROWS = 3

BOUNDS = re.compile(r"^(-?\d+(?:\.\d+)?) (?:to (-?\d+(?:\.\d+)?)|and above)$|^at most (\d+)$")
"""Ranges of metrics, in words, that bound every single score."""


def table_troubles(table: pd.DataFrame, *, scenario: str, model: str) -> Iterator[str]:
    """Say what is wrong with a table of scores, in sentences.

    Parameters
    ----------
    table
        As it was read.
    scenario, model
        What its folder and its file are called.
    """
    known = [*TABLE_COLUMNS, *OPTIONAL_COLUMNS]
    if lacking := [name for name in TABLE_COLUMNS if name not in table]:
        yield f"lacks the columns {', '.join(lacking)}."
        return
    if unknown := [name for name in table if name not in known]:
        yield (
            f"has unknown columns: {', '.join(map(shown, unknown))}. Known: "
            f"{', '.join(TABLE_COLUMNS)}, {OPTIONAL_COLUMNS[0]} and the like."
        )
        return
    if len(table) == 0 or len(table) > MOST_ROWS:
        yield f"has {len(table)} rows; it must have 1 to {MOST_ROWS}."
        return
    found = {name: list(table[name].unique()) for name in [*TEXTS, *RUN, "preset", "level"]}
    troubles = list(_kinds(table, found))
    yield from troubles
    if troubles:
        return
    yield from _names(found, scenario, model)
    yield from _words(found)
    yield from _rows(table, found)
    yield from _numbers(table)


Found = Mapping[str, Sequence[Any]]
"""What occurs in each column."""


def _kinds(table: pd.DataFrame, found: Found) -> Iterator[str]:
    for name in [*TEXTS, "preset", "level"]:
        if not all(isinstance(value, str) for value in found[name]):
            yield f"{name} must be text in every row."
    for name in WHOLE:
        column = table[name]
        if column.dtype.kind not in "iu" or (column < 0).any():
            yield f"{name} must be whole numbers from 0 on."
    for name in [*NUMBERS, *(name for name in OPTIONAL_COLUMNS if name in table)]:
        if table[name].dtype.kind not in "fiu" and table[name].notna().any():
            yield f"{name} must be numbers."


def _names(found: Found, scenario: str, model: str) -> Iterator[str]:
    for column, called in (("scenario", scenario), ("model", model)):
        first, *others = found[column]
        if others:
            yield f"holds several {column}s: {', '.join(map(shown, found[column][:SHOWN_ROWS]))}."
        elif slug(first) != called:
            said = f"which belongs in {slug(first)!r}, not {called!r}."
            yield f"is of the {column} {shown(first)}, {said}"
    for column in [*TEXTS, "preset", "level"]:
        look = label_trouble if column in CONDITION else name_trouble
        for name in found[column]:
            if trouble := look(name):
                yield f"{column} {shown(name)} {trouble}."


def _words(found: Found) -> Iterator[str]:
    for column, known in (
        ("status", [str(status) for status in Status if status is not Status.NO_HEADROOM]),
        ("metric", METRICS.names()),
        ("preset", [PRESET]),
        ("level", [LEVEL]),
    ):
        unknown = sorted(set(found[column]) - set(known))
        if unknown:
            yield (
                f"{column} {', '.join(map(shown, unknown[:SHOWN_ROWS]))} is not known; known: "
                f"{', '.join(known)}."
            )


def _rows(table: pd.DataFrame, found: Found) -> Iterator[str]:
    again = table.duplicated([name for name in ROW if len(found[name]) > 1] or ROW)
    if again.any():
        yield f"{int(again.sum())} rows are there twice: {_told(table, again)}."
    runs = [name for name in RUN if len(found[name]) > 1]
    if len(table[[*runs, *COST_COLUMNS]].drop_duplicates()) > _count(table, runs):
        yield f"{', '.join(COST_COLUMNS)} are those of a run, and must be the same in its rows."


def _count(table: pd.DataFrame, runs: list[str]) -> int:
    return len(table[runs].drop_duplicates()) if runs else 1


def _numbers(table: pd.DataFrame) -> Iterator[str]:
    is_ok = (table["status"] == Status.OK).to_numpy()
    is_finite = np.isfinite(table["value"].to_numpy(dtype=float))
    checks = [
        (is_ok & ~is_finite, "scores have the status ok and no finite value"),
        (~is_ok & table["value"].notna().to_numpy(), "scores have a value and a status beside ok"),
        (is_ok & is_finite & _is_outside(table), "scores lie outside of the range of their metric"),
        (is_ok & is_finite & _is_other_ratio(table), "values are not what their parts come to"),
        (_has_other_null(table), "null values are not those of their metric"),
    ]
    others = [name for name in [*NUMBERS, *OPTIONAL_COLUMNS] if name in table and name != "value"]
    numbers = table[others].to_numpy(dtype=float)
    checks += [
        (numbers[:, others.index(name)] < 0, f"numbers of {name} are below 0")
        for name in COST_COLUMNS
    ]
    is_infinite = np.isinf(numbers)
    checks += [
        (is_infinite[:, place], f"numbers of {others[place]} are infinite")
        for place in np.flatnonzero(is_infinite.any(axis=0))
    ]
    for bad, said in checks:
        if bad.any():
            yield f"{int(bad.sum())} {said}: {_told(table, pd.Series(bad, index=table.index))}."


def bounds_of(metric: Metric) -> tuple[float, float]:
    """Return the least and the greatest score that a metric can give, infinite where not known.

    Examples
    --------
    >>> bounds_of(METRICS.get("pearson_delta")), bounds_of(METRICS.get("effect_r2"))
    ((-1.0, 1.0), (-inf, inf))
    """
    found = BOUNDS.match(metric.range)
    if found is None:
        return -np.inf, np.inf
    low, high, most = found.groups()
    if most is not None:
        return -np.inf, float(most)
    return float(low), np.inf if high is None else float(high)


def _is_outside(table: pd.DataFrame) -> Booleans:
    codes, names = pd.factorize(table["metric"])
    known = [
        bounds_of(METRICS.get(name)) if name in METRICS else (-np.inf, np.inf) for name in names
    ]
    low, high = np.array(known)[codes].T
    value = table["value"].to_numpy(dtype=float)
    is_single = table["denominator"].isna().to_numpy()
    return np.asarray(((value < low - ROUNDING) | (value > high + ROUNDING)) & is_single)


def _is_other_ratio(table: pd.DataFrame) -> Booleans:
    """Mark ratios that are not those of their parts; a replicate's are means of two."""
    parts = table[["numerator", "denominator", "value"]].to_numpy(dtype=float)
    is_ratio = np.isfinite(parts).all(axis=1) & (table["model"] != REPLICATE).to_numpy()
    other = np.zeros(len(table), dtype=bool)
    ratios = table.loc[is_ratio, "metric"]
    for name in ratios.unique():
        if name in METRICS:
            rows = np.flatnonzero(is_ratio)[(ratios == name).to_numpy()]
            top, bottom, value = parts[rows].T
            with np.errstate(divide="ignore", invalid="ignore"):
                made = METRICS.get(name).as_value(top / bottom)
            apart = np.abs(made - value) > ROUNDING * np.maximum(1.0, np.abs(value))
            other[rows] = apart & np.isfinite(made)
    return other


def _has_other_null(table: pd.DataFrame) -> Booleans:
    codes, names = pd.factorize(table["metric"])
    nulls = [METRICS.get(name).null if name in METRICS else None for name in names]
    declared = np.array(nulls, dtype=float)[codes]
    told = table["null"].to_numpy(dtype=float)
    is_abstention = table["status"].isin(ABSTENTIONS).to_numpy()
    is_lacking = np.isnan(told) & is_abstention & (table["model"] != CEILING).to_numpy()
    is_other = (np.abs(told - declared) > ROUNDING) | is_lacking
    return np.asarray(is_other & np.isfinite(declared))


def _told(table: pd.DataFrame, marked: "pd.Series[bool]") -> str:
    """Name the first rows that are marked."""
    rows = table[marked.to_numpy()].head(SHOWN_ROWS)
    return "; ".join(
        f"{row['metric']} of {shown(row['perturbation'])} in {shown(row['context'])}"
        for _, row in rows.iterrows()
    )
