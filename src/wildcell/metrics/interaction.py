"""Whether a model foresees that two perturbations do together what neither does alone.

The interaction of a combination is its delta beyond the sum of its parts': I = D - (D_A + D_B) of
the truth and i = d - (D_A + D_B) of the prediction, the parts as measured in training. As the
parts are the same on both sides, so is their noise, and it makes i and I alike where nothing
interacts: it is known, and taken out.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from wildcell.arrays import Booleans, Floats
from wildcell.metrics.de_recovery import above_chance
from wildcell.metrics.differential import benjamini_hochberg
from wildcell.metrics.metric import Ratio, metric
from wildcell.metrics.recovery import divided
from wildcell.metrics.response import Response
from wildcell.metrics.signal import measured_signal
from wildcell.metrics.specific import NOTHING_LEFT
from wildcell.names import Need, Status

AHLMANN_ELTZE = "Ahlmann-Eltze, Huber & Anders 2025, Nature Methods, doi:10.1038/s41592-025-02772-6"

LEAST_SHARE = 0.25
"""An interaction of which less than this share is beyond the noise of the parts is none."""


class Interaction(NamedTuple):
    """Deltas beyond the sum of their parts', over the genes that are judged.

    Attributes
    ----------
    true, predicted
        Shape (n_perturbations, n_genes); 0 for targets, and all 0 for a prediction that is the
        sum of the parts but for rounding.
    noise
        Squared standard error of the sum of the parts, the same shape.
    """

    true: Floats
    predicted: Floats
    noise: Floats


def interaction_of(truth: Response, prediction: Response) -> Interaction:
    """Return the measured and the predicted interaction of each combination."""
    assert truth.additive is not None
    assert truth.additive_error is not None
    kept = truth.kept_genes
    true = np.where(kept, truth.delta - truth.additive, 0.0)
    predicted = np.where(kept, prediction.delta - truth.additive, 0.0)
    size = np.linalg.norm(np.where(kept, prediction.delta, 0.0), axis=1)
    predicted[np.linalg.norm(predicted, axis=1) <= NOTHING_LEFT * size] = 0.0
    return Interaction(true, predicted, np.where(kept, truth.additive_error, 0.0))


@metric(
    "interaction_pearson",
    best="high",
    family="interaction",
    needs=(Need.DELTA, Need.SINGLES),
    null=0.0,
    formula=(
        "correlation of i = d - (D_A + D_B) and I = D - (D_A + D_B) over the genes, the noise of "
        "D_A + D_B taken out of product and squares"
    ),
    range="-1 to 1",
    cite=AHLMANN_ELTZE,
)
def interaction_pearson(truth: Response, prediction: Response) -> Floats:
    """Correlation of what a combination is predicted to do beyond its parts with what it does.

    As if the parts were known exactly. Undefined where less than a quarter of a squared
    interaction is beyond the noise of the parts. What is taken out of the product is what an
    answer gains that knows nothing of that noise. One that repeats it, as half of the measured sum
    does, gains less and is scored too low where little interacts; `interaction_r2` is not.
    """
    kept = truth.kept_genes
    true, predicted, noise = interaction_of(truth, prediction)
    true, predicted = _centred(true, kept), _centred(predicted, kept)
    shared = noise.sum(axis=1) * (1 - 1 / kept.sum(axis=1))
    product = np.einsum("pg,pg->p", predicted, true) - shared
    lengths = [_squared_length(rows, shared) for rows in (predicted, true)]
    return np.clip(divided(product, np.sqrt(lengths[0] * lengths[1])), -1, 1)


def _squared_length(rows: Floats, noise: Floats) -> Floats:
    """Return squared lengths without their noise; NaN where too little is left."""
    total = np.einsum("pg,pg->p", rows, rows)
    left = total - noise
    return np.where((total > 0) & (left >= LEAST_SHARE * total), left, np.nan)


@metric(
    "interaction_r2",
    best="high",
    family="interaction",
    needs=(Need.DELTA, Need.ERROR, Need.SINGLES),
    formula=(
        "sum over conditions of I·I - N_AB - (d - D)·(d - D), over that of I·I - N_AB - N_p - N_k: "
        "N_AB the squared standard errors of D_A + D_B, summed over genes"
    ),
    range="below 0 to about 1",
)
def interaction_r2(truth: Response, prediction: Response) -> Ratio:
    """Share of the noise-free squared interaction that is explained: 0 for the exact parts' sum.

    The error of the answer in the place of the interaction: whatever noise of the parts it has
    learnt, it is measured against the combination alone.
    """
    true, _, noise = interaction_of(truth, prediction)
    parts = measured_signal(truth)
    left = np.einsum("pg,pg->p", true, true) - noise.sum(axis=1)
    error = np.where(truth.kept_genes, prediction.delta - truth.delta, 0.0)
    explained = left - np.einsum("pg,pg->p", error, error)
    return Ratio(explained, left - parts.cell_noise - parts.control_noise)


@metric(
    "interaction_auprc",
    best="high",
    family="interaction",
    needs=(Need.DELTA, Need.ERROR, Need.SINGLES),
    null=0.0,
    undefined=Status.TOO_FEW_DE_GENES,
    formula=(
        "(AP - share) / (1 - share): AP the average precision, by |i| / (s + median s), of the "
        "genes whose I differs from 0 by its standard error, and share theirs of all tested"
    ),
    range="about 0 to 1",
    slack=0.05,
    cite=AHLMANN_ELTZE,
)
def interaction_auprc(truth: Response, prediction: Response) -> Floats:
    """Average precision at which the truly interacting genes are ranked, above chance."""
    if truth.error is None or truth.control_error is None:
        return np.full(len(truth.perturbations), np.nan)
    true, predicted, noise = interaction_of(truth, prediction)
    found, is_tested = interacting_genes(true, truth.error + truth.control_error + noise, truth)
    spread = np.sqrt(truth.control_error * truth.n_controls[:, None])
    scores = []
    for hits, use, size, s in zip(found, is_tested, np.abs(predicted), spread, strict=True):
        if not size.any() or not use.any():
            scores.append(float("nan"))
        else:
            scores.append(above_chance(hits[use], size[use] / (s[use] + np.median(s[use]))))
    return np.array(scores)


def interacting_genes(
    interaction: Floats, squared_error: Floats, truth: Response
) -> tuple[Booleans, Booleans]:
    """Return which genes interact, at the convention's false discovery rate, and which are tested.

    None interact of a combination with fewer than `min_de_genes` that do.

    Parameters
    ----------
    interaction, squared_error
        Shape (n_perturbations, n_genes).
    truth
        Says which genes are judged, and by which convention.
    """
    is_tested = truth.kept_genes & (squared_error > 0)
    size = np.abs(interaction) / np.sqrt(np.where(is_tested, squared_error, np.nan))
    p_value = 2 * ndtr(-size)
    found = np.nan_to_num(benjamini_hochberg(p_value), nan=1.0) < truth.convention.alpha
    return found & (found.sum(axis=1) >= truth.convention.min_de_genes)[:, None], is_tested


def _centred(rows: Floats, kept: Booleans) -> Floats:
    centre = rows.sum(axis=1, keepdims=True) / kept.sum(axis=1, keepdims=True)
    return np.where(kept, rows - centre, 0.0)
