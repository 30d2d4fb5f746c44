"""Each score is a number or says why it is none; silence takes the metric's null value."""

from dataclasses import replace
from functools import reduce

import numpy as np
import pytest

from wildcell.laws.evidence import bare, draw_clouds, random_answer, response_of, without
from wildcell.metrics.convention import Convention
from wildcell.metrics.metric import METRICS, Metric, Ratio
from wildcell.names import SCORE_COLUMNS, Need, Status
from wildcell.results.score import Case, compute, label, score_case, too_few_controls

N = 7


class Evidence:
    """A truth, an answer, no change and the given controls as an answer."""

    def __init__(self):
        rng = np.random.default_rng(0)
        clouds = draw_clouds(rng, n=N)
        self.truth = response_of(clouds)
        self.answer = response_of(random_answer(clouds, rng))
        self.given = response_of(clouds.unchanged())


@pytest.fixture(scope="module")
def evidence():
    return Evidence()


def score(evidence, name, *, truth=None, answer=None, few=()):
    """Score one metric; `few` are the rows that have too few controls."""
    case = Case(
        evidence.truth if truth is None else truth,
        evidence.answer if answer is None else answer,
        evidence.given,
        np.isin(np.arange(N), few),
    )
    metric = name if isinstance(name, Metric) else METRICS.get(name)
    return score_case(case, [metric])


def flat_in(response, row):
    """Return the response with no change in one row."""
    mean = response.mean.copy()
    mean[row] = response.control[row]
    return replace(response, mean=mean)


@pytest.mark.parametrize("name", METRICS.names())
def test_scores_are_those_of_the_metric(evidence, name):
    table = score(evidence, name)
    expected, parts = compute(METRICS.get(name), evidence.truth, evidence.answer)
    assert (table["status"] == Status.OK).all()
    np.testing.assert_array_equal(table["value"], expected)
    np.testing.assert_array_equal(table["numerator"], parts.numerator)
    np.testing.assert_array_equal(table["denominator"], parts.denominator)
    assert table["perturbation"].tolist() == list(evidence.truth.perturbations)
    assert (table["n_truth"] == evidence.truth.n_cells).all()
    assert (table["n_prediction"] == evidence.answer.n_cells).all()
    assert set(table["level"]) == {"condition"}
    assert set(table["preset"]) == {"wildcell"}


def test_preset_is_that_of_the_convention(evidence):
    other = replace(evidence.truth, convention=Convention(name="mine"))
    assert set(score(evidence, "mae", truth=other)["preset"]) == {"mine"}


def test_ratio_keeps_its_parts_and_others_have_none(evidence):
    ratio, plain = (score(evidence, name) for name in ("effect_r2", "rmse"))
    np.testing.assert_allclose(ratio["value"], ratio["numerator"] / ratio["denominator"])
    assert plain[["numerator", "denominator"]].isna().all(axis=None)


def test_metrics_stand_one_below_the_other(evidence):
    metrics = [METRICS.get(name) for name in ("rmse", "mae", "pearson_delta")]
    case = Case(evidence.truth, evidence.answer, evidence.given, np.zeros(N, dtype=bool))
    table = score_case(case, metrics)
    assert table["metric"].tolist() == [metric.name for metric in metrics for _ in range(N)]
    for metric in metrics:
        alone = score(evidence, metric)
        rows = table[table["metric"] == metric.name].reset_index(drop=True)
        np.testing.assert_array_equal(rows["value"], alone["value"])


@pytest.mark.parametrize("name", METRICS.names())
def test_missing_answer_counts_as_the_null_value(evidence, name):
    table = score(evidence, name, answer=without(evidence.answer, 1))
    metric = METRICS.get(name)
    assert table["status"].tolist() == ["ok", "missing", *["ok"] * (N - 2)]
    assert np.isnan(table["value"][1])
    assert np.isnan(table["numerator"][1])
    no_change = compute(metric, evidence.truth, evidence.given)[0]
    expected = no_change[1] if metric.null is None else metric.null
    assert table["null"][1] == pytest.approx(expected)


def test_flat_answer_is_an_abstention_from_deltas_and_an_answer_to_others(evidence):
    answer = flat_in(evidence.answer, 3)
    for name in METRICS.names():
        expected = "flat" if Need.DELTA in METRICS.get(name).needs else "ok"
        assert score(evidence, name, answer=answer)["status"][3] == expected


def test_silence_on_a_ratio_keeps_the_denominator_of_the_truth(evidence):
    """Leaving a condition out must not take its signal out of the sum."""
    spoken = score(evidence, "effect_r2")
    for answer in (without(evidence.answer, 1), flat_in(evidence.answer, 1)):
        silent = score(evidence, "effect_r2", answer=answer)
        np.testing.assert_allclose(silent["denominator"], spoken["denominator"])
        assert np.isnan(silent["numerator"][1])
        assert silent["null"][1] == 0
    nothing = reduce(without, range(N), evidence.answer)
    silent = score(evidence, "effect_r2", answer=nothing)
    np.testing.assert_allclose(silent["denominator"], spoken["denominator"])


@pytest.mark.parametrize("name", METRICS.names())
def test_truth_without_an_effect_is_undefined_whatever_the_answer(evidence, name):
    metric = METRICS.get(name)
    truth = flat_in(evidence.truth, 2)
    for answer in (evidence.answer, without(evidence.answer, 2), flat_in(evidence.answer, 2)):
        status = score(evidence, name, truth=truth, answer=answer)["status"].to_numpy()
        if Need.DELTA in metric.needs:
            assert status[2] == Status.UNDEFINED
        assert set(np.delete(status, 2)) == {"ok"}


