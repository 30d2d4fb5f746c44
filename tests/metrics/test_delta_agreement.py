"""Agreement of deltas beyond the headline, against scipy and scikit-learn."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cosine
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import r2_score

from wildcell.laws.evidence import beside_others, draw_clouds, random_answer, response_of
from wildcell.metrics.correlation import pearson_delta
from wildcell.metrics.delta_agreement import (
    cosine_delta,
    pearson_delta_top20,
    pearson_delta_top100,
    pearson_minus_reference,
    r2_delta,
    r2_delta_top20,
    spearman_delta,
)


@pytest.fixture(scope="module")
def pair():
    """A truth and an answer beside other controls; perturbation i targets gene i."""
    rng = np.random.default_rng(1)
    truth = draw_clouds(rng)
    return response_of(truth), response_of(beside_others(random_answer(truth, rng), rng))


def over_rows(pair, of_one, kept=None):
    """Return a score of each true and predicted delta over the genes that count."""
    truth, prediction = pair
    kept = truth.kept_genes if kept is None else kept
    rows = zip(truth.delta, prediction.delta, kept, strict=True)
    return [of_one(a[keep], b[keep]) for a, b, keep in rows]


def top(truth, n):
    """Mark the genes of largest delta by hand."""
    size = np.where(truth.targets, 0, np.abs(truth.delta))
    return size >= np.sort(size, axis=1)[:, -n][:, None]


@pytest.mark.parametrize(
    ("metric", "of_one"),
    [
        (spearman_delta, lambda a, b: spearmanr(a, b).statistic),
        (cosine_delta, lambda a, b: 1 - cosine(a, b)),
        (r2_delta, r2_score),
    ],
)
def test_scores_of_deltas_are_those_of_others_without_the_targets(pair, metric, of_one):
    np.testing.assert_allclose(metric(*pair), over_rows(pair, of_one), rtol=1e-10)


@pytest.mark.parametrize(
    ("metric", "n", "of_one"),
    [
        (pearson_delta_top20, 20, lambda a, b: pearsonr(a, b).statistic),
        (pearson_delta_top100, 100, lambda a, b: pearsonr(a, b).statistic),
        (r2_delta_top20, 20, r2_score),
    ],
)
def test_scores_on_top_genes_look_at_those_of_largest_true_delta(pair, metric, n, of_one):
    kept = top(pair[0], n)
    assert (kept.sum(axis=1) == n).all()
    np.testing.assert_allclose(metric(*pair), over_rows(pair, of_one, kept), rtol=1e-10)


def test_explained_variance_has_no_lower_bound(pair):
    truth, _ = pair
    assert (r2_delta(truth, replace(truth, mean=truth.control - 3 * truth.delta)) < -10).all()


def test_answer_beside_the_reference_is_what_it_adds(pair):
    truth, prediction = pair
    expected = [
        pearsonr((a - m)[keep], (b - m)[keep]).statistic
        for a, b, m, keep in zip(
            truth.delta, prediction.delta, truth.shared, truth.kept_genes, strict=True
        )
    ]
    np.testing.assert_allclose(pearson_minus_reference(*pair), expected, rtol=1e-10)
    repeated = replace(truth, mean=truth.control + truth.shared)
    assert np.isnan(pearson_minus_reference(truth, repeated)).all()


def test_reference_of_training_gives_an_answer_of_what_is_shared_little():
    """With the mean of the tested ones instead, it would correlate 1 with each."""
    rng = np.random.default_rng(0)
    shared, n, n_genes = rng.normal(size=150), 200, 150
    own, noise = rng.normal(size=(2, n, n_genes))
    truth = replace(
        response_of(draw_clouds(rng, n=n)),
        mean=shared + own,
        control=np.zeros((n, n_genes)),
        shared=np.tile(shared, (n, 1)),
        targets=None,
    )
    knowing_no_more = replace(truth, mean=shared + 0.3 * noise)
    assert abs(pearson_minus_reference(truth, knowing_no_more).mean()) < 0.02
    assert pearson_delta(truth, knowing_no_more).mean() > 0.5
