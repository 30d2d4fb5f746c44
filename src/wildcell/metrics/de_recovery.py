"""Whether the genes that a test finds in the truth are those that are predicted to respond.

The labels come from the true cells and their controls alone. A prediction enters by its means: as
a ranking of the genes and as directions. Testing predicted cells would reward offsets that are
small and certain.
"""

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Booleans, Floats
from wildcell.metrics.by_rows import by_rows
from wildcell.metrics.genes import agreement
from wildcell.metrics.metric import metric
from wildcell.metrics.recovery import average_precision, spearman_among
from wildcell.metrics.response import Response
from wildcell.names import Need, Status


def is_found(truth: Response) -> Booleans:
    """Mark the genes that are differentially expressed in the truth, (n_perturbations, n_genes).

    None are marked of a perturbation with fewer than `min_de_genes`, of which there is too little
    to be recovered.
    """
    found = truth.de.significant(truth.convention.alpha)
    is_enough = found.sum(axis=1) >= truth.convention.min_de_genes
    return found & is_enough[:, None]


def standing(prediction: Response, truth: Response) -> Floats:
    """Return |d| / (s + median s), with s each gene's standard deviation in the kept controls.

    A shift counts for less in a gene that varies anyway; the median keeps genes that hardly vary
    from coming first.

    Returns
    -------
    Shape (n_perturbations, n_genes).
    """
    assert truth.control_error is not None
    return _standing(prediction.delta, truth.control_error, truth.n_controls, truth.de.p_value)


@by_rows
def _standing(
    delta: Floats, control_error: Floats, n_controls: NDArray[np.int64], p_value: Floats
) -> Floats:
    spread = np.sqrt(control_error * n_controls[:, None])
    typical = np.array(
        [
            np.median(row[use]) if use.any() else np.nan
            for row, use in zip(spread, ~np.isnan(p_value), strict=True)
        ]
    )
    return np.abs(delta) / (spread + typical[:, None])


@metric(
    "de_auprc",
    best="high",
    family="genes",
    needs=(Need.DELTA, Need.DE, Need.ERROR),
    null=0.0,
    undefined=Status.TOO_FEW_DE_GENES,
    formula="(AP - R/G) / (1 - R/G): AP the average precision of R by |d| / (s + median s)",
    range="about 0 to 1",
    slack=0.05,
    has_twin=True,
)
def de_auprc(truth: Response, prediction: Response) -> Floats:
    """Average precision at which the truly differential genes are ranked, above chance."""
    assert truth.control_error is not None
    return _precision(
        is_found(truth),
        prediction.delta,
        truth.control_error,
        truth.n_controls,
        truth.de.p_value,
    )


@by_rows
def _precision(found: Booleans, *of_standing: Floats) -> Floats:
    is_tested, scores = ~np.isnan(of_standing[-1]), _standing(*of_standing)
    rows = zip(found, is_tested, scores, strict=True)
    return np.array([above_chance(hits[use], score[use]) for hits, use, score in rows])


def above_chance(is_hit: Booleans, score: Floats) -> float:
    """Return the average precision, 0 where genes are ranked at random and 1 where it is best."""
    if np.isnan(score).any() or not is_hit.any() or is_hit.all():
        return float("nan")
    by_chance = is_hit.mean()
    precision = average_precision(is_hit[None], score[None])[0]
    return float((precision - by_chance) / (1 - by_chance))


@metric(
    "de_direction",
    best="high",
    family="genes",
    needs=(Need.DELTA, Need.DE),
    null=0.5,
    undefined=Status.TOO_FEW_DE_GENES,
    formula="share of R where d and D have one sign; d = 0 counts half",
    range="0 to 1",
    has_twin=True,
)
def de_direction(truth: Response, prediction: Response) -> Floats:
    """Share of the truly differential genes that are predicted to move the right way."""
    found = is_found(truth)
    n = found.sum(axis=1)
    right = _right(found, prediction.delta, truth.delta)
    return np.where(prediction.is_missing, np.nan, right / np.where(n > 0, n, np.nan))


@by_rows
def _right(found: Booleans, predicted: Floats, true: Floats) -> Floats:
    return np.where(found, agreement(predicted, true), 0.0).sum(axis=1)


@metric(
    "de_spearman_lfc",
    best="high",
    family="genes",
    needs=(Need.DELTA, Need.DE, Need.LFC),
    null=0.0,
    undefined=Status.TOO_FEW_DE_GENES,
    formula="rank correlation of l and L over R",
    range="-1 to 1",
)
def de_spearman_lfc(truth: Response, prediction: Response) -> Floats:
    """Spearman correlation of the log2 fold changes of the truly differential genes."""
    return spearman_among(prediction.lfc, truth.lfc, is_found(truth))
