"""Charts of pooled screens, arms, costs and guidance draw what their tables say."""

import json

import numpy as np
import pandas as pd
import pytest

from wildcell.cli.main import main
from wildcell.names import Look
from wildcell.results.advice import advice_sentences, evidence, short_list
from wildcell.results.guidance import GENERAL, NONE, SOME, UNTOLD, guide
from wildcell.results.rank import rank, without_shams
from wildcell.results.report.charts_of_arms import by_cells, changes
from wildcell.results.report.charts_of_costs import growth
from wildcell.results.report.charts_of_guidance import guidance
from wildcell.results.report.charts_of_looks import typical_condition
from wildcell.results.report.charts_of_metrics import beside_each_other
from wildcell.results.report.charts_of_models import spreads
from wildcell.results.report.charts_of_pools import depths, gene_sets
from wildcell.results.report.charts_of_splits import distances
from wildcell.results.table import compare_arms_of_runs, tables_of_runs
from wildcell.store.atomic import write_cells
from wildcell.store.runs import read_scores
from wildcell.store.split_tables import read_pool_tables
from wildcell.testing import toy_screen

ARMS = ("single", "merge-before", "merge-before-scaled")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return runs of three arms, on a target and a deeper foreign screen."""
    folder = tmp_path_factory.mktemp("pooled")
    words = {"n_combinations": 0, "n_genes": 40, "n_perturbations": 8}
    write_cells(folder / "target.h5ad", toy_screen(n_contexts=1, depth=800, **words).cells)
    write_cells(
        folder / "foreign.h5ad", toy_screen(n_contexts=2, depth=4000, cell_seed=1, **words).cells
    )
    for arm in ARMS:
        main(
            f"run cross-data-set --data {folder}/target.h5ad --foreign {folder}/foreign.h5ad"
            f" --arm {arm} --seed 0 --model ridge --model knn --model no-change"
            f" --runs {folder}/runs".split()
        )
    return folder / "runs"


@pytest.fixture(scope="module")
def tables(runs):
    return tables_of_runs(runs)


def of_arm(table, arm):
    return table[table["arm"] == arm]


def test_depths_lie_apart_before_scaling_and_together_after(runs):
    own = of_arm(read_pool_tables(runs, "depths"), "merge-before-scaled")
    table = depths(own).table
    middle = np.sqrt(table["low"] * table["high"])
    mean = (middle * table["share"]).groupby([table["screen"], table["stage"]]).sum()
    assert mean["foreign", "as measured"] > 3 * mean["target", "as measured"]
    assert mean["foreign", "as trained on"] == pytest.approx(
        mean["target", "as trained on"], rel=0.15
    )
    assert table.groupby(["screen", "stage"])["share"].sum().to_numpy() == pytest.approx(1.0)


def test_gene_sets_are_those_of_the_first_fold(runs):
    own = of_arm(read_pool_tables(runs, "gene_sets"), "merge-before")
    table = gene_sets(own).table
    assert len(set(own["fold"])) > 1
    measured = table[table["kind"] == "measured"].set_index("datasets")["n_genes"]
    assert measured.to_dict() == {"target & foreign": 40}


def test_a_question_without_a_pool_has_no_such_charts():
    assert depths(pd.DataFrame()) is None
    assert gene_sets(pd.DataFrame()) is None


def test_changes_are_those_of_the_comparison_of_arms(runs, tables):
    table = changes(tables["compared"]).table
    found = compare_arms_of_runs(runs, base="single", metrics=["effect_r2"])
    wanted = found[found["difference_status"] == "ok"].set_index(["arm", "model"])
    shown = table.set_index(["arm", "model"])
    assert set(shown.index) == set(wanted.index)
    assert shown["difference"].to_dict() == pytest.approx(wanted["difference"].to_dict())
    before = found[found["arm"] == "single"].set_index("model")["mean"]
    one = shown.loc["merge-before", "ridge"]
    assert one["percent"] == pytest.approx(100 * one["difference"] / abs(before["ridge"]))


def test_scores_stand_over_the_cells_that_were_trained_on(tables):
    table = by_cells(tables["ranks"], tables["costs"], "effect_r2").table
    cells = table.groupby("arm")["n_cells"].first()
    assert cells["merge-before"] > 2 * cells["single"]
    alone = of_arm(tables["ranks"], "single")
    assert by_cells(alone, of_arm(tables["costs"], "single"), "effect_r2") is None


def test_models_by_two_metrics_have_their_ranked_means(tables):
    ranks = of_arm(tables["ranks"], "single")
    table = beside_each_other(ranks, "effect_r2").table
    row = table[(table["metric"] == "pearson_delta") & (table["model"] == "ridge")].iloc[0]
    means = ranks[(ranks["category"] == "all") & (ranks["model"] == "ridge")].set_index("metric")
    assert row["effect_r2"] == means.loc["effect_r2", "mean"]
    assert row["mean"] == means.loc["pearson_delta", "mean"]


def test_densities_count_every_condition_between_their_ends(tables):
    scores = without_shams(of_arm(tables["scores"], "single"))
    scores = scores[scores["model"] == "ridge"]
    chart = spreads(scores, "pearson_delta")
    data = json.loads(chart.spec)["datasets"].values()
    (dense,) = [rows for rows in data if "share" in rows[0]]
    row = next(row for row in dense if row["metric"] == "pearson_delta")
    values = scores[scores["metric"] == "pearson_delta"].groupby(["context", "perturbation"])
    values = values["value"].mean()
    low, high = values.quantile([0.05, 0.95])
    inside = values[(values >= low) & (values <= high)]
    assert row["start"] == pytest.approx(low)
    assert max(row["share"]) == 99
    assert len(row["place"]) == len(row["share"]) <= len(inside)


def test_scores_that_are_all_the_same_have_no_density(tables):
    scores = without_shams(of_arm(tables["scores"], "single"))
    scores = scores[scores["metric"].eq("pearson_delta") & scores["model"].eq("ridge")]
    chart = spreads(scores.assign(value=0.5), "pearson_delta")
    assert not [
        rows
        for rows in json.loads(chart.spec)["datasets"].values()
        if rows[:1] and "share" in rows[0]
    ]
    assert set(chart.table["low"]) == set(chart.table["high"]) == {0.5}
    assert chart.svg


def test_tested_contexts_that_were_trained_on_are_at_no_distance(tables):
    own = of_arm(tables["conditions"], "merge-before")
    table = distances(own).table
    nearest = table[table["to"] == "nearest"].set_index("context")["distance"]
    assert nearest.to_dict() == {"context-1": 0.0}
    assert (table.loc[table["to"] == "mean of all", "distance"] > 0).all()


def test_a_typical_condition_has_the_middle_score_of_the_best_model(tables):
    arm = "merge-before"
    scores, ranks = (of_arm(tables[name], arm) for name in ("scores", "ranks"))
    looks = of_arm(tables["looks"], arm)
    chart = typical_condition(looks, without_shams(scores), ranks, "pearson_delta")
    rows = ranks[(ranks["category"] == "all") & (ranks["metric"] == "pearson_delta")]
    rows = rows[~rows["model"].isin(["replicate", "ceiling"])]
    best = rows.loc[rows["mean"].idxmax(), "model"]
    own = without_shams(scores)
    own = own[(own["model"] == best) & (own["metric"] == "pearson_delta")].dropna(subset="value")
    middle = own.sort_values("value", kind="stable").iloc[len(own) // 2]
    assert chart.title == f"A typical condition: {middle['context']}, {middle['perturbation']}"
    genes = looks[
        (looks["model"] == best)
        & (looks["perturbation"] == middle["perturbation"])
        & looks["look"].isin([Look.TRUE_GENE, Look.OWN_GENE])
    ]
    shown = chart.table[chart.table["model"] == best]
    assert shown["true"].to_numpy() == pytest.approx(genes["x"].to_numpy(float))
    assert shown["predicted"].to_numpy() == pytest.approx(genes["y"].to_numpy(float))


def test_growth_draws_what_was_measured_and_nothing_of_one_size():
    rows = [
        {"model": "ridge", "options": "", "batch_size": batch, "n_cells": n, "status": status}
        | {"wall_s": n / 100, "cpu_s": n / 90, "peak_memory_mb": 100.0}
        | {"device_peak_memory_mb": np.nan}
        for batch in (np.nan, 64.0)
        for n, status in ((100, "ok"), (1000, "ok"), (5000, "error"))
    ]
    scaling = pd.DataFrame(rows)
    table = growth(scaling).table
    assert set(table["series"]) == {"ridge", "ridge, batch 64"}
    assert set(table["metric"]) == {"wall_s", "cpu_s", "peak_memory_mb"}
    assert set(table["n_cells"]) == {100, 1000}
    assert growth(scaling[scaling["n_cells"] == 100]) is None
    assert growth(pd.DataFrame()) is None


def scores_of(skill, scenario="unseen-context", n_contexts=8):
    rng = np.random.default_rng(0)
    rows = [
        {
            "scenario": scenario,
            "dataset": "made",
            "arm": "random",
            "seed": 0,
            "fold": 0,
            "context": f"c{context}",
            "perturbation": f"p{perturbation}",
            "category": "single",
            "metric": "pearson_delta",
            "model": model,
            "value": level + easy + rng.normal(0, 0.03),
            "numerator": np.nan,
            "denominator": np.nan,
            "null": 0.0,
            "status": "ok",
        }
        for context in range(n_contexts)
        for perturbation in range(6)
        for easy in [rng.normal(0, 0.05)]
        for model, level in skill.items()
    ]
    return pd.DataFrame(rows)


REFERENCES = {"unseen-context": "context-transfer", "unseen-dose": "context-transfer"}
NAIVE = {"context-transfer": 0.5, "no-change": 0.0, "perturbed-mean": 0.3}


def guided(scores):
    usable = {(name, "made", "random"): {"pearson_delta"} for name in REFERENCES}
    return guide(scores, REFERENCES, pd.DataFrame(), usable), usable


def test_guidance_says_what_the_advice_says():
    scores = pd.concat(
        [
            scores_of({**NAIVE, "good": 0.7, "bad": 0.2}),
            scores_of({**NAIVE, "good": 0.4, "bad": 0.2}, scenario="unseen-dose"),
        ],
        ignore_index=True,
    )
    table, usable = guided(scores)
    says = table.set_index(["unseen", "matters"])
    assert says.loc[("context", GENERAL), "says"] == SOME
    assert says.loc[("context", "correlation"), "use"] == "good (1 of 1)"
    assert says.loc[("context", "retrieval"), "says"] == UNTOLD
    assert says.loc[("dose", GENERAL), "says"] == NONE
    assert says.loc[("dose", GENERAL), "use"] == "context-transfer"
    for unseen in ("context", "dose"):
        found = evidence(scores, REFERENCES, pd.DataFrame(), unseen=unseen, usable=usable)
        first = next(advice_sentences(found, short_list(found), unseen))
        is_some = says.loc[(unseen, GENERAL), "says"] == SOME
        assert first.startswith("None surely beats the baseline") is not is_some


def test_guidance_is_drawn_a_square_a_setting():
    table, _ = guided(scores_of({**NAIVE, "good": 0.7}))
    chart = guidance(table)
    (data,) = json.loads(chart.spec)["datasets"].values()
    labels = {row["matters"]: row["label"] for row in data}
    assert labels == {
        GENERAL: "good",
        "correlation": "good",
        **dict.fromkeys(("retrieval", "genes", "distance", "profile"), "-"),
    }
    assert guidance(table.iloc[:0]) is None


def test_figures_are_written_of_all_of_them(runs, tmp_path, capsys):
    main(["figures", str(runs), "--out", str(tmp_path)])
    names = {path.name for path in tmp_path.rglob("*.svg")}
    wanted = {"depths", "genes", "condition", "distance", "metrics-pearson_delta"}
    assert {f"{name}.svg" for name in (*wanted, "arms", "changes", "cells", "guidance")} <= names
    index = (tmp_path / "README.md").read_text()
    assert "memory and time against cells and batch size: needs scaling.csv" in index


def test_ranks_are_the_same_whatever_tables_are_beside(runs, tables):
    references = dict.fromkeys(tables["ranks"]["scenario"], tables["ranks"]["reference"].iloc[0])
    again = rank(read_scores(runs, with_controls=True), references)
    assert again["mean"].to_numpy() == pytest.approx(
        tables["ranks"]["mean"].to_numpy(), nan_ok=True
    )
