"""Which metrics can tell a replicate of the measurement from the reference baseline, and where.

A metric that cannot says nothing of models on that data set: what is better than the mean and what
is not look alike. The replicate is one half of the cells judged by the other half, both ways, the
reference is judged by all of them: the replicate is at a disadvantage, and a metric that is usable
is so in spite of it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from wildcell.metrics.metric import METRICS, Metric
from wildcell.names import CEILING, NAIVE_MODELS, REPLICATE, SHAM
from wildcell.results.board import board
from wildcell.results.rank import QUESTION, samples_of, without_shams
from wildcell.results.stats import Sample, estimate, scaled
from wildcell.results.wins import WinRates, win_rates

LEAST_RATE = 0.8
CHANCE = 0.5
ANSWERED, DUPLICATE = "reference", "duplicate"

COLUMNS = [
    *QUESTION,
    "metric",
    "reference",
    "usable",
    "wins",
    "wins_low",
    "wins_high",
    "dynamic_range",
    "dynamic_range_low",
    "dynamic_range_high",
    "replicate",
    "ceiling",
    "reference_mean",
    "best_naive",
    "best_naive_mean",
    "worst_naive",
    "worst_naive_mean",
    "sham_reference",
    "n_conditions",
    "n_contexts",
]


class Usable(StrEnum):
    """Whether a metric tells a replicate from the reference baseline."""

    YES = "usable"
    NO = "not usable"
    UNTOLD = "cannot be told"


def calibrate_metrics(scores: pd.DataFrame, references: Mapping[str, str]) -> pd.DataFrame:
    """Return the floors and ceilings of every metric, and whether it is usable.

    Parameters
    ----------
    scores
        The long table, of any number of questions.
    references
        The reference baseline of each scenario, by name.

    Returns
    -------
    One row a question and metric with the columns of `COLUMNS`. `wins` is the share of conditions
    in which the replicate is better than the reference, contexts alike, with its 95 % interval: the
    metric is usable where it is 0.8 at least and surely above a half, and not usable where it is
    surely below 0.8. `dynamic_range` (without an interval for ratios of sums) is where the
    replicate lies between the reference (0) and the noise-free effect, or perfection where there
    is no ceiling (1).

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
    rows = [
        {**dict(zip(QUESTION, question, strict=True)), **row}
        for question, table in scores.groupby(QUESTION, sort=True)
        for row in _rows(table, references.get(str(question[0]), ""))
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
    """Name those of some metrics that are not usable in a question; '' where all may be."""
    of_these = calibrated[calibrated["metric"].isin(metrics)]
    names = list(of_these.loc[of_these["usable"] == Usable.NO, "metric"])
    if not names:
        return ""
    return (
        f"Not usable on this data set, for a replicate of the measurement is not told from the "
        f"reference: {', '.join(names)}."
    )


def _rows(scores: pd.DataFrame, reference: str) -> Iterator[dict[str, Any]]:
    shams = scores[scores["category"] == SHAM]
    of_shams = samples_of(shams) if len(shams) else {}
    for name, samples in samples_of(without_shams(scores)).items():
        if reference not in samples or REPLICATE not in samples:
            continue
        metric = METRICS.get(name)
        wins = _wins(samples[REPLICATE], samples[reference], name)
        own = samples[reference]
        sham = of_shams.get(name, {}).get(reference)
        yield {
            "metric": name,
            "reference": reference,
            "usable": str(_state(wins)),
            "wins": wins.rate[0],
            "wins_low": wins.low[0],
            "wins_high": wins.high[0],
            **_range(samples, reference, metric),
            "replicate": samples[REPLICATE].mean(),
            "ceiling": samples[CEILING].mean() if CEILING in samples else np.nan,
            "reference_mean": own.mean(),
            **_floors(samples, metric),
            "sham_reference": np.nan if sham is None else sham.mean(),
            "n_conditions": int(own.is_known.sum()),
            "n_contexts": len(set(own.context[own.is_known])),
        }


NOTHING = WinRates(*(np.full(1, np.nan) for _ in range(3)))


def _wins(replicate: Sample, reference: Sample, metric: str) -> WinRates:
    """Compare condition by condition; halves have sums of their own, so ratios are compared."""
    samples = {ANSWERED: _values_alone(reference), DUPLICATE: _values_alone(replicate)}
    laid = board(samples, metric)
    if set(laid.models) != {ANSWERED, DUPLICATE}:
        return NOTHING
    first, second = laid.models.index(DUPLICATE), laid.models.index(ANSWERED)
    return win_rates(laid, np.array([first]), np.array([second]))


def _values_alone(sample: Sample) -> Sample:
    nothing = np.full(len(sample.value), np.nan)
    return replace(sample, numerator=nothing, denominator=nothing, is_log=False)


def _state(wins: WinRates) -> Usable:
    if wins.rate[0] >= LEAST_RATE and wins.low[0] > CHANCE:
        return Usable.YES
    return Usable.NO if wins.high[0] < LEAST_RATE else Usable.UNTOLD


def _range(samples: Mapping[str, Sample], reference: str, metric: Metric) -> dict[str, float]:
    """Return where the replicate lies between the reference and the ceiling, or perfection."""
    replicate, base, ceiling = (samples.get(name) for name in (REPLICATE, reference, CEILING))
    assert replicate is not None
    assert base is not None
    if base.is_ratio:
        return _range_of_ratios(replicate.mean(), base.mean(), metric)
    if ceiling is None or not np.isfinite(ceiling.value).any():
        ceiling = replace(base, value=np.full(len(base.value), metric.perfect))
    found = scaled(replicate, base, ceiling, best=metric.best)
    return {
        "dynamic_range": found.value,
        "dynamic_range_low": found.low,
        "dynamic_range_high": found.high,
    }


def _range_of_ratios(replicate: float, base: float, metric: Metric) -> dict[str, float]:
    """Return the place by means alone: halves have sums of their own, and no pairs."""
    room = metric.perfect - base
    is_told = metric.best == "high" and room > 0
    return {"dynamic_range": (replicate - base) / room if is_told else np.nan}


def _floors(samples: Mapping[str, Sample], metric: Metric) -> dict[str, Any]:
    """Return the best and the worst naive model by the mean."""
    sign = {"high": 1.0, "low": -1.0}.get(metric.best)
    means = {name: estimate(samples[name]).mean for name in NAIVE_MODELS if name in samples}
    known = {name: mean for name, mean in means.items() if np.isfinite(mean)}
    if not known:
        return {}

    def merit(name: str) -> float:
        return -abs(known[name]) if sign is None else sign * known[name]

    best, worst = max(known, key=merit), min(known, key=merit)
    return {
        "best_naive": best,
        "best_naive_mean": known[best],
        "worst_naive": worst,
        "worst_naive_mean": known[worst],
    }
