"""The measures of scPertEval: profiles, retrieval, clouds in principal components, t-statistics.

A perturbation is tested against the true cells of all others; so is its prediction.
"""

import zlib
from typing import Literal, TypeAlias

import numpy as np
from scipy import sparse

from wildcell.arrays import Booleans, Codes, Floats, Moments, moments
from wildcell.metrics.components import Components
from wildcell.metrics.conditions import over_conditions
from wildcell.metrics.correlation import row_pearson
from wildcell.metrics.differential import MeanTest, benjamini_hochberg, t_test
from wildcell.metrics.evidence import Evidence, Side, once
from wildcell.metrics.kernel import gaussian_mmd
from wildcell.metrics.nearest import own_place, profile_distances
from wildcell.metrics.pairwise import energy_distance
from wildcell.metrics.randomised_components import fit_published_components
from wildcell.metrics.recovery import average_precision, positions, roc_auc
from wildcell.metrics.specificity import (
    r2,
    specificity_weights,
    weighted_r2,
    weighted_squared_error,
)

Centre: TypeAlias = Literal["zero", "controls", "others"]

ALPHA = 0.05
SEED = 42
LARGEST_POOL = 8192
N_COMPONENTS = 50


@once
def pool(side: Side) -> Codes:
    """Return the perturbed cells that others are tested against, at most 8,192 drawn by seed."""
    assert side.cells is not None
    n_cells = side.cells.X.shape[0]
    if n_cells <= LARGEST_POOL:
        return np.arange(n_cells)
    rng = np.random.default_rng([SEED, zlib.crc32(b"pool")])
    return np.sort(rng.choice(n_cells, LARGEST_POOL, replace=False))


@once
def cell_moments(side: Side) -> Moments:
    """Return the moments of each perturbation's cells as the package has them: in single precision.

    Where a variance is small beside the mean, its statistics show the rounding.
    """
    assert side.cells is not None
    cells = side.cells
    n = np.bincount(cells.codes, minlength=side.n)
    columns = np.arange(len(cells.codes))
    shares = (1 / n[cells.codes]).astype(np.float32)
    average = sparse.csr_matrix((shares, (cells.codes, columns)), shape=(side.n, len(columns)))
    X = sparse.csr_matrix(cells.X)
    mean = (average @ X).toarray()
    mean_square = (average @ X.multiply(X).tocsr()).toarray()
    bessel = (n / np.maximum(n - 1, 1)).astype(np.float32)[:, None]
    variance = np.maximum((mean_square - mean * mean) * bessel, 0).astype(np.float64)
    total = mean.astype(np.float64) * n[:, None]
    return Moments(n, total, variance * (n[:, None] - 1) + total**2 / n[:, None])


@once
def others(side: Side) -> Moments:
    """Return the moments of the pool without each perturbation's own cells."""
    assert side.cells is not None
    rows = pool(side)
    own = moments(side.cells.X[rows], side.cells.codes[rows], side.n)
    return Moments(
        own.n.sum() - own.n,
        own.total.sum(axis=0) - own.total,
        own.total_squares.sum(axis=0) - own.total_squares,
    )


def against(cells: Moments, reference: Moments) -> MeanTest:
    """Test means by Welch's t; a gene that cannot be tested has a statistic of 0."""
    statistic, p_value = t_test(cells, reference)
    is_tested = np.isfinite(statistic)
    return MeanTest(np.where(is_tested, statistic, 0.0), np.where(is_tested, p_value, 1.0))


@once
def true_test(evidence: Evidence) -> MeanTest:
    """Test each perturbation's true cells against the others'."""
    return against(cell_moments(evidence.truth), others(evidence.whole))


@once
def responds(evidence: Evidence) -> Booleans:
    """Which genes are significant in the truth, shape (n_perturbations, n_genes)."""
    return benjamini_hochberg(true_test(evidence).p_value) < ALPHA


@once
def predicted_size(evidence: Evidence) -> Floats:
    """Size of the statistic of predicted cells against the other perturbations' true cells."""
    found = against(cell_moments(evidence.prediction), others(evidence.whole))
    return np.abs(found.statistic)


@once
def mean_of_others(evidence: Evidence) -> Floats:
    """Mean of the other perturbations' means, shape (n_perturbations, n_genes)."""
    mean = evidence.whole.mean
    return (mean.sum(axis=0) - mean) / max(len(mean) - 1, 1)


