"""Work in a process of its own, whose memory no measured process begins with.

What the system calls the peak of a process is at least what its parent held when it was started:
who draws data and then measures a child would see the drawing.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")


def apart(
    function: Callable[Given, Result], *arguments: Given.args, **named: Given.kwargs
) -> Result:
    """Return what a function of a module returns in another process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        return other.submit(function, *arguments, **named).result()
