"""The gene measures of the Virtual Cell Challenge 2026: what is significant, and which way it goes.

Predicted cells are tested, as true ones are, against the truth's controls, on counts per million;
genes that the controls have at 5 per million or fewer are not looked at. A measure that the truth
leaves too little to say on is undefined; where it is defined, silence gets the worst value.
"""

from typing import Literal, TypeAlias

import numpy as np
from scipy import sparse

from wildcell.arrays import Booleans, Codes, Floats
from wildcell.metrics.differential import Differential, benjamini_hochberg, log2_fold_change
from wildcell.metrics.evidence import Cloud, Evidence, Side, once
from wildcell.metrics.recovery import (
    average_precision,
    divided,
    positions,
    roc_auc,
    share,
    spearman,
    spearman_among,
)
from wildcell.metrics.scaled_ranks import Counts, mean_scaled, rank_scaled

ALPHA = 0.05
MIN_GENES = 10
MILLION = 1e6
LEAST_IN_MILLION = 5.0
PSEUDOCOUNT = 1e-9

Which: TypeAlias = Literal["all", "up", "down"]


def _per_million(cloud: Cloud | None) -> Counts:
    """Return counts with what makes them counts per million of the genes there are."""
    assert cloud is not None
    counts = sparse.csr_matrix(cloud.X)
    depth = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    return Counts(counts, np.where(depth > 0, depth, 1.0) / MILLION, cloud.codes)


@once
def _mean_of_controls(side: Side) -> Floats:
    """Return the controls' mean counts per million, shape (n_genes,)."""
    return mean_scaled(_per_million(side.controls), 1)[0]


@once
def looked_at(side: Side) -> Codes:
    """Return the columns of the genes that the controls have enough of."""
    return np.flatnonzero(_mean_of_controls(side) > LEAST_IN_MILLION)


@once
def tested(side: Side) -> Differential:
    """Test the genes looked at; fold changes of mean counts per million.

    Ranks tell values apart that single precision would not.
    """
    genes, cells = looked_at(side), _per_million(side.cells)
    lfc = log2_fold_change(
        mean_scaled(cells, side.n)[:, genes],
        _mean_of_controls(side)[None, genes],
        pseudocount=PSEUDOCOUNT,
    )
    found = rank_scaled(cells, side.n, _per_million(side.controls))
    p_value = found.p_value[:, genes]
    return Differential(found.statistic[:, genes], p_value, benjamini_hochberg(p_value), lfc)


@once
def significant(side: Side) -> Booleans:
    """Which of the genes looked at are significant, shape (n_perturbations, n_genes looked at)."""
    return tested(side).significant(ALPHA)


@once
def place(side: Side) -> Floats:
    """Place of each significant gene by size of fold change, inf for the others."""
    return positions(np.abs(tested(side).lfc), significant(side))


@once
def is_own(evidence: Evidence) -> Booleans:
    """Which gene each perturbation is named after, among those looked at."""
    return evidence.own_gene[:, None] == looked_at(evidence.truth)[None, :]


def sets(evidence: Evidence, *, with_own: bool = True) -> tuple[Booleans, Booleans]:
    """Return the true and the predicted significant genes."""
    found = significant(evidence.truth), significant(evidence.prediction)
    return found if with_own else (found[0] & ~is_own(evidence), found[1] & ~is_own(evidence))


def fold_changes(evidence: Evidence) -> tuple[Floats, Floats]:
    """Return true and predicted log2 fold changes of the genes looked at."""
    return tested(evidence.truth).lfc, tested(evidence.prediction).lfc


def gated(values: Floats, is_inside: Booleans, worst: float | None = None) -> Floats:
    """Return values where the truth says enough, there the worst value for what is undefined."""
    filled = values if worst is None else np.where(np.isnan(values), worst, values)
    return np.where(is_inside, filled, np.nan)


def has_enough(evidence: Evidence, *, leaves_others: bool = False) -> Booleans:
    """Whether 10 genes are significant, and perhaps some are not."""
    n_true = significant(evidence.truth).sum(axis=1)
    is_enough = n_true >= MIN_GENES
    return is_enough & (n_true < len(looked_at(evidence.truth))) if leaves_others else is_enough


def top_share(evidence: Evidence, k: int | None, of: Literal["truth", "prediction"]) -> Floats:
    """Share of common genes among the k of largest fold change of both sides, k at most all."""
    n = significant(getattr(evidence, of)).sum(axis=1)
    k_each = (n if k is None else np.minimum(k, n))[:, None]
    common = (place(evidence.truth) < k_each) & (place(evidence.prediction) < k_each)
    return np.nan_to_num(divided(common.sum(axis=1), k_each[:, 0]))


