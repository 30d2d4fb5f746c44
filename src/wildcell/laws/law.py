"""What a law is, and what is said of a thing that breaks one."""

from collections.abc import Callable, Iterable
from typing import TypeAlias, TypeVar

from wildcell.errors import BenchmarkError

Thing = TypeVar("Thing")

Law: TypeAlias = Callable[[Thing], str]
"""A function that returns what it found against the law in its docstring, "" where it holds."""


class LawBrokenError(BenchmarkError):
    """A data set, splitter, model or metric breaks a promise that all of its kind keep."""


def sentence(law: Law[Thing]) -> str:
    """Return the law in words: the first line of its docstring."""
    return (law.__doc__ or "").strip().partition("\n")[0]


def obey(law: Law[Thing], thing: Thing, *, called: str) -> None:
    """Raise `LawBrokenError` unless `thing` keeps the law.

    Parameters
    ----------
    law
        One law.
    thing
        What it is applied to.
    called
        What the thing is called in messages, such as "metric 'rmse'".

    Raises
    ------
    LawBrokenError
        With the law and what was found. An error of the thing itself passes through, with a note
        that says which law was being checked.
    """
    try:
        found = law(thing)
    except Exception as error:
        error.add_note(f"While the {called} was held to the law: {sentence(law)}")
        raise
    if found:
        raise LawBrokenError(f"The {called} breaks a law: {sentence(law)} Found: {found}")


def obey_all(laws: Iterable[Law[Thing]], thing: Thing, *, called: str) -> None:
    """Raise `LawBrokenError` at the first law that `thing` does not keep."""
    for law in laws:
        obey(law, thing, called=called)
