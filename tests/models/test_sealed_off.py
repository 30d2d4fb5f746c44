"""What a model in a process of its own cannot reach: secrets, the network, all of the machine."""

import json
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from wildcell.models.sealed import process
from wildcell.models.sealed.process import MOST_FILE_BYTES, can_cut_network, run_apart
from wildcell.models.sealed.surroundings import INSTALLERS, INSTALLING, passed_on
from wildcell.models.sealed.terms import Terms

SECRETS = ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "HF_TOKEN", "SSH_AUTH_SOCK", "DATABASE_URL"]


@pytest.fixture
def secrets(monkeypatch):
    for name in SECRETS:
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("PIP_INDEX_URL", "https://example.org/simple")


@pytest.fixture
def start(tmp_path):
    """Return a function that runs a line of Python apart, and returns how it ended and its log."""

    def started(line, terms=None):
        log, python = tmp_path / "log.txt", Path(os.sys.executable)
        command = [str(python), "-c", line]
        ended = run_apart(command, folder=tmp_path, python=python, log=log, terms=terms or Terms())
        return ended, log.read_text()

    return started


@pytest.fixture
def door():
    """Return the port of a server on this machine."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        threading.Thread(target=server.accept, daemon=True).start()
        yield server.getsockname()[1]


def test_no_secret_is_passed_on(secrets, start):
    _, log = start("import json, os; print(json.dumps(dict(os.environ)))")
    assert not set(SECRETS) & set(json.loads(log))


def test_an_installation_sees_where_packages_are_and_no_secret(secrets):
    seen = passed_on(INSTALLING, INSTALLERS)
    assert seen["PIP_INDEX_URL"] == "https://example.org/simple"
    assert not set(SECRETS) & set(seen)


def test_the_network_is_cut_where_that_can_be(start, door):
    if not can_cut_network():
        pytest.skip("this system does not let the network be cut")
    line = f"import socket; socket.create_connection(('127.0.0.1', {door}), 5)"
    cut, log = start(line)
    opened, _ = start(line, Terms(has_network=True))
    assert cut.code == 1
    assert "OSError" in log or "ConnectionRefusedError" in log
    assert opened.code == 0


def test_processes_of_a_model_may_talk_to_each_other(start):
    ended, log = start(
        "import socket; server = socket.create_server(('127.0.0.1', 0));"
        "socket.create_connection(server.getsockname(), 5)"
    )
    assert ended.code == 0, log


def test_nothing_is_started_as_another_user(start):
    if not can_cut_network():
        pytest.skip("this system does not let the network be cut")
    _, log = start("print(open('/proc/self/status').read())")
    assert "NoNewPrivs:\t1" in log


def test_there_are_no_core_dumps_and_no_endless_files(start):
    _, log = start(
        "import resource as r; print(r.getrlimit(r.RLIMIT_CORE), r.getrlimit(r.RLIMIT_FSIZE))"
    )
    assert log.strip() == f"(0, 0) ({MOST_FILE_BYTES}, {MOST_FILE_BYTES})"


def test_a_file_above_the_limit_is_not_written(start, tmp_path, monkeypatch):
    monkeypatch.setattr(process, "MOST_FILE_BYTES", 2**20)
    ended, log = start("open('large', 'wb').write(bytes(2**21))")
    assert ended.code == 1
    assert "File too large" in log
    assert (tmp_path / "large").stat().st_size <= 2**20


def test_memory_that_is_taken_at_once_fails_rather_than_the_machine(start):
    ended, log = start("bytearray(2**40)", Terms(max_memory=0.5))
    assert ended.code == 1
    assert "MemoryError" in log


def test_words_for_a_shell_are_words(start, tmp_path):
    mark = tmp_path / "mark"
    ended, log = start(f"print('$(touch {mark}); touch {mark}')")
    assert ended.code == 0
    assert log.strip() == f"$(touch {mark}); touch {mark}"
    assert not mark.exists()


def test_a_process_that_left_its_session_is_gone_too(start, tmp_path):
    if not can_cut_network():
        pytest.skip("this system does not tell whose such a process is")
    note = tmp_path / "pid"
    start(
        "import os, time; pid = os.fork()\n"
        "if pid: time.sleep(1)\n"
        "else:\n"
        "    os.setsid()\n"
        "    if os.fork(): os._exit(0)\n"
        f"    open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(100)"
    )
    pid = int(note.read_text())
    for _ in range(100):
        if not is_alive(pid):
            break
        time.sleep(0.05)
    assert not is_alive(pid)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_system_that_does_not_cut_the_network_says_so(monkeypatch):
    refused = subprocess.CompletedProcess([], 71)
    monkeypatch.setattr(process.subprocess, "run", lambda *words, **options: refused)
    assert not can_cut_network.__wrapped__()
