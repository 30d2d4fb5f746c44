"""Runs as they were kept, edited runs, and runs that cannot be told of."""

import json
import shutil

import anndata as ad
import pandas as pd
import pytest

from wildcell.cli.main import main
from wildcell.datasets.load import load_dataset
from wildcell.run import run_scenario
from wildcell.store.fingerprint import file_sha256, fingerprint
from wildcell.verification.question import Given
from wildcell.verification.verify import verify_runs

METRICS = ["rmse", "pearson_delta", "effect_r2"]
SMALL = {"n_perturbations": 12, "n_combinations": 0, "n_contexts": 2}
MODELS = ["no-change", "additive"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    runs = tmp_path_factory.mktemp("kept") / "runs"
    run_scenario(
        "iid",
        models=MODELS,
        runs=runs,
        data="simulated",
        data_options=SMALL,
        seeds=[0],
        metrics=METRICS,
        conventions=["pseudocount-1"],
    )
    return runs


@pytest.fixture
def runs(kept, tmp_path):
    return shutil.copytree(kept, tmp_path / "runs")


def folder_of(runs, model):
    (record,) = runs.rglob(f"{model}/*/run.json")
    return record.parent


def edit(folder, **words):
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **words}))


def edit_scores(folder, change):
    scores = pd.read_parquet(folder / "scores.parquet")
    change(scores)
    scores.to_parquet(folder / "scores.parquet")


def cover_up(folder):
    """Let the record say that the files are as they were written."""
    told = json.loads((folder / "run.json").read_text())["files"]
    edit(folder, files={name: file_sha256(folder / name) for name in told})


def verdicts(table, folder):
    rows = table[table["folder"].str.endswith(folder.name) & table["folder"].str.contains(
        folder.parent.name
    )]  # fmt: skip
    return dict(zip(rows["check"], rows["verdict"], strict=True))


def off(table):
    return set(table.loc[table["verdict"] == "differs", "check"])


def test_runs_are_what_they_say_and_scores_are_the_same_to_the_bit(kept):
    found = verify_runs(kept, tolerance=0.0)
    assert set(found["verdict"]) == {"same"}
    assert set(found["said"]) == {""}
    wanted = {"files", "inputs", "prediction", "question", "judged", "trained", "scores", "shaken"}
    assert wanted | {"halves", "scores-pseudocount-1", "place", "versions"} == set(found["check"])
    assert found["folder"].nunique() == len(list(kept.rglob("run.json")))


def test_a_score_that_was_edited_is_found_and_named(runs):
    folder = folder_of(runs, "additive")

    def better(scores):
        scores.loc[scores["metric"] == "rmse", "value"] = 0.0

    edit_scores(folder, better)
    assert {"files", "scores"} == off(verify_runs(runs))

    cover_up(folder)
    found = verify_runs(runs)
    assert off(found) == {"scores"}
    said = found.loc[found["verdict"] == "differs", "said"].item()
    assert "numbers differ" in said
    assert "value of rmse" in said


def test_conditions_that_were_excused_afterwards_are_found(runs):
    folder = folder_of(runs, "additive")

    def excuse(scores):
        rows = scores["perturbation"] == scores["perturbation"].iloc[0]
        scores.loc[rows, "value"] = float("nan")
        scores.loc[rows, "status"] = "not_applicable"

    edit_scores(folder, excuse)
    cover_up(folder)
    found = verify_runs(runs)
    assert off(found) == {"scores"}
    assert "statuses differ" in found.loc[found["verdict"] == "differs", "said"].item()


def test_conditions_that_were_dropped_are_found(runs):
    folder = folder_of(runs, "additive")
    scores = pd.read_parquet(folder / "scores.parquet").iloc[3:]
    scores.to_parquet(folder / "scores.parquet")
    cover_up(folder)
    found = verify_runs(runs)
    assert found.loc[found["verdict"] == "differs", "said"].item() == (
        "3 rows are gone and 0 were added."
    )


def test_a_prediction_that_was_put_in_another_ones_place_is_found(runs):
    folder = folder_of(runs, "no-change")
    shutil.copy(folder_of(runs, "additive") / "prediction.h5ad", folder / "prediction.h5ad")
    assert off(verify_runs(runs)) == {"files", "prediction", "scores", "shaken", OTHERWISE}


OTHERWISE = "scores-pseudocount-1"


def test_a_prediction_that_is_gone_or_damaged_is_found(runs):
    (folder_of(runs, "no-change") / "prediction.h5ad").unlink()
    (folder_of(runs, "additive") / "prediction.h5ad").write_bytes(b"nothing of the kind")
    found = verify_runs(runs, only_stored=True)
    assert off(found) == {"files", "prediction"}
    assert "is gone" in " ".join(found["said"])


def test_a_record_of_another_seed_is_in_the_wrong_place(runs):
    edit(folder_of(runs, "additive"), seed=1)
    found = verify_runs(runs, only_stored=True)
    assert off(found) == {"place"}


