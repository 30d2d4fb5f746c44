"""The specific part of a response: what the shared one leaves."""

from dataclasses import replace

import numpy as np
import pytest

from wildcell.laws.evidence import draw_clouds, response_of
from wildcell.metrics.specific import (
    pearson_specific,
    shared_r2,
    specific_ceiling,
    split_off_shared,
)


@pytest.fixture
def truth():
    return response_of(draw_clouds(np.random.default_rng(3)))


def answer(truth, delta):
    return replace(truth, mean=truth.control + delta)


def test_residue_is_orthogonal_to_the_shared_response_and_adds_up(truth):
    kept = truth.kept_genes
    parts = split_off_shared(truth.delta, truth.shared, kept)
    dots = np.einsum("pg,pg->p", parts.residue, parts.direction)
    assert np.allclose(dots, 0, atol=1e-10)
    lengths = np.linalg.norm(np.where(kept, truth.shared, 0), axis=1)
    assert np.isfinite(parts.amplitude).all()
    assert (lengths > 0).all()


def test_what_is_shared_alone_has_nothing_specific(truth):
    for factor in (0.5, 1.0, -2.0):
        value = pearson_specific(truth, answer(truth, factor * truth.shared))
        assert np.isnan(value).all()


def test_adding_the_shared_response_changes_nothing(truth):
    own = truth.delta + np.random.default_rng(0).normal(size=truth.delta.shape)
    first = pearson_specific(truth, answer(truth, own))
    second = pearson_specific(truth, answer(truth, own + 3 * truth.shared))
    assert np.allclose(first, second)


def test_targets_do_not_count(truth):
    changed = truth.delta + 100 * truth.targets
    assert np.allclose(pearson_specific(truth, answer(truth, changed)), 1.0)


def test_ceiling_is_what_the_noise_free_effect_scores():
    rng = np.random.default_rng(5)
    n_genes, n_cells, n_draws = 300, 20, 400
    effect, shared = rng.normal(size=(2, n_genes)) * 0.2
    scores, ceilings = [], []
    for _ in range(n_draws):
        cells = effect + shared + rng.normal(size=(n_cells, n_genes))
        control = rng.normal(size=(50, n_genes))
        measured = replace(
            response_of(draw_clouds(rng, n=1)),
            genes=np.array([f"G{gene}" for gene in range(n_genes)], dtype=object),
            mean=cells.mean(axis=0)[None],
            control=control.mean(axis=0)[None],
            error=cells.var(axis=0, ddof=1)[None] / n_cells,
            control_error=control.var(axis=0, ddof=1)[None] / len(control),
            targets=None,
            shared=shared[None],
        )
        exact = replace(measured, mean=measured.control + effect + shared)
        scores.append(pearson_specific(measured, exact)[0])
        ceilings.append(specific_ceiling(measured)[0])
    assert abs(np.mean(scores) - np.mean(ceilings)) < 0.03


def test_the_shared_response_is_explained_by_its_own_size_and_not_by_what_is_specific(truth):
    parts = split_off_shared(truth.delta, truth.shared, truth.kept_genes)
    exact = shared_r2(truth, answer(truth, truth.delta))
    half = shared_r2(truth, answer(truth, 0.5 * truth.delta))
    other = shared_r2(truth, answer(truth, truth.delta + 3 * parts.residue))

    assert (exact.numerator > exact.denominator).all()
    assert np.allclose(half.numerator, 0.75 * exact.numerator)
    assert np.allclose(other.numerator, exact.numerator)
