"""Embeddings of cells: fitted on what a model may see, or taken from a file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from scipy import sparse

from wildcell.arrays import Booleans, Floats, Matrix
from wildcell.datasets.dataset import Dataset
from wildcell.datasets.labels import some_of
from wildcell.errors import DataError, OptionError
from wildcell.registry import did_you_mean
from wildcell.scenarios.embedding_file import check_is_file, embedding_numbers, read_embedding
from wildcell.scenarios.pca import Components, fit_pca
from wildcell.scenarios.task import Cells
from wildcell.store.fingerprint import file_sha256, fingerprint

BLOCK_CELLS = 65_536


@dataclass(frozen=True)
class EmbeddingRule:
    """Where the embedding of cells comes from.

    Attributes
    ----------
    kind
        `none`; `pca`, fitted on the cells that models see; `obsm` of the data set; `file`.
    n_dimensions
        Of `pca`, at most.
    key
        The key of `obsm`, of the data set or of an h5ad file.
    path
        Of `file`.
    """

    kind: Literal["none", "pca", "obsm", "file"]
    n_dimensions: int = 0
    key: str = ""
    path: Path = Path()

    @property
    def caution(self) -> str:
        """What cannot be known of an embedding that was made elsewhere, "" for any other."""
        if self.kind in ("none", "pca"):
            return ""
        place = f"obsm[{self.key!r}]" if self.kind == "obsm" else self.path.name
        return (
            f"the embedding in {place} was made elsewhere: it is a leak if its model saw the "
            "perturbed test cells"
        )


def parse_embedding(rule: str) -> EmbeddingRule:
    """Read `none`, `pca:N`, `obsm:KEY`, `file:PATH` or `file:PATH.h5ad#KEY`.

    Raises
    ------
    OptionError
        The rule is none of these.

    Examples
    --------
    >>> parse_embedding("pca:20").n_dimensions
    20
    >>> parse_embedding("file:cells.h5ad#X_uce").key
    'X_uce'
    """
    kind, _, rest = rule.partition(":")
    if rule == "none":
        return EmbeddingRule("none")
    if kind == "pca" and rest.isdecimal() and int(rest) > 0:
        return EmbeddingRule("pca", n_dimensions=int(rest))
    if kind == "obsm" and rest:
        return EmbeddingRule("obsm", key=rest)
    if kind == "file" and rest:
        path, mark, key = rest.partition(".h5ad#")
        return EmbeddingRule("file", key=key, path=Path(f"{path}.h5ad" if mark else rest))
    raise OptionError(
        f"An embedding is none, pca:N, obsm:KEY, file:PATH or file:PATH.h5ad#KEY; got {rule!r}."
    )


def embed_cells(
    rule: str,
    dataset: Dataset,
    *,
    seen: Booleans,
    lognorm: Callable[[Booleans], Matrix],
) -> Floats | None:
    """Return an embedding of all cells of a screen, None where the rule is `none`.

    Parameters
    ----------
    rule
        `none`; `pca:N`, principal components of log values, fitted on the cells seen alone;
        `obsm:KEY` of the screen; `file:PATH`, found by the names of cells (see `read_embedding`).
    dataset
        The screen.
    seen
        Which cells may be learned from, training cells and given controls, shape (n_cells,).
    lognorm
        Log values of the cells where its argument, shape (n_cells,), holds; shape
        (n_rows, n_genes). Called in blocks: only the log values of the cells seen are held whole.

    Returns
    -------
    Shape (n_cells, n_dimensions). Of `pca:N` there are N dimensions at most: fewer where fewer
    cells or genes are seen.

    Raises
    ------
    OptionError
        The rule is not one of these, or there is no such key.
    DataError
        A cell has no embedding, or one that is not finite; or the cells seen do not differ.

    Examples
    --------
    >>> from wildcell.scenarios.panel import every_gene
    >>> from wildcell.testing import toy_screen
    >>> screen = toy_screen()
    >>> panel = every_gene(screen, seen=screen.is_control)
    >>> embed_cells(
    ...     "pca:5", screen, seen=screen.is_control, lognorm=lambda rows: panel.take(rows).lognorm
    ... ).shape == (screen.cells.n_obs, 5)
    True
    """
    asked = parse_embedding(rule)
    if asked.kind == "pca":
        return _embed_by_pca(fit_pca(lognorm(seen), asked.n_dimensions), len(seen), lognorm)
    return looked_up_embedding(rule, dataset)


def looked_up_embedding(rule: str, dataset: Dataset) -> Floats | None:
    """Return the embedding of all cells of a screen that was made elsewhere, if the rule says so.

    None where there is none, or where it is to be fitted.
    """
    asked = parse_embedding(rule)
    return _embed_by_lookup(asked, dataset) if asked.kind in ("obsm", "file") else None


def embed_together(
    rule: str,
    dataset: Dataset,
    beside: Sequence[Cells],
    *,
    seen: Booleans,
    lognorm: Callable[[Booleans], Matrix],
) -> tuple[Floats | None, tuple[Cells, ...]]:
    """Return an embedding of a screen, and the cells beside it with theirs.

    Principal components are fitted on all that is seen together; embeddings that were made
    elsewhere are those that the cells bear already.

    Parameters
    ----------
    rule, dataset, seen, lognorm
        As for `embed_cells`.
    beside
        Cells of other screens, on the same genes.
    """
    asked = parse_embedding(rule)
    if asked.kind != "pca" or not beside:
        return embed_cells(rule, dataset, seen=seen, lognorm=lognorm), tuple(beside)
    every = sparse.vstack([lognorm(seen), *(cells.lognorm for cells in beside)], format="csr")
    components = fit_pca(every, asked.n_dimensions)
    embedded = [replace(cells, embedding=components.transform(cells.lognorm)) for cells in beside]
    return _embed_by_pca(components, len(seen), lognorm), tuple(embedded)


def embedding_fingerprint(rule: str, dataset: Dataset) -> str:
    """Return a hash of what an embedding is made from besides the screen's expression.

    Two runs with the same rule and this hash, on the same screen, have the same embedding.
    """
    asked = parse_embedding(rule)
    if asked.kind == "obsm":
        return fingerprint(_from_obsm(dataset, asked.key))
    if asked.kind == "file":
        check_is_file(asked.path)
        return fingerprint(file_sha256(asked.path), asked.key)
    return ""


def _embed_by_pca(
    components: Components, n_cells: int, lognorm: Callable[[Booleans], Matrix]
) -> Floats:
    result = np.empty((n_cells, len(components.axes)))
    for start in range(0, n_cells, BLOCK_CELLS):
        rows = np.zeros(n_cells, dtype=bool)
        rows[start : start + BLOCK_CELLS] = True
        result[rows] = components.transform(lognorm(rows))
    return result


def _embed_by_lookup(asked: EmbeddingRule, dataset: Dataset) -> Floats:
    if asked.kind == "obsm":
        found, place = _from_obsm(dataset, asked.key), f"obsm[{asked.key!r}]"
    else:
        place = str(asked.path)
        table = read_embedding(asked.path, key=asked.key)
        rows = table.index.get_indexer(dataset.cells.obs_names)
        _refuse(dataset, rows < 0, f"have no embedding in {place}")
        found = table.to_numpy()[rows]
    is_odd = np.asarray(~np.isfinite(found).all(axis=1))
    _refuse(dataset, is_odd, f"have an embedding in {place} not finite")
    return found


def _refuse(dataset: Dataset, are_lacking: Booleans, what: str) -> None:
    if are_lacking.any():
        names = dataset.cells.obs_names[are_lacking]
        raise DataError(
            f"{len(names)} of {dataset.cells.n_obs} cells of {dataset.name} {what}, such as "
            f"{some_of(names, 3)}; embed all cells of the data set."
        )


def _from_obsm(dataset: Dataset, key: str) -> Floats:
    obsm = dataset.cells.obsm
    if key not in obsm:
        raise OptionError(
            f"The data set {dataset.name} has no obsm[{key!r}]. {did_you_mean(key, obsm.keys())}"
        )
    return embedding_numbers(obsm[key], f"obsm[{key!r}] of {dataset.name}")
