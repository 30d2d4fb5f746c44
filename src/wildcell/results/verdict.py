"""What can be concluded from one question, in sentences."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from wildcell.metrics.metric import METRICS
from wildcell.names import CEILING, REPLICATE, SHAM, Status
from wildcell.results.rank import EVERY_CATEGORY, PSEUDO_MODELS, TIE_TOLERANCE
from wildcell.results.shams import SHAM_METRIC, sham_sentence
from wildcell.results.stats import CONTEXTS_TO_GENERALISE, NEW_CONTEXTS, THESE_CONTEXTS
from wildcell.results.words import (
    STATUS_WORDS,
    count,
    listed,
    named_once,
    number,
    signed,
    span,
)

HEADLINE_METRICS = ("effect_r2", "pearson_delta")
"""The metrics that verdicts are given by: the first that has scores."""

REPLICATE_METRIC = "pearson_delta"
LEAST_REPLICATE_R = 0.15
"""The replicate's r is the share of the measured squared delta that is effect and not noise;
where it is below a sixth or so, models would be ranked by their luck with the noise."""

MOST_WINNERS = 3
"""More models than these are counted, not named, in a verdict."""


@dataclass(frozen=True)
class Verdict:
    """What can be concluded from one question.

    Attributes
    ----------
    sentence
        The conclusion.
    details
        Sentences that qualify it.
    headline_metric
        The metric it is drawn from.
    """

    sentence: str
    details: list[str]
    headline_metric: str


def verdict(ranks: pd.DataFrame, scores: pd.DataFrame) -> Verdict:
    """Conclude from the ranks and scores of one question.

    A model beats the reference baseline where the 95 % interval of their paired difference lies
    on the good side of 0.

    Parameters
    ----------
    ranks
        Rows of `wildcell.results.rank.rank`, of one question.
    scores
        Rows of the long table, of the same question.

    Examples
    --------
    >>> from wildcell.results.rank import RANK_COLUMNS
    >>> from wildcell.names import SCORE_COLUMNS
    >>> row = dict.fromkeys(RANK_COLUMNS, 0) | {
    ...     "dataset": "demo", "category": "all", "metric": "effect_r2", "model": "no-change",
    ...     "mean": float("nan"), "reference": "no-change", "same_as": "",
    ... }
    >>> score = dict.fromkeys(SCORE_COLUMNS, "") | {
    ...     "metric": "effect_r2", "model": "no-change", "status": "too_few_cells"
    ... }
    >>> verdict(pd.DataFrame([row]), pd.DataFrame([score])).sentence
    'Nothing can be concluded on demo: too few cells.'
    """
    metric = headline_metric(ranks)
    race = _race(ranks, metric, EVERY_CATEGORY)
    replicate_r = _replicate_r(scores)
    lost = replicate_r[replicate_r < LEAST_REPLICATE_R]
    nothing = f"Nothing can be concluded on {race.dataset}"
    if race.is_empty:
        answers = scores[~scores["model"].isin(PSEUDO_MODELS)]
        why = _words(_reasons(answers, metric))
        return Verdict(f"{nothing}: {why}.", [*_noise(lost), *_other_metrics(ranks)], metric)
    if len(lost) and len(lost) == len(replicate_r):
        return Verdict(f"{nothing}: {_disagreement(lost)}.", [*_silent(race, scores)], metric)
    sentence = " ".join([_outcome(race), *_context_of(ranks, race)])
    details = [*_noise(lost), *_worth(race), *_standing(race), *_silent(race, scores)]
    details += [*_by_category(ranks, metric), sham_sentence(ranks, SHAM_METRIC)]
    return Verdict(sentence, list(filter(None, details)), metric)


def headline_metric(ranks: pd.DataFrame) -> str:
    """Return the metric that conclusions are drawn from."""
    known, present = _metrics_with_scores(ranks), set(ranks["metric"])
    choices = [
        *(name for name in HEADLINE_METRICS if name in known),
        *(name for name in HEADLINE_METRICS if name in present),
        str(ranks["metric"].iloc[0]),
    ]
    return choices[0]


def _metrics_with_scores(ranks: pd.DataFrame) -> list[str]:
    """Return the metrics at which any model gave an answer, in order."""
    has_answer = ranks["mean"].notna() & ~ranks["model"].isin(PSEUDO_MODELS)
    return list(ranks.loc[has_answer, "metric"].unique())


@dataclass(frozen=True)
class _Race:
    """The models of one question at one metric, coinciding ones in one row."""

    dataset: str
    metric: str
    reference: str
    rows: pd.DataFrame

    @cached_property
    def answered(self) -> pd.DataFrame:
        return self.rows[self.rows["mean"].notna()].sort_values(["rank", "label"])

    @property
    def is_empty(self) -> bool:
        return self.answered.empty

    @property
    def base(self) -> pd.DataFrame:
        """The row of the reference baseline, or none."""
        return self.answered[self.answered["is_reference"]]

    @property
    def rivals(self) -> pd.DataFrame:
        return self.answered.drop(self.base.index)

    @property
    def sign(self) -> int:
        return 1 if METRICS.get(self.metric).best == "high" else -1

    @property
    def winners(self) -> pd.DataFrame:
        return self.rivals[self._worst_case > TIE_TOLERANCE]

    @property
    def losers(self) -> pd.DataFrame:
        return self.rivals[self._best_case < -TIE_TOLERANCE]

    @property
    def _worst_case(self) -> pd.Series:
        bounds = self.sign * self.rivals[["difference_low", "difference_high"]]
        return bounds.min(axis=1, skipna=False)

    @property
    def _best_case(self) -> pd.Series:
        bounds = self.sign * self.rivals[["difference_low", "difference_high"]]
        return bounds.max(axis=1, skipna=False)


def _race(ranks: pd.DataFrame, metric: str, category: str) -> _Race:
    chosen = ranks[(ranks["metric"] == metric) & (ranks["category"] == category)]
    rows = named_once(chosen[~chosen["model"].isin(PSEUDO_MODELS)])
    return _Race(str(ranks["dataset"].iloc[0]), metric, str(ranks["reference"].iloc[0]), rows)


def _outcome(race: _Race) -> str:
    base = f"the reference baseline {race.reference}"
    if race.base.empty:
        return f"On {race.dataset} no model can be compared with {base}, which has no score."
    if race.rivals.empty:
        return f"On {race.dataset} {base} stands alone: no other answer differs from it."
    if race.rivals["difference_low"].isna().all():
        return f"On {race.dataset} it cannot be told whether anything beats {base}."
    base += f" ({number(race.base['mean'].iloc[0])})"
    if race.winners.empty:
        n = len(race.rivals)
        return f"On {race.dataset}, no other model ({n} compared) beats {base} at {race.metric}."
    winners = [_gain(row, race.base["interval"].iloc[0]) for _, row in race.winners.iterrows()]
    verb = "beats" if len(winners) == 1 else "beat"
    return (
        f"On {race.dataset}, {len(winners)} of {count(len(race.rivals), 'other model')} {verb} "
        f"{base} at {race.metric}: {listed(winners, at_most=MOST_WINNERS)}."
    )


def _gain(row: pd.Series, level: str) -> str:
    interval = f"95 % interval {span(row['difference_low'], row['difference_high'])}"
    if row["interval"] != level:
        interval += f" for {count(row['n_contexts'], 'context')} alone"
    return f"{row['label']} ({signed(row['difference'])}, {interval})"


def _context_of(ranks: pd.DataFrame, race: _Race) -> Iterator[str]:
    """Say what the outcome speaks of, and what the top of the scale is."""
    if race.base.empty:
        return
    base = race.base.iloc[0]
    n = f"n = {count(base['n_conditions'], 'condition')}"
    contexts = count(base["n_contexts"], "context")
    if base["interval"] == NEW_CONTEXTS:
        yield f"The intervals speak of new contexts of this kind ({n} in {contexts})."
    elif base["interval"] == THESE_CONTEXTS:
        these = "this context" if base["n_contexts"] == 1 else f"these {contexts}"
        least = f"to speak of others takes at least {CONTEXTS_TO_GENERALISE}"
        yield f"The intervals hold for {these} alone ({n}); {least}."
    else:
        yield f"There is no interval: too few conditions ({n} in {contexts})."
    top = ranks[(ranks["metric"] == race.metric) & (ranks["category"] == EVERY_CATEGORY)]
    means = top[top["n_conditions"] == base["n_conditions"]].set_index("model")["mean"].dropna()
    if REPLICATE in means:
        yield f"A replicate of the measurement scores {number(means[REPLICATE])}."
    if CEILING in means and callable(METRICS.get(race.metric).ceiling):
        yield f"The noise-free effect would score {number(means[CEILING])}."


def _replicate_r(scores: pd.DataFrame) -> pd.Series:
    """Return the replicate's mean correlation in each context where it has one."""
    rows = scores[(scores["model"] == REPLICATE) & (scores["metric"] == REPLICATE_METRIC)]
    return rows.groupby("context")["value"].mean().dropna().astype(float)