@pytest.mark.parametrize("name", METRICS.names())
def test_too_few_controls_forbid_deltas_alone(evidence, name):
    table = score(evidence, name, few=[0, 4], answer=without(evidence.answer, 4))
    has_delta = Need.DELTA in METRICS.get(name).needs
    assert table["status"][0] == ("too_few_controls" if has_delta else "ok")
    assert table["status"][4] == ("too_few_controls" if has_delta else "missing")
    assert table["status"][1] == "ok"
    assert np.isfinite(table["value"]).tolist()[:2] == [not has_delta, True]


@pytest.mark.parametrize("name", METRICS.names())
def test_what_is_not_there_is_said_to_be_needed(evidence, name):
    metric = METRICS.get(name)
    table = score(evidence, name, answer=bare(evidence.answer))
    expected = Status.OK
    if Need.LFC in metric.needs:
        expected = Status.NEEDS_COUNTS
    if Need.CELLS in metric.needs:
        expected = Status.NEEDS_CELLS
    assert set(table["status"]) == {str(expected)}
    assert np.isfinite(table["value"]).all() == (expected is Status.OK)


def test_truth_of_means_says_so_before_the_answer_does(evidence):
    truth = bare(evidence.truth)
    silent = without(evidence.answer, 0)
    assert set(score(evidence, "energy_distance", truth=truth, answer=silent)["status"]) == {
        "needs_cells"
    }
    assert set(score(evidence, "cosine_lfc", truth=truth, answer=silent)["status"]) == {
        "needs_counts"
    }


def test_truth_of_one_cell_has_no_error_to_tell_signal_by(evidence):
    n_cells = np.where(np.arange(N) == N - 1, 1, evidence.truth.n_cells)
    table = score(evidence, "effect_r2", truth=replace(evidence.truth, n_cells=n_cells))
    assert table["status"].tolist() == [*["ok"] * (N - 1), "too_few_cells"]
    assert table[["value", "numerator", "denominator"]].loc[N - 1].isna().all()


def test_cloud_of_one_predicted_cell_is_no_answer(evidence):
    cells = tuple(one[:1] if row == 2 else one for row, one in enumerate(evidence.answer.cells))
    table = score(evidence, "energy_distance", answer=replace(evidence.answer, cells=cells))
    assert table["status"].tolist() == ["ok", "ok", "missing", *["ok"] * (N - 3)]


def test_single_perturbation_has_no_other_to_be_told_from(evidence):
    rng = np.random.default_rng(0)
    clouds = draw_clouds(rng, n=1)
    truth, given = response_of(clouds), response_of(clouds.unchanged())
    case = Case(truth, response_of(random_answer(clouds, rng)), given, np.zeros(1, dtype=bool))
    metrics = [METRICS.get("pearson_delta_rank"), METRICS.get("pearson_delta")]
    assert score_case(case, metrics)["status"].tolist() == ["too_few_candidates", "ok"]
    silent = replace(case, prediction=without(case.prediction, 0))
    assert score_case(silent, metrics)["status"].tolist() == ["too_few_candidates", "missing"]


def test_every_value_that_is_no_number_has_a_reason_and_the_others_none(evidence):
    answer = flat_in(without(evidence.answer, 1), 2)
    truth = flat_in(evidence.truth, 3)
    for name in METRICS.names():
        table = score(evidence, name, truth=truth, answer=answer, few=[4])
        assert (np.isfinite(table["value"]) == (table["status"] == Status.OK)).all()


def test_infinite_values_are_no_scores(evidence):
    def infinite(truth, prediction):
        return np.where(np.arange(len(truth.mean)) == 1, np.inf, 1.0)

    metric = Metric("infinite", infinite, "high", "profile", undefined=Status.TOO_FEW_CELLS)
    table = score(evidence, metric)
    assert table["status"].tolist() == ["ok", "too_few_cells", *["ok"] * (N - 2)]
    assert np.isnan(table["value"][1])


def test_ratio_by_zero_warns_nobody_and_is_undefined(evidence, recwarn):
    def share(truth, prediction):
        return Ratio(np.ones(N), np.where(np.arange(N) == 0, 0.0, 2.0))

    table = score(evidence, Metric("share", share, "high", "profile"))
    assert table["status"].tolist() == ["undefined", *["ok"] * (N - 1)]
    assert len(recwarn) == 0


@pytest.mark.parametrize(
    ("kept", "given", "few"),
    [(10, 10, False), (10, 9, True), (20, 0, True), (0, 20, True), (19, 1, False)],
)
def test_controls_are_counted_on_both_sides_together(evidence, kept, given, few):
    sides = [
        replace(response, n_controls=np.full(N, n))
        for response, n in ((evidence.truth, kept), (evidence.given, given))
    ]
    assert too_few_controls(*sides).tolist() == [few] * N


def test_how_many_controls_are_enough_is_the_conventions(evidence):
    lenient = replace(evidence.truth, convention=Convention(min_controls=2))
    few = replace(lenient, n_controls=np.full(N, 1))
    assert not too_few_controls(few, replace(evidence.given, n_controls=np.full(N, 1))).any()


def test_labels_complete_the_columns_in_their_order(evidence):
    table = score(evidence, "mae").assign(context="c1", category="single")
    names = {"scenario": "s", "dataset": "d", "arm": "a", "model": "m", "seed": 3, "fold": 0}
    labelled = label(table, **names)
    assert list(labelled.columns) == SCORE_COLUMNS
    assert set(labelled["seed"]) == {3}
