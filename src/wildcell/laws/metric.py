"""The laws of metrics, each a function of one metric."""

from collections.abc import Sequence
from dataclasses import fields
from functools import cache, reduce

import numpy as np
from scipy.stats import spearmanr

from wildcell.arrays import Codes, Floats
from wildcell.laws.evidence import (
    EFFECT,
    N_PERTURBATIONS,
    Clouds,
    answers_to,
    bare,
    beside_others,
    draw_clouds,
    random_answer,
    response_of,
    take,
    without,
)
from wildcell.laws.law import Law
from wildcell.metrics.metric import METRICS, Metric
from wildcell.metrics.response import Response
from wildcell.names import ABSTENTIONS, Need, Status
from wildcell.results.score import Case, compute, score_case
from wildcell.store.fingerprint import fingerprint

SLACK = 1e-9
NOISE_LEVELS = (0.0, 0.3, 1.0, 3.0)
"""Standard deviations of the noise, over that of the effects."""

N_DRAWS = 20
N_RANDOM_ANSWERS = 40
SAME = 0.999
"""The absolute rank correlation above which two metrics are one."""


def goodness(metric: Metric, truth: Response, prediction: Response) -> Floats:
    """Return scores, high ones good: one a perturbation, or one in all for a ratio of sums."""
    value, parts = compute(metric, truth, prediction)
    if np.isfinite(parts.numerator).any():
        whole = np.nansum(parts.numerator) / np.nansum(parts.denominator)
        value = metric.as_value(np.array([whole]))
    return metric.goodness(value)


@cache
def _truth() -> Clouds:
    return draw_clouds(np.random.default_rng(0))


@cache
def _true() -> Response:
    return response_of(_truth())


@cache
def _answers() -> Sequence[tuple[str, Response]]:
    answers = answers_to(_truth(), np.random.default_rng(1))
    return tuple((name, response_of(clouds)) for name, clouds in answers.items())


def truth_is_best(metric: Metric) -> str:
    """The truth is a best answer."""
    best = goodness(metric, _true(), _true())
    if not np.isfinite(best).all():
        return f"the truth itself scores {_shown(metric, best)}."
    for name, answer in _answers():
        found = goodness(metric, _true(), answer)
        if (found > best + metric.slack + SLACK).any():
            row = int(np.argmax(found - best))
            return (
                f"{name} scores {_shown(metric, found[row])}, the truth itself "
                f"{_shown(metric, best[row])}."
            )
    return ""


def truth_reaches_ceiling(metric: Metric) -> str:
    """The truth scores no worse than the declared ceiling."""
    if metric.ceiling is None:
        return ""
    truth = _true()
    ceiling = metric.ceiling(truth) if callable(metric.ceiling) else np.array([metric.ceiling])
    best = goodness(metric, truth, truth)
    if not np.isfinite(ceiling).all() or (best < metric.goodness(ceiling) - SLACK).any():
        return f"the truth scores {_shown(metric, best)}, the ceiling is {ceiling.round(4)}."
    return ""


def order_of_genes_does_not_matter(metric: Metric) -> str:
    """The order of the genes does not matter."""
    rows, genes = np.arange(len(_truth().cells)), _shuffled(_truth().cells.shape[2])
    for name, answer in _answers():
        before = goodness(metric, _true(), answer)
        after = goodness(metric, take(_true(), rows, genes), take(answer, rows, genes))
        if not _equal(before, after):
            return f"{name} scores {_shown(metric, before)}, shuffled {_shown(metric, after)}."
    return ""


def order_of_perturbations_does_not_matter(metric: Metric) -> str:
    """The order of the perturbations does not matter."""
    rows, genes = _shuffled(len(_truth().cells)), np.arange(_truth().cells.shape[2])
    for name, answer in _answers():
        before = goodness(metric, _true(), answer)
        before = before if len(before) == 1 else before[rows]
        after = goodness(metric, take(_true(), rows, genes), take(answer, rows, genes))
        if not _equal(before, after):
            return f"{name} scores {_shown(metric, before)}, shuffled {_shown(metric, after)}."
    return ""


def more_noise_is_never_better(metric: Metric) -> str:
    """More noise is never better in expectation, and much noise is worse than none."""
    scores = np.array([_noisy_scores(metric, seed) for seed in range(N_DRAWS)])
    for level in range(1, len(NOISE_LEVELS)):
        gain = scores[:, level] - scores[:, level - 1]
        if not gain.mean() <= 3 * gain.std(ddof=1) / np.sqrt(N_DRAWS) + SLACK:
            return (
                f"noise of {NOISE_LEVELS[level]:g} times the effect scores "
                f"{_shown(metric, scores[:, level].mean())}, of {NOISE_LEVELS[level - 1]:g} times "
                f"{_shown(metric, scores[:, level - 1].mean())}, on average of {N_DRAWS} draws."
            )
    if not scores[:, -1].mean() < scores[:, 0].mean() - SLACK:
        return f"noise of any size scores {_shown(metric, scores[:, -1].mean())}, as none does."
    return ""