def _disagreement(lost: pd.Series) -> str:
    values = listed([number(r) for r in lost])
    return (
        f"in {listed(list(lost.index))} two halves of the same measurement do not agree "
        f"(replicate r {values})"
    )


def _noise(lost: pd.Series) -> Iterator[str]:
    if len(lost):
        sentence = _disagreement(lost)
        yield f"{sentence[0].upper()}{sentence[1:]}: nothing can be concluded there."


def _other_metrics(ranks: pd.DataFrame) -> Iterator[str]:
    scored = _metrics_with_scores(ranks)
    if scored:
        yield f"Only these metrics have scores: {listed(scored)}."


def _standing(race: _Race) -> Iterator[str]:
    """Name who does not beat the reference, and who coincides."""
    if len(race.losers):
        yield f"Worse than {race.reference}: {listed(list(race.losers['label']))}."
    is_untold = ~race.rivals.index.isin([*race.winners.index, *race.losers.index])
    if is_untold.any() and not race.base.empty:
        untold = listed(list(race.rivals.loc[is_untold, "label"]))
        yield f"Not told apart from {race.reference}: {untold}."
    for label in race.rows["label"]:
        if " = " in label:
            yield f"These gave the same answers: {label}."


def _silent(race: _Race, scores: pd.DataFrame) -> Iterator[str]:
    """Name the models without a score by reason, their own before that of the measurement."""
    labels: dict[str, list[str]] = {}
    for _, row in race.rows.drop(race.answered.index).iterrows():
        reasons = _reasons(scores[scores["model"] == row["model"]], race.metric)
        own = [name for name in reasons if name in {Status.ERROR, Status.NOT_APPLICABLE}]
        labels.setdefault(_words([*own, *reasons]), []).append(row["label"])
    for reason, names in labels.items():
        yield f"Without a score ({reason}): {listed(names)}."


