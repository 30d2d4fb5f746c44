"""From a data set and a split to the two sides of one question."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wildcell.arrays import Booleans
from wildcell.datasets.dataset import Dataset
from wildcell.names import CONDITION, SHAM, Modality, Role
from wildcell.scenarios.controls import kept_controls, noisy_groups
from wildcell.scenarios.embedding import embed_cells, parse_embedding
from wildcell.scenarios.feature_arms import features_in_arm
from wildcell.scenarios.panel import fit_panel
from wildcell.scenarios.scenario import Scenario
from wildcell.scenarios.split import Split
from wildcell.scenarios.task import Origin, Query, Task, Truth

TRUTH_COLUMNS = [*CONDITION, "control_group", "category", "modality", "n_cells"]


class Question(NamedTuple):
    """A task, and the truth that only the judge may see."""

    task: Task
    truth: Truth


def pose(
    dataset: Dataset,
    split: Split,
    scenario: Scenario,
    *,
    features: pd.DataFrame | None = None,
) -> Question:
    """Make the two sides of one question. Every array is a copy of its own.

    The controls of every group that is judged are halved: one half is given, the other kept.
    Genes and depth are fitted on training cells and given controls, unless the scenario says
    `fit_on = "all"`.

    Parameters
    ----------
    dataset
        The curated screen.
    split
        Who is trained on and who is tested, from `make_splits`.
    scenario
        The question's words; `genes`, `fit_on`, `embedding` and `features` are used here.
    features
        Features of components, indexed by component; those of the screen itself by default.

    Examples
    --------
    >>> from wildcell.datasets.load import load_dataset
    >>> from wildcell.scenarios.scenario import load_scenario
    >>> from wildcell.scenarios.split import make_splits
    >>> dataset, scenario = load_dataset("simulated"), load_scenario("unseen-context")
    >>> task, truth = pose(dataset, make_splits(scenario, dataset, seed=0)[0], scenario)
    >>> bool(set(task.train.obs["context"]) & set(truth.test.obs["context"]))
    False
    """
    scenario = scenario.in_arm(split.arm)
    roles = split.roles_of_cells(dataset)
    asked = _with_test_sizes(split.conditions_in(Role.TEST), dataset, roles == Role.TEST)
    is_kept = kept_controls(dataset, set(asked["control_group"]), seed=split.seed)
    is_given = dataset.is_control & ~is_kept
    is_seen = (roles == Role.TRAIN) | is_given
    panel = fit_panel(
        dataset, np.ones_like(is_seen) if scenario.fit_on == "all" else is_seen, scenario.genes
    )
    embedding = embed_cells(
        scenario.embedding,
        dataset,
        seen=is_seen,
        lognorm=lambda rows: panel.take(rows).lognorm,
    )
    panel = replace(panel, embedding=embedding)
    is_beside_test = _in_groups(dataset, roles == Role.TEST)
    train, val = (
        panel.take((roles == role) | (is_given & _in_groups(dataset, roles == role)))
        for role in (Role.TRAIN, Role.VAL)
    )
    given = panel.take(is_given & is_beside_test)
    query = Query(
        conditions=asked[[*CONDITION, "control_group", "category"]].copy(),
        controls=given,
        components=dataset.components.copy(),
        features=features_in_arm(
            scenario.features,
            dataset.features if features is None else features,
            dataset.components,
            np.random.default_rng(split.seed),
        ),
    )
    truth = Truth(
        conditions=asked[TRUTH_COLUMNS].copy(),
        test=panel.take(roles == Role.TEST),
        kept=panel.take(is_kept),
        given=panel.take(is_given & is_beside_test),
        targets=target_genes(asked, dataset.components, panel.gene_names),
        origin=_origin(
            dataset, split, scenario, roles, {"given": given.n, "kept": int(is_kept.sum())}
        ),
        noisy_groups=noisy_groups(
            panel.take(is_beside_test & ~dataset.is_control & ~_are_shams(dataset, asked)),
            panel.take(is_beside_test & dataset.is_control),
        ),
    )
    return Question(Task(train, val, query), truth)


def _origin(
    dataset: Dataset,
    split: Split,
    scenario: Scenario,
    roles: NDArray[np.object_],
    controls: Mapping[str, int],
) -> Origin:
    sizes: dict[str, Any] = {
        str(role): {
            "conditions": len(split.conditions_in(role)),
            "cells": int((roles == role).sum()),
        }
        for role in Role
    }
    leak = "leak: genes were chosen on all cells, test cells included"
    cautions = [
        leak if scenario.fit_on == "all" else "",
        parse_embedding(scenario.embedding).caution,
    ]
    return Origin(
        scenario=scenario.name,
        arm=split.arm,
        dataset=dataset.name,
        seed=split.seed,
        fold=split.fold,
        n_folds=split.n_folds,
        question=scenario.question,
        reference=scenario.reference,
        genes=scenario.genes,
        flags=tuple(filter(None, cautions)),
        sizes={**sizes, **{f"controls_{side}": n for side, n in controls.items()}},
    )


def _with_test_sizes(asked: pd.DataFrame, dataset: Dataset, is_test: Booleans) -> pd.DataFrame:
    """Count the test cells of each condition, which at cell level are not all of its cells."""
    sizes = dataset.cells.obs.loc[is_test, CONDITION].astype(str).value_counts()
    return asked.assign(
        n_cells=sizes.reindex(pd.MultiIndex.from_frame(asked[CONDITION])).to_numpy()
    )


def _are_shams(dataset: Dataset, asked: pd.DataFrame) -> Booleans:
    """Mark the cells of sham perturbations, shape (n_cells,)."""
    shams = asked.loc[asked["category"] == SHAM, "perturbation"]
    return np.asarray(dataset.cells.obs["perturbation"].isin(set(shams)))


def _in_groups(dataset: Dataset, rows: Booleans) -> Booleans:
    """Mark every cell whose control group one of the marked cells belongs to."""
    groups = dataset.cells.obs["control_group"].astype(str)
    return np.asarray(groups.isin(set(groups[rows])))


def target_genes(
    conditions: pd.DataFrame, components: pd.DataFrame, genes: NDArray[np.object_]
) -> pd.DataFrame:
    """Return the genes in the panel that each genetic perturbation targets directly.

    A perturbation of unknown modality is taken to be genetic: its parts count as targets where
    they bear the name of a gene.

    Returns
    -------
    Columns perturbation, gene.
    """
    genetic = {
        perturbation
        for perturbation, modality in zip(
            conditions["perturbation"], conditions["modality"], strict=True
        )
        if modality not in set(Modality) or Modality(modality).is_genetic
    }
    is_target = components["perturbation"].isin(genetic) & components["component"].isin(genes)
    targets = components.loc[is_target, ["perturbation", "component"]]
    return targets.set_axis(["perturbation", "gene"], axis=1).reset_index(drop=True)
