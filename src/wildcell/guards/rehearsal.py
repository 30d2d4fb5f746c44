"""Reading tried in a process of its own, where it is not known beforehand what it takes."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

STATM = Path("/proc/self/statm")


def fits(read: Callable[[], object], n_bytes: int) -> bool:
    """Whether something can be read without taking more memory than that.

    True where the system does not tell what a process has.

    Parameters
    ----------
    read
        Reads it. It is called in a copy of this process, which then ends at once.
    n_bytes
        What it may take.

    Examples
    --------
    >>> fits(lambda: bytes(2**20), 2**28), fits(lambda: bytes(2**28), 2**20)
    (True, False)
    """
    if not STATM.is_file():
        return True
    taken = int(STATM.read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _, most = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (taken + n_bytes, most))
            read()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return status == 0
