"""Predictions are brought to the truth's genes and scale, or refused with what would do."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.datasets.values import summarise_values
from wildcell.errors import PredictionError
from wildcell.names import CONDITION, CONTROL, Expression, Kind
from wildcell.scenarios.answer import (
    as_cells,
    check_conditions,
    check_values,
    gene_columns,
    mean_rows,
    to_truth,
)
from wildcell.scenarios.pose import pose
from wildcell.scenarios.prediction import Prediction, predicted_means
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.store.fingerprint import fingerprint
from wildcell.streams import matrix
from wildcell.streams.spilled import HOLD_VARIABLE, are_rows_spilled
from wildcell.testing import toy_screen


@pytest.fixture(scope="module")
def question():
    scenario, screen = replace(load_scenario("unseen-context"), genes="all"), toy_screen()
    return pose(screen, make_splits(scenario, screen, seed=0)[0], scenario)


@pytest.fixture(scope="module")
def truth(question):
    return question.truth


@pytest.fixture
def means(question):
    """The given controls' mean for every condition."""
    return predicted_means(question.task.query, question.task.query.control_mean)


@pytest.fixture
def counts(truth):
    """The test cells themselves, as predicted counts."""
    return Prediction(truth.test.X, truth.test.obs, truth.test.genes, Kind.CELLS, Expression.COUNTS)


def test_genes_are_matched_by_name(truth, means, counts):
    order = np.random.default_rng(0).permutation(len(means.genes))
    for prediction in (means, counts):
        shuffled = replace(prediction, X=prediction.X[:, order], genes=prediction.genes[order])
        expected, found = (to_truth(one, truth) for one in (prediction, shuffled))
        assert list(found.genes) == list(truth.test.genes)
        assert np.abs(found.X - expected.X).max() == 0


def test_genes_beyond_those_of_the_truth_are_left_out(truth, means):
    more = replace(
        means,
        X=np.hstack([np.full((len(means.X), 1), 3.0), means.X]),
        genes=np.append(np.array(["EXTRA"], dtype=object), means.genes),
    )
    np.testing.assert_allclose(to_truth(more, truth).X, means.X)


def test_missing_and_doubled_genes_are_named(truth, means):
    few = replace(means, X=means.X[:, 2:], genes=means.genes[2:])
    with pytest.raises(PredictionError, match=r"lacks 2 of 60 genes: G0001, G0002\..*common"):
        to_truth(few, truth)
    twice = np.append(means.genes[1:], means.genes[1])
    with pytest.raises(PredictionError, match="genes twice: G0002"):
        gene_columns(twice, means.genes)


def test_rows_of_controls_are_passed_over(truth, means, question):
    controls = means.obs[:2].assign(perturbation=CONTROL)
    more = replace(
        means,
        X=np.vstack([np.full((2, 60), -1.0), means.X]),
        obs=pd.concat([controls, means.obs], ignore_index=True),
    )
    check_conditions(more.obs, question.task.query.conditions)
    found = to_truth(more, truth)
    assert CONTROL not in set(found.obs["perturbation"])
    np.testing.assert_allclose(found.X, means.X)


def test_counts_become_log_values_at_the_depth_of_the_truth(truth, counts):
    found = to_truth(counts, truth)
    assert found.expression is Expression.LOGNORM
    assert found.target_sum == truth.test.target_sum
    np.testing.assert_allclose(found.X.toarray(), truth.test.lognorm.toarray(), rtol=1e-6)


def test_counts_that_are_too_many_to_be_held_become_the_same_log_values(truth, counts, monkeypatch):
    few = matrix.stretches
    monkeypatch.setattr(matrix, "stretches", lambda bounds, _: few(bounds, 500))
    reversed_genes = replace(counts, X=counts.X[:, ::-1], genes=counts.genes[::-1])
    held = [to_truth(one, truth).X for one in (counts, reversed_genes)]
    monkeypatch.setenv(HOLD_VARIABLE, "0")
    for one, wanted in zip((counts, reversed_genes), held, strict=True):
        lying = to_truth(one, truth).X
        assert are_rows_spilled(lying)
        assert fingerprint(lying) == fingerprint(wanted)


def test_library_sizes_are_row_sums_where_all_genes_are_there(truth, counts):
    bare = replace(counts, obs=counts.obs[CONDITION])
    np.testing.assert_allclose(
        to_truth(bare, truth).X.toarray(), to_truth(counts, truth).X.toarray()
    )


def test_library_sizes_of_a_panel_must_be_stated(truth, counts):
    cells = replace(truth.test, obs=truth.test.obs.assign(total_counts=9e3))
    panel = replace(truth, test=cells)
    with pytest.raises(PredictionError, match=r"State them in obs\['total_counts'\]"):
        to_truth(replace(counts, obs=counts.obs[CONDITION]), panel)
    assert to_truth(counts, panel).X.shape == counts.X.shape


def test_log_values_at_another_depth_are_brought_to_that_of_the_truth(truth, counts):
    depth = counts.obs["total_counts"].to_numpy()[:, None]
    log_values = np.log1p(counts.X.toarray() / depth * 1e4)
    prediction = replace(
        counts, X=sparse.csr_matrix(log_values), expression=Expression.LOGNORM, target_sum=1e4
    )
    expected = to_truth(counts, truth).X.toarray()
    np.testing.assert_allclose(to_truth(prediction, truth).X.toarray(), expected, rtol=1e-4)


