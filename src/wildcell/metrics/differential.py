"""Differential expression: which genes of a perturbation's cells differ from the controls'.

A test a gene, corrected for the number of genes, and a log2 fold change. What is tested, against
what and how fold changes are taken are arguments, as scorers differ in them.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from scipy import special

from wildcell.arrays import Booleans, Codes, Floats, Matrix, Moments, moments
from wildcell.errors import OptionError
from wildcell.metrics.mann_whitney import MAX_BYTES, mann_whitney, sorted_rows

Test: TypeAlias = Literal["mann_whitney", "welch", "student"]
Family: TypeAlias = Literal["perturbation", "all"]
Means: TypeAlias = Literal["arithmetic", "geometric"]

TESTS = ("mann_whitney", "welch", "student")
ROUNDING = 64 * np.finfo(np.float64).eps  # a variance below this share of the mean square is none


class MeanTest(NamedTuple):
    """Outcome of a test of means, arrays of shape (n_groups, n_genes).

    Attributes
    ----------
    statistic
        Student's t, positive where the group is higher.
    p_value
        Two-sided.
    """

    statistic: Floats
    p_value: Floats


@dataclass(frozen=True)
class Adjusted:
    """Tests of perturbations' genes, arrays of shape (n_perturbations, n_genes).

    Attributes
    ----------
    statistic
        U of the perturbation's cells for rank tests, t for tests of means.
    p_value
        Two-sided; NaN where there is nothing to test.
    padj
        Benjamini-Hochberg adjusted `p_value`.
    """

    statistic: Floats
    p_value: Floats
    padj: Floats

    def significant(self, alpha: float = 0.05) -> Booleans:
        """Which genes are found at a false discovery rate below `alpha`; untested genes are not."""
        return np.asarray(self.padj < alpha)


@dataclass(frozen=True)
class Differential(Adjusted):
    """Differential expression of perturbations: `Adjusted` with fold changes.

    Attributes
    ----------
    lfc
        Log2 fold change over the reference, shape (n_perturbations, n_genes).
    """

    lfc: Floats


def differential(
    X: Any,
    codes: Codes,
    n_groups: int,
    control: Any = None,
    *,
    test: Test = "mann_whitney",
    continuity: bool = True,
    family: Family = "perturbation",
    tested: Booleans | None = None,
    lfc: Floats | None = None,
    means: Means = "arithmetic",
    scale: float = 1.0,
    pseudocount: float = 0.1,
    n_threads: int | None = None,
    max_bytes: int = MAX_BYTES,
) -> Differential:
    """Test each group of cells against the controls, or against all other groups.

    Parameters
    ----------
    X
        Log1p values of the cells, shape (n_cells, n_genes).
    codes
        Group of each cell, shape (n_cells,); cells with a negative code are passed over.
    n_groups
        Number of groups.
    control
        Log1p values of the controls, shape (n_controls, n_genes); None takes the cells of all
        other groups as the reference of each.
    test
        Ranks (Mann-Whitney), or means with unequal (Welch) or equal (Student) variances.
    continuity
        Whether the Mann-Whitney test is corrected for continuity.
    family
        Whether p-values are adjusted within each perturbation, or all together.
    tested
        Which tests count, shape (n_genes,) or (n_groups, n_genes); others have NaN p-values.
    lfc
        Fold changes that are at hand already, shape (n_groups, n_genes); None computes them.
    means, scale, pseudocount
        Computed fold changes are of `means` of linear values times `scale`, plus `pseudocount`. To
        bring values of one target sum to another, `scale` is the other divided by the one.
    n_threads, max_bytes
        As in `mann_whitney`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> cells, control = rng.poisson([9, 2], (30, 2)), rng.poisson([2, 2], (40, 2))
    >>> found = differential(np.log1p(cells), np.zeros(30, int), 1, np.log1p(control))
    >>> found.significant().tolist(), (found.lfc > 1).tolist()
    ([[True, False]], [[True, False]])
    """
    if test not in TESTS:
        raise OptionError(f"found test {test!r}; known: {', '.join(TESTS)}")
    if test == "mann_whitney":
        statistic, p_value = mann_whitney(
            X,
            codes,
            n_groups,
            control,
            continuity=continuity,
            n_threads=n_threads,
            max_bytes=max_bytes,
        )
    else:
        statistic, p_value = t_test(
            *_both_moments(X, codes, n_groups, control), equal_variance=test == "student"
        )
    if tested is not None:
        p_value = np.where(tested, p_value, np.nan)
    if lfc is None:
        linear = _to_linear(X) if means == "arithmetic" else X
        reference = (
            _to_linear(control) if means == "arithmetic" and control is not None else control
        )
        both = (one.mean for one in _both_moments(linear, codes, n_groups, reference))
        group_mean, reference_mean = both if means == "arithmetic" else map(np.expm1, both)
        lfc = log2_fold_change(group_mean * scale, reference_mean * scale, pseudocount=pseudocount)
    return Differential(statistic, p_value, benjamini_hochberg(p_value, family=family), lfc)


def t_test(groups: Moments, reference: Moments, *, equal_variance: bool = False) -> MeanTest:
    """Test whether the means of groups differ from those of their reference.

    Equal to `scipy.stats.ttest_ind_from_stats`.

    Parameters
    ----------
    groups
        Moments of the groups.
    reference
        Moments of one reference for all groups, or of one for each.
    equal_variance
        Whether the two variances are taken to be one (Student) or not (Welch).

    Returns
    -------
    NaN below two cells on either side and where all cells have one value.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> X = sparse.csr_matrix(np.array([[3.0], [4.0], [5.0], [1.0], [2.0], [3.0]]))
    >>> one = moments(X, np.array([0, 0, 0, 1, 1, 1]), 2)
    >>> test = t_test(*(Moments(one.n[i], one.total[i], one.total_squares[i]) for i in ([0], [1])))
    >>> test.statistic.round(4).tolist(), test.p_value.round(4).tolist()
    ([[2.4495]], [[0.0705]])
    """
    variance, other_variance = _variance(groups), _variance(reference)
    difference = np.abs(groups.mean - reference.mean)
    size = np.maximum(np.abs(groups.mean), np.abs(reference.mean))
    constant = (variance == 0) & (other_variance == 0) & (difference <= ROUNDING * size)
    with np.errstate(divide="ignore", invalid="ignore"):
        squared_error, freedom = _of_difference(
            variance,
            groups.n[:, None].astype(np.float64),
            other_variance,
            reference.n[:, None].astype(np.float64),
            pooled=equal_variance,
        )
        statistic = (groups.mean - reference.mean) / np.sqrt(squared_error)
        p_value = 2 * special.stdtr(freedom, -np.abs(statistic))
    undefined = constant | np.isnan(variance) | np.isnan(other_variance)
    return MeanTest(np.where(undefined, np.nan, statistic), np.where(undefined, np.nan, p_value))


def _of_difference(
    variance: Floats, n: Floats, other_variance: Floats, other_n: Floats, *, pooled: bool
) -> tuple[Floats, Floats]:
    """Return the squared standard error of a difference of means, and its degrees of freedom."""
    if pooled:
        freedom = n + other_n - 2
        within = (n - 1) * variance + (other_n - 1) * other_variance
        return within / freedom * (1 / n + 1 / other_n), freedom
    own, others = variance / n, other_variance / other_n
    spread = np.square(own) / (n - 1) + np.square(others) / (other_n - 1)
    freedom = np.square(own + others) / spread
    return own + others, np.where(np.isnan(freedom), 1.0, freedom)  # where nothing varies


def benjamini_hochberg(p_value: Floats, *, family: Family = "perturbation") -> Floats:
    """Adjust p-values for the false discovery rate; NaN is no test and stays NaN.

    Equal to `scipy.stats.false_discovery_control` over the tests there are.

    Parameters
    ----------
    p_value
        Shape (n_perturbations, n_genes).
    family
        Whether the tests of each perturbation are one family, or all tests are.

    References
    ----------
    Benjamini & Hochberg 1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x

    Examples
    --------
    >>> import numpy as np
    >>> benjamini_hochberg(np.array([[0.01, 0.04, np.nan, 0.03]])).round(3).tolist()
    [[0.03, 0.04, nan, 0.04]]
    """
    if family == "all":
        return benjamini_hochberg(p_value.reshape(1, -1)).reshape(p_value.shape)
    adjusted = np.empty(p_value.shape)
    rank = np.arange(1, p_value.shape[1] + 1)
    for row, p in enumerate(p_value):
        ascending = np.argsort(p)  # NaN goes last
        n_tests = np.count_nonzero(~np.isnan(p))
        raised = p[ascending] * (n_tests / rank)
        adjusted[row, ascending] = np.fmin.accumulate(raised[::-1])[::-1]
    return np.minimum(adjusted, 1.0, out=adjusted)


def log2_fold_change(mean: Floats, reference: Floats, *, pseudocount: float = 0.1) -> Floats:
    """Return log2((mean + pseudocount) / (reference + pseudocount)).

    Parameters
    ----------
    mean, reference
        Linear means, of shapes that broadcast.
    pseudocount
        Without one, a gene that only one side has is infinite, and one that neither has is 0.

    Examples
    --------
    >>> import numpy as np
    >>> log2_fold_change(np.array([7.9, 0.0]), np.array([1.9, 0.0])).tolist()
    [2.0, 0.0]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        lfc = np.log2((mean + pseudocount) / (reference + pseudocount))
    return np.where((mean == 0) & (reference == 0), 0.0, lfc)


def _variance(of: Moments) -> Floats:
    n = np.where(of.n > 1, of.n, np.nan)[:, None]
    variance = (of.total_squares - of.total**2 / n) / (n - 1)
    return np.where(variance <= ROUNDING * of.total_squares / n, variance * 0, variance)


def _both_moments(X: Any, codes: Codes, n_groups: int, control: Any) -> tuple[Moments, Moments]:
    """Moments of the groups, and of the controls or of each group's others."""
    groups = moments(sorted_rows(X), codes, n_groups)
    if control is not None:
        return groups, moments(sorted_rows(control), np.zeros(control.shape[0], np.intp), 1)
    others = Moments(
        groups.n.sum() - groups.n,
        groups.total.sum(axis=0) - groups.total,
        groups.total_squares.sum(axis=0) - groups.total_squares,
    )
    return groups, others


def _to_linear(log_values: Any) -> Matrix:
    return sorted_rows(log_values).expm1()
