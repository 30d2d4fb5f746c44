"""What is to be run: names looked up and options checked before anything is computed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pandas as pd

from wildcell.datasets.dataset import Dataset
from wildcell.datasets.load import load_dataset
from wildcell.errors import MissingExtraError, OptionError
from wildcell.metrics.headline import find_metrics
from wildcell.models.find import find_model
from wildcell.models.model import ModelCard
from wildcell.models.sealed.terms import Terms
from wildcell.names import CEILING, REPLICATE, with_options
from wildcell.registry import did_you_mean
from wildcell.scenarios.embedding import parse_embedding
from wildcell.scenarios.scenario import Scenario, gene_count, load_scenario
from wildcell.store.fingerprint import fingerprint

Variants: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""Options of a model, or several such."""


class Entry(NamedTuple):
    """A model that is run: the name its runs bear, its card, and its options."""

    name: str
    card: ModelCard
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """What fixes the runs of one scenario on one data set.

    Attributes
    ----------
    scenario
        The question in words; its name says what was changed from its file.
    dataset
        The screen.
    arm
        Arm of the scenario.
    entries
        Models by the name that their runs bear.
    features
        Features of components that take the place of the data set's own.
    graph
        Edges between components that take the place of the scenario's.
    foreign
        Other screens, that may be trained on and are never tested.
    aliases
        What other names of genes and compounds stand for, in the audit.
    """

    scenario: Scenario
    dataset: Dataset
    arm: str
    entries: Mapping[str, Entry]
    features: pd.DataFrame | None = None
    graph: pd.DataFrame | None = None
    foreign: tuple[Dataset, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def recipe(self) -> dict[str, Any]:
        """What its questions can be asked again by; files are told by their names alone."""
        return {
            "scenario": asdict(self.scenario),
            "data": self.dataset.recipe,
            "has_features": self.features is not None,
            "has_graph": self.graph is not None,
        }


def make_plan(
    scenario: str | Path | Scenario,
    *,
    models: Sequence[str],
    data: str | Path | Dataset | None = None,
    data_options: Mapping[str, Any] | None = None,
    arm: str | None = None,
    genes: str | None = None,
    embedding: str | None = None,
    features: pd.DataFrame | None = None,
    graph: pd.DataFrame | None = None,
    foreign: Sequence[str | Path | Dataset] | None = None,
    metrics: Sequence[str] | None = None,
    options: Mapping[str, Variants] | None = None,
    terms: Terms | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Plan:
    """Look up all names and check all options before anything is computed.

    A model may be given several tables of options; it is run with each.
    """
    words = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    changes: dict[str, Any] = {} if genes in {None, words.genes} else {"genes": genes}
    gene_count(changes.get("genes", words.genes))
    if embedding not in {None, words.in_arm(arm).embedding}:
        changes["embedding"] = embedding
    parse_embedding(changes.get("embedding", words.in_arm(arm).embedding))
    if metrics is not None and tuple(metrics) != words.metrics:
        changes["metrics"] = tuple(metrics)
    find_metrics(changes.get("metrics", words.metrics))
    others = tuple(_load(name, {}) for name in (words.foreign if foreign is None else foreign))
    labels = {
        key: value if isinstance(value, str) else "+".join(value) for key, value in changes.items()
    }
    if features is not None:
        labels["features"] = fingerprint(features)[:8]
    if graph is not None:
        labels["graph"] = fingerprint(graph)[:8]
    if foreign is not None:
        labels["foreign"] = "+".join(screen.name for screen in others)
    if embedding is not None:
        changes["arms"] = {name: _without_embedding(table) for name, table in words.arms.items()}
    return Plan(
        scenario=replace(words, **changes, name=with_options(words.name, labels)),
        dataset=_load(data or words.dataset, data_options or {}),
        arm=arm or words.default_arm,
        entries=_entries(models, words.reference, options or {}, terms),
        features=features,
        graph=graph,
        foreign=others,
        aliases=aliases or {},
    )


def _without_embedding(arm: Mapping[str, Any]) -> dict[str, Any]:
    """Return the words of an arm but its embedding, in the place of which another one is told."""
    return {key: value for key, value in arm.items() if key != "embedding"}


def shared_options(
    models: Sequence[str],
    options: Mapping[str, Mapping[str, Any]],
    shared: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """Return the options of models, with those that all of them are given which take them.

    Parameters
    ----------
    models
        Those that are run.
    options
        What each is given by name, which goes first.
    shared
        What is given to all; None is not given.

    Raises
    ------
    OptionError
        No model takes one of them, and none runs in a process of its own, on other terms.

    Examples
    --------
    >>> shared_options(["ridge", "no-change"], {}, {"alpha": 2.0})
    {'ridge': {'alpha': 2.0}}
    """
    cards = {name: find_model(name) for name in models}
    taken = {name: signature(card.make).parameters for name, card in cards.items()}
    found = {name: dict(table) for name, table in options.items()}
    for key, value in shared.items():
        takers = [name for name in models if key in taken[name]]
        if value is None:
            continue
        if not takers and not any(card.is_sealed for card in cards.values()):
            raise OptionError(
                f"No model that is run takes {key!r}: {', '.join(models)}. Networks do; see "
                "wildcell models."
            )
        for name in takers:
            found.setdefault(name, {}).setdefault(key, value)
    return found


def _entries(
    models: Sequence[str],
    reference: str,
    options: Mapping[str, Variants],
    terms: Terms | None,
) -> dict[str, Entry]:
    """Return the models to run by name, and the reference baseline without options."""
    unused = sorted(set(options) - set(models))
    if unused:
        hint = did_you_mean(unused[0], models)
        raise OptionError(f"Options are given for {unused[0]!r}, which is not run. {hint}")
    entries = [
        _entry(find_model(name, terms), variant)
        for name in models
        for variant in _variants(options.get(name, {}))
    ]
    found: dict[str, Entry] = {}
    for entry in [*entries, _entry(find_model(reference), {})]:
        if found.setdefault(entry.name, entry).card.version != entry.card.version:
            raise OptionError(f"Two model files give the name {entry.name!r}; rename one.")
    return found


def _variants(options: Variants) -> Sequence[Mapping[str, Any]]:
    return [options] if isinstance(options, Mapping) else options


def _load(data: str | Path | Dataset, options: Mapping[str, Any]) -> Dataset:
    return data if isinstance(data, Dataset) else load_dataset(data, **options)


def _entry(card: ModelCard, options: Mapping[str, Any]) -> Entry:
    """Return a model to run, or raise if it is not installed or does not take these options."""
    if reserved := {REPLICATE, CEILING} & {card.name}:
        raise OptionError(f"{reserved.pop()!r} is not a model's to be called; rename it.")
    if not card.is_installed:
        raise MissingExtraError(f"Model {card.name!r}", card.extra)
    try:
        signature(card.make).bind(seed=0, **options)
    except TypeError as error:
        raise OptionError(
            f"Model {card.name!r} does not take these options ({error}); it is made with seed=... "
            "and its options by keyword."
        ) from error
    return Entry(with_options(card.name, options), card, options)
