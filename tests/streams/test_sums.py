"""Sums in one pass: those of numpy, whatever the chunks and however many threads."""

import numpy as np
import pytest
from scipy import sparse

from wildcell import parallel
from wildcell.arrays import moments
from wildcell.names import Expression
from wildcell.streams.matrix import stream_of
from wildcell.streams.normalise import LogStream
from wildcell.streams.sums import Sums

N_GROUPS = 3


def cells(n_cells=60, n_genes=9):
    rng = np.random.default_rng(0)
    counts = sparse.csr_matrix(rng.poisson(0.8, (n_cells, n_genes)).astype(np.float32))
    return counts, rng.integers(-1, N_GROUPS, n_cells)


def sums_of(stream, codes, n_values):
    sums = Sums.of_nothing(N_GROUPS, stream.shape[1])
    for start, lognorm, linear, scale in stream.chunks(n_values):
        sums.add(lognorm, linear, scale, codes[start : start + lognorm.shape[0]])
    return sums


def of_counts(counts):
    depth = np.asarray(counts.sum(axis=1), float).ravel()
    return LogStream(stream_of(counts), Expression.COUNTS, 100.0, 1e4, total_counts=depth), depth


def test_sums_are_those_of_numpy():
    counts, codes = cells()
    stream, depth = of_counts(counts)
    sums = sums_of(stream, codes, 50)
    share = counts.toarray() / np.maximum(depth, 1)[:, None]
    for group in range(N_GROUPS):
        own = share[codes == group]
        assert sums.n[group] == len(own)
        np.testing.assert_allclose(sums.total[group], np.log1p(own * 100).sum(axis=0), rtol=1e-6)
        squares = (np.log1p(own * 100) ** 2).sum(axis=0)
        np.testing.assert_allclose(sums.total_squares[group], squares, rtol=1e-6)
        np.testing.assert_allclose(sums.linear[group], 1e4 * own.sum(axis=0), rtol=1e-12)
        np.testing.assert_array_equal(sums.expressed[group], (own > 0).sum(axis=0))


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("n_values", [1, 37, 10**6])
def test_no_bit_depends_on_chunks_or_threads(n_values, n_threads, monkeypatch):
    counts, codes = cells()
    stream, _ = of_counts(counts)
    expected = sums_of(stream, codes, 10**6)
    monkeypatch.setattr(parallel, "cores", lambda: n_threads)
    found = sums_of(stream, codes, n_values)
    for one, other in zip(found.arrays, expected.arrays, strict=True):
        np.testing.assert_array_equal(one, other)


def test_sums_of_parts_add_up():
    counts, codes = cells()
    stream, _ = of_counts(counts)
    whole = sums_of(stream, codes, 50)
    half = np.arange(60) % 2 == 0
    parts = [sums_of(stream, np.where(rows, codes, -1), 50) for rows in (half, ~half)]
    for one, other in zip((parts[0] + parts[1]).arrays, whole.arrays, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_log_values_are_brought_to_another_library_size():
    counts, codes = cells()
    stream, depth = of_counts(counts)
    lognorm = counts.copy()
    lognorm.data = np.log1p(lognorm.data * np.repeat(5e3 / depth, np.diff(lognorm.indptr)))
    other = LogStream(stream_of(lognorm), Expression.LOGNORM, 100.0, 1e4, own_target_sum=5e3)
    one, two = sums_of(stream, codes, 50), sums_of(other, codes, 50)
    np.testing.assert_allclose(one.total, two.total, rtol=1e-5)
    np.testing.assert_allclose(one.linear, two.linear, rtol=1e-5)


def test_moments_are_those_of_cells_in_memory():
    counts, codes = cells()
    stream, _ = of_counts(counts)
    (chunk,) = stream.chunks()
    expected = moments(chunk.lognorm, codes, N_GROUPS)
    found = sums_of(stream, codes, 50).moments
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-12)
    np.testing.assert_allclose(found.squared_error, expected.squared_error, rtol=1e-9)
