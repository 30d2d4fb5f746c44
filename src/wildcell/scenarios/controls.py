"""Controls in two halves, one given and one kept, and whether the kept ones can carry a delta."""

from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wildcell.arrays import Booleans, Moments
from wildcell.datasets.dataset import Dataset
from wildcell.scenarios.task import Cells


def kept_controls(dataset: Dataset, groups: set[str], *, seed: int) -> Booleans:
    """Mark the half of each group's controls that is kept for judging, shape (n_cells,).

    Halves are stratified by batch and replicate. Seeds come in pairs: 2j + 1 swaps the halves of
    2j, so that a mean over both carries no noise of the halving.
    """
    obs = dataset.cells.obs
    kept = np.zeros(len(obs), dtype=bool)
    group_of = obs["control_group"].astype(str).to_numpy()
    strata = (obs["batch"].astype(str) + "\x1f" + obs["replicate"].astype(str)).to_numpy()
    for group in groups:
        rng = np.random.default_rng([seed // 2, crc32(group.encode())])
        rows = np.flatnonzero(dataset.is_control & (group_of == group))
        first_half = halve(strata[rows], rng)
        kept[rows] = ~first_half if seed % 2 else first_half
    return kept


def common_controls(dataset: Dataset, *, seed: int) -> Booleans:
    """Mark the half of every group's controls that models may see in all arms, shape (n_cells,).

    It is the half that a group gives where it is tested, whether or not it is: no arm, and no
    fold, has others.
    """
    groups = set(dataset.cells.obs.loc[dataset.is_control, "control_group"].astype(str))
    return dataset.is_control & ~kept_controls(dataset, groups, seed=seed)


def halve(strata: NDArray[np.object_], rng: np.random.Generator) -> Booleans:
    """Mark one half of some cells, chosen at random within strata, shape (n_cells,)."""
    shuffled = rng.permutation(len(strata))
    order = shuffled[np.argsort(strata[shuffled], kind="stable")]
    half = np.zeros(len(strata), dtype=bool)
    half[order[::2]] = True
    return half


def noisy_groups(perturbed: Cells, controls: Cells) -> tuple[str, ...]:
    """Return the control groups whose kept half is too noisy to measure effects against.

    At the median condition of the group the noise N_k of the kept half exceeds the effect S and
    the cells' noise N_p together. Measured against the whole group, of noise N = N_k / 2, the
    squared delta |D|^2 is S + N_p + N on average, so that N_k > S + N_p is |D|^2 < 3 N. The
    whole group is looked at so that the answer does not depend on how it is halved.

    Parameters
    ----------
    perturbed
        All perturbed cells of the groups, tested or not.
    controls
        All controls of the groups.
    """
    conditions, measured = perturbed.condition_moments()
    names, whole = controls.control_moments()
    return noisy_by_moments(conditions["control_group"], measured, names, whole)


def noisy_by_moments(
    groups: "pd.Series[str]", measured: Moments, names: pd.Index, whole: Moments
) -> tuple[str, ...]:
    """Return what `noisy_groups` does, of moments that are known.

    Parameters
    ----------
    groups, measured
        The control group of each condition, and the moments of its cells.
    names, whole
        The names of the control groups, and the moments of all their controls.
    """
    group = names.get_indexer(groups)
    known = group >= 0
    delta = measured.mean[known] - whole.mean[group[known]]
    noise = whole.squared_error.sum(axis=1)[group[known]]
    excess = 3 * noise - np.einsum("cg,cg->c", delta, delta)
    return tuple(
        str(name)
        for row, name in enumerate(names)
        if (group == row).any() and np.median(excess[group[known] == row]) > 0
    )
