"""What each condition does: how large it is, how well measured, how much it is like the others."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wildcell.arrays import Codes, Floats
from wildcell.datasets.card_moments import Halves
from wildcell.names import Status

FEWEST_CONTROLS = 20
"""With fewer controls in a group, deltas against them are not told."""

FEWEST_CELLS = 4
"""With fewer cells in a condition, neither half has a spread."""

BLOCK = 64
"""Conditions looked at together, so that memory does not grow with their number."""


class Measured(NamedTuple):
    """Some conditions, each beside its own controls: a row a condition in all.

    Attributes
    ----------
    cells, controls
        Their cells and their controls.
    delta
        Mean log values of the cells less those of the controls, shape (n_conditions, n_genes).
    cell_error, control_error
        Squared standard errors of both means, shape (n_conditions, n_genes).
    """

    cells: Halves
    controls: Halves
    delta: Floats
    cell_error: Floats
    control_error: Floats

    @classmethod
    def of(cls, cells: Halves, controls: Halves) -> "Measured":
        """Take the cells against their controls."""
        of_cells, of_controls = cells.whole, controls.whole
        delta = of_cells.mean - of_controls.mean
        return cls(cells, controls, delta, of_cells.squared_error, of_controls.squared_error)


def blocks(n: int) -> Iterator[slice]:
    """Cut a number of conditions into stretches of at most `BLOCK`."""
    return (slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK))


def status_of(n_cells: Codes, n_controls: Codes) -> NDArray[np.object_]:
    """Say of each condition why its delta is told, or why not, shape (n_conditions,)."""
    return np.select(
        [n_controls < FEWEST_CONTROLS, n_cells < FEWEST_CELLS],
        [Status.TOO_FEW_CONTROLS.value, Status.TOO_FEW_CELLS.value],
        Status.OK.value,
    ).astype(object)


def effect_sizes(measured: Measured) -> pd.DataFrame:
    """Split the squared length of each delta into signal and noise, and compare two halves.

    Returns
    -------
    One row a condition. `squared_delta`, `cell_noise` and `control_noise` are the squared length
    of the delta and the expected parts in it of the noise of cells and controls; `signal` is what
    remains, which has the noise-free effect's squared length as its expectation and may fall
    below 0; `reliability` is its share, at least 0. `split_half` is the correlation over genes of
    the deltas of two halves of the cells, each against its own half of the controls, averaged
    over both ways to pair the halves.
    """
    squared_delta = (measured.delta**2).sum(axis=1)
    cell_noise = measured.cell_error.sum(axis=1)
    control_noise = measured.control_error.sum(axis=1)
    signal = squared_delta - cell_noise - control_noise
    return pd.DataFrame(
        {
            "squared_delta": squared_delta,
            "cell_noise": cell_noise,
            "control_noise": control_noise,
            "signal": signal,
            "reliability": _share(np.maximum(signal, 0), squared_delta),
            "split_half": _split_half(measured),
        }
    )


def systematic_variation(means: Floats, control_group: Codes, halves: Floats) -> Floats:
    """Return the cosine of each delta and the mean delta of the other conditions.

    The two are taken against different halves of the controls, whose noise they would share
    otherwise, and the cosine is averaged over both ways and over all halvings.

    Parameters
    ----------
    means
        Mean log values of the conditions of one context, shape (n_conditions, n_genes).
    control_group
        Row in `halves` of the controls of each condition, shape (n_conditions,).
    halves
        Mean log values of the halves of the control groups, shape
        (n_halvings, 2, n_groups, n_genes).

    Returns
    -------
    Shape (n_conditions,).

    Examples
    --------
    >>> import numpy as np
    >>> means, halves = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]]), np.zeros((1, 2, 1, 2))
    >>> systematic_variation(means, np.zeros(3, dtype=int), halves).round(2).tolist()
    [0.45, 0.45, 0.0]
    """
    ways = [
        _cosines_with_others(means, control_group, given=given, kept=kept)
        for first, second in halves
        for given, kept in ((first, second), (second, first))
    ]
    return np.mean(ways, axis=0)


def _cosines_with_others(
    means: Floats, control_group: Codes, *, given: Floats, kept: Floats
) -> Floats:
    n_of_group = np.bincount(control_group, minlength=len(kept))
    total = means.sum(axis=0) - n_of_group @ kept
    cosines = np.empty(len(means))
    for rows in blocks(len(means)):
        group = control_group[rows]
        others = total - (means[rows] - kept[group])
        cosines[rows] = _cosine(means[rows] - given[group], others)
    return cosines


def _split_half(measured: Measured) -> Floats:
    cells = measured.cells.first.mean, measured.cells.second.mean
    controls = measured.controls.first.mean, measured.controls.second.mean
    ways = [_correlation(cells[0] - controls[way], cells[1] - controls[1 - way]) for way in (0, 1)]
    return np.mean(ways, axis=0)


def _correlation(first: Floats, second: Floats) -> Floats:
    """Correlate row by row."""
    return _cosine(*(rows - rows.mean(axis=1, keepdims=True) for rows in (first, second)))


def _cosine(first: Floats, second: Floats) -> Floats:
    """Return the cosine row by row, NaN where either is without length."""
    product = np.einsum("cg,cg->c", first, second)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return _share(product, lengths)


def _share(part: Floats, whole: Floats) -> Floats:
    return part / np.where(whole > 0, whole, np.nan)
