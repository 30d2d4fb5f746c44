"""All models of a question against each other, metric by metric, in tables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from wildcell.names import NAIVE_MODELS
from wildcell.results.board import Board, board
from wildcell.results.detectable import detectable_difference
from wildcell.results.friedman import context_scores, friedman
from wildcell.results.naive import beyond_naive, check_margin
from wildcell.results.pairing import on_same_seeds
from wildcell.results.rank import QUESTION, samples_of, without_shams
from wildcell.results.rank_intervals import rank_intervals
from wildcell.results.simultaneous import differences
from wildcell.results.stats import CONFIDENCE, NEW_CONTEXTS
from wildcell.results.wins import win_rates

PAIR_COLUMNS = [
    *QUESTION,
    "metric",
    "first",
    "second",
    "difference",
    "error",
    "low",
    "high",
    "p",
    "adjusted_p",
    "method",
    "better",
    "detectable",
    "win_rate",
    "win_low",
    "win_high",
    "n_conditions",
    "n_blocks",
    "interval",
]

PLACE_COLUMNS = [
    *QUESTION,
    "metric",
    "model",
    "same",
    "merit",
    "rank",
    "rank_low",
    "rank_high",
    "mean_rank_in_contexts",
    "is_naive",
    "closest_naive",
    "gain_on_naive",
    "gain_on_naive_low",
    "naive_p",
    "beats_each_naive",
    "n_conditions",
    "n_asked",
    "n_blocks",
    "interval",
    "friedman_p",
    "critical_difference",
    "left_out",
]


class Comparison(NamedTuple):
    """Tables of pairs, with `PAIR_COLUMNS`, and of models, with `PLACE_COLUMNS`."""

    pairs: pd.DataFrame
    places: pd.DataFrame


def compare_models(
    scores: pd.DataFrame,
    *,
    metrics: Sequence[str] | None = None,
    margin: float = 0.0,
    seed: int = 0,
) -> Comparison:
    """Compare all models of each question with each other.

    All means are over the seeds and conditions that every compared model knows; models that answer
    less than half of what is asked, or were run on other seeds, are left out, and named. Models
    whose scores coincide are one, the naive one of them, and named in `same`. Merits, differences
    and gains are turned so that more is better. Seeds are averaged first; abstentions take their
    null value.

    Parameters
    ----------
    scores
        The long table, of any number of questions.
    metrics
        All of them if None.
    margin
        By how much a model must be better than each naive one, in units of each metric.
    seed
        Of the signs that are flipped.

    Returns
    -------
    `low` and `high` of pairs hold together for all pairs of a question and metric, as `adjusted_p`
    does; `better` is the model that they favour, or "". `detectable` is the true difference that
    would have been seen four times in five, with the level held over all pairs.
    """
    check_margin(margin)
    pairs, places = [], []
    for question, table in without_shams(scores).groupby(QUESTION, sort=True):
        labels = dict(zip(QUESTION, question, strict=True))
        paired = on_same_seeds(table)
        chosen = paired if metrics is None else paired[paired["metric"].isin(metrics)]
        for metric, samples in samples_of(chosen).items():
            rng = np.random.default_rng(seed)
            laid = board(samples, metric)
            if not laid.models:
                continue
            named = {**labels, "metric": metric}
            pairs += [{**named, **row} for row in _pair_rows(laid, rng)]
            places += [{**named, **row} for row in _place_rows(laid, margin, rng)]
    return Comparison(
        pd.DataFrame(pairs, columns=PAIR_COLUMNS), pd.DataFrame(places, columns=PLACE_COLUMNS)
    )


def _pair_rows(laid: Board, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    found = differences(laid, rng)
    wins = win_rates(laid, found.first, found.second)
    low, high = found.low, found.high
    for i, (one, other) in enumerate(zip(found.first, found.second, strict=True)):
        first, second = laid.models[one], laid.models[other]
        is_told = found.adjusted[i] < 1 - CONFIDENCE
        yield {
            "first": first,
            "second": second,
            "difference": found.mean[i],
            "error": found.error[i],
            "low": low[i],
            "high": high[i],
            "p": found.p[i],
            "adjusted_p": found.adjusted[i],
            "method": found.method,
            "better": (first if found.mean[i] > 0 else second) if is_told else "",
            "detectable": detectable_difference(found.error[i], laid.n_blocks, reach=found.reach),
            "win_rate": wins.rate[i],
            "win_low": wins.low[i],
            "win_high": wins.high[i],
            "n_conditions": laid.n_conditions,
            "n_blocks": laid.n_blocks,
            "interval": laid.level,
        }


def _place_rows(laid: Board, margin: float, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    ranks = rank_intervals(laid, rng)
    naive = {found.model: found for found in beyond_naive(laid, margin=margin)}
    tested = friedman(context_scores(laid), laid.models) if laid.level == NEW_CONTEXTS else None
    of_model: Mapping[str, float] = (
        {} if tested is None else dict(zip(tested.models, tested.mean_ranks, strict=True))
    )
    for i, name in enumerate(laid.models):
        beyond = naive.get(name)
        yield {
            "model": name,
            "same": ", ".join(laid.twins[name]),
            "merit": laid.mean[i],
            "rank": ranks.rank[i],
            "rank_low": ranks.low[i],
            "rank_high": ranks.high[i],
            "mean_rank_in_contexts": of_model.get(name, np.nan),
            "is_naive": name in NAIVE_MODELS,
            "closest_naive": "" if beyond is None else beyond.naive,
            "gain_on_naive": np.nan if beyond is None else beyond.gain,
            "gain_on_naive_low": np.nan if beyond is None else beyond.low,
            "naive_p": np.nan if beyond is None else beyond.p,
            "beats_each_naive": beyond is not None and beyond.beats_each,
            "n_conditions": laid.n_conditions,
            "n_asked": laid.n_asked,
            "n_blocks": laid.n_blocks,
            "interval": laid.level,
            "friedman_p": np.nan if tested is None else tested.p,
            "critical_difference": np.nan if tested is None else tested.critical_difference,
            "left_out": ", ".join(laid.left_out),
        }
