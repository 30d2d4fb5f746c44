"""A benchmark for models that predict how cells respond to perturbations."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wildcell.datasets.load import load_dataset
    from wildcell.run import run_scenario
    from wildcell.scenarios.pose import pose
    from wildcell.scoring import score

__all__ = ["load_dataset", "pose", "run_scenario", "score"]

_HOMES = {
    "load_dataset": "wildcell.datasets.load",
    "pose": "wildcell.scenarios.pose",
    "run_scenario": "wildcell.run",
    "score": "wildcell.scoring",
}


def __getattr__(name: str) -> object:
    """Import a public name from the file that defines it, at first use."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'wildcell' has no attribute {name!r}")
