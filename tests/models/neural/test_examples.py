"""Pairs are of one control group, uniform over conditions, and gathered as they were measured."""

from functools import cache

import numpy as np
import pytest

from wildcell.models.neural.material import prepare
from wildcell.testing import toy_questions as make_toy_questions

torch = pytest.importorskip("torch", reason="torch is not installed")
toy_questions = cache(make_toy_questions)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def task():
    return toy_questions()["unseen-context"].task


@pytest.fixture(scope="module")
def side(task):
    return prepare(task, np.random.default_rng(0)).train


def test_pairs_share_their_control_group_and_are_of_their_condition(task, side):
    obs = task.train.obs
    conditions, controls, cells = side.examples.draw(500, np.random.default_rng(1))
    drawn = side.conditions.iloc[conditions]
    # a tenth of the cells is set aside, so rows are looked up by their values
    assert set(drawn["perturbation"]) == set(obs["perturbation"]) - {"control"}
    batch = side.examples.batch(conditions, controls, cells, device=CPU)
    values = side.examples.values.toarray()
    assert np.array_equal(batch.perturbed.numpy(), values[cells])
    assert np.array_equal(batch.control.numpy(), values[controls])
    group = side.examples.control_group[conditions]
    for number in np.unique(group):
        members = set(side.examples.controls.of(number))
        assert set(controls[group == number]) <= members


def test_draws_are_uniform_over_conditions_whatever_their_size(side):
    n_draws = 40_000
    conditions, _, _ = side.examples.draw(n_draws, np.random.default_rng(2))
    counts = np.bincount(conditions)[: len(side.conditions)]
    expected = n_draws / len(side.conditions)
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_a_set_is_of_one_condition(side):
    conditions, _, _ = side.examples.draw(100, np.random.default_rng(3), set_size=8)
    sets = conditions.reshape(-1, 8)
    assert sets.shape == (13, 8)
    assert (sets == sets[:, :1]).all()


def test_controls_stand_as_perturbed_cells_in_their_share_of_the_draws(side):
    conditions, _, cells = side.examples.draw(20_000, np.random.default_rng(4), control_share=0.3)
    are_controls = side.examples.perturbation[conditions] < 0
    assert 0.28 < are_controls.mean() < 0.32
    controls = {row for group in range(2) for row in side.examples.controls.of(group)}
    assert set(cells[are_controls]) <= controls
    assert not set(cells[~are_controls]) & controls


def test_cells_are_set_aside_only_where_the_task_has_no_validation():
    own = prepare(toy_questions()["unseen-perturbation"].task, np.random.default_rng(0))
    assert not set(own.val.conditions["perturbation"]) & set(own.train.conditions["perturbation"])
    aside = prepare(toy_questions()["unseen-context"].task, np.random.default_rng(0))
    assert len(aside.val.conditions) == len(aside.train.conditions)
    n_train, n_val = (
        side.examples.cells.sizes[: len(side.conditions)] for side in (aside.train, aside.val)
    )
    assert (n_val == (n_train + n_val) // 10).all()
