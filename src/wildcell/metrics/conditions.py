"""Work on many conditions side by side."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from wildcell.parallel import cores

Result = TypeVar("Result")


def over_conditions(
    function: Callable[..., Result], *columns: Iterable[Any], n_threads: int | None = None
) -> list[Result]:
    """Return `[function(*row) for row in zip(*columns)]`, computed on all cores.

    Matrix products inside of `function` keep to one thread: several threads that wait for one
    another cost more than the product of two small clouds, and sums do not depend on their number.

    Parameters
    ----------
    function
        Of one condition; it should spend its time outside of the interpreter lock.
    columns
        Arguments, one entry a condition.
    n_threads
        Conditions at a time; by default as many as there are cores.

    Examples
    --------
    >>> over_conditions(pow, [2, 3], [3, 2])
    [8, 9]
    """
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(n_threads or cores()) as pool:
        return list(pool.map(function, *columns))
