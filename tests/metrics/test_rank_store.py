"""Rank tests from a file: those of all cells at once."""

import numpy as np
import pytest
from scipy import sparse

from wildcell.metrics.mann_whitney import against_all, against_controls, mann_whitney
from wildcell.metrics.rank_store import RankStore
from wildcell.metrics.ranks import NONE, Plan


@pytest.fixture
def screen():
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.8, (120, 17)) / rng.choice([1.0, 1.5, 2.0], (120, 1))
    X = sparse.csr_matrix(np.log1p(counts).astype(np.float32))
    X.data[::9] *= -1
    return X, rng.integers(-1, 4, 120)


def store_of(store, X, labels, height=25):
    for start in range(0, X.shape[0], height):
        store.add(X[start : start + height], labels[start : start + height])


def test_cells_added_bit_by_bit_are_tested_as_if_at_once(screen):
    X, codes = screen
    sizes = np.bincount(codes[codes >= 0], minlength=4)
    store = RankStore.of_nothing(17, 4)
    store_of(store, X, codes)
    against_third = store.test(against_controls(sizes[:3], sizes[3]))
    pooled = store.test(against_all(sizes), continuity=False)
    kept = np.where(codes < 3, codes, -1)
    expected = mann_whitney(X, kept, 3, X[codes == 3])
    np.testing.assert_array_equal(against_third.statistic, expected.statistic)
    np.testing.assert_array_equal(against_third.p_value, expected.p_value)
    expected = mann_whitney(X, codes, 4, continuity=False)
    np.testing.assert_array_equal(pooled.statistic, expected.statistic)
    np.testing.assert_array_equal(pooled.p_value, expected.p_value)


def test_halves_wholes_and_two_references_are_tested_in_one_walk(screen):
    """Labels: two conditions of two halves each, 0 to 3, and their controls, 4 and 5."""
    X, _ = screen
    labels = np.random.default_rng(1).integers(0, 6, 120)
    sizes = np.bincount(labels, minlength=6)
    plan = Plan(
        groups=np.array([[0, 2], [1, 2], [3, 5], [4, 5], [NONE, NONE], [NONE, NONE]]),
        reference=np.array([NONE, NONE, NONE, NONE, 0, 1]),
        compared_with=np.array([0, 0, 0, 1, 1, 1]),
        sizes=np.array([sizes[0], sizes[1], sizes[:2].sum(), sizes[2], sizes[3], sizes[2:4].sum()]),
        reference_sizes=sizes[4:],
        is_own=False,
    )
    store = RankStore.of_nothing(17, 6)
    store_of(store, X, labels)
    found = store.test(plan)
    for first_group, (first, second, control) in ((0, (0, 1, 4)), (3, (2, 3, 5))):
        codes = np.select([labels == first, labels == second], [0, 1], -1)
        halves = mann_whitney(X, codes, 2, X[labels == control])
        whole = mann_whitney(X, np.minimum(codes, 0), 1, X[labels == control])
        for name in ("statistic", "p_value"):
            expected = np.concatenate([getattr(halves, name), getattr(whole, name)])
            np.testing.assert_array_equal(
                getattr(found, name)[first_group : first_group + 3], expected
            )


def test_the_number_of_threads_changes_nothing(screen):
    X, codes = screen
    plan = against_all(np.bincount(codes[codes >= 0], minlength=4))
    store = RankStore.of_nothing(17, 4)
    store_of(store, X, codes)
    one, three = (store.test(plan, n_threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one.p_value, three.p_value)
