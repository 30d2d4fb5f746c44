"""The straight path: models through one scenario, a run folder for each seed and fold."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from wildcell.datasets.dataset import Dataset
from wildcell.difficulty import condition_table
from wildcell.errors import OptionError, StoreError
from wildcell.judge import Judge
from wildcell.ladder import Reference, judged_by_halves, replicate_of_halves
from wildcell.metrics.convention import Convention, find_conventions
from wildcell.metrics.headline import find_metrics
from wildcell.models.answer import answer, unanswerable
from wildcell.models.find import find_model
from wildcell.models.model import ModelCard
from wildcell.models.sealed.terms import Terms
from wildcell.names import CEILING, ORACLES, REPLICATE, Need, Status
from wildcell.plan import Plan, make_plan
from wildcell.record import (
    Result,
    costs_of,
    flags_of,
    labelled_halves,
    labelled_scores,
    record_of,
    whole_cost,
)
from wildcell.scenarios.additive import sum_of_singles
from wildcell.scenarios.ask import Asked, ask
from wildcell.scenarios.embedding import embedding_fingerprint
from wildcell.scenarios.folder import read_prediction, write_prediction
from wildcell.scenarios.graph_arms import graph_in_arm
from wildcell.scenarios.judged import judged_by
from wildcell.scenarios.pose import Question
from wildcell.scenarios.scenario import Scenario
from wildcell.scenarios.split import Split, make_splits
from wildcell.scenarios.trained import trained_on
from wildcell.shared_reliability import shared_reliability
from wildcell.store.atomic import is_disk_full, read_table, write_table
from wildcell.store.fingerprint import fingerprint
from wildcell.store.provenance import Cost, measured, now
from wildcell.store.runs import (
    HALVES,
    LOG,
    LOOKS,
    OTHERWISE,
    PREDICTION,
    PROGRESS,
    RECORD,
    SHAKEN_FILE,
    RunKey,
    claimed,
    finish,
    finished_record,
    keep_conditions,
    read_record,
)
from wildcell.store.split_tables import write_split_tables

DECIDING_WORDS = (
    "version",
    "reference",
    "genes",
    "fit_on",
    "embedding",
    "features",
    "pool",
    "shams",
    "metrics",
)
"""Words of a scenario that scores follow from, besides its split: others may be reworded."""

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
    embedding: str | None = None,
    features: pd.DataFrame | None = None,
    graph: pd.DataFrame | None = None,
    foreign: Sequence[str | Path | Dataset] | None = None,
    metrics: Sequence[str] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    terms: Terms | None = None,
    aliases: Mapping[str, str] | None = None,
    conventions: Sequence[str] = (),
    oracles: bool = False,
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
        Names that `wildcell models` lists, classes of your own as `path/to/file.py:Class`, or
        folders of models in environments of their own as `external:path/to/folder`.
    runs
        Folder of all runs; may hold others.
    data
        A name or a curated file; the scenario's own data set if None.
    data_options
        Parameters of a registered data set, such as `n_cells` of `simulated`.
    arm, seeds, genes, embedding
        In the place of the scenario's own.
    features
        Features of components, indexed by component, in the place of the data set's own.
    graph
        Neighbours of components, columns component, neighbour and weight, in the place of the
        scenario's.
    foreign
        Other screens, names or curated files, in the place of the scenario's: cells that may be
        trained on, as the arm says, and are never tested.
    metrics
        What is scored, in the place of the scenario's own: names, or `headline`, or `all`.
    options
        Options of models by model name.
    terms
        What models in processes of their own may take, and how their environments are made.
    aliases
        What other names of genes and compounds stand for, in the audit of each question.
    conventions
        Names of `wildcell.metrics.convention.ALTERNATIVES`, by which answers are scored besides,
        those of finished runs, too: a file of its own each, beside the scores.
    oracles
        Whether it is scored how far answers of some forms could go: the reference baseline at its
        true amplitude, the nearest training condition, combinations of training conditions.
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
    others = find_conventions(conventions)
    plan = make_plan(
        scenario,
        models=models,
        data=data,
        data_options=data_options,
        arm=arm,
        genes=genes,
        embedding=embedding,
        features=features,
        graph=graph,
        foreign=foreign,
        metrics=metrics,
        options=options,
        terms=terms,
        aliases=aliases,
    )
    folds, names = folds_of(plan, seeds, has_oracles=oracles), names_of(plan)
    outcomes: list[Outcome] = []
    n_runs = len(folds) * len(names)
    while folds:
        fold = folds.pop(0)  # and let go of, lest all questions be in memory at once
        for name in names:
            on_run(len(outcomes), n_runs, f"{name}, seed {fold.split.seed}")
            outcomes.append(run_one(fold, name, runs))
            if name in plan.entries:
                score_otherwise(fold, name, outcomes[-1].folder, others)
            if name == REPLICATE:
                keep_halves(fold, outcomes[-1].folder)
    return outcomes


def folds_of(plan: Plan, seeds: Sequence[int] | None, *, has_oracles: bool = False) -> list["Fold"]:
    """Return what each seed and fold of a plan asks; the scenario's own seeds if None."""
    return [
        Fold(plan, split, has_oracles=has_oracles)
        for seed in _checked_seeds(plan.scenario.seeds if seeds is None else seeds)
        for split in make_splits(
            plan.scenario,
            plan.dataset,
            seed=seed,
            arm=plan.arm,
            features=plan.features,
            foreign=plan.foreign,
        )
    ]


