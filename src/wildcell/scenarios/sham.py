"""Sham perturbations: control cells, or guides that target nothing, asked about as if perturbed."""

from dataclasses import replace
from typing import NamedTuple
from zlib import crc32

import anndata as ad
import numpy as np
import pandas as pd

from wildcell.arrays import Booleans, Codes, Names
from wildcell.datasets.dataset import Dataset
from wildcell.names import CONDITION, SHAM, UNS, Modality, Role
from wildcell.scenarios.split import Split

MIN_CONTROLS = 100
"""Controls that a group must have before any are taken from it."""

LARGEST_SHARE = 0.1
"""The share of a group's controls that one sham perturbation may take."""

MIN_CELLS = 5
"""Cells that a sham perturbation must have to be worth asking about."""

MIN_GUIDES = 4
"""Guides that the controls of a group must have before whole guides are held out."""


class Posed(NamedTuple):
    """A screen, its split, and the features of its components."""

    dataset: Dataset
    split: Split
    features: pd.DataFrame | None


def with_shams(
    dataset: Dataset, split: Split, *, n: int, features: pd.DataFrame | None = None
) -> Posed:
    """Ask about some controls of each tested group as if they had been perturbed.

    They show what each metric says where nothing was done, and how often a claim is made of
    nothing. A sham takes as many cells as the group's median tested condition, or a tenth of its
    controls if that is less; whole guides where controls of a genetic screen have several (named
    by `replicate`). Groups with too few controls have none.

    Parameters
    ----------
    dataset, split
        The screen and the roles of its conditions.
    n
        Shams a control group, at most.
    features
        Features of components in the place of the data set's own. A sham bears those of a tested
        component, so that models that need features answer for it.

    Returns
    -------
    The screen with its shams, tested conditions of the category `sham`; the same screen where
    none could be made.
    """
    given = dataset.features if features is None else features
    labels = _labels(dataset, split, n)
    if not (labels != "").any():
        return Posed(dataset, split, given)
    screen = _relabelled(dataset, labels)
    asked = _asked(screen, split, is_sham_cell=labels != "")
    return Posed(screen, asked, None if given is None else _dressed(given, split, screen))


def _labels(dataset: Dataset, split: Split, n: int) -> Names:
    """Return the sham of each cell, "" for none, shape (n_cells,)."""
    labels = np.full(dataset.cells.n_obs, "", dtype=object)
    if n < 1:
        return labels
    tested = split.conditions_in(Role.TEST)
    for _, of_context in tested.groupby("context", sort=True):
        number = 0
        for group, sizes in of_context.groupby("control_group", sort=True)["n_cells"]:
            for rows in _choose(dataset, str(group), int(sizes.median()), n, split.seed):
                number += 1
                labels[rows] = f"{SHAM}-{number}"
    return labels


def _choose(dataset: Dataset, group: str, size: int, n: int, seed: int) -> list[Codes]:
    """Return the rows of each sham of a control group."""
    of_group = (dataset.cells.obs["control_group"].astype(str) == group).to_numpy()
    rows = np.flatnonzero(dataset.is_control & of_group)
    if len(rows) < MIN_CONTROLS:
        return []
    most = int(LARGEST_SHARE * len(rows))
    rng = np.random.default_rng([seed, crc32(group.encode())])
    guides = _guides(dataset, rows)
    if guides is None:
        size = min(size, most)
        parts = np.split(rng.permutation(rows)[: n * size], n) if size >= MIN_CELLS else []
    else:
        parts = [rows[guides == guide] for guide in rng.permutation(sorted(set(guides)))]
    return [np.sort(part) for part in parts if MIN_CELLS <= len(part) <= 2 * most][:n]


def _guides(dataset: Dataset, rows: Codes) -> Names | None:
    """Return the guide of each control, where controls of a genetic screen have several."""
    modalities = set(dataset.conditions["modality"])
    if not modalities <= {str(item) for item in Modality if item.is_genetic}:
        return None
    guides = dataset.cells.obs["replicate"].astype(str).to_numpy(dtype=object)[rows]
    is_named = len(set(guides)) >= MIN_GUIDES and "" not in set(guides)
    return guides if is_named else None


def _relabelled(dataset: Dataset, labels: Names) -> Dataset:
    cells = dataset.cells
    is_sham = labels != ""
    obs = cells.obs.copy()
    perturbations = obs["perturbation"].astype(str).to_numpy(dtype=object)
    obs["perturbation"] = pd.Categorical(np.where(is_sham, labels, perturbations))
    names = sorted(set(labels[is_sham]))
    parts = pd.DataFrame(
        {"perturbation": names, "component": names, "dose": np.nan, "unit": "", "time": np.nan}
    )
    components = pd.concat([dataset.components, parts], ignore_index=True)
    uns = {**cells.uns, UNS: {**cells.uns[UNS], "components": components}}
    screen = ad.AnnData(cells.X, obs=obs, var=cells.var, obsm=dict(cells.obsm), uns=uns)
    return Dataset(dataset.name, screen)


def _asked(screen: Dataset, split: Split, *, is_sham_cell: Booleans) -> Split:
    """Return the split with the shams among the tested conditions."""
    known = pd.MultiIndex.from_frame(split.conditions[CONDITION])
    every = screen.conditions
    shams = every[~pd.MultiIndex.from_frame(every[CONDITION]).isin(known)]
    shams = shams.assign(role=str(Role.TEST), reason="", category=SHAM)
    conditions = pd.concat([split.conditions, shams], ignore_index=True)
    if split.cell_roles is None:
        return replace(split, conditions=conditions)
    roles = np.full(screen.cells.n_obs, str(Role.TEST), dtype=object)
    roles[~screen.is_control & ~is_sham_cell] = split.cell_roles
    return replace(split, conditions=conditions, cell_roles=roles[~screen.is_control])


def _dressed(features: pd.DataFrame, split: Split, screen: Dataset) -> pd.DataFrame:
    """Return the features with rows for the shams, those of tested components."""
    tested = set(split.conditions_in(Role.TEST)["perturbation"])
    parts = screen.components
    worn = [
        name
        for name in sorted(set(parts.loc[parts["perturbation"].isin(tested), "component"]))
        if name in features.index
    ]
    known = set(split.conditions["perturbation"])
    shams = sorted(set(parts.loc[~parts["perturbation"].isin(known), "component"]))
    if not worn:
        return features
    rows = features.loc[[worn[number % len(worn)] for number in range(len(shams))]]
    return pd.concat([features, rows.set_axis(pd.Index(shams), axis=0)])
