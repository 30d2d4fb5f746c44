"""Predictions that were made elsewhere: two files in, scores out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from wildcell.datasets.dataset import Dataset
from wildcell.datasets.open import open_cells
from wildcell.datasets.read import read_cells
from wildcell.errors import OptionError, PredictionError
from wildcell.judge import Judge
from wildcell.metrics.headline import find_metrics
from wildcell.models.answer import answer, unanswerable
from wildcell.models.find import find_model
from wildcell.models.model import MODELS
from wildcell.names import CEILING, REPLICATE, SHAM, Expression, Kind, Status
from wildcell.record import Result, costs_of, flags_of, key_of, labelled_scores, record_of
from wildcell.results.rank import EVERY_CATEGORY, rank
from wildcell.scenarios.answer import check_conditions
from wildcell.scenarios.folder import is_truth, prediction_from, read_task, truth_from
from wildcell.scenarios.outside import (
    as_dataset,
    on_genes,
    pose_from_files,
)
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.reading import (
    Labels,
    ReadCells,
    check_source,
    labelled,
    library_size,
    prediction_kind,
    stated_library_size,
    stated_or_detected,
)
from wildcell.scenarios.scenario import DEFAULT_METRICS
from wildcell.scenarios.task import Task, Truth, cells_on
from wildcell.store.fingerprint import fingerprint
from wildcell.store.provenance import Cost, measured, now
from wildcell.store.runs import RECORD, RunKey, claimed, finish, finished_record

BASELINES = ["no-change", "perturbed-mean", "context-transfer", "additive", "matching-mean"]
"""Baselines that need no more than training cells."""

HEADLINE = "pearson_delta"


@dataclass(frozen=True)
class Reading:
    """How the files are to be read.

    Attributes
    ----------
    labels
        Where they say what their cells are.
    expression, target_sum
        The prediction's scale, where its file does not say.
    is_on_common_genes
        Whether genes that the prediction lacks are left out, rather than an error.
    must_match
        Whether the prediction must have just the truth's conditions.
    seed
        Of the halving of controls.
    is_anchored_to_all
        Whether the prediction was made from all controls of a file that is halved here.
    """

    labels: Labels = field(default_factory=Labels)
    expression: Expression | None = None
    target_sum: float | None = None
    is_on_common_genes: bool = False
    must_match: bool = True
    seed: int = 0
    is_anchored_to_all: bool = False


@dataclass(frozen=True)
class FileCase:
    """A prediction and the truth it is held to, with a task for baselines where there is one."""

    prediction: Prediction
    truth: Truth
    task: Task | None
    notes: Sequence[str]


@dataclass(frozen=True)
class FileJudgement:
    """What two files came to.

    Attributes
    ----------
    model
        What the prediction is called.
    truth
        What it was held to.
    results
        By model: the prediction, baselines where there is a task, the replicate, the ceiling.
    notes
        What was read, detected and flagged, in sentences.
    inputs
        Fingerprints of what was judged.
    cost, started
        What it took, and when it began.
    """

    model: str
    truth: Truth
    results: Mapping[str, Result]
    notes: Sequence[str]
    inputs: Mapping[str, str]
    cost: Cost
    started: str

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The long table, the prediction's rows first."""
        tables = [
            labelled_scores(self._key(name), result.scores) for name, result in self.results.items()
        ]
        return pd.concat(tables, ignore_index=True)

    @cached_property
    def ranks(self) -> pd.DataFrame:
        """Means and intervals of the same."""
        return rank(self.scores, {self.truth.origin.scenario: self.truth.origin.reference})

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        return _sentence(self.ranks, self.model)

    def keep(self, runs: Path) -> Path:
        """Write the prediction's run, and those of the others that are not there yet.

        Returns
        -------
        The folder of the prediction's run.
        """
        for name in self.results:
            folder = self._key(name).folder(runs)
            with claimed(folder):
                if name == self.model or not (folder / RECORD).exists():
                    self._keep_run(name, folder)
        return self._key(self.model).folder(runs)

    def _keep_run(self, name: str, folder: Path) -> None:
        if finished_record(folder, fingerprint(self.inputs)) is not None:
            return
        key, result = self._key(name), self.results[name]
        record = record_of(
            key, self.truth, result, inputs=self.inputs, cost=self.cost, started=self.started
        )
        n_cells = self.truth.test.n
        finish(folder, record, labelled_scores(key, result.scores), costs_of(self.cost, n_cells))

    def _key(self, name: str) -> RunKey:
        return key_of(self.truth.origin, name, {})


