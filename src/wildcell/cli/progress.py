"""What is shown on a terminal, and how elsewhere."""

import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isnan
from typing import TYPE_CHECKING, TextIO
from unicodedata import category

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_OF_A_FILE = 140
STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of what steers a terminal, or the direction of a text, and is no letter."""


def plain(text: str) -> str:
    r"""Return a text in which what would steer the terminal is shown as its escape.

    Names in predictions, runs and submissions are other people's. Line ends and tabs stay.

    Examples
    --------
    >>> plain("T cell\t5 \x1b[2J")
    'T cell\t5 \\x1b[2J'
    """
    if text.isascii() and text.isprintable():
        return text
    return re.sub(r"[^\n\t -~]", lambda found: _escaped(found[0]), text)


def _escaped(character: str) -> str:
    is_steering = category(character) in STEERING
    return character.encode("unicode_escape").decode() if is_steering else character


def say(text: str = "", *, to: TextIO | None = None) -> None:
    """Print a line of text, on standard output if not said otherwise, as `plain` shows it."""
    print(plain(text), file=to)


def printer() -> "Console":
    """Return a console as wide as the terminal, or wide enough for tables in a file."""
    from wildcell.cli.console import PlainConsole

    return PlainConsole(width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)


def number(value: float) -> str:
    """Return a number to three decimals, a dash for one that is not known."""
    return "-" if isnan(value) else f"{value:.3f}"


def span(low: float, high: float) -> str:
    """Return an interval in words, nothing for one that is not known."""
    return "" if isnan(low) else f"{number(low)} to {number(high)}"


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int, str], object]]:
    """Show a bar that moves on when it is told how many are done, of how many, and what is next."""
    if not sys.stderr.isatty():
        yield _show_nothing
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from wildcell.cli.console import PlainConsole

    columns = (
        TextColumn(what, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=PlainConsole(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=None)
        with _training_shown(lambda text: progress.update(bar, description=plain(text))):
            yield lambda done, total, name: progress.update(
                bar, completed=done, total=total, description=plain(name)
            )


@contextmanager
def _training_shown(show: Callable[[str], object]) -> Iterator[None]:
    """Show how far a training is, as it logs it."""
    handler, log = logging.Handler(), logging.getLogger("wildcell.training")
    handler.emit = lambda record: show(record.getMessage())  # type: ignore[method-assign,assignment]
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on a terminal that something is being done that has no count."""
    if not sys.stderr.isatty():
        yield
        return
    from wildcell.cli.console import PlainConsole

    with PlainConsole(stderr=True).status(what):
        yield


def _show_nothing(done: int, total: int, name: str) -> None:
    """Keep silent where nobody watches."""
