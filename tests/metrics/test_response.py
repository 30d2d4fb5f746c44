"""What is read off a response: delta, fold change, flatness, what is missing."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from wildcell.laws.evidence import bare, draw_clouds, response_of, without
from wildcell.metrics.convention import Convention


@pytest.fixture
def response():
    return response_of(draw_clouds(np.random.default_rng(0), n=4))


def test_delta_is_the_mean_minus_the_control(response):
    np.testing.assert_array_equal(response.delta, response.mean - response.control)


def test_fold_change_is_of_arithmetic_means_with_a_pseudocount(response):
    treated = [np.expm1(cells.toarray()).mean(axis=0) for cells in response.cells]
    expected = np.log2((np.array(treated) + 0.1) / (response.linear_control + 0.1))
    np.testing.assert_allclose(response.lfc, expected)
    larger = replace(response, convention=Convention(lfc_pseudocount=1.0))
    assert np.abs(larger.lfc).sum() < np.abs(response.lfc).sum()


def test_fold_change_is_unknown_without_counts(response):
    assert np.isnan(bare(response).lfc).all()
    assert np.isnan(replace(response, linear_control=None).lfc).all()


def test_targets_are_kept_only_by_a_convention_that_says_so(response):
    assert (response.kept_genes == ~response.targets).all()
    assert response.kept_genes.sum() == response.mean.size - 4
    assert replace(response, convention=Convention(removes_targets=False)).kept_genes.all()
    assert replace(response, targets=None).kept_genes.all()


def test_answer_with_any_unknown_gene_is_missing(response):
    assert not response.is_missing.any()
    assert without(response, 2).is_missing.tolist() == [False, False, True, False]
    mean = response.mean.copy()
    mean[1, -1] = np.nan
    assert replace(response, mean=mean).is_missing.tolist() == [False, True, False, False]


def flat_after(response, change):
    return replace(response, mean=response.control + change).is_flat


def test_delta_that_is_constant_over_genes_is_flat(response):
    assert not response.is_flat.any()
    assert flat_after(response, 0.0).all()
    assert flat_after(response, 0.7).all()


def test_flatness_is_judged_by_the_spread_against_the_profile(response):
    slope = np.linspace(0, 1, response.mean.shape[1])
    assert flat_after(response, 1e-7 * slope).all()
    assert not flat_after(response, 1e-4 * slope).any()
    tolerant = replace(response, convention=Convention(flat_tolerance=1.0))
    assert flat_after(tolerant, 1e-4 * slope).all()


def test_delta_of_the_target_alone_is_flat(response):
    change = np.where(response.targets, -3.0, 0.0)
    assert flat_after(response, change).all()
    assert not flat_after(replace(response, targets=None), change).any()


def test_missing_answer_is_not_flat(response):
    assert not without(response, 0).is_flat[0]


def test_response_of_one_gene_is_flat(response):
    """A delta of one gene has no spread, and no correlation."""
    one = replace(
        response,
        mean=response.mean[:, :1],
        control=response.control[:, :1],
        targets=np.zeros((4, 1), dtype=bool),
    )
    assert one.is_flat.all()


def test_a_response_is_gone_when_it_is_dropped_though_its_second_panel_was_tested(response):
    """Nothing waits for the collector of cycles, which comes late where arrays are large."""
    seen = replace(response, detected=np.arange(len(response.genes)) % 2 == 0)
    np.testing.assert_array_equal(seen.on_detected.de.statistic, seen.de.statistic[:, ::2])
    gone = weakref.ref(seen)
    gc.disable()
    try:
        del seen
        assert gone() is None
    finally:
        gc.enable()
