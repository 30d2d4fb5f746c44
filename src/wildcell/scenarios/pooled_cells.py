"""Seen rows that are the sum or the mean of the test cells of one condition."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wildcell.arrays import Codes, Floats
from wildcell.names import CONDITION
from wildcell.scenarios.duplicates import Pile
from wildcell.scenarios.leak import Side
from wildcell.scenarios.rows import Array, Rows

FEWEST_GENES = 30
"""A sum or mean of fewer genes is no evidence."""

TOLERANCE = 1e-3
"""Genes of a multiple of a sum differ by at most this share."""


class PooledRow(NamedTuple):
    """A tested condition, and the seen row that is the sum or the mean of its cells."""

    context: str
    perturbation: str
    row: int


def pooled_rows(test: Side, seen: Side) -> list[PooledRow]:
    """Find seen rows that are a multiple of the sum of a tested condition, or its rounded mean.

    Rows are looked up by the set of the genes that they express, so that all conditions are held
    against all rows in one pass. A condition of one cell is passed over: its sum is a copied cell.

    Parameters
    ----------
    test, seen
        Cells of the judge, and cells that a model may see, on the same genes.
    """
    if test.pile is None or seen.pile is None:
        return []
    codes = np.random.default_rng(0).integers(1, 2**62, size=test.pile.rows.n_genes, dtype=np.int64)
    lookup = _lookup_by_genes(seen.pile, codes)
    found = []
    for (context, perturbation), total, n in _sums(test):
        for expected in (total, np.rint(total / n)):
            genes = np.flatnonzero(expected)
            rows = lookup.find(codes[genes].sum()) if len(genes) >= FEWEST_GENES else []
            row = next((row for row in rows if _is_multiple(seen.pile, row, expected)), None)
            if row is not None:
                found.append(PooledRow(context, perturbation, row))
                break
    return found


def _sums(test: Side) -> Iterator[tuple[tuple[str, str], Floats, int]]:
    """Yield the sum over the cells of each tested condition, and how many these are."""
    pile = test.pile
    if pile is None:
        return
    keys = pd.MultiIndex.from_frame(test.obs[CONDITION].astype(str))
    codes, names = keys.factorize()
    order = np.argsort(codes, kind="stable")
    for name, rows in zip(names, np.split(order, np.cumsum(np.bincount(codes))[:-1]), strict=True):
        if len(rows) > 1:
            genes, values = (np.concatenate(part) for part in zip(*_cells(pile, rows), strict=True))
            total = np.bincount(genes, weights=values, minlength=pile.rows.n_genes)
            yield name, total.astype(np.float64), len(rows)


def _cells(pile: Pile, rows: Array) -> Iterator[tuple[Array, Array]]:
    for row in rows:
        yield _cell(pile.rows, pile.index[row])


def _cell(rows: Rows, row: int) -> tuple[Array, Array]:
    inside = slice(rows.indptr[row], rows.indptr[row + 1])
    return rows.genes[inside], rows.values[inside]  # noqa: PD011  not of pandas


class _Lookup(NamedTuple):
    """Places of rows in a pile by the code of the genes that they express, in ascending order."""

    codes: NDArray[np.int64]
    places: Codes

    def find(self, code: np.int64) -> list[int]:
        """Return the places of the rows of a code, in the order of the pile."""
        low = np.searchsorted(self.codes, code, side="left")
        high = np.searchsorted(self.codes, code, side="right")
        return list(map(int, self.places[low:high]))


def _lookup_by_genes(pile: Pile, codes: Array) -> _Lookup:
    of_row = pile.rows.sum_rows(lambda genes, values: codes[genes] * (values != 0), np.int64)
    of_place = of_row[pile.index]
    order = np.argsort(of_place, kind="stable")
    return _Lookup(of_place[order], order)


def _is_multiple(pile: Pile, place: int, expected: Floats) -> bool:
    genes, values = _cell(pile.rows, pile.index[place])
    wanted = expected[genes]
    share = values / values.sum(dtype=np.float64)
    return bool(np.allclose(share, wanted / wanted.sum(), rtol=TOLERANCE, atol=0))
