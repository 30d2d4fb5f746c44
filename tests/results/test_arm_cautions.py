"""Arms that were trained alike, or share few conditions, are told before they are compared."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from wildcell.cli.main import main
from wildcell.datasets.dataset import Dataset
from wildcell.results.arm_cautions import few_paired, trained_alike, trained_as_base
from wildcell.results.table import compare_arms_of_runs
from wildcell.run import run_scenario
from wildcell.scenarios.scenario import load_scenario
from wildcell.store.runs import read_records
from wildcell.testing import toy_screen

ARMS = ["single", "pooled-panel", "target-panel-foreign"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs of three arms, the first two of which are trained alike: all genes are chosen."""
    folder = tmp_path_factory.mktemp("runs")
    words = replace(load_scenario("cross-data-set"), metrics=("rmse",), strict=False)
    small = {"n_contexts": 1, "n_combinations": 0, "n_perturbations": 6, "n_genes": 60}
    target = Dataset("target", toy_screen(**small).cells)
    foreign = Dataset("foreign", toy_screen(**small, cell_seed=5).cells)
    for arm in ARMS:
        run_scenario(
            words,
            models=["perturbed-mean"],
            runs=folder,
            data=target,
            foreign=[foreign],
            arm=arm,
            seeds=[0],
        )
    return folder


def test_arms_that_were_trained_alike_are_named(runs):
    records = read_records(runs)
    assert records.groupby("arm")["trained"].nunique().min() > 1
    (said,) = trained_alike(records)
    assert said.endswith(" / target: the same training in pooled-panel and single.")
    assert list(trained_as_base(records, "single").values()) == [{"pooled-panel"}]


def test_arms_that_were_trained_alike_have_no_difference(runs, capsys):
    table = compare_arms_of_runs(runs, base="single", metrics=["rmse"]).set_index("arm")
    table = table[table["model"] == "perturbed-mean"]
    assert table.loc["pooled-panel", "difference_status"] == "same_training"
    assert np.isnan(table.loc["pooled-panel", "difference"])
    assert table.loc["target-panel-foreign", "difference_status"] == "ok"
    main(["arms", str(runs), "--base", "single", "--metric", "rmse"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "the same training in pooled-panel and single" in shown


def test_runs_that_do_not_say_what_they_were_trained_on_are_like_no_other(runs):
    records = read_records(runs)
    assert trained_alike(records.assign(trained="")) == []
    assert trained_alike(records.drop(columns="trained")) == []


@pytest.mark.parametrize(("n_paired", "is_told"), [(1, True), (4, True), (5, False)])
def test_a_difference_over_few_conditions_is_cautioned(n_paired, is_told):
    row = {"scenario": "asked", "dataset": "screen", "arm": "near", "base": "far"}
    table = pd.DataFrame([{**row, "difference_status": "ok", "n_paired": n_paired}])
    assert [f"share {n_paired} conditions" in said for said in few_paired(table)] == [
        True
    ] * is_told