def names_of(plan: Plan) -> list[str]:
    """Return what is run on each fold: models, the replicate, the ceiling where there is one."""
    has_ceiling = any(item.ceiling is not None for item in find_metrics(plan.scenario.metrics))
    return [*plan.entries, REPLICATE, *([CEILING] if has_ceiling else [])]


def _checked_seeds(seeds: Sequence[int]) -> list[int]:
    if not seeds:
        raise OptionError("No seed is named; give one at least.")
    return list(dict.fromkeys(seeds))


@dataclass(frozen=True)
class Fold:
    """One split of a plan, posed and judged once for all models, when the first needs it."""

    plan: Plan
    split: Split
    has_oracles: bool = False

    @cached_property
    def question(self) -> Question:
        """The task and the truth, audited.

        Raises
        ------
        SplitError
            The task holds something of the truth, and the scenario is strict.
        """
        return self._asked.question

    @cached_property
    def _asked(self) -> Asked:
        plan = self.plan
        return ask(
            plan.dataset,
            self.split,
            plan.scenario,
            features=plan.features,
            graph=plan.graph,
            foreign=plan.foreign,
            aliases=plan.aliases,
        )

    def conditions(self) -> pd.DataFrame:
        """Return what each condition is used for, and how hard it is to answer."""
        return condition_table(*self._asked)

    def pool_tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables of what is pooled with the target, by name; none without a pool."""
        return {
            name: table.assign(fold=self.split.fold)
            for name, table in self._asked.split.tables.items()
            if name not in self.split.tables
        }

    @cached_property
    def judged(self) -> str:
        """Hash of what is judged: test cells, both halves of controls, genes and depth."""
        return fingerprint(judged_by(self.question.truth))

    @cached_property
    def trained(self) -> str:
        """Hash of what models are trained on."""
        return trained_on(self.question.task)

    @cached_property
    def judge(self) -> Judge:
        """The judge, with all that depends on the truth alone."""
        metrics = find_metrics(self.plan.scenario.metrics)
        needs_reference = any(Need.REFERENCE in item.needs for item in metrics)
        reference = self.reference if needs_reference else None
        needs_singles = any(Need.SINGLES in item.needs for item in metrics)
        singles = sum_of_singles(self.question.task) if needs_singles else None
        return Judge(
            self.question.truth,
            metrics,
            reference=None if reference is None else reference.prediction,
            singles=singles,
        )

    def judge_by(self, convention: Convention) -> Judge:
        """Return a judge of another convention, made when it is first asked for."""
        if convention.name not in self._others:
            self._others[convention.name] = replace(self.judge, convention=convention)
        return self._others[convention.name]

    @cached_property
    def _others(self) -> dict[str, Judge]:
        return {}

    @cached_property
    def reference(self) -> Reference | None:
        """What the reference baseline answers, None where it can answer nothing."""
        task, card = self.question.task, find_model(self.plan.scenario.reference)
        is_applicable = (unanswerable(card, task) == "").to_numpy()
        if not is_applicable.any():
            return None
        return Reference(answer(card, task, is_applicable, self.split.seed, {}), is_applicable)

    @cached_property
    def halves(self) -> pd.DataFrame:
        """Scores by either half of the test cells, of the replicate, the reference and oracles."""
        return judged_by_halves(
            self.judge,
            self.question.task,
            self.reference,
            np.random.default_rng(self.split.seed),
            has_oracles=self.has_oracles,
        )

    def shared_reliability(self) -> float | None:
        """How well the reference baseline's delta is known; None where no metric asks for it."""
        names = {item.name for item in find_metrics(self.plan.scenario.metrics)}
        if "shared_r2" not in names or self.reference is None:
            return None
        found = shared_reliability(
            self.judge,
            self.question.task,
            find_model(self.plan.scenario.reference),
            self.reference.is_applicable,
            self.split.seed,
        )
        return None if np.isnan(found) else found

    @cached_property
    def asked(self) -> dict[str, str]:
        """Fingerprints of everything that the question follows from."""
        words = self.plan.scenario.in_arm(self.plan.arm)
        graph = graph_in_arm(words.graph, self.plan.graph)
        return {
            "dataset": self.plan.dataset.fingerprint,
            "split": self.split.fingerprint,
            "features": "" if self.plan.features is None else fingerprint(self.plan.features),
            "embedding": embedding_fingerprint(words.embedding, self.plan.dataset),
            "foreign": _foreign_fingerprint(self.plan, words.embedding),
            "scenario": fingerprint({name: getattr(words, name) for name in DECIDING_WORDS}),
            **({} if graph is None else {"graph": fingerprint(graph)}),
        }

    def options(self, name: str) -> Mapping[str, Any]:
        """Return the options of a model; the replicate and the ceiling have none."""
        return self.plan.entries[name].options if name in self.plan.entries else {}

    def version(self, name: str) -> str:
        """Return the hash of the file a model was read from, "" for an installed one."""
        return self.plan.entries[name].card.version if name in self.plan.entries else ""


