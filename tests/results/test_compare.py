"""Models against each other: differences, ranks, win rates, levels."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from wildcell.errors import OptionError
from wildcell.names import SCORE_COLUMNS
from wildcell.results.board import board
from wildcell.results.compare import PAIR_COLUMNS, PLACE_COLUMNS, compare_models
from wildcell.results.compare_words import sentences
from wildcell.results.detectable import blocks_to_see, detectable_difference
from wildcell.results.friedman import context_scores, friedman
from wildcell.results.levels import Level, at_levels, highest, over_datasets
from wildcell.results.naive import beyond_naive
from wildcell.results.rank_intervals import rank_intervals
from wildcell.results.simultaneous import HOLM, MAX_T, differences, holm
from wildcell.results.stats import NEW_CONTEXTS, THESE_CONTEXTS, Sample, Term
from wildcell.results.wins import win_rates

METRIC = "pearson_delta"


def sample(value, *, contexts=None, perturbations=None):
    n = len(value)
    contexts = [f"c{i}" for i in range(n)] if contexts is None else contexts
    perturbations = ["p"] * n if perturbations is None else perturbations
    unknown = np.full(n, np.nan)
    labels = (np.array(list(names), dtype=object) for names in (contexts, perturbations))
    return Sample(*labels, np.asarray(value, float), unknown, unknown)


def table(scores, *, metric=METRIC, **columns):
    """Return a long table of models' scores, a context a score."""
    base = dict.fromkeys(SCORE_COLUMNS, "") | {
        "scenario": "s", "dataset": "d", "arm": "a", "metric": metric, "seed": 0, "fold": 0,
        "category": "single", "numerator": np.nan, "denominator": np.nan, "null": 0.0,
        "perturbation": "p", "status": "ok",
    } | columns  # fmt: skip
    return pd.DataFrame(
        [
            base | {"model": model, "context": f"c{i}", "value": value}
            for model, values in scores.items()
            for i, value in enumerate(values)
        ]
    )


def test_a_pair_equals_the_paired_t_test():
    rng = np.random.default_rng(0)
    one, other = rng.normal(0.6, 0.1, 9), rng.normal(0.5, 0.1, 9)
    found = differences(board({"a": sample(one), "b": sample(other)}, METRIC), rng)
    expected = stats.ttest_rel(one, other)
    assert found.mean[0] == pytest.approx((one - other).mean())
    assert found.p[0] == pytest.approx(expected.pvalue)
    assert found.error[0] == pytest.approx((one - other).std(ddof=1) / 3)


def test_flipped_signs_are_all_of_them_for_few_contexts():
    gains = np.array([0.1, 0.2, 0.15, 0.12, 0.3, 0.05])
    found = differences(
        board({"a": sample(gains), "b": sample(np.zeros(6))}, METRIC), np.random.default_rng(0)
    )
    assert found.method == MAX_T
    assert found.adjusted[0] == pytest.approx(2 / 2**6)


def test_below_six_contexts_the_level_is_held_by_holm():
    rng = np.random.default_rng(0)
    laid = board({name: sample(rng.normal(size=5)) for name in "abc"}, METRIC)
    found = differences(laid, rng)
    assert found.method == HOLM
    assert found.adjusted == pytest.approx(holm(found.p))


@pytest.mark.parametrize("n_contexts", [5, 8])
def test_models_that_do_not_differ_are_seldom_told_apart(n_contexts):
    rng, false = np.random.default_rng(1), 0
    for _ in range(300):
        shared = rng.normal(size=n_contexts)
        laid = board(
            {f"m{i}": sample(shared + rng.normal(size=n_contexts)) for i in range(8)}, METRIC
        )
        false += bool((differences(laid, rng).adjusted < 0.05).any())
    assert false / 300 < 0.09


def test_rank_intervals_hold_true_ranks_and_find_large_differences():
    rng, missed, told = np.random.default_rng(2), 0, 0
    for _ in range(200):
        means = {"a": 0.0, "b": 0.0, "c": 1.0}
        laid = board({name: sample(rng.normal(m, 0.2, 10)) for name, m in means.items()}, METRIC)
        found = rank_intervals(laid, rng)
        missed += found.low[0] > 2 or found.high[0] < 3
        told += found.high[2] == 1
    assert missed / 200 < 0.09
    assert told == 200


def test_low_is_good_turns_merits_but_not_their_size():
    errors = {"good": sample([0.1, 0.2, 0.1, 0.2, 0.1]), "bad": sample([0.5, 0.6, 0.5, 0.6, 0.4])}
    laid = board(errors, "rmse")
    assert laid.mean == pytest.approx([-0.52, -0.14])
    assert laid.models == ("bad", "good")
    assert rank_intervals(laid, np.random.default_rng(0)).rank.tolist() == [2.0, 1.0]


def test_what_few_conditions_answer_is_left_out_and_others_keep_theirs():
    full, part, few = np.arange(8.0), np.arange(8.0) + 1, np.full(8, np.nan)
    part[:2] = np.nan
    few[0] = 1.0
    laid = board({"full": sample(full), "part": sample(part), "few": sample(few)}, METRIC)
    assert laid.models == ("full", "part")
    assert laid.left_out == ("few",)
    assert (laid.n_conditions, laid.n_asked) == (6, 8)
    assert laid.mean == pytest.approx([full[2:].mean(), full[2:].mean() + 1])


