"""What options of a model are worth: its score on validation conditions."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np

from wildcell.errors import OptionError
from wildcell.judge import Judge
from wildcell.models.answer import answer, unanswerable
from wildcell.plan import Entry
from wildcell.results.rank import samples_of
from wildcell.run import Fold


class OutOfTimeError(Exception):
    """A trial took longer than it may."""


@dataclass(frozen=True)
class Objective:
    """What options are judged by.

    Attributes
    ----------
    entry
        The model, with the options that are fixed.
    folds
        Its validation questions.
    metric
        What is scored.
    max_seconds
        What a trial may take.
    """

    entry: Entry
    folds: Sequence[Fold]
    metric: str
    max_seconds: float | None

    def value(self, options: Mapping[str, Any]) -> float:
        """Return the median over the folds of the mean score.

        Raises
        ------
        OutOfTimeError
            It took too long.
        OptionError
            No fold has a mean.
        """
        judges = [fold.judge for fold in self.folds]  # made once, on no trial's time
        started = time.perf_counter()
        values = [
            self._mean(fold, judge, options, started)
            for fold, judge in zip(self.folds, judges, strict=True)
        ]
        known = [value for value in values if np.isfinite(value)]
        if not known:
            raise OptionError("no validation condition has a score")
        return float(statistics.median(known))

    def _mean(self, fold: Fold, judge: Judge, options: Mapping[str, Any], started: float) -> float:
        card, task = self.entry.card, fold.question.task
        is_applicable = (unanswerable(card, task) == "").to_numpy()
        if not is_applicable.any():
            return np.nan
        own = {**self.entry.options, **options, **self._time_left(started)}
        prediction = answer(card, task, is_applicable, fold.split.seed, own)
        self._check_time(started)
        scores = judge.score(prediction, is_applicable=is_applicable)
        (sample,) = samples_of(scores.assign(model=card.name))[self.metric].values()
        return sample.mean()

    def _time_left(self, started: float) -> dict[str, float]:
        """Return the option that ends the training of a model which takes it."""
        if (
            self.max_seconds is None
            or "max_seconds" not in signature(self.entry.card.make).parameters
        ):
            return {}
        left = self.max_seconds - (time.perf_counter() - started)
        asked = float(self.entry.options.get("max_seconds", np.inf))
        return {"max_seconds": min(asked, max(left, 1e-3))}

    def _check_time(self, started: float) -> None:
        if self.max_seconds is not None and time.perf_counter() - started > self.max_seconds:
            raise OutOfTimeError
