"""Predictions that were made elsewhere: files in, scores out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from wildcell.datasets.open import content_of
from wildcell.difficulty import judged_conditions
from wildcell.errors import OptionError
from wildcell.file_evidence import answer_evidence
from wildcell.judge import Judge
from wildcell.metrics.convention import OURS
from wildcell.metrics.headline import find_metrics
from wildcell.metrics.metric import Metric
from wildcell.models.answer import answer, unanswerable
from wildcell.models.find import find_model
from wildcell.models.model import MODELS
from wildcell.names import CEILING, REPLICATE, Need, Status
from wildcell.record import Result, costs_of, flags_of, key_of, labelled_scores, record_of
from wildcell.results.rank import rank
from wildcell.scenarios.additive import sum_of_singles
from wildcell.scenarios.file_case import FileCase, Reading, Source, open_case
from wildcell.scenarios.outside import BASELINES, QUESTION, check_names
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.scenario import DEFAULT_METRICS
from wildcell.scenarios.task import Task, Truth
from wildcell.store.fingerprint import fingerprint
from wildcell.store.keeping import Shelf
from wildcell.store.provenance import Cost, measured, now
from wildcell.store.runs import (
    RECORD,
    RunKey,
    claimed,
    finish,
    finished_record,
    keep_conditions,
)
from wildcell.truth_shelf import evidence_of, replicate_of, shelf_of_truth


@dataclass(frozen=True)
class FileJudgement:
    """What predictions came to.

    Attributes
    ----------
    predictions
        As they were given, by name.
    judge
        Who scored them.
    source, reading
        The truth as it was given, and how all were read.
    results
        By model: the predictions, baselines where there is a task, the replicate, the ceiling.
    notes
        What was read, detected and flagged, in sentences.
    cost, started
        What all of it took, and when it began.
    """

    predictions: Mapping[str, Source]
    judge: Judge
    source: Source
    reading: Reading
    results: Mapping[str, Result]
    notes: Sequence[str]
    cost: Cost
    started: str

    @property
    def truth(self) -> Truth:
        """What the predictions were held to."""
        return self.judge.truth

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The long table, the predictions' rows first."""
        tables = [
            labelled_scores(self._key(name), result.scores) for name, result in self.results.items()
        ]
        return pd.concat(tables, ignore_index=True)

    @cached_property
    def ranks(self) -> pd.DataFrame:
        """Means and intervals of the same."""
        return rank(self.scores, {self.truth.origin.scenario: self.truth.origin.reference})

    def keep(self, runs: Path) -> list[Path]:
        """Write the predictions' runs, and those of the others that are not there yet.

        The conditions are written beside them, unless those of a judge's truth are there: `wildcell
        run` knows more of them.

        Returns
        -------
        The folders of the predictions' runs.
        """
        for name in self.results:
            folder = self._key(name).folder(runs)
            with claimed(folder):
                if name in self.predictions or not (folder / RECORD).exists():
                    self._keep_run(name, folder)
                self._keep_conditions(self._key(name).conditions(runs))
        return [self._key(name).folder(runs) for name in self.predictions]

    def _keep_run(self, name: str, folder: Path) -> None:
        inputs = self._inputs(name)
        if finished_record(folder, fingerprint(inputs)) is not None:
            return
        key, result = self._key(name), self.results[name]
        record = record_of(
            key,
            self.truth,
            result,
            inputs=inputs,
            judged=inputs["truth"],
            cost=self.cost,
            started=self.started,
        )
        n_cells = self.truth.test.n
        finish(folder, record, labelled_scores(key, result.scores), costs_of(self.cost, n_cells))

    def _keep_conditions(self, path: Path) -> None:
        if path.exists() and not self.truth.origin.scenario.startswith(QUESTION.name):
            return
        asked = fingerprint(content_of(self.source), self.reading)
        keep_conditions(path, asked, lambda: judged_conditions(self.judge))

    def _inputs(self, name: str) -> Mapping[str, str]:
        """Return fingerprints of what was judged; a baseline goes by the first prediction."""
        own = name if name in self.predictions else next(iter(self.predictions))
        return {
            "prediction": self._contents[own],
            "truth": content_of(self.source),
            "reading": fingerprint(self.reading),
        }

    @cached_property
    def _contents(self) -> Mapping[str, str]:
        return {name: content_of(source) for name, source in self.predictions.items()}

    def _key(self, name: str) -> RunKey:
        return key_of(self.truth.origin, name, {})