def test_models_that_scored_the_same_are_one_and_a_naive_one_stands_for_them():
    scores = np.arange(6.0)
    laid = board({"mine": sample(scores), "perturbed-mean": sample(scores + 1e-9)}, METRIC)
    assert laid.models == ("perturbed-mean",)
    assert laid.twins == {"perturbed-mean": ("mine",)}


def test_in_few_contexts_perturbations_vary():
    contexts = ["a"] * 6 + ["b"] * 6
    laid = board(
        {
            name: sample(
                np.random.default_rng(i).normal(size=12),
                contexts=contexts,
                perturbations=[f"p{j}" for j in range(6)] * 2,
            )
            for i, name in enumerate("xy")
        },
        METRIC,
    )
    assert (laid.level, laid.n_blocks) == (THESE_CONTEXTS, 6)


def test_win_rates_count_ties_half_and_contexts_alike():
    contexts = ["a", "a", "a", "b"]
    one = sample([1, 1, 0, 0], contexts=contexts, perturbations="wxyz")
    other = sample([0, 0, 0, 1], contexts=contexts, perturbations="wxyz")
    found = win_rates(board({"a": one, "b": other}, METRIC), np.array([0]), np.array([1]))
    assert found.rate[0] == pytest.approx(((1 + 1 + 0.5) / 3 + 0) / 2)
    assert 0 <= found.low[0] <= found.rate[0] <= found.high[0] <= 1


def test_friedman_is_the_chi_squared_in_its_f_form():
    scores = np.random.default_rng(0).normal(size=(12, 5)) + np.arange(5) * 0.5
    found = friedman(scores, tuple("abcde"))
    chi = stats.friedmanchisquare(*scores.T).statistic
    f = 11 * chi / (12 * 4 - chi)
    assert found.p == pytest.approx(stats.f.sf(f, 4, 44))
    assert found.critical_difference == pytest.approx(2.728 * np.sqrt(5 * 6 / (6 * 12)), rel=1e-3)
    assert friedman(scores[:4], tuple("abcde")) is None


def test_ratios_are_taken_within_contexts():
    contexts, names = np.array(list("aabb"), dtype=object), np.array(list("wxyz"), dtype=object)
    ratio = Sample(contexts, names, np.full(4, np.nan), np.array([1.0, 1, 1, 3]), np.full(4, 2.0))
    assert context_scores(board({"m": ratio}, "effect_r2"))[:, 0] == pytest.approx([0.5, 1.0])


def test_naive_models_must_each_be_beaten_by_the_margin():
    rng = np.random.default_rng(0)
    scores = {"good": 0.5, "no better": 0.21, "no-change": 0.0, "perturbed-mean": 0.2}
    laid = board({name: sample(rng.normal(m, 0.03, 10)) for name, m in scores.items()}, METRIC)
    found = {one.model: one for one in beyond_naive(laid, margin=0.1)}
    assert found["good"].beats_each
    assert found["good"].naive == "perturbed-mean"
    assert not found["no better"].beats_each
    assert not {one.model: one for one in beyond_naive(laid, margin=0.35)}["good"].beats_each
    alone = board({"good": sample(rng.normal(size=10))}, METRIC)
    assert [one.beats_each for one in beyond_naive(alone)] == [False]


def test_blocks_that_all_agree_are_as_unlikely_as_that_and_no_less():
    scores = np.arange(3.0) + np.arange(5.0)[:, None]
    assert friedman(scores, ("a", "b", "c")).p == pytest.approx(1 / 6**4)
    assert friedman(scores[:, :1] + np.zeros(3), ("a", "b", "c")).p == 1.0


def test_models_are_compared_over_the_seeds_that_all_were_run_on():
    rng = np.random.default_rng(0)
    one, other = rng.normal(0.6, 0.1, 8), rng.normal(0.5, 0.1, 8)
    both = table({"a": one, "b": other})
    more = table({"a": one - 0.5}, seed=1)
    elsewhere = table({"c": one + 1}, seed=7)

    expected = compare_models(both).pairs
    found = compare_models(pd.concat([both, more]))
    assert found.pairs["difference"].tolist() == expected["difference"].tolist()
    apart = compare_models(pd.concat([both, more, elsewhere]))
    assert apart.pairs["difference"].tolist() == expected["difference"].tolist()
    assert set(apart.places["left_out"]) == {"c"}


@pytest.mark.parametrize("margin", [-0.1, np.nan, np.inf])
def test_a_margin_below_nothing_is_refused(margin):
    with pytest.raises(OptionError, match="from 0 on"):
        compare_models(table({"a": [0.1, 0.2]}), margin=margin)


def test_one_model_is_compared_with_nothing():
    found = compare_models(table({"alone": np.arange(6.0)}))
    told = sentences(found.places, found.pairs)
    assert "alone stands alone: there is nothing to compare it with." in told


