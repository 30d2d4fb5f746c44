"""Cells made for means: where they come from, and how near their mean is to the one predicted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

from wildcell.errors import OptionError, PredictionError
from wildcell.names import CONTROL, Expression, Kind
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.synthesis import synthesise
from wildcell.scenarios.task import Cells
from wildcell.scenarios.thinning import _log_increased, _log_thinned
from wildcell.store.fingerprint import fingerprint
from wildcell.streams.spilled import HOLD_VARIABLE, are_rows_spilled

TARGET_SUM = 3000.0


def controls_of(contexts=("c0",), *, n_cells=150, n_genes=200, depth=2500.0, seed=0):
    """Return counts of control cells; their genes are half of what their depth counts."""
    rng = np.random.default_rng(seed)
    share = rng.lognormal(0, 1.6, (len(contexts), n_genes))
    share = np.repeat(share / share.sum(axis=1, keepdims=True), n_cells, axis=0)
    means = depth * rng.lognormal(0, 0.4, (len(share), 1)) * share
    counts = rng.negative_binomial(5, 5 / (5 + means)).astype(np.float32)
    obs = pd.DataFrame({"context": np.repeat(contexts, n_cells), "perturbation": CONTROL})
    obs["control_group"] = obs["context"]
    obs["total_counts"] = 2.0 * counts.sum(axis=1)
    genes = np.array([f"g{i}" for i in range(n_genes)], dtype=object)
    return Cells(sparse.csr_matrix(counts), genes, obs, Expression.COUNTS, TARGET_SUM)


def asked(n=1, context="c0"):
    table = pd.DataFrame({"context": context, "perturbation": [f"p{i}" for i in range(n)]})
    return table.assign(control_group=table["context"])


def predicted(mean, conditions, controls, **changes):
    mean = np.broadcast_to(mean, (len(conditions), len(controls.genes)))
    return replace(Prediction(mean, conditions, controls.genes, Kind.MEAN), **changes)


def mean_of(cells):
    """Return the mean log value of each gene, from the counts and library sizes."""
    total = cells.obs["total_counts"].to_numpy()[:, None]
    return np.log1p(cells.X.toarray() / total * TARGET_SUM).mean(axis=0)


def make(mean, controls, *, n=1, seed=0, **options):
    conditions = asked(n)
    return synthesise(
        predicted(mean, conditions, controls),
        controls,
        conditions,
        seed=seed,
        **options,
    ).cells


def test_no_change_gives_back_the_controls_untouched():
    controls = controls_of()
    cells = make(controls.control_moments()[1].mean[0], controls)
    assert (cells.X != controls.X).nnz == 0
    assert np.array_equal(cells.obs["total_counts"], controls.obs["total_counts"])


def test_no_change_of_some_controls_gives_back_some_of_them():
    controls = controls_of()
    cells = make(controls.control_moments()[1].mean[0], controls, max_cells=40)
    known = {tuple(row) for row in controls.X.toarray()}
    drawn = [tuple(row) for row in cells.X.toarray()]
    assert len(set(drawn)) == 40
    assert set(drawn) <= known


@pytest.mark.parametrize("depth", [600.0, 2500.0, 15000.0])
@pytest.mark.parametrize("spread", [0.1, 0.4, 1.0])
def test_the_mean_of_the_cells_is_the_one_predicted(depth, spread):
    controls = controls_of(depth=depth)
    control = mean_of(controls)
    rng = np.random.default_rng(1)
    possible = np.log1p(TARGET_SUM) - 0.5
    mean = np.minimum(control * np.exp(rng.normal(0, spread, len(control))), possible)
    found = mean_of(make(mean, controls, n=40))
    counts = (control > 0.05) | (mean > 0.05)
    error = np.abs(found - mean)[counts] / mean[counts]
    assert np.median(error) < 0.015
    assert np.quantile(error, 0.95) < 0.06


def test_small_deltas_are_neither_shrunk_nor_blown_up():
    controls = controls_of(depth=15000.0)
    control = mean_of(controls)
    delta = np.where(np.arange(len(control)) % 2, 0.03, -0.03) * control
    found = mean_of(make(control + delta, controls, n=60)) - control
    for falls in (True, False):
        genes = (control > 0.1) & ((delta < 0) == falls)
        assert found[genes].sum() == pytest.approx(delta[genes].sum(), rel=0.05)


def test_counts_fall_where_the_mean_does_rise_where_it_does_and_else_stay():
    controls = controls_of()
    control = mean_of(controls)
    factor = np.resize([0.5, 1.0, 1.5], len(control))
    cells = make(control * factor, controls)
    change = cells.X.toarray() - controls.X.toarray()
    assert (change[:, factor < 1] <= 0).all()
    assert (change[:, factor == 1] == 0).all()
    assert (change[:, factor > 1] >= 0).all()
    assert (change < 0).any()
    assert (change > 0).any()


def test_cells_are_whole_counts_in_sparse_rows_with_the_library_sizes_of_the_controls():
    controls = controls_of()
    cells = make(mean_of(controls) * 1.3, controls, n=2)
    assert isinstance(cells.X, sparse.csr_matrix)
    assert (cells.X.data > 0).all()
    assert np.array_equal(cells.X.data, np.round(cells.X.data))
    assert cells.kind is Kind.CELLS
    assert cells.expression is Expression.COUNTS
    assert cells.target_sum == TARGET_SUM
    assert list(cells.obs.columns) == ["context", "perturbation", "total_counts"]
    assert list(cells.obs["perturbation"].unique()) == ["p0", "p1"]
    assert np.array_equal(cells.obs["total_counts"], [*controls.obs["total_counts"]] * 2)


def test_increments_are_proportional_to_library_sizes():
    controls = controls_of()
    cells = make(mean_of(controls) + 1.0, controls, n=20)
    added = np.asarray(cells.X.sum(axis=1) - sparse.vstack([controls.X] * 20).sum(axis=1)).ravel()
    by_cell = added.reshape(20, -1).mean(axis=0)
    sizes = controls.obs["total_counts"].to_numpy()
    assert np.corrcoef(by_cell, sizes)[0, 1] > 0.99
    np.testing.assert_allclose(by_cell / sizes, added.sum() / 20 / sizes.sum(), rtol=0.2)


def test_a_mean_of_zero_silences_a_gene_and_a_silent_gene_can_be_raised():
    controls = controls_of()
    counts = controls.X.toarray()
    counts[:, 0] = 0
    controls = replace(controls, X=sparse.csr_matrix(counts))
    mean = mean_of(controls)
    mean[0], mean[1] = 0.8, 0.0
    found = mean_of(make(mean, controls, n=20))
    assert found[0] == pytest.approx(0.8, rel=0.03)
    assert found[1] == 0


def test_a_low_mean_is_reached_in_shallow_cells_too():
    controls = controls_of(n_genes=1, n_cells=400)
    silent = replace(
        controls,
        X=sparse.csr_matrix(controls.X.shape, dtype=np.float32),
        obs=controls.obs.assign(total_counts=10.0),
    )
    assert mean_of(make(0.05, silent, n=200)) == pytest.approx(0.05, rel=0.1)


def test_a_mean_that_no_cell_can_have_is_approached_in_finite_counts():
    controls = controls_of(n_genes=20)
    cells = make(50.0, controls)
    assert np.isfinite(cells.X.data).all()
    assert (mean_of(cells) > np.log1p(TARGET_SUM)).all()


def test_cells_of_no_depth_stay_empty():
    controls = controls_of(n_genes=20)
    counts = controls.X.toarray()
    counts[0] = 0
    obs = controls.obs.assign(total_counts=2.0 * counts.sum(axis=1))
    controls = replace(controls, X=sparse.csr_matrix(counts), obs=obs)
    cells = make(controls.control_moments()[1].mean[0] + 0.5, controls)
    assert cells.X[0].nnz == 0
    assert cells.X[1].nnz > 0


def test_each_condition_is_made_from_the_controls_of_its_own_group():
    controls = controls_of(["c0", "c1"], n_cells=30)
    conditions = pd.concat([asked(2, "c1"), asked(1, "c0")], ignore_index=True)
    names, moments = controls.control_moments()
    mean = moments.mean[names.get_indexer(conditions["control_group"])]
    cells = synthesise(predicted(mean, conditions, controls), controls, conditions).cells
    assert len(cells.obs) == 90
    for context in ("c0", "c1"):
        of_condition = (cells.obs["context"] == context) & (cells.obs["perturbation"] == "p0")
        own = (controls.obs["context"] == context).to_numpy()
        assert (cells.X[of_condition.to_numpy()] != controls.X[own]).nnz == 0


def test_genes_are_matched_by_name():
    controls = controls_of(n_genes=8)
    conditions, mean = asked(), mean_of(controls) * 0.5
    backwards = predicted(mean[::-1], conditions, controls, genes=controls.genes[::-1])
    turned = synthesise(backwards, controls, conditions).cells
    assert (turned.X != make(mean, controls).X).nnz == 0


def test_conditions_without_a_prediction_get_no_cells():
    controls = controls_of(n_genes=8)
    answered = asked(2).iloc[[1]]
    prediction = predicted(mean_of(controls), answered, controls)
    cells = synthesise(prediction, controls, asked(2)).cells
    assert set(cells.obs["perturbation"]) == {"p1"}


def test_no_condition_at_all_gives_no_cells():
    controls = controls_of(n_genes=8)
    prediction = predicted(mean_of(controls), asked(1), controls)
    cells = synthesise(prediction, controls, asked(0)).cells
    assert cells.X.shape == (0, 8)
    assert list(cells.obs.columns) == ["context", "perturbation", "total_counts"]


def test_cells_that_are_too_many_to_be_held_are_the_same_in_a_file(monkeypatch):
    controls = controls_of()
    mean = mean_of(controls) * 1.1
    held = make(mean, controls, n=3).X
    monkeypatch.setenv(HOLD_VARIABLE, "0")
    lying = make(mean, controls, n=3).X
    assert are_rows_spilled(lying)
    assert not are_rows_spilled(held)
    assert fingerprint(lying) == fingerprint(held)


def test_the_same_generator_gives_the_same_cells_and_the_controls_are_left_unchanged():
    controls = controls_of()
    before, mean = fingerprint(controls), mean_of(controls) * 1.2
    once, again, other = (make(mean, controls, seed=seed, max_cells=50) for seed in (1, 1, 2))
    assert fingerprint(once.X, once.obs) == fingerprint(again.X, again.obs)
    assert fingerprint(once.X) != fingerprint(other.X)
    assert fingerprint(controls) == before


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0, 20.0])
def test_the_expected_log_of_thinned_counts_is_within_one_percent_of_the_sum_over_outcomes(scale):
    for count in (1, 2, 3, 6, 12):
        for share in (0.02, 0.2, 0.5, 0.9, 1.0):
            outcomes = np.arange(count + 1)
            exact = stats.binom.pmf(outcomes, count, share) @ np.log1p(scale * outcomes)
            found = _log_thinned(np.array([float(count)]), share, np.array([scale]))[0]
            assert found == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0, 20.0])
def test_the_expected_log_of_increased_counts_is_within_one_percent_of_the_sum(scale):
    outcomes = np.arange(400)
    for count in (0.0, 1.0, 4.0):
        for added in (1e-6, 0.05, 0.5, 2.0, 10.0, 100.0):
            exact = stats.poisson.pmf(outcomes, added) @ np.log1p(scale * (count + outcomes))
            found = _log_increased(np.array([count]), np.array([added]), np.array([scale]))[0]
            assert found == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": Kind.CELLS}, "the prediction is of kind cells"),
        ({"expression": Expression.LOG2}, "in log2"),
        ({"target_sum": 1e4}, "target sum of 10000, the controls to 3000"),
        ({"X": np.full((1, 8), np.nan)}, "not finite"),
        ({"genes": np.array([*"abcdefgh"], dtype=object)}, "lacks 8 of 8 genes"),
    ],
)
def test_a_prediction_that_cells_cannot_be_made_for_is_refused(changes, message):
    controls = controls_of(n_genes=8)
    prediction = predicted(1.0, asked(), controls, **changes)
    with pytest.raises(PredictionError, match=message):
        synthesise(prediction, controls, asked())


def test_controls_that_are_not_counts_are_refused():
    controls = replace(controls_of(n_genes=8), expression=Expression.LOGNORM)
    with pytest.raises(PredictionError, match="counts alone; these are lognorm"):
        make(1.0, controls)


def test_a_control_group_without_controls_is_named():
    controls, conditions = controls_of(n_genes=8), asked(1, "c9")
    with pytest.raises(PredictionError, match="no given controls of control group 'c9'"):
        synthesise(predicted(1.0, conditions, controls), controls, conditions)


def test_two_means_of_one_condition_are_refused():
    controls = controls_of(n_genes=8)
    twice = pd.concat([asked(), asked()], ignore_index=True)
    with pytest.raises(PredictionError, match="several means of one condition"):
        synthesise(predicted(1.0, twice, controls), controls, asked())


def test_fewer_than_one_cell_is_refused():
    with pytest.raises(OptionError, match="max_cells must be 1 or more; it is 0"):
        make(1.0, controls_of(n_genes=8), max_cells=0)
