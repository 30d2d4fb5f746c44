"""Who stands where: a row a question, metric and model, with all that pages say of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wildcell.arrays import Codes, Floats
from wildcell.metrics.headline import HEADLINE
from wildcell.metrics.metric import METRICS
from wildcell.results.board import Board, board
from wildcell.results.rank import (
    EVERY_CATEGORY,
    PSEUDO_MODELS,
    QUESTION,
    rank,
    samples_of,
    without_shams,
)
from wildcell.results.rank_intervals import rank_intervals
from wildcell.results.sealing import SEALED
from wildcell.results.site.contamination import learned_from
from wildcell.results.verdict import Verdict, verdict
from wildcell.submitted.read import Results

PLACE = ["place", "place_low", "place_high", "n_placed"]
SEED = 0
"""Of the signs that are flipped for intervals of ranks."""


@dataclass(frozen=True)
class Asked:
    """A question, with its answer.

    Attributes
    ----------
    scenario, dataset, arm
        Which.
    question, reference
        What is asked, and the baseline that is the 0 of the scale.
    told
        The answer.
    table
        Rows of `standings`.
    n_folds, n_seeds
        How often it was asked.
    """

    scenario: str
    dataset: str
    arm: str
    question: str
    reference: str
    told: Verdict
    table: pd.DataFrame
    n_folds: int
    n_seeds: int

    @property
    def name(self) -> str:
        """What it is called in a line."""
        return f"{self.scenario} · {self.dataset} · {self.arm}"


def standings(results: Results) -> list[Asked]:
    """Rank all that was submitted, question by question.

    Scores on the second panel of genes, which are never ranked, are left out.

    Returns
    -------
    The columns of `wildcell.results.rank.rank`, of all conditions together; `place`, `place_low`
    and `place_high`, the rank that a model has and those that it may have at 95 %, among
    `n_placed`; `order` of the metric in the headline; and of the model `sealed`, `licence`, `cpu_s`
    (mean over runs), `peak_memory_mb` (most of any), and `learned_from`, a list.
    """
    records, about = results.records(), _about(results)
    references = dict(zip(records["scenario"], records["reference"], strict=True))
    of_records = dict(list(records.groupby(QUESTION)))
    twins = [name for name in METRICS.names() if METRICS.get(name).twin_of is not None]
    asked = []
    for scenario in sorted(references):
        scores = results.scores(scenario=scenario, without=twins)
        of_scores = dict(list(scores.groupby(QUESTION)))
        for key, ranks in rank(scores, references).groupby(QUESTION, sort=True):
            asked.append(_asked(ranks, of_scores[key], of_records[key], about))
    return asked


def _asked(
    ranks: pd.DataFrame, scores: pd.DataFrame, records: pd.DataFrame, about: pd.DataFrame
) -> Asked:
    own = without_shams(scores)
    every = ranks[ranks["category"] == EVERY_CATEGORY]
    placed = pd.DataFrame(list(_places(every, own)), columns=["metric", "model", *PLACE])
    table = every.merge(placed, how="left", on=["metric", "model"])
    table = table.merge(about, how="left", on=[*QUESTION, "model"])
    order = {name: place for place, name in enumerate(HEADLINE)}
    table = table.assign(order=table["metric"].map(order).fillna(len(order)))
    first = records.iloc[0]
    return Asked(
        scenario=str(first["scenario"]),
        dataset=str(first["dataset"]),
        arm=str(first["arm"]),
        question=str(first["question"]),
        reference=str(first["reference"]),
        told=verdict(ranks, own),
        table=table.sort_values(["order", "metric", "place", "model"]).reset_index(drop=True),
        n_folds=int(records["n_folds"].max()),
        n_seeds=int(records["seed"].nunique()),
    )


def _places(ranks: pd.DataFrame, scores: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    """Yield the places of those models that have a rank, by each metric."""
    for metric, rows in ranks[ranks["rank"].notna()].groupby("metric", sort=False):
        whole = set(rows["model"])
        is_of = (scores["metric"] == metric) & scores["model"].isin(whole)
        for samples in samples_of(scores[is_of]).values():
            laid = board(samples, str(metric))
            yield from _of_board(laid, str(metric), len(whole))


def _of_board(laid: Board, metric: str, n: int) -> Iterator[tuple[object, ...]]:
    """Yield places; a model stands where the one does that it coincides with."""
    if not laid.models:
        return
    found = rank_intervals(laid, np.random.default_rng(SEED))
    sizes = np.array([1 + len(laid.twins[name]) for name in laid.models])
    for i, name in enumerate(laid.models):
        better = found.rank < found.rank[i]
        # Models that coincide count by themselves, so that places are those among all.
        place = 1 + int(sizes[better].sum())
        low = 1 + _counted(sizes, int(found.low[i]) - 1, found.rank)
        high = _counted(sizes, int(found.high[i]), found.rank)
        for model in (name, *laid.twins[name]):
            yield metric, model, place, low, max(high, place + sizes[i] - 1), n


def _counted(sizes: Codes, n: int, ranks: Floats) -> int:
    """Return how many models the first n of those that stand for them are."""
    return int(sizes[np.argsort(ranks, kind="stable")][:n].sum())


def _about(results: Results) -> pd.DataFrame:
    """Return what is said of each model in each question."""
    costs = results.costs().groupby([*QUESTION, "model"])
    table = costs.agg(cpu_s=("cpu_s", "mean"), peak_memory_mb=("peak_memory_mb", "max"))
    table = table.reset_index()
    is_sealed = _sealed(results)
    cards = results.cards
    return table.assign(
        sealed=[SEALED if is_sealed.get(name) else "" for name in table["model"]],
        licence=[cards[name].licence if name in cards else "" for name in table["model"]],
        learned_from=[
            [] if name not in cards else learned_from(cards[name].trained_on, dataset)
            for name, dataset in zip(table["model"], table["dataset"], strict=True)
        ],
    )


def _sealed(results: Results) -> dict[str, bool]:
    """Return which models were sealed in all runs that ended well."""
    records = results.records()
    known = records[~records["model"].isin(PSEUDO_MODELS) & (records["status"] == "ok")]
    found = known["is_sealed"].eq(True).groupby(known["model"]).all()
    return {str(name): bool(is_sealed) for name, is_sealed in found.items()}
