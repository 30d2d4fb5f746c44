"""A sweep in words: scenarios x data x arms x seeds x models x options, read from TOML."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from wildcell.errors import OptionError, UnknownNameError
from wildcell.guards.texts import parse_toml, read_text
from wildcell.models.external import PREFIX
from wildcell.models.model import base_models
from wildcell.registry import did_you_mean
from wildcell.scenarios.scenario import Scenario, load_scenario

EVERY_ARM = "all"
"""What `arms` is where every arm of every scenario is wanted."""


@dataclass(frozen=True)
class Screen:
    """A data set by name or file, with its parameters; `name` is None for each scenario's own."""

    name: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sweep:
    """What is combined with what.

    Attributes
    ----------
    scenarios
        Shipped names, or TOML files.
    data
        Screens that each scenario is posed on.
    models
        As for `wildcell.run.run_scenario`.
    arms
        Of each scenario by the name that it is given by.
    seeds
        In the place of each scenario's own, if not None.
    options
        The variants in which a model is run, by model; those of others are their defaults.
    genes, metrics
        In the place of each scenario's own, if not None.
    name
        What it is known by in a folder of runs, where it takes the place of one of the same name:
        its file, or "" for its content.
    """

    scenarios: tuple[str, ...]
    data: tuple[Screen, ...]
    models: tuple[str, ...]
    arms: Mapping[str, tuple[str, ...]]
    seeds: tuple[int, ...] | None = None
    options: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    genes: str | None = None
    metrics: tuple[str, ...] | None = None
    name: str = ""

    def words(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> "Sweep":
        """Return what `words` were made of, its lists as tuples."""
        found: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in words.items()
        }
        found["data"] = tuple(Screen(**one) for one in words["data"])
        return cls(**found)


KEYS = tuple(item.name for item in fields(Sweep) if item.name != "name")


def read_sweep(path: Path) -> Sweep:
    """Read a sweep from a TOML file; paths in it are taken from the folder one works in.

    Raises
    ------
    DataError
        The file is no TOML, or too large.
    OptionError
        It has an unknown key, lacks `scenarios`, or holds a value that cannot be used.
    UnknownNameError
        There is no such file, scenario or arm.
    """
    if not path.is_file():
        raise UnknownNameError(f"There is no sweep file {path}.")
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"Sweep file {path} cannot be read as UTF-8 text: {error}.") from error
    return replace(parse_sweep(text, source=str(path)), name=str(path.absolute()))


def parse_sweep(text: str, *, source: str) -> Sweep:
    r"""Read a sweep from TOML text; `source` names it in messages.

    Examples
    --------
    >>> sweep = parse_sweep('scenarios = ["iid"]\nmodels = ["ridge"]', source="example")
    >>> sweep.models, dict(sweep.arms)
    (('ridge',), {'iid': ('random',)})
    """
    words = parse_toml(text, f"Sweep {source}")
    for key in words:
        if key not in KEYS:
            raise OptionError(
                f"Sweep {source} has an unknown key {key!r}. {did_you_mean(key, KEYS)} "
                f"All keys: {', '.join(KEYS)}."
            )
    reader = _Reader(words, source)
    scenarios = reader.names("scenarios")
    if scenarios is None:
        raise OptionError(f'Sweep {source} lacks scenarios, such as scenarios = ["iid"].')
    models = reader.names("models") or tuple(base_models())
    return Sweep(
        scenarios=tuple(map(_absolute, scenarios)),
        data=reader.data(),
        models=tuple(map(_absolute, models)),
        arms={_absolute(name): reader.arms(name, scenarios) for name in scenarios},
        seeds=reader.seeds(),
        options={_absolute(name): found for name, found in reader.options(models).items()},
        genes=reader.genes(),
        metrics=reader.names("metrics"),
    )


