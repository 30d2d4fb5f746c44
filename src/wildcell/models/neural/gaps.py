"""Genes that a screen did not measure: no encoder reads them, and no loss counts them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wildcell.arrays import Booleans, Codes, moments
from wildcell.scenarios.task import Cells, Task


@dataclass(frozen=True)
class Gaps:
    """Which genes each screen measured, and what is read where it did not.

    Attributes
    ----------
    screens
        Those trained on that lack genes.
    is_measured
        Shape (n_screens + 1, n_genes); the last row is that of all other screens, which lack none.
    usual
        Mean log values over the training cells of the screens that measured a gene, 0 where none
        did, shape (n_genes,).
    is_told
        Genes that some screen trained on measured, shape (n_genes,).
    """

    screens: pd.Index
    is_measured: Booleans
    usual: NDArray[np.float32]
    is_told: Booleans

    def screen_of(self, cells: Cells) -> Codes:
        """Return the row of `is_measured` of each cell, -1 for the last, shape (n_cells,)."""
        if "dataset" not in cells.obs:
            return np.full(cells.n, -1)
        return np.asarray(self.screens.get_indexer(cells.obs["dataset"].astype(str)))


def gaps_of(task: Task) -> Gaps | None:
    """Return the gaps of the screens that a task trains on, None where there are none."""
    if "dataset" not in task.train.obs:
        return None
    trained = task.train.obs["dataset"].astype(str)
    lacking = {name for name, genes in task.unmeasured.items() if genes}
    screens = pd.Index(sorted(set(trained) & lacking))
    if screens.empty:
        return None
    whole = np.ones(len(task.train.genes), dtype=bool)
    is_measured = np.array([*(task.is_measured(name) for name in screens), whole])
    rows = screens.get_indexer(trained)
    found = moments(task.train.lognorm, rows % len(is_measured), len(is_measured))
    n_told = found.n @ is_measured
    total = found.total.sum(axis=0, where=is_measured)
    usual = np.divide(total, n_told, out=np.zeros_like(total), where=n_told > 0)
    return Gaps(screens, is_measured, usual.astype(np.float32), n_told > 0)
