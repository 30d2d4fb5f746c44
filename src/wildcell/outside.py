"""Predictions that were made elsewhere: two files in, scores out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from wildcell.datasets.open import content_of
from wildcell.errors import OptionError
from wildcell.file_evidence import answer_evidence, truth_evidence
from wildcell.judge import Judge
from wildcell.metrics.convention import OURS
from wildcell.metrics.headline import find_metrics
from wildcell.metrics.metric import Metric
from wildcell.models.answer import answer, unanswerable
from wildcell.models.find import find_model
from wildcell.models.model import MODELS
from wildcell.names import CEILING, REPLICATE, Need, Status
from wildcell.record import Result, costs_of, flags_of, key_of, labelled_scores, record_of
from wildcell.results.rank import EVERY_CATEGORY, rank
from wildcell.scenarios.file_case import FileCase, Reading, Source, open_case
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.scenario import DEFAULT_METRICS
from wildcell.scenarios.task import Task, Truth
from wildcell.store.fingerprint import fingerprint
from wildcell.store.provenance import Cost, measured, now
from wildcell.store.runs import RECORD, RunKey, claimed, finish, finished_record

BASELINES = ["no-change", "perturbed-mean", "context-transfer", "additive", "matching-mean"]
"""Baselines that need no more than training cells."""

HEADLINE = "pearson_delta"


@dataclass(frozen=True)
class FileJudgement:
    """What two files came to.

    Attributes
    ----------
    model
        What the prediction is called.
    truth
        What it was held to.
    sources, reading
        The prediction and the truth as they were given, and how they were read.
    results
        By model: the prediction, baselines where there is a task, the replicate, the ceiling.
    notes
        What was read, detected and flagged, in sentences.
    cost, started
        What it took, and when it began.
    """

    model: str
    truth: Truth
    sources: tuple[Source, Source]
    reading: Reading
    results: Mapping[str, Result]
    notes: Sequence[str]
    cost: Cost
    started: str

    @cached_property
    def inputs(self) -> Mapping[str, str]:
        """Fingerprints of what was judged."""
        prediction, truth = map(content_of, self.sources)
        return {"prediction": prediction, "truth": truth, "reading": fingerprint(self.reading)}

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
    prediction: Source,
    truth: Source,
    *,
    train: Path | None = None,
    model: str = "prediction",
    metrics: Sequence[str] = DEFAULT_METRICS,
    reading: Reading | None = None,
) -> FileJudgement:
    """Score predicted cells or means against true cells.

    Parameters
    ----------
    prediction, truth
        h5ad or zarr files, or AnnData; the truth is a judge's file, or any cells of tests and
        controls.
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
        judge = _judge_of(case, find_metrics(metrics))
        results = {
            model: _judged(case, judge),
            **_baselines(case.task, judge, case.truth.origin.seed),
            REPLICATE: Result(Status.OK, judge.replicate()),
            CEILING: Result(Status.OK, judge.ceilings()),
        }

    sources = (prediction, truth)
    return FileJudgement(model, judge.truth, sources, reading, results, case.notes, cost, started)


def _judge_of(case: FileCase, metrics: Sequence[Metric]) -> Judge:
    """Return the judge, who has read the truth's file where its numbers were left in it."""
    if case.unread is None:
        return Judge(case.truth, metrics, reference=_reference(case))
    has_tests = any(Need.DE in item.needs for item in metrics)
    evidence = truth_evidence(case.unread, OURS, has_tests=has_tests)
    truth = replace(case.truth, noisy_groups=evidence.noisy_groups)
    if isinstance(case.prediction, Prediction):
        truth = replace(truth, given=case.unread.read("given"))
    return Judge(truth, metrics, evidence=evidence)


def _judged(case: FileCase, judge: Judge) -> Result:
    """Score the prediction."""
    if isinstance(case.prediction, Prediction):
        scores, flags = judge.score(case.prediction), flags_of(judge, case.prediction)
        return Result(Status.OK, scores, prediction=case.prediction, flags=flags)
    assert judge.evidence is not None
    assert case.unread is not None
    answered = answer_evidence(case.prediction, case.unread, judge.evidence.given, OURS)
    return Result(Status.OK, judge.score_answer(answered))


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
