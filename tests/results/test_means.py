"""Means by context, by condition and in the worst context are three numbers, each named."""

import numpy as np
import pandas as pd
import pytest

from wildcell.names import Status
from wildcell.results.means import MACRO, MICRO, means
from wildcell.results.rank import rank
from wildcell.results.stats import Sample, estimate

CONTEXTS = np.array(["a"] * 3 + ["b"], dtype=object)
UNKNOWN = np.full(4, np.nan)


def sample_of(value, *, numerator=UNKNOWN, denominator=UNKNOWN, **options):
    names = np.array(list("wxyz"), dtype=object)
    parts = [np.asarray(part, dtype=float) for part in (value, numerator, denominator)]
    return Sample(CONTEXTS, names, *parts, **options)


def test_contexts_have_equal_weight_in_macro_and_conditions_in_micro():
    found = means(sample_of([0.6, 0.6, 0.6, 0.2]), best="high")
    assert found.macro == pytest.approx(0.4)
    assert found.micro == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("best", "value", "worst"),
    [("high", [1, 1, 1, 0], "b"), ("low", [1, 1, 1, 0], "a"), ("zero", [1, 1, 1, -2], "b")],
)
def test_the_worst_context_is_worst_in_the_sense_of_the_metric(best, value, worst):
    assert means(sample_of(value), best=best).worst_context == worst


def test_the_mean_that_models_are_ranked_by_is_the_one_that_is_named():
    plain = sample_of([0.6, 0.6, 0.6, 0.2])
    ratio = sample_of(UNKNOWN, numerator=[1, 1, 1, 1], denominator=[1, 1, 1, 7])
    for sample, kind in ((plain, MACRO), (ratio, MICRO)):
        found = means(sample, best="high")
        assert found.mean_kind == kind
        assert getattr(found, kind) == pytest.approx(estimate(sample).mean)


def test_a_ratio_is_taken_of_sums_in_each_context():
    ratio = sample_of(UNKNOWN, numerator=[3, 0, 0, 1], denominator=[1, 1, 1, 4])
    found = means(ratio, best="high")
    assert (found.micro, found.macro) == pytest.approx((4 / 7, (1 + 0.25) / 2))
    assert (found.worst, found.worst_context) == (0.25, "b")


def test_a_context_without_effects_has_no_share_of_them():
    ratio = sample_of(UNKNOWN, numerator=[1, 1, 1, 5], denominator=[1, 1, 1, -0.5])
    found = means(ratio, best="high")
    assert (found.macro, found.worst, found.worst_context) == (1.0, 1.0, "a")


def test_silence_in_a_context_does_not_lift_the_mean_of_logarithms():
    silent = sample_of(UNKNOWN, numerator=[1, 1, 1, 0], denominator=[1, 1, 1, 0], is_log=True)
    found = means(silent, best="zero")
    assert found.worst_context == "b"
    assert abs(found.worst) > abs(found.macro) > abs(found.micro) > 1


def test_nothing_known_has_no_mean():
    found = means(sample_of(UNKNOWN), best="high")
    assert np.isnan([found.macro, found.micro, found.worst]).all()


def test_the_worst_context_shows_how_many_of_its_rows_were_scored():
    rows = [
        {"context": context, "perturbation": name, "value": value, "status": str(status)}
        for context, name, value, status in [
            ("a", "x", 0.5, Status.OK),
            ("a", "y", 0.5, Status.OK),
            ("b", "x", np.nan, Status.FLAT),
            ("b", "y", 0.4, Status.OK),
        ]
    ]
    words = {"scenario": "asked", "dataset": "screen", "arm": "any", "model": "mine", "seed": 0}
    more = {"fold": 0, "category": "one", "metric": "pearson_delta", "null": 0.0}
    parts = {"numerator": np.nan, "denominator": np.nan}
    (row,) = rank(pd.DataFrame(rows).assign(**words, **more, **parts), {}).to_dict("records")
    assert (row["worst_context"], row["worst_scored"], row["worst_expected"]) == ("b", 1, 2)
    assert (row["macro"], row["worst"]) == pytest.approx((0.35, 0.2))
