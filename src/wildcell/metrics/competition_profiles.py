"""The profile measures of the Virtual Cell Challenge 2026: errors, deltas and retrieval in bulk.

Profiles are of summed counts at a target sum of 50,000, deltas against the truth's controls on both
sides. Squared errors are corrected for sampling noise and leave out the perturbation's own gene.
"""

import numpy as np

from wildcell.arrays import Floats
from wildcell.metrics.bulk import bulk_profiles, jackknife_noise
from wildcell.metrics.correlation import row_pearson
from wildcell.metrics.evidence import Cloud, Evidence, Side, once
from wildcell.metrics.nearest import Measure, own_place, profile_distances
from wildcell.metrics.recovery import divided

TARGET_SUM = 50_000.0


def _profiles(cloud: Cloud | None, n: int) -> Floats:
    assert cloud is not None
    return bulk_profiles(cloud.X, cloud.codes, n, TARGET_SUM)


def _noise(cloud: Cloud | None, n: int) -> Floats:
    assert cloud is not None
    return jackknife_noise(cloud.X, cloud.codes, n, TARGET_SUM)


@once
def profiles(side: Side) -> Floats:
    """Return the bulk profile of each perturbation."""
    return _profiles(side.cells, side.n)


@once
def control_profile(side: Side) -> Floats:
    """Return the bulk profile of the controls, shape (n_genes,)."""
    return _profiles(side.controls, 1)[0]


@once
def noise(side: Side) -> Floats:
    """Return the squared sampling error of each profile, summed over genes."""
    return _noise(side.cells, side.n)


@once
def control_noise(side: Side) -> float:
    """Return the squared sampling error of the controls' profile, summed over genes."""
    return float(_noise(side.controls, 1)[0])


def _errors(evidence: Evidence) -> Floats:
    return profiles(evidence.prediction) - profiles(evidence.truth)


def absolute(evidence: Evidence) -> Floats:
    """Mean absolute error of the profile."""
    return np.abs(_errors(evidence)).mean(axis=1)


def squared(evidence: Evidence) -> Floats:
    """Mean squared error of the profile."""
    return (_errors(evidence) ** 2).mean(axis=1)


@once
def _deltas(evidence: Evidence) -> tuple[Floats, Floats]:
    """Return true and predicted deltas against the truth's controls."""
    control = control_profile(evidence.truth)
    return profiles(evidence.truth) - control, profiles(evidence.prediction) - control


def pearson_delta(evidence: Evidence) -> Floats:
    """Correlation of deltas; 0 for a flat prediction of a response."""
    true, predicted = _deltas(evidence)
    is_flat = (np.ptp(predicted, axis=1) == 0) & (np.ptp(true, axis=1) > 0)
    return np.where(is_flat, 0.0, row_pearson(predicted, true, np.ones(true.shape, dtype=bool)))


def retrieval(evidence: Evidence, measure: Measure) -> Floats:
    """1 - place / (N - 1) of the own truth, without any target's gene; mid-ranks on ties."""
    kept = np.ones(len(evidence.genes), dtype=bool)
    kept[evidence.own_gene[evidence.own_gene >= 0]] = False
    true, predicted = (deltas[:, kept] for deltas in _deltas(evidence))
    if evidence.truth.n == 1:
        return np.ones(1)
    places = own_place(profile_distances(predicted, true, measure), ties="half")
    return 1 - places / (evidence.truth.n - 1)


def without_own_gene(evidence: Evidence, differences: Floats, correction: Floats) -> Floats:
    """Return mean squared differences less a correction, each without the own gene."""
    rows = np.arange(len(differences))
    has_own = evidence.own_gene >= 0
    own = np.where(has_own, differences[rows, evidence.own_gene], 0.0)
    total = np.einsum("pg,pg->p", differences, differences) - own**2
    return divided(total - correction, differences.shape[1] - has_own)


def unbiased(evidence: Evidence) -> Floats:
    """Squared error of the profile less the sampling noise of both sides."""
    correction = noise(evidence.prediction) + noise(evidence.truth)
    return without_own_gene(evidence, _errors(evidence), correction)


def capped(evidence: Evidence) -> Floats:
    """The same with the prediction's noise bounded by the truth's and by its spread over all."""
    correction = _granted(evidence) + noise(evidence.truth)
    return without_own_gene(evidence, _errors(evidence), correction)


def effect(evidence: Evidence) -> Floats:
    """Squared length of the true delta less the sampling noise of perturbation and controls."""
    correction = noise(evidence.truth) + control_noise(evidence.truth)
    return without_own_gene(evidence, _deltas(evidence)[0], correction)


def normalised(evidence: Evidence) -> Floats:
    """Sum of capped errors over the sum of effects: one number, repeated."""
    errors, effects = capped(evidence), effect(evidence)
    known = np.isfinite(errors) & np.isfinite(effects)
    ratio = divided(errors[known].sum(), effects[known].sum())
    return np.full(evidence.truth.n, float(ratio))


def mass(evidence: Evidence) -> Floats:
    """Sum of the true profile in linear units over the target sum: 1 unless it is empty."""
    return np.expm1(profiles(evidence.truth)).sum(axis=1) / TARGET_SUM


@once
def _granted(evidence: Evidence) -> Floats:
    """Return how much of its noise a prediction may claim.

    No more than the truth's own, and in total no more than its profiles differ: cells whose scatter
    cancels in the mean have no sampling noise to be corrected for.
    """
    claim = np.minimum(noise(evidence.prediction), noise(evidence.truth))
    weights = divided(np.ones(evidence.truth.n), len(evidence.genes) - (evidence.own_gene >= 0))
    total = float((claim * np.nan_to_num(weights)).sum())
    if total <= 0:
        return claim
    return claim * min(1.0, _spread(evidence, np.nan_to_num(weights)) / total)


def _spread(evidence: Evidence, weights: Floats) -> float:
    """Return the weighted squared spread of predicted profiles, each without its own gene."""
    kept = np.ones((evidence.truth.n, len(evidence.genes)))
    has_own = evidence.own_gene >= 0
    kept[has_own, evidence.own_gene[has_own]] = 0.0
    weight = kept * weights[:, None]
    shifted = profiles(evidence.prediction) - profiles(evidence.prediction).mean(axis=0)
    sums, squares = (weight * shifted).sum(axis=0), (weight * shifted**2).sum(axis=0)
    usable = (kept.sum(axis=0) >= 2) & (weight.sum(axis=0) > 0)
    spread = squares[usable] - sums[usable] ** 2 / weight.sum(axis=0)[usable]
    return float(np.maximum(spread, 0).sum())
