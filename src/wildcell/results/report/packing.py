"""Arrays as text that a page can carry."""

import base64
import gzip
from typing import Any

from numpy.typing import NDArray


def packed(array: NDArray[Any]) -> str:
    """Return the bytes of an array, compressed, in base 64."""
    return base64.b64encode(gzip.compress(array.tobytes(), mtime=0)).decode("ascii")
