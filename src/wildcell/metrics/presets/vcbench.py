"""VCBench, the released evaluation of the in-the-wild benchmark."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from wildcell.arrays import Booleans, Floats
from wildcell.metrics.aggregates import (
    MAX_CELLS,
    agreement,
    column_rank,
    energy,
    energy_of_controls,
    in_components,
    sinkhorn,
)
from wildcell.metrics.correlation import row_pearson
from wildcell.metrics.evidence import Evidence, Side, once
from wildcell.metrics.pairwise import Cells
from wildcell.metrics.preset import PRESETS, Preset, PresetMetric
from wildcell.metrics.recovery import positions
from wildcell.names import Need

N_TOP = 50


def energy_with_controls(evidence: Evidence) -> Floats:
    """Energy distance of the cells, and last of the controls to themselves."""
    return np.append(energy(evidence), energy_of_controls(evidence))


def sinkhorn_with_controls(evidence: Evidence) -> Floats:
    """Sinkhorn divergence of the cells, and last of the controls to themselves: 0."""
    return np.append(sinkhorn(evidence), 0.0)


@once
def paired_cells(evidence: Evidence) -> Floats:
    """Mean correlation of predicted with true cells in file order; controls count as 1.

    The first cell of a perturbation is held against the first, and so on; what is left over of the
    longer side is not looked at. One number, repeated.
    """
    truth, prediction = evidence.truth, evidence.prediction
    assert truth.cells is not None
    assert prediction.cells is not None
    assert truth.controls is not None
    n_controls = truth.controls.X.shape[0]
    total, n_cells = 0.0, 0
    for group in range(truth.n):
        values = _row_correlations(truth.cells.of(group), prediction.cells.of(group))
        total, n_cells = total + np.nansum(values), n_cells + len(values)
    return np.full(truth.n, (total + n_controls) / (n_cells + n_controls))


def _row_correlations(first: Cells, second: Cells) -> Floats:
    n = min(first.shape[0], second.shape[0])
    one, other = (
        np.asarray(cells[:n] if isinstance(cells, np.ndarray) else cells[:n].toarray(), dtype=float)
        for cells in (first, second)
    )
    return row_pearson(one, other, np.ones(one.shape, dtype=bool))


@once
def _top(side: Side) -> Booleans:
    size = np.abs(side.delta)
    return positions(size, np.ones(size.shape, dtype=bool)) < N_TOP


def top_precision(evidence: Evidence) -> Floats:
    """Share of the 50 genes of largest delta that both sides have."""
    n_top = min(N_TOP, len(evidence.genes))
    return (_top(evidence.truth) & _top(evidence.prediction)).sum(axis=1) / n_top


def top_overlap(evidence: Evidence) -> Floats:
    """Intersection over union of the 50 genes of largest delta of both sides."""
    both = _top(evidence.truth) & _top(evidence.prediction)
    return both.sum(axis=1) / (_top(evidence.truth) | _top(evidence.prediction)).sum(axis=1)


def in_pca(compute: Callable[[Evidence], Floats], evidence: Evidence) -> Floats:
    """Compute a score in 50 principal components of the truth."""
    return compute(in_components(evidence))


RANK = partial(column_rank, counts_itself=True)
CELLS, DELTA = frozenset({Need.CELLS}), frozenset({Need.DELTA})
OF_MEANS = (
    PresetMetric("rmse_average", partial(agreement, view="average", measure="rmse"), "low"),
    PresetMetric(
        "rmse_rank_average", partial(RANK, view="average", measure="rmse"), "low", null=0.5
    ),
    PresetMetric(
        "cosine_logfc",
        partial(agreement, view="logfc", measure="cosine"),
        "high",
        null=0.0,
        needs=DELTA,
    ),
    PresetMetric(
        "cosine_rank_logfc",
        partial(RANK, view="logfc", measure="cosine"),
        "low",
        null=0.5,
        needs=DELTA,
    ),
    PresetMetric(
        "pearson_delta",
        partial(agreement, view="delta", measure="pearson"),
        "high",
        null=0.0,
        needs=DELTA,
    ),
    PresetMetric(
        "pearson_rank_delta",
        partial(RANK, view="delta", measure="pearson"),
        "low",
        null=0.5,
        needs=DELTA,
    ),
    PresetMetric("pearson_average", partial(agreement, view="average", measure="pearson"), "high"),
    PresetMetric(
        "pearson_rank_average",
        partial(RANK, view="average", measure="pearson"),
        "low",
        null=0.5,
    ),
    PresetMetric(
        "spearman_logfc",
        partial(agreement, view="logfc", measure="spearman"),
        "high",
        null=0.0,
        needs=DELTA,
    ),
)


def _in_pca(metric: PresetMetric) -> PresetMetric:
    """Return a score as it is in components, where no score is defined by means alone."""
    return replace(
        metric,
        name=f"pca_{metric.name}",
        compute=partial(in_pca, metric.compute),
        needs=metric.needs,
        scores_controls=metric.scores_controls,
    )


OF_CELLS = (
    PresetMetric("pcc_no_aggr", paired_cells, "high", needs=CELLS),
    PresetMetric(
        "energy_distance",
        energy_with_controls,
        "low",
        needs=CELLS,
        scores_controls=True,
        max_cells=MAX_CELLS,
    ),
    PresetMetric(
        "sinkhorn_divergence",
        sinkhorn_with_controls,
        "low",
        needs=CELLS,
        scores_controls=True,
        max_cells=MAX_CELLS,
    ),
)

PRESETS.add(
    "vcbench",
    Preset(
        name="vcbench",
        mirrors="VCBench d66d849",
        summary="The released evaluation of the benchmark in the wild.",
        controls="truth",
        target_sum=10_000.0,
        metrics=(
            *OF_MEANS,
            *OF_CELLS,
            *(_in_pca(metric) for metric in (*OF_MEANS, *OF_CELLS)),
            PresetMetric("deg_iou", top_overlap, "high", null=0.0, needs=DELTA),
            PresetMetric("deg_precision", top_precision, "high", null=0.0, needs=DELTA),
            PresetMetric("deg_recall", top_precision, "high", null=0.0, needs=DELTA),
        ),
    ),
)