@dataclass(frozen=True)
class _Reader:
    """The words of a file, each read as what it must be."""

    words: Mapping[str, Any]
    source: str

    def names(self, key: str) -> tuple[str, ...] | None:
        if key not in self.words:
            return None
        value = self.words[key]
        if not _is_list_of(value, str) or not value:
            raise self._wrong(key, 'a list of names, such as ["a", "b"]', value)
        return tuple(dict.fromkeys(value))

    def seeds(self) -> tuple[int, ...] | None:
        if "seeds" not in self.words:
            return None
        value = self.words["seeds"]
        if not _is_list_of(value, int) or not value or min(value) < 0:
            raise self._wrong("seeds", "a list of whole numbers of at least 0", value)
        return tuple(dict.fromkeys(value))

    def genes(self) -> str | None:
        value = self.words.get("genes")
        if value is not None and not isinstance(value, str):
            raise self._wrong("genes", "'all' or 'hvg:N'", value)
        return value

    def data(self) -> tuple[Screen, ...]:
        if "data" not in self.words:
            return (Screen(),)
        value = self.words["data"]
        if not isinstance(value, list) or not value:
            raise self._wrong("data", "a list of names, files or tables with a name", value)
        return tuple(self._screen(item) for item in value)

    def _screen(self, item: object) -> Screen:
        if isinstance(item, str):
            return Screen(_absolute(item))
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            return Screen(_absolute(item["name"]), {k: v for k, v in item.items() if k != "name"})
        raise self._wrong("data", 'names, files, or tables such as {name = "simulated"}', item)

    def arms(self, scenario: str, scenarios: Sequence[str]) -> tuple[str, ...]:
        words, value = load_scenario(scenario), self.words.get("arms")
        if isinstance(value, dict):
            if unknown := [name for name in value if name not in scenarios]:
                raise OptionError(
                    f"Sweep {self.source} has arms of {unknown[0]!r}, which is not among its "
                    f"scenarios. {did_you_mean(unknown[0], scenarios)}"
                )
            value = value.get(scenario)
        if value is None:
            return (words.default_arm,)
        if value == EVERY_ARM:
            return tuple(words.arms)
        if not _is_list_of(value, str) or not value:
            raise self._wrong("arms", "'all', a list of names, or a table of them", value)
        return tuple(_known_arm(words, arm) for arm in dict.fromkeys(value))

    def options(self, models: Sequence[str]) -> dict[str, tuple[Mapping[str, Any], ...]]:
        value = self.words.get("options", {})
        if not isinstance(value, dict):
            raise self._wrong("options", "a table of models", value)
        if unknown := [name for name in value if name not in models]:
            raise OptionError(
                f"Sweep {self.source} has options of {unknown[0]!r}, which is not among its "
                f"models. {did_you_mean(unknown[0], models)}"
            )
        return {name: self._variants(name, item) for name, item in value.items()}

    def _variants(self, model: str, value: object) -> tuple[Mapping[str, Any], ...]:
        if isinstance(value, dict):
            return (value,)
        if isinstance(value, list) and value and _is_list_of(value, dict):
            return tuple(value)
        wanted = f"a table, or a list of tables: [[options.{model}]] for each variant"
        raise self._wrong(f"options.{model}", wanted, value)

    def _wrong(self, key: str, wanted: str, value: object) -> OptionError:
        return OptionError(f"Sweep {self.source}: {key} must be {wanted}; got {value!r}.")


def _known_arm(scenario: Scenario, arm: str) -> str:
    scenario.options(arm)
    return arm


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, kind) and not isinstance(item, bool) for item in value
    )


def _absolute(name: str) -> str:
    """Return a name whose file or folder is found from wherever it is run."""
    prefix = PREFIX if name.startswith(PREFIX) else ""
    path = name.removeprefix(prefix)
    is_path = bool(prefix) or "/" in path or path.partition(":")[0].endswith((".toml", ".py"))
    is_path = is_path or path.endswith((".h5ad", ".zarr"))
    return f"{prefix}{Path(path).absolute()}" if is_path else name
