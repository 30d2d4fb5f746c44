"""From a data set and a split to the two sides of one question."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wildcell.arrays import Booleans
from wildcell.datasets.dataset import Dataset
from wildcell.names import CONDITION, SHAM, Modality, Role
from wildcell.scenarios.controls import noisy_groups
from wildcell.scenarios.embedding import embed_together, looked_up_embedding, parse_embedding
from wildcell.scenarios.feature_arms import features_in_arm
from wildcell.scenarios.graph_arms import graph_flags, graph_in_arm
from wildcell.scenarios.merge import (
    TrainingSide,
    pooled_features,
    side_alone,
    stacked,
    training_side,
)
from wildcell.scenarios.panel import Panel, fit_panel
from wildcell.scenarios.pool import Pool
from wildcell.scenarios.pool_tables import pool_flags
from wildcell.scenarios.scenario import Scenario
from wildcell.scenarios.seats import Seats, take_seats
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
    graph: pd.DataFrame | None = None,
    foreign: Sequence[Dataset] = (),
) -> Question:
    """Make the two sides of one question. Every array is a copy of its own.

    The controls of every group that is judged are halved: one half is given, the other kept.
    Genes are chosen on training cells and the given controls of groups that are trained on,
    validated on or tested, unless the scenario's `fit_on` says otherwise. The depth is the median
    of the halves that control groups give, those of groups that are not tested included: it is the
    same in all arms and folds of a seed.

    Parameters
    ----------
    dataset
        The curated screen.
    split
        Who is trained on and who is tested, from `make_splits`.
    scenario
        The question's words; `genes`, `fit_on`, `embedding`, `features`, `graph` and `pool` are
        used here.
    features
        Features of components, indexed by component; those of the screen itself by default.
    graph
        Neighbours of components: columns component, neighbour and weight; those that the scenario
        names by default.
    foreign
        Other screens, trained on as the arm's `pool` says and never tested. What is judged, the
        genes included, is the same in all arms; genes that an arm does not give to models are
        judged as no change.

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
    return lay_out(
        dataset, split, scenario, features=features, graph=graph, foreign=foreign
    ).question


class LaidOut(NamedTuple):
    """A question, and the pool that its training side is of, where there is one."""

    question: Question
    pool: Pool | None


def lay_out(
    dataset: Dataset,
    split: Split,
    scenario: Scenario,
    *,
    features: pd.DataFrame | None = None,
    graph: pd.DataFrame | None = None,
    foreign: Sequence[Dataset] = (),
) -> LaidOut:
    """Make the two sides of one question, as `pose` does, and keep the pool beside them."""
    words = scenario.in_arm(split.arm)
    seats = take_seats(dataset, split)
    judged = replace(
        fit_panel(dataset, _fitted(seats, words.fit_on), words.genes, common=seats.is_common),
        embedding=looked_up_embedding(words.embedding, dataset),
    )
    every_feature = pooled_features(dataset.features if features is None else features, foreign)
    pool = None
    if words.pool.needs_foreign:
        pool = Pool(
            judged,
            seats,
            split,
            tuple(foreign),
            words.pool,
            genes=words.genes,
            embedding=words.embedding,
            features=every_feature,
        )
    side = _embedded(side_alone(judged, seats) if pool is None else training_side(pool), words)
    judged = replace(judged, embedding=side.panel.embedding)
    task = _task(seats, split, side, words, every_feature, graph=graph)
    flags = (*(() if pool is None else pool_flags(pool)), *graph_flags(task.query))
    return LaidOut(Question(task, _truth(seats, split, judged, side, words, flags=flags)), pool)


def _fitted(seats: Seats, fit_on: str) -> Booleans:
    """Mark the cells that genes are chosen on, shape (n_cells,)."""
    if fit_on == "all":
        return np.ones_like(seats.is_seen)
    return seats.is_common if fit_on == "controls" else seats.is_seen


def _embedded(side: TrainingSide, words: Scenario) -> TrainingSide:
    panel = side.panel
    if panel.embedding is not None:
        return side
    embedding, beside = embed_together(
        words.embedding,
        panel.dataset,
        side.beside,
        seen=side.is_learned,
        lognorm=lambda rows: panel.take(rows).lognorm,
    )
    return side._replace(panel=replace(panel, embedding=embedding), beside=beside)


