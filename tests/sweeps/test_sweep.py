"""Sweeps: the same as one run after the other, whatever becomes of some of their jobs."""

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from wildcell.models.sealed.terms import Terms
from wildcell.store.runs import claimed, read_records
from wildcell.sweeps.book import keep_plan
from wildcell.sweeps.setting import Setting
from wildcell.sweeps.status import progress_of
from wildcell.sweeps.sweep import plan_sweep


def states(runs):
    return progress_of(runs).jobs["state"].value_counts().to_dict()


def failed(runs):
    jobs = progress_of(runs).jobs
    return set(jobs.loc[jobs["state"] == "failed", "model"])


def test_tables_are_those_of_serial_runs_whatever_the_workers_and_the_order(
    sweeping, serially, make_sweep, content
):
    sweep = make_sweep(["no-change", "ridge", "random"], ["unseen-context", "iid"])
    serial = content(serially("serial", sweep))
    one, _ = sweeping("one", sweep, n_workers=1)
    three, _ = sweeping("three", sweep, n_workers=3)
    other = make_sweep(["random", "ridge", "no-change"], ["iid", "unseen-context"])
    reverse, _ = sweeping("reverse", other, n_workers=2)
    assert len(serial) > 40
    assert content(one) == serial
    assert content(three) == serial
    assert content(reverse) == serial


def test_cells_that_are_left_in_files_give_the_same(
    sweeping, serially, make_sweep, content, monkeypatch
):
    sweep = make_sweep(["ridge"], ["iid"])
    held = content(serially("held", sweep))
    monkeypatch.setenv("WILDCELL_HOLD_GIB", "0")
    runs, _ = sweeping("left", sweep)
    assert content(runs) == held


def test_a_plan_tells_its_jobs_and_which_are_finished(sweeping, make_sweep, tmp_path):
    sweep = make_sweep()
    setting = Setting(tmp_path / "runs")
    (before,) = plan_sweep(sweep, setting)
    assert not (tmp_path / "runs").exists()
    assert {job.state for question in before.questions for job in question.jobs} == {"open"}
    _, swept = sweeping("runs", sweep)
    assert len(swept.ended) == sum(len(question.jobs) for question in before.questions) == 10
    (after,) = plan_sweep(sweep, setting)
    assert {job.state for question in after.questions for job in question.jobs} == {"finished"}


def test_a_second_start_runs_what_is_left(sweeping, make_sweep, content):
    runs, _ = sweeping("runs", make_sweep())
    before = content(runs)
    lost = min(runs.rglob("ridge/*/run.json"))
    lost.unlink()
    assert states(runs) == {"done": 9, "missing": 1}
    _, swept = sweeping("runs", make_sweep())
    assert [end.model for end in swept.ended] == ["ridge"]
    assert content(runs) == before


def test_a_replicate_that_was_killed_before_its_halves_were_kept_has_them(
    sweeping, make_sweep, content
):
    runs, _ = sweeping("runs", make_sweep())
    before = content(runs)
    lost = next(runs.rglob("halves.parquet"))
    lost.unlink()
    _, swept = sweeping("runs", make_sweep())
    assert [(end.model, end.is_new) for end in swept.ended] == [("replicate", False)]
    assert content(runs) == before


def test_what_becomes_of_a_job_is_told_and_leaves_the_others_alone(
    sweeping, serially, make_sweep, content, own
):
    names = [
        "Exits",
        "Segfaults",
        "IsKilled",
        "IsKilledOnce",
        "Hangs",
        "Leaves",
        "Hungry",
        "Raises",
    ]
    place = Path(own("").rstrip(":")).parent
    marks = {name: [{"mark": str(place / f"{name}.mark")}] for name in ("IsKilledOnce", "Leaves")}
    sweep = make_sweep(
        [*map(own, names), "no-change"],
        ["iid"],
        options={own(name): mark for name, mark in marks.items()},
    )
    runs, swept = sweeping("runs", sweep, terms=Terms(max_seconds=8.0, max_memory=0.8))
    clean = serially("clean", make_sweep(["no-change"], ["iid"]))
    assert not swept.problems
    assert not [end for end in swept.ended if end.failure]
    records = read_records(runs)
    of_own = records[records["model"].str.startswith("own:")]
    told = of_own.set_index(of_own["model"].str.extract(r":(\w+)")[0])
    assert told.loc["IsKilledOnce", "status"] == "ok"
    assert set(told.drop("IsKilledOnce")["status"]) == {"error"}
    assert "code 3" in told.loc["Exits", "reason"]
    assert "going out" in told.loc["Exits", "log"]
    assert "SIGSEGV" in told.loc["Segfaults", "reason"]
    assert "killed twice" in told.loc["IsKilled", "reason"]
    assert "--max-seconds 8" in told.loc["Hangs", "reason"]
    assert "--max-memory 0.8" in told.loc["Hungry", "reason"]
    assert "no luck today" in told.loc["Raises", "reason"]
    assert not is_alive(int((place / "Leaves.mark").read_text()))
    others = {name: value for name, value in content(runs).items() if "/own-" not in name}
    assert others == content(clean)
    assert states(runs) == {"done": 5, "failed": 7}


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_question_whose_process_is_killed_is_prepared_anew_for_the_others(
    sweeping, serially, make_sweep, content, own
):
    runs, swept = sweeping(
        "runs", make_sweep([own("KillsItsParent"), "no-change", "ridge"], ["iid"])
    )
    (failure,) = [end for end in swept.ended if end.failure]
    assert failure.model == "own:KillsItsParent"
    assert "died" in failure.failure
    assert states(runs) == {"done": 5, "failed": 1}
    assert content(runs) == content(serially("clean", make_sweep(["no-change", "ridge"], ["iid"])))


