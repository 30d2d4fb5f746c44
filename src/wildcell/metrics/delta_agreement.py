"""How alike predicted and true deltas are, beyond the headline: ranks, cosines, explained variance.

On all genes, on those of largest true delta, and beside what the reference baseline predicts.
"""

import numpy as np

from wildcell.arrays import Booleans, Floats
from wildcell.metrics.correlation import row_cosine, row_pearson, row_spearman
from wildcell.metrics.genes import top_genes
from wildcell.metrics.metric import metric
from wildcell.metrics.recovery import divided
from wildcell.metrics.response import Response
from wildcell.metrics.specific import NOTHING_LEFT
from wildcell.names import Need

SYSTEMA = "Viñas Torné et al. 2025, Nature Biotechnology, doi:10.1038/s41587-025-02777-8"
TXPERT = "TxPert (Valence Labs 2025)"


def largest(truth: Response, n: int) -> Booleans:
    """Mark the `n` genes of largest true delta, targets apart, (n_perturbations, n_genes)."""
    return top_genes(np.nan_to_num(np.where(truth.kept_genes, np.abs(truth.delta), 0.0)), n)


def row_r2(predicted: Floats, true: Floats, kept: Booleans) -> Floats:
    """Return the share of each true row's variance over the genes kept that is explained.

    Examples
    --------
    >>> import numpy as np
    >>> true = np.array([[1.0, 3.0, 9.0]])
    >>> row_r2(np.array([[2.0, 2.0, 0.0]]), true, true < 5).tolist()
    [0.0]
    """
    n = kept.sum(axis=1)
    centre = divided(np.where(kept, true, 0.0).sum(axis=1), n)[:, None]
    error = np.where(kept, predicted - true, 0.0)
    deviation = np.where(kept, true - centre, 0.0)
    left, whole = (np.einsum("pg,pg->p", rows, rows) for rows in (error, deviation))
    return 1 - divided(left, whole)


@metric(
    "spearman_delta",
    best="high",
    family="correlation",
    needs=(Need.DELTA,),
    null=0.0,
    formula="rank correlation of d and D over the genes",
    range="-1 to 1",
)
def spearman_delta(truth: Response, prediction: Response) -> Floats:
    """Spearman correlation of the predicted with the true delta."""
    return row_spearman(prediction.delta, truth.delta, truth.kept_genes)


@metric(
    "cosine_delta",
    best="high",
    family="correlation",
    needs=(Need.DELTA,),
    null=0.0,
    formula="d·D / (|d| |D|)",
    range="-1 to 1",
)
def cosine_delta(truth: Response, prediction: Response) -> Floats:
    """Cosine of the predicted with the true delta."""
    return row_cosine(prediction.delta, truth.delta, truth.kept_genes)


@metric(
    "r2_delta",
    best="high",
    family="correlation",
    needs=(Need.DELTA,),
    null=0.0,
    alias_of="effect_r2",
    formula="1 - sum over genes of (d - D)^2, over that of (D - mean D)^2",
    range="at most 1",
)
def r2_delta(truth: Response, prediction: Response) -> Floats:
    """Share of the true delta's variance over genes that is explained, noise included."""
    return row_r2(prediction.delta, truth.delta, truth.kept_genes)


@metric(
    "pearson_minus_reference",
    best="high",
    family="correlation",
    needs=(Need.DELTA, Need.REFERENCE),
    null=0.0,
    formula="correlation of d - m and D - m, m the delta that the reference baseline predicts",
    range="-1 to 1",
    cite=SYSTEMA,
)
def pearson_minus_reference(truth: Response, prediction: Response) -> Floats:
    """Correlation of what deltas are beyond the reference baseline's: of training perturbations.

    Of tested ones the mean must not be taken: the answer that is their mean then correlates
    exactly 1 with each. An answer of a multiple of m scores what the truth has of m beyond
    its own; `pearson_specific` takes all of m out.
    """
    assert truth.shared is not None
    kept = truth.kept_genes
    predicted, true = (_beyond(one.delta, truth.shared, kept) for one in (prediction, truth))
    return row_pearson(predicted, true, kept)


def _beyond(delta: Floats, shared: Floats, kept: Booleans) -> Floats:
    """Return what a delta is beyond another; 0 where no more than rounding is left."""
    beyond = np.where(kept, delta - shared, 0.0)
    length = np.linalg.norm(np.where(kept, delta, 0.0), axis=1)
    beyond[np.linalg.norm(beyond, axis=1) <= NOTHING_LEFT * length] = 0.0
    return beyond


@metric(
    "pearson_delta_top20",
    best="high",
    family="correlation",
    needs=(Need.DELTA,),
    null=0.0,
    formula="correlation of d and D over the 20 genes of largest |D|",
    range="-1 to 1",
    cite=SYSTEMA,
)
def pearson_delta_top20(truth: Response, prediction: Response) -> Floats:
    """Pearson correlation of the deltas over the 20 genes of largest true delta."""
    return row_pearson(prediction.delta, truth.delta, largest(truth, 20))


@metric(
    "pearson_delta_top100",
    best="high",
    family="correlation",
    needs=(Need.DELTA,),
    null=0.0,
    formula="correlation of d and D over the 100 genes of largest |D|",
    range="-1 to 1",
    cite=TXPERT,
)
def pearson_delta_top100(truth: Response, prediction: Response) -> Floats:
    """Pearson correlation of the deltas over the 100 genes of largest true delta."""
    return row_pearson(prediction.delta, truth.delta, largest(truth, 100))


@metric(
    "r2_delta_top20",
    best="high",
    family="correlation",
    needs=(Need.DELTA,),
    null=0.0,
    formula="1 - sum over the 20 genes of largest |D| of (d - D)^2, over that of (D - mean D)^2",
    range="at most 1",
)
def r2_delta_top20(truth: Response, prediction: Response) -> Floats:
    """Share of the variance over the 20 genes of largest true delta that is explained."""
    return row_r2(prediction.delta, truth.delta, largest(truth, 20))