def test_log_values_without_a_depth_are_taken_as_they_are(truth, means):
    bare = replace(means, target_sum=None)
    np.testing.assert_allclose(to_truth(bare, truth).X, means.X)


def test_means_at_another_depth_cannot_be_brought_to_that_of_the_truth(truth, means):
    with pytest.raises(PredictionError, match="library size of 10000"):
        to_truth(replace(means, target_sum=1e4), truth)


def test_means_of_log_values_keep_double_precision(truth, means):
    X = np.full(means.X.shape, 1.0 + 1e-12)
    assert (to_truth(replace(means, X=X), truth).X == X).all()


def array_truth(truth):
    cells = replace(truth.test, expression=Expression.LOG2, target_sum=None)
    return replace(truth, test=cells)


def test_scales_of_arrays_and_of_sequencing_do_not_mix(truth, means):
    array = replace(means, expression=Expression.LOG2)
    with pytest.raises(PredictionError, match="prediction is log2 and the truth counts"):
        to_truth(array, truth)
    with pytest.raises(PredictionError, match="prediction is lognorm and the truth log2"):
        to_truth(means, array_truth(truth))
    below_zero = replace(array, X=means.X - 5, target_sum=None)
    np.testing.assert_allclose(to_truth(below_zero, array_truth(truth)).X, means.X - 5)


def test_counts_cannot_be_held_to_log_values_of_an_unknown_library_size(truth, counts):
    logged = replace(
        truth.test, X=truth.test.lognorm, expression=Expression.LOGNORM, target_sum=None
    )
    with pytest.raises(PredictionError, match="log values of a library size that is not known"):
        to_truth(counts, replace(truth, test=logged))


def test_unknown_values_are_found_with_their_condition(truth, means):
    X = means.X.copy()
    X[4, 7], X[9, 1] = np.nan, np.inf
    condition = rf"\('{means.obs['context'][4]}', '{means.obs['perturbation'][4]}'\)"
    condition = condition.replace("+", r"\+")
    with pytest.raises(PredictionError, match=rf"2 values .* first in condition {condition}"):
        to_truth(replace(means, X=X), truth)


@pytest.mark.parametrize(
    ("X", "expression", "message"),
    [
        ([[0.0, -0.5]], Expression.LOGNORM, r"called lognorm but holds negative.*-0\.5"),
        ([[0.0, -2.0]], Expression.COUNTS, "called counts but holds negative"),
        ([[1.0, 2.5]], Expression.COUNTS, r"holds fractions, such as 2\.5.*lognorm"),
        ([[1.0, 300.0]], Expression.LOGNORM, "reaches 300.*--expression counts"),
    ],
)
def test_values_that_do_not_fit_their_scale_are_refused(X, expression, message):
    obs = pd.DataFrame({"context": ["c"], "perturbation": ["p"]})
    with pytest.raises(PredictionError, match=message):
        check_values(summarise_values(np.array(X)), expression, obs)


@pytest.mark.parametrize(
    ("X", "expression"),
    [
        ([[0.0, 19.9]], Expression.LOGNORM),
        ([[0.0, 1e7]], Expression.COUNTS),
        ([[-9.0, 2.5]], Expression.LOG2),
        ([[0.0, 0.0]], Expression.COUNTS),
    ],
)
def test_values_that_fit_their_scale_pass(X, expression):
    obs = pd.DataFrame({"context": ["c"], "perturbation": ["p"]})
    check_values(summarise_values(np.array(X)), expression, obs)


def test_all_that_is_asked_must_be_answered_and_nothing_else(question, means):
    asked = question.task.query.conditions
    check_conditions(means.obs, asked)
    few = replace(means, X=means.X[3:], obs=means.obs[3:])
    with pytest.raises(PredictionError, match=r"lacks 3 of 13 conditions: .*--conditions asked"):
        check_conditions(few.obs, asked)
    with pytest.raises(PredictionError, match=r"has 5 conditions that the truth lacks.* 2 more"):
        check_conditions(means.obs, asked[:8])


def test_means_are_put_in_the_order_of_the_truth_with_gaps(means):
    wanted = means.obs[::-1].reset_index(drop=True)
    np.testing.assert_array_equal(mean_rows(means, wanted), means.X[::-1])
    few = replace(means, X=means.X[1:], obs=means.obs[1:])
    rows = mean_rows(few, means.obs)
    assert np.isnan(rows[0]).all()
    np.testing.assert_array_equal(rows[1:], means.X[1:])
    nothing = replace(means, X=means.X[:0], obs=means.obs[:0])
    assert np.isnan(mean_rows(nothing, means.obs)).all()


def test_several_means_of_one_condition_are_refused(means):
    twice = replace(
        means, X=np.vstack([means.X, means.X[:1]]), obs=pd.concat([means.obs, means.obs[:1]])
    )
    with pytest.raises(PredictionError, match="several means of one condition"):
        mean_rows(twice, means.obs)


def test_predicted_cells_are_cells_without_controls(truth, counts):
    cells = as_cells(to_truth(counts, truth))
    assert cells.n == truth.test.n
    assert cells.lognorm.shape == truth.test.X.shape
    assert not cells.is_control.any()
