"""Arms are compared by what both were asked, and the difference says what it speaks of."""

import numpy as np
import pandas as pd
import pytest

from wildcell.errors import UnknownNameError
from wildcell.names import SHAKEN, SHAKEN_UNDER, SHAM, Status
from wildcell.results.arms import ARM_COLUMNS, DIFFERENCES, NO_DIFFERENCE, compare_arms
from wildcell.results.stats import (
    NEW_CLUSTERS,
    NEW_CONTEXTS,
    OF_THESE_CLUSTERS,
    THESE_CONTEXTS,
    Sample,
    Term,
    contrast,
)

RNG = np.random.default_rng


def table(arm, *, model="mine", value=0.0, contexts=6, seeds=(0,), metric="rmse", **columns):
    """Return the scores of one model in one arm; `value` is of shape (n_contexts, 4), or less."""
    values = np.broadcast_to(value, (contexts, 4)).astype(float)
    rows = [
        {"seed": seed, "context": f"c{context}", "perturbation": f"p{item}", "value": number}
        for seed in seeds
        for (context, item), number in np.ndenumerate(values)
    ]
    words = {"scenario": "asked", "dataset": "screen", "arm": arm, "model": model, "fold": 0}
    rest = {"category": "any", "metric": metric, "numerator": np.nan, "denominator": np.nan}
    ends = {"null": 9.0, "status": str(Status.OK)}
    return pd.DataFrame(rows).assign(**{**words, **rest, **ends, **columns})


def compare(*tables, base="far", **options):
    found = compare_arms(
        pd.concat(tables, ignore_index=True), {"asked": "plain"}, base=base, **options
    )
    assert list(found.columns) == ARM_COLUMNS
    return found.set_index(["arm", "model"])


def test_difference_is_paired_and_its_interval_is_that_of_the_differences():
    rng = RNG(0)
    hard, gap = rng.normal(size=(6, 4)), rng.normal(1.0, 0.1, size=(6, 1))
    found = compare(table("far", value=hard), table("near", value=hard + gap)).loc[("near", "mine")]
    error = gap.std(ddof=1) / np.sqrt(6)
    assert found["difference"] == pytest.approx(gap.mean())
    assert found["difference_high"] - found["difference"] == pytest.approx(2.5706 * error, rel=1e-4)
    assert found["difference_interval"] == NEW_CONTEXTS
    assert found["high"] - found["low"] > 5 * (found["difference_high"] - found["difference_low"])


def test_base_arm_is_not_compared_with_itself_and_without_a_base_nothing_is():
    arms = table("far", value=1.0), table("near", value=2.0)
    assert compare(*arms).loc[("far", "mine"), "base"] == ""
    assert np.isnan(compare(*arms).loc[("far", "mine"), "difference"])
    alone = compare(*arms, base=None)
    assert alone["mean"].tolist() == [1.0, 2.0]
    assert alone["difference"].isna().all()


def test_only_what_both_arms_asked_with_the_same_seed_counts():
    far = table("far", value=1.0, seeds=(0, 1))
    near = table("near", value=2.0, seeds=(1, 2))
    near.loc[near["seed"] == 2, "value"] = 100.0
    lone = far["context"].isin(["c0", "c1"]) & (far["seed"] == 1)
    found = compare(far[~lone], near).loc[("near", "mine")]
    assert found["difference"] == pytest.approx(1.0)
    assert (found["n_paired"], found["n_conditions"], found["n_seeds"]) == (16, 24, 1)


def test_arms_that_share_nothing_have_no_difference():
    found = compare(table("far", seeds=(0,)), table("near", seeds=(1,))).loc[("near", "mine")]
    assert np.isnan(found["difference"])
    assert found["n_paired"] == 0


def test_seeds_are_averaged_before_conditions():
    far, near = table("far", seeds=(0, 1)), table("near", value=1.0, seeds=(0, 1))
    twice = near["context"].isin(["c0", "c1", "c2"])
    near.loc[twice & (near["seed"] == 1), "value"] = 3.0
    found = compare(far, near[~(~twice & (near["seed"] == 1))]).loc[("near", "mine")]
    assert found["difference"] == pytest.approx(1.5)