def _foreign_fingerprint(plan: Plan, embedding: str) -> str:
    """Return a hash of the foreign screens by name, "" where there are none."""
    hashes = {
        screen.name: (screen.fingerprint, embedding_fingerprint(embedding, screen))
        for screen in plan.foreign
    }
    return fingerprint(hashes) if hashes else ""


def prepare(fold: Fold, runs: Path) -> None:
    """Compute and keep what is the same for all who answer a question."""
    fold.judge.prepare()
    _ = fold.judged, fold.trained
    _keep_question(fold, _key(fold, REPLICATE), runs)


def _keep_question(fold: Fold, key: RunKey, runs: Path) -> None:
    keep_conditions(key.conditions(runs), fingerprint(fold.asked), fold.conditions)
    write_split_tables(key.split_tables(runs), fold.split.tables, key.question)
    write_split_tables(key.pool_tables(runs), fold.pool_tables(), key.question)


def run_folder(fold: Fold, name: str, runs: Path) -> Path:
    """Return where a run lies, whether it is finished or not."""
    return _key(fold, name).folder(runs)


def record_in(fold: Fold, name: str, runs: Path) -> dict[str, Any] | None:
    """Return the record of a run if it is finished.

    Raises
    ------
    StoreError
        There is one that was made from something else.
    """
    return finished_record(run_folder(fold, name, runs), fingerprint(_inputs(fold, name)))


def run_one(fold: Fold, name: str, runs: Path, *, retry: bool = False) -> Outcome:
    """Run one model, the replicate or the ceiling on one fold, unless it is finished.

    Parameters
    ----------
    fold, name, runs
        The question, who answers it, and the folder of all runs.
    retry
        Whether a run that ended in an error is run again.
    """
    return _kept(fold, name, runs, lambda folder: _result(fold, name, folder), retry=retry)


def fail_one(
    fold: Fold, name: str, runs: Path, *, reason: str, log: str, cost: Cost, retry: bool = False
) -> Outcome:
    """Keep the run of a model that was stopped, or whose process died, as an error.

    Parameters
    ----------
    fold, name, runs, retry
        As for `run_one`.
    reason, log
        What became of it, in a line; the last that it printed.
    cost
        What it took until then.
    """
    ended = Result(
        Status.ERROR,
        fold.judge.failed(),
        reason,
        log,
        is_sealed=fold.plan.entries[name].card.is_sealed,
    )
    return _kept(fold, name, runs, lambda _: ended, retry=retry, took=cost)


def _inputs(fold: Fold, name: str) -> dict[str, str]:
    return {**fold.asked, "model": fold.version(name)}


