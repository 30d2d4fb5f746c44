"""From the name of a public screen to a curated data set in the cache."""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from wildcell.datasets.curate import curate_file
from wildcell.datasets.recipe import (
    RECIPES,
    Recipe,
    fetch_command,
    mend,
    options_of,
)
from wildcell.errors import DataError, OptionError, UnknownNameError
from wildcell.store.atomic import write_json
from wildcell.store.download import Download, Progress, cache_folder, download
from wildcell.store.provenance import now, versions
from wildcell.store.repository import Connection, UnreachableError
from wildcell.store.runs import claimed

SOURCES = "sources"
"""The folder of the cache with the files as they were downloaded."""


ADVICE = re.compile(r"[;:,.(]? ?[^;:,.(]*(?<![\w-])--[a-z].*", re.DOTALL)
"""What a message says of options of `wildcell curate`, which a recipe decides itself."""


class Fetched(NamedTuple):
    """A data set in the cache, and an account of how it came there.

    Attributes
    ----------
    path
        The curated file.
    account
        A sentence about each thing that was done, dropped or assumed; none where nothing was.
    """

    path: Path
    account: list[str]


def fetch(
    name: str,
    *,
    source: Path | None = None,
    cache: Path | None = None,
    gene_names: Path | None = None,
    is_forced: bool = False,
    connection: Connection | None = None,
    on_progress: Progress | None = None,
) -> Fetched:
    """Download a public screen and curate it into the cache, unless it is there.

    Parameters
    ----------
    name
        A recipe's name.
    source
        The file, where it was brought by other means.
    cache
        The folder for data sets; by default $WILDCELL_CACHE or the platform's own.
    gene_names
        Table by which genes get their current symbols.
    is_forced
        Whether to curate again what is there.
    connection
        How to reach the repository.
    on_progress
        Is told of each piece of a download.

    Raises
    ------
    UnknownNameError
        There is no such recipe.
    DataError
        The screen cannot be downloaded, or the source cannot be curated; nothing is written.
    StoreError
        The download failed, or the cache cannot be written.
    """
    recipe = RECIPES.get(name)
    folder = cache_folder(cache)
    path = recipe.path(folder)
    with claimed(folder / ".locks" / name):
        if path.exists() and not is_forced:
            return Fetched(path, [])
        found = (
            _brought_by_hand(source)
            if source
            else _download(recipe, folder, connection, on_progress)
        )
        account = [_about(found), *_curate(recipe, found, path, gene_names)]
        write_json(path.with_suffix(".json"), _record(recipe, found, account))
    return Fetched(path, account)


def _brought_by_hand(source: Path) -> Download:
    if not source.exists():
        raise DataError(f"There is no file {source}.")
    return Download(source, "", "", is_verified=False)


def _download(
    recipe: Recipe, folder: Path, connection: Connection | None, on_progress: Progress | None
) -> Download:
    if recipe.file is None:
        raise DataError(
            f"{recipe.name} has no public file that could be downloaded; give yours: "
            f"{fetch_command(recipe)}"
        )
    try:
        return download(
            recipe.file, folder / SOURCES, connection=connection, on_progress=on_progress
        )
    except UnreachableError as error:
        raise UnreachableError(
            f"{error}, or run: wildcell fetch {recipe.name} --from FILE"
        ) from error


def _about(found: Download) -> str:
    if not found.checksum:
        return f"Took {found.path}, as it was given; its checksum was not compared."
    if found.is_verified:
        return f"The checksum of {found.path.name} is what the repository states, {found.checksum}."
    return (
        f"The checksum of {found.path.name} is {found.checksum}; it could not be compared: the "
        "repository states none, or could not be asked."
    )


def _curate(recipe: Recipe, found: Download, path: Path, gene_names: Path | None) -> list[str]:
    options = replace(
        options_of(recipe), gene_names=gene_names, source=found.url or found.path.name
    )
    try:
        return curate_file(found.path, path, options, prepare=partial(mend, recipe))
    except (DataError, OptionError, UnknownNameError) as error:
        if ADVICE.search(str(error)) is None:
            raise
        raise DataError(
            f"{found.path} is not what the recipe of {recipe.name} is made for"
            f"{_expected(recipe)}: {ADVICE.sub('', str(error))}. Give the file of {recipe.name}, "
            "or make a data set of this one with: wildcell curate"
        ) from error


def _expected(recipe: Recipe) -> str:
    numbers = (recipe.expected.cells, recipe.expected.genes)
    found = [
        f"{number:,} {what}"
        for number, what in zip(numbers, ("cells", "genes"), strict=True)
        if number is not None
    ]
    return f" (about {' and '.join(found)})" if found else ""


def _record(recipe: Recipe, found: Download, account: list[str]) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "source": found.url or found.path.name,
        "checksum": found.checksum,
        "is_verified": found.is_verified,
        "made": now(),
        "wildcell": versions()["wildcell"],
        "licence": recipe.options.licence,
        "citation": recipe.options.citation,
        "account": account,
    }
