"""Errors of mean profiles, and correlations of profiles and deltas."""

import numpy as np

from wildcell.arrays import Booleans, Floats
from wildcell.metrics.average_ranks import average_ranks
from wildcell.metrics.by_rows import by_rows
from wildcell.metrics.metric import Ratio, metric
from wildcell.metrics.response import Response
from wildcell.metrics.signal import correlation_ceiling, measured_signal
from wildcell.names import Need


@by_rows
def row_pearson(first: Floats, second: Floats, kept: Booleans) -> Floats:
    """Return the Pearson correlation of each pair of rows over the genes kept in that row.

    Parameters
    ----------
    first, second, kept
        Shape (n_rows, n_genes).

    Returns
    -------
    Shape (n_rows,); NaN where either row is constant.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0, 2.0, 3.0]])
    >>> row_pearson(x, 2 * x + 1, np.ones((1, 3), dtype=bool)).round(6).tolist()
    [1.0]
    """
    return row_cosine(_centred(first, kept), _centred(second, kept), kept)


@by_rows
def row_cosine(first: Floats, second: Floats, kept: Booleans) -> Floats:
    """Return the cosine of each pair of rows over the genes kept; NaN where either is zero."""
    first, second = np.where(kept, first, 0.0), np.where(kept, second, 0.0)
    dot = np.einsum("pg,pg->p", first, second)
    norm = np.sqrt(np.einsum("pg,pg->p", first, first) * np.einsum("pg,pg->p", second, second))
    return np.clip(np.divide(dot, norm, out=np.full_like(dot, np.nan), where=norm > 0), -1, 1)


def row_spearman(first: Floats, second: Floats, kept: Booleans) -> Floats:
    """Return the Spearman correlation of each pair of rows over the genes kept in that row."""
    return np.array(
        [_spearman(a[keep], b[keep]) for a, b, keep in zip(first, second, kept, strict=True)]
    )


def _spearman(first: Floats, second: Floats) -> float:
    if np.isnan(first).any() or np.isnan(second).any():
        return float("nan")
    ranks = average_ranks(np.vstack([first, second]))
    everything = np.ones((1, ranks.shape[1]), dtype=bool)
    return float(row_pearson(ranks[:1], ranks[1:], everything)[0])


def _centred(rows: Floats, kept: Booleans) -> Floats:
    total = np.where(kept, rows, 0.0).sum(axis=1, keepdims=True)
    return rows - total / kept.sum(axis=1, keepdims=True)


@metric(
    "pearson",
    best="high",
    family="profile",
    formula="correlation of p and t over the genes; near 1 for any answer",
    range="-1 to 1",
)
def pearson(truth: Response, prediction: Response) -> Floats:
    """Pearson correlation of the mean profiles. Near 1 for any answer: a supplement."""
    everything = np.ones(truth.mean.shape, dtype=bool)
    return row_pearson(prediction.mean, truth.mean, everything)


@metric(
    "rmse",
    best="low",
    family="profile",
    formula="root of the mean over genes of (p - t)^2",
    range="0 and above",
)
def rmse(truth: Response, prediction: Response) -> Floats:
    """Root mean squared error of the mean profile, in log units."""
    return np.sqrt(((prediction.mean - truth.mean) ** 2).mean(axis=1))


@metric(
    "mae", best="low", family="profile", formula="mean over genes of |p - t|", range="0 and above"
)
def mae(truth: Response, prediction: Response) -> Floats:
    """Mean absolute error of the mean profile, in log units."""
    return np.abs(prediction.mean - truth.mean).mean(axis=1)


@metric(
    "pearson_delta",
    best="high",
    family="correlation",
    formula="correlation of d and D over the genes",
    range="-1 to 1",
    needs=(Need.DELTA,),
    null=0.0,
    ceiling=correlation_ceiling,
    has_twin=True,
)
def pearson_delta(truth: Response, prediction: Response) -> Floats:
    """Pearson correlation of the predicted with the true delta."""
    return row_pearson(prediction.delta, truth.delta, truth.kept_genes)


@metric(
    "effect_r2",
    best="high",
    family="correlation",
    formula="sum over conditions of (2 d·D - d·d), over the sum of S = D·D - N_p - N_k",
    range="below 0 to about 1",
    needs=(Need.DELTA, Need.ERROR),
    null=0.0,
    ceiling=1.0,
    has_twin=True,
)
def effect_r2(truth: Response, prediction: Response) -> Ratio:
    """Share of the noise-free squared effect that is explained: 0 for no change, 1 for all.

    The sum over conditions of 2 <d, D> - |d|^2 over the sum of S, with d the predicted delta, D
    the true one and S the unbiased squared length of the noise-free effect.
    """
    explained = _explained(prediction.delta, truth.delta, truth.kept_genes)
    return Ratio(explained, measured_signal(truth).signal)


@by_rows
def _explained(predicted: Floats, true: Floats, kept: Booleans) -> Floats:
    predicted = np.where(kept, predicted, 0.0)
    return np.einsum("pg,pg->p", predicted, 2 * true - predicted)


@metric(
    "cosine_lfc",
    best="high",
    family="correlation",
    formula="l·L / (|l| |L|)",
    range="-1 to 1",
    needs=(Need.DELTA, Need.LFC),
    null=0.0,
)
def cosine_lfc(truth: Response, prediction: Response) -> Floats:
    """Cosine of the predicted with the true log2 fold changes."""
    return row_cosine(prediction.lfc, truth.lfc, truth.kept_genes)


@metric(
    "spearman_lfc",
    best="high",
    family="correlation",
    formula="rank correlation of l and L over the genes",
    range="-1 to 1",
    needs=(Need.DELTA, Need.LFC),
    null=0.0,
)
def spearman_lfc(truth: Response, prediction: Response) -> Floats:
    """Spearman correlation of the predicted with the true log2 fold changes."""
    return row_spearman(prediction.lfc, truth.lfc, truth.kept_genes)
