"""How predicted cells vary, as metrics: which cells and genes are looked at, and when."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from wildcell.laws.evidence import draw_clouds, random_answer, response_of
from wildcell.metrics import structure
from wildcell.metrics.convention import Convention
from wildcell.metrics.metric import METRICS
from wildcell.results.score import Case, compute, score_case

N = 3
MEASURES = {
    "variance_ratio": structure.log_variance_ratio,
    "mean_variance": structure.mean_variance_error,
    "zero_fraction": structure.zero_fraction_agreement,
    "gene_correlations": structure.correlation_agreement,
    "top_eigenvalue": structure.log_eigenvalue_ratio,
}


@pytest.fixture(scope="module")
def clouds():
    rng = np.random.default_rng(0)
    truth = draw_clouds(rng, n=N)
    return truth, random_answer(truth, rng)


@pytest.fixture(scope="module")
def responses(clouds):
    return [response_of(one) for one in clouds]


def statuses(name, truth, prediction):
    case = Case(truth, prediction, prediction, np.zeros(N, dtype=bool))
    return set(score_case(case, [METRICS.get(name)])["status"])


@pytest.mark.parametrize("name", MEASURES)
def test_structure_is_that_of_the_cells_without_their_targets(name, clouds, responses):
    kept = responses[0].kept_genes
    expected = [
        MEASURES[name](x[:, use], y[:, use])
        for x, y, use in zip(clouds[0].cells, clouds[1].cells, kept, strict=True)
    ]
    found = compute(METRICS.get(name), *responses)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_library_sizes_are_compared_as_scipy_does(clouds, responses):
    expected = [
        wasserstein_distance(*(np.log2(np.expm1(one).sum(axis=1)) for one in both))
        for both in zip(clouds[0].cells, clouds[1].cells, strict=True)
    ]
    np.testing.assert_allclose(compute(METRICS.get("library_size"), *responses)[0], expected)


def test_library_sizes_are_those_of_the_cells_that_are_drawn(responses):
    few = Convention(max_cells=6)
    truth, prediction = (replace(one, convention=few) for one in responses)
    found = compute(METRICS.get("library_size"), truth, prediction)[0]
    for row in range(N):
        drawn = [np.expm1(one.sample[row].toarray()).sum(axis=1) for one in (truth, prediction)]
        assert found[row] == pytest.approx(wasserstein_distance(*np.log2(drawn)))


@pytest.mark.parametrize("name", [*MEASURES, "library_size"])
def test_means_alone_have_no_structure(name, responses):
    truth, prediction = responses
    assert statuses(name, truth, replace(prediction, cells=None)) == {"needs_cells"}


def test_library_sizes_need_counts(responses):
    truth, prediction = responses
    unknown = replace(prediction, library_sizes=None)
    assert statuses("library_size", truth, unknown) == {"needs_counts"}
    assert statuses("library_size", replace(truth, library_sizes=None), prediction) == {
        "needs_counts"
    }
