"""Whether a model is better than each naive model, by a margin: an intersection-union test.

It is better than each at 5 % if a one-sided test at 5 % says so of every one; no correction is
needed, for all must hold (Berger, Technometrics, 1982).
"""

from typing import NamedTuple

import numpy as np
from scipy import special

from wildcell.errors import OptionError
from wildcell.names import NAIVE_MODELS
from wildcell.results.board import Board
from wildcell.results.stats import CONFIDENCE


class BeyondNaive(NamedTuple):
    """How far a model is above the naive model that it is least surely above.

    Attributes
    ----------
    model
        Which.
    naive
        That naive model; "" where none was compared.
    gain, low
        Difference to it, and its lower 95 % bound, one-sided.
    p
        Of not being better than each by the margin.
    """

    model: str
    naive: str
    gain: float
    low: float
    p: float

    @property
    def beats_each(self) -> bool:
        """Whether it is better than each by the margin, at 5 %."""
        return bool(self.p < 1 - CONFIDENCE)


def check_margin(margin: float) -> None:
    """Raise OptionError where a margin is no number from 0 on."""
    if not 0 <= margin < np.inf:
        raise OptionError(f"A margin is a number from 0 on, in units of the metric; not {margin}.")


def beyond_naive(board: Board, *, margin: float = 0.0) -> list[BeyondNaive]:
    """Compare each model that is not naive with every one that is.

    Parameters
    ----------
    board
        The models at one metric.
    margin
        By how much it must be better, in units of the metric.

    Examples
    --------
    >>> from wildcell.results.board import board
    >>> from wildcell.results.stats import Sample
    >>> rng, unknown = np.random.default_rng(0), np.full(8, np.nan)
    >>> contexts, drug = np.array(list("abcdefgh"), dtype=object), np.full(8, "d", dtype=object)
    >>> scores = {"mine": 0.5, "no-change": 0.0, "perturbed-mean": 0.2}
    >>> laid = board({name: Sample(contexts, drug, rng.normal(mean, 0.05, 8), unknown, unknown)
    ...               for name, mean in scores.items()}, "pearson_delta")
    >>> found, = beyond_naive(laid, margin=0.1)
    >>> found.naive, found.beats_each
    ('perturbed-mean', True)
    """
    naive = [place for place, name in enumerate(board.models) if name in NAIVE_MODELS]
    error, n = board.error(), board.n_blocks
    found = []
    for place, name in enumerate(board.models):
        if place in naive:
            continue
        if not naive or n < 2:
            found.append(BeyondNaive(name, "", np.nan, np.nan, np.nan))
            continue
        gains, errors = board.mean[place] - board.mean[naive], error[place, naive]
        p = np.array([_p(g - margin, e, n) for g, e in zip(gains, errors, strict=True)])
        least = int(np.lexsort((gains, p))[::-1][0]) if (p > p.min()).any() else int(gains.argmin())
        low = gains[least] - float(special.stdtrit(n - 1, CONFIDENCE)) * errors[least]
        worst = board.models[naive[least]]
        found.append(BeyondNaive(name, worst, float(gains[least]), float(low), float(p[least])))
    return found


def _p(gain: float, error: float, n: int) -> float:
    """Return the one-sided p-value of a gain above 0."""
    if error <= 1e-12:
        return 0.0 if gain > 1e-9 else 1.0
    return float(special.stdtr(n - 1, -gain / error))
