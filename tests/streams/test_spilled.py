"""Matrices too large to be held: the same numbers, from a temporary file."""

import numpy as np
import pytest
from scipy import sparse

from wildcell.arrays import as_csr, moments
from wildcell.errors import OptionError
from wildcell.store.fingerprint import fingerprint
from wildcell.store.spill import is_spilled
from wildcell.streams import spilled
from wildcell.streams.matrix import Chunk, StackedRows, stream_of
from wildcell.streams.spilled import (
    HOLD_VARIABLE,
    GrowingRows,
    are_rows_spilled,
    moments_in_chunks,
    most_held,
    rows_of,
    spill,
    stacked_rows,
)


def draw(seed=0, n_rows=300, n_columns=17, dtype=np.float32):
    rng = np.random.default_rng(seed)
    values = sparse.csr_matrix(rng.poisson(0.4, (n_rows, n_columns)).astype(dtype))
    values.data *= np.asarray(rng.choice([0.1, 1.0, 3.7], values.nnz), dtype)
    return values


def spill_all(matrix, dtype=None):
    chunks = (Chunk(start, rows) for start, rows in stream_of(matrix).chunks(50))
    return spill(chunks, matrix.shape[1], np.dtype(dtype or matrix.dtype))


def same(one, other):
    return (
        one.dtype == other.dtype
        and one.shape == other.shape
        and all(
            np.array_equal(getattr(one, name), getattr(other, name))
            for name in ("data", "indices", "indptr")
        )
    )


@pytest.fixture
def _nothing_held(monkeypatch):
    monkeypatch.setenv(HOLD_VARIABLE, "0")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_spilled_matrix_is_the_same_and_cannot_be_written_to(dtype):
    held = draw(dtype=dtype)
    lying = spill_all(held)
    assert are_rows_spilled(lying)
    assert not are_rows_spilled(held)
    assert same(lying, held)
    assert (lying[[4, 2]] != held[[4, 2]]).nnz == 0
    with pytest.raises(ValueError, match="read-only"):
        lying.data[0] = 1


def test_rows_without_values_can_be_spilled():
    lying = spill_all(sparse.csr_matrix((3, 4), dtype=np.float32))
    assert lying.shape == (3, 4)
    assert lying.nnz == 0


@pytest.mark.usefixtures("_nothing_held")
@pytest.mark.parametrize("form", ["csr", "csc", "dense"])
@pytest.mark.parametrize("columns", [None, np.array([3, 1, 16])])
def test_rows_are_taken_as_they_are_in_memory(form, columns):
    held = draw()
    given = held.toarray() if form == "dense" else held.asformat(form)
    marked = np.arange(held.shape[0]) % 3 == 0
    wanted = held[np.flatnonzero(marked)]
    found = rows_of(given, marked, columns)
    assert are_rows_spilled(found)
    assert same(found, as_csr(wanted if columns is None else wanted[:, columns]))


def test_few_rows_of_a_spilled_matrix_are_held(monkeypatch):
    lying = spill_all(draw())
    marked = np.arange(lying.shape[0]) < 5
    assert not are_rows_spilled(rows_of(lying, marked))
    n_bytes = 8 * lying[:5].nnz
    monkeypatch.setenv(HOLD_VARIABLE, str((n_bytes - 8) / 2**30))
    assert are_rows_spilled(rows_of(lying, marked))


@pytest.mark.usefixtures("_nothing_held")
def test_stacked_rows_are_those_of_all_parts():
    parts = [draw(0), spill_all(draw(1))]
    found = stacked_rows(parts)
    assert are_rows_spilled(found)
    assert same(found, sparse.vstack(parts, format="csr"))
    starts = [start for start, _ in StackedRows([stream_of(part) for part in parts]).chunks(100)]
    assert starts == sorted(set(starts))


def test_moments_in_chunks_are_equal_to_the_bit():
    held = draw(n_rows=2_000)
    groups = np.random.default_rng(0).integers(-1, 5, held.shape[0])
    whole = moments(held, groups, 6)
    stream = stream_of(spill_all(held))

    class InSmallChunks:
        shape = stream.shape

        def chunks(self):
            return stream.chunks(64)

    found = moments_in_chunks(InSmallChunks(), groups, 6)
    for name in ("n", "total", "total_squares"):
        assert np.array_equal(getattr(found, name), getattr(whole, name)), name


def test_the_fingerprint_does_not_depend_on_where_values_lie():
    held = draw()
    assert fingerprint(spill_all(held)) == fingerprint(held)
    with_zero = held.copy()
    with_zero.data[7] = 0
    other = fingerprint(spill_all(with_zero))
    assert other == fingerprint(with_zero) != fingerprint(held)


def test_long_columns_are_as_wide_as_the_bounds(monkeypatch):
    monkeypatch.setattr(spilled, "CHUNK", 64)
    columns = spill_all(draw()).indices
    longer = spilled._as_long(columns)
    assert longer.dtype == np.int64
    assert is_spilled(longer)
    assert np.array_equal(longer, columns)


@pytest.mark.parametrize("said", ["-1", "much", "nan", "inf"])
def test_a_wrong_limit_is_refused(monkeypatch, said):
    monkeypatch.setenv(HOLD_VARIABLE, said)
    with pytest.raises(OptionError, match=HOLD_VARIABLE):
        most_held()


@pytest.mark.parametrize("columns", [None, np.array([3, 1, 16])])
@pytest.mark.parametrize("hold", ["0", "1"])
def test_rows_of_a_spilled_matrix_are_taken_as_they_are_of_one_in_memory(
    monkeypatch, hold, columns
):
    monkeypatch.setattr(spilled, "stretches", lambda bounds: [(0, 7), (7, 120), (120, 300)])
    monkeypatch.setenv(HOLD_VARIABLE, hold)
    held = draw()
    marked = np.arange(held.shape[0]) % 3 == 0
    marked[:7] = False
    wanted = held[np.flatnonzero(marked)]
    found = rows_of(spill_all(held), marked, columns)
    assert are_rows_spilled(found) == (hold == "0")
    assert same(found, as_csr(wanted if columns is None else wanted[:, columns]))


@pytest.mark.parametrize(("most", "is_in_file"), [(10**6, False), (400, True), (0, True)])
def test_growing_rows_go_to_a_file_when_they_are_too_many(monkeypatch, most, is_in_file):
    monkeypatch.setattr(spilled, "most_held", lambda: most)
    held, growing = draw(), GrowingRows(17)
    for start in range(0, 300, 40):
        growing.add(held[start : start + 40])
    found = growing.finish()
    assert are_rows_spilled(found) == is_in_file
    assert same(found, held)


def test_no_growing_rows_are_a_matrix_without_rows():
    assert GrowingRows(4).finish().shape == (0, 4)


@pytest.mark.parametrize("order", [[1, 0], [0, 0]])
def test_rows_in_a_file_whose_columns_do_not_ascend_have_the_fingerprint_of_those_that_do(order):
    parts = np.array([2.0, 1.0], np.float32), np.array(order, np.int32), np.array([0, 2])
    untidy = sparse.csr_matrix(parts, shape=(1, 2))
    tidy = as_csr(untidy)
    lying = spill([Chunk(0, untidy)], 2, np.dtype(np.float32))
    assert fingerprint(lying) == fingerprint(tidy)
