"""Which conditions of a task a model can answer, and its answer to them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wildcell.arrays import Booleans
from wildcell.datasets.values import summarise_values
from wildcell.errors import PredictionError
from wildcell.models.model import Ability, Apart, Input, ModelCard, Resumable, Trained
from wildcell.names import CONDITION, CONTROL
from wildcell.scenarios.answer import check_values, gene_columns
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.task import Query, Task, protected
from wildcell.store.provenance import Cost


def answer(
    card: ModelCard,
    task: Task,
    is_applicable: Booleans,
    seed: int,
    options: Mapping[str, Any],
    *,
    progress: Path | None = None,
    log: Path | None = None,
    on_trained: Callable[[Mapping[str, Any]], object] | None = None,
    on_ended: Callable[[Cost], object] | None = None,
) -> Prediction:
    """Fit a fresh model and ask it the conditions that it can answer.

    The model is given a task of its own, whose arrays cannot be written to. One that learns for
    long keeps its progress in the file `progress`, and goes on from what it finds there; one that
    can say what its training came to tells `on_trained`. One in processes of its own keeps what
    they print in the file `log`, and tells `on_ended` what they took, however they ended.

    Raises
    ------
    PredictionError
        What it returned is no prediction, or not one of these genes and conditions.
    """
    own = protected(replace(task, query=task.query.select(is_applicable)))
    model = card.make(seed=seed, **options)
    if progress is not None and isinstance(model, Resumable):
        model.keep_progress(progress)
    if log is not None and isinstance(model, Apart):
        model.keep_log(log)
    try:
        model.fit(own)
        if on_trained is not None and isinstance(model, Trained):
            on_trained(model.training)
        prediction = model.predict(own.query)
    finally:
        if on_ended is not None and isinstance(model, Apart):
            on_ended(model.cost)
    if not isinstance(prediction, Prediction):
        raise PredictionError(f"Model {card.name!r} returned a {type(prediction).__name__}.")
    _check_answer(prediction, task.query)
    return prediction


def _check_answer(prediction: Prediction, query: Query) -> None:
    rows, columns = np.shape(prediction.X)
    if (rows, columns) != (len(prediction.obs), len(prediction.genes)):
        raise PredictionError(
            f"The prediction has {rows} rows and {columns} columns for {len(prediction.obs)} "
            f"labels and {len(prediction.genes)} genes."
        )
    asked = set(map(tuple, query.conditions[CONDITION].to_numpy()))
    extra = set(map(tuple, prediction.obs[CONDITION].drop_duplicates().to_numpy())) - asked
    extra = {condition for condition in extra if condition[1] != CONTROL}
    if extra:
        raise PredictionError(
            f"The prediction has {len(extra)} conditions that were not asked: {sorted(extra)[:3]}."
        )
    gene_columns(prediction.genes, query.controls.genes)
    check_values(summarise_values(prediction.X), prediction.expression, prediction.obs)


def unanswerable(card: ModelCard, task: Task) -> pd.Series:
    """Return, for each condition of the task's query, why the model cannot answer it, or "".

    Parameters
    ----------
    card
        The model's declarations.
    task
        The question; features and components are read from its query.
    """
    query = task.query
    reasons = pd.Series("", index=query.conditions.index)
    for ability, asked in asked_abilities(task).items():
        if ability not in card.answers:
            reasons[asked & (reasons == "")] = f"cannot answer an {ability}"
    for need in sorted(card.needs):
        lacking = _lacks(task, need)
        reasons[lacking & (reasons == "")] = f"needs {need}"
    return reasons


def asked_abilities(task: Task) -> dict[Ability, Booleans]:
    """Return which kinds of unseen each condition of the query asks for, each (n_conditions,)."""
    query = task.query
    seen = task.train.obs.loc[~task.train.is_control]
    seen_components = query.components[query.components["perturbation"].isin(seen["perturbation"])]
    conditions = query.conditions
    is_new = ~conditions["perturbation"].isin(seen["perturbation"]).to_numpy()
    parts = query.components.groupby("perturbation")["component"].agg(set)
    parts_of = [parts.get(key, set()) for key in conditions["perturbation"]]
    known = set(seen_components["component"])
    has_new_part = np.array([not part <= known for part in parts_of], dtype=bool)
    is_combination = np.array([len(part) > 1 for part in parts_of], dtype=bool)
    return {
        Ability.UNSEEN_CONTEXT: ~conditions["context"].isin(seen["context"]).to_numpy(),
        Ability.UNSEEN_PERTURBATION: is_new & has_new_part,
        Ability.UNSEEN_COMBINATION: is_new & is_combination,
        Ability.UNSEEN_DOSE: is_new & ~has_new_part & ~is_combination,
    }


def _lacks(task: Task, need: Input) -> Booleans:
    """Mark conditions for which an input is lacking, or all if nothing trained on has it."""
    query = task.query
    trained = set(task.train.obs.loc[~task.train.is_control, "perturbation"])
    if need is Input.EMBEDDING:
        return np.full(len(query.conditions), query.controls.embedding is None)
    featured = set() if query.features is None else set(query.features.index)
    if need is Input.FEATURES_OR_TARGETS and not featured:
        featured = set(query.controls.genes)
    if need is Input.FEATURES_OF_UNSEEN:
        is_trained = query.components["perturbation"].isin(trained)
        featured |= set(query.components.loc[is_trained, "component"])
    without = _with_part_outside(query.components, featured)
    if trained <= without:
        return np.ones(len(query.conditions), dtype=bool)
    return query.conditions["perturbation"].isin(without).to_numpy(dtype=bool)


def _with_part_outside(components: pd.DataFrame, known: set[str]) -> set[str]:
    is_outside = ~components["component"].isin(known)
    return set(components.loc[is_outside, "perturbation"])
