"""The kept controls without a block of them in turn: how far their noise moves all scores at once.

All conditions of a control group are measured against the same kept controls. What these do to a
score they do to all, so that conditions are no independent witnesses, and a mean over them moves
by more than their spread tells. A delete-a-block jackknife over the controls says by how much.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd

from wildcell.arrays import Codes, Floats, Matrix, moments
from wildcell.metrics.metric import Metric, Ratio
from wildcell.metrics.response import Response
from wildcell.names import N_BLOCKS, SHAKEN, SHAKEN_UNDER, Need

OF_MEANS = frozenset({Need.DELTA, Need.ERROR, Need.REFERENCE, Need.SINGLES})
"""What a metric may need for its scores to follow from means alone."""


class WithoutBlocks(NamedTuple):
    """Means of control groups without each block of their cells.

    Attributes
    ----------
    mean
        Shape (n_groups, n_blocks, n_genes).
    inflation
        By how much squared errors of the mean grow, shape (n_groups, n_blocks).
    n_blocks
        Blocks that hold cells, shape (n_groups,).
    """

    mean: Floats
    inflation: Floats
    n_blocks: Codes


def without_blocks(X: Matrix, group: Codes, names: Sequence[str], seed: int) -> WithoutBlocks:
    """Deal the cells of each control group to blocks, and leave out each in turn.

    Parameters
    ----------
    X
        Log values of the controls, shape (n_cells, n_genes).
    group
        Of each cell; negative for cells that are passed over.
    names
        Of the groups. A group is dealt by its name and the seed alone, so that the same controls
        fall into the same blocks whatever else is asked.
    seed
        Deals.

    Examples
    --------
    >>> from scipy import sparse
    >>> X = sparse.csr_matrix(np.arange(40.0)[:, None])
    >>> found = without_blocks(X, np.zeros(40, dtype=int), ["liver"], seed=0)
    >>> found.mean.shape, float(found.mean.mean().round(6)), int(found.n_blocks[0])
    ((1, 20, 1), 19.5, 20)
    """
    block, n_groups = np.full(len(group), -1), len(names)
    for one, name in enumerate(names):
        rng = np.random.default_rng([seed, crc32(name.encode())])
        rows = rng.permutation(np.flatnonzero(group == one))
        block[rows] = np.arange(len(rows)) % N_BLOCKS
    cells = np.where(group >= 0, group * N_BLOCKS + block, -1)
    parts = moments(X, cells, n_groups * N_BLOCKS)
    n = parts.n.reshape(n_groups, N_BLOCKS)
    total = parts.total.reshape(n_groups, N_BLOCKS, -1)
    left = n.sum(axis=1, keepdims=True) - n
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (total.sum(axis=1, keepdims=True) - total) / left[:, :, None]
        inflation = n.sum(axis=1, keepdims=True) / left
    return WithoutBlocks(mean, inflation, (n > 0).sum(axis=1))


def is_of_means(metric: Metric) -> bool:
    """Whether a metric's scores follow from deltas of means, on all genes."""
    return metric.twin_of is None and Need.DELTA in metric.needs and metric.needs <= OF_MEANS


def shaken_scores(
    truth: Response,
    prediction: Response,
    metrics: Sequence[Metric],
    controls: WithoutBlocks,
    group: Codes,
) -> pd.DataFrame:
    """Return how far scores move without each block, scaled so that squares add up to a variance.

    Parameters
    ----------
    truth, prediction
        Of one context.
    metrics
        Those that are not of means alone are passed over.
    controls
        The kept controls without their blocks.
    group
        The control group of each condition.

    Returns
    -------
    Columns perturbation, metric, those of `SHAKEN` (of the value or, for a ratio of sums, of the
    numerator) and those of `SHAKEN_UNDER` (of the denominator), in single precision.
    """
    chosen = [metric for metric in metrics if is_of_means(metric)]
    if not chosen:
        return pd.DataFrame(columns=["perturbation", "metric", *SHAKEN, *SHAKEN_UNDER])
    over, under = np.full((2, len(chosen), len(truth.perturbations), N_BLOCKS), np.nan)
    for block in range(N_BLOCKS):
        error = truth.control_error
        moved = replace(
            truth,
            control=controls.mean[group, block],
            control_error=None if error is None else error * controls.inflation[group, block, None],
            cells=None,
            control_cells=None,
            ranks=None,
            differential=None,
            library_sizes=None,
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            for place, metric in enumerate(chosen):
                found = metric.compute(moved, prediction)
                parts = found if isinstance(found, Ratio) else Ratio(found, np.zeros(len(found)))
                over[place, :, block], under[place, :, block] = parts
    n = controls.n_blocks[group][None, :, None]
    scale = np.sqrt((n - 1) / n)
    tables = [
        pd.DataFrame({"perturbation": list(truth.perturbations), "metric": metric.name})
        .join(_columns(SHAKEN, one))
        .join(_columns(SHAKEN_UNDER, other))
        for metric, one, other in zip(
            chosen, _moves(over, scale), _moves(under, scale), strict=True
        )
    ]
    return pd.concat(tables, ignore_index=True)


def _moves(values: Floats, scale: Floats) -> Floats:
    """Return deviations from the mean over blocks, 0 where a score is undefined."""
    away = (values - values.mean(axis=2, keepdims=True)) * scale
    return np.where(np.isfinite(away), away, 0.0)


def _columns(names: Sequence[str], values: Floats) -> pd.DataFrame:
    return pd.DataFrame(values.astype(np.float32), columns=list(names))
