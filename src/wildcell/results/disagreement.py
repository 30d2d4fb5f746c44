"""How metrics and conventions disagree about models: everything of one folder of runs, in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wildcell.parallel import in_processes
from wildcell.results.attribution import ALL_DATASETS, attribute_over_datasets, attribute_variance
from wildcell.results.conventions import by_preset, under_conventions
from wildcell.results.flips import convention_flips
from wildcell.results.orders import compare_orders
from wildcell.results.rank import PSEUDO_MODELS, QUESTION, coinciding, rank, without_shams
from wildcell.results.specification import (
    specification_curve,
    summarise_curve,
    without_one_metric,
)
from wildcell.results.usable import Usable, calibrate_metrics, usable_metrics
from wildcell.results.votes import correlations_over_conditions, means_of_models, opinions
from wildcell.results.words import count, listed, number

MOST_NAMED = 3


@dataclass(frozen=True)
class Disagreement:
    """Tables, and the metrics that they are over.

    Attributes
    ----------
    opinions
        Columns scenario, dataset, arm, metric, counted_with, usable, and counts: whether it is
        among those that the other tables are over.
    correlations
        Of metrics over conditions; see `wildcell.results.votes`.
    orders
        Of metrics over models; see `wildcell.results.orders`.
    curve, shares
        What each specification says; see `wildcell.results.specification`.
    left_out
        Who is first by mean rank without each metric.
    attribution
        What scores vary with; see `wildcell.results.attribution`.
    flips
        What conventions change; see `wildcell.results.flips`.
    """

    opinions: pd.DataFrame
    correlations: pd.DataFrame
    orders: pd.DataFrame
    curve: pd.DataFrame
    shares: pd.DataFrame
    left_out: pd.DataFrame
    attribution: pd.DataFrame
    flips: pd.DataFrame

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by name."""
        return dict(vars(self))


def disagreement(
    scores: pd.DataFrame,
    references: Mapping[str, str],
    *,
    otherwise: pd.DataFrame | None = None,
    halves: pd.DataFrame | None = None,
    only_usable: bool = True,
) -> Disagreement:
    """Compute how metrics and conventions disagree, question by question.

    Parameters
    ----------
    scores
        The long table, of any number of questions.
    references
        The reference baseline of each scenario, by name.
    otherwise
        Scores of the same answers under other conventions; None for none.
    halves
        Scores by halves of the test cells, which say what is usable; None for none.
    only_usable
        Whether metrics that are surely not usable on a data set are left out there.
    """
    found: dict[str, list[pd.DataFrame]] = {}
    rescored = {} if otherwise is None else dict(iter(otherwise.groupby(QUESTION)))
    for question, table in scores.groupby(QUESTION, sort=True):
        calibrated = calibrate_metrics(table, references, halves)
        for name, part in _of_question(
            table, references, rescored.get(question), calibrated, only_usable=only_usable
        ).items():
            if set(QUESTION) <= set(part):
                found.setdefault(name, []).append(part)
            else:
                labels = dict(zip(QUESTION, question, strict=True))
                found.setdefault(name, []).append(part.assign(**labels))
    found["attribution"].append(_over_datasets(scores, found["opinions"]))
    return Disagreement(**{name: _joined(parts) for name, parts in found.items()})


