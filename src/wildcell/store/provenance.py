"""What a result was made with: versions, hardware, cost."""

import os
import platform
import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ["wildcell", "anndata", "numba", "numpy", "pandas", "scikit-learn", "scipy"]
BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024
"""`ru_maxrss` is in bytes on macOS and in KiB elsewhere."""


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def hardware() -> dict[str, str | int]:
    """Return the machine's kind, without its name."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": os.cpu_count() or 1,
    }


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class Cost:
    """What a stretch of work took; filled when the stretch ends.

    `peak_memory_mb` is the highest resident memory of the process up to then, so that of the
    first stretch that needed it.
    """

    wall_s: float = float("nan")
    cpu_s: float = float("nan")
    peak_memory_mb: float = float("nan")


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the time and memory of a block."""
    cost, wall, cpu = Cost(), time.perf_counter(), time.process_time()
    try:
        yield cost
    finally:
        cost.wall_s = time.perf_counter() - wall
        cost.cpu_s = time.process_time() - cpu
        cost.peak_memory_mb = peak_memory_mb()


def peak_memory_mb() -> float:
    """Return the highest resident memory of this process up to now, in MiB.

    Where Linux tells it, that of the process alone: `ru_maxrss` begins with what its parent held.
    """
    status = Path("/proc/self/status")
    if status.is_file() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(found[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_PER_UNIT / 2**20
