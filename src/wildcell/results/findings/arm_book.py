"""Arms of a question beside each other, for claims that compare them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from wildcell.names import NAIVE_MODELS, NEGATIVE_MODELS
from wildcell.results.arms import PLACEBO, Comparison, Place, comparison_of
from wildcell.results.findings.claim import BOUNDED, PRIMARY, Material, Row
from wildcell.results.rank import PSEUDO_MODELS, with_nulls, without_shams
from wildcell.results.stats import UNKNOWN, Estimate


@dataclass(frozen=True)
class ArmBook:
    """The arms of one scenario and data set.

    Attributes
    ----------
    question
        Scenario and data set.
    arms
        Those that were run.
    models
        All that were run in any of them.
    of_metric
        The scores of each metric, by arm and model.
    """

    question: tuple[str, str]
    arms: frozenset[str]
    models: tuple[str, ...]
    of_metric: Mapping[str, Comparison]

    @property
    def primary(self) -> str | None:
        """The metric that a claim is answered by as a whole, None where none has scores."""
        return next((name for name in PRIMARY if name in self.of_metric), None)

    def contrast(self, metric: str, model: str, signs: Mapping[str, float]) -> Estimate:
        """Estimate a sum of arms times signs for a model, less that of placebos where they are."""
        placed = {Place(arm, model): sign for arm, sign in self._with_placebos(signs).items()}
        return self.of_metric[metric].estimate(placed)

    def averaged(self, metric: str, signs: Mapping[str, float]) -> Estimate:
        """Estimate the same, averaged over all models that have scores in these arms."""
        comparison, arms = self.of_metric[metric], self._with_placebos(signs)
        models = [
            model
            for model in self._judged()
            if len(comparison.known([Place(arm, model) for arm in arms]))
            if {Place(arm, model) for arm in arms} <= comparison.places
        ]
        if not models:
            return UNKNOWN
        return comparison.estimate(
            {
                Place(arm, model): sign / len(models)
                for arm, sign in arms.items()
                for model in models
            }
        )

    def rows(self, part: str, signs: Mapping[str, float]) -> Iterator[Row]:
        """Yield the estimate of all models together, and of each by each bounded metric."""
        if not set(signs) <= self.arms:
            return
        if self.primary is not None:
            yield Row(part, "", self.primary, self.averaged(self.primary, signs))
        for metric in BOUNDED:
            for model in self.models if metric in self.of_metric else ():
                yield Row(part, model, metric, self.contrast(metric, model, signs))

    def _with_placebos(self, signs: Mapping[str, float]) -> dict[str, float]:
        placebos = {PLACEBO + arm: -sign for arm, sign in signs.items()}
        return {**signs, **placebos} if set(placebos) <= self.arms else dict(signs)

    def _judged(self) -> list[str]:
        """Return models that are not naive, or the naive ones where there are no others."""
        right = [model for model in self.models if model not in NEGATIVE_MODELS]
        return [model for model in right if model not in NAIVE_MODELS] or right


def arm_books(material: Material) -> Iterator[ArmBook]:
    """Yield the questions that were asked in several arms."""
    asked = without_shams(material.scores[material.scores["metric"].isin(BOUNDED)])
    asked = asked[~asked["model"].isin(PSEUDO_MODELS)]
    for key, table in asked.groupby(["scenario", "dataset"], sort=True):
        arms = frozenset(table["arm"])
        if len(arms) < 2:
            continue
        question = (str(key[0]), str(key[1]))
        yield ArmBook(
            question,
            arms,
            tuple(sorted(set(table["model"]))),
            _comparisons(table, material.clusters.get(question, {})),
        )


def _comparisons(scores: pd.DataFrame, clusters: Mapping[str, str]) -> dict[str, Comparison]:
    filled = pd.concat([with_nulls(table) for _, table in scores.groupby("arm", sort=True)])
    return {
        metric: replace(comparison_of(filled[filled["metric"] == metric], clusters))
        for metric in BOUNDED
        if (filled["metric"] == metric).any()
        and np.isfinite(filled.loc[filled["metric"] == metric, "value"]).any()
    }


def first_pair(book: ArmBook, pairs: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """Return the first pair of arms that were both run."""
    return next((pair for pair in pairs if set(pair) <= book.arms), None)
