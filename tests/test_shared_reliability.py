"""The shared response is known as well as halves of the training cells agree on it."""

from dataclasses import replace

import numpy as np

from wildcell.results.findings.claim import Answer
from wildcell.results.findings.find import find_all
from wildcell.results.table import material_of
from wildcell.run import run_scenario
from wildcell.store.runs import read_records

SCREEN = {"n_genes": 60, "n_contexts": 1, "n_perturbations": 25, "n_combinations": 0}


def reliabilities(folder, metrics=("headline", "shared_r2"), **screen):
    run_scenario(
        "unseen-perturbation",
        data="simulated",
        data_options={**SCREEN, **screen},
        models=["ridge"],
        metrics=list(metrics),
        runs=folder,
        seeds=[0],
    )
    records = read_records(folder)
    return records.get("shared_reliability", records["seed"] * np.nan).dropna()


def test_more_cells_say_it_more_surely(tmp_path):
    few = reliabilities(tmp_path / "few", n_cells=6, n_controls=60)
    many = reliabilities(tmp_path / "many", n_cells=100, n_controls=400)

    assert many.min() > 0.9
    assert few.median() < many.median()


def test_it_is_asked_for_by_the_metric_of_what_is_shared(tmp_path):
    assert reliabilities(tmp_path, metrics=["headline"]).empty


def test_the_claim_waits_for_it(tmp_path):
    reliabilities(tmp_path)
    material = material_of(tmp_path)
    (question,) = material.reliability
    unknown = find_all(replace(material, reliability={question: 0.5}), claims=["F4"])

    assert set(unknown["answer"]) == {str(Answer.UNTOLD)}
    assert unknown["sentence"].str.contains("0.50, below 0.8", regex=False).any()
