"""Embeddings of cells: fitted blind, or looked up by name."""

from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.decomposition import PCA

from wildcell.errors import DataError, OptionError
from wildcell.scenarios import embedding
from wildcell.scenarios.embedding import embed_cells, embedding_fingerprint, parse_embedding
from wildcell.scenarios.embedding_file import read_embedding
from wildcell.scenarios.panel import every_gene
from wildcell.scenarios.pca import fit_pca
from wildcell.testing import toy_screen


@pytest.fixture
def screen():
    return toy_screen()


@pytest.fixture
def seen(screen):
    contexts = screen.cells.obs["context"].astype(str)
    return (contexts != min(contexts)).to_numpy()


def embedded(rule, screen, seen):
    panel = every_gene(screen, seen=seen)
    return embed_cells(rule, screen, seen=seen, lognorm=lambda rows: panel.take(rows).lognorm)


@pytest.fixture
def given(screen):
    return np.random.default_rng(0).normal(size=(screen.cells.n_obs, 3))


@pytest.mark.parametrize(
    "rule",
    ["", "pca", "pca:", "pca:0", "pca:-1", "pca:ten", "obsm:", "file:", "none:1", "X_pca", "PCA:5"],
)
def test_rules_that_mean_nothing_are_refused(rule):
    with pytest.raises(OptionError, match="An embedding is none, pca:N"):
        parse_embedding(rule)


def test_rules_are_read_as_written():
    assert parse_embedding("none").kind == "none"
    assert parse_embedding("obsm:X_a:b").key == "X_a:b"
    found = parse_embedding("file:a#b/cells.h5ad#X_uce")
    assert (str(found.path), found.key) == ("a#b/cells.h5ad", "X_uce")
    assert str(parse_embedding("file:a#b.npz").path) == "a#b.npz"


def test_only_what_was_made_elsewhere_calls_for_caution():
    assert parse_embedding("none").caution == parse_embedding("pca:5").caution == ""
    assert "leak" in parse_embedding("obsm:X_uce").caution
    assert "cells.npz" in parse_embedding("file:some/cells.npz").caution


def test_none_is_none(screen, seen):
    assert embedded("none", screen, seen) is None


def test_pca_is_that_of_sklearn(screen, seen):
    panel = every_gene(screen, seen=seen)
    fitted = panel.take(seen).lognorm.toarray().astype(float)
    every = panel.take(np.ones_like(seen)).lognorm.toarray().astype(float)
    other = PCA(n_components=5, svd_solver="full").fit(fitted)
    expected = other.transform(every)

    found = embedded("pca:5", screen, seen)

    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found, expected * signs, atol=1e-6)


def test_pca_never_sees_other_cells(screen, seen):
    cells = screen.cells.copy()
    counts = cells.X.tolil()
    counts[~seen] = 7.0
    cells.X = sparse.csr_matrix(counts)
    cells.obs["total_counts"] = np.asarray(cells.X.sum(axis=1)).ravel()

    first = embedded("pca:5", screen, seen)
    second = embedded("pca:5", replace(screen, cells=cells), seen)

    assert (first[seen] == second[seen]).all()
    assert not np.allclose(first[~seen], second[~seen])


def test_pca_is_the_same_at_every_call_and_by_any_block(screen, seen, monkeypatch):
    first = embedded("pca:5", screen, seen)
    monkeypatch.setattr(embedding, "BLOCK_CELLS", 17)
    second = embedded("pca:5", screen, seen)

    np.testing.assert_allclose(first, second, atol=1e-12)


def test_pca_has_no_more_dimensions_than_the_cells_seen(screen):
    few = np.zeros(screen.cells.n_obs, dtype=bool)
    few[np.flatnonzero(screen.is_control)[:4]] = True

    assert embedded("pca:50", screen, few).shape == (screen.cells.n_obs, 3)


def test_pca_of_cells_that_do_not_differ_is_refused():
    with pytest.raises(DataError, match="3 cells that do not differ"):
        fit_pca(sparse.csr_matrix(np.ones((3, 4))), 2)


def test_pca_axes_are_orthonormal_and_signed_by_their_largest_entry(screen, seen):
    panel = every_gene(screen, seen=seen)
    found = fit_pca(panel.take(seen).lognorm, 6)

    np.testing.assert_allclose(found.axes @ found.axes.T, np.eye(6), atol=1e-8)
    largest = np.abs(found.axes).argmax(axis=1)
    assert (found.axes[np.arange(6), largest] > 0).all()


