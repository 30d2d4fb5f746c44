"""Copied and thinned cells are found, and chance accuses nobody."""

import anndata as ad
import numpy as np
import pytest
from scipy import sparse

from wildcell.arrays import as_csr, log_normalise
from wildcell.errors import DataError
from wildcell.names import Expression
from wildcell.scenarios import rows as rows_module
from wildcell.scenarios.duplicates import Pile, find_copies, suspect
from wildcell.scenarios.rows import pack, read_rows
from wildcell.scenarios.untold import planted_share_found


def cells_like(n_cells, *, n_genes=500, depth=500, dispersion=0.2, spread=1.2, seed=0):
    """Return counts of cells of one type, which differ by chance alone."""
    rng = np.random.default_rng(seed)
    shares = np.exp(spread * np.random.default_rng(99).normal(size=n_genes))
    expected = depth * shares / shares.sum() * np.ones((n_cells, 1))
    if dispersion:
        expected = expected * dispersion * rng.standard_gamma(1 / dispersion, expected.shape)
    return as_csr(rng.poisson(expected))


def thinned(matrix, share, *, seed=0):
    counts = np.random.default_rng(seed).binomial(matrix.toarray().astype(int), share)
    return as_csr(counts)


def copies_between(judged, seen, expression=Expression.COUNTS):
    piles = {
        name: Pile(pack(matrix, expression), np.arange(matrix.shape[0]))
        for name, matrix in (("judged", judged), ("seen", seen))
    }
    suspicion, suspects = suspect(piles, n_pairs=judged.shape[0] * seen.shape[0])
    return find_copies(suspects["judged"], suspects["seen"], suspicion)


SCREENS = {
    "a screen": {},
    "shallow cells": {"n_genes": 1000, "depth": 260},
    "deep cells, few genes": {"n_genes": 300, "depth": 8000},
    "no more than counting noise": {"n_genes": 300, "depth": 1000, "dispersion": 0, "spread": 0},
}


@pytest.mark.parametrize("options", SCREENS.values(), ids=SCREENS)
@pytest.mark.parametrize("share", [0.7, 0.85, 1.0])
@pytest.mark.parametrize("is_copy_judged", [True, False])
def test_thinned_copies_are_found_whichever_side_they_are_on(options, share, is_copy_judged):
    cells = cells_like(1200, **options)
    planted = cells[:150]
    copies = thinned(planted, share, seed=1)
    with_copies = sparse.vstack([cells[800:], copies], format="csr")
    sides = (with_copies, cells[:800]) if is_copy_judged else (cells[:800], with_copies)
    found = copies_between(*sides)
    pairs = np.column_stack([found.judged, found.seen])
    copy, original = pairs.T if is_copy_judged else pairs[:, ::-1].T
    is_deep = np.asarray(planted.sum(axis=1)).ravel() >= 200
    assert (copy - 400 == original).all()
    assert np.isin(np.flatnonzero(is_deep), original).mean() >= 0.99
    assert (found.is_exact == (share == 1)).all()
    assert np.abs(found.shares - share).max() < 0.15


@pytest.mark.parametrize("options", SCREENS.values(), ids=SCREENS)
@pytest.mark.parametrize("seed", range(3))
def test_cells_of_one_type_accuse_nobody(options, seed):
    cells = cells_like(2000, **options, seed=seed)
    assert len(copies_between(cells[:1000], cells[1000:]).judged) == 0


def test_pure_and_impure_cells_of_one_type_accuse_nobody():
    """Red cells are all haemoglobin: an impure one is above a pure one in every gene."""
    rng = np.random.default_rng(0)
    pure, impure = np.zeros((300, 400)), np.zeros((300, 400))
    pure[:, :3], impure[:, :3] = rng.poisson(200, (300, 3)), rng.poisson(205, (300, 3))
    impure[:, 3:] = rng.poisson(0.3, (300, 397))
    is_below = (pure[:, None] <= impure[None]).all(axis=2)
    assert is_below.sum() > 1000
    assert len(copies_between(as_csr(pure), as_csr(impure)).judged) == 0


def test_rows_that_tell_little_may_coincide():
    rng = np.random.default_rng(0)
    cells = as_csr(rng.poisson(0.02, (2000, 100)))
    halves = cells[:1000], cells[1000:]
    equal = (halves[0].toarray()[:, None] == halves[1].toarray()[None]).all(axis=2)
    assert equal.any(axis=1).mean() > 0.3
    assert len(copies_between(*halves).judged) == 0


def test_constant_genes_are_no_evidence():
    ones = as_csr(np.ones((50, 200)))
    assert len(copies_between(ones, ones).judged) == 0


def test_a_copy_of_both_cells_added_up_is_none():
    """A doublet is above both of its cells, at half the depth: no copy at 70 %."""
    cells = cells_like(400, depth=2000)
    doublets = as_csr(cells[:100] + cells[100:200])
    assert len(copies_between(doublets, cells).judged) == 0


