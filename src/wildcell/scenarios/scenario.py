"""A question in words: read from TOML, checked key by key."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from wildcell.errors import DataError, OptionError, UnknownNameError
from wildcell.guards.texts import parse_toml
from wildcell.registry import did_you_mean
from wildcell.scenarios.pooling import Pooling

DEFAULT_METRICS = ("headline",)
"""The metrics that a user sees first, and the same on the second panel of genes."""


ARM_WORDS = ("splitter", "strict", "genes", "fit_on", "embedding", "features", "graph", "pool")
"""Words of a scenario that an arm may change; all other words of an arm are the splitter's."""


EXTENDS = "extends"
"""The key of a scenario file that names the shipped scenario whose words it takes over."""

BOUND = "bound"
"""The folder of shipped scenarios that are bound to a data set."""


@dataclass(frozen=True)
class Scenario:
    """A record of words that fixes a question.

    Attributes
    ----------
    name, version
        What it is called; the version changes whenever its splits or scores would.
    question
        What it asks, in a sentence.
    splitter
        The rule that gives conditions their roles.
    reference
        The baseline that is the 0 of the scale.
    arms
        What each arm does in its own way, by name: options of the splitter, and `ARM_WORDS`.
    default_arm
        The arm that is run when none is named.
    dataset
        The screen that is used when none is named.
    genes
        `all`, or `hvg:N` for the N most variable genes.
    fit_on
        What genes are chosen on: `train` (training cells and given controls); `controls` (the half
        that each control group gives, the same in all arms, so that all choose the same genes); or
        `all` cells, which leaks and is flagged.
    embedding
        The embedding of cells that models are given: `none`, `pca:N` fitted on training cells and
        given controls, `obsm:KEY` of the data set, or `file:PATH`.
    features
        The features of components that models are given: `given` (those named, or the data
        set's own), `none`, `one-hot`, or `shuffled` (the given ones dealt out anew).
    graph
        The graph between components that models are given: `given` (that which is named, if any),
        `none`, or the file that is read where none is named.
    foreign
        Other screens, by name or file, that may be trained on and are never tested.
    pool
        How they are.
    shams
        How many sham perturbations are tested in each tested control group, at most.
    strict
        Whether a leak stops the scenario; a lenient one is only marked.
    metrics
        What is scored: names, or `headline`, or `all`.
    seeds
        Seeds that are run when none are named; 2j + 1 swaps the control halves of 2j.
    """

    name: str
    version: int
    question: str
    splitter: str
    reference: str
    arms: Mapping[str, Mapping[str, Any]]
    default_arm: str
    dataset: str = "simulated"
    genes: str = "hvg:2000"
    fit_on: str = "train"
    embedding: str = "none"
    features: str = "given"
    graph: str = "given"
    foreign: tuple[str, ...] = ()
    pool: Pooling = field(default=Pooling())
    shams: int = 0
    strict: bool = True
    metrics: tuple[str, ...] = DEFAULT_METRICS
    seeds: tuple[int, ...] = field(default=(0, 1, 2, 3))

    def options(self, arm: str | None) -> Mapping[str, Any]:
        """Return the splitter's options in an arm, the default one if `arm` is None."""
        return {key: value for key, value in self._words(arm).items() if key not in ARM_WORDS}

    def in_arm(self, arm: str | None) -> "Scenario":
        """Return the scenario with the words that an arm changes, the default one if None."""
        words = {key: value for key, value in self._words(arm).items() if key in ARM_WORDS}
        return replace(self, **{**words, "pool": self.pool.changed(words.get("pool", {}))})

    def _words(self, arm: str | None) -> Mapping[str, Any]:
        arm = arm or self.default_arm
        if arm not in self.arms:
            raise UnknownNameError(
                f"Scenario {self.name!r} has no arm {arm!r}. {did_you_mean(arm, self.arms)}"
            )
        return self.arms[arm]


def scenario_names() -> list[str]:
    """Return the names of the shipped scenarios, sorted."""
    return sorted(_shipped())


def general_scenario_names() -> list[str]:
    """Return the names of the shipped scenarios that are bound to no data set, sorted."""
    return sorted(_files_in(files("wildcell.scenarios")))


def _shipped() -> dict[str, Traversable]:
    folder = files("wildcell.scenarios")
    return {**_files_in(folder), **_files_in(folder.joinpath(BOUND))}


def _files_in(folder: Traversable) -> dict[str, Traversable]:
    found = [file for file in folder.iterdir() if file.name.endswith(".toml")]
    return {file.name.removesuffix(".toml"): file for file in found}


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Load a shipped scenario by name, or one of your own from a TOML file.

    Raises
    ------
    UnknownNameError
        There is no such scenario or file.
    OptionError
        The file is not TOML, has an unknown key, lacks one, or holds a value that cannot be used.

    Examples
    --------
    >>> load_scenario("unseen-context").reference
    'context-transfer'
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        if not path.is_file():
            raise UnknownNameError(f"There is no scenario file {path}.")
        return parse_scenario(_read_text(path), source=str(path))
    name = str(name_or_path)
    return parse_scenario(_shipped_text(name), source=name)


def _shipped_text(name: str) -> str:
    shipped = _shipped()
    if name not in shipped:
        raise UnknownNameError(
            f"No scenario is called {name!r}. {did_you_mean(name, scenario_names())}"
        )
    return shipped[name].read_text(encoding="utf-8")


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"Scenario file {path} cannot be read as UTF-8 text: {error}.") from error


