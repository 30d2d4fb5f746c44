"""F5: metrics order models differently. F6: cost buys quality. F7: none beats each naive model."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import special, stats

from wildcell.arrays import Floats
from wildcell.names import BY_CELLS, NAIVE_MODELS, NEGATIVE_MODELS, SHAKEN, SHAKEN_UNDER
from wildcell.results.advice import seconds_a_seed
from wildcell.results.board import Board, board
from wildcell.results.condition_wins import condition_wins
from wildcell.results.detectable import blocks_to_see
from wildcell.results.disagreement import orders_of_metrics
from wildcell.results.findings.claim import (
    ALPHA,
    PRIMARY,
    Answer,
    Claim,
    Finding,
    Material,
    described,
)
from wildcell.results.growth import fit_growth
from wildcell.results.naive import BeyondNaive, beyond_naive
from wildcell.results.pairing import on_same_seeds
from wildcell.results.rank import QUESTION, samples_of, without_shams
from wildcell.results.simultaneous import holm
from wildcell.results.stats import NEW_CONTEXTS
from wildcell.results.usable import Usable
from wildcell.results.words import count, listed, signed, span

AGREEING_PAIRS = 10
"""Pairs of models of which two metrics must be sure alike to say that they agree."""

LITTLE_TAU = 0.3
NEW_MODELS = "new models"
N_DRAWS = 1_000


def _disagree(material: Material) -> Iterator[Finding]:
    scores = material.scores.drop(columns=[*SHAKEN, *SHAKEN_UNDER, *BY_CELLS], errors="ignore")
    opinions, every = orders_of_metrics(scores, material.references, halves=material.halves)
    for key, votes in opinions.groupby(QUESTION, sort=True):
        here = np.all([every[n] == v for n, v in zip(QUESTION, key, strict=True)], axis=0)
        orders = every[here]
        if orders.empty:
            yield from _left_without_metrics((str(key[0]), str(key[1]), str(key[2])), votes)
            continue
        apart, alike = int(orders["told_apart"].sum()), int(orders["told_alike"].sum())
        tau, again = float(orders["tau"].mean()), float(orders["tau_again"].mean())
        answer = Answer.UNTOLD
        if apart:
            answer = Answer.HOLDS
        elif alike >= AGREEING_PAIRS and tau >= again - material.margin:
            answer = Answer.FAILS
        sentence = (
            f"In {key[2]}, usable metrics order models with a tau of {described(tau)} (with "
            f"themselves, measured again, {described(again)}); of pairs of models that two metrics "
            f"are sure of, {apart} are in opposite orders and {alike} in the same: {answer}."
        )
        settles = "" if answer is not Answer.UNTOLD else "more contexts, or models further apart"
        yield Finding(
            "F5",
            str(key[0]),
            str(key[1]),
            str(key[2]),
            "",
            "",
            answer,
            again - tau,
            np.nan,
            np.nan,
            np.nan,
            "",
            int(orders["n_pairs"].max()),
            sentence,
            settles,
        )


def _left_without_metrics(question: tuple[str, str, str], votes: pd.DataFrame) -> Iterator[Finding]:
    """Yield that too few metrics are usable, where some are not."""
    unusable = list(votes.loc[votes["usable"] == Usable.NO, "metric"])
    if not unusable:
        return
    sentence = (
        f"In {question[2]}, fewer than two usable metrics put models in an order: by "
        f"{listed(unusable)} a replicate of the measurement is not told from the reference "
        f"baseline: {Answer.UNTOLD}."
    )
    yield Finding(
        "F5", *question, "", "", Answer.UNTOLD, np.nan, np.nan, np.nan, np.nan, "", 0, sentence,
        "more cells a condition, so that more metrics are usable",
    )  # fmt: skip


def primary_boards(scores: pd.DataFrame) -> Iterator[tuple[tuple[str, str, str], str, Board]]:
    """Yield each question with the first of the primary metrics that has scores, and its models."""
    asked = without_shams(scores[scores["metric"].isin(PRIMARY)])
    for key, table in asked.groupby(QUESTION, sort=True):
        samples = samples_of(on_same_seeds(table))
        for metric in PRIMARY:
            laid = board(samples.get(metric, {}), metric)
            if len(laid.models) > 1 and laid.n_blocks > 1:
                yield (str(key[0]), str(key[1]), str(key[2])), metric, laid
                break


def _cost(material: Material) -> Iterator[Finding]:
    if material.costs.empty:
        return
    for question, metric, laid in primary_boards(material.scores):
        here = np.all(
            [material.costs[n] == v for n, v in zip(QUESTION, question, strict=True)], axis=0
        )
        cost = seconds_a_seed(material.costs[here])
        models = [name for name in laid.models if cost.get(name, 0.0) > 0]
        if len(models) < 3:
            continue
        columns = [laid.models.index(name) for name in models]
        seconds = cost[models].to_numpy(float)
        again = _tau_of_cost(laid, columns, seconds)
        tau, low, high = _for_new_models(again, len(models))
        p = float(stats.kendalltau(seconds, laid.mean[columns].round(9)).pvalue)
        answer = Answer.UNTOLD
        if low > 0 and p < ALPHA:
            answer = Answer.HOLDS
        elif high < LITTLE_TAU:
            answer = Answer.FAILS
        front = pareto(seconds, laid.mean[columns])
        told = [f"{models[i]} ({seconds[i]:.3g} s)" for i in front]
        sentence = (
            f"In {question[2]}, cost and {metric} go together with a tau of {described(tau)} over "
            f"{len(models)} models ({span(*again[1:])} for these measured again, {span(low, high)} "
            f"for new models): {answer}. Nothing is both cheaper and better than {listed(told)}."
        )
        settles = "" if answer is not Answer.UNTOLD else "more models"
        yield Finding(
            "F6",
            question[0],
            question[1],
            question[2],
            "",
            metric,
            answer,
            tau,
            low,
            high,
            p,
            NEW_MODELS,
            len(models),
            sentence,
            settles,
        )
    yield from _growth(material)


def _tau_of_cost(laid: Board, columns: list[int], seconds: Floats) -> tuple[float, float, float]:
    """Return tau-b of cost and merit, with the 95 % of tau when measuring again."""
    n = laid.n_blocks
    weights = np.random.default_rng(0).standard_normal((N_DRAWS, n))
    weights -= weights.mean(axis=1, keepdims=True)
    moved = np.sqrt(n / (n - 1)) * weights @ laid.influence[:, columns]
    means = np.vstack([laid.mean[columns], laid.mean[columns] + moved])
    first, second = np.triu_indices(len(columns), k=1)
    by_cost = np.sign(seconds[first] - seconds[second])
    by_merit = np.sign((means[:, first] - means[:, second]).round(9))
    size = np.sqrt((by_cost**2).sum() * (by_merit**2).sum(axis=1))
    taus = np.divide(by_merit @ by_cost, size, out=np.zeros(len(means)), where=size > 0)
    low, high = np.quantile(taus[1:], [0.025, 0.975])
    return float(taus[0]), float(low), float(high)


def _for_new_models(again: tuple[float, float, float], n: int) -> tuple[float, float, float]:
    """Return tau with the 95 % of what as many other models would give.

    To how far it reaches when measuring again, the spread of tau over unrelated models is added.
    """
    tau, low, high = again
    spread = np.sqrt(2 * (2 * n + 5) / (9 * n * (n - 1)))
    reach = float(special.ndtri(1 - ALPHA / 2) * spread)
    below, above = float(np.hypot(tau - low, reach)), float(np.hypot(high - tau, reach))
    return tau, max(tau - below, -1.0), min(tau + above, 1.0)


def pareto(cost: Floats, merit: Floats) -> list[int]:
    """Return the places of what nothing is both cheaper and better than, the cheapest first.

    Examples
    --------
    >>> pareto(np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.4, 0.6]))
    [0, 2]
    """
    order = np.lexsort((-merit, cost))
    best, front = -np.inf, []
    for place in order:
        if merit[place] > best + 1e-9:
            front.append(int(place))
            best = float(merit[place])
    return front


def _growth(material: Material) -> Iterator[Finding]:
    """Yield by what power each model's time grows with cells, where that was measured."""
    if material.scaling is None:
        return
    grown = fit_growth(material.scaling)
    for _, row in grown[grown["cost"] == "wall_s"].iterrows():
        batch = f", batches of {row['batch_size']:.0f}" if row["batch_size"] > 0 else ""
        sentence = (
            f"The time of {row['model']}{batch} grows with the power {described(row['power'])} of "
            f"the cells, {described(row['last_power'])} at the end, over {row['n_sizes']} sizes."
        )
        yield Finding(
            "F6",
            "",
            "",
            "growth with cells",
            str(row["model"]),
            "wall_s",
            Answer.UNTOLD,
            row["power"],
            row["low"],
            row["high"],
            np.nan,
            "",
            int(row["n_sizes"]),
            sentence,
            "",
        )


