"""What two sides show of the perturbations of one context, in the space that a preset looks at."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Codes, Floats, Names, moments
from wildcell.metrics.pairwise import Cells


@dataclass(frozen=True)
class Cloud:
    """Cells of some groups.

    Attributes
    ----------
    X
        Log values, shape (n_cells, n_genes), or counts where a preset works on these; dense where
        they are principal components.
    codes
        Group of each cell, shape (n_cells,).
    """

    X: Cells
    codes: Codes

    def of(self, group: int, *, at_most: int | None = None) -> Cells:
        """Return the cells of one group, or of some of them drawn by its number.

        Parameters
        ----------
        group
            Which.
        at_most
            How many cells; None for all.
        """
        rows = np.flatnonzero(self.codes == group)
        if at_most is not None and len(rows) > at_most:
            rows = np.sort(np.random.default_rng(group).choice(rows, at_most, replace=False))
        return self.X[rows]


@dataclass(frozen=True)
class Side:
    """Truth or prediction: perturbations beside the controls that they are measured against.

    Attributes
    ----------
    mean
        Mean log values, shape (n_perturbations, n_genes).
    n_cells
        Cells behind each mean, shape (n_perturbations,).
    control
        Mean log values of the controls, shape (n_genes,); None where there are none.
    cells, controls
        The cells themselves, groups in the order of `mean`, controls of group 0; None for means,
        and of cells that were let go of.
    memo
        What `once` has computed of this side.
    """

    mean: Floats
    n_cells: NDArray[np.int64]
    control: Floats | None
    cells: Cloud | None = None
    controls: Cloud | None = None
    memo: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def n(self) -> int:
        """Number of perturbations."""
        return len(self.mean)

    @property
    def is_of_cells(self) -> bool:
        """Whether there are cells behind the means."""
        return bool(self.n_cells.any())

    @property
    def centre(self) -> Floats:
        """Mean log values of the controls, shape (n_genes,); NaN where there are none."""
        return np.full(self.mean.shape[1], np.nan) if self.control is None else self.control

    @property
    def delta(self) -> Floats:
        """Mean minus the controls' mean, shape (n_perturbations, n_genes); NaN without controls."""
        return self.mean - self.centre

    def without_cells(self) -> "Side":
        """Return the side with all that was computed of it, and of its cells the controls alone."""
        controls = self.controls
        if controls is not None:
            controls = Cloud(controls.X.copy(), controls.codes)  # of a matrix that may go now
        return replace(self, cells=None, controls=controls)


@dataclass(frozen=True)
class Evidence:
    """Truth and prediction of the same perturbations and genes, in one order.

    Attributes
    ----------
    perturbations
        Keys, sorted.
    genes
        Gene symbols, shape (n_genes,).
    truth, prediction
        The two sides.
    background
        All that is measured, where `truth` is only a part of it.
    memo
        What `once` has computed of this pair.
    """

    perturbations: tuple[str, ...]
    genes: Names
    truth: Side
    prediction: Side
    background: Side | None = None
    memo: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def whole(self) -> Side:
        """All that is measured: what pooled quantities are taken of."""
        return self.truth if self.background is None else self.background

    @property
    def own_gene(self) -> Codes:
        """Column of the gene that each perturbation is named after, -1 where there is none."""
        column = {gene: i for i, gene in reversed(list(enumerate(self.genes)))}
        return np.array([column.get(name, -1) for name in self.perturbations], dtype=np.intp)


Subject = TypeVar("Subject", Side, Evidence)
Result = TypeVar("Result")


def once(function: Callable[[Subject], Result]) -> Callable[[Subject], Result]:
    """Make a function of evidence remember its result, for all metrics that share it.

    Examples
    --------
    >>> import numpy as np
    >>> @once
    ... def largest(side):
    ...     print("computed")
    ...     return side.mean.max()
    >>> side = Side(np.array([[1.0, 2.0]]), np.array([5]), None)
    >>> largest(side) == largest(side)
    computed
    True
    """

    @wraps(function)
    def remembering(subject: Subject) -> Result:
        if function not in subject.memo:
            subject.memo[function] = function(subject)
        return cast("Result", subject.memo[function])

    return remembering


def remember(subject: Subject, function: Callable[[Subject], Result], result: Result) -> None:
    """Say beforehand what a function made with `once` has computed of some evidence."""
    subject.memo[function.__wrapped__] = result  # type: ignore[attr-defined]


def side_of_cells(cells: Cloud, n: int, controls: Cloud | None) -> Side:
    """Return a side whose means are those of cells, groups 0 to n - 1."""
    found = moments(cells.X, cells.codes, n)
    control = None if controls is None else moments(controls.X, controls.codes, 1).mean[0]
    return Side(found.mean, found.n, control, cells, controls)
