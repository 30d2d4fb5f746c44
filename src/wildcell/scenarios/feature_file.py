"""Files of features, and of graphs, that say what they were made of and how."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from wildcell.datasets.dataset import Dataset
from wildcell.errors import DataError, OptionError
from wildcell.guards.tables import check_parquet
from wildcell.guards.texts import parse_json
from wildcell.scenarios.feature_arms import checked_features
from wildcell.store.atomic import writing
from wildcell.store.fingerprint import fingerprint
from wildcell.store.provenance import versions

KEY = b"wildcell"
"""Where in a Parquet file's metadata its origin is kept, as JSON."""

ATTRIBUTE = "origin"
"""Where in the attributes of a table its origin is kept, as JSON."""


@dataclass(frozen=True)
class FeatureOrigin:
    """What features, or a graph, were made of.

    Attributes
    ----------
    kind
        How they were made: one-hot, drug, gene-sets, regulons, graph.
    options
        The options of that.
    cells
        Which cells of a screen they were made of: none, train, or others, which is a leak.
    sources
        SHA-256 of each file they were made of, by its name.
    datasets
        Fingerprint of each data set whose components they are of, by its name.
    lacking
        The components of each data set that have no features, or no neighbours.
    remarks
        The components that something else must be said of, by what it is.
    versions
        Versions of the packages that made them.
    """

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    cells: str = "none"
    sources: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)
    lacking: Mapping[str, Sequence[str]] = field(default_factory=dict)
    remarks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=versions)


def lacking_features(screen: Dataset, featured: pd.Index) -> list[str]:
    """Return the components of a screen that are not among those featured, sorted."""
    return sorted(set(screen.components["component"].astype(str)) - set(featured.astype(str)))


def write_features(path: Path, table: pd.DataFrame, origin: FeatureOrigin) -> str:
    """Write features as Parquet with their origin, and return their fingerprint.

    The fingerprint is that of the table as `read_features` returns it.

    Parameters
    ----------
    path
        A .parquet file.
    table
        Shape (n_components, n_features), indexed by component.
    origin
        What they were made of.

    Raises
    ------
    OptionError
        `path` is no .parquet file, there are no features, or they cannot be used.
    """
    if table.empty:
        raise OptionError("None of the components has features; nothing was written.")
    named = table.rename_axis("component")
    return write_with_origin(path, named, origin, identity=fingerprint(checked_features(named)))


def write_with_origin(
    path: Path, table: pd.DataFrame, origin: FeatureOrigin, *, identity: str
) -> str:
    """Write a table as Parquet with its origin and its fingerprint, which is returned.

    Raises
    ------
    OptionError
        `path` is no .parquet file.
    """
    if path.suffix != ".parquet":
        raise OptionError(f"Features and graphs are written as .parquet; got {path}.")
    _write(path, table, {**asdict(origin), "fingerprint": identity})
    return identity


def write_as_told(path: Path, table: pd.DataFrame) -> None:
    """Write features or a graph as Parquet, with the origin that the table carries, if any."""
    _write(path, table, origin_of(table))


def _write(path: Path, table: pd.DataFrame, words: Mapping[str, Any]) -> None:
    written = pa.Table.from_pandas(table, preserve_index=table.index.name is not None)
    said = {KEY: json.dumps(dict(words), sort_keys=True).encode()} if words else {}
    metadata = {**(written.schema.metadata or {}), **said}
    with writing(path) as temporary:
        pq.write_table(written.replace_schema_metadata(metadata), temporary, compression="zstd")


def with_origin(table: pd.DataFrame, origin: Mapping[str, Any]) -> pd.DataFrame:
    """Return a table that carries its origin, as its copies do."""
    told = table.copy()
    if origin:
        told.attrs[ATTRIBUTE] = json.dumps(dict(origin), sort_keys=True)
    return told


def origin_of(table: pd.DataFrame | None) -> dict[str, Any]:
    """Return the origin that a table carries (see `with_origin`); nothing where it has none.

    Examples
    --------
    >>> table = pd.DataFrame({"x": [1.0]}, index=["KLF1"])
    >>> origin_of(with_origin(table, {"cells": "train"}).copy())
    {'cells': 'train'}
    """
    return {} if table is None else dict(json.loads(table.attrs.get(ATTRIBUTE, "{}")))


def read_origin(path: Path) -> dict[str, Any]:
    """Return what features, or a graph, say of their origin; nothing if they were made elsewhere.

    Raises
    ------
    DataError
        The file is called .parquet and is none.
    """
    if path.suffix != ".parquet":
        return {}
    check_parquet(path)
    metadata = pq.read_schema(path).metadata or {}
    origin = parse_json(metadata.get(KEY, b"{}").decode(errors="replace"), f"The origin in {path}")
    if not isinstance(origin, dict):
        raise DataError(f"The origin in {path} is no mapping.")
    return origin
