"""The measures of cell-eval: each side is measured against its own controls."""

import numpy as np

from wildcell.arrays import Booleans, Floats
from wildcell.metrics.correlation import row_pearson
from wildcell.metrics.differential import Differential, differential, log2_fold_change
from wildcell.metrics.evidence import Evidence, Side, once
from wildcell.metrics.nearest import Measure, distances_without_own_gene, own_place
from wildcell.metrics.recovery import (
    average_precision,
    divided,
    positions,
    roc_auc,
    share,
    spearman,
    spearman_among,
)
from wildcell.metrics.reference_energy import energies_to_reference

ALPHA = 0.05
SMALLEST_FDR = 1e-10


@once
def tested(side: Side) -> Differential:
    """Test each gene against the side's controls; fold changes of geometric means, no pseudocount.

    In single precision, in which the package compares and ranks them.
    """
    assert side.cells is not None
    assert side.controls is not None
    lfc = log2_fold_change(np.expm1(side.mean), np.expm1(side.centre), pseudocount=0.0)
    found = differential(
        side.cells.X, side.cells.codes, side.n, side.controls.X, lfc=lfc.astype(np.float32)
    )
    return Differential(found.statistic, found.p_value, found.padj.astype(np.float32), found.lfc)


@once
def significant(side: Side) -> Booleans:
    """Which genes are significant, shape (n_perturbations, n_genes)."""
    return tested(side).significant(ALPHA)


@once
def place(side: Side) -> Floats:
    """Place of each significant gene by size of fold change, inf for the others."""
    return positions(np.abs(tested(side).lfc), significant(side))


def _both(evidence: Evidence) -> tuple[Booleans, Booleans]:
    return significant(evidence.truth), significant(evidence.prediction)


def _common_top(evidence: Evidence, k: int | None, of: Side) -> Floats:
    """Share of common genes among the k of largest fold change of both sides, k at most all."""
    n = significant(of).sum(axis=1)
    k_each = n if k is None else np.minimum(k, n)
    true, predicted = (
        place(side) < k_each[:, None] for side in (evidence.truth, evidence.prediction)
    )
    return np.nan_to_num(divided((true & predicted).sum(axis=1), k_each))


def overlap(evidence: Evidence, k: int | None) -> Floats:
    """Share of the k strongest significant genes that are among the k strongest predicted."""
    return _common_top(evidence, k, evidence.truth)


def precision(evidence: Evidence, k: int | None) -> Floats:
    """The same with k bounded by the number of genes predicted to be significant."""
    return _common_top(evidence, k, evidence.prediction)


def number_correlation(evidence: Evidence) -> Floats:
    """Rank correlation, over perturbations with any, of the numbers of significant genes."""
    true, predicted = (found.sum(axis=1) for found in _both(evidence))
    has_any = true > 0
    value = 1.0
    if has_any.any():
        value = spearman(true[has_any], predicted[has_any])
    return np.full(len(true), value)


def direction_match(evidence: Evidence) -> Floats:
    """Share of significant genes whose predicted fold change has the true sign."""
    true, predicted = (np.sign(tested(side).lfc) for side in (evidence.truth, evidence.prediction))
    return share(true == predicted, significant(evidence.truth))


def lfc_spearman(evidence: Evidence) -> Floats:
    """Rank correlation of fold changes over significant genes."""
    true, predicted = tested(evidence.truth).lfc, tested(evidence.prediction).lfc
    return spearman_among(true, predicted, significant(evidence.truth))


def recall(evidence: Evidence) -> Floats:
    """Share of significant genes that are predicted to be."""
    true, predicted = _both(evidence)
    return share(predicted, true)


def n_true(evidence: Evidence) -> Floats:
    """Number of significant genes."""
    return significant(evidence.truth).sum(axis=1).astype(float)


def n_predicted(evidence: Evidence) -> Floats:
    """Number of genes predicted to be significant."""
    return significant(evidence.prediction).sum(axis=1).astype(float)


@once
def _evidence_of_change(evidence: Evidence) -> Floats:
    padj = np.nan_to_num(tested(evidence.prediction).padj, nan=1.0)
    return -np.log10(np.clip(padj, SMALLEST_FDR, 1))


def pr_auc(evidence: Evidence) -> Floats:
    """Average precision of predicted FDRs for significant genes."""
    return average_precision(significant(evidence.truth), _evidence_of_change(evidence))


def roc(evidence: Evidence) -> Floats:
    """Area under the ROC curve of predicted FDRs for significant genes."""
    return roc_auc(significant(evidence.truth), _evidence_of_change(evidence))


def pearson_delta(evidence: Evidence) -> Floats:
    """Correlation of deltas, each against its own side's controls."""
    true, predicted = evidence.truth.delta, evidence.prediction.delta
    return row_pearson(predicted, true, np.ones(true.shape, dtype=bool))


def squared(evidence: Evidence) -> Floats:
    """Mean squared error of the mean profile."""
    return ((evidence.prediction.mean - evidence.truth.mean) ** 2).mean(axis=1)


def absolute(evidence: Evidence) -> Floats:
    """Mean absolute error of the mean profile."""
    return np.abs(evidence.prediction.mean - evidence.truth.mean).mean(axis=1)


def squared_delta(evidence: Evidence) -> Floats:
    """Mean squared error of the delta."""
    return ((evidence.prediction.delta - evidence.truth.delta) ** 2).mean(axis=1)


def absolute_delta(evidence: Evidence) -> Floats:
    """Mean absolute error of the delta."""
    return np.abs(evidence.prediction.delta - evidence.truth.delta).mean(axis=1)


def discrimination(evidence: Evidence, measure: Measure) -> Floats:
    """1 - place / N of the own truth, without the gene that is the target; ties by array order."""
    distances = distances_without_own_gene(
        evidence.prediction.delta, evidence.truth.delta, evidence.own_gene, measure
    )
    return 1 - own_place(distances, ties="order") / evidence.truth.n


def pearson_edistance(evidence: Evidence) -> Floats:
    """Correlation over perturbations of the energy distances to the controls of each side."""
    true, predicted = (energies(side)[None, :] for side in (evidence.truth, evidence.prediction))
    correlation = row_pearson(predicted, true, np.ones(true.shape, dtype=bool))
    return np.full(evidence.truth.n, correlation[0])


@once
def energies(side: Side) -> Floats:
    """Energy distance of each perturbation's cells to the controls, pairs of one cell included."""
    assert side.cells is not None
    assert side.controls is not None
    return energies_to_reference(side.cells.X, side.cells.codes, side.n, side.controls.X)