def test_abstention_takes_its_null_value_and_the_undefined_leaves_both_arms():
    far, near = table("far", value=1.0), table("near", value=2.0)
    near.loc[near["context"] == "c0", ["value", "status"]] = [np.nan, str(Status.MISSING)]
    far.loc[far["context"] == "c1", ["value", "status"]] = [np.nan, str(Status.UNDEFINED)]
    near.loc[near["context"] == "c1", "value"] = 50.0
    found = compare(far, near).loc[("near", "mine")]
    assert found["difference"] == pytest.approx((4 * 1.0 + 8.0) / 5)
    assert found["n_paired"] == 20


def test_shams_and_pseudo_models_are_not_compared():
    found = compare(
        table("far"), table("near"), table("near", value=7.0, category=SHAM),
        table("near", model="ceiling"), table("far", model="replicate"),
    )  # fmt: skip
    assert set(found.index) == {("far", "mine"), ("near", "mine")}
    assert found.loc[("near", "mine"), "mean"] == 0.0


def ratios(arm, rng, gain, **words):
    rows = table(arm, metric="effect_r2", **words)
    size = rng.uniform(1, 3, len(rows))
    return rows.assign(numerator=size * (gain + 0.1 * rng.normal(size=len(rows))), denominator=size)


def test_ratio_of_sums_may_have_other_denominators_in_each_arm():
    """Where arms choose genes of their own; the interval is that of a jackknife over contexts."""
    far, near = ratios("far", RNG(0), 0.3), ratios("near", RNG(1), 0.5)
    found = compare(far, near).loc[("near", "mine")]

    def gap(rows):
        ratio = [
            arm.loc[rows, "numerator"].sum() / arm.loc[rows, "denominator"].sum()
            for arm in (near, far)
        ]
        return ratio[0] - ratio[1]

    left_out = np.array([gap(far["context"] != name) for name in sorted(set(far["context"]))])
    error = np.sqrt(5 / 6 * ((left_out - left_out.mean()) ** 2).sum())
    assert found["difference"] == pytest.approx(gap(far["context"] != ""))
    assert found["difference_high"] - found["difference"] == pytest.approx(2.5706 * error, rel=0.15)


def test_what_the_reference_gains_and_what_a_placebo_gains_is_taken_off():
    arms = [
        table(arm, model=model, value=value)
        for model, values in {"mine": (1.0, 4.0, 2.0, 2.5), "plain": (1.0, 2.0, 1.0, 1.25)}.items()
        for arm, value in zip(["far", "near", "placebo-far", "placebo-near"], values, strict=True)
    ]
    found = compare(*arms)
    assert found.loc[("near", "mine"), DIFFERENCE].tolist() == [3.0, 2.0, 2.5]
    of_reference = found.loc[("near", "plain"), DIFFERENCE]
    assert of_reference[["difference", "beyond_placebo"]].tolist() == [1.0, 0.75]
    assert np.isnan(of_reference["beyond_reference"])
    assert np.isnan(found.loc[("placebo-near", "mine"), "beyond_placebo"])


DIFFERENCE = ["difference", "beyond_reference", "beyond_placebo"]


def test_clusters_are_what_varies_where_they_are_known():
    rng = RNG(0)
    gap = np.repeat(rng.normal(1.0, 0.3, size=4), 2)[:, None]
    arms = table("far", contexts=8), table("near", value=gap, contexts=8)
    clusters = {("asked", "screen"): {f"c{number}": f"k{number // 2}" for number in range(8)}}
    alone = compare(*arms).loc[("near", "mine")]
    found = compare(*arms, clusters=clusters).loc[("near", "mine")]
    error = gap[::2].std(ddof=1) / 2
    assert found["difference"] == alone["difference"]
    assert found["difference_high"] - found["difference"] == pytest.approx(3.1824 * error, rel=1e-3)
    assert (alone["difference_interval"], found["difference_interval"]) == (
        NEW_CONTEXTS,
        NEW_CLUSTERS,
    )


def test_two_clusters_tell_nothing_of_others():
    clusters = {("asked", "screen"): {f"c{number}": f"k{number // 3}" for number in range(6)}}
    found = compare(table("far"), table("near"), clusters=clusters).loc[("near", "mine")]
    assert found["difference_interval"] == OF_THESE_CLUSTERS
    few = compare(table("far", contexts=3), table("near", contexts=3), clusters=clusters)
    assert few.loc[("near", "mine"), "difference_interval"] == THESE_CONTEXTS


