"""What is specific to a condition: the response beside the one that all conditions share.

Each delta is split as D = beta m + r, with m the delta that the reference baseline predicts and
r orthogonal to it. A model that has learnt no more than m has nothing left.
"""

from typing import NamedTuple

import numpy as np

from wildcell.arrays import Booleans, Floats
from wildcell.metrics.correlation import row_cosine
from wildcell.metrics.metric import Ratio, metric
from wildcell.metrics.response import Response
from wildcell.names import Need

NOTHING_LEFT = 1e-6
"""A residue below this share of its delta is rounding, and no answer."""


class Parts(NamedTuple):
    """A delta beside the shared one, over the genes that are judged, centred.

    Attributes
    ----------
    amplitude
        How much of the shared response there is, shape (n_perturbations,).
    residue
        What is left without it, shape (n_perturbations, n_genes).
    direction
        The shared response at length 1, the same shape.
    """

    amplitude: Floats
    residue: Floats
    direction: Floats


def split_off_shared(delta: Floats, shared: Floats, kept: Booleans) -> Parts:
    """Split deltas into their share of a shared response and the residue.

    Parameters
    ----------
    delta, shared, kept
        Shape (n_perturbations, n_genes).

    Returns
    -------
    Residues that are no more than rounding are 0.

    Examples
    --------
    >>> import numpy as np
    >>> shared = np.array([[1.0, -1.0, 0.0]])
    >>> parts = split_off_shared(2 * shared, shared, np.ones((1, 3), dtype=bool))
    >>> parts.amplitude.tolist(), parts.residue.tolist()
    ([2.0], [[0.0, 0.0, 0.0]])
    """
    delta, shared = _centred(delta, kept), _centred(shared, kept)
    length = np.linalg.norm(shared, axis=1, keepdims=True)
    direction = np.divide(shared, length, out=np.zeros_like(shared), where=length > 0)
    along = np.einsum("pg,pg->p", delta, direction)[:, None]
    residue = delta - along * direction
    is_rounding = np.linalg.norm(residue, axis=1) <= NOTHING_LEFT * np.linalg.norm(delta, axis=1)
    residue[is_rounding] = 0.0
    amplitude = np.divide(along, length, out=np.full_like(along, np.nan), where=length > 0)
    return Parts(amplitude[:, 0], residue, direction)


def specific_ceiling(truth: Response) -> Floats:
    """Return the expected `pearson_specific` of the noise-free effect, shape (n_perturbations,).

    The square root of the share of the residue's squared length that is not noise.
    """
    if truth.shared is None or truth.error is None or truth.control_error is None:
        return np.full(len(truth.perturbations), np.nan)
    kept = truth.kept_genes
    _, residue, direction = split_off_shared(truth.delta, truth.shared, kept)
    share = np.where(kept, 1 - 1 / kept.sum(axis=1, keepdims=True) - direction**2, 0.0)
    total = np.einsum("pg,pg->p", residue, residue)
    noise = ((truth.error + truth.control_error) * share).sum(axis=1)
    is_left = total > 0
    return np.sqrt(np.maximum(total - noise, 0) / np.where(is_left, total, np.nan))


@metric(
    "pearson_specific",
    best="high",
    family="correlation",
    formula=(
        "correlation of what is left of d and D without their part along m, the delta "
        "that the reference baseline predicts"
    ),
    range="-1 to 1",
    needs=(Need.DELTA, Need.ERROR, Need.REFERENCE),
    null=0.0,
    ceiling=specific_ceiling,
    has_twin=True,
)
def pearson_specific(truth: Response, prediction: Response) -> Floats:
    """Correlation of the deltas without the part that the reference baseline predicts."""
    assert truth.shared is not None
    kept = truth.kept_genes
    predicted = split_off_shared(prediction.delta, truth.shared, kept).residue
    return row_cosine(predicted, split_off_shared(truth.delta, truth.shared, kept).residue, kept)


@metric(
    "shared_r2",
    best="high",
    family="correlation",
    formula=(
        "sum over conditions of 2 b·B - b·b, over the sum of B·B less its noise, with b and B the "
        "parts of d and D along m, the delta that the reference baseline predicts"
    ),
    range="below 0 to about 1",
    needs=(Need.DELTA, Need.ERROR, Need.REFERENCE),
    null=0.0,
    ceiling=1.0,
)
def shared_r2(truth: Response, prediction: Response) -> Ratio:
    """Share of the shared response that is explained: `effect_r2` along what all have in common."""
    assert truth.shared is not None
    kept = truth.kept_genes
    direction = split_off_shared(truth.delta, truth.shared, kept).direction
    true, predicted = (
        np.einsum("pg,pg->p", _centred(side.delta, kept), direction) for side in (truth, prediction)
    )
    noise = np.full(len(true), np.nan)
    if truth.error is not None and truth.control_error is not None:
        noise = ((truth.error + truth.control_error) * direction**2).sum(axis=1)
    return Ratio(2 * predicted * true - predicted**2, true**2 - noise)


def _centred(rows: Floats, kept: Booleans) -> Floats:
    rows = np.where(kept, rows, 0.0)
    return np.where(kept, rows - rows.sum(axis=1, keepdims=True) / kept.sum(axis=1)[:, None], 0.0)
