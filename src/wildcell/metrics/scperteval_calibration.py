"""How scPertEval 0.2 calibrates its protocols: between what a duplicate and a mean would score.

The truth is the first half of each perturbation's cells. Of protocols on means the duplicate is
interpolated: the second half's mean where a gene differs from the other perturbations, their mean
where it does not (Miller et al. 2025). Of the others it is the second half's cells.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from wildcell.arrays import Floats, Names, moments
from wildcell.metrics.differential import benjamini_hochberg
from wildcell.metrics.evidence import Cloud, Evidence, Side, remember, side_of_cells
from wildcell.metrics.preset import PRESETS, PresetMetric
from wildcell.metrics.scperteval_protocols import (
    against,
    cell_moments,
    mean_of_others,
    others,
    predicted_size,
)

PRESET = "scperteval"
MOST_OTHERS = 2_000
"""Cells of other perturbations that stand for each, at most."""

AROUND_OTHERS = ("pearson_pert", "r2_pert", "weighted_r2_pert_exp2")
RANKS = ("rank", "transpose_rank", "nir")
OF_TESTS = ("de_auprc", "de_auroc", "de_overlap_k=20")
EPSILON = 1e-6
TIES_SEED = 42


class Halves(NamedTuple):
    """All cells of some perturbations, and either half of each one's."""

    whole: Side
    first: Side
    second: Side


def halved(cells: Cloud, controls: Cloud, n: int, rng: np.random.Generator) -> Halves:
    """Halve the cells of each perturbation, the smaller half first.

    Parameters
    ----------
    cells
        Log values, groups 0 to n - 1.
    controls
        Log values of the controls, group 0.
    n
        Number of perturbations.
    rng
        Draws the halves.
    """
    is_first = np.zeros(len(cells.codes), dtype=bool)
    for group in range(n):
        rows = rng.permutation(np.flatnonzero(cells.codes == group))
        is_first[rows[: len(rows) // 2]] = True
    first, second = (
        side_of_cells(Cloud(cells.X[rows], cells.codes[rows]), n, controls)
        for rows in (is_first, ~is_first)
    )
    return Halves(side_of_cells(cells, n, controls), first, second)


def calibrate(halves: Halves, perturbations: tuple[str, ...], genes: Names) -> pd.DataFrame:
    """Return where each protocol's duplicate lies between the mean and perfection.

    Parameters
    ----------
    halves
        Of log values at 10,000.
    perturbations, genes
        Their names.

    Returns
    -------
    One row a protocol: metric, drf_mean and drf_median (the dynamic range fraction, over
    perturbations), bds (how often the duplicate is better than the mean), n.
    """
    truth = Evidence(perturbations, genes, halves.first, halves.second, halves.whole)
    duplicate = Evidence(
        perturbations, genes, halves.first, _interpolated(truth, halves), halves.whole
    )
    rows = [
        _calibrated(metric, duplicate, _negative(metric.name, truth, halves))
        for metric in PRESETS.get(PRESET).metrics
    ]
    return pd.DataFrame(rows)


def _interpolated(evidence: Evidence, halves: Halves) -> Side:
    """Return the second half, its means drawn to the others' where a gene does not differ."""
    test = against(cell_moments(halves.second), others(halves.whole))
    share = np.nan_to_num(1 - benjamini_hochberg(test.p_value), nan=0.0)
    second = halves.second
    mean = share * second.mean + (1 - share) * mean_of_others(evidence)
    return Side(mean, second.n_cells, second.control, second.cells, second.controls)


def _negative(name: str, evidence: Evidence, halves: Halves) -> Evidence:
    """Return the answer that knows nothing of a perturbation: the others, or the controls."""
    whole = halves.whole
    means = mean_of_others(evidence)
    if name in AROUND_OTHERS:
        means = np.broadcast_to(np.asarray(whole.control), means.shape)
    if name in RANKS:
        means = np.broadcast_to(whole.mean.mean(axis=0), means.shape)
    side = Side(means, whole.n_cells, whole.control, _cells_of_others(whole), whole.controls)
    found = Evidence(evidence.perturbations, evidence.genes, halves.first, side, whole)
    if name in OF_TESTS:
        assert whole.controls is not None
        controls = moments(whole.controls.X, whole.controls.codes, 1)
        remember(found, predicted_size, np.abs(against(others(whole), controls).statistic))
    return found


def _cells_of_others(whole: Side) -> Cloud:
    """Return cells of all other perturbations for each, drawn by its number."""
    assert whole.cells is not None
    rows = [_some(np.flatnonzero(whole.cells.codes != group), group) for group in range(whole.n)]
    codes = np.repeat(np.arange(whole.n), [len(some) for some in rows])
    return Cloud(whole.cells.X[np.concatenate(rows)], codes)


def _some(rows: np.ndarray, seed: int) -> np.ndarray:
    if len(rows) <= MOST_OTHERS:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, MOST_OTHERS, replace=False))


def _calibrated(
    metric: PresetMetric, duplicate: Evidence, negative: Evidence
) -> dict[str, float | str]:
    with np.errstate(divide="ignore", invalid="ignore"):
        positive, null = metric.compute(duplicate), metric.compute(negative)
    if metric.name == "rank":
        null = _places_of_ties(len(null))
    fraction = dynamic_range(positive, null, best=metric.best)
    wins = positive > null if metric.best == "high" else positive < null
    return {
        "metric": metric.name,
        "drf_mean": float(np.nanmean(fraction)),
        "drf_median": float(np.nanmedian(fraction)),
        "bds": float(wins.mean()),
        "n": int(np.isfinite(fraction).sum()),
    }


def _places_of_ties(n: int) -> Floats:
    """Return the places that predictions have which are all the same, as the package draws them."""
    noise = np.random.default_rng(TIES_SEED).uniform(size=(n, n))
    return np.asarray(np.diag(noise.argsort(axis=0).argsort(axis=0)) / max(n - 1, 1))


def dynamic_range(positive: Floats, negative: Floats, *, best: str) -> Floats:
    """Return (positive - negative) / (perfect - negative), cut at -1 and 1.

    NaN where the negative control is not finite, or beyond perfection.

    Examples
    --------
    >>> dynamic_range(np.array([0.6]), np.array([0.2]), best="high").round(3).tolist()
    [0.5]
    """
    sign, perfect = (1.0, 1.0) if best == "high" else (-1.0, 0.0)
    room = sign * (perfect - negative)
    with np.errstate(invalid="ignore"):
        fraction = np.clip(sign * (positive - negative) / (room + EPSILON), -1, 1)
    return np.where(np.isfinite(negative) & (room >= 0), fraction, np.nan)