def judge_files(
    prediction: Path,
    truth: Path,
    *,
    train: Path | None = None,
    model: str = "prediction",
    metrics: Sequence[str] = DEFAULT_METRICS,
    reading: Reading | None = None,
) -> FileJudgement:
    """Score a prediction file against a truth file.

    Parameters
    ----------
    prediction, truth
        h5ad or zarr files; the truth is a judge's file, or any file of test cells and controls.
    train
        Training cells, or the task folder that belongs to a judge's file: naive baselines are
        scored beside the prediction.
    model
        What the prediction is called.
    metrics
        What is computed: names, or `headline`, or `all`.
    reading
        How the files are to be read.

    Raises
    ------
    BenchmarkError
        A file cannot be read or used, or the two do not fit; nothing is written.
    """
    reading, started = reading or Reading(), now()
    if reading.seed < 0:
        raise OptionError(f"Seeds are whole numbers of at least 0; got {reading.seed}.")
    if model in {*BASELINES, REPLICATE, CEILING}:
        raise OptionError(
            f"{model!r} is the name of a baseline; call the prediction something else."
        )
    with measured() as cost:
        case = open_case(prediction, truth, train, reading)
        judge = Judge(case.truth, find_metrics(metrics), reference=_reference(case))
        own = Result(
            Status.OK,
            judge.score(case.prediction),
            prediction=case.prediction,
            flags=flags_of(judge, case.prediction),
        )
        rng = np.random.default_rng(case.truth.origin.seed)
        results = {
            model: own,
            **_baselines(case.task, judge, case.truth.origin.seed),
            REPLICATE: Result(Status.OK, judge.replicate(rng)),
            CEILING: Result(Status.OK, judge.ceilings()),
        }
    inputs = {"truth": fingerprint(case.truth), "prediction": fingerprint(case.prediction)}
    return FileJudgement(model, case.truth, results, case.notes, inputs, cost, started)


def open_case(prediction: Path, truth: Path, train: Path | None, reading: Reading) -> FileCase:
    """Read the files, settle their scales, and check that they fit."""
    answered = labelled(open_cells(prediction), reading.labels)
    expression, note = stated_or_detected(answered, reading.expression)
    kind = prediction_kind(answered.cells)
    if kind is Kind.MEAN and expression is Expression.COUNTS:
        raise PredictionError(
            f"{prediction} holds counts in one row a condition; a mean is the mean of cells' log1p "
            "values. Give these, or cells."
        )
    depth = _depth_of(answered, expression, kind, reading)
    notes = [note, f"{prediction}: rows are {'cells' if kind is Kind.CELLS else 'means'}."]
    held_to, task, more = _open_truth(truth, train, reading, depth, expression)
    answer = prediction_from(answered.in_memory, expression=expression, kind=kind)
    given = replace(answer, target_sum=depth)
    if reading.is_on_common_genes:
        held_to = on_genes(held_to, given.genes)
        notes.append(f"Scored on the {len(held_to.test.genes)} genes in common.")
        task = None if task is None else _task_on(task, held_to)
    if reading.must_match:
        asked = held_to.conditions["category"] != SHAM
        check_conditions(given, held_to.conditions[asked])
    if depth is None and expression is Expression.LOGNORM and held_to.test.target_sum is not None:
        notes.append(
            f"{prediction}: taken to be at the truth's library size of "
            f"{held_to.test.target_sum:.6g}; say --target-sum if it is not."
        )
    flags = [f"{truth}: {flag}." for flag in held_to.origin.flags]
    return FileCase(given, held_to, task, [*notes, *more, *flags])


def _depth_of(
    read: ReadCells, expression: Expression, kind: Kind, reading: Reading
) -> float | None:
    """Return the library size of log1p values: as said, or as the cells show it."""
    said, stated = reading.target_sum, stated_library_size(read)
    if said is not None and not (np.isfinite(said) and said > 0):
        raise OptionError(f"--target-sum must be a positive number; got {said}.")
    if said is not None and stated is not None and said != stated:
        raise OptionError(
            f"{read.file} states a target_sum of {stated:g}, and --target-sum says {said:g}; drop "
            "the option or mend the file."
        )
    if expression is not Expression.LOGNORM:
        return None
    if said is not None or kind is Kind.MEAN:
        return said or stated
    return library_size(read)