def _none_beats(material: Material) -> Iterator[Finding]:
    won = condition_wins(material.scores)
    for question, metric, laid in primary_boards(material.scores):
        found = beyond_naive(laid, margin=material.margin)
        tried = [one for one in found if one.naive and one.model not in NEGATIVE_MODELS]
        if not tried:
            continue
        adjusted = holm(np.array([one.p for one in tried]))
        beyond = [one for one, p in zip(tried, adjusted, strict=True) if p < ALPHA]
        ends = [_upper_end(laid, one.model) for one in tried]
        answer = Answer.UNTOLD
        if beyond:
            answer = Answer.FAILS
        elif max(ends) < material.margin:
            answer = Answer.HOLDS
        sentence = _told(metric, material.margin, tried, beyond)
        settles = _settling(laid, tried[int(np.argmax(ends))], material.margin)
        best = max(tried, key=lambda one: one.gain)
        yield Finding(
            "F7",
            question[0],
            question[1],
            question[2],
            "",
            metric,
            answer,
            best.gain,
            best.low,
            np.nan,
            best.p,
            laid.level,
            laid.n_blocks,
            f"In {question[2]}, {sentence}: {answer}. {_where_beaten(won, question)}",
            settles if answer is Answer.UNTOLD else "",
        )


def _upper_end(laid: Board, model: str) -> float:
    """Return the least upper bound of the gains on all naive models, which share the level.

    That it is below the margin is asked of each model, so that models need not share it.
    """
    place = laid.models.index(model)
    naive = [i for i, name in enumerate(laid.models) if name in NAIVE_MODELS]
    reach = float(special.stdtrit(laid.n_blocks - 1, 1 - ALPHA / len(naive)))
    gains = laid.mean[place] - laid.mean[naive]
    return float((gains + reach * laid.error()[place, naive]).min())


