"""The evidence that metrics judge: cells or means beside the control they are measured against."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Booleans, Codes, Floats, Matrix, Names
from wildcell.metrics.by_rows import by_rows
from wildcell.metrics.components import Components, fit_components
from wildcell.metrics.conditions import over_conditions
from wildcell.metrics.convention import OURS, Convention
from wildcell.metrics.differential import Adjusted, MeanTest
from wildcell.metrics.grouped import dealt, on_columns, picked, sampled, sizes_of, stacked
from wildcell.metrics.mann_whitney import RankTest
from wildcell.metrics.profile import columns_of
from wildcell.metrics.tested import Means, mean_tests, rank_tests, table_of
from wildcell.store.keeping import Arrays, Keeper, made_anew

Halves: TypeAlias = tuple[Means, Means]


@dataclass(frozen=True, eq=False)
class Response:
    """The response of some perturbations in one context. Truth and prediction are both one.

    All arrays of shape (n_perturbations, n_genes) have a row a perturbation; a row of NaN is a
    perturbation without an answer. What is derived is computed when it is first asked for, and
    kept; what is known already, such as statistics streamed from a file, can be given.

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
        Log values of each row's cells; None for means.
    control_cells
        Log values of the controls, one entry a control group; None where they are unknown.
    control_group
        Which entry of `control_cells` each row is measured against, shape (n_perturbations,); the
        first if None.
    library_sizes
        Total counts of each row's cells, in the order of `cells`; None where they are unknown.
    targets
        Which genes each perturbation targets directly, shape (n_perturbations, n_genes).
    shared
        The delta that the reference baseline predicts, of the shape of `mean`; None where there
        is no reference.
    additive, additive_error
        The sum of the deltas that the parts of a combination have by themselves in training, and
        its squared standard error, of the shape of `mean`; NaN where one was not measured, or
        there are no parts. None where there are no training cells.
    detected
        Which genes are on the second panel, shape (n_genes,); all if None.
    convention
        How deltas, fold changes, tests and distances are taken.
    differential
        What `de` is, or how to get it, where it need not be computed here.
    ranks
        How to get the rank tests behind `de`, where they need not be computed from `cells`.
    keep
        Gives back what was computed before of the same cells and controls, and keeps what is.
    halves
        Means of either half of each row's cells, for what is chosen on one half and scored on the
        other; None where they were not taken.
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
    cells: Sequence[Matrix] | None = None
    control_cells: Sequence[Matrix] | None = None
    control_group: Codes | None = None
    library_sizes: Sequence[Floats] | None = None
    targets: Booleans | None = None
    shared: Floats | None = None
    additive: Floats | None = None
    additive_error: Floats | None = None
    detected: Booleans | None = None
    convention: Convention = field(default=OURS)
    differential: Adjusted | Callable[[], Adjusted] | None = None
    ranks: Callable[[], RankTest] | None = None
    keep: Keeper = field(default=made_anew)
    halves: Halves | None = None

    @cached_property
    def delta(self) -> Floats:
        """Pseudobulk minus the control pseudobulk, shape (n_perturbations, n_genes)."""
        return _difference(self.mean, self.control)

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
        tolerance = self.convention.flat_tolerance * _largest(self.mean)
        spread = _spread(self.delta, self.kept_genes)
        return np.asarray(~self.is_missing & (spread <= tolerance))

    @cached_property
    def sample(self) -> Sequence[Matrix] | None:
        """At most `convention.max_cells` cells of each row, drawn by its name; None for means."""
        if self.cells is None:
            return None
        return sampled(self.cells, self.convention.max_cells, self.perturbations)

    @cached_property
    def folds(self) -> tuple[Sequence[Matrix], Sequence[Matrix]] | None:
        """The sample, each row's cells dealt to two folds by its name; None for means."""
        if self.sample is None:
            return None
        every = zip(sizes_of(self.sample).tolist(), self.perturbations, strict=True)
        first, second = zip(*(dealt(size, name) for size, name in every), strict=True)
        return picked(self.sample, first), picked(self.sample, second)

    @property
    def control_groups(self) -> Codes:
        """Which entry of `control_cells` each row is measured against, shape (n_perturbations,)."""
        if self.control_group is None:
            return np.zeros(len(self.perturbations), dtype=np.intp)
        return self.control_group

    @property
    def has_tests(self) -> bool:
        """Whether there is anything `de` can be had from."""
        has_cells = self.cells is not None and self.control_cells is not None
        return self.differential is not None or has_cells

    @cached_property
    def de(self) -> Adjusted:
        """Differential expression of the cells against their controls, by `convention.test`.

        P-values are adjusted within each perturbation over the genes that delta metrics look at
        and that are not constant. Check `has_tests` before; a test of means needs none.
        """
        return self._tested()

    @cached_property
    def _tested(self) -> Callable[[], Adjusted]:
        """Test once; without a hold on this response, which holds those on some of its genes."""
        return cache(replace(self).tested_anew)

    def tested_anew(self) -> Adjusted:
        """Return what `de` is, computed again."""
        if callable(self.differential):
            return self.differential()
        if self.differential is not None:
            return self.differential
        if self.convention.test != "mann_whitney":
            return self.de_of_means(equal_variance=self.convention.test == "student")
        return table_of(self._rank_test(), self._is_testable)

    def _rank_test(self) -> RankTest:
        if self.ranks is not None:
            return self.ranks()
        assert self.cells is not None
        assert self.control_cells is not None
        return rank_tests(self.cells, self.control_cells, self.control_groups, self.convention)

    def de_of_means(self, *, equal_variance: bool = False) -> Adjusted:
        """Return differential expression by a t-test, which needs no more than standard errors."""
        assert self.error is not None
        assert self.control_error is not None
        test = mean_tests(
            Means(self.n_cells, self.mean, self.error),
            Means(self.n_controls, self.control, self.control_error),
            equal_variance=equal_variance,
        )
        return table_of(test, self._is_testable)

    @cached_property
    def components(self) -> tuple[Components | None, Components | None]:
        """Principal components in which either of the `folds` is compared with a prediction.

        Fitted to the other fold and the controls: cells vary more along components that are their
        own than new cells do, and a prediction would be judged by that. Both together are fitted to
        at most `convention.max_component_cells` cells, drawn evenly from all perturbations, at most
        half of them controls; None for fewer than two. Of a truth: a prediction has no say in the
        space that it is judged in.
        """
        first, second = over_conditions(self._components_of, (0, 1))
        return first, second

    def _components_of(self, fold: int) -> Components | None:
        found = self.keep(f"components-{fold}", lambda: self._fitted_to(1 - fold))
        return Components(**found) if found else None

    def _fitted_to(self, fold: int) -> Arrays:
        assert self.folds is not None
        most = self.convention.max_component_cells // 4  # of each side for either fold
        matrices = [self._drawn(self.folds[fold], most, self.perturbations)]
        if self.control_cells is not None:
            names = [f"controls {group}" for group in range(len(self.control_cells))]
            matrices.append(self._drawn(self.control_cells, most, names))
        cells, _ = stacked(matrices, np.arange(len(matrices)))
        if cells.shape[0] < 2:
            return {}
        return vars(fit_components(cells, self.convention.n_components))

    @cached_property
    def on_detected(self) -> "Response":
        """The same response on the second panel of genes."""
        return self if self.detected is None else self.on_genes(np.flatnonzero(self.detected))

    def on_genes(self, genes: Codes) -> "Response":
        """Return the response on some genes, in order; tests are adjusted anew."""

        def chosen(values: Floats | None) -> Floats | None:
            return None if values is None else columns_of(values, genes)

        result = replace(
            self,
            genes=self.genes[genes],
            mean=columns_of(self.mean, genes),
            control=columns_of(self.control, genes),
            error=chosen(self.error),
            control_error=chosen(self.control_error),
            linear_mean=chosen(self.linear_mean),
            linear_control=chosen(self.linear_control),
            cells=None if self.cells is None else on_columns(self.cells, genes),
            control_cells=None
            if self.control_cells is None
            else on_columns(self.control_cells, genes),
            targets=None if self.targets is None else self.targets[:, genes],
            shared=chosen(self.shared),
            additive=chosen(self.additive),
            additive_error=chosen(self.additive_error),
            detected=None if self.detected is None else self.detected[genes],
            differential=None,
            ranks=None,
            keep=made_anew,
            halves=None if self.halves is None else halves_on(self.halves, genes),
        )
        if not self.has_tests:
            return result
        tested = self._tested
        return replace(result, differential=lambda: _de_on(tested(), genes))

    @cached_property
    def _is_testable(self) -> Booleans:
        """Genes that are kept and vary, as far as errors are known to say so."""
        if self.error is None or self.control_error is None:
            return self.kept_genes
        varies = ~(self.error <= 0) | (self.control_error > 0)  # of one cell there is no error
        return self.kept_genes & varies

    @staticmethod
    def _drawn(cells: Sequence[Matrix], n: int, names: Sequence[str]) -> Matrix:
        """Return at most about `n` cells, as many of each group as of any other that has them."""
        has_cells = np.flatnonzero(sizes_of(cells) > 0)
        each = -(-n // max(len(has_cells), 1))
        return stacked(sampled(cells, each, names), np.arange(len(cells)))[0]


def _difference(mean: Floats, control: Floats) -> Floats:
    """Return the difference; rows that are one in memory stay so."""
    if len(mean) and mean.strides[0] == control.strides[0] == 0:
        return np.broadcast_to(mean[0] - control[0], mean.shape)
    return mean - control


@by_rows
def _spread(values: Floats, kept: Booleans) -> Floats:
    """Return the largest less the smallest value of each row among those kept."""
    highest = np.where(kept, values, -np.inf).max(axis=1, initial=-np.inf)
    return highest - np.where(kept, values, np.inf).min(axis=1, initial=np.inf)


@by_rows
def _largest(values: Floats) -> Floats:
    return np.abs(values).max(axis=1, initial=0.0)


def _de_on(whole: Adjusted, genes: Codes) -> Adjusted:
    """Return differential expression on some genes, adjusted anew."""
    test = MeanTest(whole.statistic[:, genes], whole.p_value[:, genes])
    return table_of(test, ~np.isnan(test.p_value))


def halves_on(halves: Halves, genes: Codes) -> Halves:
    """Return the means of either half on some genes, in order."""
    first, second = (
        Means(half.n, half.mean[:, genes], half.squared_error[:, genes]) for half in halves
    )
    return first, second
