"""Work that is done by forked processes: the same results, errors and order as if done here."""

import os

import pytest

from wildcell.errors import DataError, StoreError
from wildcell.parallel import THREADS, in_processes

linux = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="processes are forked on Linux alone"
)


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setenv(THREADS, "2")


def test_results_come_in_the_order_of_the_items(two_cores):
    assert in_processes(lambda n: n * n, list(range(20))) == [n * n for n in range(20)]
    assert in_processes(len, []) == []


@linux
def test_the_work_is_done_elsewhere_and_once(two_cores):
    found = in_processes(lambda n: (n, os.getpid()), [1, 2, 3, 4])
    assert [n for n, _ in found] == [1, 2, 3, 4]
    assert os.getpid() not in {pid for _, pid in found}


def test_one_core_does_it_here(monkeypatch):
    monkeypatch.setenv(THREADS, "1")
    assert in_processes(lambda _: os.getpid(), [1, 2]) == [os.getpid()] * 2


@linux
def test_work_within_work_starts_no_more_processes(two_cores):
    def outer(_):
        return os.getpid(), in_processes(lambda _: os.getpid(), [1, 2])

    for own, inner in in_processes(outer, [1, 2]):
        assert inner == [own, own]


def test_an_error_is_that_of_the_function(two_cores):
    def refuse(n):
        raise DataError(f"{n} is refused.")

    with pytest.raises(DataError, match="1 is refused"):
        in_processes(refuse, [1, 2])


@linux
def test_a_process_that_is_killed_is_told(two_cores):
    with pytest.raises(StoreError, match="killed"):
        in_processes(lambda n: os.kill(os.getpid(), 9), [1, 2])
