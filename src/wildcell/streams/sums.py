"""Sums over the cells of groups, in one pass over the stored values."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Codes, Floats, Matrix, Moments
from wildcell.parallel import compiled, over_slices
from wildcell.streams.normalise import LogStream
from wildcell.streams.transpose import first_at_least


@dataclass(frozen=True)
class Sums:
    """What the cells of groups sum to, arrays of shape (n_groups, n_genes) but `n`.

    A sum is taken in the order of the cells, so that it depends neither on the size of chunks nor
    on the number of threads.

    Attributes
    ----------
    n
        Cells in each group, shape (n_groups,).
    total, total_squares
        Of log values.
    linear
        Of linear values; no columns where these are not summed.
    expressed
        Cells in which the gene is not zero.
    """

    n: NDArray[np.int64]
    total: Floats
    total_squares: Floats
    linear: Floats
    expressed: NDArray[np.int32]

    @classmethod
    def of_nothing(cls, n_groups: int, n_genes: int, *, has_linear: bool = True) -> "Sums":
        """Return sums over no cells, of linear values if these are wanted."""
        shape = (n_groups, n_genes)
        return cls(
            n=np.zeros(n_groups, np.int64),
            total=np.zeros(shape),
            total_squares=np.zeros(shape),
            linear=np.zeros(shape if has_linear else (n_groups, 0)),
            expressed=np.zeros(shape, np.int32),
        )

    @property
    def moments(self) -> Moments:
        """Moments of the log values."""
        return Moments(self.n, self.total, self.total_squares)

    def take(self, groups: Codes | slice) -> "Sums":
        """Return the sums of some groups, in the order given; those of a slice are not copied."""
        return Sums(*(array[groups] for array in self.arrays))

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(a + b for a, b in zip(self.arrays, other.arrays, strict=True)))

    def grown(self, n_groups: int) -> "Sums":
        """Return sums of more groups, the last of which have no cells; the same if none is new."""
        n_more = n_groups - len(self.n)
        if not n_more:
            return self
        has_linear = self.linear.shape[1] > 0
        more = Sums.of_nothing(n_more, self.total.shape[1], has_linear=has_linear)
        pairs = zip(self.arrays, more.arrays, strict=True)
        return Sums(*(np.concatenate(pair) for pair in pairs))

    def add_sums(self, other: "Sums", groups: Codes, genes: Codes) -> None:
        """Add the sums of other cells, linear values included.

        Parameters
        ----------
        other
            Their sums.
        groups
            Which group here each of theirs is, each at most once.
        genes
            Which gene of theirs each of those here is.
        """
        self.n[groups] += other.n
        for own, added in zip(self.arrays[1:], other.arrays[1:], strict=True):
            own[groups] += added[:, genes]

    def add(self, lognorm: Matrix, linear: NDArray[Any], scale: Floats, codes: Codes) -> None:
        """Add some cells.

        Parameters
        ----------
        lognorm
            Log values, canonical CSR of shape (n_cells, n_genes).
        linear
            For each stored value of `lognorm` the linear value, up to a factor a cell; passed over
            where these are not summed.
        scale
            That factor, shape (n_cells,).
        codes
            Group of each cell, shape (n_cells,); cells with a negative code are passed over.
        """
        indptr = lognorm.indptr.astype(np.int64)
        np.add.at(self.n, codes[codes >= 0], 1)
        rows = np.argsort(codes, kind="stable")  # each group's sums are fetched once

        def add(genes: slice) -> None:
            _add(
                rows,
                indptr,
                lognorm.indices,
                lognorm.data,
                linear,
                scale,
                codes,
                genes.start,
                genes.stop,
                self.total,
                self.total_squares,
                self.linear,
                self.expressed,
            )

        over_slices(add, np.bincount(lognorm.indices, minlength=lognorm.shape[1]))

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """All of them, in the order of the attributes."""
        return self.n, self.total, self.total_squares, self.linear, self.expressed


def sum_cells(stream: LogStream, codes: Codes, n_groups: int) -> Sums:
    """Sum cells by group, in one pass.

    Parameters
    ----------
    stream
        The cells, shape (n_cells, n_genes).
    codes
        Group of each cell, shape (n_cells,); cells with a negative code are passed over.
    n_groups
        Number of groups.

    Examples
    --------
    >>> from wildcell.names import Expression
    >>> from wildcell.streams.matrix import stream_of
    >>> log_values = LogStream(stream_of(np.array([[1.0], [2.0]])), Expression.LOG2, None, 1.0)
    >>> sum_cells(log_values, np.array([0, 0]), 1).total.tolist()
    [[3.0]]
    """
    sums = Sums.of_nothing(n_groups, stream.shape[1])
    for start, lognorm, linear, scale in stream.chunks():
        sums.add(lognorm, linear, scale, codes[start : start + lognorm.shape[0]])
    return sums


@compiled
def _add(  # noqa: PLR0917 - compiled functions are called by position
    rows: Codes,
    indptr: NDArray[np.int64],
    indices: NDArray[Any],
    lognorm: NDArray[Any],
    linear: NDArray[Any],
    scale: Floats,
    codes: Codes,
    first: int,
    last: int,
    into_total: Floats,
    into_squares: Floats,
    into_linear: Floats,
    into_expressed: NDArray[np.int32],
) -> None:
    has_linear = into_linear.shape[1] > 0
    for row in rows:
        group = codes[row]
        if group < 0:
            continue
        stop = indptr[row + 1]
        i = first_at_least(indices, indptr[row], stop, first)
        total, squares = into_total[group], into_squares[group]
        by_linear, expressed = into_linear[group], into_expressed[group]
        factor = scale[row]
        while i < stop and indices[i] < last:
            gene = indices[i]
            value = np.float64(lognorm[i])
            total[gene] += value
            squares[gene] += value * value
            if has_linear:
                by_linear[gene] += linear[i] * factor
            expressed[gene] += value != 0
            i += 1
