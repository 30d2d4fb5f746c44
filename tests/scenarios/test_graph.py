"""Graphs between genes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.errors import OptionError, UnknownNameError
from wildcell.names import Expression
from wildcell.scenarios import graph
from wildcell.scenarios.gene_sets import membership_of
from wildcell.scenarios.graph import coexpression_graph, overlap_graph
from wildcell.scenarios.task import Cells

SETS = {"a": ["X", "Y"], "b": ["Y", "Z"], "c": ["X", "Y", "W"], "d": ["V"]}


def cells_of(values, contexts=None):
    n_cells, n_genes = values.shape
    return Cells(
        X=sparse.csr_matrix(values, dtype=np.float32),
        genes=np.array([f"G{gene}" for gene in range(n_genes)], dtype=object),
        obs=pd.DataFrame({"context": contexts or ["one"] * n_cells}),
        expression=Expression.LOGNORM,
    )


@pytest.fixture
def values():
    rng = np.random.default_rng(3)
    factors = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 25))
    return (np.maximum(factors + rng.normal(size=(200, 25)), 0)).astype(np.float32)


def neighbours_by_sorting(weights, k):
    """Return the k largest weights of each row, one gene after the other."""
    expected = np.zeros_like(weights)
    for gene, row in enumerate(weights):
        for other in np.argsort(-row, kind="stable")[:k]:
            expected[gene, other] = row[other]
    return expected


@pytest.mark.parametrize("share", [0.0, 1.1])
def test_coexpression_is_absolute_pearson_of_the_nearest(values, monkeypatch, share):
    monkeypatch.setattr(graph, "DENSE_SHARE", share)
    monkeypatch.setattr(graph, "BLOCK_GENES", 7)
    monkeypatch.setattr(graph, "BLOCK_CELLS", 33)
    weights = np.abs(np.corrcoef(values.T.astype(float)))
    np.fill_diagonal(weights, 0)

    found = coexpression_graph(cells_of(values), n_neighbours=4)

    np.testing.assert_allclose(
        found.adjacency.toarray(), neighbours_by_sorting(weights, 4), atol=1e-9
    )
    assert list(found.names) == list(cells_of(values).genes)


def test_counts_are_correlated_as_log_values():
    rng = np.random.default_rng(0)
    counts = rng.poisson(3, size=(50, 6)).astype(np.float32)
    cells = replace(
        cells_of(counts),
        obs=pd.DataFrame({"total_counts": counts.sum(axis=1)}),
        expression=Expression.COUNTS,
        target_sum=20.0,
    )
    expected = np.abs(np.corrcoef(cells.lognorm.toarray().T.astype(float)))

    found = coexpression_graph(cells).adjacency.toarray()

    np.testing.assert_allclose(found + np.eye(6), expected, atol=1e-6)


def test_differences_between_groups_can_be_left_out():
    rng = np.random.default_rng(0)
    noise = rng.random((100, 2))
    contexts = ["one"] * 50 + ["two"] * 50
    shifted = noise + 5 * np.repeat([0, 1], 50)[:, None]

    plain = coexpression_graph(cells_of(shifted, contexts)).adjacency.toarray()
    within = coexpression_graph(cells_of(shifted, contexts), within="context").adjacency.toarray()

    residual = noise - np.repeat([noise[:50].mean(axis=0), noise[50:].mean(axis=0)], 50, axis=0)
    assert plain[0, 1] > 0.95
    assert within[0, 1] == pytest.approx(abs(np.corrcoef(residual.T)[0, 1]), abs=1e-4)


def test_a_gene_that_does_not_vary_is_isolated(values):
    values[:, [2, 5]] = 0.3, 0.0

    found = coexpression_graph(cells_of(values), n_neighbours=30)

    assert found.isolated == ["G2", "G5"]
    assert np.isfinite(found.adjacency.data).all()
    assert found.adjacency.data.max() <= 1
    assert (found.adjacency.data > 0).all()


def test_weak_correlations_make_no_edge(values):
    found = coexpression_graph(cells_of(values), n_neighbours=30, above=0.5).adjacency

    assert found.data.min() > 0.5


def test_the_same_cells_make_the_same_graph_and_stay_as_they_are(values):
    cells = cells_of(values)
    before = cells.X.copy()

    first, second = (coexpression_graph(cells).adjacency for _ in range(2))

    assert (first != second).nnz == 0
    assert (before != cells.X).nnz == 0


def test_odd_options_of_coexpression_are_refused(values):
    with pytest.raises(OptionError, match="1 neighbour"):
        coexpression_graph(cells_of(values), n_neighbours=0)
    with pytest.raises(UnknownNameError, match="context"):
        coexpression_graph(cells_of(values), within="contxt")


@pytest.mark.parametrize("measure", ["jaccard", "cosine"])
def test_overlap_is_that_of_the_sets_of_each_pair(measure):
    found = overlap_graph(membership_of(SETS, min_size=1), measure=measure)
    of = {gene: {name for name in SETS if gene in SETS[name]} for gene in found.names}

    for i, one in enumerate(found.names):
        for j, other in enumerate(found.names):
            shared = len(of[one] & of[other])
            whole = (
                len(of[one] | of[other])
                if measure == "jaccard"
                else np.sqrt(len(of[one]) * len(of[other]))
            )
            expected = 0 if i == j else shared / whole
            assert found.adjacency[i, j] == pytest.approx(expected)
    assert found.isolated == ["V"]


def test_nodes_are_those_named_and_strangers_are_isolated():
    found = overlap_graph(membership_of(SETS, min_size=1), names=["stranger", "Y", "X"])

    assert list(found.names) == ["stranger", "Y", "X"]
    assert found.isolated == ["stranger"]
    assert found.adjacency[1, 2] == found.adjacency[2, 1] == pytest.approx(2 / 3)


def test_of_equals_those_that_come_first_are_neighbours(monkeypatch):
    monkeypatch.setattr(graph, "BLOCK_GENES", 2)
    genes = [f"G{n}" for n in range(6)]

    found = overlap_graph(membership_of({"all": genes}, min_size=1), n_neighbours=2)

    edges = [np.flatnonzero(row).tolist() for row in found.adjacency.toarray()]
    assert edges == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1], [0, 1]]
    assert (found.symmetric != found.symmetric.T).nnz == 0
    assert found.symmetric[0, 5] == 1


def test_odd_options_of_overlap_are_refused():
    membership = membership_of(SETS, min_size=1)
    with pytest.raises(OptionError, match="jaccard or cosine"):
        overlap_graph(membership, measure="dice")
    with pytest.raises(OptionError, match="twice"):
        overlap_graph(membership, names=["X", "X"])
    with pytest.raises(OptionError, match="1 neighbour"):
        overlap_graph(membership, n_neighbours=0)
