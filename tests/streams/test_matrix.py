"""Matrices read in chunks: the same numbers, however they are stored."""

import anndata as ad
import h5py
import numpy as np
import pytest
from scipy import sparse

from wildcell.datasets.open import open_cells
from wildcell.errors import DataError
from wildcell.store.atomic import write_cells
from wildcell.streams.matrix import SelectedRows, SparseRows, stream_of


def draw(n_rows=37, n_columns=11, dtype=np.float32):
    rng = np.random.default_rng(0)
    values = rng.poisson(0.7, (n_rows, n_columns))
    values[[0, 12, 36]] = 0
    return values.astype(dtype)


def whole(stream, n_values=20):
    """Read all chunks, see that they follow each other, and put them together."""
    chunks, end = [], 0
    for start, rows in stream.chunks(n_values):
        assert start == end
        assert rows.has_canonical_format
        assert rows.dtype in (np.float32, np.float64)
        end += rows.shape[0]
        chunks.append(rows.toarray())
    return np.concatenate(chunks)


FORMATS = {
    "dense": np.asarray,
    "fortran": np.asfortranarray,
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_matrix,
    "coo": sparse.coo_matrix,
    "csr_array": sparse.csr_array,
}


@pytest.mark.parametrize("convert", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "u2", "i4", "u8", "bool"])
def test_every_format_and_type_gives_the_same_rows(convert, dtype):
    matrix = draw(dtype=dtype)
    np.testing.assert_array_equal(whole(stream_of(convert(matrix))), matrix)


@pytest.mark.parametrize("dtype", [">f4", ">i8", "f2"])
def test_types_that_scipy_does_not_know_are_read_too(dtype):
    matrix = draw(dtype=dtype)
    np.testing.assert_array_equal(whole(stream_of(matrix)), matrix)
    rows = sparse.csr_matrix(draw())
    parts = rows.data.astype(dtype), rows.indices.astype(">i4"), rows.indptr
    np.testing.assert_array_equal(whole(SparseRows(*parts, rows.shape)), draw())


@pytest.mark.parametrize("suffix", ["h5ad", "zarr"])
@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
@pytest.mark.parametrize("dtype", ["f4", "i8"])
def test_files_are_read_as_they_were_written(convert, suffix, dtype, tmp_path):
    matrix = draw(dtype=dtype)
    path = tmp_path / f"cells.{suffix}"
    write_cells(path, ad.AnnData(convert(matrix)))
    opened = open_cells(path)
    assert opened.X.shape == matrix.shape
    np.testing.assert_array_equal(whole(opened.X), matrix)
    np.testing.assert_array_equal(whole(opened.X), matrix)


def test_backed_cells_and_views_are_streams_too(tmp_path):
    matrix = draw()
    ad.AnnData(sparse.csr_matrix(matrix)).write_h5ad(tmp_path / "cells.h5ad")
    backed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    np.testing.assert_array_equal(whole(open_cells(backed).X), matrix)
    view = ad.AnnData(sparse.csr_matrix(matrix))[5:20, ::-1]
    np.testing.assert_array_equal(whole(open_cells(view).X), matrix[5:20, ::-1])


def test_unsorted_and_repeated_entries_are_summed_and_what_was_given_stays_as_it_was():
    parts = np.array([1.0, 2.0, 4.0], np.float32), np.array([1, 0, 1]), np.array([0, 3])
    given = sparse.csr_matrix(parts, shape=(1, 2))
    assert whole(stream_of(given)).tolist() == [[2.0, 5.0]]
    assert given.indices.tolist() == [1, 0, 1]


def test_small_integers_do_not_overflow_when_entries_are_summed():
    parts = np.array([100, 100], np.int8), np.array([0, 0]), np.array([0, 2])
    assert whole(stream_of(sparse.csr_matrix(parts, shape=(1, 1)))).tolist() == [[200.0]]


def test_some_rows_and_columns_can_be_taken():
    matrix = draw()
    rows, columns = np.arange(37) % 3 == 1, np.array([4, 0, 7])
    for given in (matrix, sparse.csr_matrix(matrix), sparse.csc_matrix(matrix)):
        chosen = SelectedRows(stream_of(given), rows, columns)
        assert chosen.shape == (12, 3)
        np.testing.assert_array_equal(whole(chosen), matrix[rows][:, columns])


@pytest.mark.parametrize("bad", [np.array([["a"]]), np.array([[1j]]), np.array([[None]])])
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(DataError, match="give real numbers"):
        stream_of(bad)


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "cells.h5ad"
    ad.AnnData(sparse.csr_matrix(draw())).write_h5ad(path)
    with h5py.File(path, "r+") as file:
        file["X/indices"][3] = 99
    with pytest.raises(DataError, match="damaged"):
        whole(open_cells(path).X)
    with pytest.raises(DataError, match="damaged"):
        SparseRows(np.ones(3), np.zeros(3, int), np.array([0, 2]), (1, 2))
