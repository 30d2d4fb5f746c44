"""Differential expression, against scipy."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse, stats

from wildcell.arrays import moments
from wildcell.errors import DataError, OptionError
from wildcell.metrics.differential import (
    benjamini_hochberg,
    differential,
    log2_fold_change,
    t_test,
)
from wildcell.metrics.mann_whitney import _slices, mann_whitney


def draw_cells(rng, n_cells=90, n_genes=30, density=0.4):
    """Log values of counts with a library size: zeros, many ties, and values of their own."""
    counts = rng.poisson(3, (n_cells, n_genes)) * (rng.random((n_cells, n_genes)) < density)
    depth = rng.choice([1.0, 2.0, 3.5], (n_cells, 1))
    return np.log1p(counts / depth).astype(np.float32)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def screen(rng):
    """Cells of four groups and some of none, in no order, and controls."""
    return draw_cells(rng), rng.integers(-1, 4, 90), draw_cells(rng, 60)


def scipy_test(x, y, *, continuity=True):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return stats.mannwhitneyu(
            x.astype(np.float64),
            y.astype(np.float64),
            method="asymptotic",
            use_continuity=continuity,
            axis=0,
        )


def assert_equals_scipy(found, group, x, y, *, continuity=True):
    expected = scipy_test(x, y, continuity=continuity)
    np.testing.assert_array_equal(found.statistic[group], expected.statistic)
    np.testing.assert_allclose(found.p_value[group], expected.pvalue, rtol=1e-12)
    np.testing.assert_array_equal(found.p_value[group] == 1, expected.pvalue == 1)


VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.0, 0.1, -1.5, 1e-30, -1e30, np.log1p(3.0)])


@st.composite
def screens(draw):
    dtype = draw(st.sampled_from([np.float32, np.float64, np.int16, np.int64]))
    n_genes = draw(st.integers(1, 3))
    elements = VALUES if np.dtype(dtype).kind == "f" else st.integers(-3, 3)
    if dtype == np.float32:
        elements = VALUES.map(lambda value: float(np.float32(value)))
    sizes = [draw(st.integers(1, 12)) for _ in range(2)]
    X, control = (draw(hnp.arrays(dtype, (n, n_genes), elements=elements)) for n in sizes)
    codes = draw(hnp.arrays(np.intp, sizes[0], elements=st.integers(-1, 2)))
    return X, codes, control


@settings(max_examples=150, deadline=None)
@given(screens(), st.booleans())
def test_rank_tests_are_those_of_scipy(screen, against_control):
    X, codes, control = screen
    found = mann_whitney(sparse.csr_matrix(X), codes, 3, control if against_control else None)
    for group in range(3):
        others = control if against_control else X[(codes >= 0) & (codes != group)]
        if (codes == group).any() and len(others):
            assert_equals_scipy(found, group, X[codes == group], others)
        else:
            assert np.isnan(found.statistic[group]).all()
            assert np.isnan(found.p_value[group]).all()


@pytest.mark.parametrize("continuity", [True, False])
@pytest.mark.parametrize("against_control", [True, False])
def test_rank_tests_of_a_screen_are_those_of_scipy(screen, continuity, against_control):
    X, codes, control = screen
    found = mann_whitney(
        X, codes, 4, control if against_control else None, continuity=continuity, n_threads=2
    )
    for group in range(4):
        others = control if against_control else X[(codes >= 0) & (codes != group)]
        assert_equals_scipy(found, group, X[codes == group], others, continuity=continuity)


def test_many_values_sort_as_few_do(rng):
    """Long columns are sorted by other digits than short ones."""
    X, control = (rng.normal(size=(n, 2)) for n in (2500, 700))
    X[:, 1] = np.round(X[:, 1], 2)
    codes = rng.integers(0, 2, len(X))
    found = mann_whitney(X, codes, 2, control)
    for group in range(2):
        assert_equals_scipy(found, group, X[codes == group], control)


def test_the_smallest_p_values_do_not_vanish(rng):
    X, control = 5 + rng.random((943, 1)), rng.random((943, 1))
    found = mann_whitney(X.astype(np.float32), np.zeros(943, int), 1, control.astype(np.float32))
    expected = scipy_test(X.astype(np.float32), control.astype(np.float32)).pvalue
    assert 0 < expected[0] < np.finfo(np.float64).tiny
    assert found.p_value[0, 0] == expected[0]


@pytest.mark.parametrize("continuity", [True, False])
@pytest.mark.parametrize("value", [0.0, 2.5, -1.0])
def test_a_gene_of_one_value_tells_nothing(value, continuity):
    X, control = np.full((4, 1), value), np.full((5, 1), value)
    found = mann_whitney(X, np.zeros(4, int), 1, control, continuity=continuity)
    assert found.p_value.tolist() == [[1.0]]
    assert found.statistic.tolist() == [[10.0]]


def test_values_are_compared_as_they_are_stored():
    """One tenth in single precision is above one tenth in double precision."""
    single, double = np.full((9, 1), 0.1, np.float32), np.full((9, 1), 0.1)
    found = mann_whitney(single, np.zeros(9, int), 1, double)
    assert found.statistic.tolist() == [[81.0]]
    assert mann_whitney(double, np.zeros(9, int), 1, double).statistic.tolist() == [[40.5]]


def test_how_a_matrix_is_stored_does_not_matter(screen):
    X, codes, control = screen
    rows = sparse.csr_matrix(X)
    shuffled = rows.copy()
    for i in range(rows.shape[0]):
        entries = slice(rows.indptr[i], rows.indptr[i + 1])
        shuffled.indices[entries] = rows.indices[entries][::-1]
        shuffled.data[entries] = rows.data[entries][::-1]
    shuffled.has_sorted_indices = shuffled.has_canonical_format = False
    with_zeros = sparse.csr_matrix(np.where(X == 0, np.float32(9), X))
    with_zeros.data[(X == 0).ravel()] = -0.0
    coordinates = rows.tocoo()
    halves = sparse.coo_matrix(
        (
            np.tile(coordinates.data / 2, 2),
            (np.tile(coordinates.row, 2), np.tile(coordinates.col, 2)),
        ),
        shape=rows.shape,
    )
    expected = mann_whitney(rows, codes, 4, control)
    stored = [X, rows.tocsc(), sparse.csr_array(X), shuffled, with_zeros, halves, X.astype(">f4")]
    for matrix in stored:
        found = mann_whitney(matrix, codes, 4, sparse.csr_matrix(control))
        np.testing.assert_array_equal(found.p_value, expected.p_value)
    assert not shuffled.has_sorted_indices, "the caller's matrix was sorted in place"


def test_half_precision_is_ranked_as_given(screen):
    X, codes, control = (screen[0].astype(np.float16), screen[1], screen[2].astype(np.float16))
    found = mann_whitney(X, codes, 4, control)
    for group in range(4):
        assert_equals_scipy(found, group, X[codes == group], control)


def test_threads_memory_and_company_do_not_matter(screen):
    X, codes, control = screen
    expected = mann_whitney(X, codes, 4, control, n_threads=1)
    for options in ({"n_threads": 3}, {"n_threads": 2, "max_bytes": 1}):
        found = mann_whitney(X, codes, 4, control, **options)
        np.testing.assert_array_equal(found.p_value, expected.p_value)
    alone = mann_whitney(X, np.where(codes == 2, 0, -1), 1, control)
    np.testing.assert_array_equal(alone.p_value[0], expected.p_value[2])


def test_slices_cover_the_genes_within_memory(rng):
    n_values = rng.integers(0, 50, 300)
    n_values[7] = 500  # more than fits
    slices = list(_slices(n_values, n_threads=2, max_bytes=2 * 12 * 120))
    assert [s.start for s in slices[1:]] == [s.stop for s in slices[:-1]]
    assert (slices[0].start, slices[-1].stop) == (0, 300)
    held = [(n_values[s].sum(), s.stop - s.start) for s in slices]
    assert all(total <= 120 or n_genes == 1 for total, n_genes in held)
    assert len(slices) >= 8


def test_nothing_to_test_is_no_error():
    X, control = np.ones((3, 2)), np.ones((4, 2))
    assert np.isnan(mann_whitney(X, np.zeros(3, int), 1, control[:0]).p_value).all()
    assert np.isnan(mann_whitney(X, np.zeros(3, int), 1).p_value).all()
    assert mann_whitney(X[:0], np.zeros(0, int), 0, control).p_value.shape == (0, 2)
    assert mann_whitney(X[:, :0], np.zeros(3, int), 1, control[:, :0]).p_value.shape == (1, 0)


@pytest.mark.parametrize(
    ("X", "codes", "control", "said"),
    [
        (np.array([[np.nan], [1.0]]), [0, 0], np.ones((2, 1)), "1 values are NaN or infinite"),
        (np.ones((2, 1)), [0, 0], np.array([[np.inf]]), "finite"),
        (np.ones((2, 1), complex), [0, 0], np.ones((2, 1)), "complex128"),
        (np.full((2, 1), 2**60), [0, 0], np.ones((2, 1)), "2\\^53"),
        (np.ones((2, 1)), [0], np.ones((2, 1)), "2 cells have 1 group codes"),
        (np.ones((2, 1)), [0, 5], np.ones((2, 1)), "group code 5"),
        (np.ones((2, 1)), [0, 0], np.ones((2, 3)), "1 genes, controls 3"),
    ],
)
def test_what_cannot_be_ranked_is_refused(X, codes, control, said):
    with pytest.raises(DataError, match=said):
        mann_whitney(X, np.array(codes), 1, control)


def test_too_many_cells_for_exact_counts_are_refused():
    control = sparse.csr_matrix((2_000_000, 1))
    with pytest.raises(OptionError, match="2000001 cells"):
        mann_whitney(np.ones((1, 1)), np.zeros(1, int), 1, control)


@pytest.mark.parametrize("equal_variance", [True, False])
def test_t_tests_are_those_of_scipy(screen, equal_variance):
    X, codes, control = screen
    groups = moments(sparse.csr_matrix(X), codes, 4)
    reference = moments(sparse.csr_matrix(control), np.zeros(60, int), 1)
    found = t_test(groups, reference, equal_variance=equal_variance)
    for group in range(4):
        x, y = (one.astype(np.float64) for one in (X[codes == group], control))
        expected = stats.ttest_ind(x, y, equal_var=equal_variance)
        np.testing.assert_allclose(found.statistic[group], expected.statistic, rtol=1e-10)
        np.testing.assert_allclose(found.p_value[group], expected.pvalue, rtol=1e-9)


def test_t_tests_of_constants_and_single_cells_are_unknown():
    X = sparse.csr_matrix(np.array([[0.3, 1], [0.3, 2], [0.3, 3], [0.3, 1], [0.3, 5], [0.3, 1]]))
    codes = np.array([0, 0, 0, 1, 1, 2])
    groups = moments(X, codes, 3)
    reference = moments(sparse.csr_matrix(np.full((7, 2), [0.3, 2.0])), np.zeros(7, int), 1)
    found = t_test(groups, reference)
    assert np.isnan(found.p_value).tolist() == [[True, False], [True, False], [True, True]]


def test_constants_that_differ_are_told_apart_by_t():
    ones, twos = (
        moments(sparse.csr_matrix(np.full((5, 1), value)), np.zeros(5, int), 1)
        for value in (0.1, 0.2)
    )
    found = t_test(twos, ones)
    assert (found.statistic[0, 0], found.p_value[0, 0]) == (np.inf, 0.0)


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
        elements=st.one_of(st.floats(0, 1), st.just(np.nan), st.just(0.5)),
    )
)
def test_adjusted_p_values_are_those_of_scipy_over_the_tests_there_are(p_value):
    rows, together = benjamini_hochberg(p_value), benjamini_hochberg(p_value, family="all")
    for p, found in [*zip(p_value, rows, strict=True), (p_value.ravel(), together.ravel())]:
        is_test = ~np.isnan(p)
        assert np.isnan(found[~is_test]).all()
        expected = stats.false_discovery_control(p[is_test])
        np.testing.assert_allclose(found[is_test], expected, rtol=1e-14, atol=0)


def test_fold_changes_without_pseudocount_are_defined_everywhere():
    found = log2_fold_change(np.array([2.0, 1, 0, 0]), np.array([1.0, 0, 1, 0]), pseudocount=0)
    assert found.tolist() == [1, np.inf, -np.inf, 0]


@pytest.mark.parametrize("against_control", [True, False])
def test_fold_changes_are_of_the_means_asked_for(screen, against_control):
    X, codes, control = screen
    reference = control if against_control else None
    arithmetic = differential(X, codes, 4, reference, scale=2.0)
    geometric = differential(X, codes, 4, reference, means="geometric", pseudocount=1e-9)
    for group in range(4):
        x = X[codes == group].astype(float)
        y = (control if against_control else X[(codes >= 0) & (codes != group)]).astype(float)
        a, b = 2 * np.expm1(x).mean(axis=0), 2 * np.expm1(y).mean(axis=0)
        np.testing.assert_allclose(arithmetic.lfc[group], np.log2((a + 0.1) / (b + 0.1)), atol=1e-5)
        a, b = np.expm1(x.mean(axis=0)) + 1e-9, np.expm1(y.mean(axis=0)) + 1e-9
        np.testing.assert_allclose(geometric.lfc[group], np.log2(a / b), atol=1e-5)


@pytest.mark.parametrize(("test", "equal"), [("welch", False), ("student", True)])
def test_each_test_can_be_had_against_all_others(screen, test, equal):
    X, codes, _ = screen
    found = differential(X, codes, 4, test=test)
    x, y = (X[m].astype(float) for m in (codes == 1, (codes >= 0) & (codes != 1)))
    expected = stats.ttest_ind(x, y, equal_var=equal)
    np.testing.assert_allclose(found.p_value[1], expected.pvalue, rtol=1e-9)


def test_untested_genes_do_not_count_in_the_adjustment(screen):
    X, codes, control = screen
    tested = np.arange(30) < 20
    found = differential(X, codes, 4, control, tested=tested, lfc=np.zeros((4, 30)))
    narrow = differential(X[:, :20], codes, 4, control[:, :20])
    assert np.isnan(found.padj[:, 20:]).all()
    np.testing.assert_array_equal(found.padj[:, :20], narrow.padj)
    assert not found.significant()[:, 20:].any()
    assert not found.lfc.any()


def test_an_unknown_test_is_refused_with_those_there_are(screen):
    X, codes, control = screen
    with pytest.raises(OptionError, match="mann_whitney, welch, student"):
        differential(X, codes, 4, control, test="anova")
