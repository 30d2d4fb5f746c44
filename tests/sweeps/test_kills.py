"""Sweeps that are killed, stopped or out of room: what is finished stays, and the rest follows."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

MAIN = "import sys; from wildcell.cli.main import main; main(sys.argv[1:])"
PLAN = """
scenarios = ["unseen-context", "iid"]
models = ["no-change", "ridge", "random"]
seeds = [0]

[[data]]
name = "simulated"
n_genes = 40
n_perturbations = 5
n_combinations = 0
n_contexts = 2
n_cells = 10
n_controls = 30
"""


@pytest.fixture
def start(tmp_path):
    """Return a function that starts the command on the plan, and ends what the test leaves."""
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    started = []

    def begin(runs, *options):
        command = [sys.executable, "-c", MAIN, "sweep", str(plan), "--runs", str(runs)]
        process = subprocess.Popen(
            [*command, "--workers", "2", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def finish(process):
    said, _ = process.communicate(timeout=300)
    return process.returncode, said


def records(runs):
    return sorted(runs.rglob("run.json"))


def wait_for(runs, n):
    limit = time.monotonic() + 120
    while len(records(runs)) < n:
        assert time.monotonic() < limit
        time.sleep(0.01)


def processes_that_hold(runs):
    """Return the processes that have a file of a folder open."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink().is_relative_to(runs):
                found.add(int(link.parts[2]))
        except OSError:
            continue
    return found


def test_a_sweep_that_is_killed_at_any_moment_comes_to_the_same(start, tmp_path, content):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    code, said = finish(start(whole))
    assert code == 0, said
    n_jobs = len(records(whole))
    rng = np.random.default_rng(0)
    for n in np.sort(rng.integers(0, n_jobs - 2, size=3)):
        process = start(broken)
        wait_for(broken, int(n))
        time.sleep(float(rng.uniform(0, 0.3)))
        process.send_signal(signal.SIGKILL)
        process.wait()
    code, said = finish(start(broken))
    assert code == 0, said
    assert content(broken) == content(whole)
    assert not list(broken.rglob(".*.part"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_polite_end_leaves_nothing_at_work_and_nothing_half_written(start, tmp_path, number):
    runs = tmp_path / "runs"
    process = start(runs)
    wait_for(runs, 2)
    process.send_signal(number)
    code, said = finish(process)
    assert code == 130
    assert "finished runs are kept" in said
    assert "Traceback" not in said
    assert not processes_that_hold(runs)
    assert not list(runs.rglob(".*.part"))
    assert len(records(runs)) >= 2


def test_two_sweeps_on_one_folder_share_the_work(start, tmp_path, content):
    whole, shared = tmp_path / "whole", tmp_path / "shared"
    finish(start(whole))
    both = [start(shared), start(shared)]
    ends = [finish(process) for process in both]
    assert [code for code, _ in ends] == [0, 0], ends
    assert content(shared) == content(whole)
    n_new = [int(said.split(" runs finished now")[0].split()[-1]) for _, said in ends]
    assert sum(n_new) == len(records(whole))


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder with half a MiB of room, and a function that gives it more."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a disk of one's own needs the right to mount")
    more = ["mount", "-o", "remount,size=20m", str(folder)]
    yield folder / "runs", lambda: subprocess.run(more, check=True)
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_told_and_costs_nothing_but_a_second_start(
    start, small_disk, tmp_path, content
):
    runs, give_room = small_disk
    code, said = finish(start(runs))
    assert code == 1
    assert "disk is full" in said
    assert not any('"status": "error"' in path.read_text() for path in records(runs))
    n_before = len(records(runs))
    give_room()
    code, said = finish(start(runs))
    assert code == 0, said
    whole = tmp_path / "whole"
    finish(start(whole))
    assert 0 < n_before < len(records(whole))
    assert content(runs) == content(whole)
