"""From a file as its authors left it to a curated data set, with an account of what was done."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import anndata as ad
import h5py
import numpy as np
import pandas as pd

from wildcell.datasets.check import check_cells
from wildcell.datasets.curate_options import CurateOptions
from wildcell.datasets.harmonise import (
    are_genes_a_subset,
    library_sizes,
    merge_genes,
    name_genes,
    take_expression,
)
from wildcell.datasets.labels import (
    as_text,
    find_column,
    is_missing,
    matches,
    modality_words,
    some_of,
)
from wildcell.datasets.perturbations import name_perturbations, perturbation_times
from wildcell.datasets.quality import drop_poor, drop_rare_genes, without_labels
from wildcell.datasets.read import (
    CELLS_SUFFIXES,
    UNREADABLE,
    read_labels,
    read_source,
    source_sha256,
)
from wildcell.datasets.symbols import GeneNames, read_gene_names, rename_genes, rename_perturbed
from wildcell.errors import DataError, OptionError
from wildcell.guards.hdf5 import check_hdf5
from wildcell.names import CONDITION, SCHEMA_VERSION, UNS, Expression, Modality
from wildcell.store.atomic import write_cells

Prepare: TypeAlias = Callable[[ad.AnnData], tuple[ad.AnnData, list[str]]]
"""Mends the labels of cells before they are curated, and says what it did."""


def curate(cells: ad.AnnData, options: CurateOptions) -> tuple[ad.AnnData, list[str]]:
    """Bring a screen into the curated schema.

    Parameters
    ----------
    cells
        The source, shape (n_cells, n_genes); it is left as it is.
    options
        What the source calls things.

    Returns
    -------
    The curated cells, and a sentence about each thing that was done, dropped or assumed.

    Raises
    ------
    DataError
        The cells cannot be curated, or what comes out is not a curated data set; all its problems
        are listed.
    UnknownNameError
        An option names a column or layer that is not there.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> from wildcell.names import Modality
    >>> cells = ad.AnnData(np.array([[1.0, 2.0], [3.0, 0.0], [2.0, 2.0], [4.0, 1.0]]))
    >>> cells.obs["guide"] = ["NT", "NT", "KLF1", "KLF1"]
    >>> options = CurateOptions(
    ...     perturbation_column="guide", control="NT", context="K562", modality=Modality.CRISPRI
    ... )
    >>> curated, done = curate(cells, options)
    >>> curated.obs["perturbation"].tolist()
    ['control', 'control', 'KLF1', 'KLF1']
    >>> done[0]
    'X holds integers: taken as counts.'
    """
    done: list[str] = []
    names = read_gene_names(options.gene_names) if options.gene_names else None
    with _repeated_names_expected():
        cells = _choose_cells(_join_labels(cells, options.labels, done), options, done)
        cells, expression = take_expression(cells, options.counts_layer, options.expression, done)
        cells = name_genes(cells, options.gene_column, done)
        cells = rename_genes(cells, names, done) if names else cells
        cells = merge_genes(cells, expression, done)
    _name_cells(cells, done)
    obs, components = _label(cells.obs, options, names, done)
    is_subset = bool(options.gene_subset)
    if expression is Expression.COUNTS and (options.total_counts_column or not is_subset):
        obs["total_counts"] = library_sizes(cells, options.total_counts_column, done)
        if options.gene_subset is None:
            is_subset = are_genes_a_subset(cells, obs["total_counts"].to_numpy(), done)
    cells = drop_poor(ad.AnnData(cells.X, obs=obs, var=cells.var), options, done)
    curated = drop_rare_genes(cells, options.min_cells_per_gene, done)
    if "total_counts" in curated.obs and curated.n_vars < cells.n_vars:
        is_subset |= are_genes_a_subset(curated, curated.obs["total_counts"].to_numpy(), done)
    is_used = components["perturbation"].isin(set(curated.obs["perturbation"]))
    curated.uns[UNS] = {
        **_metadata(options, expression, is_gene_subset=is_subset),
        "components": components[is_used].reset_index(drop=True),
    }
    _refuse_problems(check_cells(curated))
    return curated, done


def curate_file(
    source: Path, destination: Path, options: CurateOptions, *, prepare: Prepare | None = None
) -> list[str]:
    """Curate a file into an h5ad or zarr file, written whole or not at all.

    Parameters
    ----------
    source
        An h5ad or zarr file, a `.h5` file of Cell Ranger, or its folder with `matrix.mtx`.
    destination
        The file to write, replaced if it is there.
    options
        What the source calls things.
    prepare
        Mends the labels before; it may change the cells that it is given.

    Returns
    -------
    A sentence about each thing that was done, dropped or assumed.

    Raises
    ------
    DataError
        The source cannot be read, or not be curated; nothing is written.
    OptionError
        The destination is no h5ad or zarr file, or is the source.
    StoreError
        The destination cannot be written.
    """
    if destination.suffix not in CELLS_SUFFIXES:
        raise OptionError(f"{destination} must end in {' or '.join(CELLS_SUFFIXES)}.")
    if destination.resolve() == source.resolve():
        raise OptionError(f"{destination} is the source; write to another file.")
    named = replace(
        options, name=options.name or destination.stem, source=options.source or source.name
    )
    mended: list[str] = []
    with _repeated_names_expected():
        # The source has no name here, so that its memory is free once its cells are chosen.
        curated, done = curate(_mend(_read_sparse(source), prepare, mended), named)
    curated.uns[UNS]["sha256"] = source_sha256(source)
    write_cells(destination, curated)
    return mended + done


@contextmanager
def _repeated_names_expected() -> Iterator[None]:
    """Silence warnings about repeated names, which are dealt with here, and said."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* names are not unique")
        yield


