"""Results made of runs, and what is found in those that were edited."""

import json
import shutil

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from wildcell.cli.main import main
from wildcell.errors import OptionError, StoreError
from wildcell.results.rank import rank
from wildcell.results.table import rank_runs
from wildcell.store.runs import slug
from wildcell.submission.check import check_results
from wildcell.submission.make import submit_runs
from wildcell.submitted.card import Card, card_text
from wildcell.submitted.layout import card_path, entry_of
from wildcell.submitted.read import look_at, read_results

NAME = "Mine <2>"


@pytest.fixture
def mine(results):
    (scenario,) = {one.scenario for one in read_results(results).submitted}
    return entry_of(results, scenario, NAME)


def wrong(results, **options):
    return [
        f"{one.file}: {one.said}"
        for one in check_results(results, only_stored=True, **options)
        if one.is_wrong
    ]


def edit(entry, change):
    table = pd.read_parquet(entry.scores)
    change(table)
    table.to_parquet(entry.scores)


def edit_records(entry, **words):
    content = json.loads(entry.records.read_text())
    for run in content["runs"]:
        run.update(words)
    entry.records.write_text(json.dumps(content))


def test_what_is_made_has_nothing_wrong_and_every_score_is_found_again(results):
    remarks = check_results(results)
    assert [one for one in remarks if one.is_wrong] == []
    assert not any("prediction" in one.said for one in remarks)


def test_yardsticks_come_with_a_model(results):
    found = read_results(results)
    assert {one.model for one in found.submitted} == {
        NAME,
        "no-change",
        "perturbed-mean",
        "context-transfer",
        "replicate",
        "ceiling",
    }
    assert set(found.cards) == {NAME, "no-change", "perturbed-mean", "context-transfer"}


def test_ranks_of_results_are_those_of_the_runs(results, kept_runs):
    found = read_results(results)
    records = found.records()
    own = rank(found.scores(), dict(zip(records["scenario"], records["reference"], strict=True)))
    theirs = rank_runs(kept_runs)
    is_mine = theirs["model"].str.endswith(":Mine")
    theirs["model"] = theirs["model"].mask(is_mine, NAME)
    keys = ["metric", "category", "model"]
    columns = ["mean", "low", "high", "rank", "difference_low", "scaled"]
    one, other = (table.set_index(keys).sort_index()[columns] for table in (own, theirs))
    pd.testing.assert_frame_equal(one, other)


def test_costs_are_those_of_the_runs(results):
    costs = read_results(results).costs()
    assert len(costs) == 6
    assert (costs["wall_s"] >= 0).all()


def test_a_second_submission_leaves_what_was_there(results, kept_runs, tmp_path):
    before = {path: path.read_bytes() for path in results.glob("*/no-change.[pj]*")}
    second = Card("Other", "1", ("B",), "closed", ())
    submit_runs(kept_runs, results, card=second)
    assert {path: path.read_bytes() for path in results.glob("*/no-change.[pj]*")} == before
    assert wrong(results) == []
    assert "Other" in {one.model for one in read_results(results).submitted}


def test_a_model_that_is_handed_in_again_takes_the_place_of_what_it_was(results, kept_runs, mine):
    edit(mine, lambda table: table.update({"n_prediction": table["n_prediction"] + 1}))
    submit_runs(kept_runs, results, card=Card(NAME, "2", ("Ada",), "MIT", ()))
    table = pd.read_parquet(mine.scores)
    assert not table.duplicated(
        ["dataset", "seed", "fold", "context", "perturbation", "metric"]
    ).any()
    assert (table["n_prediction"] == 0).all()


