"""What all presets keep to, and PerturBench's formulas by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.metrics.evidence import Cloud, Evidence, Side, once, side_of_cells
from wildcell.metrics.preset import PRESETS
from wildcell.names import Status
from wildcell.results.preset_scores import score_evidence

NAMES = ("perturbench", "cell-eval-0.8", "scperteval", "systema", "vcbench", "vcc2026")
N = 12
GENES = np.array([f"g{i:02}" for i in range(40)], dtype=object)
PERTURBATIONS = tuple(f"g{i:02}" for i in range(N))
WORSE = 1e-9


def cloud(rng, means, n):
    counts = rng.poisson(np.repeat(means, n, axis=0)).astype(np.float32)
    return Cloud(sparse.csr_matrix(counts), np.repeat(np.arange(len(means)), n))


def in_logs(of):
    rows = of.X.copy()
    rows.data = np.log1p(rows.data)
    return replace(of, X=rows)


@pytest.fixture(scope="module")
def counts():
    """Truth, controls and a prediction of half the effect."""
    rng = np.random.default_rng(8)
    base = rng.gamma(2.0, 4.0, 40)
    effect = np.exp(rng.normal(0, 0.8, (N, 40)) * (rng.random((N, 40)) < 0.5))
    truth, controls = cloud(rng, base * effect, 40), cloud(rng, base[None], 90)
    return truth, controls, cloud(rng, base * (1 + effect) / 2, 40)


def evidence(preset, truth, prediction, controls):
    shown = (truth, prediction, controls)
    if not preset.needs_counts:
        shown = tuple(map(in_logs, shown))
    truth, prediction, controls = shown
    sides = (side_of_cells(cells, len(PERTURBATIONS), controls) for cells in (truth, prediction))
    return Evidence(PERTURBATIONS, GENES, *sides)


def values(preset, *clouds):
    table = score_evidence(preset, evidence(preset, *clouds))
    return table.pivot_table(
        index="perturbation", columns="metric", values="value", dropna=False, sort=False
    )


@pytest.mark.parametrize("name", NAMES)
def test_scores_have_unique_names_and_a_sentence_each(name):
    preset = PRESETS.get(name)
    metrics = [metric.name for metric in preset.metrics]
    assert len(set(metrics)) == len(metrics)
    assert preset.name == name
    for metric in preset.metrics:
        assert callable(metric.compute)
        assert metric.best in {"high", "low", "neither"}


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_is_no_worse_than_half_of_it(name, counts):
    truth, controls, half = counts
    preset = PRESETS.get(name)
    best, worse = (values(preset, truth, answer, controls).mean() for answer in (truth, half))
    for metric in preset.metrics:
        sign = {"high": 1, "low": -1, "neither": 0}[metric.best]
        if metric.name.startswith("expr_mse_unbiased"):
            continue  # noise is taken off that an exact copy does not have
        assert sign * (best[metric.name] - worse[metric.name]) >= -WORSE, metric.name


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_cells_and_genes_does_not_matter(name, counts):
    truth, controls, half = counts
    preset = PRESETS.get(name)
    order = np.random.default_rng(0).permutation(40)
    before = evidence(preset, truth, half, controls)
    shuffled = [Cloud(one.X[:, order], one.codes) for one in (truth, half, controls)]
    after = replace(evidence(preset, *shuffled), genes=GENES[order])
    ties = ("pca_", "overlap", "precision", "deg_", "direction", "reach")  # of genes, or a solver
    for metric in preset.metrics:
        if not any(word in metric.name for word in ties):
            np.testing.assert_allclose(
                metric.compute(before),
                metric.compute(after),
                rtol=1e-3,
                atol=1e-5,
                err_msg=metric.name,
            )


@pytest.mark.parametrize("name", NAMES)
def test_means_alone_have_no_scores_of_cells(name, counts):
    truth, controls, half = counts
    preset = PRESETS.get(name)
    full = evidence(preset, truth, half, controls)
    given = full.prediction
    means = Side(given.mean, np.zeros(N, dtype=int), given.control)
    table = score_evidence(preset, replace(full, prediction=means, memo={}))
    unscored = table[table["status"] == Status.NEEDS_CELLS]
    assert unscored["value"].isna().all()
    needy = {metric.name for metric in preset.metrics if "cells" in metric.needs}
    assert set(unscored["metric"]) == needy
    assert (table.loc[~table["metric"].isin(needy), "status"] == Status.OK).all()


@pytest.mark.parametrize("name", [name for name in NAMES if PRESETS.get(name).of_cells])
def test_scores_without_cells_are_those_of_the_cells_that_were_let_go_of(name, counts):
    truth, controls, half = counts
    preset = PRESETS.get(name)
    full = evidence(preset, truth, half, controls)
    reduced = replace(
        full, truth=preset.reduced(full.truth), prediction=preset.reduced(full.prediction), memo={}
    )
    assert reduced.truth.cells is None
    assert reduced.prediction.cells is None
    pd.testing.assert_frame_equal(score_evidence(preset, reduced), score_evidence(preset, full))


def test_a_prediction_without_controls_has_no_deltas_where_its_own_count(counts):
    truth, controls, half = counts
    preset = PRESETS.get("cell-eval-0.8")
    full = evidence(preset, truth, half, controls)
    bare = side_of_cells(in_logs(half), N, None)
    table = score_evidence(preset, replace(full, prediction=bare, memo={}))
    scored = set(table.loc[table["status"] == Status.OK, "metric"])
    assert scored == {"mse", "mae"}
    assert set(table["status"]) == {Status.OK, Status.TOO_FEW_CONTROLS}


def test_silence_is_flat_and_no_number(counts):
    truth, controls, _ = counts
    preset = PRESETS.get("vcbench")
    full = evidence(preset, truth, truth, controls)
    mean = np.broadcast_to(full.truth.control, full.truth.mean.shape).copy()
    silent = Side(mean, np.zeros(N, dtype=int), full.truth.control)
    table = score_evidence(preset, replace(full, prediction=silent, memo={}))
    deltas = table[table["metric"] == "pearson_delta"]
    assert set(deltas["status"]) == {Status.FLAT}
    assert deltas["value"].isna().all()


def test_controls_are_scored_against_themselves_where_the_package_does(counts):
    truth, controls, half = counts
    table = values(PRESETS.get("vcbench"), truth, half, controls)
    own = table.loc["control", ["energy_distance", "sinkhorn_divergence"]]
    assert own["energy_distance"] < 0
    assert own["sinkhorn_divergence"] == 0
    assert table.loc["control"].drop(own.index).filter(regex="^(?!pca_)").isna().all()


def test_what_is_shared_is_computed_once():
    calls = []

    @once
    def counted(side):
        calls.append(side)
        return side.mean.sum()

    side = Side(np.ones((1, 2)), np.ones(1, dtype=int), None)
    assert counted(side) == counted(side) == 2
    assert len(calls) == 1
    assert counted(replace(side, mean=np.zeros((1, 2)), memo={})) == 0


HAND = Evidence(
    ("a", "b", "c"),
    np.array(["x", "y"], dtype=object),
    Side(
        np.array([[0.9, 0.4], [0.4, 1.5], [3.1, 0.4]]), np.ones(3, dtype=int), np.array([0.4, 0.4])
    ),
    Side(
        np.array([[0.9, 0.9], [0.4, 1.5], [0.9, 0.4]]), np.ones(3, dtype=int), np.array([0.4, 0.4])
    ),
)


def by_hand(name):
    found = {metric.name: metric.compute for metric in PRESETS.get("perturbench").metrics}
    return found[name](HAND)


def test_perturbench_error_is_the_root_of_the_mean_square():
    np.testing.assert_allclose(by_hand("rmse_average"), [np.sqrt(0.125), 0.0, np.sqrt(2.42)])


def test_perturbench_cosine_is_of_log2_ratios_of_means_plus_a_tenth():
    # log2((0.9 + 0.1) / (0.4 + 0.1)) = 1, of 0.4 it is 0, so (1, 1) is held against (1, 0)
    np.testing.assert_allclose(by_hand("cosine_logfc"), [np.sqrt(0.5), 1.0, 1.0])


def test_perturbench_ranks_look_from_each_truth_at_all_predictions():
    # squared distances of truth a to the predictions a, b, c: 0.25, 1.46, 0; of truth c to
    # a, b, c: 5.09, 8.5, 4.84; places 1, 0, 0 of the 2 others
    np.testing.assert_allclose(by_hand("rmse_rank_average"), [0.5, 0.0, 0.0])
    # by cosine, truth a is at 0.71 to prediction a, at 0 to b and at 1 to c
    np.testing.assert_allclose(by_hand("cosine_rank_logfc"), [0.5, 0.0, 0.0])