def test_an_embedding_of_the_data_set_is_taken_as_it_is(screen, seen, given):
    screen.cells.obsm["X_array"] = given.astype(np.float32)
    screen.cells.obsm["X_sparse"] = sparse.csr_matrix(given)
    screen.cells.obsm["X_table"] = pd.DataFrame(given, index=screen.cells.obs_names).rename(
        columns=str
    )

    for key in ("X_array", "X_sparse", "X_table"):
        np.testing.assert_allclose(embedded(f"obsm:{key}", screen, seen), given, rtol=1e-6)
    with pytest.raises(OptionError, match="Did you mean 'X_array'"):
        embedded("obsm:X_arrey", screen, seen)


def test_a_result_is_a_copy(screen, seen, given):
    screen.cells.obsm["X"] = given.copy()

    embedded("obsm:X", screen, seen)[:] = 0

    assert (screen.cells.obsm["X"] == given).all()


def written(path, names, values):
    """Write an embedding in the format of the path's suffix."""
    if path.suffix == ".npz":
        np.savez(path, names=np.array(names, dtype=str), embedding=values)
    elif path.suffix == ".parquet":
        pd.DataFrame(values, index=pd.Index(names, name="cell")).rename(columns=str).to_parquet(
            path
        )
    else:
        cells = ad.AnnData(np.zeros((len(names), 1)), obs=pd.DataFrame(index=list(names)))
        cells.obsm["X_uce"] = values
        cells.write_h5ad(path)
    return path


@pytest.mark.parametrize("name", ["e.npz", "e.parquet", "e.h5ad"])
def test_an_embedding_in_a_file_is_found_by_the_names_of_cells(tmp_path, screen, seen, given, name):
    order = np.random.default_rng(1).permutation(len(given))
    path = written(tmp_path / name, screen.cells.obs_names[order], given[order])
    rule = f"file:{path}" + ("#X_uce" if name.endswith("h5ad") else "")

    assert (embedded(rule, screen, seen) == given).all()


def test_cells_without_an_embedding_are_counted_and_named(tmp_path, screen, seen, given):
    path = written(tmp_path / "e.npz", screen.cells.obs_names[2:], given[2:])

    with pytest.raises(DataError, match=f"^2 of {len(given)} cells.*{screen.cells.obs_names[0]}"):
        embedded(f"file:{path}", screen, seen)


def test_an_embedding_that_is_not_finite_is_refused(screen, seen, given):
    given[5, 1] = np.nan
    screen.cells.obsm["X"] = given

    with pytest.raises(DataError, match=r"^1 of .* not finite"):
        embedded("obsm:X", screen, seen)


def test_files_that_hold_no_embedding_are_refused(tmp_path, given):
    names = [f"cell-{n}" for n in range(len(given))]
    path = written(tmp_path / "twice.npz", ["cell-1", *names[1:]], given)
    with pytest.raises(DataError, match=r"twice.*cell-1"):
        read_embedding(path)
    with pytest.raises(DataError, match="names for"):
        read_embedding(written(tmp_path / "short.npz", names[1:], given))
    with pytest.raises(DataError, match="shape"):
        read_embedding(written(tmp_path / "flat.npz", names, given[:, 0]))
    np.savez(tmp_path / "objects.npz", names=np.array(names, dtype=object), embedding=given)
    with pytest.raises(DataError, match="is an array of Python objects"):
        read_embedding(tmp_path / "objects.npz")
    (tmp_path / "bad.h5ad").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read as an embedding"):
        read_embedding(tmp_path / "bad.h5ad", key="X_uce")
    with pytest.raises(OptionError, match="Did you mean 'X_uce'"):
        read_embedding(written(tmp_path / "e.h5ad", names, given), key="X_use")
    with pytest.raises(OptionError, match="#KEY"):
        read_embedding(tmp_path / "e.h5ad")
    pd.DataFrame({"cell": names, "x": names}).to_parquet(tmp_path / "text.parquet")
    with pytest.raises(DataError, match="not made of numbers"):
        read_embedding(tmp_path / "text.parquet")
    with pytest.raises(DataError, match="are read from"):
        read_embedding(written(tmp_path / "e.npz", names, given).rename(tmp_path / "e.zip"))
    with pytest.raises(DataError, match="no file"):
        read_embedding(tmp_path / "absent.npz")


def test_the_fingerprint_is_that_of_what_the_embedding_is_made_from(tmp_path, screen, given):
    screen.cells.obsm["X"] = given
    path = written(tmp_path / "e.npz", screen.cells.obs_names, given)
    before = embedding_fingerprint("obsm:X", screen), embedding_fingerprint(f"file:{path}", screen)

    screen.cells.obsm["X"] = given + 1
    written(path, screen.cells.obs_names, given + 1)
    after = embedding_fingerprint("obsm:X", screen), embedding_fingerprint(f"file:{path}", screen)

    assert before[0] != after[0]
    assert before[1] != after[1]
    assert embedding_fingerprint("pca:5", screen) == embedding_fingerprint("none", screen) == ""