def test_a_card_of_several_models_is_refused(kept_runs, tmp_path):
    with pytest.raises(OptionError, match="comes with wildcell"):
        submit_runs(kept_runs, tmp_path / "r", card=Card("ridge", "1", ("A",), "MIT", ()))
    with pytest.raises(OptionError, match="There are no runs of 'x'"):
        submit_runs(kept_runs, tmp_path / "r", models=["x"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.__setitem__("value", t["value"] * np.inf), "no finite"),
        (lambda t: t.__setitem__("value", t["value"] + 7), "outside of the range"),
        (lambda t: t.__setitem__("status", "fine"), "status 'fine' is not known"),
        (lambda t: t.__setitem__("metric", "made_up"), "metric 'made_up' is not known"),
        (lambda t: t.__setitem__("status", "missing"), "a status beside ok"),
        (lambda t: t.__setitem__("null", 1.0), "null values are not those"),
        (lambda t: t.__setitem__("context", t["context"] + " B"), "not asked of the reference"),
        (lambda t: t.__setitem__("n_truth", t["n_truth"] + 1), "n_truth differs"),
        (lambda t: t.__setitem__("numerator", t["numerator"] + 1), "what their parts come to"),
        (lambda t: t.__setitem__("wall_s", -1.0), "below 0"),
        (lambda t: t.__setitem__("extra", 1), "unknown columns: 'extra'"),
        (lambda t: t.pop("null"), "lacks the columns null"),
        (lambda t: t.__setitem__("model", "Other"), "belongs in 'Other'"),
        (lambda t: t.__setitem__("seed", 0.5), "seed must be whole numbers"),
        (lambda t: t.__setitem__("value", "0.5"), "value must be numbers"),
        (lambda t: t.__setitem__("category", "a\x1b[2J"), "cannot be seen"),
        (lambda t: t.__setitem__("fold", t["fold"] + 5), "there are no scores of"),
    ],
)  # fmt: skip
def test_a_table_that_was_edited_is_refused(results, mine, change, said):
    edit(mine, change)
    assert any(said in line for line in wrong(results)), wrong(results)


def test_a_table_that_lacks_rows_is_refused(results, mine):
    pd.read_parquet(mine.scores).iloc[3:].to_parquet(mine.scores)
    assert any("lacking, which the reference baseline has" in line for line in wrong(results))


def test_a_row_that_is_there_twice_is_refused(results, mine):
    table = pd.read_parquet(mine.scores)
    pd.concat([table, table.tail(1)], ignore_index=True).to_parquet(mine.scores)
    assert any("1 rows are there twice" in line for line in wrong(results))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"reference": "no-change"}, "has the reference"),
        ({"dataset": "other"}, "there are no"),
        ({"extra": 1}, "unknown keys 'extra'"),
        ({"seed": "0"}, "seed is of another kind"),
        ({"status": "good"}, "ok, not_applicable or error"),
        ({"n_folds": 3}, "1 of 3 folds"),
        ({"judged": "0" * 32}, "judged by other cells"),
        ({"fingerprints": {}}, "the fingerprint of dataset is 'None'"),
        ({"model": "ridge"}, None),
        ({"arm": "../x"}, "leads elsewhere"),
    ],
)
def test_records_that_were_edited_are_refused(results, mine, words, said):
    edit_records(mine, **words)
    lines = wrong(results)
    assert (lines == []) if said is None else any(said in line for line in lines), lines


def test_fingerprints_that_do_not_add_up_are_refused(results, mine):
    content = json.loads(mine.records.read_text())
    content["runs"][0]["fingerprints"]["dataset"] = "0" * 32
    mine.records.write_text(json.dumps(content))
    assert any("do not add up" in line for line in wrong(results))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("scenario", "shams"), 5, "not the shipped one"),
        (("scenario", "arms"), "none", "recipe that is damaged"),
        (("scenario",), [], "recipe that is damaged"),
    ],
)
def test_a_scenario_that_was_edited_is_refused(results, mine, path, value, said):
    content = json.loads(mine.records.read_text())
    for run in content["runs"]:
        words = run["recipe"]
        for key in path[:-1]:
            words = words[key]
        words[path[-1]] = value
        if isinstance(run["recipe"]["scenario"], dict):
            run["recipe"]["scenario"]["name"] = "iid"
    mine.records.write_text(json.dumps(content))
    assert any(said in line for line in wrong(results)), wrong(results)


def test_a_question_of_another_split_is_refused(results, mine):
    from wildcell.store.fingerprint import fingerprint

    content = json.loads(mine.records.read_text())
    told = content["runs"][0]["fingerprints"]
    told["split"] = "0" * 32
    told["inputs"] = fingerprint(
        {name: text for name, text in told.items() if name not in {"inputs", "prediction"}}
    )
    mine.records.write_text(json.dumps(content))
    assert any("another fingerprint of split" in line for line in wrong(results))


def test_scores_that_are_not_those_of_the_prediction_are_refused(results, mine):
    def better(table):
        is_ok = (table["status"] == "ok") & (table["metric"] == "pearson_delta")
        table.loc[is_ok, "value"] = 0.99

    edit(mine, better)
    assert wrong(results) == []
    said = [one.said for one in check_results(results, models=[NAME]) if one.is_wrong]
    assert any("is not what its runs hold" in line and "pearson_delta" in line for line in said)


def test_a_prediction_that_was_changed_is_found(results, mine):
    (path,) = mine.runs.rglob("prediction.h5ad")
    cells = ad.read_h5ad(path)
    cells.X = np.asarray(cells.X) * 0.5
    cells.write_h5ad(path)
    said = [one.said for one in check_results(results, models=[NAME]) if one.is_wrong]
    assert any("prediction.h5ad is not what" in line for line in said)
    assert any("scores differs" in line for line in said)


