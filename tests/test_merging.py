"""On screens whose truth is known, it is known beforehand what foreign data do.

The table of which this is a part is printed by `benchmarks/merging.py`, for eight screens.
"""

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from wildcell.datasets.dataset import Dataset
from wildcell.datasets.simulated import simulated
from wildcell.judge import Judge
from wildcell.metrics.headline import find_metrics
from wildcell.models.find import find_model
from wildcell.results.arms import compare_arms
from wildcell.results.score import label
from wildcell.scenarios.ask import ask
from wildcell.scenarios.judged import judged_by
from wildcell.scenarios.pose import pose
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from merging import AbsoluteTransfer

SHIPPED = load_scenario("cross-data-set")
WORDS = replace(SHIPPED, genes="hvg:60", strict=False)
MODELS = ["context-transfer", "ridge"]
ABSOLUTE = "absolute-transfer"
DEPTH, SHIFT = 60.0, 20


@cache
def screen(name, **options):
    simulation = {
        "seed": 3,
        "n_contexts": 1,
        "n_perturbations": 12,
        "n_combinations": 0,
        "n_genes": 240,
        "n_controls": 300,
        "interaction_strength": 0.0,
        "null_share": 0.0,
        "depth": DEPTH,
        "n_cells": 100,
    }
    return Dataset(name, simulated(**{**simulation, **options}).cells)


@cache
def foreign(kind):
    options = {"cell_seed": 77, "n_cells": 300}
    return screen(
        "foreign",
        **{
            "level": options,
            "deep": {**options, "depth": SHIFT * DEPTH},
            "other": {**options, "response_seed": 55},
        }[kind],
    )


@cache
def scores(kind, arm):
    """Return the scores of an arm beside one kind of foreign screen, over all folds."""
    target = screen("target")
    tables = []
    for split in make_splits(WORDS, target, seed=0, arm=arm, foreign=[foreign(kind)]):
        task, truth = ask(target, split, WORDS, foreign=[foreign(kind)]).question
        judge = Judge(truth, find_metrics(["effect_r2"]))
        for name in [*MODELS, ABSOLUTE]:
            model = AbsoluteTransfer() if name == ABSOLUTE else find_model(name).make(seed=0)
            model.fit(task)
            found = judge.score(model.predict(task.query))
            names = {"scenario": "merging", "dataset": "target", "arm": f"{kind}/{arm}"}
            tables.append(label(found, **names, model=name, seed=0, fold=split.fold))
    return pd.concat(tables)


def genes_trained_on(kind, arm):
    target = screen("target")
    split = make_splits(WORDS, target, seed=0, arm=arm, foreign=[foreign(kind)])[0]
    task = ask(target, split, WORDS, foreign=[foreign(kind)]).question.task
    return set(task.train.genes)


def gap(first, second, model):
    """Return the interval of the paired difference in effect R2 of two arms."""
    table = compare_arms(pd.concat([scores(*first), scores(*second)]), {}, base="/".join(second))
    row = table[(table["arm"] == "/".join(first)) & (table["model"] == model)].iloc[0]
    assert row["n_paired"] == 12
    return row["difference_low"], row["difference_high"]


ALONE = ("level", "single")


def test_a_depth_shift_hurts_who_reads_profiles_and_scaling_repairs_it():
    level, shifted, scaled = (
        ("level", "merge-after"),
        ("deep", "merge-after"),
        ("deep", "merge-after-scaled"),
    )
    assert gap(shifted, level, ABSOLUTE)[1] < 0
    assert gap(scaled, shifted, ABSOLUTE)[0] > 0
    assert gap(("deep", "merge-before-scaled"), ("deep", "merge-before"), ABSOLUTE)[0] > 0


def test_a_depth_shift_changes_the_genes_that_are_merged_on_and_scaling_restores_them():
    level = genes_trained_on("level", "merge-before")
    shifted, scaled = (
        len(level & genes_trained_on("deep", arm))
        for arm in ("merge-before", "merge-before-scaled")
    )
    assert scaled > 1.5 * shifted


@pytest.mark.parametrize("model", MODELS)
def test_foreign_data_of_the_same_biology_help(model):
    assert gap(("level", "target-panel-foreign"), ALONE, model)[0] > 0


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "harm", [("other", "target-panel-foreign"), ("level", "target-panel-shuffled")]
)
def test_foreign_data_of_another_biology_or_under_wrong_names_hurt(model, harm):
    assert gap(harm, ALONE, model)[1] < 0


@pytest.mark.parametrize("model", MODELS)
def test_target_twice_changes_nothing_that_means_could_learn(model):
    low, high = gap(("level", "target-panel-twice"), ALONE, model)
    assert abs(low) < 1e-6
    assert abs(high) < 1e-6


def without(screen, perturbations, *, in_context=None):
    """Return a screen that lacks the cells of some perturbations, everywhere or in one context."""
    obs = screen.cells.obs
    is_lacking = obs["perturbation"].isin(perturbations)
    if in_context is not None:
        is_lacking &= obs["context"] == in_context
    return Dataset(screen.name, screen.cells[~is_lacking.to_numpy()].copy())


@cache
def uneven():
    """Return a target whose contexts have other perturbations, and a foreign screen with half."""
    few = {"n_genes": 400, "n_cells": 20, "n_controls": 40}
    target = screen("target", n_contexts=3, **few)
    names = sorted(set(target.conditions["perturbation"]))
    contexts = sorted(set(target.conditions["context"]))
    target = without(target, names[6:], in_context=contexts[0])
    for context in contexts[1:]:
        target = without(target, names[:6], in_context=context)
    return target, without(screen("foreign", cell_seed=77, **few), names[6:])


def judgement_of(arm):
    """Return the hash of what each tested condition is judged by, over all folds."""
    target, other = uneven()
    hashes = {}
    for split in make_splits(WORDS, target, seed=0, arm=arm, foreign=[other]):
        truth = pose(target, split, WORDS, foreign=[other]).truth
        keys = truth.conditions[["context", "perturbation"]].itertuples(index=False, name=None)
        hashes |= dict(zip(keys, judged_by(truth), strict=True))
    return hashes


@pytest.mark.parametrize("arm", ["transfer", "merge-before-scaled"])
def test_what_is_asked_of_uneven_screens_is_judged_as_if_they_were_alone(arm):
    alone, beside = judgement_of("single"), judgement_of(arm)
    shared = [key for key in beside if not key[1].startswith("sham")]
    assert len(shared) >= 4
    assert [beside[key] for key in shared] == [alone[key] for key in shared]