def test_log_values_are_searched_for_equal_and_nearly_equal_rows():
    cells = cells_like(600)
    lognorm = log_normalise(cells, np.asarray(cells.sum(axis=1)).ravel(), 1e4)
    nearly = lognorm[:20].copy()
    nearly.data *= np.float32(1.0001)
    judged = sparse.vstack([lognorm[400:], lognorm[20:40], nearly], format="csr")
    found = copies_between(judged, lognorm[:400], Expression.LOGNORM)
    assert dict(zip(found.judged, found.seen, strict=True)) == {
        **{200 + row: 20 + row for row in range(20)},
        **{220 + row: row for row in range(20)},
    }
    assert found.is_exact.sum() == 20


def test_search_goes_block_by_block(monkeypatch):
    cells = cells_like(900)
    copies = thinned(cells[:100], 0.8)
    whole = copies_between(copies, cells)
    monkeypatch.setattr("wildcell.scenarios.duplicates.BIT_SET_BYTES", 2**10)
    parts = copies_between(copies, cells)
    assert len(whole.judged) == 100
    assert (whole.seen == parts.seen).all()


@pytest.mark.parametrize("kind", ["sparse", "dense", "unsorted"])
def test_rows_of_a_file_are_those_in_memory(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(rows_module, "CHUNK", 1000)
    matrix = cells_like(100)
    stored = matrix.toarray() if kind == "dense" else matrix.copy()
    if kind == "unsorted":
        for start, end in zip(matrix.indptr, matrix.indptr[1:], strict=False):
            stored.indices[start:end] = matrix.indices[start:end][::-1]
            stored.data[start:end] = matrix.data[start:end][::-1]
    ad.AnnData(stored).write_h5ad(tmp_path / "cells.h5ad")
    read = read_rows(tmp_path / "cells.h5ad", Expression.COUNTS)
    expected = pack(matrix, Expression.COUNTS)
    for name in ("indptr", "genes", "values"):
        assert (getattr(read, name) == getattr(expected, name)).all()


def test_of_a_large_file_some_genes_are_read_the_same_for_all_cells(tmp_path, monkeypatch):
    matrix = cells_like(300, depth=1000)
    ad.AnnData(matrix).write_h5ad(tmp_path / "cells.h5ad")
    monkeypatch.setattr(rows_module, "MOST_VALUES", matrix.nnz // 2)
    read = read_rows(tmp_path / "cells.h5ad", Expression.COUNTS)
    genes = np.unique(read.genes)
    assert 0.4 < len(genes) / 500 < 0.6
    assert len(read.values) == matrix[:, genes].nnz


def test_counts_that_are_none_are_refused():
    with pytest.raises(DataError, match="negative or not whole"):
        pack(as_csr([[0.5, 1.0]]), Expression.COUNTS)


def test_columns_cannot_be_read_row_by_row(tmp_path):
    ad.AnnData(sparse.csc_matrix(cells_like(20))).write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(DataError, match="write it as CSR"):
        read_rows(tmp_path / "cells.h5ad", Expression.COUNTS)


def suspects_of(judged, seen):
    piles = {
        name: Pile(pack(matrix, Expression.COUNTS), np.arange(matrix.shape[0]))
        for name, matrix in (("judged", judged), ("seen", seen))
    }
    suspicion, suspects = suspect(piles, n_pairs=judged.shape[0] * seen.shape[0])
    return suspicion, suspects["judged"]


FEW_GENES = {"n_genes": 60, "depth": 26, "dispersion": 0, "spread": 0.5}


def test_exact_copies_on_few_genes_are_told_by_how_rare_their_equals_are():
    """Such cells bear too little if unrelated cells may express whatever makes them equal."""
    cells = cells_like(1200, **FEW_GENES)
    suspicion, judged = suspects_of(cells[:600], cells[600:])
    assert (judged.evidence < suspicion.needed).mean() > 0.9
    copied = sparse.vstack([cells[600:], cells[:100]], format="csr")
    found = copies_between(cells[:600], copied)
    assert found.is_exact.all()
    assert (found.seen - 600 == found.judged).all()
    assert len(found.judged) > 80
    assert judged.is_telling[:100].sum() == len(found.judged)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("depth", [3, 8, 15, 26])
def test_few_genes_and_counts_accuse_nobody(depth, seed):
    """Two types that share no gene: each is likelier to repeat itself than all cells say."""
    genes = np.arange(60) < 30
    types = [
        cells_like(1500, **{**FEW_GENES, "depth": 2 * depth}, seed=2 * seed + half)
        for half in (0, 1)
    ]
    cells = sparse.vstack(
        [one.multiply(genes ^ bool(half)).tocsr() for half, one in enumerate(types)], format="csr"
    )
    cells = cells[np.random.default_rng(seed).permutation(3000)]
    halves = cells[:1500], cells[1500:]
    assert len(copies_between(*halves).judged) == 0


def test_copies_that_are_planted_say_how_many_would_be_found():
    for options, low, high in [
        ({"n_genes": 500, "depth": 40}, 0.0, 0.3),
        ({"n_genes": 500, "depth": 1000}, 0.99, 1.0),
    ]:
        cells = cells_like(600, **options)
        suspicion, judged = suspects_of(cells[:300], cells[300:])
        share = planted_share_found(judged, suspicion, np.random.default_rng(0))
        truly = len(copies_between(thinned(cells[:300], 0.75), cells).judged) / 300
        assert low <= share <= high
        assert share == pytest.approx(truly, abs=0.1)
