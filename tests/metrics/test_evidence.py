"""What a response derives from its cells, and what it can be given instead."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse, stats

from wildcell.laws.evidence import bare, draw_clouds, response_of, take, without
from wildcell.metrics.convention import Convention
from wildcell.metrics.grouped import GroupedCells, grouped, on_columns, sampled, sizes_of, stacked


@pytest.fixture
def clouds():
    return draw_clouds(np.random.default_rng(0), n=4)


@pytest.fixture
def response(clouds):
    return response_of(clouds)


def two_groups(response):
    """Return the response with a control group of its own for the last two perturbations."""
    first = response.control_cells[0]
    other = sparse.csr_matrix(np.roll(first.toarray(), 1, axis=1))
    return replace(
        response, control_cells=(first, other), control_group=np.array([0, 1, 0, 1], dtype=np.intp)
    )


def test_genes_are_tested_against_the_controls_of_the_own_group(response):
    split = two_groups(response)
    for row, group in enumerate(split.control_group):
        cells, controls = split.cells[row].toarray(), split.control_cells[group].toarray()
        expected = stats.mannwhitneyu(cells, controls, method="asymptotic", axis=0)
        kept = split.kept_genes[row]
        np.testing.assert_allclose(split.de.p_value[row, kept], expected.pvalue[kept], rtol=1e-9)
        np.testing.assert_allclose(
            split.de.padj[row, kept], stats.false_discovery_control(expected.pvalue[kept])
        )


def test_targets_and_constant_genes_are_no_tests(clouds):
    clouds.cells[:, :, -1] = clouds.control[:, -1] = 0.0
    response = response_of(clouds)
    assert np.isnan(response.de.p_value[response.targets]).all()
    assert np.isnan(response.de.p_value[:, -1]).all()
    n_tests = (~np.isnan(response.de.p_value)).sum(axis=1)
    assert n_tests.tolist() == [response.mean.shape[1] - 2] * 4


def test_test_of_means_needs_no_cells(response):
    means = replace(response, cells=None, control_cells=None, targets=None)
    cells, controls = response.cells[1].toarray(), response.control_cells[0].toarray()
    expected = stats.ttest_ind(cells, controls, equal_var=False)
    np.testing.assert_allclose(means.de_of_means().p_value[1], expected.pvalue, rtol=1e-6)
    welch = replace(means, convention=Convention(test="welch"))
    np.testing.assert_allclose(welch.de.statistic[1], expected.statistic, rtol=1e-6)


def test_perturbation_without_cells_has_no_tests_and_others_keep_theirs(response):
    lost = without(response, 1)
    assert np.isnan(lost.de.p_value[1]).all()
    np.testing.assert_array_equal(lost.de.padj[[0, 2, 3]], response.de.padj[[0, 2, 3]])


def test_what_is_given_is_not_computed(response):
    asked = []

    def table():
        asked.append("de")
        return response.de

    given = replace(bare(response), differential=table)
    assert given.has_tests
    assert not asked
    assert given.de is response.de
    assert given.de is response.de
    assert asked == ["de"]
    assert not bare(response).has_tests


def test_components_span_the_effect_where_there_is_one_perturbation(response):
    """Within the cells of one perturbation there is no trace of what it did."""
    one = take(response, np.array([0]), np.arange(150))
    one = replace(one, convention=Convention(n_components=5))
    loadings = one.components[0].loadings
    delta = one.delta[0]
    alone = replace(one, control_cells=None).components[0].loadings
    assert np.linalg.norm(delta @ loadings) > 0.9 * np.linalg.norm(delta)
    assert np.linalg.norm(delta @ alone) < 0.9 * np.linalg.norm(delta @ loadings)


def test_components_draw_evenly_from_all_perturbations(response):
    few = replace(response, convention=Convention(max_component_cells=16, n_components=3))
    again = take(few, np.array([3, 1, 0, 2]), np.arange(150))
    for own, other in zip(few.components, again.components, strict=True):
        np.testing.assert_allclose(np.abs(own.loadings), np.abs(other.loadings), atol=1e-9)
        assert own.loadings.shape == (150, 3)


def test_second_panel_is_the_response_on_its_genes(response):
    genes = np.flatnonzero(response.detected)
    expected = take(response, np.arange(4), genes)
    panel = response.on_detected
    assert panel is response.on_detected
    for name in ("genes", "mean", "control", "error", "linear_mean", "targets", "shared"):
        np.testing.assert_array_equal(getattr(panel, name), getattr(expected, name))
    np.testing.assert_array_equal(panel.de.padj, expected.de.padj)
    assert (panel.cells[1] != expected.cells[1]).nnz == 0
    assert replace(response, detected=None).on_detected.mean.shape == response.mean.shape


def test_a_sample_is_drawn_by_name_alone(response):
    few = replace(response, convention=Convention(max_cells=5))
    again = take(few, np.array([2, 0, 3, 1]), np.arange(150))
    assert sizes_of(few.sample).tolist() == [5] * 4
    assert (few.sample[2] != again.sample[0]).nnz == 0
    assert (response.sample[0] != response.cells[0]).nnz == 0


def test_groups_of_one_matrix_are_what_separate_matrices_are():
    rng = np.random.default_rng(1)
    X = sparse.random(30, 6, 0.5, format="csr", random_state=2)
    codes = rng.integers(-1, 3, 30)
    lazy = grouped(X, codes, 4)
    plain = tuple(X[codes == group] for group in range(4))
    names, columns = list("abcd"), np.array([4, 0])
    for one, other in [
        (lazy, plain),
        (on_columns(lazy, columns), on_columns(plain, columns)),
        (on_columns(on_columns(lazy, columns), [1]), on_columns(plain, [0])),
        (sampled(lazy, 3, names), sampled(plain, 3, names)),
        (lazy.take(np.array([3, 1])), (plain[3], plain[1])),
        (lazy[1:3], plain[1:3]),
    ]:
        assert len(one) == len(other)
        assert all((a != b).nnz == 0 for a, b in zip(one, other, strict=True))
        assert sizes_of(one).tolist() == sizes_of(other).tolist()
        order = np.array([1, 0])
        (cells, place), (same, expected) = stacked(one, order), stacked(other, order)
        assert (cells != same).nnz == 0
        np.testing.assert_array_equal(place, expected)
    assert isinstance(lazy[1:3], GroupedCells)