def test_the_question_is_asked_again_of_the_reference(results):
    scenario = read_results(results).submitted[0].scenario
    reference = entry_of(results, scenario, "context-transfer")
    for entry in results.rglob("*.json"):
        if entry.parent.name == slug(scenario):
            content = json.loads(entry.read_text())
            for run in content["runs"]:
                run["recipe"]["data"]["options"]["n_contexts"] = 3
            entry.write_text(json.dumps(content))
    assert wrong(results) == []
    said = [
        f"{one.file}: {one.said}" for one in check_results(results, models=["-"]) if one.is_wrong
    ]
    assert any("of the run are others than these" in line for line in said), said
    assert reference.scores.is_file()


def test_a_model_without_a_card_is_refused(results):
    card_path(results, NAME).unlink()
    assert any("has no card" in line for line in wrong(results))


def test_a_model_that_says_it_was_sealed_and_was_not_is_refused(results):
    card = Card(NAME, "1", ("A",), "MIT", (), sealed=True)
    card_path(results, NAME).write_text(card_text(card))
    assert any("sealed = true" in line for line in wrong(results))


def test_the_name_of_a_shipped_model_is_kept_for_it(results, mine):
    scenario = read_results(results).submitted[0].scenario
    other = entry_of(results, scenario, "ridge")
    table = pd.read_parquet(mine.scores).assign(model="ridge")
    table.to_parquet(other.scores)
    shutil.copy(mine.records, other.records)
    card_path(results, "ridge").parent.mkdir()
    card_path(results, "ridge").write_text(card_text(Card("ridge", "1", ("A",), "MIT", ())))
    assert any("choose another name" in line for line in wrong(results))


def test_results_without_their_reference_are_refused(results):
    scenario = read_results(results).submitted[0].scenario
    entry = entry_of(results, scenario, "context-transfer")
    for path in (entry.scores, entry.records):
        path.unlink()
    shutil.rmtree(entry.runs)
    assert any("lacks its reference baseline" in line for line in wrong(results))


def test_files_that_have_no_place_are_refused(results, mine, tmp_path):
    (results / "run.sh").write_text("exit")
    (mine.scores.parent / "x.pickle").write_text("x")
    (results / "models" / slug(NAME) / "y.py").write_text("x")
    (results / "link").symlink_to(tmp_path)
    (results / "README.md").write_text("fine")
    said = wrong(results)
    for name in (
        "run.sh: has no place",
        "x.pickle: has no place",
        "y.py: has no place",
        "is a link",
    ):
        assert any(name in line for line in said), said
    assert not any("README" in line for line in said)


def test_names_that_differ_by_case_alone_are_refused(results, mine):
    for path in (mine.scores, mine.records):
        shutil.copy(
            path,
            path.with_name(path.name.upper().replace("JSON", "json").replace("PARQUET", "parquet")),
        )
    assert any("by case alone" in line for line in wrong(results))


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"schema": 9, "runs": []}', '{"runs": 1}', "\xff"]
)
def test_records_that_cannot_be_read_are_refused(results, mine, text):
    mine.records.write_text(text, encoding="latin-1")
    assert any(mine.records.name in line for line in wrong(results))


def test_a_table_that_is_no_parquet_is_refused(results, mine):
    mine.scores.write_bytes(b"PAR1 no")
    assert any("cannot be read as Parquet" in line for line in wrong(results))


def test_results_that_are_wrong_are_not_read(results, mine):
    edit(mine, lambda table: table.__setitem__("status", "fine"))
    with pytest.raises(StoreError, match="wildcell submit --check"):
        read_results(results)
    with pytest.raises(StoreError, match="holds no results"):
        look_at(results / "models")


def test_the_command_ends_with_1_where_something_is_wrong(results, mine, capsys):
    main(["submit", "--check", str(results), "--stored"])
    assert "nothing is wrong" in capsys.readouterr().out
    edit(mine, lambda table: table.__setitem__("status", "fine"))
    with pytest.raises(SystemExit) as end:
        main(["submit", "--check", str(results), "--stored"])
    assert end.value.code == 1
    assert "wrong: " in capsys.readouterr().out


def test_the_command_writes_and_checks(kept_runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["new", "card", "mine.toml"])
    main(["submit", str(kept_runs), "--card", "mine.toml"])
    assert "results: nothing is wrong" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["submit", str(kept_runs), "--model", "mine"])
