"""Verdicts say what the intervals allow, and no more."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest

from wildcell.names import CEILING, REPLICATE, Status
from wildcell.results.rank import rank
from wildcell.results.verdict import LEAST_REPLICATE_R, Verdict, headline_metric, verdict
from wildcell.results.words import MINUS

REFERENCE = "baseline"
JITTER = np.array([0.01, -0.02, 0.03, -0.01, 0.02, -0.03])


def scores_of(
    means: Mapping[str, float | Sequence[float]],
    *,
    metric: str = "effect_r2",
    contexts: int = 2,
    perturbations: int = 6,
    status: Mapping[str, Status] | None = None,
    category: Sequence[str] = ("",),
) -> pd.DataFrame:
    """Return the long table of models with these means, a mean a context where several."""
    rows = []
    for order, (model, mean) in enumerate(means.items()):
        of_context = np.broadcast_to(np.asarray(mean, dtype=float), contexts)
        for context in range(contexts):
            for item in range(perturbations):
                why = (status or {}).get(model, Status.OK)
                value = of_context[context] + np.roll(JITTER, order * 2 + context)[item % 6]
                known = value if why is Status.OK else np.nan
                rows.append(
                    {
                        "scenario": "asked",
                        "dataset": "screen",
                        "arm": "random",
                        "model": model,
                        "seed": 0,
                        "fold": 0,
                        "context": f"c{context}",
                        "perturbation": f"p{item}",
                        "category": category[item % len(category)],
                        "metric": metric,
                        "value": known,
                        "numerator": known if metric == "effect_r2" else np.nan,
                        "denominator": 1.0 if metric == "effect_r2" else np.nan,
                        "null": 0.0,
                        "status": str(why),
                    }
                )
    return pd.DataFrame(rows)


def conclude(*tables: pd.DataFrame) -> Verdict:
    scores = pd.concat(tables, ignore_index=True)
    return verdict(rank(scores, {"asked": REFERENCE}), scores)


def test_a_model_above_the_reference_is_said_to_beat_it_with_its_interval():
    found = conclude(scores_of({REFERENCE: 0.3, "better": 0.5, "worse": 0.1}))

    assert found.sentence.startswith(
        "On screen, 1 of 2 other models beats the reference baseline baseline (0.30) at effect_r2: "
        "better (+0.20, 95 % interval 0."
    )
    assert "Worse than baseline: worse." in found.details


def test_where_low_is_best_the_lower_model_beats_the_reference():
    found = conclude(scores_of({REFERENCE: 0.5, "above": 0.7, "below": 0.3}, metric="rmse"))

    assert f"at rmse: below ({MINUS}0.20" in found.sentence
    assert "Worse than baseline: above." in found.details


def test_a_difference_within_its_interval_is_not_a_victory():
    found = conclude(scores_of({REFERENCE: 0.300, "alike": 0.301}))

    assert "no other model (1 compared) beats" in found.sentence
    assert "Not told apart from baseline: alike." in found.details


def test_only_some_winners_are_named_and_the_others_counted():
    winners = {f"model-{number}": 0.5 + number / 10 for number in range(5)}

    found = conclude(scores_of({REFERENCE: 0.1, **winners}))

    assert "5 of 5 other models beat" in found.sentence
    assert "model-4" in found.sentence
    assert "model-0" not in found.sentence
    assert "and 2 more" in found.sentence


@pytest.mark.parametrize(
    ("contexts", "claim"),
    [
        (6, "The intervals speak of new contexts of this kind (n = 36 conditions in 6 contexts)."),
        (2, "The intervals hold for these 2 contexts alone (n = 12 conditions)"),
        (1, "The intervals hold for this context alone (n = 6 conditions)"),
    ],
)
def test_the_level_of_the_claim_is_named(contexts, claim):
    means = {REFERENCE: np.linspace(0.3, 0.4, contexts), "better": np.linspace(0.6, 0.8, contexts)}

    assert claim in conclude(scores_of(means, contexts=contexts)).sentence


def test_one_condition_tells_nothing():
    found = conclude(scores_of({REFERENCE: 0.3, "better": 0.9}, contexts=1, perturbations=1))

    assert "cannot be told whether anything beats" in found.sentence
    assert "too few conditions (n = 1 condition in 1 context)" in found.sentence


def test_models_that_coincide_are_named_and_counted_once():
    scores = scores_of({"a-model": 0.3, "better": 0.5})
    twin = scores[scores["model"] == "a-model"].assign(model=REFERENCE)

    found = conclude(scores, twin)

    assert "1 of 1 other model beats" in found.sentence
    assert "These gave the same answers: baseline = a-model." in found.details


def test_without_enough_controls_nothing_is_concluded_and_the_reason_is_given():
    few = dict.fromkeys((REFERENCE, "model"), Status.TOO_FEW_CONTROLS)

    found = conclude(
        scores_of({REFERENCE: 0.3, "model": 0.5}, status=few),
        scores_of({REFERENCE: 0.9, "model": 0.8}, metric="pearson"),
    )

    assert found.headline_metric == "effect_r2"
    assert found.sentence.startswith("Nothing can be concluded on screen: too few controls")
    assert found.details == ["Only these metrics have scores: pearson."]


def test_contexts_whose_replicates_disagree_are_named():
    replicate = scores_of({REPLICATE: [0.8, 0.05]}, metric="pearson_delta")

    found = conclude(scores_of({REFERENCE: 0.3, "better": 0.5}), replicate)

    assert "beats the reference baseline" in found.sentence
    assert found.details[0] == (
        "In c1 two halves of the same measurement do not agree (replicate r 0.050): "
        "nothing can be concluded there."
    )


def test_where_no_replicates_agree_nothing_is_concluded():
    noise = LEAST_REPLICATE_R / 2
    replicate = scores_of({REPLICATE: [noise, noise]}, metric="pearson_delta")

    found = conclude(scores_of({REFERENCE: 0.3, "better": 0.5}), replicate)

    assert found.sentence == (
        "Nothing can be concluded on screen: in c0 and c1 two halves of the same measurement do "
        "not agree (replicate r 0.075 and 0.075)."
    )
    assert not any("better" in detail for detail in found.details)


def test_the_replicate_is_quoted_only_over_the_same_conditions():
    models = scores_of({REFERENCE: 0.3, "better": 0.5, CEILING: 1.0})
    same = scores_of({REPLICATE: 0.8})
    fewer = same[same["context"] == "c0"]

    assert "A replicate of the measurement scores 0.80." in conclude(models, same).sentence
    assert "replicate" not in conclude(models, fewer).sentence


def test_models_without_scores_are_named_by_reason_and_never_win():
    silent = {"broken": Status.ERROR, "unable": Status.NOT_APPLICABLE}

    found = conclude(
        scores_of({REFERENCE: -0.3, "better": 0.1, "broken": 0.0, "unable": 0.0}, status=silent)
    )

    assert "1 of 1 other model beats" in found.sentence
    assert "Without a score (the run failed): broken." in found.details
    assert any("not applicable" in item and "unable" in item for item in found.details)


def test_a_reference_or_a_winner_worth_no_more_than_an_empty_answer_is_marked():
    found = conclude(scores_of({REFERENCE: -0.6, "better": -0.2}))

    assert f"baseline itself scores {MINUS}0.60, no better than an empty answer (0)." in (
        found.details
    )
    assert "Of those that beat it, better is no better than an empty answer (0)." in found.details


def test_a_silent_reference_leaves_nothing_to_compare_with():
    found = conclude(
        scores_of({REFERENCE: 0.3, "model": 0.5}, status={REFERENCE: Status.NOT_APPLICABLE})
    )

    assert found.sentence == (
        "On screen no model can be compared with the reference baseline baseline, "
        "which has no score."
    )


def test_categories_are_told_apart():
    scores = scores_of({REFERENCE: 0.3, "better": 0.5}, category=("one", "two"))
    is_one = (scores["model"] == "better") & (scores["category"] == "one")
    scores.loc[is_one, ["value", "numerator"]] -= 0.4

    assert (
        "What beats baseline by category: one nothing (n = 6); two better (n = 6)."
        in conclude(scores).details
    )


def test_the_headline_is_the_first_metric_that_has_scores():
    few = dict.fromkeys((REFERENCE, "model"), Status.TOO_FEW_CELLS)
    means = {REFERENCE: 0.3, "model": 0.5}
    unusable = scores_of(means, status=few)
    other = scores_of(means, metric="rmse")
    correlation = scores_of(means, metric="pearson_delta")

    def chosen(*tables: pd.DataFrame) -> str:
        return headline_metric(rank(pd.concat(tables, ignore_index=True), {"asked": REFERENCE}))

    assert chosen(other, correlation, scores_of(means)) == "effect_r2"
    assert chosen(other, correlation, unusable) == "pearson_delta"
    assert chosen(other, unusable) == "effect_r2"
    assert chosen(other) == "rmse"