def n_significant(evidence: Evidence, of: Literal["truth", "prediction"]) -> Floats:
    """Number of significant genes."""
    return significant(getattr(evidence, of)).sum(axis=1).astype(float)


def number_correlation(evidence: Evidence) -> Floats:
    """Rank correlation of the numbers of significant genes, over perturbations with any."""
    true, predicted = (n_significant(evidence, of) for of in ("truth", "prediction"))
    has_any = true > 0
    value = np.nan
    if has_any.sum() >= MIN_GENES and np.ptp(true[has_any]) > 0:
        value = spearman(true[has_any], predicted[has_any])
        value = -1.0 if np.isnan(value) else value
    return np.full(len(true), value)


def recall(evidence: Evidence) -> Floats:
    """Share of significant genes that are predicted to be."""
    true, predicted = sets(evidence)
    return gated(share(predicted, true), has_enough(evidence))


def jaccard(evidence: Evidence) -> Floats:
    """Intersection over union of significant genes without the own one; 1 where none is."""
    true, predicted = sets(evidence, with_own=False)
    return np.nan_to_num(share(predicted & true, predicted | true), nan=1.0)


def lfc_spearman(evidence: Evidence, which: Which) -> Floats:
    """Rank correlation of fold changes over significant genes: all, rising or falling ones."""
    true, predicted = fold_changes(evidence)
    sign = {"all": np.ones(true.shape, dtype=bool), "up": true > 0, "down": true < 0}[which]
    among = significant(evidence.truth) & sign
    highest = np.where(among, true, -np.inf).max(axis=1, initial=-np.inf)
    varies = highest > np.where(among, true, np.inf).min(axis=1, initial=np.inf)
    is_inside = (among.sum(axis=1) >= MIN_GENES) & varies
    return gated(spearman_among(true, predicted, among), is_inside, worst=-1.0)


def lfc_error(evidence: Evidence) -> Floats:
    """Absolute error of fold changes in units of their size, significant genes; 1 is silence."""
    true, predicted = fold_changes(evidence)
    among, _ = sets(evidence, with_own=False)
    among = among & np.isfinite(true)
    size = np.where(among, np.abs(true), 0.0).sum(axis=1)
    predicted = np.where(np.isfinite(predicted), predicted, 0.0)
    error = np.where(among, np.abs(predicted - true), 0.0).sum(axis=1)
    return np.where(among.sum(axis=1) >= MIN_GENES, divided(error, size), np.nan)


@once
def _surety(evidence: Evidence) -> Floats:
    """Return -log10 of predicted FDRs; those of 0 count as the smallest that is not."""
    padj = np.nan_to_num(tested(evidence.prediction).padj, nan=1.0)
    smallest = padj[padj > 0].min(initial=1.0)
    return -np.log10(np.where(padj > 0, padj, smallest))


def pr_auc(evidence: Evidence) -> Floats:
    """Average precision of predicted FDRs for significant genes."""
    found = average_precision(significant(evidence.truth), _surety(evidence))
    return gated(found, has_enough(evidence, leaves_others=True))


def roc(evidence: Evidence) -> Floats:
    """Area under the ROC curve of predicted FDRs for significant genes."""
    found = roc_auc(significant(evidence.truth), _surety(evidence))
    return gated(found, has_enough(evidence, leaves_others=True))


def agreement(evidence: Evidence, measure: Literal["mcc", "markedness", "informedness"]) -> Floats:
    """Agreement of the two sets over the genes looked at, chance taken out; -1 if degenerate."""
    true, predicted = sets(evidence)
    found = _agreement(true, predicted, measure)
    if measure == "markedness":
        return found
    return gated(found, has_enough(evidence, leaves_others=True))


def top_agreement(evidence: Evidence) -> Floats:
    """Correlation of the true set with as many predicted genes of largest fold change."""
    true = significant(evidence.truth)
    predicted = place(evidence.prediction) < true.sum(axis=1)[:, None]
    return gated(_agreement(true, predicted, "mcc"), has_enough(evidence, leaves_others=True))


def _agreement(true: Booleans, predicted: Booleans, measure: str) -> Floats:
    n = true.shape[1]
    a, b = true.sum(axis=1), predicted.sum(axis=1)
    hits = (true & predicted).sum(axis=1)
    if measure == "informedness":
        value = divided(hits, a) - divided(b - hits, n - a)
    elif measure == "markedness":
        value = divided(hits, b) - divided(a - hits, n - b)
    else:
        value = divided(hits * n - a * b, np.sqrt((a * b * (n - a) * (n - b)).astype(float)))
    return np.nan_to_num(value, nan=-1.0)
