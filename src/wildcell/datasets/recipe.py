"""How a public screen is made into a curated data set, the same way by everyone."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np

from wildcell.arrays import Booleans
from wildcell.datasets.curate import Prepare
from wildcell.datasets.curate_options import CurateOptions
from wildcell.datasets.dataset import Dataset, dataset
from wildcell.datasets.labels import as_text, is_missing, some_of
from wildcell.datasets.load import load_dataset
from wildcell.errors import DataError, OptionError
from wildcell.registry import Registry
from wildcell.store.download import cache_folder
from wildcell.store.repository import RemoteFile

TOLERANCE = 0.02
"""How far a count may be from what is expected, as a share: versions of a file differ a little."""

CAUTIOUS_QC: dict[str, Any] = {"min_genes": 200, "min_cells": 10, "min_cells_per_gene": 10}
"""Cells with 200 genes, conditions with 10 cells, genes in 10 cells; the last two are of
arXiv 2604.27646, the first is the field's habit."""


SCPERTURB = "10044268"
"""The Zenodo record of the scPerturb collection."""

SCPERTURB_LICENCE = "CC-BY-4.0"
SCPERTURB_CITATION = "file: Peidli et al. 2024, Nature Methods, doi:10.1038/s41592-023-02144-y"

UNASSIGNED = ("*", "unassigned", "unknown", "none", "na")
"""Labels of cells whose perturbation is not known."""

BATCH, REPLICATE = "recipe_batch", "recipe_replicate"
"""Columns of obs that hold what copies of a source have under several names, or not at all."""


@dataclass(frozen=True)
class Counts:
    """What a source is expected to hold, before anything is dropped; None where not known.

    `perturbations` are the labels after mending, without the control's.
    """

    cells: int | None = None
    genes: int | None = None
    perturbations: int | None = None


@dataclass(frozen=True)
class Recipe:
    """What has to be known to make a data set of a public file.

    Attributes
    ----------
    name
        What the data set is called.
    summary
        A line about it.
    file
        Where its source is; None for one that cannot be downloaded.
    options
        How it is curated; its licence and citation are those of the source.
    expected
        What the source holds.
    prepare
        Mends the labels of the source before it is curated; it may change the cells it is given.
    batch_columns, replicate_columns
        Columns of obs for the batch and the replicate; the first that is there is taken, and it
        is said where none is.
    """

    name: str
    summary: str
    file: RemoteFile | None
    options: CurateOptions
    expected: Counts
    prepare: Prepare | None = None
    batch_columns: tuple[str, ...] = ()
    replicate_columns: tuple[str, ...] = ()

    def path(self, cache: Path) -> Path:
        """Return where the curated data set lies below a cache folder."""
        return cache / f"{self.name}.h5ad"


RECIPES: Registry[Recipe] = Registry("recipe", "wildcell.datasets")


def register(recipe: Recipe) -> Recipe:
    """Let a recipe be fetched and its data set be loaded by name."""

    def load(**options: Any) -> Dataset:
        if options:
            raise OptionError(f"{recipe.name} has no options; drop {', '.join(sorted(options))}.")
        path = recipe.path(cache_folder())
        if not path.exists():
            raise DataError(
                f"{recipe.name} is not in {path.parent} yet; run: {fetch_command(recipe)}"
            )
        return replace(load_dataset(path), name=recipe.name)

    load.__doc__ = recipe.summary
    dataset(recipe.name)(load)
    return RECIPES.add(recipe.name, recipe)


def fetch_command(recipe: Recipe) -> str:
    """Return the command that makes a recipe's data set."""
    return f"wildcell fetch {recipe.name}{'' if recipe.file else ' --from FILE'}"


def options_of(recipe: Recipe) -> CurateOptions:
    """Return how the mended cells of a recipe's source are curated."""
    options = replace(recipe.options, name=recipe.name)
    if recipe.batch_columns:
        options = replace(options, batch_column=BATCH)
    if recipe.replicate_columns:
        options = replace(options, replicate_column=REPLICATE)
    return options


def mend(recipe: Recipe, cells: ad.AnnData) -> tuple[ad.AnnData, list[str]]:
    """Mend the labels of a recipe's source, and compare it with what was expected.

    Parameters
    ----------
    recipe
        The recipe.
    cells
        The source; its `obs` may be changed.

    Returns
    -------
    The cells that can be curated, and a sentence about each thing that was found or done.

    Raises
    ------
    DataError
        A column that the recipe needs is not there.
    """
    done = _compare("cells", cells.n_obs, recipe.expected.cells)
    done += _compare("genes", cells.n_vars, recipe.expected.genes)
    _add_optional(cells, BATCH, recipe.batch_columns, done)
    _add_optional(cells, REPLICATE, recipe.replicate_columns, done)
    if recipe.prepare is not None:
        cells, sentences = recipe.prepare(cells)
        done += sentences
    column = recipe.options.perturbation_column
    missing_columns(cells, [column])
    labels = set(as_text(cells.obs[column]))
    n_perturbations = len(labels - {"", *UNASSIGNED, recipe.options.control})
    return cells, done + _compare("perturbations", n_perturbations, recipe.expected.perturbations)


def have_label(cells: ad.AnnData, column: str, words: Iterable[str], done: list[str]) -> Booleans:
    """Tell which cells have a label in a column of `obs`, shape (n_cells,).

    Parameters
    ----------
    cells
        The source.
    column
        The column.
    words
        Labels that stand for none, such as `*`; case does not matter.
    done
        Takes a sentence about the cells without.
    """
    labels = as_text(cells.obs[column])
    is_none = is_missing(labels) | np.asarray(labels.str.lower().isin(list(words)))
    if is_none.any():
        kinds = labels[is_none].replace("", "no label").value_counts()
        listing = ", ".join(f"{count} {label}" for label, count in kinds.items())
        done.append(f"Dropped {is_none.sum()} cells without a {column} ({listing}).")
    return ~is_none


def missing_columns(cells: ad.AnnData, columns: Iterable[str]) -> None:
    """Refuse a source that lacks columns.

    Raises
    ------
    DataError
        Some are not there.
    """
    missing = [column for column in columns if column not in cells.obs]
    if missing:
        raise DataError(
            f"The source lacks the columns {some_of(missing)} of obs, which the recipe needs; it "
            f"has {some_of(cells.obs.columns, 30)}. It is another file, or another version of it."
        )


def _add_optional(
    cells: ad.AnnData, column: str, candidates: tuple[str, ...], done: list[str]
) -> None:
    if not candidates:
        return
    found = [name for name in candidates if name in cells.obs]
    cells.obs[column] = as_text(cells.obs[found[0]]) if found else ""
    if not found:
        what = column.removeprefix("recipe_")
        done.append(f"No {what} is known: there is no column {' or '.join(map(repr, candidates))}.")


def _compare(what: str, found: int, expected: int | None) -> list[str]:
    if expected is None:
        return [f"The source has {found} {what.removesuffix('s') if found == 1 else what}."]
    if abs(found - expected) <= TOLERANCE * expected:
        return [f"The source has {found} {what}, as expected (about {expected})."]
    sentence = (
        f"The source has {found} {what}, but about {expected} were expected: this may be another "
        "version of it, or a part."
    )
    return [sentence]
