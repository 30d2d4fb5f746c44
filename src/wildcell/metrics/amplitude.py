"""Whether predicted effects are of the right size."""

import numpy as np

from wildcell.metrics.metric import LEAST_RATIO, Ratio, metric
from wildcell.metrics.response import Response
from wildcell.names import Need

NOTHING_PREDICTED = float(-np.log(LEAST_RATIO))


@metric(
    "amplitude",
    best="zero",
    family="correlation",
    needs=(Need.DELTA,),
    null=NOTHING_PREDICTED,
    formula="log of the sum over conditions of d·D, over the sum of d·d",
    range="any, at least -6.9",
    is_log=True,
    has_twin=True,
)
def amplitude(truth: Response, prediction: Response) -> Ratio:
    """Log of the factor by which predicted effects should be multiplied; above 0 they are small.

    The factor that fits the measured effects best. Where effects point the wrong way it is
    negative, and counts as a thousandth.
    """
    predicted = np.where(truth.kept_genes, prediction.delta, 0.0)
    return Ratio(
        np.einsum("pg,pg->p", predicted, truth.delta),
        np.einsum("pg,pg->p", predicted, predicted),
    )
