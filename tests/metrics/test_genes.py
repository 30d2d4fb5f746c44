"""Top-gene metrics, against sets of gene names."""

from dataclasses import replace

import numpy as np
import pytest

from wildcell.laws.evidence import draw_clouds, random_answer, response_of
from wildcell.metrics.convention import Convention
from wildcell.metrics.genes import (
    down_accuracy,
    opposite_direction,
    top_de_overlap,
    top_de_precision,
    top_genes,
    up_accuracy,
)

N_TOP = 12


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(1)
    truth = draw_clouds(rng)
    responses = response_of(truth), response_of(random_answer(truth, rng))
    return tuple(replace(one, convention=Convention(n_top_genes=N_TOP)) for one in responses)


def by_name(response, row, kept):
    """Return the deltas of one perturbation, by gene."""
    genes = response.genes[kept]
    return dict(zip(genes, response.delta[row][kept], strict=True))


def largest(delta, key):
    """Return the genes for which `key` of the delta is largest and positive."""
    positive = [gene for gene in delta if key(delta[gene]) > 0]
    return set(sorted(positive, key=lambda gene: -key(delta[gene]))[:N_TOP])


def expected(pair, score):
    truth, prediction = pair
    return [
        score(by_name(truth, row, kept), by_name(prediction, row, kept))
        for row, kept in enumerate(truth.kept_genes)
    ]


def test_overlap_is_intersection_over_union(pair):
    def score(true, predicted):
        first, second = largest(true, abs), largest(predicted, abs)
        return len(first & second) / len(first | second)

    assert top_de_overlap(*pair).tolist() == pytest.approx(expected(pair, score))


def test_precision_is_the_share_of_predicted_genes_that_are_true(pair):
    def score(true, predicted):
        found = largest(predicted, abs)
        return len(largest(true, abs) & found) / len(found)

    assert top_de_precision(*pair).tolist() == pytest.approx(expected(pair, score))


def test_opposite_direction_is_the_share_of_true_genes_with_the_other_sign(pair):
    def score(true, predicted):
        genes = largest(true, abs)
        return sum(true[gene] * predicted[gene] < 0 for gene in genes) / len(genes)

    assert opposite_direction(*pair).tolist() == pytest.approx(expected(pair, score))


@pytest.mark.parametrize(("metric", "sign"), [(up_accuracy, 1), (down_accuracy, -1)])
def test_accuracy_is_the_share_of_moving_genes_that_move_that_way(pair, metric, sign):
    def score(true, predicted):
        genes = largest(true, lambda delta: sign * delta)
        return sum(sign * predicted[gene] > 0 for gene in genes) / len(genes)

    assert metric(*pair).tolist() == pytest.approx(expected(pair, score))


def tiny(delta, *, targets=None):
    """Return a response with the deltas given, above a control of zeros."""
    delta = np.array(delta, dtype=float)
    response = response_of(draw_clouds(np.random.default_rng(0), n=len(delta)))
    return replace(
        response,
        mean=delta,
        control=np.zeros_like(delta),
        genes=np.array([f"g{i}" for i in range(delta.shape[1])], dtype=object),
        targets=np.zeros(delta.shape, dtype=bool) if targets is None else np.array(targets),
        convention=Convention(n_top_genes=2),
    )


def test_top_genes_are_the_largest_positive_ones_and_the_earlier_of_equals():
    values = np.array([[3.0, 1.0, 2.0, 2.0], [0.0, -1.0, 0.5, 0.0], [1.0, 1.0, 1.0, 1.0]])
    marked = top_genes(values, 2)
    assert marked.tolist() == [
        [True, False, True, False],
        [False, False, True, False],
        [True, True, False, False],
    ]


def test_more_top_genes_than_genes_are_all_that_are_positive():
    assert top_genes(np.array([[1.0, 0.0, 2.0]]), 99).tolist() == [[True, False, True]]


def test_target_is_no_top_gene():
    truth = tiny([[9.0, 2.0, 1.0, 0.5]], targets=[[True, False, False, False]])
    prediction = tiny([[9.0, 0.0, 1.0, 3.0]], targets=[[True, False, False, False]])
    # True: g1 and g2; predicted: g3 and g2.
    assert top_de_overlap(truth, prediction).tolist() == pytest.approx([1 / 3])


def test_nothing_that_rises_has_no_accuracy():
    truth = tiny([[-1.0, -2.0, 0.0]])
    with np.errstate(invalid="ignore"):
        assert np.isnan(up_accuracy(truth, truth)).all()
        assert down_accuracy(truth, truth).tolist() == [1.0]


def test_gene_that_is_not_predicted_to_move_counts_half_for_each_direction():
    truth, prediction = tiny([[2.0, -1.0, 0.0]]), tiny([[0.0, 0.0, 1.0]])
    assert opposite_direction(truth, prediction).tolist() == [0.5]
    assert up_accuracy(truth, prediction).tolist() == [0.5]
    assert down_accuracy(truth, prediction).tolist() == [0.5]
