"""Components of the other half of the truth: a replicate is at 0, and nothing else is."""

from functools import cache

import numpy as np
import pytest

from wildcell.laws.evidence import Clouds, response_of
from wildcell.metrics.components import fit_components
from wildcell.metrics.distance import energy_distance_pca, mmd_pca
from wildcell.metrics.grouped import dealt
from wildcell.metrics.pairwise import energy_distance

N_DRAWS = {20: 60, 50: 20, 200: 10}
"""Of so many cells a condition."""

N_PERTURBATIONS = 3
N_GENES = 120
SHARED, SPECIFIC = 0.15, 0.15
"""Standard deviations of the effects over genes; that of cells is 1."""


def experiment(rng, base, effects, n_cells):
    """Draw cells of each effect, shape (n_perturbations, n_cells, n_genes), and controls."""
    cells = base + effects[:, None] + rng.normal(size=(len(effects), n_cells, N_GENES))
    control = base + rng.normal(size=(100, N_GENES))
    return Clouds(np.maximum(cells, 0), np.maximum(control, 0))


def truth_and_answers(seed, n_cells):
    rng = np.random.default_rng([n_cells, seed])
    base, shared = rng.uniform(0, 3, N_GENES), rng.normal(0, SHARED, N_GENES)
    effects = shared + rng.normal(0, SPECIFIC, (N_PERTURBATIONS, N_GENES))
    truth, replicate = (experiment(rng, base, effects, n_cells) for _ in range(2))
    return truth, {
        "replicate": replicate,
        "no change": experiment(rng, base, 0 * effects, n_cells),
        "mean pasted": experiment(rng, base, 0 * effects + shared, n_cells),
        "variance inflated": replicate.with_spread(np.full(N_PERTURBATIONS, 1.5)),
    }


def in_own_components(truth, answer):
    """Return energy distances in components that were fitted to the cells that are compared."""
    whole = fit_components(np.concatenate([*truth.cells, truth.control]))
    return [
        energy_distance(whole.transform(x), whole.transform(y))
        for x, y in zip(truth.cells, answer.cells, strict=True)
    ]


@cache
def scores(n_cells):
    """Return mean scores of each answer, one a seed, and the replicate's in its own components."""
    found = {}
    for seed in range(N_DRAWS[n_cells]):
        truth, answers = truth_and_answers(seed, n_cells)
        own = in_own_components(truth, answers["replicate"])
        found.setdefault("own components", []).append(np.mean(own))
        of_truth = response_of(truth)
        for name, answer in answers.items():
            value = energy_distance_pca(of_truth, response_of(answer)).mean()
            found.setdefault(name, []).append(value)
        value = mmd_pca(of_truth, response_of(answers["replicate"])).mean()
        found.setdefault("replicate by mmd", []).append(value)
    return {name: np.array(values) for name, values in found.items()}


def standard_error(values):
    return values.std(ddof=1) / np.sqrt(len(values))


@pytest.mark.parametrize("answer", ["replicate", "replicate by mmd"])
@pytest.mark.parametrize("n_cells", N_DRAWS)
def test_a_replicate_is_at_zero_on_average(n_cells, answer):
    replicate = scores(n_cells)[answer]
    assert abs(replicate.mean()) < 2 * standard_error(replicate)


@pytest.mark.parametrize("n_cells", N_DRAWS)
def test_in_components_fitted_to_the_compared_cells_no_replicate_is_at_zero(n_cells):
    own = scores(n_cells)["own components"]
    assert own.mean() > 10 * standard_error(own)


@pytest.mark.parametrize("answer", ["no change", "mean pasted", "variance inflated"])
@pytest.mark.parametrize("n_cells", N_DRAWS)
def test_what_is_no_replicate_is_farther(n_cells, answer):
    found = scores(n_cells)
    farther = found[answer] - found["replicate"]
    assert farther.mean() > 5 * standard_error(farther)
    assert (farther > 0).mean() > 0.9


def test_cells_of_a_fold_depend_on_the_name_and_not_on_its_neighbours():
    truth, answers = truth_and_answers(0, 20)
    for clouds in (truth, answers["replicate"]):
        first, second = response_of(clouds).folds
        for row, cells in enumerate(clouds.cells):
            for fold, places in zip((first, second), dealt(20, f"P{row}"), strict=True):
                np.testing.assert_array_equal(fold[row].toarray(), cells[places])


@pytest.mark.filterwarnings("ignore:Degrees of freedom", "ignore:invalid value")
@pytest.mark.parametrize("n_cells", [2, 3])
def test_fewer_than_four_cells_are_compared_in_the_components_of_others(n_cells):
    truth, answers = truth_and_answers(0, n_cells)
    whole = fit_components(truth.control)
    found = energy_distance_pca(response_of(truth), response_of(answers["replicate"]))
    kept = response_of(truth).kept_genes
    expected = [
        energy_distance(*(whole.transform(one, kept=of_row) for one in (x, y)))
        for x, y, of_row in zip(truth.cells, answers["replicate"].cells, kept, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
