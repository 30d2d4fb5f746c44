"""Every metric keeps every law, and every law catches a metric that breaks it."""

from dataclasses import replace

import numpy as np
import pytest

from wildcell.laws.evidence import draw_clouds, response_of
from wildcell.laws.law import LawBrokenError, obey, sentence
from wildcell.laws.metric import METRIC_LAWS
from wildcell.metrics.metric import METRICS, Metric, Ratio
from wildcell.names import Need, Status
from wildcell.results.score import compute
from wildcell.testing import check_metric

DELTA = frozenset({Need.DELTA})


LAWS = {law.__name__: law for law in METRIC_LAWS}


@pytest.mark.parametrize("name", METRICS.names())
@pytest.mark.parametrize("law", LAWS)
def test_metric_keeps_law(law, name):
    obey(LAWS[law], METRICS.get(name), called=f"metric {name!r}")


def error_of_means(truth, prediction):
    return np.abs(prediction.mean - truth.mean).mean(axis=1)


def error_of_deltas(truth, prediction):
    difference = np.where(truth.kept_genes, prediction.delta - truth.delta, 0.0)
    return np.abs(difference).mean(axis=1)


def low(compute, **changes):
    return replace(Metric("example", compute, "low", "profile", null=9.0), **changes)


def of_first_genes(truth, prediction):
    return np.abs(prediction.mean - truth.mean)[:, :5].mean(axis=1)


def of_first_perturbation(truth, prediction):
    error = error_of_means(truth, prediction)
    return error + error[0]


def bias_towards_large_deltas(truth, prediction):
    return error_of_means(truth, prediction) - 2 * np.abs(prediction.delta).mean(axis=1)


def wrong_signs(truth, prediction):
    return (np.sign(prediction.delta) * np.sign(truth.delta) < 0).mean(axis=1)


def beside_the_worst_of_all(truth, prediction):
    error = error_of_means(truth, prediction)
    return error / np.nansum(error)


def zero_where_not_measured(truth, prediction):
    return np.nan_to_num(error_of_means(truth, prediction))


def logarithm_of_growth(truth, prediction):
    growth = np.sum(prediction.delta * truth.delta, axis=1)
    return error_of_means(truth, prediction) + np.log(growth) - np.log(growth)


def of_cells(truth, prediction):
    n_cells = [cells.shape[0] for cells in prediction.cells]
    return error_of_means(truth, prediction) + 0.0 * np.array(n_cells)


def drifting(truth, prediction):
    error = error_of_means(truth, prediction)
    prediction.mean[...] += 1e-3
    return error


def squared_error(truth, prediction):
    return ((prediction.mean - truth.mean) ** 2).mean(axis=1)


def error_of_all_deltas(truth, prediction):
    return np.abs(prediction.delta - truth.delta).mean(axis=1)


BROKEN = {
    "truth_is_best": low(bias_towards_large_deltas),
    "truth_reaches_ceiling": low(error_of_means, ceiling=-1.0),
    "order_of_genes_does_not_matter": low(of_first_genes),
    "order_of_perturbations_does_not_matter": low(of_first_perturbation),
    "more_noise_is_never_better": low(lambda truth, _: np.zeros(len(truth.mean))),
    "flat_prediction_is_never_rewarded": low(wrong_signs),
    "missing_answer_is_missing_alone": low(beside_the_worst_of_all),
    "missing_truth_has_no_score": low(zero_where_not_measured),
    "scores_are_finite": low(logarithm_of_growth),
    "direct_targets_do_not_count": low(error_of_all_deltas, needs=DELTA),
    "leaves_evidence_unchanged": low(drifting),
    "is_no_other_metric": low(squared_error),
}


@pytest.mark.parametrize("name", sorted(set(LAWS) - {"little_evidence_is_no_crash"}))
def test_law_catches_a_metric_that_breaks_it(name):
    with np.errstate(all="ignore"), pytest.raises(LawBrokenError, match="example"):
        obey(LAWS[name], BROKEN[name], called="metric 'example'")


def test_crash_of_a_metric_passes_through_with_the_law_that_was_checked():
    law = LAWS["little_evidence_is_no_crash"]
    with pytest.raises(TypeError, match="not iterable") as caught:
        obey(law, low(of_cells), called="metric 'example'")
    assert caught.value.__notes__ == [
        f"While the metric 'example' was held to the law: {sentence(law)}"
    ]


@pytest.mark.parametrize(
    ("law", "changes"),
    [
        ("flat_prediction_is_never_rewarded", {"needs": DELTA, "null": -1.0}),
        ("flat_prediction_is_never_rewarded", {"needs": DELTA, "null": np.nan}),
        ("truth_is_best", {"best": "high"}),
        ("is_no_other_metric", {"name": "other", "alias_of": "pearson"}),
    ],
)
def test_law_catches_a_wrong_declaration(law, changes):
    broken = low(error_of_deltas, **changes)
    with pytest.raises(LawBrokenError):
        obey(LAWS[law], broken, called="metric 'example'")


def test_alias_that_is_declared_is_no_other_metric():
    alias = low(squared_error, name="mse", alias_of="rmse")
    obey(LAWS["is_no_other_metric"], alias, called="metric 'mse'")


def test_ratio_of_sums_is_judged_by_its_sum():
    """One perturbation whose signal is below 0 turns its own ratio over, not that of all."""

    def share(truth, prediction):
        signal = (truth.delta**2).sum(axis=1)
        signal[0] = -1.0
        error = ((prediction.delta - truth.delta) ** 2).sum(axis=1)
        return Ratio((truth.delta**2).sum(axis=1) - error, signal)

    law = METRIC_LAWS[0]
    obey(law, Metric("share", share, "high", "correlation"), called="metric 'share'")


def test_metrics_are_checked_by_name():
    check_metric("mae")


def test_message_names_the_metric_the_law_and_what_was_found():
    law = METRIC_LAWS[0]
    with pytest.raises(LawBrokenError) as caught:
        obey(law, low(error_of_means, best="high"), called="metric 'example'")
    message = str(caught.value)
    assert "metric 'example'" in message
    assert sentence(law) in message
    assert "the truth itself" in message


def test_metrics_of_deltas_count_silence_as_declared_or_as_no_change_scores():
    truth = response_of(draw_clouds(np.random.default_rng(0)))
    no_change = replace(truth, mean=truth.control, linear_mean=truth.linear_control)
    for name in METRICS.names():
        metric = METRICS.get(name)
        if Need.DELTA in metric.needs and metric.null is None:
            assert np.isfinite(compute(metric, truth, no_change)[0]).all(), name
        assert metric.undefined is not Status.OK, name