def _open_truth(
    path: Path, train: Path | None, reading: Reading, depth: float | None, predicted: Expression
) -> tuple[Truth, Task | None, list[str]]:
    """Return the truth, a task for baselines where there is one, and what to say of them."""
    opened = open_cells(path)
    if is_truth(opened.uns):
        truth = truth_from(read_cells(path))
        return truth, None if train is None else _task_of(train), []
    shown = labelled(opened, reading.labels)
    expression, note = stated_or_detected(shown, None)
    check_source(shown, expression)
    depth_of_truth = _own_depth(shown, expression)
    screen = as_dataset(shown.in_memory, expression, depth_of_truth, path.stem)
    seen = None if train is None else _training(train, reading, expression)
    is_free = expression is Expression.COUNTS and predicted is Expression.LOGNORM
    if is_free and depth is None:
        raise OptionError(
            "The library size that the prediction's log1p values refer to cannot be seen; "
            "say it with --target-sum, such as --target-sum 10000."
        )
    question = pose_from_files(
        screen,
        seen,
        seed=reading.seed,
        target_sum=depth if is_free else None,
        is_anchored_to_all=reading.is_anchored_to_all,
    )
    return question.truth, None if seen is None else question.task, [note]


def _own_depth(read: ReadCells, expression: Expression) -> float | None:
    return library_size(read) if expression is Expression.LOGNORM else None


def _training(path: Path, reading: Reading, expected: Expression) -> Dataset:
    read = labelled(open_cells(path), reading.labels)
    expression, _ = stated_or_detected(read, None)
    check_source(read, expression)
    return as_dataset(read.in_memory, expression, _own_depth(read, expected), path.stem)


def _task_of(folder: Path) -> Task:
    if not folder.is_dir():
        raise OptionError(
            f"Beside a judge's file, --train names the task folder that belongs to it; {folder} "
            "is none."
        )
    return read_task(folder)


def _task_on(task: Task, truth: Truth) -> Task:
    """Return a task on the genes of a truth that models were given."""
    genes = truth.test.genes[~np.isin(truth.test.genes, truth.unseen_genes)]
    return replace(
        task,
        train=cells_on(task.train, genes),
        val=cells_on(task.val, genes),
        query=replace(task.query, controls=cells_on(task.query.controls, genes)),
    )


def _reference(case: FileCase) -> Prediction | None:
    """Return the answer of the reference baseline, where training cells allow one."""
    name, task = case.truth.origin.reference, case.task
    if task is None or name not in MODELS.names():
        return None
    card = find_model(name)
    is_applicable = (unanswerable(card, task) == "").to_numpy()
    if not is_applicable.any():
        return None
    return answer(card, task, is_applicable, case.truth.origin.seed, {})


def _baselines(task: Task | None, judge: Judge, seed: int) -> dict[str, Result]:
    """Score the naive baselines that training cells allow."""
    if task is None:
        return {}
    results = {}
    for name in BASELINES:
        card = find_model(name)
        is_applicable = (unanswerable(card, task) == "").to_numpy()
        prediction = answer(card, task, is_applicable, seed, {})
        scores = judge.score(prediction, is_applicable=is_applicable)
        results[name] = Result(Status.OK, scores, flags=flags_of(judge, prediction))
    return results


def _sentence(ranks: pd.DataFrame, model: str) -> str:
    shown = ranks[(ranks["metric"] == HEADLINE) & (ranks["category"] == EVERY_CATEGORY)]
    of_model = shown.set_index("model")
    own = of_model.loc[model]
    if own["scored"] == 0:
        return (
            f"{model} has no {HEADLINE}: of {own['expected']} conditions {own['abstained']} are "
            f"flat or missing and {own['undefined']} cannot be judged."
        )
    beside = [
        f"{name} {of_model.loc[name, 'mean']:.2f}"
        for name in [*BASELINES, REPLICATE]
        if name in of_model.index and np.isfinite(of_model.loc[name, "mean"])
    ]
    comparison = f" (beside it: {', '.join(beside)})" if beside else ""
    return (
        f"{model} scores a {HEADLINE} of {own['mean']:.2f}{_interval(own)} on {own['scored']} of "
        f"{own['expected']} conditions{comparison}."
    )


def _interval(row: pd.Series) -> str:
    if not np.isfinite(row["low"]):
        return ""
    return f" (95 % interval {row['low']:.2f} to {row['high']:.2f}, {row['interval']})"
