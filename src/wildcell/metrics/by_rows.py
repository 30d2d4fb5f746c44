"""Row by row, some rows at a time: what is only needed on the way stays small."""

from collections.abc import Callable
from functools import wraps
from itertools import pairwise
from typing import Any

import numpy as np

from wildcell.arrays import Floats

ROWS = 256
"""Rows in one go, twice that at most."""


def by_rows(function: Callable[..., Floats]) -> Callable[..., Floats]:
    """Make a function of arrays, each row of whose result is of that row alone, take a few at once.

    Parameters
    ----------
    function
        Takes arrays of shape (n_rows, ...) by position, and anything by name; returns one array.

    Examples
    --------
    >>> largest = by_rows(lambda values: values.max(axis=1))
    >>> largest(np.arange(2000.0).reshape(1000, 2))[[0, -1]].tolist()
    [1.0, 1999.0]
    """

    @wraps(function)
    def in_parts(*arrays: Any, **named: Any) -> Floats:
        n = len(arrays[0])
        # The rest goes with the last part: numpy may sum a row by itself in another order.
        cuts = [*range(0, max(n - ROWS, 1), ROWS), n]
        parts = (
            function(*(array[first:last] for array in arrays), **named)
            for first, last in pairwise(cuts)
        )
        whole = next(parts)
        if len(cuts) == 2:
            return whole
        filled = np.empty((n, *whole.shape[1:]), whole.dtype)
        filled[: len(whole)] = whole
        for first, part in zip(cuts[1:], parts, strict=False):
            filled[first : first + len(part)] = part
        return filled

    return in_parts
