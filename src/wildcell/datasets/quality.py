"""What is left out for its quality: cells, conditions, perturbations and genes, all counted."""

from collections.abc import Sequence

import anndata as ad
import numpy as np
import pandas as pd

from wildcell.arrays import Booleans, Codes
from wildcell.datasets.curate_options import CurateOptions
from wildcell.datasets.labels import as_text, find_column, some_of
from wildcell.errors import DataError, OptionError
from wildcell.names import CONDITION, CONTROL


def without_labels(obs: pd.DataFrame, clauses: Sequence[str], done: list[str]) -> Booleans:
    """Tell which cells have none of the labels COLUMN=VALUE, such as doublets.

    Parameters
    ----------
    obs
        One row a cell.
    clauses
        Of the form COLUMN=VALUE, compared as text; no cell need have the label.
    done
        Takes a sentence about each label that some cells have.

    Raises
    ------
    OptionError
        A clause that is not of this form.
    UnknownNameError
        A clause about a column that is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> done = []
    >>> obs = pd.DataFrame({"call": ["singlet", "doublet"]})
    >>> without_labels(obs, ["call=doublet", "call=unassigned"], done).tolist()
    [True, False]
    >>> done
    ['Dropped 1 cell with call=doublet.']
    """
    is_kept = np.ones(len(obs), dtype=bool)
    for clause in clauses:
        name, equals, value = clause.partition("=")
        if not equals or not name or name.endswith("!"):
            raise OptionError(f"--drop {clause!r} must be of the form COLUMN=VALUE.")
        is_unwanted = np.asarray(as_text(find_column(obs, name, "--drop")) == value.strip())
        if is_unwanted.any():
            done.append(f"Dropped {_cells(is_unwanted.sum())} with {clause}.")
        is_kept &= ~is_unwanted
    return is_kept


def drop_poor(cells: ad.AnnData, options: CurateOptions, done: list[str]) -> ad.AnnData:
    """Drop cells without counts or with few genes, then what too few cells are left of.

    Parameters
    ----------
    cells
        Shape (n_cells, n_genes); `X` in CSR without stored zeros, `obs` with the curated labels.
    options
        How few are too few.
    done
        Takes a sentence about each thing that was dropped.
    """
    is_kept = np.ones(cells.n_obs, dtype=bool)
    if "total_counts" in cells.obs:
        is_kept &= np.asarray(cells.obs["total_counts"] != 0)
    if not is_kept.all():
        done.append(f"Dropped {(~is_kept).sum()} cells without any counts.")
    n_genes = np.diff(cells.X.indptr)[is_kept]
    is_kept = _narrow(is_kept, are_deep_enough(n_genes, options.min_genes, done))
    is_kept = _narrow(is_kept, have_controls(cells.obs[is_kept], options.min_controls, done))
    is_kept = _narrow(is_kept, have_cells(cells.obs[is_kept], options.min_cells, done))
    most = options.max_perturbations
    is_kept = _narrow(is_kept, are_most_measured(cells.obs[is_kept], most, done))
    return cells if is_kept.all() else cells[is_kept].copy()


def are_deep_enough(n_genes: Codes, min_genes: int, done: list[str]) -> Booleans:
    """Tell which cells have enough genes, shape (n_cells,).

    Parameters
    ----------
    n_genes
        How many genes are detected in each cell, shape (n_cells,).
    min_genes
        The least number of genes.
    done
        Takes a sentence about the others.
    """
    is_deep = n_genes >= min_genes
    if not is_deep.all():
        done.append(f"Dropped {_cells((~is_deep).sum())} with fewer than {min_genes} genes.")
    return np.asarray(is_deep)


def have_controls(obs: pd.DataFrame, min_controls: int, done: list[str]) -> Booleans:
    """Tell which cells are of control groups with enough controls, shape (n_cells,).

    Parameters
    ----------
    obs
        Columns perturbation and control_group.
    min_controls
        The least number of control cells of a group.
    done
        Takes a sentence about the other groups.
    """
    if not min_controls:
        return np.ones(len(obs), dtype=bool)
    group = obs["control_group"].astype(str)
    n_controls = (obs["perturbation"] == CONTROL).groupby(group).sum()
    few = n_controls[n_controls < min_controls]
    is_kept = ~np.asarray(group.isin(few.index))
    if len(few):
        done.append(
            f"Dropped {len(few)} of {len(n_controls)} control groups with fewer than "
            f"{min_controls} controls ({_cells((~is_kept).sum())}): {some_of(few.index)}."
        )
    return is_kept


def have_cells(obs: pd.DataFrame, min_cells: int, done: list[str]) -> Booleans:
    """Tell which cells are controls or of conditions with enough cells, shape (n_cells,).

    Parameters
    ----------
    obs
        Columns context and perturbation.
    min_cells
        The least number of cells of a condition.
    done
        Takes a sentence about the other conditions.
    """
    labels = obs[CONDITION].astype(str)
    n_cells = labels[labels["perturbation"] != CONTROL].groupby(CONDITION).size()
    small = n_cells[n_cells < min_cells]
    if not len(small):
        return np.ones(len(obs), dtype=bool)
    examples = some_of(f"{name} in {context}" for context, name in small.index)
    done.append(
        f"Dropped {len(small)} of {len(n_cells)} conditions with fewer than {min_cells} cells "
        f"({small.sum()} cells): {examples}."
    )
    return ~np.asarray(pd.MultiIndex.from_frame(labels).isin(small.index))


def are_most_measured(obs: pd.DataFrame, at_most: int | None, done: list[str]) -> Booleans:
    """Tell which cells are controls or of the perturbations with most cells, shape (n_cells,).

    Parameters
    ----------
    obs
        Column perturbation.
    at_most
        How many perturbations to keep, by their cells, ties by name; None for all.
    done
        Takes a sentence about the others.
    """
    labels = obs["perturbation"].astype(str)
    n_cells = labels[labels != CONTROL].value_counts().sort_index()
    if at_most is None or len(n_cells) <= at_most:
        return np.ones(len(obs), dtype=bool)
    ranked = n_cells.sort_values(ascending=False, kind="stable")
    rest = ranked.iloc[at_most:]
    done.append(
        f"Dropped {len(rest)} of {len(ranked)} perturbations to keep the {at_most} with most cells "
        f"({rest.sum()} cells, at most {rest.iloc[0]} of one)."
    )
    return ~np.asarray(labels.isin(rest.index))


def drop_rare_genes(cells: ad.AnnData, min_cells: int, done: list[str]) -> ad.AnnData:
    """Drop genes with a value in few cells.

    Parameters
    ----------
    cells
        Shape (n_cells, n_genes); `X` in CSR without stored zeros.
    min_cells
        The least number of cells.
    done
        Takes a sentence about the genes dropped.

    Raises
    ------
    DataError
        No gene is left.
    """
    is_common = np.bincount(cells.X.indices, minlength=cells.n_vars) >= min_cells
    if is_common.all():
        return cells
    if not is_common.any():
        raise DataError(f"None of the {cells.n_vars} genes is seen in {min_cells} cells.")
    done.append(
        f"Dropped {(~is_common).sum()} of {cells.n_vars} genes seen in fewer than {min_cells} "
        "cells."
    )
    return cells[:, is_common].copy()


def _narrow(is_kept: Booleans, is_kept_of_them: Booleans) -> Booleans:
    narrowed = is_kept.copy()
    narrowed[is_kept] = is_kept_of_them
    return narrowed


def _cells(count: int) -> str:
    return f"{count} cell{'' if count == 1 else 's'}"
