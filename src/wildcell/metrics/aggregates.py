"""Scores of averages, deltas and fold changes of means, and column-wise ranks by them.

As PerturBench names and takes them: fold changes are of means of log1p values, and a rank is the
place of the own prediction among all predictions, seen from each truth, 0 the best.
"""

from dataclasses import replace
from functools import partial
from typing import Literal, TypeAlias

import numpy as np
from scipy import sparse

from wildcell.arrays import Floats
from wildcell.metrics.clouds import Comparison, compare
from wildcell.metrics.conditions import over_conditions
from wildcell.metrics.correlation import row_cosine, row_pearson, row_spearman
from wildcell.metrics.evidence import Cloud, Evidence, Side, once
from wildcell.metrics.nearest import own_place, profile_distances
from wildcell.metrics.pairwise import mean_distance_within
from wildcell.metrics.randomised_components import fit_published_components

View: TypeAlias = Literal["average", "delta", "logfc"]
Measure: TypeAlias = Literal["rmse", "pearson", "cosine", "spearman"]

PSEUDOCOUNT = 0.1
N_COMPONENTS = 50
MAX_CELLS = 2_000


def seen_as(evidence: Evidence, view: View) -> tuple[Floats, Floats]:
    """Return both sides as averages, deltas or fold changes, shape (n_perturbations, n_genes).

    A fold change without a logarithm, of a negative coordinate, is 0.
    """
    truth, prediction = evidence.truth, evidence.prediction
    if view == "average":
        return truth.mean, prediction.mean
    if view == "delta":
        return truth.delta, prediction.delta
    return fold_changes(truth), fold_changes(prediction)


@once
def fold_changes(side: Side) -> Floats:
    """Return log2 ratios of means of log values over the controls', 0.1 added to both."""
    with np.errstate(invalid="ignore"):
        lfc = np.log2(side.mean + PSEUDOCOUNT) - np.log2(side.centre + PSEUDOCOUNT)
    return np.nan_to_num(lfc)


def agreement(evidence: Evidence, view: View, measure: Measure) -> Floats:
    """Return an error or a correlation of the two sides, shape (n_perturbations,)."""
    true, predicted = seen_as(evidence, view)
    if measure == "rmse":
        return np.sqrt(((predicted - true) ** 2).mean(axis=1))
    correlate = {"pearson": row_pearson, "cosine": row_cosine, "spearman": row_spearman}[measure]
    return correlate(predicted, true, np.ones(true.shape, dtype=bool))


def column_rank(evidence: Evidence, view: View, measure: Measure, *, counts_itself: bool) -> Floats:
    """Return the place of each own prediction among all, over N or, without itself, N - 1."""
    true, predicted = seen_as(evidence, view)
    if measure == "pearson":
        true, predicted = (rows - rows.mean(axis=1, keepdims=True) for rows in (true, predicted))
    distances = profile_distances(predicted, true, "l2" if measure == "rmse" else "cosine")
    return own_place(distances.T, ties="half") / max(len(true) - (not counts_itself), 1)


@once
def comparisons(evidence: Evidence) -> list[Comparison]:
    """Return energy distance and Sinkhorn divergence of each perturbation's cells."""
    assert evidence.truth.cells is not None
    assert evidence.prediction.cells is not None
    of_truth, of_prediction = (
        partial(cloud.of, at_most=MAX_CELLS)
        for cloud in (evidence.truth.cells, evidence.prediction.cells)
    )
    return over_conditions(
        lambda i: compare(of_truth(i), of_prediction(i)), range(evidence.truth.n)
    )


def energy(evidence: Evidence) -> Floats:
    """Return the energy distance of the cells, pairs of one cell left out."""
    return np.array([one.energy for one in comparisons(evidence)])


def sinkhorn(evidence: Evidence) -> Floats:
    """Return the Sinkhorn divergence of the cells."""
    return np.array([one.sinkhorn for one in comparisons(evidence)])


@once
def energy_of_controls(evidence: Evidence) -> float:
    """Return the unbiased energy distance of the controls to themselves, which is below 0.

    The pairs of a cell with itself, at no distance, count between the two copies and not within.
    """
    assert evidence.truth.controls is not None
    controls = evidence.truth.controls.of(0, at_most=MAX_CELLS)
    return -2 * mean_distance_within(controls) / max(controls.shape[0], 1)


@once
def in_components(evidence: Evidence) -> Evidence:
    """Return evidence in 50 principal components of the true cells, controls among them."""
    truth = evidence.truth
    assert truth.cells is not None
    assert truth.controls is not None
    everyone = sparse.vstack([truth.cells.X, truth.controls.X], format="csr")
    components = fit_published_components(everyone, N_COMPONENTS, seed=0)

    def cloud(of: Cloud | None) -> Cloud | None:
        return None if of is None else Cloud(components.transform(of.X), of.codes)

    def side(of: Side) -> Side:
        control = None if of.control is None else components.transform(of.control[None])[0]
        return Side(
            components.transform(of.mean), of.n_cells, control, cloud(of.cells), cloud(of.controls)
        )

    return replace(
        evidence,
        genes=np.array([f"PC{i}" for i in range(components.loadings.shape[1])], dtype=object),
        truth=side(truth),
        prediction=side(evidence.prediction),
        memo={},
    )
