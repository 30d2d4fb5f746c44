"""The direction measures of the Virtual Cell Challenge 2026: do predicted genes go the right way.

n is the number of genes predicted to be significant that have a true direction, k how many of them
go in it, N the number of truly significant genes and q the share of these that go the commoner way.
All but `match`, `precision` and `sensitivity` leave out the gene that the perturbation is named
after.
"""

from dataclasses import dataclass

import numpy as np

from wildcell.arrays import Floats
from wildcell.metrics.competition_genes import (
    ALPHA,
    MIN_GENES,
    fold_changes,
    gated,
    has_enough,
    is_own,
    looked_at,
    sets,
    significant,
    tested,
)
from wildcell.metrics.evidence import Evidence, once
from wildcell.metrics.purity import Ranking, depth_of_purity
from wildcell.metrics.recovery import divided, share

PURITY = 0.9
STRICT_PURITY = 1 - ALPHA / 2
LEAST_ROOM = 0.05


@once
def directions(evidence: Evidence) -> Ranking:
    """Rank genes by predicted FDR, p-value, size of fold change and name, significant ones first.

    A fold change that is not 0 is a direction.
    """
    true, predicted = fold_changes(evidence)
    found = tested(evidence.prediction)
    names = np.argsort(np.argsort(evidence.genes[looked_at(evidence.truth)].astype(str)))
    keys = (
        np.broadcast_to(names, true.shape),
        -np.abs(predicted),
        np.nan_to_num(found.p_value, nan=np.inf),
        np.nan_to_num(found.padj, nan=np.inf),
        ~significant(evidence.prediction),
    )
    is_right = (true != 0) & (np.sign(true) == np.sign(predicted))
    return Ranking(np.lexsort(keys, axis=1), true != 0, is_right)


@dataclass(frozen=True)
class Counts:
    """What the fidelities are made of, each of shape (n_perturbations,).

    Attributes
    ----------
    n_true
        N.
    n_predicted
        n.
    n_right
        k.
    guess
        q; NaN where no significant gene has a direction.
    """

    n_true: Floats
    n_predicted: Floats
    n_right: Floats
    guess: Floats

    @property
    def room(self) -> Floats:
        """What is left above guessing, at least 0.05."""
        return np.maximum(1 - self.guess, LEAST_ROOM)


@once
def count(evidence: Evidence) -> Counts:
    """Count significant genes and their directions."""
    true, predicted = sets(evidence, with_own=False)
    ranking, lfc = directions(evidence), fold_changes(evidence)[0]
    decided = true & ranking.has_direction
    rising = (decided & (lfc > 0)).sum(axis=1)
    commoner = np.maximum(rising, decided.sum(axis=1) - rising)
    counted = predicted & ranking.has_direction
    return Counts(
        true.sum(axis=1).astype(float),
        counted.sum(axis=1).astype(float),
        (counted & ranking.is_right).sum(axis=1).astype(float),
        divided(commoner, decided.sum(axis=1)),
    )


def fidelity(evidence: Evidence) -> Floats:
    """(k/n - q) / (1 - q); where nothing is significant, 1 for silence and 0 for anything else."""
    one = count(evidence)
    return _or_silence((divided(one.n_right, one.n_predicted) - one.guess) / one.room, one)


def fidelity_raw(evidence: Evidence) -> Floats:
    """K / n."""
    one = count(evidence)
    return divided(one.n_right, one.n_predicted)


def coverage(evidence: Evidence) -> Floats:
    """N / N."""
    one = count(evidence)
    return divided(one.n_predicted, one.n_true)


def direction_yield(evidence: Evidence) -> Floats:
    """(k - q n) / (N (1 - q))."""
    one = count(evidence)
    return divided(one.n_right - one.guess * one.n_predicted, one.n_true * one.room)


def yield_raw(evidence: Evidence) -> Floats:
    """K / N."""
    one = count(evidence)
    return divided(one.n_right, one.n_true)


def fidelity_yield(evidence: Evidence) -> Floats:
    """Fidelity times coverage, which counts 1 at most; 0 for silence on a response."""
    one = count(evidence)
    share_covered = np.minimum(1.0, divided(one.n_predicted, one.n_true))
    value = share_covered * (divided(one.n_right, one.n_predicted) - one.guess) / one.room
    is_silent = (one.n_predicted == 0) & ~np.isnan(one.guess)
    return _or_silence(np.where(is_silent, 0.0, value), one)


def fidelity_yield_raw(evidence: Evidence) -> Floats:
    """K over the larger of n and N."""
    one = count(evidence)
    return divided(one.n_right, np.maximum(one.n_predicted, one.n_true))


def _or_silence(value: Floats, one: Counts) -> Floats:
    return np.where(one.n_true == 0, (one.n_predicted == 0).astype(float), value)


def direction_match(evidence: Evidence) -> Floats:
    """Share of significant genes whose predicted fold change has the true sign."""
    true, predicted = fold_changes(evidence)
    found = share(np.sign(true) == np.sign(predicted), significant(evidence.truth))
    return gated(found, has_enough(evidence), worst=0.0)


def predicted_direction_match(evidence: Evidence) -> Floats:
    """Share of genes predicted to be significant whose true fold change has their sign."""
    true, predicted = fold_changes(evidence)
    found = share(np.sign(true) == np.sign(predicted), significant(evidence.prediction))
    return gated(found, np.full(len(found), true.shape[1] >= MIN_GENES), worst=0.0)


def direction_precision(evidence: Evidence) -> Floats:
    """The same over genes with a true direction; a predicted fold change of 0 is wrong."""
    ranking = directions(evidence)
    found = share(ranking.is_right, significant(evidence.prediction) & ranking.has_direction)
    return gated(found, ranking.has_direction.sum(axis=1) >= MIN_GENES, worst=0.0)


def sensitivity(evidence: Evidence, *, all_genes: bool) -> Floats:
    """Depth at a purity of 0.975 in units of the significant genes, among these or all genes."""
    true = significant(evidence.truth)
    among = np.ones(true.shape, dtype=bool) if all_genes else true
    depth = depth_of_purity(directions(evidence), among, STRICT_PURITY)
    return gated(divided(depth, true.sum(axis=1)), has_enough(evidence))


def reach(evidence: Evidence, *, all_genes: bool, corrected: bool) -> Floats:
    """Depth in units of the significant genes, without the own gene, at a purity of 0.9.

    Corrected, the purity is 0.95 of the way from that of always guessing the commoner sign to 1.
    """
    counts = count(evidence)
    among = ~is_own(evidence) & (significant(evidence.truth) | all_genes)
    purity = counts.guess + (1 - ALPHA) * (1 - counts.guess) if corrected else PURITY
    depth = depth_of_purity(directions(evidence), among, purity)
    value = divided(depth, counts.n_true)
    return np.where(np.isnan(counts.guess), np.nan, value) if corrected else value