def _task(
    seats: Seats,
    split: Split,
    side: TrainingSide,
    words: Scenario,
    features: pd.DataFrame | None,
    *,
    graph: pd.DataFrame | None,
) -> Task:
    nothing = np.zeros_like(seats.is_kept)
    train, val = (
        side.panel.take(seats.with_given(role) if side.has_target else nothing)
        for role in (Role.TRAIN, Role.VAL)
    )
    asked = _asked(seats, split)
    is_sham = asked["category"] == SHAM
    shams = split.conditions.loc[split.conditions["category"] == SHAM, "perturbation"]
    components = _without(side.components, set(shams))
    query = Query(
        conditions=asked.loc[~is_sham, [*CONDITION, "control_group", "category"]].copy(),
        controls=side.panel.take(seats.is_given & seats.beside(Role.TEST)),
        components=components,
        features=features_in_arm(
            words.features, features, components, np.random.default_rng(split.seed)
        ),
        graph=graph_in_arm(words.graph, graph),
    )
    return Task(
        stacked([train, *side.beside]),
        val,
        query,
        target=seats.dataset.name,
        epoch_cells=int(seats.of(Role.TRAIN).sum()),
        unmeasured=side.unmeasured,
    )


def _truth(
    seats: Seats,
    split: Split,
    judged: Panel,
    side: TrainingSide,
    words: Scenario,
    *,
    flags: tuple[str, ...],
) -> Truth:
    dataset, asked = seats.dataset, _asked(seats, split)
    is_beside_test = seats.beside(Role.TEST)
    given = judged.take(seats.is_given & is_beside_test)
    kept = judged.take(seats.is_kept & is_beside_test)
    perturbed = is_beside_test & ~dataset.is_control & ~_are_shams(dataset, split.conditions)
    names = judged.gene_names
    return Truth(
        conditions=asked[TRUTH_COLUMNS].copy(),
        test=judged.take(seats.of(Role.TEST)),
        kept=kept,
        given=given,
        targets=target_genes(asked, dataset.components, names),
        origin=_origin(seats, split, words, flags, {"given": given.n, "kept": kept.n}),
        noisy_groups=noisy_groups(
            judged.take(perturbed), judged.take(is_beside_test & dataset.is_control)
        ),
        unseen_genes=tuple(map(str, names[~np.isin(names, side.panel.gene_names)])),
    )


def _origin(
    seats: Seats,
    split: Split,
    words: Scenario,
    flags: tuple[str, ...],
    controls: Mapping[str, int],
) -> Origin:
    asked = split.conditions_in(Role.TEST)
    is_sham = _are_shams(seats.dataset, split.conditions)
    sizes: dict[str, Any] = {
        str(role): {
            "conditions": int((split.conditions_in(role)["category"] != SHAM).sum()),
            "cells": int((seats.of(role) & ~is_sham).sum()),
        }
        for role in Role
    }
    sizes[SHAM] = {
        "conditions": int((asked["category"] == SHAM).sum()),
        "cells": int((seats.of(Role.TEST) & is_sham).sum()),
    }
    sizes |= {f"controls_{side}": n for side, n in controls.items()}
    leak = "leak: genes were chosen on all cells, test cells included"
    cautions = [
        leak if words.fit_on == "all" else "",
        parse_embedding(words.embedding).caution,
        *flags,
    ]
    return Origin(
        scenario=words.name,
        arm=split.arm,
        dataset=seats.dataset.name,
        seed=split.seed,
        fold=split.fold,
        n_folds=split.n_folds,
        question=words.question,
        reference=words.reference,
        genes=words.genes,
        flags=tuple(filter(None, cautions)),
        sizes=sizes,
        pool=asdict(words.pool) if words.pool.needs_foreign else {},
    )


def _asked(seats: Seats, split: Split) -> pd.DataFrame:
    """Return the conditions asked about with the number of their test cells.

    At cell level these are not all of their cells.
    """
    asked = split.conditions_in(Role.TEST)
    obs = seats.dataset.cells.obs.loc[seats.of(Role.TEST), CONDITION]
    sizes = obs.astype(str).value_counts()
    return asked.assign(
        n_cells=sizes.reindex(pd.MultiIndex.from_frame(asked[CONDITION])).to_numpy()
    )


def _without(components: pd.DataFrame, perturbations: set[str]) -> pd.DataFrame:
    """Return the parts of all other perturbations."""
    is_left = ~components["perturbation"].isin(perturbations)
    return components[is_left].reset_index(drop=True)


def _are_shams(dataset: Dataset, conditions: pd.DataFrame) -> Booleans:
    """Mark the cells of sham perturbations, shape (n_cells,)."""
    shams = conditions.loc[conditions["category"] == SHAM, "perturbation"]
    return np.asarray(dataset.cells.obs["perturbation"].isin(set(shams)))


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
