"""A screen and the foreign ones beside it: which cells, at which depth, on which genes."""

import zlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from wildcell.arrays import CHUNK_ROWS, Booleans, Floats, Moments, Names
from wildcell.datasets.dataset import Dataset
from wildcell.names import Role
from wildcell.scenarios.depth import depths_of, thinned_to
from wildcell.scenarios.embedding import looked_up_embedding
from wildcell.scenarios.foreign import called_foreign, choose_conditions, rows_of
from wildcell.scenarios.foreign_distance import context_distances, perturbation_distances
from wildcell.scenarios.panel import Panel
from wildcell.scenarios.pooling import Data, Pooling
from wildcell.scenarios.preprocess import choose_by_moments, median_depth, moments_of_all
from wildcell.scenarios.seats import Seats
from wildcell.scenarios.split import Split
from wildcell.scenarios.task import Cells, cells_on


@dataclass(frozen=True)
class Pool:
    """A target, the foreign screens beside it, and how they are pooled.

    Attributes
    ----------
    judged
        The target, seen through the genes and at the depth that it is judged by.
    seats
        The place of every cell of the target.
    split
        Who is trained on and who is tested.
    foreign
        The foreign screens.
    words
        How they are pooled.
    genes
        The scenario's rule for genes.
    embedding
        The scenario's rule for embeddings.
    features
        Features of components, those of the target and of the foreign screens together.
    """

    judged: Panel
    seats: Seats
    split: Split
    foreign: tuple[Dataset, ...]
    words: Pooling
    genes: str
    embedding: str = "none"
    features: pd.DataFrame | None = None

    @property
    def target(self) -> Dataset:
        """The screen that is asked about."""
        return self.judged.dataset

    @cached_property
    def every_gene(self) -> Panel:
        """The target, seen through all of its genes at the depth that it is judged by."""
        return replace(self.judged, genes=np.ones(len(self.judged.genes), dtype=bool))

    @cached_property
    def conditions(self) -> pd.DataFrame:
        """The conditions of the foreign screens, and which of them are used."""
        return choose_conditions(
            self.foreign,
            self.words,
            held_out=self._parts(Role.TEST, Role.VAL),
            distances=np.concatenate([self._distances(screen) for screen in self.foreign]),
            seed=self.split.seed,
        )

    @cached_property
    def raw(self) -> tuple[Cells, ...]:
        """The foreign cells that are used, of each screen, on the genes it shares with the target.

        Their contexts bear the name of their screen; their counts are as they were measured.
        """
        return tuple(
            called_foreign(
                self._cells_of(
                    screen, rows_of(screen, self.conditions, self.words, seed=self.split.seed)
                ),
                screen.name,
            )
            for screen in self.foreign
        )

    @cached_property
    def scaled(self) -> tuple[Cells, ...]:
        """The same, brought to the target's depth where the words say so."""
        if self.words.scaling == "none":
            return self.raw
        return tuple(
            thinned_to(cells, self.depth, self._generator(screen.name))
            for screen, cells in zip(self.foreign, self.raw, strict=True)
        )

    @cached_property
    def depth(self) -> float:
        """The median library size of the target's training cells and given controls."""
        return median_depth(depths_of(self.every_gene.take(self.seats.is_seen)))

    @cached_property
    def chosen(self) -> dict[str, Names]:
        """The genes that the scenario's rule chooses in each screen by itself."""
        own = {self.target.name: self.judged.gene_names}
        return own | {
            screen.name: cells.genes[choose_by_moments(_moments(cells), self.genes)]
            for screen, cells in zip(self.foreign, self.scaled, strict=True)
        }

    @cached_property
    def panel(self) -> Panel:
        """The target, seen through the genes that models are given."""
        if self.words.panel == "target":
            return self.judged
        names = (
            self.pooled
            if self.words.panel == "pooled"
            else np.concatenate(list(self.chosen.values()))
        )
        return replace(self.judged, genes=np.isin(self.every_gene.gene_names, names))

    @cached_property
    def pooled(self) -> Names:
        """The genes chosen on all cells that are trained on, among those that all screens have."""
        common = self.common_genes
        parts = [cells_on(self.target_seen, common)]
        parts += [cells_on(cells, common) for cells in self.scaled]
        every = _moments(parts[0])
        for cells in parts[1:]:
            every = every + _moments(cells)
        return common[choose_by_moments(every, self.genes)]

    @cached_property
    def common_genes(self) -> Names:
        """The genes that all screens have, in the order of the target."""
        genes = self.every_gene.gene_names
        is_common = np.all([np.isin(genes, cells.genes) for cells in self.raw], axis=0)
        return genes[is_common]

    @property
    def is_learned(self) -> Booleans:
        """Cells of the target that may be learned from, shape (n_cells,)."""
        if self.words.data == Data.FOREIGN:
            return self.seats.is_seen & self.seats.is_given
        return self.seats.is_seen

    @cached_property
    def target_seen(self) -> Cells:
        """Cells of the target that may be learned from, on all of its genes."""
        return self.every_gene.take(self.is_learned)

    def _parts(self, *roles: Role) -> set[str]:
        """Return the names of the components of the target's conditions of these roles."""
        table = self.target.components
        keys = {key for role in roles for key in self.split.conditions_in(role)["perturbation"]}
        return set(table.loc[table["perturbation"].isin(keys), "component"].astype(str))

    def _distances(self, screen: Dataset) -> Floats:
        """Return how far each condition of a foreign screen is from what is tested."""
        order = self.words.order
        if order.endswith("perturbations"):
            return perturbation_distances(screen, self._parts(Role.TEST), self.features)
        if order.endswith("contexts"):
            tested = self.every_gene.take(self.seats.is_given & self.seats.beside(Role.TEST))
            controls = self._cells_of(screen, screen.is_control)
            return context_distances(screen.conditions, controls, tested)
        return np.full(len(screen.conditions), np.nan)

    def _cells_of(self, screen: Dataset, rows: Booleans) -> Cells:
        """Return cells of a foreign screen, on the genes it shares with the target."""
        shared = screen.cells.var_names.isin(self.target.cells.var_names)
        embedding = looked_up_embedding(self.embedding, screen)
        cells = Panel(screen, shared, self.judged.target_sum, embedding).take(rows)
        order = self.every_gene.gene_names
        return cells_on(cells, order[np.isin(order, cells.genes)])

    def _generator(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self.split.seed, zlib.crc32(name.encode())])


def _moments(cells: Cells) -> Moments:
    """Return the moments of log values of all cells together, a stretch of cells at a time."""
    parts = []
    for start in range(0, max(cells.n, 1), CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        some = replace(cells, X=cells.X[rows], obs=cells.obs.iloc[rows])
        parts.append(moments_of_all(some.lognorm))
    every = parts[0]
    for part in parts[1:]:
        every = every + part
    return every