def test_a_detectable_difference_of_many_pairs_is_told_apart_four_times_in_five():
    rng, models = np.random.default_rng(3), [f"m{i}" for i in range(8)]

    def pairs_of_best(gain):
        scores = {name: rng.normal(gain * (name == "m0"), 0.1, 10) for name in models}
        pairs = compare_models(table(scores)).pairs
        return pairs[pairs["first"] == "m0"]

    size = np.mean([pairs_of_best(0.0)["detectable"].mean() for _ in range(30)])
    told = [(pairs_of_best(size)["better"] == "m0").mean() for _ in range(80)]
    assert 0.7 < np.mean(told) < 0.9


def test_a_detectable_difference_is_seen_four_times_in_five():
    rng, seen, n, sd = np.random.default_rng(3), 0, 12, 0.2
    size = detectable_difference(sd / np.sqrt(n), n)
    for _ in range(2000):
        seen += stats.ttest_1samp(rng.normal(size, sd, n), 0).pvalue < 0.05
    assert seen / 2000 == pytest.approx(0.8, abs=0.04)
    needed = blocks_to_see(size, sd / np.sqrt(n), n)
    assert needed == n
    assert blocks_to_see(0.0, 0.1, 5) is None
    assert np.isnan(detectable_difference(0.1, 1))


def test_levels_say_what_is_lacking():
    few = at_levels([Term(1.0, sample([0.5, 0.6, 0.55]))])
    assert [found.level for found in few] == [
        Level.CONDITIONS, Level.PERTURBATIONS, Level.CONTEXTS,
    ]  # fmt: skip
    assert highest(few) is None
    assert "3, at least 5; above 0 in each" in few[-1].reason
    assert "above 0" not in at_levels([Term(1.0, sample([0.5, -0.6, 0.55]))])[-1].reason
    many = highest(at_levels([Term(1.0, sample(np.linspace(0.4, 0.6, 6)))]))
    assert many.level == Level.CONTEXTS
    assert many.low < 0.5 < many.high
    assert over_datasets([0.1] * 4 + [np.nan]).reason.endswith("4, at least 5")
    assert over_datasets([0.1, 0.2, 0.3, 0.4, 0.5]).reason == ""
    assert at_levels([Term(1.0, sample([np.nan, np.nan]))]) == []


def test_doses_of_one_drug_are_one_witness():
    rng = np.random.default_rng(0)
    drugs = np.repeat(np.arange(12), 4)
    value = rng.normal(size=12)[drugs] + 0.01 * rng.normal(size=48)
    names = [f"d{d}@{i}" for i, d in enumerate(drugs)]
    scores = sample(value, contexts=["c"] * 48, perturbations=names)
    parts = {name: frozenset([f"d{d}"]) for name, d in zip(names, drugs, strict=True)}
    apart = at_levels([Term(1.0, scores)])[1]
    together = at_levels([Term(1.0, scores)], parts)[1]
    means = pd.Series(value).groupby(drugs).mean()
    assert (apart.n, together.n) == (48, 12)
    reach = stats.t.ppf(0.975, 11) * means.std(ddof=1) / np.sqrt(12)
    assert together.high - together.mean == pytest.approx(reach, rel=1e-6)
    assert apart.high - apart.low < 0.6 * (together.high - together.low)


def test_tables_and_sentences_tell_the_same():
    rng = np.random.default_rng(0)
    means = {"no-change": 0.0, "perturbed-mean": 0.3, "good": 0.6, "bad": 0.05, "twin": 0.3}
    scores = {name: rng.normal(mean, 0.02, 8) for name, mean in means.items()}
    scores["twin"] = scores["perturbed-mean"]
    found = compare_models(table(scores))
    assert list(found.pairs) == PAIR_COLUMNS
    assert list(found.places) == PLACE_COLUMNS
    assert len(found.pairs) == 6
    told = " ".join(sentences(found.places, found.pairs))
    assert "good is surely the best." in told
    assert "Beats each naive model, each at 5 %: good (+" in told
    assert "perturbed-mean stands for what scored the same: twin." in told
    places = found.places.set_index("model")
    assert places.loc["good", ["rank", "rank_low", "rank_high"]].tolist() == [1, 1, 1]
    assert places["interval"].unique().tolist() == [NEW_CONTEXTS]


def test_seeds_are_averaged_and_abstentions_count_as_nothing():
    first = table({"a": [0.2] * 6, "b": [0.1] * 6})
    second = table({"a": [0.4] * 6, "b": [np.nan] * 6}, seed=1)
    second.loc[second["model"] == "b", "status"] = "flat"
    places = compare_models(pd.concat([first, second])).places.set_index("model")
    assert places.loc["a", "merit"] == pytest.approx(0.3)
    assert places.loc["b", "merit"] == pytest.approx(0.05)


def test_the_order_of_rows_changes_nothing():
    rng = np.random.default_rng(5)
    scores = table({f"m{i}": rng.normal(size=7) for i in range(4)})
    one, other = compare_models(scores), compare_models(scores.sample(frac=1, random_state=0))
    for first, second in zip(one, other, strict=True):
        pd.testing.assert_frame_equal(first, second)
