"""What can be wrong with the numbers of a curated data set: with `X` and the library sizes."""

from collections.abc import Iterator

import anndata as ad
import numpy as np
import pandas as pd

from wildcell.arrays import Booleans
from wildcell.datasets.labels import some_of
from wildcell.datasets.values import LARGEST_LOG, ValueSummary, summarise_values
from wildcell.names import Expression

COUNT_TOLERANCE = 0.5
"""How far a library size may be from a sum of counts and still be the same number."""


def check_expression(
    cells: ad.AnnData,
    expression: Expression | None,
    *,
    is_gene_subset: bool,
    values: ValueSummary | None = None,
) -> Iterator[str]:
    """Find the problems of the numbers in `X` and of `total_counts`.

    Parameters
    ----------
    cells
        AnnData with `X` of shape (n_cells, n_genes).
    expression
        What `X` is said to hold; None where nothing valid is said.
    is_gene_subset
        Whether the genes are said to be a subset of those measured.
    values
        What was seen in `X`; it is looked at if None, and need not be there else.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> cells = ad.AnnData(np.array([[0.0, 2.0], [3.0, 1.0]]))
    >>> list(check_expression(cells, Expression.COUNTS, is_gene_subset=False))
    []
    """
    values = summarise_values(cells.X) if values is None else values
    yield from _check_values(cells, values, expression)
    if expression is Expression.COUNTS:
        yield from _check_counts(cells, values)
        yield from _check_library_sizes(cells, values, is_gene_subset=is_gene_subset)
    elif expression is not None:
        yield from _check_logarithms(values, expression)


def _check_values(
    cells: ad.AnnData, values: ValueSummary, expression: Expression | None
) -> Iterator[str]:
    for kind in ("nan", "infinite"):
        if values.kinds[kind]:
            yield f"X holds {values.kinds[kind]} {kind} values ({_first(cells, values, kind)})."
    # Arrays may hold logarithms of intensities below 1.
    if values.kinds["negative"] and expression is not Expression.LOG2:
        yield (
            f"X holds {values.kinds['negative']} negative values "
            f"({_first(cells, values, 'negative')}): centred or scaled values, perhaps; go back "
            "to the counts."
        )


def _first(cells: ad.AnnData, values: ValueSummary, kind: str) -> str:
    row, column, value = values.first[kind]
    return f"first: {value:g} in cell {cells.obs_names[row]!r}, gene {cells.var_names[column]!r}"


def _check_counts(cells: ad.AnnData, values: ValueSummary) -> Iterator[str]:
    if values.kinds["fractional"]:
        yield (
            f"X is said to hold counts, but {values.kinds['fractional']} of its "
            f"{values.kinds['nonzero']} non-zero values are not integers "
            f"({_first(cells, values, 'fractional')}): this looks like log-normalised data called "
            "counts. Name the layer that holds the counts, or state the expression as lognorm."
        )


def _check_logarithms(values: ValueSummary, expression: Expression) -> Iterator[str]:
    if values.kinds["nonzero"] and not values.kinds["fractional"]:
        yield (
            f"X is said to be {expression}, but all its {values.kinds['nonzero']} non-zero values "
            f"are integers (up to {values.largest:g}): this looks like counts called {expression}. "
            "State the expression as counts."
        )
    elif values.largest > LARGEST_LOG[expression]:
        yield (
            f"X is said to be {expression}, but its largest value is {values.largest:g}, and "
            f"logarithms stay below {LARGEST_LOG[expression]:g}: take the logarithm, or name the "
            "layer that holds the counts."
        )


def _check_library_sizes(
    cells: ad.AnnData, values: ValueSummary, *, is_gene_subset: bool
) -> Iterator[str]:
    if "total_counts" not in cells.obs:
        yield from _check_without_library_sizes(cells, values, is_gene_subset=is_gene_subset)
        return
    sizes = np.asarray(pd.to_numeric(cells.obs["total_counts"], errors="coerce"), dtype=float)
    for is_bad, what in [
        (~np.isfinite(sizes), "no number in total_counts: give the library size over all genes"),
        (sizes == 0, "zero counts: drop them"),
        (
            sizes < values.row_sums - COUNT_TOLERANCE,
            "a total_counts below the sum of their counts: it is no library size",
        ),
    ]:
        yield from _about_cells(cells, is_bad, what)
    if not is_gene_subset:
        what = "a total_counts above the sum of their counts: state that the genes are a subset"
        yield from _about_cells(cells, sizes > values.row_sums + COUNT_TOLERANCE, what)


def _check_without_library_sizes(
    cells: ad.AnnData, values: ValueSummary, *, is_gene_subset: bool
) -> Iterator[str]:
    if is_gene_subset:
        yield (
            "The genes are a subset and obs has no total_counts: row sums are not library sizes; "
            "name the column that holds them."
        )
    else:
        yield from _about_cells(cells, values.row_sums == 0, "zero counts: drop them")


def _about_cells(cells: ad.AnnData, is_bad: Booleans, what: str) -> Iterator[str]:
    if is_bad.any():
        examples = some_of(cells.obs_names[is_bad])
        yield f"{is_bad.sum()} of {cells.n_obs} cells ({examples}) have {what}."