def test_fingerprints_that_were_edited_do_not_add_up(runs):
    folder = folder_of(runs, "additive")
    told = json.loads((folder / "run.json").read_text())["fingerprints"]
    edit(folder, fingerprints={**told, "dataset": "0" * 32})
    assert off(verify_runs(runs, only_stored=True)) == {"inputs"}


def forged(folder, change):
    """Change what was asked, with fingerprints that add up."""
    record = json.loads((folder / "run.json").read_text())
    change(record)
    told = record["fingerprints"]
    parts = {key: told[key] for key in told if key not in ("inputs", "prediction")}
    told["inputs"] = fingerprint(parts)
    edit(folder, **record)


def test_a_run_on_other_data_than_it_says_is_found(runs):
    folder = folder_of(runs, "additive")
    forged(folder, lambda record: record["recipe"]["data"]["options"].update(n_contexts=3))
    found = verify_runs(runs)
    assert off(found) == {"question"}
    assert "dataset, split" in found.loc[found["verdict"] == "differs", "said"].item()


def test_a_scenario_that_is_not_the_one_of_that_name_is_found(tmp_path):
    from dataclasses import replace

    from wildcell.scenarios.scenario import load_scenario

    easier = replace(load_scenario("iid"), genes="hvg:5")
    run_scenario(easier, models=["no-change"], runs=tmp_path, data_options=SMALL, seeds=[0])
    found = verify_runs(tmp_path)
    assert off(found) == {"question"}
    assert "is not the shipped one" in found.loc[found["verdict"] == "differs", "said"].iloc[0]


def test_a_run_from_before_says_what_it_cannot_tell(runs):
    folder = folder_of(runs, "additive")
    record = json.loads((folder / "run.json").read_text())
    del record["recipe"], record["files"]
    (folder / "run.json").write_text(json.dumps(record))
    found = verify_runs(runs)
    assert not off(found)
    told = verdicts(found, folder)
    assert told["files"] == told["scores"] == "untold"


def test_other_versions_are_told_and_are_no_difference(runs):
    edit(folder_of(runs, "additive"), versions={"numpy": "0.1"})
    found = verify_runs(runs, only_stored=True)
    assert not off(found)
    assert "numpy 0.1, now" in " ".join(found["said"])


@pytest.mark.parametrize(
    "words",
    [{"fingerprints": "all"}, {"fingerprints": None}, {"files": ["a"]}, {"recipe": {"data": 1}}],
)
def test_records_that_were_spoiled_are_told_of(runs, words):
    edit(folder_of(runs, "additive"), **words)
    found = verify_runs(runs)
    assert set(found["verdict"]) - {"same"}


def test_a_record_asks_for_no_vast_data(runs):
    folder = folder_of(runs, "additive")
    forged(folder, lambda record: record["recipe"]["data"]["options"].update(n_cells=10**12))
    found = verify_runs(runs)
    assert "too large to be made" in " ".join(found["said"])


def test_runs_on_a_file_need_the_file(tmp_path):
    path = tmp_path / "mine.h5ad"
    load_dataset("simulated", **SMALL).cells.write_h5ad(path)
    runs = tmp_path / "runs"
    run_scenario("iid", models=["no-change"], runs=runs, data=path, seeds=[0], metrics=METRICS)
    without = verify_runs(runs)
    assert not off(without)
    assert "name it with --data" in " ".join(without["said"])
    assert set(verify_runs(runs, Given(data={"mine": path}))["verdict"]) == {"same"}

    ad.read_h5ad(path)[1:].copy().write_h5ad(path)
    assert off(verify_runs(runs, Given(data={"mine": path}))) == {"question"}


def test_scored_files_are_held_to_their_record_alone(tmp_path):
    main(["split", "iid", "--data", "simulated", "--out", str(tmp_path / "task")])
    main(["predict", str(tmp_path / "task"), "--model", "no-change", "--out",
          str(tmp_path / "answer.h5ad")])  # fmt: skip
    files = [str(tmp_path / name) for name in ("answer.h5ad", "task-truth.h5ad")]
    out = ["--out", str(tmp_path / "scores.csv"), "--runs", str(tmp_path / "runs"), "--no-cache"]
    main(["score", *files, "--metrics", "rmse", *out])
    found = verify_runs(tmp_path / "runs")
    assert not off(found)
    assert "score them again" in " ".join(found["said"])


def test_the_command_ends_with_1_where_something_differs(runs, tmp_path, capsys):
    main(["verify", str(runs), "--stored", "--out", str(tmp_path / "checks.csv")])
    assert "0 of which differ" in capsys.readouterr().out
    assert set(pd.read_csv(tmp_path / "checks.csv")["verdict"]) == {"same"}

    (folder_of(runs, "additive") / "shaken.parquet").unlink()
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(runs), "--stored"])
    assert ended.value.code == 1
    assert "shaken.parquet is gone" in capsys.readouterr().out


def test_nothing_is_written_into_the_runs(runs):
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*")}
    verify_runs(runs)
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("*")} == before
