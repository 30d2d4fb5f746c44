"""Sham perturbations: control cells, or guides that target nothing, tested as if perturbed."""

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
    """A screen and its split."""

    dataset: Dataset
    split: Split


def with_shams(dataset: Dataset, split: Split, *, n: int) -> Posed:
    """Test some controls of each tested group as if they had been perturbed.

    They show what each metric says where nothing was done, and how often a claim is made of
    nothing. A sham takes as many cells as the group's median tested condition, or a tenth of its
    controls if that is less; whole guides where controls of a genetic screen have several (named
    by `replicate`). Groups with too few controls have none.

    Models are not asked about shams, which they could tell by the name: what they answer for a
    tested perturbation is judged as if it had done nothing (`Truth.answered_by`).

    Parameters
    ----------
    dataset, split
        The screen and the roles of its conditions.
    n
        Shams a control group, at most.

    Returns
    -------
    The screen with its shams, tested conditions of the category `sham`; the same screen where
    none could be made.
    """
    labels = _labels(dataset, split, n)
    if not (labels != "").any():
        return Posed(dataset, split)
    screen = _relabelled(dataset, labels)
    return Posed(screen, _asked(screen, split, is_sham_cell=labels != ""))


def _labels(dataset: Dataset, split: Split, n: int) -> Names:
    """Return the sham of each cell, "" for none, shape (n_cells,).

    Seeds 2j and 2j + 1 choose the same, so that they go on swapping the halves of the other
    controls. Folds that test parts of a context choose others each.
    """
    labels = np.full(dataset.cells.n_obs, "", dtype=object)
    if n < 1:
        return labels
    tested = split.conditions_in(Role.TEST)
    n_of_context = split.conditions["context"].value_counts()
    for context, of_context in tested.groupby("context", sort=True):
        groups = of_context.groupby("control_group", sort=True)["n_cells"]
        turn = 0 if len(of_context) == n_of_context[context] else split.fold
        number = turn * n * len(groups)
        for group, sizes in groups:
            rng = np.random.default_rng([split.seed // 2, crc32(str(group).encode())])
            size = int(sizes.median())
            for rows in _choose(dataset, str(group), size=size, n=n, turn=turn, rng=rng):
                number += 1
                labels[rows] = f"{SHAM}-{number}"
    return labels


def _choose(
    dataset: Dataset, group: str, *, size: int, n: int, turn: int, rng: np.random.Generator
) -> list[Codes]:
    """Return the rows of each sham of a control group, others at each turn."""
    of_group = (dataset.cells.obs["control_group"].astype(str) == group).to_numpy()
    rows = np.flatnonzero(dataset.is_control & of_group)
    if len(rows) < MIN_CONTROLS:
        return []
    most = int(LARGEST_SHARE * len(rows))
    guides = _guides(dataset, rows)
    if guides is None:
        parts = np.array_split(rng.permutation(rows), -(-len(rows) // min(size, most)))
    else:
        parts = [rows[guides == guide] for guide in rng.permutation(sorted(set(guides)))]
    fit = [np.sort(part) for part in parts if MIN_CELLS <= len(part) <= 2 * most]
    n_taken = min(n, len(fit) // 2)
    return [fit[(turn * n_taken + number) % len(fit)] for number in range(n_taken)]


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
