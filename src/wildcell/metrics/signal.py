"""How much of a measured effect is signal: unbiased squared effects and their noise.

For a condition with mean t over n cells and kept-control mean k, the measured delta D = t - k has
the expected squared length |effect|^2 + N_p + N_k, where N_p and N_k are the sums over genes of
the squared standard errors of t and k. So S = |D|^2 - N_p - N_k estimates |effect|^2 without bias.
"""

from typing import NamedTuple

import numpy as np

from wildcell.arrays import Booleans, Codes, Floats
from wildcell.metrics.by_rows import by_rows
from wildcell.metrics.response import Response


class Signal(NamedTuple):
    """The parts of a measured squared effect, each of shape (n_perturbations,).

    `signal` is signed: it may fall below 0 where there is nothing but noise. All are NaN where
    the standard errors are unknown.
    """

    total: Floats
    cell_noise: Floats
    control_noise: Floats

    @property
    def signal(self) -> Floats:
        """The unbiased squared length of the noise-free effect."""
        return self.total - self.cell_noise - self.control_noise

    @property
    def reliability(self) -> Floats:
        """The share of the measured squared effect that is signal, at least 0."""
        return np.maximum(self.signal, 0) / np.where(self.total > 0, self.total, np.nan)


def measured_signal(truth: Response, *, is_centred: bool = False) -> Signal:
    """Split the squared length of each true delta into signal and noise.

    Parameters
    ----------
    truth
        The measured response.
    is_centred
        Whether to take the mean over the genes out first, as a correlation does.
    """
    kept = truth.kept_genes
    noise_share = 1 - 1 / _n_genes(kept) if is_centred else 1.0
    return Signal(
        _squared_length(truth.delta, kept, is_centred=is_centred),
        _sum_kept(truth.error, kept) * noise_share,
        _sum_kept(truth.control_error, kept) * noise_share,
    )


def correlation_ceiling(truth: Response) -> Floats:
    """Return the expected correlation of the noise-free effect with the measured delta."""
    return np.sqrt(measured_signal(truth, is_centred=True).reliability)


@by_rows
def _squared_length(delta: Floats, kept: Booleans, *, is_centred: bool) -> Floats:
    delta = np.where(kept, delta, 0.0)
    if is_centred:
        mean = delta.sum(axis=1, keepdims=True) / _n_genes(kept)[:, None]
        delta = np.where(kept, delta - mean, 0.0)
    return np.einsum("pg,pg->p", delta, delta)


def _n_genes(kept: Booleans) -> Codes:
    return np.maximum(kept.sum(axis=1), 1)


def _sum_kept(squared_error: Floats | None, kept: Booleans) -> Floats:
    if squared_error is None:
        return np.full(kept.shape[0], np.nan)
    return _sum_where(squared_error, kept)


@by_rows
def _sum_where(values: Floats, kept: Booleans) -> Floats:
    return np.where(kept, values, 0.0).sum(axis=1)
