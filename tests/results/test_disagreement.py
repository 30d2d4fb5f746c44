"""Metrics that agree, metrics that do not, and conventions that flip."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from wildcell.names import SCORE_COLUMNS
from wildcell.results.attribution import (
    ALL_DATASETS,
    attribute_over_datasets,
    attribute_variance,
)
from wildcell.results.conventions import OURS, SILENCE_LEFT_OUT, by_preset
from wildcell.results.disagreement import disagreement, sentences
from wildcell.results.flips import convention_flips
from wildcell.results.orders import compare_orders
from wildcell.results.published import published_agreement, read_published
from wildcell.results.rank import rank
from wildcell.results.specification import specification_curve, without_one_metric
from wildcell.results.votes import correlations_over_conditions, means_of_models, opinions

REFERENCES = {"s": "perturbed-mean"}
MODELS = ["perturbed-mean", "m1", "m2", "m3", "m4", "m5"]


def table(merits, *, preset="wildcell", status="ok"):
    """Return a long table: `merits` gives each metric's scores, (n_models, n_contexts)."""
    base = dict.fromkeys(SCORE_COLUMNS, "") | {
        "scenario": "s", "dataset": "d", "arm": "a", "seed": 0, "fold": 0, "preset": preset,
        "category": "single", "numerator": np.nan, "denominator": np.nan, "null": 0.0,
        "perturbation": "p", "status": status,
    }  # fmt: skip
    return pd.DataFrame(
        [
            base | {"metric": metric, "model": model, "context": f"c{i}", "value": value}
            for metric, rows in merits.items()
            for model, row in zip(MODELS, rows, strict=True)
            for i, value in enumerate(row)
        ]
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def means_and_noise(rng, means, n=12, noise=0.02):
    return np.array(means)[:, None] + noise * rng.normal(size=(len(means), n))


def test_metrics_that_are_functions_of_each_other_are_one_opinion(rng):
    scores = rng.normal(size=(6, 30))
    long = table(
        {"pearson_delta": scores, "cosine_lfc": np.tanh(scores), "rmse": rng.random((6, 30))}
    )
    found = correlations_over_conditions(long, models=MODELS)
    leaders = opinions(["pearson_delta", "cosine_lfc", "rmse"], found)

    assert leaders == {
        "pearson_delta": "pearson_delta",
        "cosine_lfc": "pearson_delta",
        "rmse": "rmse",
    }
    pair = found.set_index(["first", "second"]).loc[("cosine_lfc", "pearson_delta")]
    assert pair["correlation"] == pytest.approx(1.0)
    assert pair["n_models"] == 6


def test_low_is_good_turns_a_correlation():
    scores = np.random.default_rng(0).normal(size=(6, 20))
    found = correlations_over_conditions(
        table({"pearson_delta": scores, "rmse": scores}), models=MODELS
    )

    assert found["correlation"].iloc[0] == pytest.approx(-1.0)


def test_tau_is_that_of_kendall_and_opposite_orders_are_contradictions(rng):
    means = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    one, other = means_and_noise(rng, means), means_and_noise(rng, means[::-1])
    found = compare_orders(table({"pearson_delta": one, "cosine_lfc": other})).iloc[0]

    assert found["tau"] == pytest.approx(
        stats.kendalltau(one.mean(axis=1), other.mean(axis=1)).statistic
    )
    assert found["told_apart"] == found["flips"] == found["n_pairs"] == 15
    assert found["high"] < found["tau_again"]


def test_noise_alone_is_no_disagreement(rng):
    scores = {name: rng.normal(size=(6, 12)) for name in ("pearson_delta", "cosine_lfc")}
    found = compare_orders(table(scores)).iloc[0]

    assert found["told_apart"] == 0
    assert abs(found["tau_again"]) < 0.8


def test_more_metrics_must_be_surer_of_a_contradiction(rng):
    means = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    two = {
        "pearson_delta": means_and_noise(rng, means, n=7),
        "cosine_lfc": means_and_noise(rng, means[::-1], n=7),
    }
    others = ("pearson_specific", "retrieval_cosine", "de_auprc", "de_direction")
    noise = {name: rng.normal(size=(6, 7)) for name in others}

    assert compare_orders(table(two))["told_apart"].tolist() == [15]
    assert compare_orders(table({**two, **noise}))["told_apart"].sum() == 0


def test_a_specification_curve_counts_every_way_once(rng):
    long = table(
        {name: means_and_noise(rng, np.arange(6) / 10) for name in ("pearson_delta", "rmse")}
    )
    curve = specification_curve({OURS: rank(long, REFERENCES)})
    of_best = curve[curve["model"] == "m5"]

    assert len(of_best) == 6
    assert set(of_best["average"]) == {"macro", "micro", "worst"}
    is_high = of_best["metric"] == "pearson_delta"
    assert of_best.loc[is_high, "is_better"].all()
    assert not of_best.loc[~is_high, "is_better"].any()
    assert of_best["is_sure"].sum() == 2


def test_the_first_is_told_without_each_metric(rng):
    merits = {
        "pearson_delta": means_and_noise(rng, [0, 0, 0, 0, 0.4, 0.5]),
        "cosine_lfc": means_and_noise(rng, [0, 0, 0, 0, 0.5, 0.4]),
        "spearman_lfc": means_and_noise(rng, [0, 0, 0, 0, 0.5, 0.4]),
    }
    found = without_one_metric(means_of_models(table(merits)), {}).set_index("left_out")["first"]

    assert found[""] == "m4"
    assert found["pearson_delta"] == "m4"


def test_what_scores_vary_with_is_what_was_planted(rng):
    model = np.arange(6)[:, None] * np.ones((1, 10))
    context = np.arange(10)[None, :] * np.ones((6, 1))
    of_models = attribute_variance(
        {OURS: table({"pearson_delta": model, "cosine_lfc": model + 0.01 * rng.random((6, 10))})}
    ).set_index("source")["share"]
    of_contexts = attribute_variance(
        {
            OURS: table(
                {"pearson_delta": context, "cosine_lfc": context + 0.01 * rng.random((6, 10))}
            )
        }
    ).set_index("source")["share"]

    assert of_models["model"] > 0.9
    assert of_contexts["context"] > 0.9
    assert of_models.sum() == pytest.approx(1.0)


def test_a_convention_that_turns_models_is_what_scores_vary_with(rng):
    rising = np.arange(6)[:, None] + 0.1 * rng.random((6, 10))
    ours = table({"pearson_delta": rising, "cosine_lfc": rising})
    turned = {"pearson_delta": rising[::-1], "cosine_lfc": rising[::-1]}
    level = {
        name: values - 10
        for name, values in {"pearson_delta": rising, "cosine_lfc": rising}.items()
    }
    of_turned, of_level = (
        attribute_variance(by_preset(ours, table(values, preset="welch-test"))).set_index("source")[
            "share"
        ]
        for values in (turned, level)
    )

    assert of_turned["model x convention"] > 0.9
    assert of_level["convention"] > 0.6
    assert of_turned.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("lacking", ["metric", "models"])
def test_a_convention_that_knows_less_is_no_factor_and_takes_nothing_away(rng, lacking):
    rising = np.arange(6)[:, None] + 0.1 * rng.random((6, 10))
    ours = table({"pearson_delta": rising, "cosine_lfc": rising})
    theirs = table({"pearson_delta": rising[::-1], "cosine_lfc": rising[::-1]}, preset="welch-test")
    known = theirs["metric"] == "cosine_lfc" if lacking == "metric" else theirs["model"] == "m1"

    pd.testing.assert_frame_equal(
        attribute_variance(by_preset(ours, theirs[known])), attribute_variance({OURS: ours})
    )


def test_where_nothing_counts_nothing_is_attributed(rng):
    scores = table({"pearson_delta": rng.random((6, 10))})
    two = pd.concat([scores, scores.assign(dataset="e")])

    assert attribute_variance({OURS: two}, metrics=[]).empty
    assert attribute_over_datasets(two, metrics=[]).empty


def test_data_sets_without_a_metric_in_common_are_not_compared(rng):
    merits = {
        name: means_and_noise(rng, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
        for name in ("pearson_delta", "rmse")
    }
    here, there = (table({name: values}) for name, values in merits.items())
    found = disagreement(
        pd.concat([here, there.assign(dataset="e")]), REFERENCES, only_usable=False
    )

    assert ALL_DATASETS not in set(found.attribution["dataset"])
    assert len(list(sentences(found))) == 2


def test_data_sets_that_turn_models_are_what_scores_vary_with(rng):
    rising = np.arange(6)[:, None] + 0.1 * rng.random((6, 4))
    here = table({"pearson_delta": rising, "cosine_lfc": rising})
    there = table({"pearson_delta": rising[::-1], "cosine_lfc": rising[::-1]})
    found = attribute_over_datasets(pd.concat([here, there.assign(dataset="e")]))
    share = found.set_index("source")["share"]

    assert set(found["dataset"]) == {ALL_DATASETS}
    assert share["model x dataset"] > 0.9
    assert attribute_over_datasets(here).empty


def test_a_specification_is_asked_under_each_convention(rng):
    means = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    ours = table(
        {"pearson_delta": means_and_noise(rng, means), "cosine_lfc": means_and_noise(rng, means)}
    )
    below = {
        name: means_and_noise(rng, [0.1, 0, 0, 0, 0, 0]) for name in ("pearson_delta", "cosine_lfc")
    }
    found = disagreement(
        ours, REFERENCES, otherwise=table(below, preset="shared-controls"), only_usable=False
    )
    better = found.curve[found.curve["model"] == "m5"].groupby("convention")["is_better"].mean()

    assert better.to_dict() == {OURS: 1.0, "shared-controls": 0.0}
    assert found.shares.set_index("model")["n"]["m5"] == 12


def test_a_convention_that_turns_two_models_is_one_flip(rng):
    means = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    turned = [0.1, 0.2, 0.3, 0.4, 0.6, 0.5]
    ours = table({"pearson_delta": means_and_noise(rng, means)})
    theirs = table({"pearson_delta": means_and_noise(rng, turned)}, preset="shared-controls")
    found = convention_flips(ours, theirs).set_index("convention").loc["shared-controls"]

    assert (found["flips"], found["sure_flips"], found["n_pairs"]) == (1, 1, 15)
    assert found["which"] == "m4 / m5"
    assert (found["first_before"], found["first_after"]) == ("m5", "m4")


def test_silence_left_out_flips_what_silence_cost(rng):
    long = table({"pearson_delta": means_and_noise(rng, [0.1, 0.2, 0.3, 0.4, 0.5, 0.7])})
    silent = (long["model"] == "m5") & long["context"].isin([f"c{i}" for i in range(6)])
    long.loc[silent, ["value", "status"]] = [np.nan, "flat"]
    found = convention_flips(long).set_index("convention").loc[SILENCE_LEFT_OUT]

    assert found["first_before"] == "m4"
    assert found["first_after"] == "m5"


def test_everything_is_told_of_a_folder_of_scores(rng):
    merits = {
        "pearson_delta": means_and_noise(rng, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
        "cosine_lfc": means_and_noise(rng, [0.6, 0.5, 0.4, 0.3, 0.2, 0.1]),
    }
    found = disagreement(table(merits), REFERENCES, only_usable=False)
    ((question, told),) = sentences(found)

    assert question == ("s", "d", "a")
    assert any("contradict each other in 15 and agree in 0" in sentence for sentence in told)
    assert set(found.tables()) == {
        "opinions", "correlations", "orders", "curve", "shares", "left_out", "attribution", "flips",
    }  # fmt: skip


def test_the_printed_tables_are_those_of_the_paper():
    printed = read_published().pivot_table(
        index="model", columns=["category", "metric"], values="value"
    )
    agreement = published_agreement().set_index("category")

    assert printed.shape == (11, 8)
    assert printed.loc["CPA", ("single", "pearson_delta")] == 0.38
    assert printed.loc["STATE", ("combo-2", "spearman_lfc")] == 0.25
    assert agreement.loc["single", "tau"] < 0.5 < agreement.loc["combo-0", "tau"]