def _means(evidence: Evidence, centre: Centre) -> tuple[Floats, Floats]:
    """Return true and predicted means around zero, the controls, or the other perturbations."""
    around = np.zeros(1)
    if centre != "zero":
        around = evidence.whole.centre if centre == "controls" else mean_of_others(evidence)
    return evidence.truth.mean - around, evidence.prediction.mean - around


def squared(evidence: Evidence) -> Floats:
    """Mean squared error of the mean profile."""
    return ((evidence.prediction.mean - evidence.truth.mean) ** 2).mean(axis=1)


def pearson(evidence: Evidence, centre: Centre) -> Floats:
    """Correlation of the mean profiles, around a centre."""
    true, predicted = _means(evidence, centre)
    return row_pearson(predicted, true, np.ones(true.shape, dtype=bool))


def explained(evidence: Evidence, centre: Centre) -> Floats:
    """Share of the variance over genes that is explained, around a centre."""
    return r2(*_means(evidence, centre))


def weighted_explained(evidence: Evidence, centre: Centre, exponent: float) -> Floats:
    """The same with genes weighed by how specific their true response is."""
    weights = specificity_weights(true_test(evidence).statistic, exponent=exponent)
    return weighted_r2(*_means(evidence, centre), weights)


def weighted_squared(evidence: Evidence, exponent: float) -> Floats:
    """Squared error with genes weighed by how specific their true response is."""
    weights = specificity_weights(true_test(evidence).statistic, exponent=exponent)
    return weighted_squared_error(evidence.truth.mean, evidence.prediction.mean, weights)


@once
def _distances(evidence: Evidence) -> Floats:
    return profile_distances(evidence.prediction.mean, evidence.truth.mean, "l2")


def column_rank(evidence: Evidence) -> Floats:
    """Place of the own prediction among all predictions, seen from each truth; 0 is best."""
    return own_place(_distances(evidence).T, ties="half") / max(evidence.truth.n - 1, 1)


def row_rank(evidence: Evidence) -> Floats:
    """Place of the own truth among all truths, seen from each prediction; 0 is best."""
    return own_place(_distances(evidence), ties="half") / max(evidence.truth.n - 1, 1)


def inverse_rank(evidence: Evidence) -> Floats:
    """1 minus the place of the own truth among all truths."""
    return 1 - row_rank(evidence)


@once
def space(side: Side) -> Components:
    """Return the principal components of all true cells, controls among them.

    As scikit-learn approximates them at the package's seed; exact ones of what is too large for it.
    """
    assert side.cells is not None
    assert side.controls is not None
    everyone = sparse.vstack([side.cells.X, side.controls.X], format="csr")
    return fit_published_components(everyone, N_COMPONENTS, seed=SEED)


def clouds(side: Side, of: Side, k: int) -> list[Floats]:
    """Return each perturbation's cells in the first k components of another side."""
    assert side.cells is not None
    scores = space(of).transform(side.cells.X)[:, :k]
    return [scores[side.cells.codes == group] for group in range(side.n)]


def energy(evidence: Evidence, k: int) -> Floats:
    """Energy distance of the cells in principal components, pairs of one cell left out."""
    both = (clouds(s, evidence.whole, k) for s in (evidence.truth, evidence.prediction))
    return np.array(over_conditions(energy_distance, *both))


def discrepancy(evidence: Evidence, k: int) -> Floats:
    """Squared maximum mean discrepancy in principal components, at the median bandwidth."""
    both = (clouds(s, evidence.whole, k) for s in (evidence.truth, evidence.prediction))
    return np.array(over_conditions(gaussian_mmd, *both))


def auprc(evidence: Evidence) -> Floats:
    """Average precision of the predicted statistics for significant genes."""
    return average_precision(responds(evidence), predicted_size(evidence))


def auroc(evidence: Evidence) -> Floats:
    """Area under the ROC curve of the predicted statistics for significant genes."""
    return roc_auc(responds(evidence), predicted_size(evidence))


def top_overlap(evidence: Evidence, k: int) -> Floats:
    """Share of the k genes of largest statistic that both sides have; NaN for too few genes."""
    true, predicted = np.abs(true_test(evidence).statistic), predicted_size(evidence)
    if k >= true.shape[1]:
        return np.full(len(true), np.nan)
    everything = np.ones(true.shape, dtype=bool)
    tops = [positions(size, everything) < k for size in (true, predicted)]
    return (tops[0] & tops[1]).sum(axis=1) / k