def parse_scenario(text: str, *, source: str) -> Scenario:
    """Read a scenario from TOML text; `source` names it in messages.

    A scenario that `extends` a shipped one has its words wherever it says nothing itself.
    """
    words = _read_words(text, source)
    if EXTENDS in words:
        base = str(words.pop(EXTENDS))
        inherited = _read_words(_shipped_text(base), base)
        if EXTENDS in inherited:
            raise OptionError(f"Scenario {source} extends {base}, which extends another itself.")
        words = {**inherited, **words}
    _check_keys(words, source)
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in words.items()
    }
    scenario = Scenario(**{**values, "pool": _pool_of(values.get("pool", {}), source)})
    _check_types(scenario, source)
    _check_values(scenario, source)
    return scenario


def _pool_of(table: object, source: str) -> Pooling:
    try:
        return Pooling().changed(table)
    except OptionError as error:
        raise OptionError(f"Scenario {source}: {error}") from error


def _read_words(text: str, source: str) -> dict[str, Any]:
    try:
        return parse_toml(text, f"Scenario {source}")
    except DataError as error:
        raise OptionError(str(error)) from error


def _check_keys(words: Mapping[str, Any], source: str) -> None:
    known = [item.name for item in fields(Scenario)]
    for key in words:
        if key not in known:
            raise OptionError(
                f"Scenario {source} has an unknown key {key!r}. {did_you_mean(key, known)} "
                f"All keys: {', '.join(known)}."
            )
    required = known[: known.index("dataset")]
    lacking = [key for key in required if key not in words]
    if lacking:
        raise OptionError(f"Scenario {source} lacks the keys {', '.join(lacking)}.")


KINDS: Mapping[str, tuple[type, str]] = {
    **dict.fromkeys(
        [
            "name",
            "question",
            "splitter",
            "reference",
            "default_arm",
            "dataset",
            "genes",
            "fit_on",
            "embedding",
            "features",
            "graph",
        ],
        (str, "text"),
    ),
    **dict.fromkeys(["version", "shams"], (int, "a whole number")),
    "strict": (bool, "true or false"),
    "arms": (Mapping, "a table"),
    "foreign": (tuple, "a list"),
    "pool": (Pooling, "a table"),
    "metrics": (tuple, "a list"),
    "seeds": (tuple, "a list"),
}


def _check_types(scenario: Scenario, source: str) -> None:
    for key, (kind, word) in KINDS.items():
        value = getattr(scenario, key)
        if not isinstance(value, kind):
            raise OptionError(f"Scenario {source}: {key} must be {word}; got {value!r}.")
    for arm, options in scenario.arms.items():
        if not isinstance(options, Mapping):
            raise OptionError(f"Scenario {source}: arm {arm!r} must be a table; got {options!r}.")
    if not all(isinstance(name, str) for name in scenario.metrics):
        raise OptionError(f"Scenario {source}: metrics must be names; got {scenario.metrics}.")
    if not all(isinstance(name, str) for name in scenario.foreign):
        raise OptionError(f"Scenario {source}: foreign must be names; got {scenario.foreign}.")
    if not all(isinstance(seed, int) for seed in scenario.seeds):
        raise OptionError(f"Scenario {source}: seeds must be whole numbers; got {scenario.seeds}.")


def _check_values(scenario: Scenario, source: str) -> None:
    if not scenario.arms:
        raise OptionError(f"Scenario {source} has no arms; add a table [arms.NAME].")
    scenario.options(scenario.default_arm)
    _check_choices(scenario, source)
    for arm in scenario.arms:
        words = _checked_arm(scenario, arm, source)
        _check_types(words, f"{source}, arm {arm}")
        _check_choices(words, f"{source}, arm {arm}")


def _checked_arm(scenario: Scenario, arm: str, source: str) -> Scenario:
    try:
        return scenario.in_arm(arm)
    except OptionError as error:
        raise OptionError(f"Scenario {source}, arm {arm}: {error}") from error


def _check_choices(scenario: Scenario, source: str) -> None:
    gene_count(scenario.genes)
    if scenario.graph not in GRAPH_WORDS and Path(scenario.graph).suffix not in GRAPH_FORMATS:
        raise OptionError(
            f"Scenario {source}: graph is {scenario.graph!r}; it must be one of "
            f"{', '.join(GRAPH_WORDS)}, or a file: {' or '.join(GRAPH_FORMATS)}."
        )
    for key, choices in CHOICES.items():
        value = getattr(scenario, key)
        if value not in choices:
            raise OptionError(
                f"Scenario {source}: {key} is {value!r}; it must be one of {', '.join(choices)}."
            )


GRAPH_WORDS = ("given", "none")
GRAPH_FORMATS = (".parquet", ".csv")

CHOICES = {
    "fit_on": ("train", "controls", "all"),
    "features": ("given", "none", "one-hot", "shuffled"),
}


def gene_count(rule: str) -> int | None:
    """Return how many genes a rule asks for, None for all.

    Raises
    ------
    OptionError
        The rule is neither `all` nor `hvg:N` with N of at least 1.
    """
    if rule == "all":
        return None
    kind, _, number = rule.partition(":")
    if kind != "hvg" or not number.isdecimal() or int(number) < 1:
        raise OptionError(f"Genes are given as 'all' or 'hvg:N', such as hvg:2000; got {rule!r}.")
    return int(number)
