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


UNTESTED = "its control group is not tested"


class Posed(NamedTuple):
    """A screen and its split."""

    dataset: Dataset
    split: Split


def with_shams(dataset: Dataset, split: Split, *, n: int) -> Posed:
    """Set some controls of every group aside, and test those of tested groups as if perturbed.

    They show what each metric says where nothing was done, and how often a claim is made of
    nothing. A sham takes as many cells as the group's median condition, or a tenth of its controls
    if that is less; whole guides where controls of a genetic screen have several (named by
    `replicate`). Groups with too few controls have none.

    Seed and screen alone decide which cells are taken, so that all arms and folds have the same
    shams, and the same controls without them; in groups that are not tested they are unused.

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
    The screen with its shams, conditions of the category `sham`; the same screen where none could
    be made.
    """
    labels = _labels(dataset, n, seed=split.seed)
    if not (labels != "").any():
        return Posed(dataset, split)
    screen = _relabelled(dataset, labels)
    return Posed(screen, _asked(screen, split, is_sham_cell=labels != ""))


def _labels(dataset: Dataset, n: int, *, seed: int) -> Names:
    """Return the sham of each cell, "" for none, shape (n_cells,).

    Seeds 2j and 2j + 1 choose the same, so that they go on swapping the halves of the other
    controls.
    """
    labels = np.full(dataset.cells.n_obs, "", dtype=object)
    conditions = dataset.conditions.drop_duplicates(["context", "control_group"])
    sizes = dataset.conditions.groupby("control_group")["n_cells"].median().astype(int)
    number = conditions.sort_values(["context", "control_group"]).groupby("context").cumcount()
    for place, group in conditions["control_group"].drop_duplicates().items():
        rng = np.random.default_rng([seed // 2, crc32(str(group).encode())])
        taken = _choose(dataset, str(group), size=sizes[group], n=n, rng=rng)
        for turn, rows in enumerate(taken, start=1):
            labels[rows] = f"{SHAM}-{n * number[place] + turn}"
    return labels


def _choose(
    dataset: Dataset, group: str, *, size: int, n: int, rng: np.random.Generator
) -> list[Codes]:
    """Return the rows of each sham of a control group."""
    of_group = (dataset.cells.obs["control_group"].astype(str) == group).to_numpy()
    rows = np.flatnonzero(dataset.is_control & of_group)
    if n < 1 or len(rows) < MIN_CONTROLS:
        return []
    most = int(LARGEST_SHARE * len(rows))
    guides = _guides(dataset, rows)
    if guides is None:
        parts = np.array_split(rng.permutation(rows), -(-len(rows) // min(size, most)))
    else:
        parts = [rows[guides == guide] for guide in rng.permutation(sorted(set(guides)))]
    fit = [np.sort(part) for part in parts if MIN_CELLS <= len(part) <= 2 * most]
    return fit[: min(n, len(fit) // 2)]


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
    """Return the split with the shams of tested groups among what is tested, others unused."""
    known = pd.MultiIndex.from_frame(split.conditions[CONDITION])
    tested = set(split.conditions_in(Role.TEST)["control_group"])
    every = screen.conditions
    shams = every[~pd.MultiIndex.from_frame(every[CONDITION]).isin(known)]
    is_tested = shams["control_group"].isin(tested)
    shams = shams.assign(
        role=np.where(is_tested, str(Role.TEST), str(Role.UNUSED)),
        reason=np.where(is_tested, "", UNTESTED),
        category=SHAM,
    )
    conditions = pd.concat([split.conditions, shams], ignore_index=True)
    if split.cell_roles is None:
        return replace(split, conditions=conditions)
    groups = screen.cells.obs["control_group"].astype(str).isin(tested)
    roles = np.where(groups, str(Role.TEST), str(Role.UNUSED)).astype(object)
    roles[~screen.is_control & ~is_sham_cell] = split.cell_roles
    return replace(split, conditions=conditions, cell_roles=roles[~screen.is_control])
