"""Functions compiled to machine code, and work shared by the cores."""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import pairwise
from multiprocessing import get_context
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from wildcell.errors import StoreError

Kernel = TypeVar("Kernel", bound=Callable[..., Any])
Item = TypeVar("Item")
Result = TypeVar("Result")


def compiled(function: Kernel) -> Kernel:
    """Return `function` compiled at its first call, kept on disk, running beside other threads."""
    return cast("Kernel", numba.njit(cache=True, nogil=True)(function))


THREADS = "WILDCELL_THREADS"
"""The environment variable that says how many threads a process may have at work."""


def cores() -> int:
    """Return how many cores this process may use, which a scheduler can make fewer than all.

    The environment variable `WILDCELL_THREADS` goes before what the system says.
    """
    told = os.environ.get(THREADS, "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_processes(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return what a function returns of each item, called in as many processes as there are cores.

    Processes are forked: they see what is in memory, and only results are copied. Where the system
    is not Linux, there is one core, or this is such a process already, the function is called here.

    Parameters
    ----------
    function
        Must not use threads that run already. Its results can be pickled.
    items
        Its arguments, few and long.

    Raises
    ------
    StoreError
        A process was killed.

    Examples
    --------
    >>> in_processes(len, ["a", "bcd"])
    [1, 3]
    """
    n = min(cores(), len(items))
    if n < 2 or sys.platform != "linux" or _Errand.is_here:
        return [function(item) for item in items]
    try:
        with ProcessPoolExecutor(
            n, get_context("fork"), initializer=_Errand.take, initargs=(function, items)
        ) as pool:
            return list(pool.map(_Errand.do, range(len(items))))
    except BrokenProcessPool as error:
        raise StoreError(
            f"A process that shared the work was killed, which is what a system does that is short "
            f"of memory. Set {THREADS}=1 to do all of it in one."
        ) from error


class _Errand:
    """What a process that was forked is to do."""

    is_here = False
    function: Callable[[Any], Any]
    items: Sequence[Any]

    @classmethod
    def take(cls, function: Callable[[Any], Any], items: Sequence[Any]) -> None:
        cls.is_here, cls.function, cls.items = True, staticmethod(function), items

    @classmethod
    def do(cls, place: int) -> Any:
        return cls.function(cls.items[place])


def over_slices(
    function: Callable[[slice], object],
    weights: NDArray[np.int64],
    *,
    n_threads: int | None = None,
) -> None:
    """Call a compiled function for slices of about equal weight, one on each core.

    What a slice comes to must not depend on where the cuts are, so that no result depends on the
    number of cores.

    Parameters
    ----------
    function
        Of the slice.
    weights
        Work for each item, shape (n_items,).
    n_threads
        Slices; by default as many as there are cores.

    Examples
    --------
    >>> slices = []
    >>> over_slices(slices.append, np.array([2, 1, 1]), n_threads=2)
    >>> sorted(slices)
    [slice(0, 1, None), slice(1, 3, None)]
    """
    wanted = n_threads or cores()
    reached = np.cumsum(weights)
    total = int(reached[-1]) if len(weights) else 0
    inner = np.searchsorted(reached, [total * i // wanted for i in range(1, wanted)], side="left")
    cuts = np.unique(np.minimum([0, *(inner + 1), len(weights)], len(weights)))
    slices = [slice(int(low), int(high)) for low, high in pairwise(cuts)]
    if len(slices) == 1:
        function(slices[0])
        return
    with ThreadPoolExecutor(wanted) as pool:
        for _ in pool.map(function, slices):
            pass
