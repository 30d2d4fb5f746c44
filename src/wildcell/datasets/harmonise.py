"""The numbers and the genes of a source, brought into the curated form."""

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Floats, as_csr
from wildcell.datasets.check_expression import COUNT_TOLERANCE
from wildcell.datasets.labels import as_text, find_column, some_of
from wildcell.datasets.values import detect_expression
from wildcell.errors import DataError, OptionError, UnknownNameError
from wildcell.names import Expression
from wildcell.registry import did_you_mean

ENSEMBL = r"ENS[A-Z]*G\d{6,}"
EXPRESSION_FEATURES = "Gene Expression"


def take_expression(
    cells: ad.AnnData, counts_layer: str | None, stated: Expression | None, done: list[str]
) -> tuple[ad.AnnData, Expression]:
    """Put what will be `X` into `X`, as CSR float32 of its own, and say what it is.

    Parameters
    ----------
    cells
        The source, shape (n_cells, n_genes).
    counts_layer
        The layer that holds counts; `raw` also finds `AnnData.raw`.
    stated
        What `X` holds, where no layer is named; None to look at it, which can tell counts alone.
    done
        Takes a sentence about what was done.

    Raises
    ------
    UnknownNameError
        There is no such layer.
    OptionError
        `X` is empty, or nothing was stated and it does not hold counts.
    """
    if counts_layer:
        cells = _take_layer(cells, counts_layer)
        done.append(f"Took the counts from the layer {counts_layer!r}.")
    if cells.X is None:
        raise OptionError(f"X is empty: name the layer with the counts ({_layers(cells)}).")
    expression = Expression.COUNTS if counts_layer else stated
    if expression is None:
        if detect_expression(cells.X) is not Expression.COUNTS:
            raise OptionError(
                "X does not hold counts, so what it holds must be stated: --expression lognorm or "
                f"log2; or name the layer with the counts, --counts-layer ({_layers(cells)})."
            )
        expression = Expression.COUNTS
        done.append("X holds integers: taken as counts.")
    return ad.AnnData(as_csr(cells.X), obs=cells.obs, var=cells.var), Expression(expression)


def name_genes(cells: ad.AnnData, symbol_column: str | None, done: list[str]) -> ad.AnnData:
    """Name genes by symbol, keep their Ensembl ids where there are any, and drop what is no gene.

    Parameters
    ----------
    cells
        Shape (n_cells, n_genes); `X` in CSR.
    symbol_column
        The column of `var` with the symbols, by default the names; a gene without a symbol keeps
        its name.
    done
        Takes sentences about what was done.

    Raises
    ------
    UnknownNameError
        There is no such column.
    """
    if "feature_types" in cells.var:
        is_gene = np.asarray(cells.var["feature_types"].astype(str) == EXPRESSION_FEATURES)
        if is_gene.any() and not is_gene.all():
            done.append(f"Dropped {(~is_gene).sum()} features that are not gene expression.")
            cells = cells[:, is_gene]
    names = as_text(cells.var_names.to_series())
    symbols = names
    if symbol_column:
        symbols = as_text(find_column(cells.var, symbol_column, "--gene-column"))
        if (symbols == "").any():
            done.append(f"{(symbols == '').sum()} genes without a symbol keep their name.")
        symbols = symbols.where(symbols != "", names)
    n_ids = int(symbols.str.fullmatch(ENSEMBL).sum())
    if n_ids > len(symbols) / 2:
        done.append(
            f"{n_ids} of {len(symbols)} genes are named by Ensembl ids; if a column of var has the "
            f"symbols ({some_of(cells.var.columns)}), name it with --gene-column."
        )
    var = pd.DataFrame(
        {"ensembl_id": _ensembl_ids(cells.var, names).to_numpy()}, index=list(symbols)
    )
    return ad.AnnData(cells.X, obs=cells.obs, var=var if var["ensembl_id"].any() else var[[]])


