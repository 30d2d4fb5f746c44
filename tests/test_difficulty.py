"""The table of conditions: agreement with the judge, with brute force, and who may see it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control, mannwhitneyu

from wildcell.cli.main import main
from wildcell.datasets.dataset import Dataset
from wildcell.difficulty import condition_table, measured_difficulty
from wildcell.judge import Judge
from wildcell.metrics.headline import find_metrics
from wildcell.models.means import NoChange
from wildcell.names import CONDITION, CONDITION_COLUMNS, SHAM
from wildcell.run import run_scenario
from wildcell.scenarios.ask import ask
from wildcell.scenarios.folder import write_question
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.store.runs import read_conditions, read_scores
from wildcell.testing import toy_questions, toy_screen

JUDGED = ["effect_size", "n_de_genes", "correlation_ceiling"]


def asked_of(screen, name="unseen-context", **words):
    scenario = replace(load_scenario(name), **words)
    return ask(screen, make_splits(scenario, screen, seed=0)[0], scenario)


@pytest.fixture(scope="module")
def asked():
    return asked_of(toy_screen(n_controls=200), shams=2)


def test_effects_and_ceilings_are_those_of_the_judge(asked):
    task, truth = asked.question
    model = NoChange()
    model.fit(task)
    judge = Judge(truth, find_metrics(["effect_r2", "pearson_delta"]))
    scores = judge.score(model.predict(task.query))
    found = measured_difficulty(truth).set_index(CONDITION)
    sizes = scores[scores["metric"] == "effect_r2"].set_index(CONDITION)["denominator"]
    ceilings = judge.ceilings()
    ceilings = ceilings[ceilings["metric"] == "pearson_delta"].set_index(CONDITION)["value"]
    np.testing.assert_allclose(found["effect_size"], sizes.loc[found.index], rtol=1e-6)
    np.testing.assert_allclose(found["correlation_ceiling"], ceilings.loc[found.index], rtol=1e-6)


def test_de_genes_are_those_of_a_test_a_gene(asked):
    truth = asked.question.truth
    found = measured_difficulty(truth)["n_de_genes"]
    assert found.max() > 5
    for row in (0, 5, len(found) - 1):
        condition = truth.conditions.iloc[row]
        is_own = (truth.test.obs[CONDITION] == condition[CONDITION]).all(axis=1).to_numpy()
        beside = (truth.kept.obs["control_group"] == condition["control_group"]).to_numpy()
        p = mannwhitneyu(
            truth.test.lognorm[is_own].toarray(), truth.kept.lognorm[beside].toarray(), axis=0
        ).pvalue
        p = np.nan_to_num(p, nan=1.0)[~truth.is_target[row]]
        assert (false_discovery_control(p) < 0.05).sum() == found[row]


def test_nothing_done_is_of_size_zero_and_stronger_effects_are_larger(asked):
    table = condition_table(*asked).query("role == 'test'")
    is_sham = table["category"] == SHAM
    assert table.loc[is_sham, "n_de_genes"].max() <= 1
    assert table.loc[is_sham, "effect_size"].abs().max() < table["effect_size"].median() / 5
    assert (
        table.loc[is_sham, "unknown"].tolist()
        == ["context_distance: sham; perturbation_distance: sham"] * 2
    )
    weak, strong = (
        condition_table(*asked_of(toy_screen(n_controls=200, shared_strength=strength)))
        for strength in (0.2, 2.0)
    )
    assert (strong["effect_size"] > weak["effect_size"])[strong["role"] == "test"].mean() > 0.9


def test_every_condition_has_a_row_and_only_tested_ones_a_difficulty(asked):
    table = condition_table(*asked)
    assert table.columns.tolist() == CONDITION_COLUMNS
    pd.testing.assert_frame_equal(
        table[[*CONDITION, "role"]], asked.split.conditions[[*CONDITION, "role"]]
    )
    is_tested = table["role"] == "test"
    assert (
        table.loc[~is_tested, ["context_distance", "perturbation_distance", *JUDGED]]
        .isna()
        .all(axis=None)
    )
    assert (table.loc[~is_tested, "unknown"] == "").all()
    assert table.loc[is_tested, JUDGED].notna().all(axis=None)


def test_cells_are_those_that_are_tested():
    screen = toy_screen()
    table = condition_table(*asked_of(screen, "iid"))
    assert (table["n_cells"] < 20).all()
    assert table["n_cells"].sum() == asked_of(screen, "iid").question.truth.test.n


def test_what_cannot_be_measured_is_unknown_with_its_reason():
    table = condition_table(*asked_of(toy_screen(n_controls=10))).query("role == 'test'")
    assert table[JUDGED].isna().all(axis=None)
    assert table["unknown"].str.contains("effect_size: too_few_controls").all()
    blind = condition_table(*asked_of(toy_screen(), "unseen-perturbation", features="none"))
    tested = blind[blind["role"] == "test"]
    assert (tested["unknown"] == "perturbation_distance: no features").all()


def test_every_toy_question_can_be_measured():
    for name, (_, truth) in toy_questions().items():
        found = measured_difficulty(truth)
        assert found[CONDITION].equals(truth.conditions[CONDITION]), name


def test_a_changed_truth_changes_what_the_judge_knows_and_nothing_else(asked):
    task, truth = asked.question
    other = replace(truth, test=replace(truth.test, X=truth.test.X[::-1].copy()))
    before, after = (
        condition_table(type(asked.question)(task, side), asked.split).query("role == 'test'")
        for side in (truth, other)
    )
    distances = ["context_distance", "context_distance_mean", "perturbation_distance"]
    pd.testing.assert_frame_equal(before[distances], after[distances])
    assert not np.allclose(before["effect_size"], after["effect_size"])


def test_no_file_of_the_task_folder_tells_the_difficulty(asked, tmp_path):
    write_question(
        asked.question, asked.split, task_folder=tmp_path / "task", truth=tmp_path / "truth.h5ad"
    )
    for path in (tmp_path / "task").iterdir():
        content = path.read_bytes()
        assert not any(name.encode() in content for name in JUDGED), path.name


def test_split_writes_the_difficulty_beside_the_truth(tmp_path, capsys):
    words = ["split", "unseen-context", "--data", "simulated", "--out", str(tmp_path / "task")]
    options = ["n_genes=60", "n_perturbations=6", "n_combinations=0", "n_cells=12"]
    main([*words, *(word for option in options for word in ("--data-option", option))])
    table = pd.read_parquet(tmp_path / "task-truth.conditions.parquet")
    assert table.columns.tolist() == CONDITION_COLUMNS
    assert not list((tmp_path / "task").rglob("*conditions*"))


def test_a_question_is_measured_once_for_all_its_runs(tmp_path):
    def run(screen, *models):
        run_scenario("unseen-context", models=models, runs=tmp_path, data=screen, seeds=[0])

    run(toy_screen(), "perturbed-mean")
    files = sorted(tmp_path.rglob("conditions-*.parquet"))
    assert len(files) == 3  # a fold a context
    written = [file.stat().st_mtime_ns for file in files]
    run(toy_screen(), "perturbed-mean", "no-change")
    assert [file.stat().st_mtime_ns for file in files] == written
    table, scores = read_conditions(tmp_path), read_scores(tmp_path)
    keys = ["scenario", "dataset", "arm", "seed", "fold", *CONDITION]
    joined = scores.merge(table, on=keys, how="left", validate="many_to_one")
    assert joined["effect_size"].notna().all()


def test_the_table_of_another_question_is_replaced(tmp_path):
    def run(screen):
        data = Dataset("screen", screen.cells)
        run_scenario("iid", models=["no-change"], runs=tmp_path, data=data, seeds=[0])

    run(toy_screen())
    before = read_conditions(tmp_path)
    for record in tmp_path.rglob("run.json"):
        record.unlink()
    run(toy_screen(shared_strength=0.1))
    after = read_conditions(tmp_path)
    assert len(after) == len(before)
    assert not np.allclose(before["effect_size"], after["effect_size"])


def test_a_folder_without_questions_has_no_conditions(tmp_path):
    assert read_conditions(tmp_path).columns.tolist() == CONDITION_COLUMNS
