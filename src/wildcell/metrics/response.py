"""The evidence that metrics judge: cells or means beside the control they are measured against."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Booleans, Floats, Matrix, Names
from wildcell.metrics.convention import OURS, Convention
from wildcell.metrics.pairwise import mean_distance_within


@dataclass(frozen=True)
class Response:
    """The response of some perturbations in one context. Truth and prediction are both one.

    All arrays of shape (n_perturbations, n_genes) have a row a perturbation; a row of NaN is a
    perturbation without an answer.

    Attributes
    ----------
    perturbations
        Keys, one a row.
    genes
        Gene symbols, shape (n_genes,).
    mean
        Mean of log values, shape (n_perturbations, n_genes).
    control
        Mean log values of the controls each row is measured against, the same shape.
    n_cells, n_controls
        Cells behind each row of `mean` and of `control`, shape (n_perturbations,).
    error, control_error
        Squared standard errors of `mean` and `control`; None where single cells are unknown.
    linear_mean, linear_control
        Arithmetic means at `convention.lfc_target_sum`; None where counts cannot be had.
    cells
        Log values of each row's cells, at most `convention.max_cells` of them; None for means.
    targets
        Which genes each perturbation targets directly, shape (n_perturbations, n_genes).
    shared
        The delta that the reference baseline predicts, of the shape of `mean`; None where there
        is no reference.
    convention
        How deltas, fold changes and distances are taken.
    """

    perturbations: tuple[str, ...]
    genes: Names
    mean: Floats
    control: Floats
    n_cells: NDArray[np.int64]
    n_controls: NDArray[np.int64]
    error: Floats | None = None
    control_error: Floats | None = None
    linear_mean: Floats | None = None
    linear_control: Floats | None = None
    cells: tuple[Matrix, ...] | None = None
    targets: Booleans | None = None
    shared: Floats | None = None
    convention: Convention = field(default=OURS)

    @cached_property
    def delta(self) -> Floats:
        """Pseudobulk minus the control pseudobulk, shape (n_perturbations, n_genes)."""
        return self.mean - self.control

    @cached_property
    def lfc(self) -> Floats:
        """Log2 fold change of arithmetic means; NaN where counts cannot be had."""
        if self.linear_mean is None or self.linear_control is None:
            return np.full(self.mean.shape, np.nan)
        pseudocount = self.convention.lfc_pseudocount
        return np.log2(self.linear_mean + pseudocount) - np.log2(self.linear_control + pseudocount)

    @cached_property
    def kept_genes(self) -> Booleans:
        """Genes that delta metrics look at, shape (n_perturbations, n_genes)."""
        if self.targets is None or not self.convention.removes_targets:
            return np.ones(self.mean.shape, dtype=bool)
        return ~self.targets

    @cached_property
    def is_missing(self) -> Booleans:
        """Which perturbations have no answer, shape (n_perturbations,)."""
        return np.asarray(np.isnan(self.mean).any(axis=1))

    @cached_property
    def is_flat(self) -> Booleans:
        """Which deltas are constant over the genes, shape (n_perturbations,)."""
        highest = np.where(self.kept_genes, self.delta, -np.inf).max(axis=1)
        lowest = np.where(self.kept_genes, self.delta, np.inf).min(axis=1)
        tolerance = self.convention.flat_tolerance * np.abs(self.mean).max(axis=1)
        return np.asarray(~self.is_missing & (highest - lowest <= tolerance))

    @cached_property
    def within_distance(self) -> Floats:
        """Mean distance between two cells of each perturbation, shape (n_perturbations,)."""
        assert self.cells is not None
        return np.array([mean_distance_within(cells.toarray()) for cells in self.cells])
