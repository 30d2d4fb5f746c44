"""Genetic interactions: nothing is found where nothing interacts, and what is planted is."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import average_precision_score

from wildcell.laws.evidence import draw_clouds, response_of
from wildcell.metrics.interaction import (
    interacting_genes,
    interaction_auprc,
    interaction_of,
    interaction_pearson,
    interaction_r2,
)

N_PAIRS, N_GENES, N_CELLS, N_CONTROLS = 40, 400, 80, 1600
N_ALONE = 2 * N_CELLS


class Screen:
    """Pairs of perturbations, each measured alone in training and together in the test.

    Singles and models have the given controls, the measured pairs the kept ones.
    """

    def __init__(self, interaction, seed=0):
        rng = np.random.default_rng(seed)
        shape = (N_PAIRS, N_GENES)
        self.first, self.second = 0.3 * rng.normal(size=(2, *shape))
        is_hit = rng.random(shape) < 0.2
        self.interaction = interaction * is_hit * rng.choice([-1.0, 1.0], shape)
        given, kept = rng.normal(size=(2, N_CONTROLS, N_GENES))
        alone = [
            effect[:, None] + rng.normal(size=(N_PAIRS, N_ALONE, N_GENES))
            for effect in (self.first, self.second)
        ]
        together = self.exact[:, None] + rng.normal(size=(N_PAIRS, N_CELLS, N_GENES))
        self.given = np.ones(shape) * given.mean(axis=0)
        self.random = 0.4 * rng.normal(size=shape)
        noise = [cells.var(axis=1, ddof=1) / cells.shape[1] for cells in (*alone, together)]
        self.additive = alone[0].mean(axis=1) + alone[1].mean(axis=1) - 2 * self.given
        self.truth = replace(
            response_of(draw_clouds(rng, n=N_PAIRS)),
            mean=together.mean(axis=1),
            control=np.ones(shape) * kept.mean(axis=0),
            error=noise[2],
            control_error=np.ones(shape) * kept.var(axis=0, ddof=1) / N_CONTROLS,
            n_controls=np.full(N_PAIRS, N_CONTROLS),
            targets=None,
            additive=self.additive,
            additive_error=noise[0] + noise[1] + 4 * given.var(axis=0, ddof=1) / N_CONTROLS,
        )

    @property
    def exact(self):
        """The exact effects of the pairs."""
        return self.first + self.second + self.interaction

    def answer(self, delta):
        """Return means that are a delta above the given controls."""
        return replace(self.truth, mean=self.given + delta, control=self.given)

    def pearson(self, delta):
        return interaction_pearson(self.truth, self.answer(delta))

    def r2(self, delta):
        return interaction_r2(self.truth, self.answer(delta))


@pytest.fixture(scope="module")
def none():
    return Screen(interaction=0.0)


@pytest.fixture(scope="module")
def planted():
    return Screen(interaction=0.9)


def test_random_answer_has_no_interaction_where_there_is_none(none):
    scores = none.pearson(none.random)
    assert abs(scores.mean()) < 0.03
    raw = interaction_of(none.truth, none.answer(none.random))
    naive = [pearsonr(a, b).statistic for a, b in zip(raw.predicted, raw.true, strict=True)]
    assert np.mean(naive) > 0.1


def test_no_change_has_no_interaction_where_there_is_none(none):
    assert abs(none.pearson(np.zeros_like(none.first)).mean()) < 0.03


def test_adding_up_is_no_interaction_with_or_without_the_noise(none, planted):
    """It is silence, not a wrong answer."""
    for screen in (none, planted):
        assert np.isnan(screen.pearson(screen.additive)).all()
        assert np.isnan(screen.pearson(screen.first + screen.second)).all()
        assert np.isnan(interaction_auprc(screen.truth, screen.answer(screen.additive))).all()
    raw = interaction_of(none.truth, none.answer(none.first + none.second))
    naive = [pearsonr(a, b).statistic for a, b in zip(raw.predicted, raw.true, strict=True)]
    assert np.mean(naive) > 0.5


@pytest.mark.parametrize("share", [0.5, 0.8, 1.5])
def test_repeating_the_noise_of_the_parts_is_never_rewarded(none, share):
    scores = none.pearson(share * none.additive)
    assert not (np.nanmean(np.append(scores, 0.0)) > 0.03)


def test_oracle_finds_planted_interactions(planted):
    scores = planted.pearson(planted.exact)
    noise = (planted.truth.error + planted.truth.control_error).sum(axis=1)
    signal = (planted.interaction**2).sum(axis=1)
    ceiling = np.sqrt(signal / (signal + noise))
    assert scores.mean() == pytest.approx(ceiling.mean(), abs=0.03)
    assert planted.pearson(planted.truth.delta) == pytest.approx(1.0)
    opposite = planted.first + planted.second - planted.interaction
    assert planted.pearson(opposite).mean() == pytest.approx(-ceiling.mean(), abs=0.03)


def test_random_answer_has_no_part_in_planted_interactions(planted):
    assert abs(planted.pearson(planted.random).mean()) < 0.03


def test_share_of_interaction_explained_is_that_of_the_exact_effects(planted):
    first, second, extra = planted.first, planted.second, planted.interaction
    for delta, expected in [
        (first + second, 0.0),
        (first + second + extra, 1.0),
        (first + second + extra / 2, 0.75),
        (first + second - extra, -3.0),
        (0 * first, 1 - (planted.exact**2).sum() / (extra**2).sum()),
    ]:
        numerator, denominator = planted.r2(delta)
        assert numerator.sum() / denominator.sum() == pytest.approx(expected, rel=0.05, abs=0.03)


def test_adding_up_noisy_singles_is_a_little_worse_than_exact_ones(planted):
    numerator, denominator = planted.r2(planted.additive)
    noise = planted.truth.additive_error.sum()
    assert numerator.sum() / denominator.sum() == pytest.approx(
        -noise / (planted.interaction**2).sum(), rel=0.1
    )


def test_genes_are_called_where_they_interact_and_seldom_elsewhere(none, planted):
    def called(screen):
        raw = interaction_of(screen.truth, screen.answer(screen.exact))
        truth = screen.truth
        return interacting_genes(raw.true, truth.error + truth.control_error + raw.noise, truth)[0]

    assert not called(none).any()
    hits, is_planted = called(planted), planted.interaction != 0
    assert hits[is_planted].mean() > 0.5
    assert (hits & ~is_planted).sum() / hits.sum() < 0.07


def test_where_nothing_interacts_there_is_nothing_to_find(none):
    assert np.isnan(interaction_auprc(none.truth, none.answer(none.exact))).all()


def test_called_genes_are_found_by_an_oracle_and_not_by_chance(planted):
    oracle = interaction_auprc(planted.truth, planted.answer(planted.exact))
    by_chance = interaction_auprc(planted.truth, planted.answer(planted.random))
    assert oracle.mean() > 0.7
    assert abs(by_chance.mean()) < 0.05


def test_precision_is_that_of_scikit_learn_above_the_share(planted):
    truth, answer = planted.truth, planted.answer(planted.random + planted.exact)
    raw = interaction_of(truth, answer)
    error = truth.error + truth.control_error + raw.noise
    hits, _ = interacting_genes(raw.true, error, truth)
    spread = np.sqrt(truth.control_error * N_CONTROLS)
    scores = np.abs(raw.predicted) / (spread + np.median(spread, axis=1, keepdims=True))
    expected = [
        (average_precision_score(label, score) - label.mean()) / (1 - label.mean())
        for label, score in zip(hits, scores, strict=True)
    ]
    np.testing.assert_allclose(interaction_auprc(truth, answer), expected)


def test_targets_are_no_interaction(planted):
    targets = np.zeros((N_PAIRS, N_GENES), dtype=bool)
    targets[:, :2] = True
    truth = replace(planted.truth, targets=targets)
    answer, changed = planted.answer(planted.exact), planted.answer(planted.exact + 50 * targets)
    for metric in (interaction_pearson, interaction_auprc):
        np.testing.assert_allclose(metric(truth, answer), metric(truth, changed))
