"""What a file from elsewhere holds: its labels, its scale, and whether it can be used."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wildcell.arrays import as_csr
from wildcell.datasets.check_expression import COUNT_TOLERANCE, check_expression
from wildcell.datasets.labels import as_text, is_missing, modality_words, some_of
from wildcell.datasets.open import OpenCells
from wildcell.datasets.values import ValueSummary, summarise_values
from wildcell.errors import DataError, OptionError, PredictionError
from wildcell.names import CONDITION, CONTROL, UNS, Expression, Kind
from wildcell.registry import did_you_mean
from wildcell.streams.matrix import Stream, read_all

SAME_DEPTH_TOLERANCE = 2e-3
"""Library sizes of log values that agree within this share count as one: half precision does."""

COPY_TOLERANCE = 1e-6
"""Cells of a condition whose sums agree within this share are copies of one."""


@dataclass(frozen=True)
class Labels:
    """Where a file says what its cells are.

    Attributes
    ----------
    perturbation, context
        Columns of obs; where the file has no column for contexts, all cells are of one.
    control
        The label of unperturbed cells.
    """

    perturbation: str = "perturbation"
    context: str = "context"
    control: str = CONTROL


@dataclass(frozen=True)
class ReadCells:
    """Cells from elsewhere: labels in the house's columns, and numbers that may be in a file.

    Attributes
    ----------
    file
        What they are called in messages.
    cells
        `obs`, `var` and `uns`, without `X`.
    X
        Their numbers, shape (n_cells, n_genes).
    stem
        What the data set is called in tables.
    """

    file: str
    cells: ad.AnnData
    X: Stream
    stem: str

    @cached_property
    def look(self) -> ValueSummary:
        """What the numbers look like, in one pass."""
        return summarise_values(self.X)

    @cached_property
    def in_memory(self) -> ad.AnnData:
        """The same with `X`, read whole."""
        whole = self.cells.copy()
        whole.X = as_csr(read_all(self.X))
        return whole


def labelled(given: OpenCells, labels: Labels) -> ReadCells:
    """Return cells whose obs has the house's columns, and controls the house's label.

    Raises
    ------
    DataError
        A column is absent or has gaps, genes have one name, or a perturbation is called `control`
        beside controls that are called otherwise.
    """
    _check_shape(given, labels)
    columns, file = given.obs, given.name
    obs = pd.DataFrame(index=pd.Index(columns.index.astype(str)))
    obs["perturbation"] = _text(columns, labels.perturbation, file)
    _check_control(obs["perturbation"], labels.control, file)
    obs.loc[obs["perturbation"] == labels.control, "perturbation"] = CONTROL
    has_context = labels.context in columns
    obs["context"] = _text(columns, labels.context, file) if has_context else "all"
    for column, default in _defaults(obs).items():
        known = columns[column].astype(str).to_numpy() if column in columns else default
        obs[column] = known
    if "modality" in columns:
        obs["modality"] = modality_words(columns["modality"]).to_numpy(dtype=object)
    if "total_counts" in columns:
        obs["total_counts"] = pd.to_numeric(columns["total_counts"], errors="coerce").to_numpy()
    cells = ad.AnnData(
        obs=obs,
        var=pd.DataFrame(index=pd.Index(given.genes.astype(str))),
        uns={UNS: dict(given.uns.get(UNS, {}))},
    )
    return ReadCells(file, cells, given.X, given.stem)


def _check_shape(given: OpenCells, labels: Labels) -> None:
    file = given.name
    if 0 in given.X.shape:
        n_cells, n_genes = given.X.shape
        raise DataError(f"{file} has no numbers in X: {n_cells} cells, {n_genes} genes.")
    if given.X.shape != (len(given.obs), len(given.genes)):
        raise DataError(
            f"{file}: X has {given.X.shape[0]} rows and {given.X.shape[1]} columns, but there are "
            f"{len(given.obs)} cells and {len(given.genes)} genes: it is damaged."
        )
    if not isinstance(given.uns.get(UNS, {}), Mapping):
        raise DataError(f"{file}: uns[{UNS!r}] is no mapping; drop it.")
    for role, column in (("perturbation", labels.perturbation), ("context", labels.context)):
        if column not in given.obs and column != "context":
            raise DataError(
                f"{file} has no obs column {column!r}. {did_you_mean(column, given.obs.columns)} "
                f"wildcell score reads another with --{role}-column."
            )
    genes = given.genes.astype(str)
    repeated = genes[genes.duplicated()].unique()
    if len(repeated):
        raise DataError(
            f"{file}: {len(repeated)} gene names occur more than once, such as {repeated[0]}; "
            "sum or drop them."
        )


def _check_control(perturbations: "pd.Series[str]", control: str, file: str) -> None:
    n_named_so = int((perturbations == CONTROL).sum())
    if control == CONTROL or n_named_so == 0:
        return
    if not (perturbations == control).any():
        raise DataError(
            f"{file} has no cells labelled {control!r}, as controls are said to be, but "
            f"{n_named_so} labelled {CONTROL!r}; if these are the controls, say --control "
            f"{CONTROL}, else rename them."
        )
    raise DataError(
        f"{file} has cells of a perturbation called {CONTROL!r} beside the controls, "
        f"{control!r}; rename it."
    )


def _text(obs: pd.DataFrame, column: str, file: str) -> NDArray[np.object_]:
    missing = is_missing(obs[column])
    if missing.any():
        raise DataError(
            f"{file}: {int(missing.sum())} cells have no label in {column!r}, such as "
            f"{obs.index[missing][0]}; label or drop them."
        )
    return as_text(obs[column]).to_numpy(dtype=object)


def check_source(read: ReadCells, expression: Expression) -> None:
    """Raise `DataError` with all problems of the numbers of labelled cells.

    Those of a truth and of training cells: values that are not finite or do not fit the scale,
    library sizes that cannot be, cells of one name, conditions with one cell or in several control
    groups.
    """
    cells, has_sizes = read.cells, "total_counts" in read.cells.obs
    problems = list(check_expression(cells, expression, is_gene_subset=has_sizes, values=read.look))
    if not cells.obs_names.is_unique:
        problems.append("Cell names occur more than once: make them unique.")
    sizes = cells.obs.loc[cells.obs["perturbation"] != CONTROL, CONDITION].value_counts()
    alone = [" in ".join(reversed(condition)) for condition in sizes.index[sizes < 2]]
    if alone:
        problems.append(
            f"{len(alone)} conditions have one cell, too few to judge by: "
            f"{', '.join(alone[:3])}. Leave them out."
        )
    problems += filter(None, [_in_several_groups(cells.obs)])
    if problems:
        listing = "\n".join(f"  - {problem}" for problem in problems)
        raise DataError(f"{read.file} cannot be used:\n{listing}")


def _in_several_groups(obs: pd.DataFrame) -> str:
    """Say which conditions lie in several control groups; '' where none does."""
    perturbed = obs.loc[obs["perturbation"] != CONTROL, [*CONDITION, "control_group"]]
    groups = perturbed.drop_duplicates().groupby(CONDITION, sort=True)["control_group"].agg(sorted)
    several = groups[groups.str.len() > 1]
    if several.empty:
        return ""
    context, perturbation = several.index[0]
    return (
        f"{len(several)} conditions lie in several control groups, such as {perturbation} in "
        f"{context}: {some_of(several.iloc[0])}. Each is measured against the controls of one: "
        "give its cells one control_group, or each group a context of its own."
    )


def check_stated_sizes(read: ReadCells) -> None:
    """Raise `DataError` where library sizes that a file of counts states cannot be such."""
    if "total_counts" not in read.cells.obs:
        return
    sizes = read.cells.obs["total_counts"].to_numpy(float)
    is_bad = ~(np.isfinite(sizes) & (sizes >= read.look.row_sums - COUNT_TOLERANCE))
    if is_bad.any():
        row = int(np.argmax(is_bad))
        raise DataError(
            f"{read.file}: {int(is_bad.sum())} cells have a total_counts that is no number, or "
            f"below the sum of their counts, such as {sizes[row]:g} of {read.cells.obs_names[row]} "
            f"that sums to {read.look.row_sums[row]:g}; mend or drop the column."
        )


def _defaults(obs: pd.DataFrame) -> dict[str, Any]:
    return {
        "control_group": obs["context"].to_numpy(),
        "batch": "",
        "replicate": "",
        "modality": "",
    }


def stated_or_detected(read: ReadCells, option: Expression | None) -> tuple[Expression, str]:
    """Return what a file's numbers are, and a sentence on how that is known.

    Raises
    ------
    OptionError
        The file and the option disagree, or a statement and the numbers do.
    DataError
        Nothing is stated, and the numbers could be several things.
    """
    file, written = read.file, read.cells.uns[UNS].get("expression")
    if written is not None and written not in set(Expression):
        raise DataError(
            f"{file} says that it holds {written!r}; it must be one of {', '.join(Expression)}."
        )
    stated = option if written is None else Expression(str(written))
    if option is not None and stated is not option:
        raise OptionError(
            f"{file} says that it holds {stated}, and --expression says {option}; drop the option "
            "or mend the file."
        )
    seen = read.look.expression
    if stated is None and seen is None:
        raise DataError(_undetectable(read))
    if stated is None:
        assert seen is not None
        return seen, f"{file}: {seen}, by the look of its numbers."
    has_values = read.look.kinds["nonzero"] > 0
    if Expression.COUNTS in {stated, seen} and seen not in {None, stated} and has_values:
        raise OptionError(
            f"{file} is said to hold {stated}, but its numbers look like {seen}; state the scale "
            "that it is in."
        )
    return stated, f"{file}: {stated}, as stated."


def _undetectable(read: ReadCells) -> str:
    """Say why it cannot be told what numbers are."""
    file, kinds = read.file, read.look.kinds
    words = {"nan": "NaN", "infinite": "infinite", "negative": "negative"}
    found = [f"{word} ({kinds[kind]})" for kind, word in words.items() if kinds[kind]]
    if found:
        return (
            f"{file} holds values that are {', '.join(found)}: mend them, or state in "
            f"uns[{UNS!r}]['expression'] what it holds, if that is as it should be."
        )
    return (
        f"{file} does not say what its numbers are, and they could be several things; state "
        f"uns[{UNS!r}]['expression'] as counts, lognorm or log2 (of a prediction, --expression)."
    )


def stated_library_size(read: ReadCells) -> float | None:
    """Return the library size of log values that a file states, None if it states none.

    Raises
    ------
    DataError
        What it states is no positive number.
    """
    stated = read.cells.uns[UNS].get("target_sum")
    if stated is None:
        return None
    try:
        number = float(stated)
    except (TypeError, ValueError):
        number = float("nan")
    if not (np.isfinite(number) and number > 0):
        raise DataError(
            f"{read.file} states a target_sum of {stated!r}; it must be a positive number."
        )
    return number


def library_size(read: ReadCells) -> float | None:
    """Return the library size that log1p values refer to, where the file says or shows it.

    It is shown by cells that sum to one number, up to rounding, and are no copies of one another:
    copies of a mean of log values agree, too, at less than the cells that it is the mean of.
    """
    stated = stated_library_size(read)
    if stated is not None:
        return stated
    sums = read.look.linear_row_sums
    middle = float(np.median(sums)) if len(sums) else 0.0
    if not (middle > 0 and np.abs(sums - middle).max() <= SAME_DEPTH_TOLERANCE * middle):
        return None
    return float(f"{middle:.5g}") if _do_cells_differ(read) else None


def _do_cells_differ(read: ReadCells) -> bool:
    """Whether in most conditions of several cells these are not copies of one."""
    columns = [read.cells.obs[column].to_numpy() for column in CONDITION]
    sums = pd.Series(read.look.row_sums).groupby(columns).agg(["size", "min", "max"])
    several = sums[sums["size"] > 1]
    differ = several["max"] - several["min"] > COPY_TOLERANCE * several["max"]
    return bool(differ.sum() > len(several) / 2)


def is_one_size(one: float, other: float) -> bool:
    """Whether two library sizes differ by rounding at most."""
    return abs(one - other) <= SAME_DEPTH_TOLERANCE * other


def size_notes(read: ReadCells, size: float | None, said: float | None = None) -> list[str]:
    """Return a sentence on a library size of log values that was seen, and not stated."""
    if size is None or said is not None or stated_library_size(read) is not None:
        return []
    return [f"{read.file}: log1p values at a library size of {size:g}, which its cells sum to."]


def check_mean_scale(file: str, kind: Kind, expression: Expression) -> None:
    """Refuse means of counts."""
    if kind is Kind.MEAN and expression is Expression.COUNTS:
        raise PredictionError(
            f"{file} holds counts in one row a condition; a mean is the mean of cells' log1p "
            "values. Give these, or cells."
        )


def prediction_kind(cells: ad.AnnData) -> Kind:
    """Return what the rows of a prediction are: as it says, or means if no condition has two.

    Controls alone are cells.
    """
    stated = cells.uns[UNS].get("kind")
    if stated is not None:
        if stated not in set(Kind):
            raise PredictionError(f"The prediction says it is of kind {stated!r}; cells or mean.")
        return Kind(str(stated))
    perturbed = cells.obs.loc[cells.obs["perturbation"] != CONTROL, CONDITION]
    is_bare = len(cells) > 0 and perturbed.empty
    return Kind.CELLS if is_bare or perturbed.duplicated().any() else Kind.MEAN
