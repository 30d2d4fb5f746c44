"""How many pairs of models change order when nothing but a convention changes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from wildcell.metrics.metric import METRICS, ON_DETECTED, Best
from wildcell.results.board import Board, board
from wildcell.results.conventions import OURS, under_conventions
from wildcell.results.means import means
from wildcell.results.orders import resolved
from wildcell.results.rank import QUESTION, samples_of, without_shams

BY_CONDITION, WORST, DETECTED = "mean over conditions", "worst context", "genes detected"

COLUMNS = [
    *QUESTION,
    "metric",
    "convention",
    "flips",
    "sure_before",
    "sure_flips",
    "n_pairs",
    "first_before",
    "first_after",
    "which",
]


def convention_flips(
    scores: pd.DataFrame,
    otherwise: pd.DataFrame | None = None,
    *,
    metrics: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Count the pairs of models that change order when one switch is turned.

    Parameters
    ----------
    scores
        The long table.
    otherwise
        Scores of the same answers under other conventions, named in `preset`; None for none.
    metrics
        All of them if None; scores on the second panel are a convention, and no metric.

    Returns
    -------
    A row a question, metric and convention: `flips` of `n_pairs` change order; `sure_before` are
    sure by our convention, over all pairs, and `sure_flips` of these are in the other order;
    `first_before`, `first_after`, the first model; `which`, the pairs that flip though they are
    sure, or else the first few.
    """
    rows = []
    every = {} if otherwise is None else dict(iter(without_shams(otherwise).groupby(QUESTION)))
    for question, table in without_shams(scores).groupby(QUESTION, sort=True):
        labels = dict(zip(QUESTION, question, strict=True))
        rows += [{**labels, **row} for row in _of_question(table, every.get(question), metrics)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _of_question(
    scores: pd.DataFrame, otherwise: pd.DataFrame | None, metrics: Sequence[str] | None
) -> Iterator[dict[str, Any]]:
    samples = samples_of(scores)
    under = {
        name: samples_of(table)
        for name, table in under_conventions(scores, otherwise).items()
        if name != OURS
    }
    for name, own in samples.items():
        if METRICS.get(name).twin_of or (metrics is not None and name not in metrics):
            continue
        laid = board(own, name)
        if len(laid.models) < 2:
            continue
        others: dict[str, Mapping[str, float]] = {
            BY_CONDITION: _averages(laid, name, lambda found: found.micro),
            WORST: _averages(laid, name, lambda found: found.worst),
            DETECTED: _merits(samples.get(name + ON_DETECTED), name),
            **{convention: _merits(table.get(name), name) for convention, table in under.items()},
        }
        yield from _rows(laid, name, others)


def _rows(
    laid: Board, metric: str, others: Mapping[str, Mapping[str, float]]
) -> Iterator[dict[str, Any]]:
    sure = resolved(laid, 0)
    before = dict(zip(laid.models, laid.mean, strict=True))
    for convention, after in others.items():
        models = [name for name in laid.models if np.isfinite(after.get(name, np.nan))]
        if len(models) < 2:
            continue
        pairs = list(combinations(models, 2))
        turned = [pair for pair in pairs if _sign(before, pair) * _sign(after, pair) < 0]
        certain = [pair for pair in pairs if sure.get(pair, 0.0) != 0]
        sure_flips = [pair for pair in turned if pair in certain]
        shown = sure_flips or turned[:3]
        yield {
            "metric": metric,
            "convention": convention,
            "flips": len(turned),
            "sure_before": len(certain),
            "sure_flips": len(sure_flips),
            "n_pairs": len(pairs),
            "first_before": max(models, key=lambda name: (before[name], name)),
            "first_after": max(models, key=lambda name: (after[name], name)),
            "which": "; ".join(f"{a} / {b}" for a, b in shown),
        }


def _sign(merits: Mapping[str, float], pair: tuple[str, str]) -> float:
    gap = merits[pair[0]] - merits[pair[1]]
    return float(np.sign(gap)) if abs(gap) > 1e-9 else 0.0


def _merits(samples: Mapping[str, Any] | None, metric: str) -> dict[str, float]:
    """Return mean merits over the conditions that all models know."""
    if not samples:
        return {}
    laid = board(samples, metric)
    found = dict(zip(laid.models, map(float, laid.mean), strict=True))
    return {**found, **{twin: found[one] for one in laid.models for twin in laid.twins[one]}}


def _averages(laid: Board, metric: str, of: Callable[[Any], float]) -> dict[str, float]:
    """Return merits by another average of the same scores, which are turned already."""
    best: Best = "zero" if METRICS.get(metric).best == "zero" else "high"
    sign = -1.0 if best == "zero" else 1.0
    found = {name: of(means(sample, best=best)) for name, sample in laid.samples.items()}
    return {name: sign * abs(value) if best == "zero" else value for name, value in found.items()}
