"""What is shown on a terminal, and how elsewhere."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isnan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_OF_A_FILE = 140


def printer() -> "Console":
    """Return a console as wide as the terminal, or wide enough for tables in a file."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else WIDTH_OF_A_FILE
    return Console(width=width, markup=False, highlight=False)


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
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=None)
        with _training_shown(lambda text: progress.update(bar, description=text)):
            yield lambda done, total, name: progress.update(
                bar, completed=done, total=total, description=name
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
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def _show_nothing(done: int, total: int, name: str) -> None:
    """Keep silent where nobody watches."""