def judge_files(
    predictions: Mapping[str, Source],
    truth: Source,
    *,
    train: Path | None = None,
    metrics: Sequence[str] = DEFAULT_METRICS,
    reading: Reading | None = None,
    cache: Path | None = None,
) -> FileJudgement:
    """Score predicted cells or means against true cells.

    What depends on the truth alone is computed once, however many predictions are held to it.

    Parameters
    ----------
    predictions
        h5ad or zarr files, or AnnData, by the name that each is given in the results.
    truth
        A judge's file, or any cells of tests and controls.
    train
        Training cells, or the task folder that belongs to a judge's file: naive baselines are
        scored beside the predictions.
    metrics
        What is computed: names, or `headline`, or `all`.
    reading
        How the files are to be read.
    cache
        Folder in which what is computed of the truth alone is kept for the next time; nothing is
        kept if None, or beside training cells.

    Raises
    ------
    BenchmarkError
        A file cannot be read or used, or they do not fit; nothing is written.
    """
    reading, started = reading or Reading(), now()
    if reading.seed < 0:
        raise OptionError(f"Seeds are whole numbers of at least 0; got {reading.seed}.")
    check_names(predictions)
    if cache is not None and cache.exists() and not cache.is_dir():
        raise OptionError(f"The cache, {cache}, is a file; name a folder.")
    with measured() as cost:
        case = open_case(predictions, truth, train, reading)
        found = find_metrics(metrics)
        shelf = None if cache is None else shelf_of_truth(cache, truth, case, reading)
        judge = _judge_of(case, found, shelf)
        replicate = Result(Status.OK, replicate_of(judge))  # before tests of the truth are held
        results = {
            **{name: _judged(case, judge, name) for name in case.answers},
            **_baselines(case.task, judge, case.truth.origin.seed),
            REPLICATE: replicate,
        }
        if any(item.ceiling is not None for item in found):
            results[CEILING] = Result(Status.OK, judge.ceilings())
    notes = [*case.notes, *(shelf.notes if shelf else ())]
    return FileJudgement(predictions, judge, truth, reading, results, notes, cost, started)


def _judge_of(case: FileCase, metrics: Sequence[Metric], shelf: Shelf | None) -> Judge:
    """Return the judge, who has read the truth's file where its numbers were left in it."""
    if case.unread is None:
        needs_singles = any(Need.SINGLES in item.needs for item in metrics)
        singles = sum_of_singles(case.task) if needs_singles and case.task is not None else None
        return Judge(case.truth, metrics, reference=_reference(case), singles=singles)
    evidence = evidence_of(case, metrics, shelf)
    truth = replace(case.truth, noisy_groups=evidence.noisy_groups)
    if not all(case.is_streamed(name) for name in case.answers):
        truth = replace(truth, given=case.unread.read("given"))
    return Judge(truth, metrics, evidence=evidence, shelf=shelf)


def _judged(case: FileCase, judge: Judge, name: str) -> Result:
    """Score a prediction."""
    answer = case.answers[name]
    if not case.is_streamed(name):
        prediction = answer.prediction
        scores, flags = judge.score(prediction), flags_of(judge, prediction)
        return Result(Status.OK, scores, prediction=prediction, flags=flags)
    assert judge.evidence is not None
    assert case.unread is not None
    answered = answer_evidence(answer.unread, case.unread, judge.evidence.given, OURS)
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
