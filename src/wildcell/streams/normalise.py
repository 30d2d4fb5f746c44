"""Log values and linear values of cells, chunk by chunk, from whatever scale they are stored in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Floats, Matrix, log_normalise
from wildcell.names import Expression
from wildcell.streams.matrix import CHUNK, Chunk, Stream


class LogChunk(NamedTuple):
    """Consecutive cells.

    Attributes
    ----------
    start
        Number of the first cell.
    lognorm
        Log values, canonical CSR of shape (n_cells, n_genes), in float32.
    linear
        For each stored value of `lognorm` the linear value up to a factor a cell.
    scale
        That factor, shape (n_cells,); 0 where linear values cannot be had.
    """

    start: int
    lognorm: Matrix
    linear: NDArray[Any]
    scale: Floats


@dataclass(frozen=True)
class LogStream:
    """Cells that are read in chunks and brought to one log scale and one linear scale.

    Attributes
    ----------
    of
        The stored values, shape (n_cells, n_genes).
    expression
        What they are.
    target_sum
        The library size that log values are brought to; None leaves log values as they are.
    own_target_sum
        The library size that stored log values refer to; None if it is unknown, or `target_sum`.
    linear_target_sum
        The library size of linear values.
    total_counts
        Library size of each cell, shape (n_cells,), where counts are stored.
    """

    of: Stream
    expression: Expression
    target_sum: float | None
    linear_target_sum: float
    own_target_sum: float | None = None
    total_counts: Floats | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Number of cells and genes."""
        return self.of.shape

    @property
    def has_linear(self) -> bool:
        """Whether linear values can be had: not from arrays, nor from an unknown library size."""
        return self.expression is Expression.COUNTS or (
            self.expression is Expression.LOGNORM and self.target_sum is not None
        )

    def chunks(self, n_values: int = CHUNK) -> Iterator[LogChunk]:
        """Yield all cells in order, about `n_values` stored values at a time."""
        for start, rows in self.of.chunks(n_values):
            yield (
                self._from_counts(start, rows)
                if self.total_counts is not None
                else (self._from_log(start, rows))
            )

    def _from_counts(self, start: int, counts: Matrix) -> LogChunk:
        assert self.total_counts is not None
        assert self.target_sum is not None
        counts = counts.astype(np.float32, copy=False)
        depth = self.total_counts[start : start + counts.shape[0]]
        scale = np.divide(self.linear_target_sum, depth, out=np.zeros(len(depth)), where=depth > 0)
        return LogChunk(start, log_normalise(counts, depth, self.target_sum), counts.data, scale)

    def _from_log(self, start: int, stored: Matrix) -> LogChunk:
        lognorm = stored.astype(np.float32, copy=False)
        n_cells = lognorm.shape[0]
        if not self.has_linear:
            return LogChunk(start, lognorm, lognorm.data, np.zeros(n_cells))
        assert self.target_sum is not None
        own = self.own_target_sum or self.target_sum
        linear = np.expm1(lognorm.data)
        if own != self.target_sum:
            lognorm = lognorm.copy()
            np.log1p(linear * np.float32(self.target_sum / own), out=lognorm.data)
        return LogChunk(start, lognorm, linear, np.full(n_cells, self.linear_target_sum / own))


@dataclass(frozen=True)
class LogRows:
    """The log values of cells as a stream of rows.

    Attributes
    ----------
    of
        The cells.
    """

    of: LogStream

    @property
    def shape(self) -> tuple[int, int]:
        """Number of cells and genes."""
        return self.of.shape

    def chunks(self, n_values: int = CHUNK) -> Iterator[Chunk]:
        """Yield all rows in order, about `n_values` stored values at a time, a row at least."""
        for start, lognorm, _, _ in self.of.chunks(n_values):
            yield Chunk(start, lognorm)
