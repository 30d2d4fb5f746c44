"""The straight path: models through one scenario, a run folder for each seed and fold."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from wildcell.arrays import Booleans
from wildcell.datasets.dataset import Dataset
from wildcell.datasets.load import load_dataset
from wildcell.errors import OptionError, PredictionError
from wildcell.judge import Judge, find_metrics
from wildcell.models.find import find_model
from wildcell.models.model import ModelCard, unanswerable
from wildcell.names import (
    CEILING,
    COST_COLUMNS,
    REPLICATE,
    Kind,
    Role,
    Status,
    with_options,
)
from wildcell.results.score import label
from wildcell.scenarios.folder import write_prediction
from wildcell.scenarios.pose import Question, pose
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.scenario import Scenario, gene_count, load_scenario
from wildcell.scenarios.split import Split, make_splits
from wildcell.scenarios.task import Task
from wildcell.store.fingerprint import fingerprint
from wildcell.store.provenance import Cost, hardware, measured, now, versions
from wildcell.store.runs import PREDICTION, RunKey, claimed, finish, finished_record

OnRun = Callable[[int, int, str], object]


def print_nothing(done: int, total: int, name: str) -> None:
    """Report no progress."""


class Outcome(NamedTuple):
    """Where a run lies and how it ended; `is_new` unless it was finished before."""

    folder: Path
    record: Mapping[str, Any]
    is_new: bool


def run_scenario(
    scenario: str | Path | Scenario,
    *,
    models: Sequence[str],
    runs: Path,
    data: str | Path | Dataset | None = None,
    data_options: Mapping[str, Any] | None = None,
    arm: str | None = None,
    seeds: Sequence[int] | None = None,
    genes: str | None = None,
    features: pd.DataFrame | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    on_run: OnRun = print_nothing,
) -> list[Outcome]:
    """Run models through a scenario: split, pose, predict, score, for every seed and fold.

    The scenario's reference baseline, the replicate and the analytic ceiling are run beside the
    models. Runs that are finished already are not run again; a model that crashes is a run with
    the status `error`, and the others go on.

    Parameters
    ----------
    scenario
        A shipped name, a TOML file, or a record.
    models
        Names that `wildcell models` lists, or classes of your own as `path/to/file.py:Class`.
    runs
        Folder of all runs; may hold others.
    data
        A name or a curated file; the scenario's own data set if None.
    data_options
        Parameters of a registered data set, such as `n_cells` of `simulated`.
    arm, seeds, genes
        In the place of the scenario's own.
    features
        Features of components, indexed by component, in the place of the data set's own.
    options
        Options of models by model name.
    on_run
        Called before each run with the number of runs behind it, of all runs, and its name.

    Raises
    ------
    BenchmarkError
        A name is unknown, the scenario cannot be posed on this data set, or the folder holds
        runs of the same names that were made from something else.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     outcomes = run_scenario("iid", models=["no-change"], runs=Path(folder), seeds=[0])
    >>> sorted(outcome.record["model"] for outcome in outcomes)
    ['ceiling', 'context-transfer', 'no-change', 'replicate']
    """
    plan = make_plan(
        scenario,
        models=models,
        data=data,
        data_options=data_options,
        arm=arm,
        genes=genes,
        features=features,
        options=options,
    )
    splits = [
        split
        for seed in _checked_seeds(plan.scenario.seeds if seeds is None else seeds)
        for split in make_splits(plan.scenario, plan.dataset, seed=seed, arm=plan.arm)
    ]
    names = [*plan.entries, REPLICATE, CEILING]
    outcomes: list[Outcome] = []
    for split in splits:
        fold = Fold(plan, split)
        for name in names:
            on_run(len(outcomes), len(splits) * len(names), f"{name}, seed {split.seed}")
            outcomes.append(run_one(fold, name, runs))
    return outcomes


def _checked_seeds(seeds: Sequence[int]) -> list[int]:
    if not seeds or min(seeds) < 0:
        raise OptionError(f"Seeds are whole numbers of at least 0; got {list(seeds)}.")
    return list(dict.fromkeys(seeds))


class Entry(NamedTuple):
    """A model that is run: the name its runs bear, its card, and its options."""

    name: str
    card: ModelCard
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """What fixes the runs of one scenario on one data set.

    Attributes
    ----------
    scenario
        The question in words.
    name
        The scenario's name, with what was changed from its file.
    dataset
        The screen.
    arm
        Arm of the scenario.
    entries
        Models by the name that their runs bear.
    features
        Features of components that take the place of the data set's own.
    """

    scenario: Scenario
    name: str
    dataset: Dataset
    arm: str
    entries: Mapping[str, Entry]
    features: pd.DataFrame | None = None

    @property
    def reference(self) -> str:
        """The name that the runs of the reference baseline bear."""
        return next(
            entry.name
            for entry in self.entries.values()
            if entry.card.name == self.scenario.reference
        )


def make_plan(
    scenario: str | Path | Scenario,
    *,
    models: Sequence[str],
    data: str | Path | Dataset | None = None,
    data_options: Mapping[str, Any] | None = None,
    arm: str | None = None,
    genes: str | None = None,
    features: pd.DataFrame | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Plan:
    """Look up all names and check all options before anything is computed."""
    words = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    changes: dict[str, Any] = {} if genes in {None, words.genes} else {"genes": genes}
    gene_count(changes.get("genes", words.genes))
    words.options(arm)
    find_metrics(words.metrics)
    asked = list(dict.fromkeys([*models, words.reference]))
    options = options or {}
    entries = [_entry(find_model(name), options.get(name, {})) for name in asked]
    labels = {**changes}
    if features is not None:
        labels["features"] = fingerprint(features)[:8]
    return Plan(
        scenario=replace(words, **changes),
        name=with_options(words.name, labels),
        dataset=_load(data or words.dataset, data_options or {}),
        arm=arm or words.default_arm,
        entries={entry.name: entry for entry in entries},
        features=features,
    )


def _load(data: str | Path | Dataset, options: Mapping[str, Any]) -> Dataset:
    return data if isinstance(data, Dataset) else load_dataset(data, **options)


def _entry(card: ModelCard, options: Mapping[str, Any]) -> Entry:
    """Return a model to run, or raise `OptionError` if it cannot be made with these options."""
    try:
        card.make(seed=0, **options)
    except TypeError as error:
        raise OptionError(f"Model {card.name!r} does not take these options: {error}.") from error
    return Entry(with_options(card.name, options), card, options)


@dataclass(frozen=True)
class Fold:
    """One split of a plan, posed and judged once for all models, when the first needs it."""

    plan: Plan
    split: Split

    @cached_property
    def question(self) -> Question:
        """The task and the truth."""
        return pose(self.plan.dataset, self.split, self.plan.scenario, features=self.plan.features)

    @cached_property
    def judge(self) -> Judge:
        """The judge, with all that depends on the truth alone."""
        return Judge(self.question.truth, find_metrics(self.plan.scenario.metrics))

    @cached_property
    def inputs(self) -> dict[str, str]:
        """Fingerprints of everything that the question follows from."""
        scenario = self.plan.scenario
        return {
            "dataset": self.plan.dataset.fingerprint,
            "split": self.split.fingerprint,
            "features": "" if self.plan.features is None else fingerprint(self.plan.features),
            "scenario": fingerprint(
                scenario.version, scenario.genes, scenario.fit_on, scenario.metrics
            ),
        }

    def key(self, name: str) -> RunKey:
        """Return what names the run of a model."""
        return RunKey(
            self.plan.name,
            self.plan.dataset.name,
            self.plan.arm,
            name,
            self.split.seed,
            self.split.fold,
            self.options(name),
        )

    def options(self, name: str) -> Mapping[str, Any]:
        """Return the options of a model; the replicate and the ceiling have none."""
        return self.plan.entries[name].options if name in self.plan.entries else {}

    def version(self, name: str) -> str:
        """Return the hash of the file a model was read from, "" for an installed one."""
        return self.plan.entries[name].card.version if name in self.plan.entries else ""


@dataclass(frozen=True)
class Result:
    """What one run came to: scores, and what is written of it beside them."""

    status: Status
    scores: pd.DataFrame
    reason: str = ""
    log: str = ""
    prediction: Prediction | None = None
    flags: Sequence[str] = ()


def run_one(fold: Fold, name: str, runs: Path) -> Outcome:
    """Run one model, the replicate or the ceiling on one fold, unless it is finished."""
    key, inputs = fold.key(name), {**fold.inputs, "model": fold.version(name)}
    folder = key.folder(runs)
    with claimed(folder):
        found = finished_record(folder, fingerprint(inputs))
        if found is not None:
            return Outcome(folder, found, is_new=False)
        started = now()
        with measured() as cost:
            result = _result(fold, name)
        if result.prediction is not None:
            write_prediction(folder / PREDICTION, result.prediction)
        record = {
            **_described(fold, key, result),
            "started": started,
            **vars(cost),
            "fingerprints": {**_fingerprints(result), **inputs, "inputs": fingerprint(inputs)},
        }
        finish(folder, record, _labelled(key, result.scores), _costs(fold, cost))
        return Outcome(folder, record, is_new=True)


def _result(fold: Fold, name: str) -> Result:
    if name == CEILING:
        return Result(Status.OK, fold.judge.ceilings())
    if name == REPLICATE:
        return Result(Status.OK, fold.judge.replicate(np.random.default_rng(fold.split.seed)))
    _, card, options = fold.plan.entries[name]
    reasons = unanswerable(card, fold.question.task)
    is_applicable = (reasons == "").to_numpy()
    if not is_applicable.any():
        reason = "; ".join(sorted(set(reasons)))
        return Result(Status.NOT_APPLICABLE, fold.judge.not_applicable(), reason)
    try:
        prediction = answer(card, fold.question.task, is_applicable, fold.split.seed, options)
        scores = fold.judge.score(prediction, is_applicable=is_applicable)
    except Exception as error:  # noqa: BLE001  a model's crash is a result
        reason = f"{type(error).__name__}: {error}"
        return Result(Status.ERROR, fold.judge.failed(), reason, traceback.format_exc())
    return Result(
        Status.OK,
        scores,
        "; ".join(sorted(set(reasons) - {""})),
        prediction=prediction,
        flags=_flags(fold, prediction),
    )


def answer(
    card: ModelCard,
    task: Task,
    is_applicable: Booleans,
    seed: int,
    options: Mapping[str, Any],
) -> Prediction:
    """Fit a fresh model and ask it the conditions that it can answer."""
    query = task.query.select(is_applicable)
    model = card.make(seed=seed, **options)
    model.fit(replace(task, query=query))
    prediction = model.predict(query)
    if not isinstance(prediction, Prediction):
        raise PredictionError(f"Model {card.name!r} returned a {type(prediction).__name__}.")
    return prediction


def _flags(fold: Fold, prediction: Prediction) -> list[str]:
    flags = []
    if fold.plan.scenario.fit_on == "all":
        flags.append("leak: genes were chosen on all cells, test cells included")
    if prediction.kind is Kind.MEAN and fold.judge.makes_cells:
        flags.append("synthetic_cells: cells were made from the given controls and the means")
    return flags


def _labelled(key: RunKey, scores: pd.DataFrame) -> pd.DataFrame:
    return label(
        scores,
        scenario=key.scenario,
        dataset=key.dataset,
        arm=key.arm,
        model=key.model,
        seed=key.seed,
        fold=key.fold,
    )


def _described(fold: Fold, key: RunKey, result: Result) -> dict[str, Any]:
    truth, scenario = fold.question.truth, fold.plan.scenario
    return {
        "status": str(result.status),
        "reason": result.reason,
        "log": result.log,
        "flags": list(result.flags),
        "synthetic_cells": any(flag.startswith("synthetic_cells") for flag in result.flags),
        "scenario": key.scenario,
        "question": scenario.question,
        "reference": fold.plan.reference,
        "dataset": key.dataset,
        "arm": key.arm,
        "model": key.model,
        "seed": key.seed,
        "fold": key.fold,
        "n_folds": fold.split.n_folds,
        "options": dict(key.options),
        "genes": scenario.genes,
        "n_genes": len(truth.test.genes),
        "expression": str(truth.test.expression),
        "target_sum": truth.test.target_sum,
        "sizes": _sizes(fold),
        "versions": versions(),
        "hardware": hardware(),
    }


def _sizes(fold: Fold) -> dict[str, Any]:
    task, truth = fold.question
    cells = {
        Role.TRAIN: int((~task.train.is_control).sum()),
        Role.VAL: int((~task.val.is_control).sum()),
        Role.TEST: truth.test.n,
    }
    return {
        **{
            str(role): {"conditions": len(fold.split.conditions_in(role)), "cells": cells.get(role)}
            for role in Role
        },
        "controls_given": truth.given.n,
        "controls_kept": truth.kept.n,
    }


def _fingerprints(result: Result) -> dict[str, str]:
    prediction = result.prediction
    return {} if prediction is None else {"prediction": fingerprint(prediction)}


def _costs(fold: Fold, cost: Cost) -> pd.DataFrame:
    row = {**vars(cost), "n_cells": fold.question.task.train.n}
    return pd.DataFrame([row]).reindex(columns=COST_COLUMNS)
