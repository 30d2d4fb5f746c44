"""The question of a run, asked again from what its record says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from wildcell.datasets.dataset import Dataset
from wildcell.datasets.load import load_dataset
from wildcell.errors import OptionError
from wildcell.plan import Plan
from wildcell.run import DECIDING_WORDS, Fold, folds_of
from wildcell.scenarios.pooling import Pooling
from wildcell.scenarios.scenario import Scenario, load_scenario, scenario_names
from wildcell.store.fingerprint import fingerprint

MOST = 10**7
"""The largest parameter that a record may ask a data set to be made with."""


@dataclass(frozen=True)
class Given:
    """What records do not hold, and the user may hand in.

    Attributes
    ----------
    data
        The screens of runs that were made of files, by the stem of the file.
    features, graph
        In the place of the data set's own and the scenario's.
    foreign
        Other screens, in the place of the scenario's.
    """

    data: Mapping[str, Path] = field(default_factory=dict)
    features: pd.DataFrame | None = None
    graph: pd.DataFrame | None = None
    foreign: Sequence[str] = ()


class Questions:
    """Questions asked again, each once, however many runs answered it."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._datasets: dict[str, Dataset] = {}
        self._folds: dict[str, list[Fold]] = {}

    def of(self, record: Mapping[str, Any]) -> Fold:
        """Return the question of a run.

        Raises
        ------
        BenchmarkError
            It cannot be asked again: the record does not say how, or a file is not given.
        """
        recipe = record.get("recipe")
        if not recipe:
            raise OptionError("the run was kept before records told how to ask again.")
        words = (recipe, record["arm"], record["seed"])
        key = fingerprint(words)
        if key not in self._folds:
            self._folds.clear()  # a question may take much memory
            self._folds[key] = folds_of(self._plan(recipe, record), [int(record["seed"])])
        for fold in self._folds[key]:
            if fold.split.fold == record["fold"]:
                return fold
        raise OptionError(f"there is no fold {record['fold']} now.")

    def _plan(self, recipe: Mapping[str, Any], record: Mapping[str, Any]) -> Plan:
        scenario = scenario_of(recipe["scenario"])
        foreign = self._given.foreign or scenario.foreign
        return Plan(
            scenario=scenario,
            dataset=self._dataset(recipe["data"]),
            arm=str(record["arm"]),
            entries={},
            features=self._given.features if recipe["has_features"] else None,
            graph=self._given.graph if recipe["has_graph"] else None,
            foreign=tuple(map(load_dataset, foreign)),
        )

    def _dataset(self, told: Mapping[str, Any]) -> Dataset:
        key = fingerprint(told)
        if key not in self._datasets:
            self._datasets[key] = self._load(told)
        return self._datasets[key]

    def _load(self, told: Mapping[str, Any]) -> Dataset:
        name = str(told["name"])
        if name in self._given.data:
            return load_dataset(self._given.data[name])
        if told["is_file"]:
            raise OptionError(f"its data are a file; name it with --data, as {name}.h5ad or .zarr.")
        sizes = [value for value in told["options"].values() if isinstance(value, int | float)]
        if any(abs(size) > MOST for size in sizes):
            raise OptionError(f"it is of {name} with {told['options']}, too large to be made here.")
        return load_dataset(name, **told["options"])


def scenario_of(words: Mapping[str, Any]) -> Scenario:
    """Return the scenario that a record holds.

    Raises
    ------
    OptionError
        The words are none of a scenario.
    """
    try:
        told: dict[str, Any] = {
            name: tuple(value) if name in {"foreign", "metrics", "seeds"} else value
            for name, value in words.items()
        }
        usual = Pooling()
        changes = {
            key: value for key, value in told["pool"].items() if value != getattr(usual, key)
        }
        return Scenario(**{**told, "pool": usual.changed(changes)})
    except (AttributeError, KeyError, TypeError) as error:
        raise OptionError(f"its scenario is of another version of wildcell: {error}.") from error


def differs_from_shipped(scenario: Scenario, arm: str) -> bool:
    """Whether a scenario that bears the name of a shipped one has other words in an arm."""
    if scenario.name not in scenario_names():
        return False
    return _words(load_scenario(scenario.name), arm) != _words(scenario, arm)


def _words(scenario: Scenario, arm: str) -> str:
    words = scenario.in_arm(arm)
    return fingerprint(
        scenario.splitter,
        scenario.options(arm),
        {name: getattr(words, name) for name in DECIDING_WORDS},
    )
