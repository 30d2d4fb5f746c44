"""Networks take equal steps and draw as many cells of the target whatever is pooled with it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from wildcell.datasets.dataset import Dataset
from wildcell.models.model import MODELS
from wildcell.models.neural.examples import Examples
from wildcell.models.neural.material import prepare
from wildcell.scenarios.ask import ask
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.testing import toy_screen

pytest.importorskip("torch", reason="torch is not installed")
WORDS = replace(load_scenario("cross-data-set"), genes="hvg:30")
POOLED = ["merge-before", "merge-after-scaled", "target-panel-shuffled", "target-panel-twice"]
QUICK = {"max_steps": 12, "n_checks": 3, "batch_size": 32, "n_controls": 16}


@cache
def task_of(arm):
    target = Dataset("target", toy_screen(n_contexts=1, n_combinations=0, n_genes=60).cells)
    other = toy_screen(n_contexts=2, n_combinations=0, depth=3000, n_genes=60, cell_seed=9)
    foreign = [Dataset("foreign", other.cells)]
    split = make_splits(WORDS, target, seed=0, arm=arm, foreign=foreign)[0]
    return ask(target, split, WORDS, foreign=foreign).question.task


def drawn_in_training(arm, monkeypatch, model="linear-additive", **options):
    """Return steps taken, and the screens of all perturbed cells and controls that were drawn."""
    task, seen, inner = task_of(arm), [], Examples.draw

    def draw(self, *arguments, **named):
        found = inner(self, *arguments, **named)
        seen.append(found)
        return found

    monkeypatch.setattr(Examples, "draw", draw)
    network = MODELS.get(model).make(seed=0, **{**QUICK, **options})
    network.fit(task)
    is_foreign = task.is_foreign
    rows = [np.concatenate(part) for part in zip(*seen, strict=True)]
    return network.history.step, is_foreign[rows[1]], is_foreign[rows[2]]


@pytest.mark.parametrize("model", ["linear-additive", "cpa", "state"])
@pytest.mark.parametrize("arm", POOLED)
def test_steps_and_draws_of_target_cells_are_those_of_the_target_alone(model, arm, monkeypatch):
    is_twice = arm == "target-panel-twice"
    options = {"set_size": 8} if model == "state" else {}
    if is_twice:  # copies of controls and the controls themselves are not told apart
        options["control_share"] = 0.0
    steps, controls, cells = drawn_in_training("single", monkeypatch, model, **options)
    assert not controls.any()
    assert not cells.any()
    pooled_steps, pooled_controls, pooled_cells = drawn_in_training(
        arm, monkeypatch, model, **options
    )
    assert pooled_steps == steps
    assert (~pooled_cells).sum() == len(cells)
    assert pooled_cells.sum() > 0
    if not is_twice:
        assert (~pooled_controls).sum() == len(controls)


def test_equal_passes_over_the_target_are_equal_steps(monkeypatch):
    short = {"max_epochs": 1, "max_steps": 10**6}
    steps = {arm: drawn_in_training(arm, monkeypatch, **short)[0] for arm in ("single", *POOLED)}
    assert len(set(steps.values())) == 1
    assert min(steps.values()) > 1


def test_target_conditions_are_drawn_as_often_each():
    side = prepare(task_of("merge-before"), np.random.default_rng(0)).train
    own = np.flatnonzero(~side.conditions["is_foreign"])
    n = 20_000
    conditions, _, _ = side.examples.draw(n, np.random.default_rng(1), n_foreign=n)
    counts = np.bincount(conditions, minlength=len(side.conditions))
    expected = n / len(own)
    assert np.abs(counts[own] - expected).max() < 5 * np.sqrt(expected)


def test_foreign_pairs_are_as_many_a_condition_as_the_targets_and_at_most_as_many_as_told():
    examples = prepare(task_of("merge-before"), np.random.default_rng(0)).train.examples
    share = len(examples.foreign.perturbed) / len(examples.own.perturbed)
    assert share > 1
    assert examples.n_foreign(32, at_most=1.0) == 32
    assert examples.n_foreign(32, at_most=0.5) == 16
    assert examples.n_foreign(32, at_most=99.0) == round(32 * share)
    alone = prepare(task_of("single"), np.random.default_rng(0)).train.examples
    assert alone.n_foreign(32, at_most=1.0) == 0


def test_foreign_cells_stand_beside_their_own_controls():
    task = task_of("merge-before")
    examples = prepare(task, np.random.default_rng(0)).train.examples
    drawn = examples.draw(500, np.random.default_rng(2), n_foreign=500, control_share=0.2)
    _, controls, cells = drawn
    groups = task.train.obs["control_group"].to_numpy()
    assert (groups[controls] == groups[cells]).all()
    assert not task.is_foreign[cells[:500]].any()
    assert task.is_foreign[cells[500:]].all()


def test_foreign_data_alone_are_drawn_in_the_place_of_the_target(monkeypatch):
    steps, _, cells = drawn_in_training("transfer", monkeypatch)
    assert steps == QUICK["max_steps"]
    assert len(cells) == steps * QUICK["batch_size"]
    assert cells.all()


def test_cells_are_set_aside_of_the_target_alone_where_there_is_no_validation():
    task = task_of("merge-before")
    bare = replace(task, val=task.val.select(task.val.is_control))
    val = prepare(bare, np.random.default_rng(0)).val
    assert not val.conditions["is_foreign"].any()