def test_a_model_in_a_process_of_its_own_is_gone_with_its_job(sweeping, make_sweep, tmp_path):
    folder, mark = tmp_path / "hanging", tmp_path / "hanging" / "pid"
    folder.mkdir()
    command = ["sh", "-c", f"echo $$ > {mark}; exec sleep 600"]
    (folder / "card.toml").write_text(f'python = "present"\ncommand = {json.dumps(command)}\n')
    sweep = make_sweep([f"external:{folder}", "no-change"], ["iid"])
    runs, swept = sweeping("runs", sweep, terms=Terms(max_seconds=4.0))
    assert failed(runs) == {"external:hanging"}
    assert not [end for end in swept.ended if end.failure]
    assert not is_alive(int(mark.read_text()))


def test_errors_are_run_again_where_that_is_asked_for(sweeping, make_sweep, own):
    sweep = make_sweep([own("Slow")], ["iid"])
    runs, _ = sweeping("runs", sweep, terms=Terms(max_seconds=2.0))
    late = failed(runs)  # on a machine with other things to do others may be, too
    assert "own:Slow" in late
    _, again = sweeping("runs", sweep)
    assert again.ended == []
    _, again = sweeping("runs", sweep, retry=True)
    assert {end.model for end in again.ended} == late
    assert states(runs) == {"done": 4}


def test_what_lies_in_the_place_of_a_job_is_told_and_the_others_go_on(sweeping, make_sweep):
    runs, _ = sweeping("runs", make_sweep())
    first, second, *_ = sorted(runs.rglob("ridge/*/run.json"))
    first.write_text('{"half')
    record = json.loads(second.read_text())
    second.write_text(json.dumps({**record, "fingerprints": {"inputs": "others"}}))
    shutil.rmtree(next(runs.rglob("no-change")))
    _, swept = sweeping("runs", make_sweep())
    assert {end.model for end in swept.ended} == {"no-change"}
    assert len(swept.problems) == 2
    reasons = " ".join(problem.reason for problem in swept.problems)
    assert "cannot be read" in reasons
    assert "made from other data" in reasons


def test_a_damaged_table_of_conditions_is_made_anew(sweeping, make_sweep, content):
    runs, _ = sweeping("runs", make_sweep())
    before = content(runs)
    next(runs.rglob("conditions-*.parquet")).write_bytes(b"PAR1 no more")
    for path in runs.rglob("ridge/*/run.json"):
        path.unlink()
    sweeping("runs", make_sweep())
    assert content(runs) == before


def test_a_scenario_that_cannot_be_asked_is_told_and_the_others_go_on(sweeping, make_sweep):
    sweep = make_sweep(["no-change"], ["unseen-dose", "iid"])
    runs, swept = sweeping("runs", sweep)
    (problem,) = swept.problems
    assert problem.what.startswith("unseen-dose")
    assert states(runs) == {"done": 4}
    assert progress_of(runs).problems == [problem]


def test_a_plan_that_was_changed_takes_the_place_of_what_it_was(sweeping, make_sweep):
    first, second = make_sweep(["no-change", "ridge"], ["iid"]), make_sweep(["no-change"], ["iid"])
    runs, _ = sweeping("runs", replace(second, name="plan.toml"))
    keep_plan(runs, replace(first, name="plan.toml"), plan_sweep(first, Setting(runs)))
    assert states(runs) == {"done": 4, "missing": 1}
    sweeping("runs", replace(second, name="plan.toml"))
    assert states(runs) == {"done": 4}


def test_a_job_that_another_process_is_at_is_left_until_it_is_free(sweeping, make_sweep):
    sweep = make_sweep(["no-change", "ridge"], ["iid"])
    runs, _ = sweeping("runs", sweep)
    folder = next(runs.rglob("ridge/*/run.json")).parent
    (folder / "run.json").unlink()
    child = os.fork()
    if child == 0:
        with claimed(folder):
            (folder / "held").touch()
            time.sleep(3)
        os._exit(0)
    while not (folder / "held").exists():
        time.sleep(0.01)
    assert states(runs) == {"done": 4, "running": 1}
    begun = time.monotonic()
    _, swept = sweeping("runs", sweep)
    os.waitpid(child, 0)
    assert time.monotonic() - begun > 1
    assert [(end.model, end.status) for end in swept.ended] == [("ridge", "ok")]


def test_jobs_that_need_a_gpu_are_run_one_at_a_time(sweeping, make_sweep, own, tmp_path):
    alone = own("Alone")
    variants = [{"mark": str(tmp_path / "mark"), "at": at} for at in range(3)]
    sweep = make_sweep([alone], ["iid"], options={alone: variants})
    _, swept = sweeping("together", sweep, n_workers=3)
    assert [end.status for end in swept.ended].count("error") > 0
    _, swept = sweeping("alone", sweep, n_workers=3, gpu_models=[alone])
    assert {end.status for end in swept.ended} == {"ok"}


def test_what_a_dead_process_left_half_written_is_deleted(sweeping, make_sweep):
    runs, _ = sweeping("runs", make_sweep(["ridge"], ["iid"]))
    folder = next(runs.rglob("ridge/*/run.json")).parent
    (folder / "run.json").unlink()
    (folder / ".scores.parquet.0123abcd.part").write_bytes(b"half")
    sweeping("runs", make_sweep(["ridge"], ["iid"]))
    assert not list(folder.glob("*.part"))
    assert not list(folder.glob(".*.part"))


def test_a_sweep_takes_one_worker_at_least(sweeping, make_sweep):
    with pytest.raises(Exception, match="one worker at least"):
        sweeping("runs", make_sweep(), n_workers=0)