def _worth(race: _Race) -> Iterator[str]:
    """Say so where beating the reference, or being it, is worth nothing."""
    null = METRICS.get(race.metric).null
    if null is None:
        return
    nothing = f"no better than an empty answer ({number(null)})"
    for _, row in race.base.iterrows():
        if race.sign * (row["mean"] - null) <= TIE_TOLERANCE:
            yield f"{race.reference} itself scores {number(row['mean'])}, {nothing}."
    idle = race.winners[race.sign * (race.winners["mean"] - null) <= TIE_TOLERANCE]
    if len(idle):
        verb = "is" if len(idle) == 1 else "are"
        yield f"Of those that beat it, {listed(list(idle['label']))} {verb} {nothing}."


def _by_category(ranks: pd.DataFrame, metric: str) -> Iterator[str]:
    races = {name: _race(ranks, metric, name) for name in ranks["category"].drop_duplicates()}
    found = [
        f"{name} {listed(list(race.winners['label'])) or 'nothing'} (n = {_n_conditions(race)})"
        for name, race in races.items()
        if name not in {EVERY_CATEGORY, SHAM} and not race.base.empty
    ]
    if found:
        yield f"What beats {races[EVERY_CATEGORY].reference} by category: {'; '.join(found)}."


def _n_conditions(race: _Race) -> int:
    return int(race.base["n_conditions"].iloc[0])


def _reasons(scores: pd.DataFrame, metric: str) -> list[Status]:
    """Return why scores at a metric are not numbers, the commonest reason first."""
    status = scores.loc[scores["metric"] == metric, "status"]
    return [Status(name) for name in status[status != Status.OK].value_counts().index]


def _words(reasons: list[Status]) -> str:
    return STATUS_WORDS[reasons[0]] if reasons else "nothing was scored"
