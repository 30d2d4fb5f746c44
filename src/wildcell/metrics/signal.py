"""How much of a measured effect is signal: unbiased squared effects and their noise.

For a condition with mean t over n cells and kept-control mean k, the measured delta D = t - k has
the expected squared length |effect|^2 + N_p + N_k, where N_p and N_k are the sums over genes of
the squared standard errors of t and k. So S = |D|^2 - N_p - N_k estimates |effect|^2 without bias.
"""

from typing import NamedTuple

import numpy as np

from wildcell.arrays import Booleans, Floats
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
    n_genes = np.maximum(kept.sum(axis=1), 1)
    delta = np.where(kept, truth.delta, 0.0)
    noise_share = 1.0
    if is_centred:
        delta = np.where(kept, delta - delta.sum(axis=1, keepdims=True) / n_genes[:, None], 0.0)
        noise_share = 1 - 1 / n_genes
    return Signal(
        np.einsum("pg,pg->p", delta, delta),
        _sum_kept(truth.error, kept) * noise_share,
        _sum_kept(truth.control_error, kept) * noise_share,
    )


def correlation_ceiling(truth: Response) -> Floats:
    """Return the expected correlation of the noise-free effect with the measured delta."""
    return np.sqrt(measured_signal(truth, is_centred=True).reliability)


def _sum_kept(squared_error: Floats | None, kept: Booleans) -> Floats:
    if squared_error is None:
        return np.full(kept.shape[0], np.nan)
    return np.where(kept, squared_error, 0.0).sum(axis=1)
