"""F4: models catch the response that all perturbations share, and miss what is specific."""

from collections.abc import Iterator

import numpy as np

from wildcell.metrics.metric import METRICS
from wildcell.names import CEILING, NAIVE_MODELS, NEGATIVE_MODELS, Role
from wildcell.results.findings.claim import Answer, Claim, Finding, Material, described
from wildcell.results.rank import PSEUDO_MODELS, QUESTION, samples_of, without_shams
from wildcell.results.stats import Sample, Scaled, estimate, scaled
from wildcell.results.words import span

SHARED, SPECIFIC = "shared_r2", "pearson_specific"
LEAST_SHARED, MOST_SPECIFIC = 0.7, 0.3
LEAST_TRAINED, LEAST_CONTEXTS = 20, 3
"""Perturbations, or contexts, that the shared response must be the mean of."""

LEAST_RELIABLE = 0.8
"""Correlation between what halves of the training cells say is shared."""


def _find(material: Material) -> Iterator[Finding]:
    scores = material.scores[material.scores["metric"].isin((SHARED, SPECIFIC))]
    for key, table in without_shams(scores).groupby(QUESTION, sort=True):
        samples = samples_of(table)
        if not {SHARED, SPECIFIC} <= set(samples):
            continue
        reference = material.references.get(str(key[0]), "")
        gate = _gate(material, (str(key[0]), str(key[1]), str(key[2])))
        found = [
            _of_model(tuple(map(str, key)), model, samples, reference, gate)
            for model in sorted(set(samples[SPECIFIC]) & set(samples[SHARED]))
            if model not in (*PSEUDO_MODELS, *NAIVE_MODELS, *NEGATIVE_MODELS, reference)
        ]
        if found:
            yield _whole(tuple(map(str, key)), found)
            yield from found


def _gate(material: Material, question: tuple[str, str, str]) -> str:
    """Return why the shared response is not known well enough, "" where it is."""
    found = material.reliability.get(question, np.nan)
    if found < LEAST_RELIABLE:
        return (
            f"halves of the training cells agree on the shared response by a correlation of "
            f"{described(found)}, below {LEAST_RELIABLE}"
        )
    conditions = material.conditions
    if conditions.empty:
        return ""
    here = np.all([conditions[n] == v for n, v in zip(QUESTION, question, strict=True)], axis=0)
    trained = conditions[here & (conditions["role"] == Role.TRAIN)]
    n_perturbations, n_contexts = trained["perturbation"].nunique(), trained["context"].nunique()
    if n_perturbations >= LEAST_TRAINED or n_contexts >= LEAST_CONTEXTS:
        return ""
    return (
        f"the shared response is the mean of {n_perturbations} perturbations in {n_contexts} "
        f"contexts, fewer than {LEAST_TRAINED} or {LEAST_CONTEXTS}"
    )


def _of_model(
    question: tuple[str, ...],
    model: str,
    samples: dict[str, dict[str, Sample]],
    reference: str,
    gate: str,
) -> Finding:
    shared = estimate(samples[SHARED][model])
    place = _specific(samples[SPECIFIC], model, reference)
    answer, why = Answer.UNTOLD, gate
    if not why and not np.isfinite(place.low):
        why = "what is specific is not resolved in the measurement itself"
    if not why:
        if shared.low >= LEAST_SHARED and place.high <= MOST_SPECIFIC:
            answer = Answer.HOLDS
        elif shared.high < LEAST_SHARED or place.low > MOST_SPECIFIC:
            answer = Answer.FAILS
    told = (
        f"{model} explains {described(shared.mean)} ({span(shared.low, shared.high)}) of the "
        f"shared response, and its specific response correlates with {described(place.value)} "
        f"({span(place.low, place.high)}) of what the noise-free effect would: {answer}"
    )
    return Finding(
        "F4",
        question[0],
        question[1],
        "specific",
        model,
        SPECIFIC,
        answer,
        place.value,
        place.low,
        place.high,
        np.nan,
        shared.level,
        shared.n,
        told + (f", for {why}." if why else "."),
        _settles(gate) if answer is Answer.UNTOLD else "",
    )


def _settles(gate: str) -> str:
    if gate:
        return (
            f"more training cells, of {LEAST_TRAINED} perturbations or {LEAST_CONTEXTS} contexts "
            "at least"
        )
    return "more cells a condition, or more conditions"


def _whole(question: tuple[str, ...], findings: list[Finding]) -> Finding:
    """Answer for all models: it holds of each, or fails of some."""
    answers = [found.answer for found in findings]
    answer = Answer.UNTOLD
    if all(one is Answer.HOLDS for one in answers):
        answer = Answer.HOLDS
    elif Answer.FAILS in answers:
        answer = Answer.FAILS
    counts = ", ".join(f"{answers.count(one)} {one}" for one in Answer if one in answers)
    effects = [found.effect for found in findings if np.isfinite(found.effect)]
    return Finding(
        "F4",
        question[0],
        question[1],
        "specific",
        "",
        SPECIFIC,
        answer,
        float(np.mean(effects)) if effects else np.nan,
        np.nan,
        np.nan,
        np.nan,
        findings[0].level,
        len(findings),
        f"Of {len(findings)} models that are not naive: {counts}.",
        findings[0].settles if answer is Answer.UNTOLD else "",
    )


def _specific(samples: dict[str, Sample], model: str, reference: str) -> Scaled:
    """Return the specific correlation on the scale from nothing to the noise-free effect."""
    nothing = samples.get(reference, samples[model])
    zero = Sample(
        nothing.context,
        nothing.perturbation,
        np.where(nothing.is_known, 0.0, np.nan),
        nothing.numerator,
        nothing.denominator,
    )
    ceiling = samples.get(CEILING, zero)
    return scaled(samples[model], zero, ceiling, best=METRICS.get(SPECIFIC).best)


SPECIFIC_CLAIM = Claim(
    "F4",
    "Models catch the response that all perturbations share, and miss what is specific to each.",
    "explained share of the response along the reference baseline's (at least 0.7, lower bound), "
    "and correlation of the rest, over that of the noise-free effect (at most 0.3, upper bound)",
    "wildcell run SCENARIO --data DATA --metrics headline,shared_r2",
    _find,
)