def merge_genes(cells: ad.AnnData, expression: Expression, done: list[str]) -> ad.AnnData:
    """Sum the counts of genes of one name.

    Parameters
    ----------
    cells
        Shape (n_cells, n_genes); `X` in CSR.
    expression
        What `X` holds.
    done
        Takes a sentence about what was done.

    Raises
    ------
    DataError
        There are such genes, and `X` holds logarithms, which have no sum.
    """
    is_repeated = cells.var_names.duplicated()
    if not is_repeated.any():
        return cells
    repeated = cells.var_names[is_repeated].unique()
    if expression is not Expression.COUNTS:
        raise DataError(
            f"{len(repeated)} gene names occur more than once ({some_of(repeated)}), and "
            f"{expression} values cannot be summed: curate the counts, or name the genes apart "
            "(--gene-column)."
        )
    codes, names = pd.factorize(cells.var_names)
    membership = sparse.csr_matrix(
        (np.ones(len(codes), dtype=np.float32), (np.arange(len(codes)), codes))
    )
    done.append(f"Summed the counts of {len(repeated)} gene names that occur more than once.")
    var = cells.var[~is_repeated].set_axis(names)
    return ad.AnnData(sparse.csr_matrix(cells.X @ membership), obs=cells.obs, var=var)


def library_sizes(cells: ad.AnnData, column: str | None, done: list[str]) -> Floats:
    """Return the counts of each cell over all genes measured, shape (n_cells,).

    Parameters
    ----------
    cells
        Counts, shape (n_cells, n_genes).
    column
        Where `obs` has library sizes; by default, the row sums are taken.
    done
        Takes a sentence about what was done.

    Raises
    ------
    UnknownNameError
        There is no such column.
    """
    if column is None:
        done.append("Library sizes are the row sums: no column of total counts was named.")
        return _row_sums(cells)
    sizes = as_text(find_column(cells.obs, column, "--total-counts-column"))
    return np.asarray(pd.to_numeric(sizes, errors="coerce"), dtype=float)


def are_genes_a_subset(cells: ad.AnnData, sizes: Floats, done: list[str]) -> bool:
    """Tell whether library sizes, shape (n_cells,), exceed the row sums of the counts."""
    is_larger = sizes > _row_sums(cells) + COUNT_TOLERANCE
    if is_larger.any():
        done.append(
            f"The total counts of {is_larger.sum()} of {cells.n_obs} cells exceed their row sums: "
            "the genes are a subset of those measured."
        )
    return bool(is_larger.any())


def _take_layer(cells: ad.AnnData, layer: str) -> ad.AnnData:
    if layer in cells.layers:
        return ad.AnnData(cells.layers[layer], obs=cells.obs, var=cells.var)
    if layer == "raw" and cells.raw is not None:
        return cells.raw.to_adata()
    hint = did_you_mean(layer, _layer_names(cells))
    raise UnknownNameError(f"There is no layer {layer!r}. {hint}")


def _layer_names(cells: ad.AnnData) -> list[str]:
    """Return the names of layers; later versions of anndata list X among them, without a name."""
    return [name for name in cells.layers if isinstance(name, str)]


def _layers(cells: ad.AnnData) -> str:
    names = [*_layer_names(cells), *(["raw"] if cells.raw is not None else [])]
    return f"there are {some_of(names)}" if names else "there are none"


def _ensembl_ids(var: pd.DataFrame, names: "pd.Series[str]") -> "pd.Series[Any]":
    """Find ids in the usual columns, or in the names; '' where there are none."""
    for candidate in [
        *(var[name] for name in ("ensembl_id", "gene_ids", "gene_id") if name in var),
        names,
    ]:
        ids = as_text(candidate)
        if ids.str.fullmatch(ENSEMBL).any():
            return ids
    return names.where(names == "", "")


def _row_sums(cells: ad.AnnData) -> Floats:
    return np.asarray(cells.X.sum(axis=1, dtype=np.float64)).ravel()