def _mend(cells: ad.AnnData, prepare: Prepare | None, done: list[str]) -> ad.AnnData:
    if prepare is not None:
        cells, sentences = prepare(cells)
        done.extend(sentences)
    return cells


def _read_sparse(path: Path) -> ad.AnnData:
    """Read a source; a dense h5ad by chunks, lest most of the memory goes to zeros."""
    try:
        with h5py.File(path) as file:
            is_dense = path.suffix == ".h5ad" and isinstance(file.get("X"), h5py.Dataset)
            if is_dense:
                check_hdf5(file, path, loaded=[name for name in file if name != "X"])
        if is_dense:
            return ad.read_h5ad(path, as_sparse=("X",))
    except UNREADABLE:
        pass  # said better below
    return read_source(path)


def _join_labels(cells: ad.AnnData, labels: Path | None, done: list[str]) -> ad.AnnData:
    if labels is None:
        return cells
    table = read_labels(labels)
    is_found = cells.obs_names.isin(table.index)
    if not is_found.any():
        raise DataError(
            f"{labels} has labels for none of the {cells.n_obs} cells: the cells are called "
            f"{some_of(cells.obs_names, 2)}, its first column holds {some_of(table.index, 2)}."
        )
    done.append(f"Found labels of {is_found.sum()} of {cells.n_obs} cells in {labels.name}.")
    kept = cells.obs.drop(columns=table.columns, errors="ignore")
    found = table.reindex(cells.obs_names)
    joined = cells.copy()
    joined.obs = pd.concat([kept, found], axis=1)
    return joined


def _choose_cells(cells: ad.AnnData, options: CurateOptions, done: list[str]) -> ad.AnnData:
    if options.where:
        is_wanted = matches(cells.obs, options.where)
        done.append(
            f"Kept {is_wanted.sum()} of {cells.n_obs} cells, where {' and '.join(options.where)}."
        )
        cells = cells[is_wanted]
    columns = {
        "perturbation": (options.perturbation_column, "--perturbation-column"),
        "context": (options.context_column, "--context-column"),
        "control-group": (options.control_group_column, "--control-group-column"),
    }
    is_labelled = without_labels(cells.obs, options.drop, done)
    for what, (column, option) in columns.items():
        if column is not None:
            without = is_missing(find_column(cells.obs, column, option))
            if without.any():
                done.append(f"Dropped {without.sum()} cells without a {what} label.")
            is_labelled &= ~without
    if not is_labelled.any():
        raise DataError(f"No cells are left of the {cells.n_obs} that there were.")
    return cells if is_labelled.all() else cells[is_labelled].copy()


def _name_cells(cells: ad.AnnData, done: list[str]) -> None:
    n_repeated = int(cells.obs_names.duplicated().sum())
    if n_repeated:
        done.append(f"Made {n_repeated} cell names unique that occurred before.")
        cells.obs_names_make_unique()


def _label(
    source: pd.DataFrame, options: CurateOptions, names: GeneNames | None, done: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the schema's columns of labels, and the table of components."""
    modalities = _modalities(source, options)
    labels = as_text(source[options.perturbation_column])
    if names is not None:
        labels = rename_perturbed(
            labels,
            names,
            done,
            is_genetic=np.asarray(modalities.isin([kind for kind in Modality if kind.is_genetic])),
            control=options.control,
            separator=options.combination_separator,
        )
    keys, components = name_perturbations(
        labels,
        None
        if options.dose_column is None
        else find_column(source, options.dose_column, "--dose-column"),
        control=options.control,
        separator=options.combination_separator,
        unit=options.dose_unit,
    )
    contexts = _labels_or(source, options.context_column, "--context-column", options.context or "")
    group = _labels_or(source, options.control_group_column, "--control-group-column", "")
    obs = pd.DataFrame(
        {
            "perturbation": keys,
            "context": contexts,
            "dataset": options.name or "unnamed",
            "modality": modalities,
            "batch": _labels_or(source, options.batch_column, "--batch-column", ""),
            "replicate": _labels_or(source, options.replicate_column, "--replicate-column", ""),
            "control_group": contexts + "|" + group if options.control_group_column else contexts,
        }
    )
    if options.time_column is not None:
        column = find_column(source, options.time_column, "--time-column")
        times, sentences = perturbation_times(obs[CONDITION], column)
        components["time"] = components["perturbation"].map(times)
        done.extend(sentences)
    return obs.astype("category"), components


def _labels_or(
    source: pd.DataFrame, column: str | None, option: str, default: str
) -> "pd.Series[str]":
    if column is None:
        return pd.Series(default, index=source.index, dtype=object)
    return as_text(find_column(source, column, option))


def _modalities(source: pd.DataFrame, options: CurateOptions) -> "pd.Series[str]":
    return modality_words(
        _labels_or(source, options.modality_column, "--modality-column", str(options.modality))
    )


def _metadata(
    options: CurateOptions, expression: Expression, *, is_gene_subset: bool
) -> dict[str, object]:
    metadata: dict[str, object] = {
        "schema_version": SCHEMA_VERSION,
        "expression": str(expression),
        "gene_subset": is_gene_subset,
        "source": options.source,
        "sha256": "",
        "licence": options.licence,
        "citation": options.citation,
        "recipe_version": options.recipe_version,
    }
    return metadata if options.target_sum is None else metadata | {"target_sum": options.target_sum}


def _refuse_problems(problems: list[str]) -> None:
    if problems:
        listing = "\n".join(f"  - {problem}" for problem in problems)
        raise DataError(f"What comes out would not be a curated data set:\n{listing}")
