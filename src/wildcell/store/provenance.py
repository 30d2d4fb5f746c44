"""What a result was made with: versions, hardware, cost."""

import os
import platform
import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ["wildcell", "anndata", "numba", "numpy", "pandas", "scikit-learn", "scipy"]
OPTIONAL = ["h5py", "pyarrow", "torch", "zarr"]
"""Told where they are installed."""
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
    for package in OPTIONAL:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def hardware() -> dict[str, str | int]:
    """Return the machine's kind, without its name."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
    }


@cache
def _processor() -> str:
    """Return the model of the processor, "" where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")


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


def forget_peak_memory() -> None:
    """Have `peak_memory_mb` begin anew with what is held now, where Linux can do that."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