def _noisy_scores(metric: Metric, seed: int) -> Floats:
    """Return the mean goodness at each level of one draw of noise."""
    return np.array([np.mean(goodness(metric, _true(), one)) for one in _noisy_answers(seed)])


@cache
def _noisy_answers(seed: int) -> list[Response]:
    """Return an answer at each level of one draw of noise, drawn once for all metrics."""
    noise = np.random.default_rng([2, seed]).normal(0, EFFECT, _truth().delta.shape)
    deltas = [_truth().delta + level * noise for level in NOISE_LEVELS]
    return [response_of(_truth().with_delta(delta)) for delta in deltas]


def flat_prediction_is_never_rewarded(metric: Metric) -> str:
    """A flat prediction is undefined, and counts as something worse than the truth."""
    truth = _true()
    best = goodness(metric, truth, truth)
    for name, change in [("no change", 0.0), ("the same change of all genes", 1.0)]:
        flat = response_of(_truth().unchanged(change))
        scores = score_case(_case(truth, flat), [metric])
        if Need.DELTA in metric.needs and not (scores["status"] == Status.FLAT).all():
            return f"{name} has the status {sorted(set(scores['status']))}, not flat."
        counted = scores["value"].where(~scores["status"].isin(ABSTENTIONS), scores["null"])
        if (
            not np.isfinite(counted).all()
            or (metric.goodness(counted.to_numpy()) > best - SLACK).any()
        ):
            return (
                f"{name} counts as {counted.to_numpy().round(4)}, the truth scores "
                f"{_shown(metric, best)}."
            )
    return ""


def missing_answer_is_missing_alone(metric: Metric) -> str:
    """A missing answer has no score, and changes that of no other, unless ranked beside them."""
    truth, answer = _true(), response_of(random_answer(_truth(), np.random.default_rng(3)))
    whole, rest = (score_case(_case(truth, one), [metric]) for one in (answer, without(answer, 2)))
    if rest["status"][2] != Status.MISSING or np.isfinite(rest["value"][2]):
        return f"it scores {rest['value'][2]:.4g} with the status {rest['status'][2]}."
    if not np.isfinite(rest["null"][2]):
        return f"it counts as {rest['null'][2]} in means; declare a null value."
    others = np.arange(len(whole)) != 2
    before, after = (scores["value"][others].to_numpy() for scores in (whole, rest))
    if metric.compares_answers:
        return "" if np.isfinite(after).all() else f"the others score {after.round(4)}."
    if not _equal(before, after):
        return "the others' scores changed."
    return ""


def missing_truth_has_no_score(metric: Metric) -> str:
    """A perturbation that was not measured has no score, whatever the answer."""
    for name, answer in _answers():
        scores = score_case(_case(without(_true(), 2), answer), [metric])
        if np.isfinite(scores["value"][2]) or scores["status"][2] in [Status.OK, *ABSTENTIONS]:
            return f"{name} scores {scores['value'][2]:.4g}, status {scores['status'][2]}."
    return ""


def scores_are_finite(metric: Metric) -> str:
    """A full answer to a full truth has finite scores."""
    for name, answer in _answers():
        value = compute(metric, _true(), answer)[0]
        if not np.isfinite(value).all():
            return f"{name} scores {value.round(4)}."
    return ""


def direct_targets_do_not_count(metric: Metric) -> str:
    """What a delta metric says does not depend on the genes that are targeted directly."""
    if Need.DELTA not in metric.needs:
        return ""
    truth, answer = _truth(), random_answer(_truth(), np.random.default_rng(4))
    is_target = ~_true().kept_genes
    changed = answer.with_delta(np.where(is_target, answer.delta + 5.0, answer.delta))
    scores = [goodness(metric, response_of(truth), response_of(one)) for one in (answer, changed)]
    if not _equal(*scores):
        before, after = (_shown(metric, score) for score in scores)
        return f"an answer scores {before}, with its targets 5 higher {after}."
    return ""


