"""The tables of a split lie beside the runs that it made, and disturb none of them."""

from dataclasses import replace

import pandas as pd
import pytest

from wildcell.cli.main import main
from wildcell.errors import StoreError
from wildcell.results.stats import NEW_CLUSTERS
from wildcell.results.table import compare_arms_of_runs, rank_runs
from wildcell.run import run_scenario
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.store.runs import read_records, run_folders
from wildcell.store.split_tables import read_split_tables, write_split_tables
from wildcell.testing import toy_screen_for

WORDS = replace(load_scenario("context-relatives"), metrics=("effect_r2",))
QUESTION = ("asked", "screen", "far", 0)


@pytest.fixture
def screen():
    return toy_screen_for("context-relatives", n_perturbations=3, n_combinations=0)


def run(runs, screen, arm="far"):
    return run_scenario(WORDS, models=["no-change"], runs=runs, data=screen, arm=arm, seeds=[0])


def test_tables_are_written_once_for_all_models_and_folds(tmp_path, screen):
    run(tmp_path, screen)
    expected = make_splits(WORDS, screen, seed=0)[0].tables
    places = sorted(path.name for path in tmp_path.rglob("split-0/*"))
    assert places == ["clusters.csv", "distances.csv", "relatives.csv", "tree.csv"]
    found = read_split_tables(tmp_path, "clusters")
    assert found["context"].tolist() == expected["clusters"]["context"].tolist()
    assert found["cluster"].tolist() == expected["clusters"]["cluster"].tolist()
    assert set(found["scenario"]) == {"context-relatives"}
    assert set(found["arm"]) == {"far"}


def test_collectors_of_runs_do_not_see_them(tmp_path, screen):
    outcomes = run(tmp_path, screen)
    assert len(run_folders(tmp_path)) == len(outcomes) == len(read_records(tmp_path))
    assert not rank_runs(tmp_path).empty


def test_tables_that_were_lost_or_spoilt_are_written_again_with_the_next_run(tmp_path, screen):
    outcomes = run(tmp_path, screen)
    (folder,) = tmp_path.rglob("split-0")
    before = {path.name: path.read_text() for path in folder.iterdir()}
    (folder / "tree.csv").unlink()
    (folder / "clusters.csv").write_text("scenario\n")
    (outcomes[-1].folder / "run.json").unlink()
    again = run(tmp_path, screen)
    assert sum(outcome.is_new for outcome in again) == 1
    assert {path.name: path.read_text() for path in folder.iterdir()} == before


def test_arms_of_runs_speak_of_the_clusters_that_their_splits_tell(tmp_path, screen):
    for arm in ("near", "far"):
        run(tmp_path, screen, arm)
    found = compare_arms_of_runs(tmp_path, base="far", metrics=["effect_r2"])
    near = found[found["arm"] == "near"].set_index("model")
    assert near.loc["context-transfer", "difference_interval"] == NEW_CLUSTERS
    assert near.loc["context-transfer", "n_paired"] == 18


def test_split_writes_them_beside_the_task_folder_and_not_in_it(tmp_path, capsys):
    words = [
        "split",
        "context-distance",
        "--data",
        "simulated-clusters",
        "--out",
        f"{tmp_path}/task",
    ]
    main([*words, "--data-option", "n_genes=30", "--data-option", "n_perturbations=3"])
    names = {path.name for path in (tmp_path / "task-split").iterdir()}
    assert names == {"clusters.csv", "tree.csv", "distances.csv", "training.csv"}
    assert not {path.name for path in (tmp_path / "task").iterdir()} & names
    assert "What the split follows from" in capsys.readouterr().out


def test_splits_without_tables_leave_no_folder(tmp_path):
    write_split_tables(tmp_path / "split-0", {}, QUESTION)
    assert not (tmp_path / "split-0").exists()
    assert read_split_tables(tmp_path, "clusters").empty


def test_names_that_look_like_numbers_or_nothing_stay_texts(tmp_path):
    table = pd.DataFrame({"context": ["1.0", "NA", "x"], "cluster": ["a", "b", "c"]})
    write_split_tables(tmp_path / "split-0", {"clusters": table}, QUESTION)
    assert read_split_tables(tmp_path, "clusters")["context"].tolist() == ["1.0", "NA", "x"]


def test_table_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "split-0").mkdir()
    (tmp_path / "split-0" / "clusters.csv").write_text("")
    with pytest.raises(StoreError, match=r"clusters\.csv cannot be read"):
        read_split_tables(tmp_path, "clusters")
