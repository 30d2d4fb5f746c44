"""What is said of a pool: its screens, their depths, their genes, and what to beware of."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from wildcell.arrays import Names
from wildcell.datasets.dataset import Dataset
from wildcell.names import CONDITION, CONTROL
from wildcell.scenarios.depth import depth_histogram, depths_of
from wildcell.scenarios.pool import Pool
from wildcell.scenarios.pooling import Data
from wildcell.scenarios.preprocess import median_depth
from wildcell.scenarios.task import Cells

BEFORE, AFTER = "before", "after"
TOGETHER = " & "


def pool_tables(pool: Pool) -> dict[str, pd.DataFrame]:
    """Return the tables of a pool, by name.

    Returns
    -------
    screens
        What is learned from of each screen, and how much of the genes it covers.
    depths
        Cells by depth, before and after scaling.
    gene_sets
        How many genes each set of screens alone measures, and chooses.
    foreign_conditions
        The conditions of foreign screens, in which order they come, and which are used.
    """
    return {
        "screens": _screens(pool),
        "depths": depth_histogram(
            {
                (name, stage): depths_of(cells)
                for stage, parts in ((BEFORE, pool.raw), (AFTER, pool.scaled))
                for name, cells in _named(pool, parts)
            }
        ),
        "gene_sets": pd.concat(
            [_overlap("measured", _measured(pool)), _overlap("chosen", pool.chosen)],
            ignore_index=True,
        ),
        "foreign_conditions": pool.conditions,
    }


def pool_flags(pool: Pool) -> tuple[str, ...]:
    """Return what a reader must know of a pool, in sentences."""
    flags = []
    panel, judged = pool.panel.gene_names, pool.judged.gene_names
    n_unseen = int((~np.isin(judged, panel)).sum())
    if n_unseen:
        flags.append(
            f"{n_unseen} of {len(judged)} judged genes are not among those that models are given, "
            "and are judged as no change"
        )
    if not Data(pool.words.data).uses_foreign:
        return tuple(flags)
    for screen, cells in zip(pool.foreign, pool.raw, strict=True):
        n_unmeasured = int((~np.isin(panel, cells.genes)).sum())
        if n_unmeasured:
            flags.append(
                f"{screen.name} did not measure {n_unmeasured} of {len(panel)} genes of the panel"
            )
        flags += _flags_of_depth(pool, screen, cells) + _flags_of_modality(pool.target, screen)
    return tuple(flags)


def _flags_of_depth(pool: Pool, screen: Dataset, cells: Cells) -> list[str]:
    if pool.words.scaling == "none":
        return []
    level, depth = pool.depth, median_depth(depths_of(cells))
    if depth >= level:
        return []
    said = f"{screen.name} has {depth:.4g} counts a cell and {pool.target.name} {level:.4g}"
    return [f"{said}: cells that are shallower than the target cannot be scaled"]


def _flags_of_modality(target: Dataset, screen: Dataset) -> list[str]:
    both = target.conditions.merge(screen.conditions, on="perturbation")
    differs = both[both["modality_x"] != both["modality_y"]].drop_duplicates("perturbation")
    if differs.empty:
        return []
    own, other = differs.iloc[0][["modality_x", "modality_y"]]
    said = f"{len(differs)} perturbations of {screen.name} have names of {target.name}"
    return [f"{said} and are of another modality: {other}, not {own}"]


def _named(pool: Pool, parts: Iterable[Cells]) -> list[tuple[str, Cells]]:
    names = [pool.target.name, *(screen.name for screen in pool.foreign)]
    return list(zip(names, [pool.target_seen, *parts], strict=True))


def _screens(pool: Pool) -> pd.DataFrame:
    panel, judged = pool.panel.gene_names, pool.judged.gene_names
    rows = []
    parts = zip(_named(pool, pool.raw), _named(pool, pool.scaled), _screens_of(pool), strict=True)
    for (name, cells), (_, scaled), screen in parts:
        before, after = (median_depth(depths_of(some)) for some in (cells, scaled))
        is_control = (cells.obs["perturbation"] == CONTROL).to_numpy()
        rows.append(
            {
                "screen": name,
                "is_target": screen is pool.target,
                "n_conditions": len(cells.obs.loc[~is_control, CONDITION].drop_duplicates()),
                "n_perturbed": int((~is_control).sum()),
                "n_controls": int(is_control.sum()),
                "median_depth": before,
                "median_depth_scaled": after,
                "n_genes": screen.cells.n_vars,
                "n_genes_shared": len(cells.genes),
                "n_genes_in_panel": int(np.isin(panel, cells.genes).sum()),
                "n_genes_judged": int(np.isin(judged, cells.genes).sum()),
                "share_of_counts_shared": _share_of_counts(cells),
            }
        )
    return pd.DataFrame(rows)


def _screens_of(pool: Pool) -> list[Dataset]:
    return [pool.target, *pool.foreign]


def _share_of_counts(cells: Cells) -> float:
    """Return the share of all counts that lies on the genes shared with the target."""
    total = depths_of(cells).sum()
    return float(cells.X.sum(dtype=np.float64) / total) if total > 0 else np.nan


def _measured(pool: Pool) -> dict[str, Names]:
    return {
        screen.name: np.array(screen.cells.var_names, dtype=object) for screen in _screens_of(pool)
    }


def _overlap(kind: str, sets: Mapping[str, Names]) -> pd.DataFrame:
    """Count the genes that are in just these sets and in no other: kind, datasets, n_genes."""
    genes = np.array(sorted(set().union(*map(set, sets.values()))), dtype=object)
    is_in = pd.DataFrame({name: np.isin(genes, members) for name, members in sets.items()})
    patterns = is_in.apply(lambda row: TOGETHER.join(row.index[row]), axis=1)
    counted = patterns.value_counts(sort=False).sort_index()
    return pd.DataFrame(
        {"kind": kind, "datasets": counted.index.astype(str), "n_genes": counted.to_numpy()}
    )
