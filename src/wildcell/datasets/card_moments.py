"""Log values of groups of cells and of their halves, accumulated from rows a few at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from wildcell.arrays import (
    CHUNK_ROWS,
    Booleans,
    Codes,
    Floats,
    Matrix,
    Moments,
    as_csr,
    log_normalise,
    moments,
)
from wildcell.datasets.dataset import Dataset
from wildcell.names import Expression

FOLD_CHANGE_SUM = 10_000.0
"""The library size at which arithmetic means are compared."""


HALVINGS = 8
"""How often controls are halved, for what depends on how they are."""


class Halves(NamedTuple):
    """Groups of cells in two halves.

    Attributes
    ----------
    first, second
        Moments of the log values of each half, shape (n_groups, n_genes).
    per_ten_thousand
        Arithmetic means of both halves together at a library size of 10,000, shape
        (n_groups, n_genes); None where the log values do not say.
    """

    first: Moments
    second: Moments
    per_ten_thousand: Floats | None

    @property
    def whole(self) -> Moments:
        """Both halves together."""
        return self.first + self.second

    def take(self, groups: Codes) -> "Halves":
        """Return some groups, in the order asked."""
        linear = self.per_ten_thousand
        return Halves(
            _take(self.first, groups),
            _take(self.second, groups),
            None if linear is None else linear[groups],
        )


@dataclass(frozen=True)
class Reading:
    """How the numbers of a screen are read.

    Attributes
    ----------
    dataset
        The curated screen.
    total_counts
        Library sizes, shape (n_cells,); None where the screen does not know them.
    target_sum
        The library size of log values: the median of counts, or what the screen states; None
        where there is none.
    strata
        The batch and replicate of each cell, numbered, shape (n_cells,): halves hold alike
        shares of each.
    is_second
        Which cells are in the second half of their group, shape (n_cells,).
    """

    dataset: Dataset
    total_counts: Floats | None
    target_sum: float | None
    strata: Codes
    is_second: Booleans

    def lognorm(self, rows: Codes) -> Matrix:
        """Return the log values of some cells, shape (n_rows, n_genes)."""
        values = as_csr(self.dataset.cells.X[rows])
        if self.dataset.expression is not Expression.COUNTS:
            return values
        assert self.total_counts is not None
        assert self.target_sum is not None
        return log_normalise(values, self.total_counts[rows], self.target_sum)

    @cached_property
    def sizes(self) -> pd.DataFrame:
        """The `depth` and `genes_detected` of each cell, where these have a meaning.

        Depth is the library size; genes are detected where they are not at 0, which arrays
        never are.
        """
        table = pd.DataFrame(index=range(self.dataset.cells.n_obs))
        if self.total_counts is not None:
            table["depth"] = self.total_counts
        if self.dataset.expression is not Expression.LOG2:
            table["genes_detected"] = _genes_detected(self.dataset.cells.X)
        return table

    def halves(self, rows: Codes, groups: Codes, n_groups: int) -> Halves:
        """Accumulate some cells by group.

        Parameters
        ----------
        rows, groups
            Which cells, and the group of each, shape (n_rows,).
        n_groups
            Number of groups.
        """
        n_genes = self.dataset.cells.n_vars
        logs, linear = _nothing(2 * n_groups, n_genes), _nothing(n_groups, n_genes)
        for chunk in _chunks(len(rows)):
            values = self.lognorm(rows[chunk])
            codes = 2 * groups[chunk] + self.is_second[rows[chunk]]
            logs += moments(values, codes, 2 * n_groups)
            if self.target_sum is not None:
                np.expm1(values.data, out=values.data)
                linear += moments(values, groups[chunk], n_groups)
        scale = None if self.target_sum is None else FOLD_CHANGE_SUM / self.target_sum
        return Halves(
            _take(logs, np.arange(0, 2 * n_groups, 2)),
            _take(logs, np.arange(1, 2 * n_groups, 2)),
            None if scale is None else linear.mean * scale,
        )

    def half_means(
        self, rows: Codes, groups: Codes, n_groups: int, rng: np.random.Generator
    ) -> Floats:
        """Halve some groups of cells several times, and return the mean log values of the halves.

        Parameters
        ----------
        rows, groups
            Which cells, and the group of each, shape (n_rows,).
        n_groups
            Number of groups.
        rng
            Draws the halves.

        Returns
        -------
        Shape (HALVINGS, 2, n_groups, n_genes).
        """
        codes = [
            2 * groups + second_halves(groups, self.strata[rows], rng) for _ in range(HALVINGS)
        ]
        sums = np.zeros((HALVINGS, 2 * n_groups, self.dataset.cells.n_vars))
        for chunk in _chunks(len(rows)):
            values = self.lognorm(rows[chunk])
            for draw, code in enumerate(codes):
                sums[draw] += moments(values, code[chunk], 2 * n_groups).total
        sizes = [np.bincount(code, minlength=2 * n_groups) for code in codes]
        means = sums / np.array(sizes)[:, :, None]
        return means.reshape(HALVINGS, n_groups, 2, -1).swapaxes(1, 2)


def read_dataset(dataset: Dataset, groups: Codes, rng: np.random.Generator) -> Reading:
    """Find the depth of a screen, and halve its groups of cells.

    Counts are brought to the median library size of all cells.

    Parameters
    ----------
    dataset
        The curated screen.
    groups
        The group of each cell, shape (n_cells,).
    rng
        Halves the groups; evenly within each batch and replicate.
    """
    obs = dataset.cells.obs
    total_counts = None
    if "total_counts" in obs:
        total_counts = obs["total_counts"].to_numpy(dtype=float)
    elif dataset.expression is Expression.COUNTS:
        total_counts = np.asarray(dataset.cells.X.sum(axis=1), dtype=float).ravel()
    strata = obs.groupby(["batch", "replicate"], observed=True, dropna=False).ngroup().to_numpy()
    return Reading(
        dataset,
        total_counts=total_counts,
        target_sum=_target_sum(dataset, total_counts),
        strata=strata,
        is_second=second_halves(groups, strata, rng),
    )


def second_halves(groups: Codes, strata: Codes, rng: np.random.Generator) -> Booleans:
    """Mark one half of each group, chosen at random within strata, shape (n_cells,).

    Examples
    --------
    >>> import numpy as np
    >>> groups, strata = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 0, 0])
    >>> is_second = second_halves(groups, strata, np.random.default_rng(0))
    >>> np.add.reduceat(is_second, [0, 2, 4]).tolist()
    [1, 1, 1]
    """
    order = np.lexsort((rng.random(len(groups)), strata, groups))
    in_order = groups[order]
    rank = np.arange(len(groups)) - np.searchsorted(in_order, in_order)
    is_second = np.zeros(len(groups), dtype=bool)
    is_second[order] = rank % 2 == 1
    return is_second


def _genes_detected(matrix: Any) -> Floats:
    return np.concatenate(
        [np.diff(as_csr(matrix[rows]).indptr) for rows in _chunks(matrix.shape[0])]
    ).astype(float)


def _target_sum(dataset: Dataset, total_counts: Floats | None) -> float | None:
    if dataset.expression is Expression.COUNTS:
        assert total_counts is not None
        known = total_counts[np.isfinite(total_counts) & (total_counts > 0)]
        return float(np.median(known)) if len(known) else FOLD_CHANGE_SUM
    stated = dataset.metadata.get("target_sum")
    return None if stated is None or dataset.expression is Expression.LOG2 else float(stated)


def _chunks(n_rows: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK_ROWS) for start in range(0, n_rows, CHUNK_ROWS))


def _nothing(n_groups: int, n_genes: int) -> Moments:
    shape = (n_groups, n_genes)
    return Moments(np.zeros(n_groups, dtype=np.int64), np.zeros(shape), np.zeros(shape))


def _take(of_groups: Moments, groups: Codes) -> Moments:
    return Moments(of_groups.n[groups], of_groups.total[groups], of_groups.total_squares[groups])