def test_interval_over_clusters_covers_where_that_over_contexts_does_not():
    """Six clusters of three contexts, which share most of their deviation."""
    rng, blank = RNG(0), np.full(18, np.nan)
    names = np.array([f"c{number}" for number in range(18)], dtype=object)
    clusters = {name: f"k{number // 3}" for number, name in enumerate(names)}
    alike = np.full(18, "p", dtype=object)
    covered = {NEW_CLUSTERS: 0, NEW_CONTEXTS: 0}
    for _ in range(400):
        value = np.repeat(rng.normal(size=6), 3) + 0.3 * rng.normal(size=18)
        terms = [Term(1.0, Sample(names, alike, value, blank, blank))]
        for known in (clusters, {}):
            found = contrast(terms, known)
            covered[found.level] += found.low <= 0 <= found.high
    assert 0.93 <= covered[NEW_CLUSTERS] / 400 <= 0.98
    assert covered[NEW_CONTEXTS] / 400 < 0.85


def test_metrics_and_questions_are_compared_each_by_itself():
    both = (
        table("far"),
        table("near", value=1.0),
        table("far", metric="mae"),
        table("near", metric="mae"),
    )
    assert set(compare(*both)["metric"]) == {"rmse", "mae"}
    assert set(compare(*both, metrics=["mae"])["metric"]) == {"mae"}
    other = table("other", value=5.0, dataset="another")
    found = compare(*both, other, metrics=["rmse"])
    assert found.loc[("near", "mine"), "difference"] == 1.0
    assert found.loc[("other", "mine"), "base"] == ""


def test_arm_that_there_is_not_is_named():
    with pytest.raises(UnknownNameError, match=r"No run is of an arm 'neer'\. Did you mean 'near'"):
        compare(table("far"), table("near"), base="neer")


def test_what_is_no_number_says_why():
    silent = table("near", model="mute", value=np.nan, status=str(Status.NOT_APPLICABLE))
    found = compare(
        table("far"),
        table("far", model="plain"),
        table("far", model="mute", value=np.nan, status=str(Status.NOT_APPLICABLE)),
        table("near"),
        table("near", model="plain"),
        silent,
        table("near", model="alone"),
        table("late", seeds=(5,)),
    )
    shown = found[["status", *(f"{name}_status" for name in DIFFERENCES)]]
    assert shown.loc[("near", "mine")].tolist() == ["ok", "ok", "ok", "no_placebo"]
    assert shown.loc[("far", "mine")].tolist() == ["ok", *["is_base"] * 3]
    assert shown.loc[("near", "plain")].tolist() == ["ok", "ok", "is_reference", "no_placebo"]
    assert shown.loc[("near", "mute")].tolist() == ["not_applicable"] * 4
    assert shown.loc[("near", "alone")].tolist() == ["ok", *["no_base"] * 3]
    assert shown.loc[("late", "mine")].tolist()[:3] == ["ok", "not_paired", "no_reference"]
    assert set(shown.to_numpy().ravel()) <= {*map(str, Status), *NO_DIFFERENCE}
    assert (found["mean"].notna() == (found["status"] == "ok")).all()


def test_what_controls_do_to_all_conditions_widens_and_cancels_where_both_arms_share_it():
    def interval(first, second):
        moved = [
            {**dict.fromkeys([*SHAKEN, *SHAKEN_UNDER], 0.0), SHAKEN[0]: shift}
            for shift in (first, second)
        ]
        values = RNG(0).normal(size=(2, 3, 4))
        found = compare(
            *(
                table(arm, value=value, contexts=3, metric="pearson_delta", **columns)
                for arm, value, columns in zip(("far", "near"), values, moved, strict=True)
            )
        ).loc[("near", "mine")]
        return found["difference_high"] - found["difference_low"]

    assert interval(0.9, 0.9) == pytest.approx(interval(0.0, 0.0))
    assert interval(0.9, 0.0) > 1.2 * interval(0.0, 0.0)
