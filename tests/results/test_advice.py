"""Which models to use, and when to say none."""

import numpy as np
import pandas as pd
import pytest

from wildcell.errors import OptionError
from wildcell.names import SCORE_COLUMNS
from wildcell.results.advice import advice_sentences, describe, evidence, nearest, short_list

REFERENCES = {"unseen-context": "context-transfer", "mine-unseen-context": "context-transfer"}


def table(means, *, scenario="unseen-context", dataset="d", noise=0.02, n=8):
    base = dict.fromkeys(SCORE_COLUMNS, "") | {
        "scenario": scenario, "dataset": dataset, "arm": "a", "metric": "effect_r2", "seed": 0,
        "fold": 0, "category": "single", "null": 0.0, "status": "ok", "perturbation": "p",
        "denominator": 1.0,
    }  # fmt: skip
    rng = np.random.default_rng(len(scenario))
    return pd.DataFrame(
        [
            base | {"model": model, "context": f"c{i}", "value": value, "numerator": value}
            for model, mean in means.items()
            for i in range(n)
            for value in [mean + noise * rng.standard_normal()]
        ]
    )


def costs(seconds, scenario="unseen-context"):
    return pd.DataFrame(
        {
            "scenario": scenario, "dataset": "d", "arm": "a", "model": list(seconds), "seed": 0,
            "cpu_s": list(seconds.values()), "peak_memory_mb": 2048.0,
        }
    )  # fmt: skip


MEANS = {"context-transfer": 0.5, "no-change": 0.0, "good": 0.7, "bad": 0.3, "same": 0.5}


def test_who_beats_each_naive_model_is_named_with_the_evidence():
    found = evidence(table(MEANS), REFERENCES, costs({"good": 10.0}), unseen="context")
    chosen = short_list(found)
    told = list(advice_sentences(found, chosen, "context"))

    assert chosen["model"].tolist() == ["good"]
    assert found.set_index("model").loc["bad", "is_worse"]
    assert "good (beats each naive model in 1 of 1)" in told[0]
    assert any("least in c" in sentence for sentence in told)
    assert "too few data sets" in told[-1]


def test_none_is_named_where_none_beats_the_baseline():
    means = {name: mean for name, mean in MEANS.items() if name != "good"}
    found = evidence(table(means), REFERENCES, costs({}), unseen="context")
    chosen = short_list(found)

    assert chosen.empty
    none, nearest = list(advice_sentences(found, chosen, "context"))[:2]
    assert none.startswith("None surely beats the baseline")
    assert nearest.startswith("  same, d / a, effect_r2: ")


def test_naive_models_alone_tell_nothing():
    means = {"context-transfer": 0.5, "no-change": 0.0}
    found = evidence(table(means), REFERENCES, costs({}), unseen="context")

    (told,) = advice_sentences(found, short_list(found), "context")
    assert told.startswith("Nothing can be told of an unseen context")


def test_who_is_worse_anywhere_or_too_costly_is_not_named():
    scores = pd.concat(
        [table(MEANS), table({**MEANS, "good": 0.2}, scenario="mine-unseen-context", dataset="e")]
    )
    assert short_list(evidence(scores, REFERENCES, costs({}), unseen="context")).empty
    found = evidence(table(MEANS), REFERENCES, costs({"good": 10.0}), unseen="context")
    assert short_list(found, budget_s=5).empty
    assert short_list(found, budget_gib=1).empty
    assert len(short_list(found, budget_s=20, budget_gib=3)) == 1


def test_what_is_beyond_the_budget_is_named():
    found = evidence(table(MEANS), REFERENCES, costs({"good": 10.0}), unseen="context")
    told = list(advice_sentences(found, short_list(found, budget_s=0), "context"))

    assert "Beyond the budget: good (10 s, 2 GiB)." in told


def test_a_model_run_on_more_seeds_costs_no_more():
    spent = pd.concat([costs({"good": 10.0}).assign(seed=seed) for seed in range(4)])
    found = evidence(table(MEANS), REFERENCES, spent, unseen="context")

    assert found.set_index("model")["cpu_s"]["good"] == 10.0


def test_models_of_many_questions_share_the_level():
    def any_is_named(seed):
        rng = np.random.default_rng(seed)
        means = {"context-transfer": 0.5, "mine": 0.5, "yours": 0.5}
        scores = pd.concat([table(means, dataset=f"d{i}") for i in range(12)])
        noise = 0.1 * rng.standard_normal(len(scores))
        scores["value"] = scores["numerator"] = 0.5 + noise
        return len(short_list(evidence(scores, REFERENCES, costs({}), unseen="context"))) > 0

    assert sum(any_is_named(seed) for seed in range(60)) <= 8


def test_five_data_sets_speak_of_new_ones():
    scores = pd.concat([table(MEANS, dataset=f"d{i}") for i in range(5)])
    found = evidence(scores, REFERENCES, costs({}), unseen="context")
    told = list(advice_sentences(found, short_list(found), "context"))

    assert "good, effect_r2, over 5 data sets, as for new data sets: +0.2" in told[-1]


def test_the_worst_context_is_that_of_the_least_gain():
    scores = table(MEANS)
    is_bad = (scores["model"] == "good") & (scores["context"] == "c3")
    scores.loc[is_bad, ["value", "numerator"]] = 0.1
    row = evidence(scores, REFERENCES, costs({}), unseen="context").set_index("model").loc["good"]

    assert row["worst_context"] == "c3"
    assert row["worst_gain"] == pytest.approx(-0.4, abs=0.1)


def test_what_nobody_asked_is_refused_with_what_would_do():
    with pytest.raises(OptionError, match="wildcell run unseen-dose"):
        evidence(table(MEANS), REFERENCES, costs({}), unseen="dose")
    with pytest.raises(OptionError, match="correlation"):
        evidence(table(MEANS), REFERENCES, costs({}), unseen="context", family="luck")


def test_the_nearest_data_set_is_alike_in_size_and_modality():
    def conditions(n_contexts, n_perturbations, n_cells, modality, dataset):
        rows = [
            (f"c{i}", f"p{j}", n_cells, modality, dataset, "single")
            for i in range(n_contexts)
            for j in range(n_perturbations)
        ]
        names = ["context", "perturbation", "n_cells", "modality", "dataset", "category"]
        return pd.DataFrame(rows, columns=names)

    known = pd.concat(
        [
            conditions(8, 10, 100, "drug", "alike"),
            conditions(8, 10, 100, "crispri", "other kind"),
            conditions(80, 100, 1000, "drug", "larger"),
        ]
    )
    own = describe(conditions(9, 12, 120, "drug", "mine"))
    found = nearest(own, known)

    assert own["n_perturbations"] == 12
    assert found["dataset"].tolist() == ["alike", "larger", "other kind"]
    assert found["distance"].iloc[1] == pytest.approx(1.0, abs=0.2)


def test_metrics_that_tell_nothing_are_named():
    nothing = pd.DataFrame()
    (sentence,) = advice_sentences(nothing, nothing, "context", unusable={"effect_r2"})

    assert "by effect_r2 a replicate" in sentence
    assert "wildcell calibrate" in sentence