def _told(
    metric: str, margin: float, tried: Sequence[BeyondNaive], beyond: Sequence[BeyondNaive]
) -> str:
    if beyond:
        told = listed([f"{one.model} ({signed(one.gain)} on {one.naive})" for one in beyond])
        return f"beyond each naive model by {margin} at {metric}: {told}"
    best = max(tried, key=lambda one: one.gain)
    return (
        f"no model is surely beyond each naive one by {margin} at {metric}; {best.model} comes "
        f"nearest ({signed(best.gain)} on {best.naive})"
    )


def _settling(laid: Board, untold: BeyondNaive, margin: float) -> str:
    """Say how many blocks would tell the model of which least is known from the margin."""
    error = float(laid.error()[laid.models.index(untold.model), laid.models.index(untold.naive)])
    n = blocks_to_see(max(abs(untold.gain - margin), margin / 2), error, laid.n_blocks)
    unit = "contexts" if laid.level == NEW_CONTEXTS else "perturbations"
    if n is None:
        return f"more {unit} than can be measured"
    more = max(n, laid.n_blocks + 1)
    return f"about {more} {unit} like these (there are {laid.n_blocks}), by {untold.model}"


def _where_beaten(won: pd.DataFrame, question: Sequence[str]) -> str:
    """Say in how many single conditions a model is surely nearer than every naive one."""
    won = won[np.all([won[n] == v for n, v in zip(QUESTION, question, strict=True)], axis=0)]
    if won.empty:
        return "Which single conditions a model wins is not known: no blocks of cells were kept."
    models = won.groupby("model")["confirmed"].sum().sort_values(ascending=False, kind="stable")
    n = won.groupby("model").size().max()
    told = [f"{name} in {k}" for name, k in models.items() if k]
    who = listed(told) if told else "no model in any"
    return (
        f"Of {count(n, 'condition')}, surely nearer to the noise-free effect than each naive "
        f"model, found on half of the cells and confirmed on the others: {who}."
    )


DISAGREE = Claim(
    "F5",
    "Metrics order models differently.",
    "pairs of models of which two usable metrics are sure, over all pairs, in opposite orders; tau "
    "between metrics below that of a metric with itself",
    "wildcell run SCENARIO --data DATA --model A --model B ... (several models, usable metrics)",
    _disagree,
)
COST = Claim(
    "F6",
    "Cost buys quality: more costly models are better.",
    "Kendall's tau of CPU seconds and mean score over models, with that of other models",
    "wildcell run SCENARIO --data DATA --model A --model B ... (at least three); wildcell scaling",
    _cost,
)
NONE_BEATS = Claim(
    "F7",
    "No model beats each naive baseline by the margin.",
    "the least of a model's paired differences to the naive models, by an intersection-union test",
    "wildcell run SCENARIO --data DATA --model yours --model perturbed-mean --model no-change ...",
    _none_beats,
)