def _over_datasets(scores: pd.DataFrame, votes: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Attribute the variance over data sets, of the opinions that count in every question."""
    counted = [set(table.loc[table["counts"], "counted_with"]) for table in votes]
    return attribute_over_datasets(scores, metrics=sorted(set.intersection(*counted)))


def orders_of_metrics(
    scores: pd.DataFrame, references: Mapping[str, str], *, halves: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the opinions of usable metrics and how these order models: `disagreement` in part.

    Parameters
    ----------
    scores, references, halves
        As for `disagreement`.

    Returns
    -------
    `opinions` and `orders` of a `Disagreement`.
    """
    grouped = scores.groupby(QUESTION)

    def of_question(key: tuple[str, str, str]) -> tuple[pd.DataFrame, pd.DataFrame]:
        table = grouped.get_group(key)
        calibrated = calibrate_metrics(table, references, halves)
        found = _electorate(table, references, calibrated, only_usable=True)
        of_models = table[table["model"].isin(found.models)]
        labels = dict(zip(QUESTION, key, strict=True))
        return found.opinions.assign(**labels), compare_orders(of_models, metrics=found.votes)

    found = in_processes(of_question, sorted(grouped.indices))
    every, orders = zip(*found, strict=True)
    return _joined(every), _joined(orders)


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    known = [part for part in parts if len(part)]
    return pd.concat(known, ignore_index=True) if known else parts[0]


def _of_question(
    scores: pd.DataFrame,
    references: Mapping[str, str],
    otherwise: pd.DataFrame | None,
    calibrated: pd.DataFrame,
    *,
    only_usable: bool,
) -> dict[str, pd.DataFrame]:
    electorate = _electorate(scores, references, calibrated, only_usable=only_usable)
    models, votes = electorate.models, electorate.votes
    own = without_shams(scores)
    of_models = own[own["model"].isin(models)]
    under = under_conventions(scores, otherwise)
    ranks = {name: rank(table, references) for name, table in under.items()}
    of_own = {name: table[table["model"].isin(models)] for name, table in ranks.items()}
    curve = specification_curve(of_own, metrics=electorate.counted)
    rescored = None if otherwise is None else otherwise[otherwise["model"].isin(models)]
    return {
        "opinions": electorate.opinions,
        "correlations": electorate.correlations,
        "orders": compare_orders(of_models, metrics=votes),
        "curve": curve,
        "shares": summarise_curve(curve),
        "left_out": without_one_metric(
            means_of_models(of_models[of_models["metric"].isin(votes)]), electorate.leaders
        ),
        "attribution": attribute_variance(by_preset(of_models, rescored), metrics=votes),
        "flips": convention_flips(of_models, rescored, metrics=votes),
    }


@dataclass(frozen=True)
class Electorate:
    """Whose opinions count in a question, and about whom.

    Attributes
    ----------
    models
        Models that do not coincide.
    counted, votes
        Metrics that count, and those of them that are opinions of their own.
    leaders
        The metric that each is counted with.
    opinions, correlations
        As in `Disagreement`.
    """

    models: list[str]
    counted: list[str]
    votes: list[str]
    leaders: dict[str, str]
    opinions: pd.DataFrame
    correlations: pd.DataFrame


def _electorate(
    scores: pd.DataFrame,
    references: Mapping[str, str],
    calibrated: pd.DataFrame,
    *,
    only_usable: bool,
) -> Electorate:
    metrics = list(dict.fromkeys(scores["metric"]))
    usable = next(iter(usable_metrics(calibrated, untold=True).values()), set(metrics))
    counted = [name for name in metrics if name in usable] if only_usable else metrics
    own = without_shams(scores)
    models = _apart(own, references.get(str(own["scenario"].iloc[0]), ""))
    correlations = correlations_over_conditions(scores, models=models)
    leaders = opinions(metrics, correlations)
    state = calibrated.set_index("metric")["usable"]
    return Electorate(
        models=models,
        counted=counted,
        votes=list(dict.fromkeys(leaders[name] for name in counted)),
        leaders=leaders,
        opinions=pd.DataFrame(
            {
                "metric": metrics,
                "counted_with": [leaders[name] for name in metrics],
                "usable": [state.get(name, "") for name in metrics],
                "counts": [name in counted for name in metrics],
            }
        ),
        correlations=correlations,
    )


def _apart(scores: pd.DataFrame, reference: str) -> list[str]:
    """Return models that do not coincide, the reference in the place of those that do with it."""
    twins = coinciding(scores)
    first = twins.get(reference, reference)
    own = set(scores["model"]) - set(PSEUDO_MODELS) - set(twins) - {first}
    return sorted(own | ({reference} & set(scores["model"])))


def sentences(found: Disagreement) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield each question with what is to be said of it."""
    for key, votes in found.opinions.groupby(QUESTION, sort=True):
        question = tuple(map(str, key))
        told = [
            *_votes(votes),
            *_orders(_of(found.orders, question)),
            *_first(_of(found.left_out, question)),
            *_specifications(_of(found.shares, question)),
            *_attribution(_of(found.attribution, question)),
            *_flips(_of(found.flips, question)),
        ]
        yield question, told
    over = found.attribution[found.attribution["dataset"] == ALL_DATASETS]
    for key, shares in over.groupby(QUESTION, sort=True):
        yield tuple(map(str, key)), list(_attribution(shares))


def _of(table: pd.DataFrame, question: tuple[str, ...]) -> pd.DataFrame:
    is_here = np.all(
        [table[name] == value for name, value in zip(QUESTION, question, strict=True)], axis=0
    )
    return table[is_here]


def _votes(votes: pd.DataFrame) -> Iterator[str]:
    n = votes["counted_with"].nunique()
    yield f"{count(len(votes), 'metric')} are {count(n, 'opinion')}."
    for counts, some in votes[votes["usable"] == Usable.NO].groupby("counts"):
        how = "but counted as asked" if counts else "and left out below"
        yield f"Not usable here, {how}: {', '.join(some['metric'])}."


def _orders(orders: pd.DataFrame) -> Iterator[str]:
    if orders.empty:
        yield "Orders of models cannot be compared: fewer than two metrics, or models."
        return
    apart, alike = int(orders["told_apart"].sum()), int(orders["told_alike"].sum())
    tau, again = orders["tau"].mean(), orders["tau_again"].mean()
    yield (
        f"Two metrics order models with a tau of {number(tau)} on average; one metric, measured "
        f"again, with itself with {number(again)}."
    )
    if apart:
        worst = orders.sort_values("told_apart").iloc[-1]
        yield (
            f"Of pairs of models of which two metrics are both sure, they contradict each other in "
            f"{apart} and agree in {alike}; most in {worst['first']} and {worst['second']}: "
            f"{worst['contradictions']}."
        )
    else:
        yield (
            "No two metrics are sure of opposite orders; both are sure alike of "
            f"{count(alike, 'pair')}."
        )


def _first(left_out: pd.DataFrame) -> Iterator[str]:
    if left_out.empty:
        return
    every = left_out.iloc[0]
    others = left_out[(left_out["first"] != every["first"])]
    if others.empty:
        yield f"{every['first']} has the best mean rank, whichever metric is left out."
    else:
        told = [f"{row['first']} without {row['left_out']}" for _, row in others.iterrows()]
        yield f"{every['first']} has the best mean rank; {listed(told, at_most=MOST_NAMED)}."


def _specifications(shares: pd.DataFrame) -> Iterator[str]:
    if shares.empty:
        return
    best = shares.sort_values("better").iloc[-1]
    if best["better"] == 0:
        yield f"No model is above the reference in any of {best['n']} specifications."
        return
    yield (
        f"Over {best['n']} specifications (metric, panel of genes, convention, average) "
        f"{best['model']} is above the reference in most: {100 * best['better']:.0f} %, surely in "
        f"{best['surely_better']} and surely below in {best['surely_worse']}."
    )


def _attribution(attribution: pd.DataFrame) -> Iterator[str]:
    if attribution.empty:
        return
    largest = attribution.sort_values("share", ascending=False).head(MOST_NAMED)
    told = [f"{row['source']} {100 * row['share']:.0f} %" for _, row in largest.iterrows()]
    yield f"Scores vary most with {listed(told)}."


def _flips(flips: pd.DataFrame) -> Iterator[str]:
    if flips.empty:
        return
    sums = flips.groupby("convention")[["flips", "sure_before", "sure_flips", "n_pairs"]].sum()
    worst = sums.sort_values(["sure_flips", "flips"], ascending=False)
    told = [
        f"{name} {row['flips']} of {row['n_pairs']} "
        f"({row['sure_flips']} of the {row['sure_before']} sure)"
        for name, row in worst[worst["flips"] > 0].iterrows()
    ]
    if told:
        yield f"Pairs of models that change order with a convention alone: {listed(told)}."
    else:
        yield "No pair of models changes order with a convention alone."
