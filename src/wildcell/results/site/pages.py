"""What is on each page of a site."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from wildcell.metrics.headline import HEADLINE
from wildcell.metrics.metric import METRICS
from wildcell.results.rank import PSEUDO_MODELS, QUESTION
from wildcell.results.site.addresses import address, link
from wildcell.results.site.picture import scale_of
from wildcell.results.site.rows import View, row_view
from wildcell.results.site.standing import Asked
from wildcell.results.words import count, listed, number
from wildcell.submitted.card import Card

ROOT = "../"
"""What leads from a page of one thing to the folder of the site."""


@dataclass(frozen=True)
class Board:
    """All that a site is made of.

    Attributes
    ----------
    asked
        Questions with their answers.
    cards
        Of models, by name.
    records
        Of runs, a row a run.
    scenarios, datasets
        What is known of each, by name: words by what they are called.
    """

    asked: Sequence[Asked]
    cards: Mapping[str, Card]
    records: pd.DataFrame
    scenarios: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    datasets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @cached_property
    def rows(self) -> dict[str, dict[str, list[View]]]:
        """The rows of each question and metric, as they are shown."""
        return {one.name: _rows(one) for one in self.asked}

    def names(self, kind: str) -> list[str]:
        """Return the names of the things of a kind that have a page, sorted."""
        found: set[str] = set()
        for one in self.asked:
            column = one.table[kind]
            found |= set(column[~column.isin(PSEUDO_MODELS)])
        return sorted(found, key=str.casefold)


def _rows(one: Asked) -> dict[str, list[View]]:
    found = {}
    for metric, table in one.table.groupby("metric", sort=False):
        scale = scale_of(table)
        found[str(metric)] = [row_view(row, scale) for row in table.to_dict("records")]
    return found


def summary(board: Board) -> str:
    """Return how much there is."""
    sizes = [count(len(board.names(kind)), kind) for kind in ("model", "scenario")]
    sizes.append(count(len(board.names("dataset")), "data set"))
    return f"{', '.join(sizes)}; {count(len(board.records), 'run')}."


def question_view(one: Asked) -> View:
    """Return a question with its answer."""
    return {
        "scenario": one.scenario,
        "dataset": one.dataset,
        "arm": one.arm,
        "link": link("scenario", one.scenario),
        "dataset_link": link("dataset", one.dataset),
        "question": one.question,
        "reference": one.reference,
        "metric": one.told.headline_metric,
        "sentence": one.told.sentence,
        "details": one.told.details,
        "best": _best(one),
    }


def _best(one: Asked) -> str:
    """Say who may stand first by the metric that answers."""
    rows = one.table[one.table["metric"] == one.told.headline_metric]
    first = rows[rows["place_low"] == 1].sort_values(["place", "model"])
    n = int(rows["n_placed"].max()) if rows["n_placed"].notna().any() else 0
    if n < 2:
        return ""
    if len(first) == n:
        return f"Any of the {n} models may be the best by {one.told.headline_metric}."
    names = listed(list(first["model"]), at_most=6)
    verb = "is the best" if len(first) == 1 else "may be the best"
    return f"{names} {verb} of {n} by {one.told.headline_metric}."


def index_view(board: Board) -> View:
    """Return the answers, and a table of all models by all metrics."""
    metrics = [name for name in board.names("metric") if name not in HEADLINE]
    metrics = [*(name for name in HEADLINE if name in board.names("metric")), *metrics]
    return {
        "summary": summary(board),
        "questions": [question_view(one) for one in board.asked],
        "metrics": [
            {"name": name, "family": METRICS.get(name).family, "link": link("metric", name)}
            for name in metrics
        ],
        "families": list(dict.fromkeys(METRICS.get(name).family for name in metrics)),
        "rows": [row for one in board.asked for row in _wide_rows(board, one, metrics)],
        "kinds": [
            (title, [(name, address(kind, name)) for name in board.names(kind)])
            for kind, title in (
                ("scenario", "Scenarios"),
                ("dataset", "Data sets"),
                ("metric", "Metrics"),
                ("model", "Models"),
            )
        ],
    }


def _wide_rows(board: Board, one: Asked, metrics: Sequence[str]) -> Iterator[View]:
    """Yield the models of a question, best first, with their place by every metric."""
    by_metric = board.rows[one.name]
    of_model = {name: {row["model"]: row for row in by_metric.get(name, [])} for name in metrics}
    for row in by_metric[one.told.headline_metric]:
        if row["kind"] != "pseudo":
            yield {
                **row,
                "scenario_link": link("scenario", one.scenario),
                "dataset_link": link("dataset", one.dataset),
                "cells": [of_model[name].get(row["model"]) for name in metrics],
            }


def scenario_view(board: Board, name: str) -> View:
    """Return a scenario: what it asks, and the models by every metric, question by question."""
    asked = [one for one in board.asked if one.scenario == name]
    return {
        "name": name,
        "facts": board.scenarios.get(name, {}),
        "question": asked[0].question,
        "questions": [{**question_view(one), "tables": _tables(board, one)} for one in asked],
    }


def _tables(board: Board, one: Asked) -> list[View]:
    """Return a table a metric, the one that answers first."""
    rows = board.rows[one.name]
    return [
        {
            "metric": metric,
            "summary": METRICS.get(metric).summary,
            "link": link("metric", metric),
            "models": [row for row in rows[metric] if row["kind"] != "pseudo"],
            "yardsticks": [row for row in rows[metric] if row["kind"] == "pseudo"],
        }
        for metric in dict.fromkeys([one.told.headline_metric, *rows])
    ]


def model_view(board: Board, name: str) -> View:
    """Return a model: its card, where it stands, and by what its runs can be told again."""
    own = board.records[board.records["model"] == name]
    questions = []
    for one in board.asked:
        every = [row for rows in board.rows[one.name].values() for row in rows]
        rows = [row for row in every if row["model"] == name]
        if rows:
            questions.append({**question_view(one), "about": rows[0], "rows": rows})
    return {
        "name": name,
        "card": board.cards.get(name),
        "questions": questions,
        "troubles": _troubles(own),
        "fingerprints": _fingerprints(own),
        "made_with": _made_with(own),
    }


def _troubles(records: pd.DataFrame) -> list[str]:
    """Say which runs did not end well, and what they flag."""
    bad = records[records["status"] != "ok"].groupby(["status", "reason"]).size()
    said = [
        f"{count(int(n), 'run')} ended as {status}: {reason or 'no reason was noted'}."
        for (status, reason), n in bad.items()
    ]
    return [*said, *sorted(set(records["flags"].explode().dropna()))]


def _fingerprints(records: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return question, seed and fold, and the fingerprint of the prediction, run by run."""
    rows = []
    for _, run in records.sort_values([*QUESTION, "seed", "fold"]).iterrows():
        told = run["fingerprints"]
        where = " / ".join(str(run[name]) for name in QUESTION)
        rows.append((where, f"{run['seed']}.{run['fold']}", told.get("prediction", "")))
    return rows


