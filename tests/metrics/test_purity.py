"""How deep a ranking keeps to the right direction, by hand."""

import numpy as np
import pytest

from wildcell.metrics.purity import Ranking, depth_of_purity


def ranking(order, right, has_direction=None):
    right = np.array([right], dtype=bool)
    known = np.ones_like(right) if has_direction is None else np.array([has_direction], bool)
    return Ranking(np.array([order]), known, right & known)


@pytest.mark.parametrize(
    ("right", "purity", "depth"),
    [
        ([1, 1, 1, 1], 0.9, 4),
        ([1, 1, 0, 1], 0.9, 2),
        ([1, 1, 0, 1], 0.75, 4),
        ([0, 1, 1, 1], 0.75, 4),  # a ranking can recover
        ([0, 0, 0, 0], 0.1, 0),
    ],
)
def test_depth_is_of_the_longest_prefix_that_is_pure_enough(right, purity, depth):
    everything = np.ones((1, 4), bool)
    assert depth_of_purity(ranking([0, 1, 2, 3], right), everything, purity) == depth


def test_order_is_that_of_the_ranking():
    everything = np.ones((1, 3), bool)
    assert depth_of_purity(ranking([2, 1, 0], [0, 1, 1]), everything, 0.9) == 2


def test_genes_without_a_direction_are_passed_over():
    everything = np.ones((1, 4), bool)
    found = depth_of_purity(ranking([0, 1, 2, 3], [1, 0, 1, 0], [1, 0, 1, 1]), everything, 0.9)
    assert found == 2


def test_only_the_genes_asked_for_are_looked_at():
    among = np.array([[True, False, True, False]])
    assert depth_of_purity(ranking([0, 1, 2, 3], [1, 0, 1, 0]), among, 0.9) == 2
    assert depth_of_purity(ranking([0, 1, 2, 3], [1, 0, 1, 0]), np.zeros((1, 4), bool), 0.9) == 0


def test_each_perturbation_has_its_own_purity():
    two = Ranking(np.array([[0, 1], [0, 1]]), np.ones((2, 2), bool), np.array([[True, False]] * 2))
    assert depth_of_purity(two, np.ones((2, 2), bool), np.array([0.5, np.nan])).tolist() == [2, 0]
