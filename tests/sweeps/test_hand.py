"""Processes that do several jobs: fewer of them, and none is blamed for what others left."""

import json

import pytest

from wildcell.models.sealed.terms import Terms
from wildcell.plan import make_plan
from wildcell.run import folds_of, names_of
from wildcell.store.runs import read_records
from wildcell.sweeps.channel import channels
from wildcell.sweeps.child import fork
from wildcell.sweeps.hand import may_share
from wildcell.sweeps.question import serve_question
from wildcell.sweeps.setting import Setting

OWN_MODELS = '''
import os
import signal
import time
from pathlib import Path

from wildcell.models.means import NoChange

SEEN = []


class Counts(NoChange):
    """Writes which process it was in, and how many of its kind were there before."""

    def __init__(self, *, seed=0, mark="", at=0):
        super().__init__(seed=seed)
        self.mark, self.at = Path(mark), at

    def fit(self, task):
        SEEN.append(self.at)
        with self.mark.open("a") as file:
            file.write(f"{os.getpid()} {len(SEEN)}\\n")
        self.go_wrong()
        super().fit(task)

    def go_wrong(self):
        pass


class ExitsSecond(Counts):
    def go_wrong(self):
        if len(SEEN) > 1:
            os._exit(7)


class IsKilledSecond(Counts):
    def go_wrong(self):
        if len(SEEN) > 1:
            os.kill(os.getpid(), signal.SIGKILL)


class HangsSecond(Counts):
    def go_wrong(self):
        if len(SEEN) > 1:
            time.sleep(600)


class Exits(Counts):
    def go_wrong(self):
        os._exit(7)


class IsSlow(Counts):
    def go_wrong(self):
        time.sleep(0.3)


class Holds(Counts):
    """Takes 200 MiB the first time."""

    def go_wrong(self):
        if self.at == 0:
            bytearray(b"1") * (200 * 2**20)
'''


@pytest.fixture
def ask(tmp_path, monkeypatch, make_sweep):
    """Return a function that has a question do jobs, all of which may share processes."""

    def do(name, *, n_jobs=4, n_at_once=1, oldest_s=60.0, terms=None):
        monkeypatch.setattr("wildcell.sweeps.question.may_share", lambda *_: True)
        monkeypatch.setattr("wildcell.sweeps.hand.OLDEST_S", oldest_s)
        (tmp_path / "own.py").write_text(OWN_MODELS)
        own, mark = f"{tmp_path / 'own.py'}:{name}", tmp_path / "mark"
        (fold,) = fold_of(make_sweep, own, [{"mark": str(mark), "at": at} for at in range(n_jobs)])
        setting = Setting(tmp_path / "runs", terms or Terms())
        said = hear_all(fold, setting, tmp_path, n_at_once)
        marks = [tuple(map(int, line.split())) for line in mark.read_text().splitlines()]
        return said, marks, read_records(tmp_path / "runs")

    return do


def fold_of(make_sweep, model, variants):
    (screen,) = make_sweep().data
    plan = make_plan(
        "iid",
        models=[model],
        data=screen.name,
        data_options=screen.options,
        options={model: variants},
        metrics=["rmse"],
    )
    return folds_of(plan, [0])


def hear_all(fold, setting, scratch, n_at_once):
    """Return what is said of each job of a question in a process of its own."""

    def work():
        ours.close()
        serve_question(fold, setting, theirs, scratch)
        return {}

    ours, theirs = channels()
    child = fork(work, printed=scratch / "question.txt")
    theirs.close()
    assert ours.receive() == {"ready": True}
    names, said = names_of(fold.plan), {}
    for name in names[:n_at_once]:
        ours.send({"job": name})
    for name in [*names[n_at_once:], *[None] * n_at_once]:
        words = ours.receive()
        said[words.pop("ended")] = words
        if name is not None:
            ours.send({"job": name})
    ours.close()
    while child.watch() is None:
        pass
    return said


def test_short_jobs_share_a_process(ask):
    said, marks, _ = ask("Counts", n_jobs=5)
    assert {words["status"] for words in said.values()} == {"ok"}
    assert [n for _, n in marks] == [1, 2, 3, 4, 5]
    assert len({pid for pid, _ in marks}) == 1


def test_jobs_at_the_same_time_are_in_different_processes(ask):
    said, marks, _ = ask("IsSlow", n_jobs=6, n_at_once=3)
    assert {words["status"] for words in said.values()} == {"ok"}
    assert len({pid for pid, _ in marks}) == 3


def test_a_process_that_is_old_is_given_no_other_job(ask):
    _, marks, _ = ask("IsSlow", n_jobs=4, oldest_s=0.1)
    assert [n for _, n in marks] == [1, 1, 1, 1]
    assert len({pid for pid, _ in marks}) == 4


@pytest.mark.parametrize("name", ["ExitsSecond", "IsKilledSecond", "HangsSecond"])
def test_a_job_that_goes_wrong_where_others_were_is_done_alone(ask, name):
    said, marks, records = ask(name, n_jobs=3, terms=Terms(max_seconds=5.0))
    assert {words["status"] for words in said.values()} == {"ok"}
    assert set(records["status"]) == {"ok"}
    assert [n for _, n in marks] == [1, 2, 1, 1]


def test_a_job_that_goes_wrong_alone_is_blamed_and_the_others_are_not(ask):
    said, marks, records = ask("Exits", n_jobs=2)
    wrong = records[records["model"].str.startswith("own:")]
    assert set(wrong["status"]) == {"error"}
    assert set(wrong["reason"]) == {"its process ended with code 7"}
    assert [words["status"] for name, words in said.items() if "own:" not in name] == ["ok"] * 2
    assert [n for _, n in marks] == [1, 1]


def test_the_memory_of_a_job_is_not_that_of_one_before_it(ask):
    _, marks, records = ask("Holds", n_jobs=2)
    assert len({pid for pid, _ in marks}) == 1
    held = records.set_index("model")["peak_memory_mb"]
    (greedy,) = (value for name, value in held.items() if "at=0" in name)
    (modest,) = (value for name, value in held.items() if "at=1" in name)
    assert greedy - modest > 150


def test_only_this_packages_own_code_shares_processes(make_sweep, tmp_path):
    file = tmp_path / "own.py"
    file.write_text(OWN_MODELS)
    (fold,) = fold_of(make_sweep, f"{file}:Counts", [{}])
    (own,) = (name for name in names_of(fold.plan) if name.startswith("own:"))
    assert not may_share(fold, own)
    assert all(may_share(fold, name) for name in names_of(fold.plan) if name != own)
    assert "context-transfer" in names_of(fold.plan)


def test_models_in_processes_of_their_own_do_not_share_ours(make_sweep, tmp_path):
    folder = tmp_path / "outside"
    folder.mkdir()
    words = {"python": "present", "command": ["true"]}
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in words.items()]
    (folder / "card.toml").write_text("".join(lines))
    (fold,) = fold_of(make_sweep, f"external:{folder}", [{}])
    assert not may_share(fold, "external:outside")
