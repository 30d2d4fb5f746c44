"""Fingerprints: equal for equal content, however it is stored; different for any change."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from wildcell.errors import BenchmarkError
from wildcell.store.fingerprint import file_sha256, fingerprint

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@dataclass(frozen=True)
class Record:
    name: str
    values: object


class Colour(StrEnum):
    RED = "red"


def table(**changes):
    columns = {"label": ["a", "b", "a"], "value": [1.0, 2.0, np.nan], "n": [1, 2, 3]}
    return pd.DataFrame({**columns, **changes}, index=["x", "y", "z"])


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(plain, plain)
def test_plain_values_share_a_fingerprint_only_if_they_are_equal(first, second):
    assert fingerprint(first) == fingerprint(first)
    if repr(first) != repr(second) and first != second:
        assert fingerprint(first) != fingerprint(second)


def test_fingerprint_is_the_same_in_another_process_and_on_another_day():
    """A stored fingerprint must stay comparable; change this only with a schema version."""
    assert fingerprint({"a": 1, "b": [2.5, "x", None]}) == fingerprint(
        {"b": [2.5, "x", None], "a": 1}
    )
    assert len(fingerprint()) == 32
    assert fingerprint("a") == "c219012ec1592284a318ceb179b9ebc0"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (1, "1"),
        (1, 1.0),
        (True, 1),
        (None, "None"),
        ("ab", ["a", "b"]),
        (["a", "b"], ["b", "a"]),
        (["a", ["b"]], [["a"], "b"]),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        ({"a": None}, {}),
        ([], {}),
        (Record("a", 1), Record("a", 2)),
        (np.array([1.0, 2.0]), np.array([2.0, 1.0])),
        (np.array([1.0, 2.0]), np.array([[1.0, 2.0]])),
        (np.array([1.0, 2.0]), np.array([1.0, 2.0], dtype=np.float32)),
        (np.array(["ab", "c"]), np.array(["a", "bc"])),
        (np.array(["1"]), np.array([1])),
        (sparse.eye(3).tocsr(), 2 * sparse.eye(3).tocsr()),
        (sparse.csr_matrix((3, 4)), sparse.csr_matrix((4, 3))),
    ],
    ids=str,
)
def test_different_content_has_another_fingerprint(first, second):
    assert fingerprint(first) != fingerprint(second)


def test_parts_are_not_run_together():
    assert fingerprint("a", "b") != fingerprint("ab")
    assert fingerprint("a", "b") != fingerprint("b", "a")


@pytest.mark.parametrize("dtype", ["category", "string", object])
def test_text_columns_are_equal_however_pandas_stores_them(dtype):
    assert fingerprint(table().astype({"label": dtype})) == fingerprint(table())


def test_unused_and_reordered_categories_do_not_count():
    labels = pd.Categorical(["a", "b", "a"], categories=["z", "b", "a"])
    assert fingerprint(table(label=labels)) == fingerprint(table())


def test_number_columns_are_their_numbers():
    assert fingerprint(table(value=[1.0, 2.0, 3.0])) != fingerprint(table())
    assert fingerprint(table(n=[1.0, 2.0, 3.0])) != fingerprint(table())
    assert fingerprint(table(n=["1", "2", "3"])) != fingerprint(table())


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.rename(columns={"n": "m"}),
        lambda one: one[["value", "label", "n"]],
        lambda one: one.set_axis(["x", "y", "w"]),
        lambda one: one[::-1],
        lambda one: one[:2],
        lambda one: one.assign(label=["a", "b", "b"]),
        lambda one: one.assign(more=0),
    ],
)
def test_any_change_of_a_table_changes_its_fingerprint(change):
    assert fingerprint(change(table())) != fingerprint(table())


def test_missing_labels_are_not_the_word_for_them():
    assert fingerprint(table(label=["a", np.nan, "a"])) != fingerprint(
        table(label=["a", "nan", "a"])
    )


def test_sparse_matrices_are_equal_whatever_their_layout():
    rng = np.random.default_rng(0)
    dense = rng.poisson(0.5, (6, 5)).astype(np.float32)
    found = fingerprint(sparse.csr_matrix(dense))
    for layout in (sparse.csc_matrix, sparse.coo_matrix, sparse.csr_array, sparse.lil_matrix):
        assert fingerprint(layout(dense)) == found
    unsorted = sparse.csr_matrix(dense)
    unsorted.indices[: unsorted.indptr[1]] = unsorted.indices[: unsorted.indptr[1]][::-1]
    unsorted.data[: unsorted.indptr[1]] = unsorted.data[: unsorted.indptr[1]][::-1]
    unsorted.has_sorted_indices = False
    assert fingerprint(unsorted) == found
    wide = sparse.csr_matrix(dense)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    assert fingerprint(wide) == found


def test_zeros_that_are_stored_are_zeros():
    stored = sparse.csr_matrix(np.array([[1.0, 0.0, 2.0]]))
    explicit = sparse.csr_matrix(np.array([[1.0, 9.0, 2.0]]))
    explicit.data[1] = 0.0
    assert (explicit.toarray() == stored.toarray()).all()
    assert fingerprint(explicit) == fingerprint(stored)


def test_taking_a_fingerprint_changes_nothing():
    matrix = sparse.csr_matrix(np.array([[1.0, 0.0, 2.0]]))
    matrix.indices = matrix.indices[::-1].copy()
    matrix.data = matrix.data[::-1].copy()
    matrix.has_sorted_indices = False
    before = matrix.indices.tolist(), matrix.data.tolist()
    fingerprint(matrix)
    assert (matrix.indices.tolist(), matrix.data.tolist()) == before


def test_arrays_are_equal_in_any_memory_order():
    array = np.arange(12.0).reshape(3, 4)
    assert fingerprint(np.asfortranarray(array)) == fingerprint(array)
    assert fingerprint(np.hstack([array, array])[:, 4:]) == fingerprint(array)


def test_text_arrays_are_equal_whatever_their_width():
    assert fingerprint(np.array(["a", "bb"], dtype="<U9")) == fingerprint(
        np.array(["a", "bb"], dtype=object)
    )


def test_sets_records_enumerations_and_paths_have_content():
    assert fingerprint({"b", "a"}) == fingerprint({"a", "b"})
    assert fingerprint(Record("a", {"x": 1})) == fingerprint(Record("a", {"x": 1}))
    assert fingerprint(Colour.RED) == fingerprint(Colour.RED)
    assert fingerprint(Path("a")) != fingerprint(Path("b"))
    assert fingerprint(np.float64(1.5)) != fingerprint(np.float64(2.5))


def test_what_has_no_content_is_refused():
    with pytest.raises(BenchmarkError, match="Cannot fingerprint a object"):
        fingerprint([1, {"deep": object()}])


def test_file_hash_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"cells" * 10_000)
    assert file_sha256(path) == hashlib.sha256(b"cells" * 10_000).hexdigest()
