"""One question: what was asked, answered, and not answered, as a template shows it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pandas as pd

from wildcell.metrics.headline import HEADLINE
from wildcell.names import SHAM
from wildcell.results.rank import EVERY_CATEGORY, PSEUDO_MODELS, QUESTION, without_shams
from wildcell.results.report import (
    charts_of_costs,
    charts_of_metrics,
    charts_of_models,
    charts_of_pools,
    charts_of_ranks,
    charts_of_splits,
)
from wildcell.results.report.drawn import Drawn, headline_of
from wildcell.results.report.facts import facts, sizes
from wildcell.results.report.gaps import flags, gaps, troubles
from wildcell.results.report.picker import picker
from wildcell.results.report.redo import command, fingerprints
from wildcell.results.report.tables import View, tables, without_twins
from wildcell.results.sealing import sealing_sentence
from wildcell.results.usable import unusable_sentence
from wildcell.results.verdict import headline_metric, verdict
from wildcell.results.votes import correlations_over_conditions
from wildcell.results.words import count

TITLES = {EVERY_CATEGORY: "All conditions", SHAM: "Shams, in which nothing was done"}
MOST_METRICS = 24
"""Metrics whose correlations are drawn."""


@dataclass(frozen=True)
class Asked:
    """The tables of one question; those that are not known are empty.

    Attributes
    ----------
    ranks, scores, runs
        As for `wildcell.results.report.write.write_report`.
    calibrated, costs, conditions, places, looks, tree, clusters, depths, gene_sets
        The same.
    """

    ranks: pd.DataFrame
    scores: pd.DataFrame
    runs: pd.DataFrame
    calibrated: pd.DataFrame = field(default_factory=pd.DataFrame)
    costs: pd.DataFrame = field(default_factory=pd.DataFrame)
    conditions: pd.DataFrame = field(default_factory=pd.DataFrame)
    places: pd.DataFrame = field(default_factory=pd.DataFrame)
    looks: pd.DataFrame = field(default_factory=pd.DataFrame)
    tree: pd.DataFrame = field(default_factory=pd.DataFrame)
    clusters: pd.DataFrame = field(default_factory=pd.DataFrame)
    depths: pd.DataFrame = field(default_factory=pd.DataFrame)
    gene_sets: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def reference(self) -> str:
        """Name of the reference baseline."""
        return str(self.runs["reference"].iloc[0])


def question_view(asked: Asked) -> View:
    """Return what a template shows of one question."""
    first = asked.runs.iloc[0]
    scores = without_shams(asked.scores)
    told = verdict(asked.ranks, scores)
    shown = [told.headline_metric, *HEADLINE]
    unusable = "" if asked.calibrated.empty else unusable_sentence(asked.calibrated, shown)
    metrics = headline_of(asked.ranks, told.headline_metric)
    return {
        **{name: str(first[name]) for name in [*QUESTION, "question", "reference"]},
        "verdict": replace(told, details=[*filter(None, [unusable]), *told.details]),
        "facts": facts(scores, asked.runs),
        "sizes": sizes(asked.runs),
        "charts": list(charts_of(asked)),
        "tables": list(tables(asked.ranks)),
        "picker": picker(scores, metrics, asked.reference, asked.conditions, asked.looks),
        "gaps": gaps(scores),
        "troubles": [
            *troubles(asked.runs),
            *flags(asked.runs),
            *filter(None, [sealing_sentence(asked.runs)]),
        ],
        "fingerprints": fingerprints(asked.runs),
        "command": command(asked.runs),
    }


def charts_of(asked: Asked) -> Iterator[Drawn]:
    """Yield the charts of one question, the one that answers first."""
    scores = without_shams(asked.scores)
    first = headline_metric(asked.ranks)
    own = without_twins(asked.ranks)
    models = sorted(set(scores["model"]) - set(PSEUDO_MODELS))
    of_models = scores[scores["model"].isin(models)]
    yield from filter(None, [charts_of_models.intervals(own, first)])
    yield from _dots(own)
    drawn = [
        charts_of_ranks.places(asked.places, asked.reference, first),
        charts_of_ranks.critical_difference(asked.places, asked.reference, first),
        charts_of_models.spreads(of_models, first),
        charts_of_costs.costs(own, asked.costs, first),
    ]
    if not asked.calibrated.empty:
        drawn.append(charts_of_metrics.calibration(asked.calibrated, headline_of(own, first)))
    shown = list(dict.fromkeys(own["metric"]))[:MOST_METRICS]
    alike = correlations_over_conditions(scores[scores["metric"].isin(shown)], models=models)
    drawn += [
        charts_of_metrics.agreement(alike),
        charts_of_metrics.beside_each_other(own, first),
        charts_of_splits.roles(asked.conditions),
        charts_of_splits.context_map(asked.conditions),
        charts_of_splits.distances(asked.conditions),
        charts_of_splits.tree(asked.tree, asked.clusters, asked.conditions),
        charts_of_pools.depths(asked.depths),
        charts_of_pools.gene_sets(asked.gene_sets),
    ]
    yield from filter(None, drawn)


def _dots(ranks: pd.DataFrame) -> Iterator[Drawn]:
    for category, table in ranks.groupby("category", sort=False):
        of_models = table[~table["model"].isin(PSEUDO_MODELS)]
        n = count(int(of_models["n_conditions"].max()), "condition")
        title = TITLES.get(str(category), f"Category {category}")
        name = "dots" if category == EVERY_CATEGORY else f"dots-{category}"
        yield charts_of_models.dots(table, name=name, title=f"{title} (at most {n})")
