"""Which metrics can tell a replicate of the measurement from the reference baseline, and where.

A metric that cannot says nothing of models on that data set: what is better than the mean and what
is not look alike. The replicate is one half of the cells judged by the other half, both ways, and
the reference is judged by the same halves: they differ in the answer alone. Where it was judged by
all cells, the replicate is at a disadvantage, and no metric is said not to be usable.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from wildcell.metrics.metric import METRICS, Metric
from wildcell.names import CEILING, HALVES, REFERENCE, REPLICATE, SHAM, Status
from wildcell.results.agreement import Agreement, agreement
from wildcell.results.board import board
from wildcell.results.rank import QUESTION, samples_of, without_shams, without_shares
from wildcell.results.rungs import RUNG_COLUMNS, Samples, rungs, samples_by_halves
from wildcell.results.stats import Sample, scaled
from wildcell.results.wins import WinRates, win_rates
from wildcell.results.words import listed

LEAST_RATE = 0.8
CHANCE = 0.5
SAME_HALVES, ALL_CELLS = "the same halves", "all cells"
"""What the reference is judged by, whose replicate is judged by halves."""

COLUMNS = [
    *QUESTION,
    "metric",
    "reference",
    "usable",
    "reason",
    "judged_by",
    "wins",
    "wins_low",
    "wins_high",
    "dynamic_range",
    "dynamic_range_low",
    "dynamic_range_high",
    "reliability",
    "reliability_low",
    "reliability_high",
    *RUNG_COLUMNS,
    "n_conditions",
    "n_contexts",
]


class Usable(StrEnum):
    """Whether a metric tells a replicate from the reference baseline."""

    YES = "usable"
    NO = "not usable"
    UNTOLD = "cannot be told"


def calibrate_metrics(
    scores: pd.DataFrame, references: Mapping[str, str], halves: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the floors and ceilings of every metric, and whether it is usable.

    Parameters
    ----------
    scores
        The long table, of any number of questions.
    references
        The reference baseline of each scenario, by name.
    halves
        Scores by halves of the test cells, from `wildcell.store.runs.read_halves`; without them the
        reference is judged by all cells.

    Returns
    -------
    One row a question and metric with the columns of `COLUMNS`. `wins` is the share of conditions
    in which the replicate is better than the reference, contexts alike, with its 95 % interval: the
    metric is usable where it is 0.8 at least and surely above a half, and not usable where it is
    surely below 0.8; else `reason` says why it cannot be told. `dynamic_range` (without an
    interval where the best is 0) is where the replicate lies between the reference (0) and the
    noise-free effect, or perfection where there is no ceiling (1). `reliability` is the rank
    correlation over conditions of what the reference scores by either half.

    Examples
    --------
    >>> from wildcell.names import SCORE_COLUMNS
    >>> row = dict.fromkeys(SCORE_COLUMNS, "") | {
    ...     "scenario": "s", "dataset": "d", "arm": "a", "metric": "pearson_delta", "seed": 0,
    ...     "fold": 0, "perturbation": "p", "status": "ok", "numerator": float("nan"),
    ...     "denominator": float("nan"), "null": 0.0,
    ... }
    >>> rows = [row | {"model": model, "context": f"c{i}", "value": value + i / 100}
    ...         for model, value in (("replicate", 0.8), ("perturbed-mean", 0.3))
    ...         for i in range(6)]
    >>> calibrate_metrics(pd.DataFrame(rows), {"s": "perturbed-mean"})["usable"].tolist()
    ['usable']
    """
    by_question = {} if halves is None else dict(iter(halves.groupby(QUESTION)))
    rows = [
        {**dict(zip(QUESTION, question, strict=True)), **row}
        for question, table in scores.groupby(QUESTION, sort=True)
        for row in _rows(
            table, by_question.get(question, table.iloc[:0]), references.get(str(question[0]), "")
        )
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def usable_metrics(
    calibrated: pd.DataFrame, *, untold: bool = False
) -> dict[tuple[str, ...], set[str]]:
    """Return the usable metrics of each question.

    Parameters
    ----------
    calibrated
        What `calibrate_metrics` returned.
    untold
        Whether those of which it cannot be told are among them.
    """
    states = {Usable.YES, Usable.UNTOLD} if untold else {Usable.YES}
    return {
        tuple(map(str, question)): set(table.loc[table["usable"].isin(states), "metric"])
        for question, table in calibrated.groupby(QUESTION, sort=True)
    }


def unusable_sentence(calibrated: pd.DataFrame, metrics: Collection[str]) -> str:
    """Name those of some metrics that are not usable in a question, or of which it is not known.

    Parameters
    ----------
    calibrated
        Rows of `calibrate_metrics`, of one question.
    metrics
        Their names.

    Returns
    -------
    "" where all are usable.
    """
    states = calibrated[calibrated["metric"].isin(metrics)].groupby("usable")["metric"].agg(list)
    said = {
        Usable.NO: "Not usable here, for a replicate of the measurement is not told from the "
        "reference: {}.",
        Usable.UNTOLD: "Whether a replicate is told from the reference cannot be told of {}.",
    }
    return " ".join(
        words.format(listed(states[state], at_most=len(metrics)))
        for state, words in said.items()
        if state in states
    )


def _rows(scores: pd.DataFrame, halves: pd.DataFrame, reference: str) -> Iterator[dict[str, Any]]:
    """Yield a row a metric of one question."""
    by_all, by_halves = samples_of(without_shams(scores)), samples_by_halves(without_shams(halves))
    shams, half_shams = (
        without_shares(table[table["category"] == SHAM]) for table in (scores, halves)
    )
    of_shams = samples_of(shams) if len(shams) else {}, samples_by_halves(half_shams)
    agreements = {} if halves.empty else _agreements(without_shams(halves))
    why = _why_unscored(without_shams(scores))
    for name, samples in by_all.items():
        if reference not in samples or REPLICATE not in samples:
            continue
        metric, halved = METRICS.get(name), by_halves.get(name, {})
        is_paired = REFERENCE in halved
        pair = (
            halved if is_paired else {REPLICATE: samples[REPLICATE], REFERENCE: samples[reference]}
        )
        wins = _wins(pair, name, is_paired=is_paired)
        state = _state(wins, is_paired=is_paired)
        own = samples[reference]
        yield {
            "metric": name,
            "reference": reference,
            "usable": str(state),
            "reason": _reason(state, wins, why.get(name, "")),
            "judged_by": SAME_HALVES if is_paired else ALL_CELLS,
            **_columns("wins", *(float(found[0]) for found in wins)),
            **_range(pair, halved.get(CEILING, samples.get(CEILING)), metric, is_paired=is_paired),
            **_columns("reliability", *agreements.get(name, Agreement())),
            **rungs(
                samples,
                halved,
                (of_shams[0].get(name, {}), of_shams[1].get(name, {})),
                reference,
                metric,
            ),
            "n_conditions": int(own.is_known.sum()),
            "n_contexts": len(set(own.context[own.is_known])),
        }


def _columns(name: str, value: float, low: float, high: float) -> dict[str, float]:
    return {name: value, f"{name}_low": low, f"{name}_high": high}


NOTHING = WinRates(*(np.full(1, np.nan) for _ in range(3)))
EVEN = WinRates(*(np.full(1, CHANCE) for _ in range(3)))


def _wins(pair: Samples, metric: str, *, is_paired: bool) -> WinRates:
    """Compare condition by condition; where sums are of other cells, ratios are compared."""
    two = {name: pair[name] for name in (REFERENCE, REPLICATE)}
    if not is_paired:
        two = {name: _values_alone(sample) for name, sample in two.items()}
    # The board passes over pseudo-models, by their names.
    laid = board({"duplicate": two[REPLICATE], "mean": two[REFERENCE]}, metric)
    if any(laid.twins.values()):
        return EVEN
    if len(laid.models) < 2:
        return NOTHING
    first, second = laid.models.index("duplicate"), laid.models.index("mean")
    return win_rates(laid, np.array([first]), np.array([second]))


def _values_alone(sample: Sample) -> Sample:
    nothing = np.full(len(sample.value), np.nan)
    return replace(sample, numerator=nothing, denominator=nothing, is_log=False)


def _state(wins: WinRates, *, is_paired: bool) -> Usable:
    if wins.rate[0] >= LEAST_RATE and wins.low[0] > CHANCE:
        return Usable.YES
    return Usable.NO if is_paired and wins.high[0] < LEAST_RATE else Usable.UNTOLD


def _reason(state: Usable, wins: WinRates, unscored: str) -> str:
    """Say why it cannot be told whether a metric is usable."""
    if state is not Usable.UNTOLD:
        return ""
    if not np.isfinite(wins.rate[0]):
        return unscored or "nothing to compare"
    if not np.isfinite(wins.low[0]):
        return "one perturbation or context"
    return "judged by other cells" if wins.high[0] < LEAST_RATE else "too few to tell"


def _why_unscored(scores: pd.DataFrame) -> dict[str, str]:
    """Return the status that keeps the replicate most often from a score, by metric."""
    rows = scores[(scores["model"] == REPLICATE) & (scores["status"] != Status.OK)]
    counts = rows.groupby(["metric", "status"]).size().sort_values(kind="stable")
    return {str(metric): str(status) for metric, status in counts.index}


def _agreements(halves: pd.DataFrame) -> dict[str, Agreement]:
    """Return how the scores of the reference by either half agree over conditions, by metric."""
    own = halves[halves["model"] == REFERENCE]
    first, second = (samples_by_halves(own[own["half"] == half]) for half in HALVES)
    return {name: agreement(first[name][REFERENCE], second[name][REFERENCE]) for name in first}


def _range(
    pair: Samples, ceiling: Sample | None, metric: Metric, *, is_paired: bool
) -> dict[str, float]:
    """Return where the replicate lies between the reference and the ceiling, or perfection."""
    replicate, base = pair[REPLICATE], pair[REFERENCE]
    if metric.best == "zero" or (base.is_ratio and not is_paired):
        place = _range_of_means(replicate.mean(), base.mean(), metric)
        return _columns("dynamic_range", place, np.nan, np.nan)
    if ceiling is None or not np.isfinite(ceiling.value).any():
        ceiling = replace(base, value=np.full(len(base.value), metric.perfect))
    found = scaled(replicate, base, ceiling, best=metric.best)
    return _columns("dynamic_range", found.value, found.low, found.high)


def _range_of_means(replicate: float, base: float, metric: Metric) -> float:
    """Return the place by means alone: there are no pairs, or means lie on either side of 0."""
    if metric.best == "zero":
        return 1 - abs(replicate) / abs(base) if base else np.nan
    room = metric.perfect - base
    return (replicate - base) / room if metric.best == "high" and room > 0 else np.nan
