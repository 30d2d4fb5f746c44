"""Whether predicted cells vary as true cells do: spread, zeros, depth, correlation of genes.

All functions take the true cells before the predicted ones, shapes (n_truth, n_genes) and
(n_prediction, n_genes), and return one number; NaN where it is undefined.
"""

import numpy as np

from wildcell.arrays import Codes, Floats
from wildcell.metrics.pairwise import Cells
from wildcell.metrics.transport import wasserstein_by_gene

TOP_GENES = 200
LEAST_VARIANCE = 0.01
"""Added to variances before their logarithms are taken, in units of the truth's mean variance."""

LEAST_RATIO = 1e-3
"""A ratio counts as this much where its logarithm is taken and it is less."""


def variance_ratio(truth: Cells, prediction: Cells) -> float:
    """Return the total variance over genes of predicted cells in units of the truth's; 1 is best.

    Examples
    --------
    >>> import numpy as np
    >>> cells = np.random.default_rng(0).normal(size=(30, 4))
    >>> round(variance_ratio(cells, 2 * cells), 6)
    4.0
    """
    return _ratio(_variances(truth).sum(), _variances(prediction).sum())


def log_variance_ratio(truth: Cells, prediction: Cells) -> float:
    """Return the mean over genes of the log ratio of predicted and true variance; 0 is best.

    Genes that hardly vary weigh less: a hundredth of the truth's mean variance is added to both.

    Examples
    --------
    >>> import numpy as np
    >>> cells = np.random.default_rng(0).normal(size=(30, 4))
    >>> round(log_variance_ratio(cells, 2 * cells), 2)
    1.38
    """
    of_truth, of_prediction = _log_variances(truth, prediction)
    return _mean(of_prediction - of_truth)


def mean_variance_error(truth: Cells, prediction: Cells) -> float:
    """Return how far variances are off beside what the means would have them be; 0 is best.

    The mean over genes of the absolute difference of two residuals, true and predicted: log
    variance less that expected at the gene's mean. What is expected is a parabola fitted to the
    truth's genes; beyond them it is what it is at the last.
    """
    log_variances = _log_variances(truth, prediction)
    if truth.shape[1] == 0 or np.isnan(log_variances).any():
        return float("nan")
    means = [
        np.asarray(cells.mean(axis=0, dtype=np.float64)).ravel() for cells in (truth, prediction)
    ]
    powers = [np.clip(one, means[0].min(), means[0].max())[:, None] ** [0, 1, 2] for one in means]
    trend = np.linalg.lstsq(powers[0], log_variances[0], rcond=None)[0]
    residuals = [own - known @ trend for own, known in zip(log_variances, powers, strict=True)]
    return _mean(np.abs(residuals[1] - residuals[0]))


def zero_fraction_agreement(truth: Cells, prediction: Cells) -> float:
    """Return 1 minus the mean over genes of the difference in the fraction of zeros; 1 is best.

    Examples
    --------
    >>> import numpy as np
    >>> zero_fraction_agreement(np.array([[0.0], [1.0]]), np.array([[0.0], [0.0]]))
    0.5
    """
    difference = np.abs(_zero_fractions(truth) - _zero_fractions(prediction))
    return 1.0 - _mean(difference)


def library_size_distance(truth_totals: Floats, prediction_totals: Floats) -> float:
    """Return the 1-Wasserstein distance of the log2 library sizes of cells; 0 is best.

    A prediction whose every cell is twice as deep is at 1.

    Parameters
    ----------
    truth_totals, prediction_totals
        Counts of each cell, shapes (n_truth,) and (n_prediction,); cells without counts weigh as
        cells of one count.

    Examples
    --------
    >>> import numpy as np
    >>> library_size_distance(np.array([100.0, 400.0]), np.array([200.0, 800.0]))
    1.0
    """
    first, second = (
        np.log2(np.maximum(totals, 1.0))[:, None] for totals in (truth_totals, prediction_totals)
    )
    return float(wasserstein_by_gene(first, second)[0])


