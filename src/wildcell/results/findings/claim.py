"""A claim, what it is held to, and what came of it."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from wildcell.results.detectable import blocks_to_see
from wildcell.results.simultaneous import holm
from wildcell.results.stats import CONFIDENCE, CONTEXTS_TO_GENERALISE, THESE_CONTEXTS, Estimate
from wildcell.results.words import count, number, signed, span

ALPHA = 1 - CONFIDENCE
MARGIN = 0.05
"""What is smaller than this, in units of a metric whose best is 1, is as good as nothing."""

PRIMARY = ("effect_r2", "pearson_delta")
"""The metrics that a claim is answered by as a whole: the first that has scores."""

BOUNDED = ("effect_r2", "pearson_delta", "pearson_specific", "retrieval_cosine", "de_auprc")
"""Metrics whose best is 1, by which claims are looked at one by one."""


class Answer(StrEnum):
    """What came of a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNTOLD = "cannot be told"


@dataclass(frozen=True)
class Material:
    """What claims are looked for in: tables of a folder of runs.

    Attributes
    ----------
    scores, conditions, costs
        Long tables; costs with columns scenario, dataset, arm, model, wall_s, cpu_s,
        peak_memory_mb, n_cells.
    references
        The reference baseline of each scenario.
    clusters
        The cluster of each context, by scenario and data set.
    trained
        The arms that were trained on what another was, by scenario, data set and that other.
    scaling
        Measurements of `wildcell scaling`; None for none.
    margin
        What counts as nothing.
    reliability
        How well the reference baseline's delta is known, by scenario, data set and arm: the least
        correlation, over seeds and folds, between what halves of the training cells say.
    halves
        Scores by halves of the test cells, which say what metrics are usable; None for none.
    """

    scores: pd.DataFrame
    references: Mapping[str, str]
    conditions: pd.DataFrame = field(default_factory=pd.DataFrame)
    costs: pd.DataFrame = field(default_factory=pd.DataFrame)
    clusters: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    trained: Mapping[tuple[str, str, str], Collection[str]] = field(default_factory=dict)
    scaling: pd.DataFrame | None = None
    margin: float = MARGIN
    reliability: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    halves: pd.DataFrame | None = None


class Finding(NamedTuple):
    """What came of a claim in one question, as a whole or for a model and metric.

    Attributes
    ----------
    claim
        Its identifier.
    scenario, dataset
        Where it was looked for; "" for nowhere.
    part
        Which side of the claim, where it has several.
    model, metric
        Of whom, by what; "" for all of them, which is the answer as a whole.
    answer
        Holds, does not hold, cannot be told.
    effect, low, high
        The estimand, with the 95 % interval, more is more of what is claimed.
    p
        Two-sided, with the level held over the models and metrics of the part, claim and question.
    level, n
        What the interval speaks of, and how many of it vary.
    sentence
        In words.
    settles
        What data would settle it, where it cannot be told.
    """

    claim: str
    scenario: str
    dataset: str
    part: str
    model: str
    metric: str
    answer: Answer
    effect: float
    low: float
    high: float
    p: float
    level: str
    n: int
    sentence: str
    settles: str


@dataclass(frozen=True)
class Claim:
    """A hypothesis that can be answered from runs.

    Attributes
    ----------
    id
        F1 to F7.
    statement
        What is claimed.
    estimand
        What is estimated to answer it.
    needs
        What runs it takes, as a command.
    find
        Looks for it.
    """

    id: str
    statement: str
    estimand: str
    needs: str
    find: Callable[[Material], Iterable[Finding]]


class Row(NamedTuple):
    """An estimate before it is answered."""

    part: str
    model: str
    metric: str
    found: Estimate


