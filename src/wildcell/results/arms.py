"""The arms of a scenario beside each other: differences paired by condition, and what is left."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from wildcell.errors import UnknownNameError
from wildcell.metrics.control_blocks import is_of_means
from wildcell.metrics.metric import METRICS
from wildcell.names import CONDITION, SHAKEN, SHAKEN_UNDER, Status
from wildcell.registry import did_you_mean
from wildcell.results.rank import PARTS, PSEUDO_MODELS, with_nulls, without_shams
from wildcell.results.stats import UNKNOWN, Estimate, Sample, Shaken, Term, contrast

PLACEBO = "placebo-"
"""What the name of a placebo arm begins with; the rest names the arm that it stands beside."""

BASES = ("single", "random", "leave-one-out")
"""Arms that others are compared with where they are there and none is named."""

ROWS = ["seed", *CONDITION]

DIFFERENCES = ["difference", "beyond_reference", "beyond_placebo"]

ARM_COLUMNS = [
    "scenario",
    "dataset",
    "metric",
    "arm",
    "model",
    "mean",
    "low",
    "high",
    "interval",
    "n_conditions",
    "status",
    "base",
    *(
        f"{name}{part}"
        for name in DIFFERENCES
        for part in ("", "_low", "_high", "_interval", "_status")
    ),
    "n_paired",
    "n_seeds",
    "reference",
]


NO_DIFFERENCE = (
    "no_base",
    "is_base",
    "same_training",
    "is_reference",
    "no_reference",
    "no_placebo",
    "not_paired",
)
"""Why there is no difference, besides what statuses say of the scores themselves."""


class Place(NamedTuple):
    """Whose scores: those of a model in an arm."""

    arm: str
    model: str


def base_of(arms: Collection[str]) -> str:
    """Return the arm that the others are compared with where none is named.

    Examples
    --------
    >>> base_of({"merge-after", "single"}), base_of({"far", "near", "placebo-far"})
    ('single', 'far')
    """
    own = sorted(arm for arm in arms if not arm.startswith(PLACEBO)) or sorted(arms)
    return next((name for name in BASES if name in own), own[0])


def compare_arms(
    scores: pd.DataFrame,
    references: Mapping[str, str],
    *,
    base: str | None = None,
    metrics: Sequence[str] | None = None,
    clusters: Mapping[tuple[str, str], Mapping[str, str]] | None = None,
    trained_as_base: Mapping[tuple[str, str], Collection[str]] | None = None,
) -> pd.DataFrame:
    """Compare the arms of each scenario and data set, model by model.

    A condition is paired where both arms scored it with the same seed, so that both are judged by
    the same controls; seeds are averaged within conditions, abstentions take their null value, and
    conditions that are undefined in either arm leave both.

    Parameters
    ----------
    scores
        The long table, of any number of questions.
    references
        The reference baseline of each scenario, by name.
    base
        The arm that the others are compared with; without one there are means alone.
    metrics
        All of them if None.
    clusters
        The cluster of each context, by scenario and data set; they are then what varies.
    trained_as_base
        The arms that were trained on what the base arm was, by scenario and data set: they have no
        difference (`same_training`).

    Returns
    -------
    One row a scenario, data set, metric, arm and model, with the columns of `ARM_COLUMNS`.
    `difference` is the arm's mean less that of the base arm; `beyond_reference` is that less the
    same difference of the reference baseline; `beyond_placebo` is that less the difference of the
    arms named `placebo-ARM` and `placebo-BASE`, where there are both. `status`, and that of each
    difference, is `ok` beside a number and else says why there is none (see `NO_DIFFERENCE`).

    Raises
    ------
    UnknownNameError
        No question has such an arm.
    """
    arms = sorted(set(scores["arm"]))
    if base is not None and base not in arms:
        raise UnknownNameError(f"No run is of an arm {base!r}. {did_you_mean(base, arms)}")
    asked = without_shams(scores)
    asked = asked[~asked["model"].isin(PSEUDO_MODELS)]
    rows = [
        {"scenario": scenario, "dataset": dataset, **row}
        for (scenario, dataset), table in asked.groupby(["scenario", "dataset"], sort=True)
        for row in _rows_of_question(
            table,
            reference=references.get(scenario, ""),
            base=base or "",
            metrics=metrics,
            clusters=(clusters or {}).get((scenario, dataset), {}),
            trained_as_base=(trained_as_base or {}).get((scenario, dataset), ()),
        )
    ]
    return pd.DataFrame(rows, columns=ARM_COLUMNS)


def _rows_of_question(
    scores: pd.DataFrame,
    *,
    reference: str,
    base: str,
    metrics: Sequence[str] | None,
    clusters: Mapping[str, str],
    trained_as_base: Collection[str],
) -> Iterator[dict[str, Any]]:
    filled = pd.concat([with_nulls(table) for _, table in scores.groupby("arm", sort=True)])
    for metric in dict.fromkeys(scores["metric"]):
        if metrics is None or metric in metrics:
            of_metric = filled[filled["metric"] == metric]
            comparison = replace(
                comparison_of(of_metric, clusters), trained_as_base=trained_as_base
            )
            for place in sorted(comparison.places):
                yield {"metric": metric, **_row(comparison, place, base, reference)}


@dataclass(frozen=True)
class Comparison:
    """The scores of one metric, a row a seed and condition, a column a place.

    Attributes
    ----------
    value, numerator, denominator
        Index seed, context, perturbation; columns arm, model; NaN where undefined or not asked.
    statuses
        What is most often the status of a place's scores that are no numbers, by arm and model.
    clusters
        The cluster of each context, where contexts lie in clusters.
    is_log
        Whether means are logarithms of ratios of sums.
    trained_as_base
        The arms that were trained on what the base arm was.
    shaken
        How far scores move with the kept controls, by place and row, in columns of `SHAKEN` and
        `SHAKEN_UNDER`; None where that is not known.
    """

    value: pd.DataFrame
    numerator: pd.DataFrame
    denominator: pd.DataFrame
    statuses: Mapping[tuple[str, str], str]
    clusters: Mapping[str, str]
    is_log: bool = False
    trained_as_base: Collection[str] = ()
    shaken: Mapping[Place, pd.DataFrame] | None = None

    @property
    def places(self) -> set[Place]:
        """All models in all arms."""
        return {Place(*map(str, column)) for column in self.value.columns}

    def known(self, places: Sequence[Place]) -> pd.MultiIndex:
        """Return the seeds and conditions that all these places know."""
        is_ratio = bool(np.isfinite(self.numerator).any(axis=None))
        table = (self.numerator if is_ratio else self.value)[list(places)]
        return self.value.index[np.isfinite(table).all(axis=1)]

    def status(self, place: Place) -> str:
        """Return why a place has no mean."""
        return self.statuses.get((place.arm, place.model), str(Status.NO_HEADROOM))

    def estimate(self, signs: Mapping[Place, float]) -> Estimate:
        """Estimate a sum of the places' means times their signs, over what all of them know."""
        if not set(signs) <= self.places:
            return UNKNOWN
        rows = self.known(list(signs))
        terms = [Term(sign, self._sample(place, rows)) for place, sign in signs.items()]
        return contrast(terms, self.clusters) if len(rows) else UNKNOWN

    def _sample(self, place: Place, rows: pd.MultiIndex) -> Sample:
        """Average the seeds of some rows."""
        tables = (self.value, self.numerator, self.denominator)
        parts = pd.concat([table.loc[rows, place] for table in tables], axis=1, keys=PARTS)
        mean = parts.groupby(CONDITION, sort=True).mean()
        names = [mean.index.get_level_values(name).to_numpy(dtype=object) for name in CONDITION]
        sample = Sample(*names, *(mean[part].to_numpy(float) for part in PARTS))
        return replace(sample, is_log=self.is_log, shaken=self._shaken(place, rows))

    def _shaken(self, place: Place, rows: pd.MultiIndex) -> Shaken | None:
        """Return how the conditions of some rows move with the controls, seeds averaged."""
        if self.shaken is None:
            return None
        moved = self.shaken[place].loc[rows].reset_index()
        mean = moved.groupby(CONDITION, sort=True)[[*SHAKEN, *SHAKEN_UNDER]].mean()
        pairs = (moved["seed"].astype(int) // 2).groupby([moved[name] for name in CONDITION])
        mean = mean.mul(pairs.nunique() ** 0.5, axis=0)
        return Shaken(mean[SHAKEN].to_numpy(float), mean[SHAKEN_UNDER].to_numpy(float))


def comparison_of(scores: pd.DataFrame, clusters: Mapping[str, str]) -> Comparison:
    """Average the folds that ask the same, and lay arms and models side by side."""
    mean = scores.groupby([*ROWS, "arm", "model"])[PARTS].mean()
    value, numerator, denominator = (
        mean[part].unstack(["arm", "model"])  # noqa: PD010  a pivot table makes rows not asked
        for part in PARTS
    )
    is_log = METRICS.get(str(scores["metric"].iloc[0])).is_log
    without = scores[scores["status"] != Status.OK]
    statuses = without.groupby(["arm", "model"])["status"].agg(lambda found: str(found.mode()[0]))
    shaken = _moves(scores)
    return Comparison(
        value, numerator, denominator, statuses.to_dict(), clusters, is_log, shaken=shaken
    )


def _moves(scores: pd.DataFrame) -> dict[Place, pd.DataFrame] | None:
    """Return how far the scores of each place move with the controls; see `Comparison`."""
    names = [*SHAKEN, *SHAKEN_UNDER]
    if SHAKEN[0] not in scores or not is_of_means(METRICS.get(str(scores["metric"].iloc[0]))):
        return None
    mean = scores.groupby([*ROWS, "arm", "model"])[names].mean()
    return {
        Place(str(arm), str(model)): table.droplevel(["arm", "model"])
        for (arm, model), table in mean.groupby(level=["arm", "model"])
    }


def _row(comparison: Comparison, place: Place, base: str, reference: str) -> dict[str, Any]:
    arm, model = place
    alone = comparison.estimate({place: 1.0})
    gap = {place: 1.0, Place(base, model): -1.0}
    gap_of_reference = {Place(arm, reference): -1.0, Place(base, reference): 1.0}
    gap_of_placebo = {Place(PLACEBO + arm, model): -1.0, Place(PLACEBO + base, model): 1.0}
    is_compared = arm != base and Place(base, model) in comparison.places
    paired = comparison.known(list(gap)) if is_compared else comparison.value.index[:0]
    why = _why_not_compared(comparison, place, Place(base, model))
    is_reference = "is_reference" if model == reference else ""
    return {
        "arm": arm,
        "model": model,
        "mean": alone.mean,
        "low": alone.low,
        "high": alone.high,
        "interval": alone.level,
        "n_conditions": _n_conditions(comparison.known([place])),
        "status": str(Status.OK) if np.isfinite(alone.mean) else comparison.status(place),
        "base": base if is_compared else "",
        **_told("difference", comparison, gap, why),
        **_told(
            "beyond_reference",
            comparison,
            {**gap, **gap_of_reference},
            why or is_reference or _lacking(comparison, gap_of_reference, "no_reference"),
        ),
        **_told(
            "beyond_placebo",
            comparison,
            {**gap, **gap_of_placebo},
            why or _lacking(comparison, gap_of_placebo, "no_placebo"),
        ),
        "n_paired": _n_conditions(paired),
        "n_seeds": paired.get_level_values("seed").nunique(),
        "reference": reference,
    }


def _why_not_compared(comparison: Comparison, place: Place, beside: Place) -> str:
    """Return why a place has no difference to the base arm, "" where it has."""
    if beside not in comparison.places:
        return "no_base"
    if place == beside:
        return "is_base"
    if place.arm in comparison.trained_as_base:
        return "same_training"
    return next(
        (comparison.status(one) for one in (place, beside) if comparison.known([one]).empty), ""
    )


def _lacking(comparison: Comparison, places: Mapping[Place, float], word: str) -> str:
    return "" if set(places) <= comparison.places else word


def _n_conditions(rows: pd.MultiIndex) -> int:
    return len(rows.droplevel("seed").unique())


def _told(
    name: str, comparison: Comparison, signs: Mapping[Place, float], why_not: str
) -> dict[str, Any]:
    """Return a difference with its interval, and its status."""
    found = UNKNOWN if why_not else comparison.estimate(signs)
    status = str(Status.OK) if np.isfinite(found.mean) else why_not or _unpaired(comparison, signs)
    return {
        name: found.mean,
        f"{name}_low": found.low,
        f"{name}_high": found.high,
        f"{name}_interval": found.level,
        f"{name}_status": status,
    }


def _unpaired(comparison: Comparison, signs: Mapping[Place, float]) -> str:
    is_known = len(comparison.known(list(signs)))
    return str(Status.NO_HEADROOM) if is_known else "not_paired"
