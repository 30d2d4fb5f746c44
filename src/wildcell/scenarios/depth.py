"""The depth of cells, brought down to a level by thinning, and counted."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from wildcell.arrays import Floats
from wildcell.scenarios.preprocess import median_depth
from wildcell.scenarios.task import Cells

N_BINS = 40


def kept_share(cells: Cells, level: float) -> float:
    """Return the share of the counts that brings the median depth of cells down to a level.

    It is 1 for cells that are not deeper.
    """
    return min(1.0, level / median_depth(depths_of(cells)))


def thinned_to(cells: Cells, level: float, rng: np.random.Generator) -> Cells:
    """Return counts as if cells had been sequenced less deeply, their median depth at a level.

    Each count of each gene is kept with the same probability, so that what is left is what a
    shallower experiment would have shown; the rest of a cell's library, of genes that are not
    looked at, is thinned alike. Cells whose median is not above the level are returned as they
    are.

    Parameters
    ----------
    cells
        Counts, with the library sizes over all genes.
    level
        Counts a cell.
    rng
        For what is kept.

    Examples
    --------
    >>> from wildcell.scenarios.panel import control_cells
    >>> from wildcell.testing import toy_screen
    >>> cells = control_cells(toy_screen(depth=2000.0))
    >>> shallow = thinned_to(cells, 200.0, np.random.default_rng(0))
    >>> bool(abs(np.median(shallow.obs["total_counts"]) - 200) < 10)
    True
    """
    share = kept_share(cells, level)
    if share == 1:
        return cells
    sizes = depths_of(cells)
    elsewhere = np.maximum(np.round(sizes - _sums(cells)), 0).astype(np.int64)
    X = cells.X.copy()
    X.data = rng.binomial(X.data.astype(np.int64), share).astype(X.dtype)
    X.eliminate_zeros()
    thinned = replace(cells, X=X)
    obs = cells.obs.assign(total_counts=_sums(thinned) + rng.binomial(elsewhere, share))
    return replace(thinned, obs=obs)


def depths_of(cells: Cells) -> Floats:
    """Return the library size of each cell over all genes, shape (n_cells,)."""
    return cells.obs["total_counts"].to_numpy(float)


def depth_histogram(depths: Mapping[tuple[str, str], Floats]) -> pd.DataFrame:
    """Count cells by depth, in bins that are equally wide in log scale and the same for all.

    Parameters
    ----------
    depths
        Library sizes by what is told apart, a screen and a stage; those that are not positive
        are left out.

    Returns
    -------
    Columns screen, stage, low, high, n_cells; no rows where no size is known.
    """
    known = {key: values[np.isfinite(values) & (values > 0)] for key, values in depths.items()}
    every = np.concatenate([np.zeros(0), *known.values()])
    if not len(every):
        return pd.DataFrame(columns=["screen", "stage", "low", "high", "n_cells"])
    edges = np.geomspace(every.min() / 1.001, every.max() * 1.001, N_BINS + 1)
    tables = [
        pd.DataFrame(
            {
                "screen": screen,
                "stage": stage,
                "low": edges[:-1],
                "high": edges[1:],
                "n_cells": np.histogram(values, edges)[0],
            }
        )
        for (screen, stage), values in known.items()
    ]
    return pd.concat(tables, ignore_index=True)


def _sums(cells: Cells) -> Floats:
    return np.asarray(cells.X.sum(axis=1, dtype=np.float64)).ravel()
