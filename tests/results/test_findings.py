"""Claims that are planted true are found to hold, false ones not to, and weak ones not told.

Over ten seeds it is printed by `benchmarks/planted_findings.py`.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wildcell.cli.main import main
from wildcell.errors import UnknownNameError
from wildcell.names import HALVES, REFERENCE, REPLICATE
from wildcell.results.findings.claim import Answer, Finding, Material, Row, answered, settling
from wildcell.results.findings.find import CLAIMS, answers, as_markdown, find_all
from wildcell.results.findings.models import pareto
from wildcell.results.stats import Estimate

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from planted_findings import EXPECTED, FALSE, PLANTED, REFERENCES, TRUE, arms, table


@pytest.mark.parametrize("claim", PLANTED)
@pytest.mark.parametrize("truth", [TRUE, FALSE])
def test_what_was_planted_is_found(claim, truth):
    found = [
        find_all(PLANTED[claim](np.random.default_rng([seed, 7]), truth), claims=[claim])
        for seed in range(3)
    ]
    given = [one[one["model"] == ""].iloc[0]["answer"] for one in found]

    assert given.count(str(EXPECTED[truth])) >= 2
    assert str(EXPECTED[FALSE if truth == TRUE else TRUE]) not in given


def test_what_differs_nowhere_is_seldom_claimed():
    holds = 0
    for seed in range(60):
        levels = dict.fromkeys(("near", "far"), 0.5)
        material = Material(arms(np.random.default_rng(seed), levels), REFERENCES)
        found = find_all(material, claims=["F1"])
        holds += found[found["model"] == ""].iloc[0]["answer"] == Answer.HOLDS
    assert holds <= 5


def test_single_models_share_the_level():
    rng, claimed = np.random.default_rng(0), 0
    for _ in range(60):
        rows = [
            Row("", f"m{i}", "effect_r2", Estimate(e, 0.1, e - 0.2, e + 0.2, "new contexts", 30))
            for i, e in enumerate(0.1 * rng.standard_normal(20))
        ]
        found = answered("F1", ("s", "d"), rows, margin=0.0, what="gap")
        claimed += any(one.answer is Answer.HOLDS for one in found)
    assert claimed / 60 < 0.15


def test_a_small_but_sure_effect_is_as_good_as_nothing():
    rows = [Row("", "", "effect_r2", Estimate(0.01, 0.002, 0.006, 0.014, "new contexts", 30))]
    (found,) = answered("F1", ("s", "d"), rows, margin=0.05, what="gap")

    assert found.answer is Answer.FAILS


def test_what_cannot_be_told_says_what_would_settle_it():
    rows = [Row("", "", "effect_r2", Estimate(0.06, 0.05, -0.05, 0.17, "new contexts", 8))]
    (found,) = answered("F1", ("s", "d"), rows, margin=0.05, what="gap")

    assert found.answer is Answer.UNTOLD
    assert found.settles == settling(rows[0].found, 0.05)
    assert "contexts like these (there are 8)" in found.settles


def test_a_claim_that_no_run_asks_says_which_runs_it_takes():
    scores = table(np.random.default_rng(0), {"net-a": 0.5, "context-transfer": 0.4})
    found = find_all(Material(scores, REFERENCES), claims=["F1", "F2"])

    assert found["answer"].tolist() == ["cannot be told"] * 2
    assert found["settles"].str.contains("wildcell run").all()
    with pytest.raises(UnknownNameError, match="F1"):
        find_all(Material(scores, REFERENCES), claims=["F9"])


def test_placebo_arms_are_taken_off():
    rng = np.random.default_rng(0)
    levels = {"near": 0.65, "far": 0.5, "placebo-near": 0.65, "placebo-far": 0.5}
    found = find_all(Material(arms(rng, levels), REFERENCES), claims=["F1"])

    assert found[found["model"] == ""].iloc[0]["answer"] == Answer.FAILS


def test_nothing_is_cheaper_and_better_than_the_front():
    rng = np.random.default_rng(0)
    cost, merit = rng.random(30), rng.random(30)
    front = pareto(cost, merit)
    for place in range(30):
        dominated = ((cost <= cost[place]) & (merit > merit[place] + 1e-9)).any()
        assert (place in front) <= (not dominated)
    assert front[0] == cost.argmin()


def test_metrics_that_a_replicate_does_not_win_by_contradict_nobody():
    rng = np.random.default_rng(7)
    material = PLANTED["F5"](rng, TRUE)
    first, second = (
        pd.concat(
            [
                table(rng, {REFERENCE: 0.3, REPLICATE: replicate}, metric=metric).assign(half=half)
                for metric, replicate in (("pearson_delta", 0.8), ("retrieval_cosine", won))
                for half in HALVES
            ]
        )
        for won in (0.8, 0.3)
    )

    given = [
        find_all(replace(material, halves=halves), claims=["F5"]).iloc[0]
        for halves in (first, second)
    ]

    assert [one["answer"] for one in given] == ["holds", "cannot be told"]
    assert "retrieval_cosine a replicate" in given[1]["sentence"]


def test_few_models_do_not_tell_whether_cost_buys_quality():
    means = {"context-transfer": 0.5, "no-change": 0.0, "net-a": 0.6, "net-b": 0.55}
    scores = table(np.random.default_rng(0), means, noise=0.01)
    costs = pd.DataFrame(
        {
            "scenario": "s",
            "dataset": "d",
            "arm": "a",
            "seed": 0,
            "model": list(means),
            "cpu_s": [2, 1, 9, 4.0],
        }
    )

    found = find_all(Material(scores, REFERENCES, costs=costs), claims=["F6"]).iloc[0]

    assert found["effect"] == 1.0
    assert found["answer"] == "cannot be told"
    assert found["level"] == "new models"


def test_a_model_at_the_margin_of_many_naive_ones_is_seldom_said_to_be_below_it():
    naive = ["context-transfer", "no-change", "perturbed-mean", "matching-mean", "additive"]
    rng, holds = np.random.default_rng(0), 0
    for _ in range(80):
        means = {"net-a": 0.55, **dict.fromkeys(naive, 0.5)}
        found = find_all(Material(table(rng, means), REFERENCES), claims=["F7"])
        holds += found.iloc[0]["answer"] == Answer.HOLDS
    assert holds <= 8


def test_models_that_are_wrong_on_purpose_prove_nothing():
    means = {"context-transfer": 0.5, "no-change": 0.0, "random": -0.5, "shuffled": -0.2}
    found = find_all(Material(table(np.random.default_rng(0), means), REFERENCES), claims=["F7"])

    assert found["answer"].tolist() == ["cannot be told"]
    assert found["sentence"].tolist() == ["No runs of this folder ask this."]


def test_every_claim_says_what_it_takes():
    assert list(CLAIMS) == [f"F{i}" for i in range(1, 8)]
    for claim in CLAIMS.values():
        assert claim.statement.endswith(".")
        assert "wildcell run" in claim.needs


def test_findings_of_a_folder_are_a_page_a_table_and_records(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    common = ["--data-option", "n_genes=60", "--seed", "0", "--metrics", "headline,shared_r2"]
    models = ["--model", "ridge", "--model", "perturbed-mean", "--model", "no-change"]
    main(["run", "unseen-context", "--data", "simulated", *common, *models])
    capsys.readouterr()
    main(["findings", "runs", "--out", "found"])
    printed = capsys.readouterr().out
    written = pd.read_csv("found/findings.csv")
    records = json.loads(Path("found/findings.json").read_text())["findings"]

    assert all(f"{name}: " in printed for name in CLAIMS)
    assert list(written) == list(Finding._fields)
    assert len(records) == len(written)
    page = Path("found/findings.md").read_text()
    assert page == as_markdown(find_again())
    assert set(answers(find_again())) == set(CLAIMS)


def find_again():
    from wildcell.results.table import findings_of_runs

    return findings_of_runs(Path("runs"))