def _made_with(records: pd.DataFrame) -> list[tuple[str, str]]:
    told = pd.DataFrame([{**run["versions"], **run["hardware"]} for _, run in records.iterrows()])
    return [
        (str(name), listed(sorted(set(told[name].dropna().astype(str))), at_most=4))
        for name in told
    ]


def dataset_view(board: Board, name: str) -> View:
    """Return a data set: what it is, what is asked of it, and who had learned from it."""
    asked = [one for one in board.asked if one.dataset == name]
    learned = {
        str(row["model"]): listed(row["learned_from"], at_most=3)
        for one in asked
        for _, row in one.table.iterrows()
        if isinstance(row["learned_from"], list) and row["learned_from"]
    }
    return {
        "name": name,
        "facts": board.datasets.get(name, {}),
        "learned": [(model, link("model", model), said) for model, said in sorted(learned.items())],
        "questions": [{**question_view(one), "tables": _tables(board, one)[:1]} for one in asked],
    }


def metric_view(board: Board, name: str) -> View:
    """Return a metric: its card, and the models by it in every question."""
    questions = []
    for one in board.asked:
        found = [table for table in _tables(board, one) if table["metric"] == name]
        if found:
            questions.append({**question_view(one), "tables": found})
    return {"name": name, "facts": _metric_facts(name), "questions": questions}


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _metric_facts(name: str) -> dict[str, str]:
    card = METRICS.get(name)
    top = "estimated from the noise" if callable(card.ceiling) else card.ceiling
    best = {"high": "more is better", "low": "less is better", "zero": "nearest 0 is best"}
    return {
        "What it is": card.summary,
        "Formula": card.formula,
        "Family": card.family,
        "Direction": best[card.best],
        "Range": card.range,
        "A perfect answer": number(card.perfect) or "0",
        "The noise-free effect": top if isinstance(top, str) else number(_or_nan(top)),
        "An empty answer": "as no change" if card.null is None else number(card.null),
        "Needs": ", ".join(sorted(card.needs)),
        "Source": card.cite,
    }