def _kept(
    fold: Fold,
    name: str,
    runs: Path,
    make: Callable[[Path], Result],
    *,
    retry: bool,
    took: Cost | None = None,
) -> Outcome:
    """Return the run that is finished, or make it and keep it."""
    key = _key(fold, name)
    inputs = _inputs(fold, name)
    folder = key.folder(runs)
    with claimed(folder):
        found = finished_record(folder, fingerprint(inputs))
        if found is not None and not (retry and found["status"] == Status.ERROR):
            return Outcome(folder, found, is_new=False)
        (folder / RECORD).unlink(missing_ok=True)
        _keep_question(fold, key, runs)
        started = now()
        with measured() as cost:
            result = make(folder)
        cost = took or whole_cost(cost, result.apart)
        if result.prediction is not None:
            write_prediction(folder / PREDICTION, result.prediction)
        task, truth = fold.question
        record = record_of(
            key,
            truth,
            result,
            inputs=inputs,
            judged=fold.judged,
            trained=fold.trained,
            recipe=fold.plan.recipe,
            cost=cost,
            started=started,
        )
        scores = labelled_scores(key, result.scores)
        if result.shaken is not None and len(result.shaken):
            write_table(folder / SHAKEN_FILE, result.shaken)
        if result.looks is not None and len(result.looks):
            write_table(folder / LOOKS, result.looks)
        finish(folder, record, scores, costs_of(cost, task.train.n, result.training))
        return Outcome(folder, record, is_new=True)


def score_otherwise(fold: Fold, name: str, folder: Path, conventions: Sequence[Convention]) -> None:
    """Score the answer of a finished run by other conventions, unless that is done.

    A run without an answer has none of these scores.
    """
    for convention in conventions:
        out = folder / OTHERWISE.format(convention.name)
        with claimed(folder):
            record = read_record(folder / RECORD)
            if out.is_file() or record["status"] != Status.OK:
                continue
            reasons = unanswerable(fold.plan.entries[name].card, fold.question.task)
            scores = fold.judge_by(convention).score(
                read_prediction(folder / PREDICTION), is_applicable=(reasons == "").to_numpy()
            )
            write_table(out, labelled_scores(_key(fold, name), scores))


def keep_halves(fold: Fold, folder: Path) -> None:
    """Write the scores by halves of the test cells beside the replicate's, unless they are there.

    Those without oracles are replaced where oracles are asked for.
    """
    out = folder / HALVES
    with claimed(folder):
        known = set(read_table(out)["model"]) if out.is_file() else set()
        if known and (not fold.has_oracles or known & set(ORACLES)):
            return
        write_table(out, labelled_halves(_key(fold, REPLICATE), fold.halves))


def _key(fold: Fold, name: str) -> RunKey:
    return RunKey(
        fold.plan.scenario.name,
        fold.plan.dataset.name,
        fold.plan.arm,
        name,
        fold.split.seed,
        fold.split.fold,
        fold.options(name),
    )


def _result(fold: Fold, name: str, folder: Path) -> Result:
    if name == CEILING:
        return Result(Status.OK, fold.judge.ceilings())
    if name == REPLICATE:
        return Result(
            Status.OK,
            replicate_of_halves(fold.halves),
            shared_reliability=fold.shared_reliability(),
        )
    _, card, options = fold.plan.entries[name]
    result = _answered(fold, card, options, folder)
    return replace(result, is_sealed=card.is_sealed)


def _answered(fold: Fold, card: ModelCard, options: Mapping[str, Any], folder: Path) -> Result:
    reasons = unanswerable(card, fold.question.task)
    is_applicable = (reasons == "").to_numpy()
    if not is_applicable.any():
        reason = "; ".join(sorted(set(reasons)))
        return Result(Status.NOT_APPLICABLE, fold.judge.not_applicable(), reason)
    training: dict[str, Any] = {}
    apart: list[Cost] = []
    try:
        prediction = answer(
            card,
            fold.question.task,
            is_applicable,
            fold.split.seed,
            options,
            progress=folder / PROGRESS,
            log=folder / LOG,
            on_trained=training.update,
            on_ended=apart.append,
        )
        judged = fold.judge.judged(prediction, is_applicable=is_applicable)
    except (Exception, SystemExit) as error:  # a model's crash is a result
        if is_disk_full(error):
            raise StoreError(f"The disk is full, so that {card.name} was stopped.") from error
        reason = f"{type(error).__name__}: {error}"
        log = traceback.format_exc()
        return Result(
            Status.ERROR,
            fold.judge.failed(),
            reason,
            log,
            training=training,
            apart=next(iter(apart), None),
        )
    return Result(
        Status.OK,
        judged.scores,
        "; ".join(sorted(set(reasons) - {""})),
        prediction=prediction,
        training=training,
        flags=flags_of(fold.judge, prediction),
        apart=next(iter(apart), None),
        shaken=judged.shaken,
        looks=judged.looks,
    )