def little_evidence_is_no_crash(metric: Metric) -> str:
    """One gene, one perturbation, bare means and missing cells raise nothing."""
    truth, answer = _true(), response_of(random_answer(_truth(), np.random.default_rng(4)))
    one, all_genes, all_rows = (
        np.array([0]),
        np.arange(len(truth.genes)),
        np.arange(N_PERTURBATIONS),
    )
    for rows, genes in [(one, all_genes), (all_rows, one), (one, one)]:
        score_case(_case(take(truth, rows, genes), take(answer, rows, genes)), [metric])
    for measured in (truth, bare(truth)):
        for given in (answer, bare(answer)):
            score_case(_case(measured, given), [metric])
    silent = reduce(without, range(N_PERTURBATIONS), answer)
    for nothing in (silent, bare(silent)):
        scores = score_case(_case(truth, nothing), [metric])
        if np.isfinite(scores["value"]).any():
            return f"where nothing is answered it scores {scores['value'].to_numpy()}."
    return ""


def leaves_evidence_unchanged(metric: Metric) -> str:
    """Scoring changes neither truth nor prediction, and gives the same scores twice."""
    truth, answer = _true(), response_of(random_answer(_truth(), np.random.default_rng(5)))
    before = fingerprint(_content(truth), _content(answer))
    first, second = (goodness(metric, truth, answer) for _ in range(2))
    if fingerprint(_content(truth), _content(answer)) != before:
        return "the arrays of one of them changed."
    if not np.array_equal(first, second, equal_nan=True):
        return f"{_shown(metric, first)} at first, then {_shown(metric, second)}."
    return ""


def is_no_other_metric(metric: Metric) -> str:
    """No metric is a monotone function of another, unless it is declared its alias."""
    own = _random_scores(metric)
    for name in METRICS.names():
        other = METRICS.get(name)
        if name == metric.name or _are_twins(metric, other):
            continue
        agreement = abs(_rank_correlation(own, _random_scores(other)))
        is_alias = _origin(metric) == _origin(other)
        if agreement > SAME and not is_alias:
            return f"its rank correlation with {name!r} is {agreement:.5f}; declare alias_of."
        if agreement <= SAME and is_alias:
            return (
                f"it shares its alias with {name!r}, and their rank correlation is {agreement:.3f}."
            )
    return ""


def _origin(metric: Metric) -> str:
    return metric.alias_of or metric.name


def _are_twins(metric: Metric, other: Metric) -> bool:
    """Tell whether two are one on either panel of genes, or either is no more than that."""
    return metric.twin_of is not None or other.twin_of is not None


@cache
def _random_answers() -> list[Response]:
    """Return answers that are measured against other controls than the truth, as in a run."""
    rng = np.random.default_rng(6)
    answers = [random_answer(_truth(), rng) for _ in range(N_RANDOM_ANSWERS)]
    return [response_of(beside_others(answer, rng)) for answer in answers]


@cache
def _random_scores(metric: Metric) -> Floats:
    """Return the scores of random answers, a perturbation and answer each."""
    truth = _true()
    return np.concatenate([compute(metric, truth, answer)[0] for answer in _random_answers()])


def _rank_correlation(first: Floats, second: Floats) -> float:
    known = np.isfinite(first) & np.isfinite(second)
    return float(spearmanr(first[known], second[known]).statistic)


METRIC_LAWS: tuple[Law[Metric], ...] = (
    truth_is_best,
    truth_reaches_ceiling,
    order_of_genes_does_not_matter,
    order_of_perturbations_does_not_matter,
    more_noise_is_never_better,
    flat_prediction_is_never_rewarded,
    missing_answer_is_missing_alone,
    missing_truth_has_no_score,
    scores_are_finite,
    direct_targets_do_not_count,
    little_evidence_is_no_crash,
    leaves_evidence_unchanged,
    is_no_other_metric,
)


def _case(truth: Response, prediction: Response) -> Case:
    """Return a case with enough controls, and with no change as the given controls' answer."""
    n, n_genes = truth.mean.shape
    given = take(_given(), np.arange(n), np.arange(n_genes))
    return Case(truth, prediction, given, np.zeros(n, dtype=bool))


@cache
def _given() -> Response:
    return response_of(_truth().unchanged())


def _content(response: Response) -> dict[str, object]:
    """Return all that a response is made of, but for how what follows from it is kept."""
    values = {item.name: getattr(response, item.name) for item in fields(response)}
    return {name: value for name, value in values.items() if not callable(value)}


def _shuffled(n: int) -> Codes:
    """Return an order in which nothing stays in its place."""
    cycle = np.random.default_rng(7).permutation(n)
    order = np.empty(n, dtype=np.intp)
    order[cycle] = np.roll(cycle, 1)
    return order


def _equal(first: Floats, second: Floats) -> bool:
    return bool(np.allclose(first, second, rtol=1e-6, atol=SLACK, equal_nan=True))


def _shown(metric: Metric, good: Floats | float) -> str:
    """Spell a goodness as the score that it is."""
    score = np.asarray(good) if metric.best == "high" else -np.asarray(good)
    return str(score.round(4))
