"""Sweeps on a real cluster of processes on loopback: the same tables, whoever is lost."""

import os
import signal
import socket
import subprocess
import sys
import time
from ipaddress import ip_network
from pathlib import Path

import pytest

from wildcell.errors import OptionError, StoreError
from wildcell.sweeps.layout import Job, Layout, Question, State
from wildcell.sweeps.setting import Setting
from wildcell.sweeps.status import progress_of

pytest.importorskip("distributed")

from wildcell.sweeps.cluster import connected, shares_of, sweep_on_cluster

N_WORKERS = 4
WATCH = """
import subprocess, sys, time
from ipaddress import ip_network
from pathlib import Path
while not [path for path in Path(sys.argv[1]).rglob("run.json")]:
    time.sleep(0.05)
subprocess.run(sys.argv[2:], check=True)
"""


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a module of Dask as a process, which ends with the test."""
    processes = []
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "25s",
        "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "false",
    }

    def begin(module, *arguments, within=()):
        command = [*within, sys.executable, "-m", f"distributed.cli.{module}", *arguments]
        with (tmp_path / f"{module}-{len(processes)}.txt").open("wb") as printed:
            process = subprocess.Popen(
                [*command, "--no-dashboard"],
                env=environment,
                stdout=printed,
                stderr=subprocess.STDOUT,
                cwd=tmp_path,
            )
        processes.append(process)
        return process

    begin.processes = processes
    yield begin
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()
    for printed in sorted(tmp_path.glob("dask_*.txt")):
        sys.stdout.write(f"{printed.name}:\n{printed.read_text(errors='replace')[-2000:]}\n")


def start_scheduler(start, host):
    with socket.socket() as one:
        one.bind((host, 0))
        port = one.getsockname()[1]
    start("dask_scheduler", "--host", host, "--port", str(port))
    return f"tcp://{host}:{port}"


def start_worker(start, address, host, within=()):
    options = ["--host", host, "--nthreads", "1", "--no-nanny"]
    return start("dask_worker", address, *options, within=within)


@pytest.fixture
def cluster(start):
    """Return the address of a scheduler and its four workers, all of them processes."""
    address = start_scheduler(start, "127.0.0.1")
    return address, [start_worker(start, address, "127.0.0.1") for _ in range(N_WORKERS)]


def own_network(number):
    """Return a network of two hosts by a number: others have another."""
    networks = ip_network("10.192.0.0/10")
    n_networks = 2 ** (30 - networks.prefixlen)
    return ip_network((int(networks.network_address) + 4 * (number % n_networks), 30))


@pytest.fixture
def apart(start):
    """Return the address of a cluster one worker of which is on a network of its own, and a cut.

    Names and addresses are this process's own: another run, or one that was killed, has others.
    """
    name = f"wildcell-{os.getpid()}"
    here, there = f"wch{os.getpid()}", f"wct{os.getpid()}"
    ours, theirs = map(str, list(own_network(os.getpid()).hosts()))
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        pytest.skip("a network of one's own needs the right to make one")
    within = ["ip", "netns", "exec", name]
    for command in (
        f"ip link add {here} type veth peer name {there} netns {name}",
        f"ip addr add {ours}/30 dev {here}",
        f"ip link set {here} up",
        f"ip netns exec {name} ip addr add {theirs}/30 dev {there}",
        f"ip netns exec {name} ip link set {there} up",
        f"ip netns exec {name} ip link set lo up",
    ):
        subprocess.run(command.split(), check=True)
    address = start_scheduler(start, ours)
    start_worker(start, address, theirs, within)
    for _ in range(2):
        start_worker(start, address, ours)
    yield address, [*within, "ip", "link", "set", there, "down"]
    subprocess.run(["ip", "netns", "del", name], check=True)


def wait_for(address, n_workers):
    with connected(address) as found:
        found.client.wait_for_workers(n_workers, timeout=120)


def at_the_first_run(runs, command):
    """Start a process that runs a command when the first run is finished."""
    return subprocess.Popen([sys.executable, "-c", WATCH, str(runs), *command])


def test_a_cluster_of_processes_gives_the_tables_of_serial_runs(
    cluster, serially, make_sweep, content, tmp_path
):
    address, _ = cluster
    sweep = make_sweep(["no-change", "ridge", "random"], ["unseen-context", "iid"])
    runs = tmp_path / "runs"
    swept = sweep_on_cluster(sweep, Setting(runs), cluster=address)
    assert not [end for end in swept.ended if end.failure]
    assert content(runs) == content(serially("serial", sweep))
    again = sweep_on_cluster(sweep, Setting(runs), cluster=address)
    assert again.ended == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "paused"])
def test_what_a_lost_worker_was_at_is_done_by_others(  # noqa: PLR0917
    cluster, serially, make_sweep, content, own, number
):
    address, workers = cluster
    slow = own("Slow")
    sweep = make_sweep([slow, "ridge", "random"], ["unseen-context", "iid"])
    runs = Path(slow).parent / "runs"
    wait_for(address, N_WORKERS)
    watch = at_the_first_run(runs, ["kill", f"-{int(number)}", str(workers[0].pid)])
    swept = sweep_on_cluster(sweep, Setting(runs), cluster=address)
    assert watch.wait(timeout=1) == 0
    assert not [end for end in swept.ended if end.failure]
    assert content(runs) == content(serially("serial", sweep))
    assert set(progress_of(runs).jobs["state"]) == {"done"}


def test_what_a_worker_was_at_whose_link_is_cut_is_done_by_others(
    apart, serially, make_sweep, content, own
):
    address, cut = apart
    slow = own("Slow")
    sweep = make_sweep([slow, "ridge", "random"], ["unseen-context", "iid"])
    runs = Path(slow).parent / "runs"
    wait_for(address, 3)
    watch = at_the_first_run(runs, cut)
    swept = sweep_on_cluster(sweep, Setting(runs), cluster=address)
    assert watch.wait(timeout=1) == 0
    assert not [end for end in swept.ended if end.failure]
    assert content(runs) == content(serially("serial", sweep))


def test_a_job_that_crashes_on_a_cluster_leaves_its_worker_alone(
    cluster, make_sweep, own, tmp_path
):
    address, workers = cluster
    runs = tmp_path / "runs"
    sweep = make_sweep([own("Exits"), "no-change"], ["iid"])
    swept = sweep_on_cluster(sweep, Setting(runs), cluster=address)
    assert {end.model: end.status for end in swept.ended}["own:Exits"] == "error"
    assert not any(process.poll() for process in workers)


def test_a_cluster_without_workers_is_told(cluster, make_sweep, tmp_path, monkeypatch):
    address, workers = cluster
    monkeypatch.setattr("wildcell.sweeps.cluster.LOOK_S", 0.2)
    monkeypatch.setattr("wildcell.sweeps.cluster.LONGEST_REST_S", 1.0)

    def lose_all(*_):
        for worker in workers:
            worker.kill()

    sweep = make_sweep(["no-change"], ["unseen-context", "iid"])
    with pytest.raises(StoreError, match="no workers"):
        sweep_on_cluster(sweep, Setting(tmp_path / "runs"), cluster=address, on_job=lose_all)


def test_what_was_lost_with_its_workers_is_done_anew(  # noqa: PLR0917
    cluster, start, serially, make_sweep, content, tmp_path, monkeypatch
):
    address, workers = cluster
    wait_for(address, N_WORKERS)
    monkeypatch.setattr("wildcell.sweeps.cluster.LOOK_S", 0.2)
    sweep = make_sweep(["no-change", "ridge"], ["unseen-context", "iid"])
    replaced = []

    def replace_all(*_):
        if replaced:
            return
        time.sleep(5)  # until everything is done, and nothing of it was asked for
        for worker in workers:
            worker.kill()
        replaced.append(start_worker(start, address, "127.0.0.1"))

    runs = tmp_path / "runs"
    swept = sweep_on_cluster(sweep, Setting(runs), cluster=address, on_job=replace_all)
    assert replaced
    assert not [end for end in swept.ended if end.failure]
    assert content(runs) == content(serially("serial", sweep))


def test_a_scheduler_that_is_lost_is_told(start, make_sweep, tmp_path, monkeypatch):
    monkeypatch.setattr("wildcell.sweeps.cluster.LOOK_S", 0.2)
    address = start_scheduler(start, "127.0.0.1")
    start_worker(start, address, "127.0.0.1")
    sweep = make_sweep(["no-change", "ridge"], ["unseen-context", "iid"])
    (scheduler,) = start.processes[:1]
    swept = sweep_on_cluster(
        sweep, Setting(tmp_path / "runs"), cluster=address, on_job=lambda *_: scheduler.kill()
    )
    assert {end.failure for end in swept.ended} == {"", "the cluster was lost"}


def test_nobody_at_an_address_is_told(monkeypatch):
    monkeypatch.setattr("wildcell.sweeps.cluster.PATIENCE_S", 2)
    with (
        pytest.raises(OptionError, match="No Dask scheduler answers"),
        connected("tcp://127.0.0.1:1"),
    ):
        pass


def question(name, states):
    jobs = tuple(Job(f"{name}{at}", "", state) for at, state in enumerate(states))
    return Question(name, "data", "arm", 0, 0, jobs)


def test_open_jobs_are_shared_out_once_each_and_those_for_gpus_apart():
    few = Layout((question("a", [State.OPEN] * 5), question("b", [State.FINISHED])), ())
    shares = shares_of([few], 4, {"a1"})
    given = [name for share in shares for name in share.models]
    assert sorted(given) == ["a0", "a1", "a2", "a3", "a4"]
    assert [share.models for share in shares if share.needs_gpu] == [("a1",)]
    assert len(shares) == 5
    many = Layout(tuple(question(f"q{at}-", [State.OPEN] * 3) for at in range(20)), ())
    assert [len(share.models) for share in shares_of([many], 4, ())] == [3] * 20
