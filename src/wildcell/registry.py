"""One index a kind of thing, filled at the definition, that answers typos with a suggestion."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from wildcell.errors import BenchmarkError, UnknownNameError

ENTRY_POINT_GROUP = "wildcell"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a sentence that suggests a close name, or lists those there are."""
    known = sorted(known)
    close = get_close_matches(name, known, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known: {', '.join(known) or 'none'}."


T = TypeVar("T")


class Registry(Generic[T]):
    """Named things of one kind, found in packages and in installed plug-ins.

    The modules of `packages` register what they define when they are imported; they are imported
    at the first look-up, never before. An installed distribution adds its own by an entry point
    of the group `wildcell` that names a module.

    Parameters
    ----------
    kind
        What the things are called in messages, in the singular.
    packages
        Dotted names of the packages whose modules register them; sub-packages are not looked into.
    """

    def __init__(self, kind: str, *packages: str) -> None:
        self.kind = kind
        self.packages = packages
        self._things: dict[str, T] = {}
        self._is_loaded = False

    def add(self, name: str, thing: T) -> T:
        """Register `thing` under `name`; a name taken by another thing is an error."""
        if self._things.get(name, thing) is not thing:
            raise BenchmarkError(f"There are two {self.kind}s called {name!r}; rename one.")
        self._things[name] = thing
        return thing

    def get(self, name: str) -> T:
        """Return the thing called `name`, or raise `UnknownNameError` with a suggestion."""
        self._load()
        if name not in self._things:
            hint = did_you_mean(name, self._things)
            raise UnknownNameError(f"No {self.kind} is called {name!r}. {hint}")
        return self._things[name]

    def names(self) -> list[str]:
        """Return all names, sorted."""
        self._load()
        return sorted(self._things)

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._things

    def _load(self) -> None:
        if self._is_loaded:
            return
        self._is_loaded = True  # before the imports: what is imported may look something up
        try:
            self._import_all()
        except BaseException:
            self._is_loaded = False
            raise

    def _import_all(self) -> None:
        for package in self.packages:
            for module in _modules_of(package):
                importlib.import_module(module)
        for entry_point in entry_points(group=ENTRY_POINT_GROUP):
            _load_plug_in(entry_point.name, entry_point.load)


def _modules_of(package: str) -> list[str]:
    path = importlib.import_module(package).__path__
    return [f"{package}.{found.name}" for found in pkgutil.iter_modules(path) if not found.ispkg]


def _load_plug_in(name: str, load: Callable[[], object]) -> None:
    try:
        load()
    except Exception as error:
        raise BenchmarkError(
            f"The installed plug-in {name!r} cannot be imported ({type(error).__name__}: {error}); "
            "mend or uninstall it."
        ) from error


def split_names(text: str) -> list[str]:
    """Read names with commas between them.

    Examples
    --------
    >>> split_names("rmse, mae")
    ['rmse', 'mae']
    """
    return [name.strip() for name in text.split(",") if name.strip()]
