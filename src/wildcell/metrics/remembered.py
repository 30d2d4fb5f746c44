"""What several metrics need of the same responses, computed once."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from weakref import finalize

from wildcell.metrics.response import Response

Given = ParamSpec("Given")
Result = TypeVar("Result")


def remembered(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """Make a function of responses and words keep its results for as long as the responses live.

    Parameters
    ----------
    function
        Takes positional arguments, the first of them a response; its result must hold on to none
        of them.
    """
    results: dict[tuple[Any, ...], Result] = {}

    @wraps(function)
    def remembering(*arguments: Given.args, **named: Given.kwargs) -> Result:
        key = tuple(id(one) if isinstance(one, Response) else one for one in arguments)
        if key not in results:
            results[key] = function(*arguments, **named)
            for response in [one for one in arguments if isinstance(one, Response)]:
                finalize(response, results.pop, key, None).atexit = False
        return results[key]

    return remembering
