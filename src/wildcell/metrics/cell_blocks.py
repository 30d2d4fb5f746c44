"""What a prediction explains by each block of a condition's test cells alone.

A score of one condition has no interval of its own: this says how far it varies with the cells that
were measured. Blocks are the same for all models, so that differences between models vary less.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from wildcell.arrays import Codes, Floats, Matrix
from wildcell.metrics.response import Response
from wildcell.names import BY_CELLS, N_BLOCKS

EXPLAINED = "effect_r2"
"""The metric whose numerator it is."""


def deal_blocks(n_cells: Sequence[int], rng: np.random.Generator) -> list[Codes]:
    """Deal the cells of each condition to blocks of equal size, at random.

    Parameters
    ----------
    n_cells
        Of each condition.
    rng
        Deals.

    Returns
    -------
    The block of each cell, from 0 to `N_BLOCKS` - 1, an array a condition.
    """
    return [rng.permutation(n) % N_BLOCKS for n in n_cells]


def explained_by_blocks(
    truth: Response, prediction: Response, cells: Sequence[Matrix], blocks: Sequence[Codes]
) -> pd.DataFrame:
    """Return 2 <d, t - k> - |d|^2, with t the mean of the test cells of one block.

    Parameters
    ----------
    truth, prediction
        Of one context.
    cells
        Log values of the test cells of each condition, shape (n_cells, n_genes).
    blocks
        Of each of these cells, as `deal_blocks` returns them.

    Returns
    -------
    Columns perturbation, metric and those of `BY_CELLS`, in single precision; NaN where there is no
    answer, or no cell in a block.

    Examples
    --------
    >>> from dataclasses import fields
    >>> def of_means(mean):
    ...     whole = dict.fromkeys((field.name for field in fields(Response)))
    ...     whole |= {"perturbations": ("drug",), "genes": ("a", "b"), "mean": mean}
    ...     return Response(**whole | {"control": np.zeros((1, 2))})
    >>> cells = np.tile([1.0, 2.0], (40, 1))
    >>> blocks = deal_blocks([40], np.random.default_rng(0))
    >>> true, half = of_means(np.array([[1.0, 2.0]])), of_means(np.array([[0.5, 1.0]]))
    >>> explained_by_blocks(true, half, [cells], blocks)["by_cells_0"].tolist()
    [3.75]
    """
    delta = np.where(truth.kept_genes, prediction.delta, 0.0)
    explained = np.full((len(delta), N_BLOCKS), np.nan)
    for row, (d, control, some, block) in enumerate(
        zip(delta, truth.control, cells, blocks, strict=True)
    ):
        if np.isfinite(d).all():
            towards = np.asarray(some @ d).ravel()
            explained[row] = 2 * _means(towards, block) - 2 * float(control @ d) - float(d @ d)
    table = pd.DataFrame({"perturbation": list(truth.perturbations), "metric": EXPLAINED})
    return table.join(pd.DataFrame(explained.astype(np.float32), columns=BY_CELLS))


def _means(values: Floats, block: Codes) -> Floats:
    n = np.bincount(block, minlength=N_BLOCKS)
    total = np.bincount(block, weights=values, minlength=N_BLOCKS)
    return np.divide(total, n, out=np.full(N_BLOCKS, np.nan), where=n > 0)
