"""Public data sets: download one, and curate it."""

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from wildcell.cli.progress import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wildcell.store.download import Progress


def fetch(
    name: str,
    /,
    *,
    source: Annotated[Path | None, Parameter(name="--from")] = None,
    cache: Path | None = None,
    mirror: str = "",
    proxy: str = "",
    gene_names: Path | None = None,
    force: bool = False,
) -> None:
    """Download a public data set, curate it and keep it, so that --data NAME finds it.

    A download that was cut off is gone on with, and its checksum is compared with the one that
    the repository states. Nothing is done for a data set that is there.

    Parameters
    ----------
    name
        A data set that `wildcell datasets` lists.
    source
        The file of the data set, where it was brought by other means: nothing is downloaded.
    cache
        The folder for data sets; by default $WILDCELL_CACHE, or else the platform's. The data set
        is found by its name only in these; elsewhere, name its file.
    mirror
        Address that stands for the repository's own (https://zenodo.org), with the same paths.
    proxy
        Address of a proxy; by default, what HTTPS_PROXY says.
    gene_names
        Table (csv, tsv) by which genes get their current symbols: HGNC's complete set, or two
        columns, from and to.
    force
        Curate again what is there.
    """
    from wildcell.datasets import fetch as fetching
    from wildcell.store.repository import Connection

    with _bytes() as on_progress:
        fetched = fetching.fetch(
            name,
            source=source,
            cache=cache,
            gene_names=gene_names,
            is_forced=force,
            connection=Connection(mirror=mirror, proxy=proxy),
            on_progress=on_progress,
        )
    for sentence in fetched.account:
        say(sentence)
    say(f"Wrote {fetched.path}." if fetched.account else f"{fetched.path} is there already.")


@contextmanager
def _bytes() -> "Iterator[Progress | None]":
    """Show on a terminal how much of a download is there."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total or None)
