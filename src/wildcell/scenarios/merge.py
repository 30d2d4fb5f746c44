"""The training side of a question that is pooled with foreign screens.

The target is split, halved and judged as if it were alone. Foreign cells only ever train: each
screen's cells beside its own controls, in contexts of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Booleans, Names, as_csr
from wildcell.datasets.dataset import Dataset
from wildcell.names import Role
from wildcell.scenarios.feature_file import origin_of, with_origin
from wildcell.scenarios.foreign import with_shuffled_labels
from wildcell.scenarios.panel import Panel
from wildcell.scenarios.pool import Pool
from wildcell.scenarios.pool_check import check_can_be_pooled
from wildcell.scenarios.pooling import Data
from wildcell.scenarios.seats import Seats
from wildcell.scenarios.task import Cells
from wildcell.streams.spilled import stacked_rows

NO_CELLS: tuple[Cells, ...] = ()


class TrainingSide(NamedTuple):
    """What models may learn from, and what is said of it.

    Attributes
    ----------
    panel
        The target, seen through the genes that models are given.
    is_learned
        Cells of the target that may be learned from, shape (n_cells,).
    beside
        Cells that are trained on beside the target's own, on the genes of the panel.
    has_target
        Whether perturbed cells of the target are trained on, and its validation cells given.
    unmeasured
        Genes of the panel that a screen did not measure, by its name.
    components
        The parts of every perturbation, of all screens.
    """

    panel: Panel
    is_learned: Booleans
    beside: tuple[Cells, ...]
    has_target: bool
    unmeasured: Mapping[str, tuple[str, ...]]
    components: pd.DataFrame


def side_alone(judged: Panel, seats: Seats) -> TrainingSide:
    """Return what a target gives models to learn from by itself."""
    components = seats.dataset.components.copy()
    return TrainingSide(judged, seats.is_seen, NO_CELLS, True, {}, components)


def training_side(pool: Pool) -> TrainingSide:
    """Return what a pool gives models to learn from.

    Raises
    ------
    OptionError, DataError
        The screens cannot be pooled in this way.
    """
    check_can_be_pooled(pool.target, pool.foreign, pool.words)
    genes = pool.panel.gene_names
    data = Data(pool.words.data)
    return TrainingSide(
        panel=pool.panel,
        is_learned=pool.is_learned,
        beside=_beside(pool, data, genes),
        has_target=data is not Data.FOREIGN,
        unmeasured=_unmeasured(pool, genes) if data.uses_foreign else {},
        components=pooled_components(pool.target, pool.foreign),
    )


def pooled_components(target: Dataset, foreign: Sequence[Dataset]) -> pd.DataFrame:
    """Return the parts of every perturbation of all screens; the target's own come first."""
    tables = [target.components]
    known = set(target.components["perturbation"])
    for screen in foreign:
        tables.append(screen.components[~screen.components["perturbation"].isin(known)])
        known |= set(screen.components["perturbation"])
    return pd.concat(tables, ignore_index=True)


def pooled_features(
    features: pd.DataFrame | None, foreign: Sequence[Dataset]
) -> pd.DataFrame | None:
    """Return features with those of components that foreign screens alone have, of the same kind.

    Foreign features of other columns say nothing beside these, and are left out.
    """
    for screen in foreign:
        own = screen.features
        if features is not None and own is not None and list(own) == list(features):
            together = pd.concat([features, own[~own.index.isin(features.index)]])
            features = with_origin(together, origin_of(features))
    return features


def _beside(pool: Pool, data: Data, genes: Names) -> tuple[Cells, ...]:
    """Return the cells that are trained on beside the target's, on the genes given."""
    if data is Data.TARGET:
        return NO_CELLS
    if data is Data.TARGET_TWICE:
        return _copies(pool)
    cells = tuple(_spread(cells, genes) for cells in pool.scaled)
    if data is Data.TARGET_AND_SHUFFLED:
        return tuple(with_shuffled_labels(some, seed=pool.split.seed) for some in cells)
    return cells


def _copies(pool: Pool) -> tuple[Cells, ...]:
    """Return the target's own training cells, as often as foreign ones would be as many."""
    own = pool.panel.take(pool.seats.with_given(Role.TRAIN))
    n_times = max(1, round(sum(cells.n for cells in pool.raw) / own.n))
    again = replace(own, obs=own.obs.assign(dataset=f"{pool.target.name} again"))
    return (again,) * n_times


def _spread(cells: Cells, genes: Names) -> Cells:
    """Return cells on the genes given, with nothing where they were not measured."""
    at = pd.Index(genes).get_indexer(cells.genes)
    X = cells.X[:, np.flatnonzero(at >= 0)]
    spread = sparse.csr_matrix(
        (X.data, at[at >= 0][X.indices], X.indptr), shape=(cells.n, len(genes))
    )
    return replace(cells, X=as_csr(spread), genes=genes)


def _unmeasured(pool: Pool, genes: Names) -> dict[str, tuple[str, ...]]:
    lacking = {
        screen.name: tuple(genes[~np.isin(genes, cells.genes)])
        for screen, cells in zip(pool.foreign, pool.raw, strict=True)
    }
    return {name: some for name, some in lacking.items() if some}


def stacked(parts: Sequence[Cells]) -> Cells:
    """Return the cells of all parts, which are of one panel."""
    first, *others = parts
    if not others:
        return first
    embeddings = [part.embedding for part in parts]
    known = [part for part in embeddings if part is not None]
    return replace(
        first,
        X=stacked_rows([part.X for part in parts]),
        obs=pd.concat([part.obs for part in parts], ignore_index=True),
        embedding=np.vstack(known) if len(known) == len(parts) else None,
    )
