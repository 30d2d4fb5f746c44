"""Whether a prediction is closer to its own truth than to the other perturbations' truths."""

import numpy as np

from wildcell.arrays import Booleans, Floats
from wildcell.metrics.average_ranks import average_ranks
from wildcell.metrics.metric import metric
from wildcell.metrics.response import Response
from wildcell.names import Need, Status


def row_retrieval(similarity: Floats) -> Floats:
    """Return 1 - rank / (N - 1) of each row's own truth among all truths, mid-ranks on ties.

    Parameters
    ----------
    similarity
        Of predictions (rows) with truths (columns), shape (n, n), own truths on the diagonal;
        truths that are undefined (columns of NaN) are no candidates.

    Returns
    -------
    Shape (n,): 1 is best, 0.5 is chance; NaN for fewer than two candidates, for a row of NaN and
    where the own truth is undefined.

    Examples
    --------
    >>> import numpy as np
    >>> row_retrieval(np.array([[0.9, 0.1, 0.2], [0.5, 0.4, 0.3], [0.0, 0.0, 0.0]])).tolist()
    [1.0, 0.5, 0.5]
    """
    is_candidate = np.asarray(~np.isnan(similarity).all(axis=0))
    n_candidates = int(is_candidate.sum())
    result = np.full(len(similarity), np.nan)
    if n_candidates < 2:
        return result
    for i in np.flatnonzero(is_candidate & ~np.isnan(similarity).all(axis=1)):
        ranks = average_ranks(-similarity[i, is_candidate]) - 1
        own = int(is_candidate[:i].sum())
        result[i] = 1 - ranks[own] / (n_candidates - 1)
    return result


def cosine_matrix(first: Floats, second: Floats) -> Floats:
    """Return the cosine of every row of `first` with every row of `second`; NaN for zero rows."""
    return _unit_rows(first) @ _unit_rows(second).T


def _unit_rows(rows: Floats) -> Floats:
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, norm, out=np.full_like(rows, np.nan), where=norm > 0)


def _shared_genes(truth: Response) -> Booleans:
    """Genes that are no perturbation's target: the same for all candidates."""
    return np.asarray(truth.kept_genes.all(axis=0))


@metric(
    "retrieval_cosine",
    best="high",
    family="retrieval",
    formula=(
        "1 - rank / (N - 1) of the own D among the D of the N tested perturbations of the "
        "context, by cosine with d; mid-ranks on ties, 0.5 is chance"
    ),
    range="0 to 1",
    needs=(Need.DELTA,),
    null=0.5,
    ceiling=1.0,
    undefined=Status.TOO_FEW_CANDIDATES,
    has_twin=True,
)
def retrieval_cosine(truth: Response, prediction: Response) -> Floats:
    """Retrieval of the own truth by cosine of deltas: 1 best, 0.5 chance."""
    genes = _shared_genes(truth)
    return row_retrieval(cosine_matrix(prediction.delta[:, genes], truth.delta[:, genes]))


@metric(
    "pearson_delta_rank",
    best="high",
    family="retrieval",
    formula=("1 - rank / (N - 1) of the own D among those of the context, by correlation with d"),
    range="0 to 1",
    needs=(Need.DELTA,),
    null=0.5,
    ceiling=1.0,
    undefined=Status.TOO_FEW_CANDIDATES,
)
def pearson_delta_rank(truth: Response, prediction: Response) -> Floats:
    """Retrieval of the own truth by correlation of deltas: 1 best, 0.5 chance."""
    genes = _shared_genes(truth)
    predicted, true = prediction.delta[:, genes], truth.delta[:, genes]
    return row_retrieval(
        cosine_matrix(
            predicted - predicted.mean(axis=1, keepdims=True),
            true - true.mean(axis=1, keepdims=True),
        )
    )


@metric(
    "cosine_lfc_rank",
    best="high",
    family="retrieval",
    formula="1 - rank / (N - 1) of the own L among those of the context, by cosine with l",
    range="0 to 1",
    needs=(Need.DELTA, Need.LFC),
    null=0.5,
    ceiling=1.0,
    undefined=Status.TOO_FEW_CANDIDATES,
)
def cosine_lfc_rank(truth: Response, prediction: Response) -> Floats:
    """Retrieval of the own truth by cosine of log2 fold changes: 1 best, 0.5 chance."""
    genes = _shared_genes(truth)
    return row_retrieval(cosine_matrix(prediction.lfc[:, genes], truth.lfc[:, genes]))