def correlation_agreement(truth: Cells, prediction: Cells, *, n_genes: int = TOP_GENES) -> float:
    """Return the Pearson correlation of the gene-gene correlations of both sides; 1 is best.

    Over all pairs of the genes that vary most in the truth; a gene that is constant in the
    prediction correlates 0 with all others there, and 0 is the score where all are.
    """
    genes = _most_variable(truth, n_genes)
    if len(genes) < 3 or prediction.shape[0] < 2:
        return float("nan")
    pairs = np.triu_indices(len(genes), k=1)
    of_truth = _correlations(truth[:, genes])[pairs]
    of_prediction = _correlations(prediction[:, genes])[pairs]
    if np.ptp(of_truth) == 0:
        return float("nan")
    if np.ptp(of_prediction) == 0:
        return 0.0
    return float(np.corrcoef(of_truth, of_prediction)[0, 1])


def top_eigenvalue_ratio(truth: Cells, prediction: Cells, *, n_genes: int = TOP_GENES) -> float:
    """Return the largest covariance eigenvalue of predicted cells over the truth's; 1 is best.

    Over the genes that vary most in the truth: below 1, cells lack a common programme.
    """
    genes = _most_variable(truth, n_genes)
    if len(genes) == 0 or prediction.shape[0] < 2:
        return float("nan")
    return _ratio(_top_eigenvalue(truth[:, genes]), _top_eigenvalue(prediction[:, genes]))


def log_eigenvalue_ratio(truth: Cells, prediction: Cells) -> float:
    """Return the log of `top_eigenvalue_ratio`, that of 0.001 where it is less; 0 is best."""
    return float(np.log(np.maximum(top_eigenvalue_ratio(truth, prediction), LEAST_RATIO)))


def _mean(of_genes: Floats) -> float:
    return float(of_genes.mean()) if len(of_genes) else float("nan")


def _log_variances(truth: Cells, prediction: Cells) -> tuple[Floats, Floats]:
    """Return both log variances of each gene; NaN where a side has fewer than two cells."""
    of_truth, of_prediction = _variances(truth), _variances(prediction)
    least = LEAST_VARIANCE * of_truth.mean() if len(of_truth) else np.nan
    if not least > 0:
        return np.full(len(of_truth), np.nan), np.full(len(of_truth), np.nan)
    return np.log(of_truth + least), np.log(of_prediction + least)


def _ratio(of_truth: float, of_prediction: float) -> float:
    return float(of_prediction / of_truth) if of_truth > 0 else float("nan")


def _variances(cells: Cells) -> Floats:
    """Return the unbiased variance of each gene, shape (n_genes,); NaN for fewer than two cells."""
    if cells.shape[0] < 2:
        return np.full(cells.shape[1], np.nan)
    if isinstance(cells, np.ndarray):
        return cells.var(axis=0, ddof=1, dtype=np.float64)
    n = cells.shape[0]
    values = cells.astype(np.float64)
    mean = np.asarray(values.mean(axis=0)).ravel()
    square = np.asarray(values.multiply(values).mean(axis=0)).ravel()
    return np.maximum(square - mean**2, 0) * (n / (n - 1))


def _zero_fractions(cells: Cells) -> Floats:
    if cells.shape[0] == 0:
        return np.full(cells.shape[1], np.nan)
    nonzero = cells != 0
    return 1.0 - np.asarray(nonzero.mean(axis=0)).ravel()


def _most_variable(truth: Cells, n_genes: int) -> Codes:
    """Return the positions of the truth's most variable genes, those without variance left out."""
    variances = np.nan_to_num(_variances(truth))
    order = np.argsort(-variances, kind="stable")[:n_genes]
    return order[variances[order] > 0]


def _centred(cells: Cells) -> Floats:
    rows = (cells if isinstance(cells, np.ndarray) else cells.toarray()).astype(np.float64)
    constant = np.ptp(rows, axis=0) == 0  # whose mean may be off by a rounding error
    return np.where(constant, 0.0, rows - rows.mean(axis=0))


def _correlations(cells: Cells) -> Floats:
    rows = _centred(cells)
    lengths = np.linalg.norm(rows, axis=0)
    rows /= np.where(lengths > 0, lengths, np.inf)
    return rows.T @ rows


def _top_eigenvalue(cells: Cells) -> float:
    return float(np.linalg.norm(_centred(cells), ord=2) ** 2 / (cells.shape[0] - 1))