def answered(
    claim: str, question: tuple[str, str], rows: Iterable[Row], *, margin: float, what: str
) -> list[Finding]:
    """Answer estimates of one claim and question, the level held over models and metrics.

    An estimate holds where it is surely above 0, and not surely below the margin; it does not hold
    where it is surely below the margin; otherwise it cannot be told. Rows of all models stand for
    themselves; those of single ones share the level by Holm's procedure.

    Parameters
    ----------
    claim
        Its identifier.
    question
        Scenario and data set.
    rows
        The estimates, more is more of what is claimed.
    margin
        What is as good as nothing.
    what
        The estimand, for the sentence.
    """
    kept = [row for row in rows if np.isfinite(row.found.mean)]
    single = [row for row in kept if row.model]
    adjusted = dict(
        zip(map(id, single), holm(np.array([p_value(row.found) for row in single])), strict=True)
    )
    below = dict(
        zip(
            map(id, single),
            holm(np.array([p_value(row.found, margin) for row in single])),
            strict=True,
        )
    )
    return [
        _finding(
            claim,
            question,
            row,
            adjusted.get(id(row), p_value(row.found)),
            below.get(id(row), p_value(row.found, margin)),
            margin=margin,
            what=what,
        )
        for row in kept
    ]


def p_value(found: Estimate, threshold: float = 0.0) -> float:
    """Return the two-sided p-value that an estimate is at a threshold; 1 where there is no error.

    Examples
    --------
    >>> round(p_value(Estimate(0.3, 0.1, 0.06, 0.54, "new contexts", 8)), 3)
    0.02
    """
    if found.n < 2 or not np.isfinite(found.error):
        return 1.0
    away = abs(found.mean - threshold)
    if found.error <= 0:
        return 0.0 if away > 1e-9 else 1.0
    return float(2 * special.stdtr(found.n - 1, -away / found.error))


def _finding(
    claim: str,
    question: tuple[str, str],
    row: Row,
    p: float,
    p_below: float,
    *,
    margin: float,
    what: str,
) -> Finding:
    found = row.found
    answer = _answer(found.mean, p, p_below, margin)
    who = f"{row.model} by {row.metric}" if row.model else f"all models by {row.metric}"
    ends = span(found.low, found.high)
    interval = f", 95 % interval {ends}" if ends else ""
    sentence = f"{what}, {who}: {signed(found.mean)}{interval} ({_spoken(found)}): {answer}."
    return Finding(
        claim,
        *question,
        row.part,
        row.model,
        row.metric,
        answer,
        found.mean,
        found.low,
        found.high,
        p,
        found.level,
        found.n,
        sentence,
        settling(found, margin) if answer is Answer.UNTOLD else "",
    )


def _answer(mean: float, p: float, p_below: float, margin: float) -> Answer:
    if p_below < ALPHA and mean < margin:
        return Answer.FAILS
    return Answer.HOLDS if p < ALPHA and mean > 0 else Answer.UNTOLD


def _spoken(found: Estimate) -> str:
    noun = "perturbation" if found.level == THESE_CONTEXTS else "block"
    nouns = {"new contexts": "context", "new clusters": "cluster"}
    return f"{found.level or 'no interval'}, {count(found.n, nouns.get(found.level, noun))}"


def settling(found: Estimate, margin: float) -> str:
    """Say what data would settle an estimate: how many contexts or perturbations like these.

    Examples
    --------
    >>> settling(Estimate(0.06, 0.05, -0.05, 0.17, "new contexts", 8), 0.05)
    'about 47 contexts like these (there are 8)'
    """
    unit = "perturbations" if found.level == THESE_CONTEXTS else "contexts"
    if found.n < 2 or not np.isfinite(found.error) or found.error <= 0:
        return f"at least {CONTEXTS_TO_GENERALISE} contexts"
    target = max(abs(found.mean), margin) if found.mean > 0 else margin - found.mean
    n = blocks_to_see(target, found.error, found.n)
    if n is None:
        return f"more {unit} than can be measured"
    return f"about {max(n, found.n + 1):,} {unit} like these (there are {found.n})"


def nothing_found(claim: Claim) -> Finding:
    """Return the finding of a claim for which there are no runs."""
    return Finding(
        claim.id, "", "", "", "", "", Answer.UNTOLD, np.nan, np.nan, np.nan, np.nan, "", 0,
        "No runs of this folder ask this.", claim.needs,
    )  # fmt: skip


def described(value: float) -> str:
    """Return a number, a dash for none."""
    return number(value) or "-"
