"""Which genes of a screen are looked at, and at which depth."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Booleans, Floats
from wildcell.datasets.dataset import Dataset
from wildcell.names import CONDITION, Expression
from wildcell.scenarios.embedding import looked_up_embedding
from wildcell.scenarios.preprocess import choose_by_moments, median_depth
from wildcell.scenarios.task import Cells
from wildcell.streams.spilled import rows_of

CELL_COLUMNS = [*CONDITION, "control_group", "batch", "replicate"]


@dataclass(frozen=True)
class Panel:
    """A screen seen through chosen genes, at one depth.

    Attributes
    ----------
    dataset
        The screen.
    genes
        Which genes are looked at, shape (n_genes,).
    target_sum
        The library size that log values refer to.
    embedding
        Of all cells of the screen, shape (n_cells, n_dimensions), where there is one.
    """

    dataset: Dataset
    genes: Booleans
    target_sum: float | None
    embedding: Floats | None = None

    @property
    def gene_names(self) -> NDArray[np.object_]:
        """Names of the genes looked at."""
        return np.array(self.dataset.cells.var_names[self.genes], dtype=object)

    def take(self, rows: Booleans) -> Cells:
        """Return the cells where `rows` holds, shape (n_cells,), as copies."""
        cells = self.dataset.cells
        obs = cells.obs.loc[rows, CELL_COLUMNS].astype(str).reset_index(drop=True)
        obs["dataset"] = self.dataset.name
        obs["total_counts"] = (
            cells.obs.loc[rows, "total_counts"].to_numpy(float)
            if "total_counts" in cells.obs
            else np.nan
        )
        return Cells(
            X=rows_of(cells.X, rows, np.flatnonzero(self.genes)),
            genes=self.gene_names,
            obs=obs,
            expression=self.dataset.expression,
            target_sum=self.target_sum,
            embedding=None if self.embedding is None else self.embedding[rows],
        )


def every_gene(dataset: Dataset, *, seen: Booleans) -> Panel:
    """Return all genes at the median depth of the cells seen, shape (n_cells,)."""
    genes = np.ones(dataset.cells.n_vars, dtype=bool)
    return Panel(dataset, genes, _target_sum(dataset, seen))


def fit_panel(dataset: Dataset, seen: Booleans, rule: str, *, common: Booleans) -> Panel:
    """Choose genes by a rule and the cells seen, at a depth that does not depend on these.

    Parameters
    ----------
    dataset
        The screen.
    seen
        Cells that genes are chosen on, shape (n_cells,).
    rule
        As for `wildcell.scenarios.preprocess.choose_by_moments`.
    common
        Cells whose median library size is the depth, shape (n_cells,): those that all arms share,
        so that all are judged at one depth.
    """
    panel = every_gene(dataset, seen=common)
    if rule == "all":
        return panel
    cells = panel.take(seen)
    every = cells.moments(np.zeros(cells.n, dtype=np.intp), 1)
    return Panel(dataset, choose_by_moments(every, rule), panel.target_sum)


def control_cells(dataset: Dataset, *, embedding: str = "none") -> Cells:
    """Return all controls of a screen, all genes, at their own median depth.

    Parameters
    ----------
    dataset
        The screen.
    embedding
        A rule for the embedding of cells (see `embed_cells`). Controls have one that is taken from
        the screen or from a file, and none that would have to be fitted.
    """
    panel = replace(
        every_gene(dataset, seen=dataset.is_control),
        embedding=looked_up_embedding(embedding, dataset),
    )
    return panel.take(dataset.is_control)


def _target_sum(dataset: Dataset, seen: Booleans) -> float | None:
    if dataset.expression is Expression.COUNTS:
        return median_depth(dataset.cells.obs.loc[seen, "total_counts"].to_numpy(float))
    stated = dataset.metadata.get("target_sum")
    return None if stated is None else float(stated)
