"""A curated screen read from a file, or from a folder of files that are its parts.

Numbers that are too many to be held (see `wildcell.streams.spilled`) are read a chunk at a time
into temporary files; labels are always in memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import anndata as ad
import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from wildcell.arrays import Matrix
from wildcell.datasets.labels import some_of
from wildcell.datasets.open import LOADED, InFile, is_known, opened, stored
from wildcell.datasets.read import CELLS_SUFFIXES, check_exists, read_cells
from wildcell.errors import DataError
from wildcell.names import UNS
from wildcell.streams.matrix import (
    Chunk,
    DenseRows,
    SelectedRows,
    SparseColumns,
    StackedRows,
    Stream,
    read_all,
    real_type,
    stream_of,
)
from wildcell.streams.spilled import most_held, spill

SAME_METADATA = ("expression", "gene_subset", "target_sum")
"""What all parts of a screen must say alike; of the rest, what the first says stands."""

TABLES = ("components", "features")
"""Tables of the metadata that are put together from all parts."""

KEY = "perturbation"
"""What rows of components belong to; those of features have an index."""


@dataclass(frozen=True)
class Part:
    """A file of cells: what is read of it whole, and its numbers as a stream.

    Attributes
    ----------
    path
        The file.
    X
        Its numbers, shape (n_cells, n_genes).
    dtype
        The type of the numbers.
    n_values
        How many are stored.
    labels
        All else that a screen has.
    """

    path: Path
    X: Stream
    dtype: "np.dtype[Any]"
    n_values: int
    labels: ad.AnnData

    @property
    def words(self) -> "Words":
        """What must fit those of the other parts."""
        said = _said(self)
        same = {key: str(said.get(key)) for key in SAME_METADATA}
        return Words(self.path, self.labels.var_names, same)


class Words(NamedTuple):
    """What a part of a screen says that must fit what the others say.

    Attributes
    ----------
    path
        Its file.
    genes
        Names of its genes, shape (n_genes,).
    said
        What it says of its numbers, by the words of `SAME_METADATA`.
    """

    path: Path
    genes: "pd.Index[Any]"
    said: Mapping[str, str]


def read_screen(path: Path) -> ad.AnnData:
    """Read a curated h5ad or zarr file, or a folder of such as one screen.

    The parts of a screen have the same genes, in any order, and say the same of what their numbers
    are. Cells come in the order of the names of the files; where cell names occur in several
    files, all cells have the name of their file before their own.

    Parameters
    ----------
    path
        The file, or the folder; a `.zarr` folder is a file.

    Raises
    ------
    DataError
        Something is absent, unreadable, refused by a guard, or the parts do not fit each other.
    """
    check_exists(path)
    parts = [open_part(one) for one in parts_of(path)]
    n_values = sum(part.n_values for part in parts)
    is_held = n_values <= most_held()
    if len(parts) == 1 and is_held:
        return read_cells(parts[0].path)
    return _joined(parts, is_held=is_held)


def parts_of(path: Path) -> list[Path]:
    """Return the files that a screen is made of, by name: the path, or what lies in the folder.

    Raises
    ------
    DataError
        The folder has no h5ad or zarr files.
    """
    if path.suffix in CELLS_SUFFIXES or not path.is_dir():
        return [path]
    found = sorted(one for one in path.iterdir() if one.suffix in CELLS_SUFFIXES)
    if not found:
        raise DataError(
            f"{path} is a folder without .h5ad or .zarr files: it is no screen. Give a file, or a "
            "folder of the files that are its parts."
        )
    return found


def open_part(path: Path) -> Part:
    """Open a file that is a part of a screen, and read its labels.

    Raises
    ------
    DataError
        It is absent, unreadable, or refused by a guard.
    """
    if path.suffix not in CELLS_SUFFIXES:
        raise DataError(f"{path} is neither .h5ad nor .zarr; convert it with: wildcell curate")
    with opened(path, loaded=(*LOADED, "obsm")) as file:
        if is_known(file):
            X = stored(file["X"], str(path))
            read = {name: ad.io.read_elem(file[name]) for name in (*LOADED, "obsm") if name in file}
            return Part(
                path,
                InFile(path, X.shape, path.stat().st_mtime_ns),
                _type_of(X),
                _n_values(X),
                ad.AnnData(**read),
            )
    whole = read_cells(path)
    X = stream_of(whole.X, str(path))
    return Part(path, X, _type_of(X), _n_values(X), whole)


def _type_of(X: Stream) -> "np.dtype[Any]":
    """Return the type of stored numbers; where scipy knows it not, the one it is read in."""
    dtype = np.dtype(_values_of(X).dtype)
    is_known_to_scipy = dtype.isnative and dtype != np.float16
    return dtype if is_known_to_scipy else np.dtype(real_type(dtype, "X"))


def _n_values(X: Stream) -> int:
    """Return how many values are stored, zeros included where these are."""
    return int(np.prod(_values_of(X).shape, dtype=np.int64))


def _values_of(X: Any) -> Any:
    if isinstance(X, DenseRows):
        return X.values  # noqa: PD011 - not of pandas
    return X.columns.data if isinstance(X, SparseColumns) else X.data


def _joined(parts: Sequence[Part], *, is_held: bool) -> ad.AnnData:
    """Return all parts as one screen."""
    first = parts[0].labels
    for part in parts[1:]:
        check_fits(part.words, parts[0].words)
    X = StackedRows([_in_order(part, first.var_names) for part in parts])
    return ad.AnnData(
        _numbers(X, np.result_type(*(part.dtype for part in parts)), is_held=is_held),
        obs=_labels(parts),
        var=first.var,
        obsm=_beside(parts),
        uns={**first.uns, UNS: _metadata(parts)} if len(parts) > 1 else dict(first.uns),
    )


def _numbers(X: Stream, dtype: "np.dtype[Any]", *, is_held: bool) -> Matrix:
    if is_held:
        return read_all(X).astype(dtype, copy=False)
    chunks = (Chunk(start, rows.astype(dtype, copy=False)) for start, rows in X.chunks())
    return spill(chunks, X.shape[1], dtype)


def _in_order(part: Part, genes: "pd.Index[Any]") -> Stream:
    own = part.labels.var_names
    return part.X if own.equals(genes) else SelectedRows(part.X, columns=own.get_indexer(genes))


def check_fits(part: Words, first: Words) -> None:
    """Raise `DataError` unless a part has the genes of the first, and says the same of them."""
    different = part.genes.symmetric_difference(first.genes)
    if len(different) or part.genes.has_duplicates:
        raise DataError(
            f"{part.path} has other genes than {first.path}: {some_of(different)} in one alone. "
            "The parts of a screen must have the same genes, each once; curate them together, or "
            "keep the genes that they share."
        )
    for key, wanted in first.said.items():
        if part.said[key] != wanted:
            raise DataError(
                f"{part.path} says that {key} is {part.said[key]}, and {first.path} that it is "
                f"{wanted}: they are no parts of one screen."
            )


def _said(part: Part) -> Mapping[str, Any]:
    said = part.labels.uns.get(UNS, {})
    return said if isinstance(said, Mapping) else {}


def _labels(parts: Sequence[Part]) -> pd.DataFrame:
    """Return the labels of all cells: the columns that every part has."""
    tables = [part.labels.obs for part in parts]
    if len(tables) == 1:
        return tables[0]
    shared = [name for name in tables[0] if all(name in table for table in tables)]
    joined = pd.DataFrame({name: _column([table[name] for table in tables]) for name in shared})
    names = np.concatenate([table.index.to_numpy(object) for table in tables])
    if pd.Index(names).has_duplicates:
        names = np.concatenate(
            [part.path.stem + ":" + part.labels.obs_names.to_numpy(object) for part in parts]
        )
    joined.index = pd.Index(names)
    return joined


def _column(columns: Sequence["pd.Series[Any]"]) -> Any:
    if all(isinstance(column.dtype, pd.CategoricalDtype) for column in columns):
        return union_categoricals(columns, ignore_order=True)
    return pd.concat(columns, ignore_index=True).to_numpy()


def _beside(parts: Sequence[Part]) -> dict[str, Any]:
    """Return the arrays beside the cells that every part has, in as many dimensions."""
    found = {}
    for key, array in parts[0].labels.obsm.items():
        arrays = [part.labels.obsm.get(key) for part in parts]
        if len({None if one is None else (type(one), one.shape[1]) for one in arrays}) == 1:
            are_tables = isinstance(array, pd.DataFrame)
            found[key] = np.concatenate(arrays) if not are_tables else pd.concat(arrays)
    return found


def _metadata(parts: Sequence[Part]) -> dict[str, Any]:
    """Return what the first part says of itself, with the components and features of all."""
    said = dict(_said(parts[0]))
    for part in parts[1:]:
        for key in TABLES:
            if key in said and key in _said(part):
                said[key] = _together(said[key], _said(part)[key], f"the {key} in {part.path}")
    return said


def _together(known: Any, others: Any, what: str) -> pd.DataFrame:
    """Return a table with the rows of another that it lacks; of the rest, both say the same."""
    first, second = (_by_key(pd.DataFrame(table)) for table in (known, others))
    is_known, is_shared = second.index.isin(first.index), first.index.isin(second.index)
    mine, theirs = (
        table.sort_values(list(table)).sort_index(kind="stable")
        for table in (first[is_shared], second[is_known])
    )
    if not mine.equals(theirs):
        names = some_of(sorted(set(map(str, theirs.index))), 3)
        raise DataError(
            f"{what} are not those of another part of the screen: the rows of {names} differ. "
            "Curate the parts together."
        )
    every = pd.concat([first, second[~is_known]])
    return every.reset_index() if every.index.name == KEY else every


def _by_key(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index(KEY) if KEY in table else table
