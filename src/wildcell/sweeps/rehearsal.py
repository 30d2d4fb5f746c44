"""A small sweep gone through before processes are forked, so that each finds all in memory."""

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from wildcell.errors import BenchmarkError
from wildcell.models.model import MODELS
from wildcell.run import run_scenario
from wildcell.sweeps.sweep_file import Sweep

SCENARIO = "iid"
SCREEN = {
    "n_genes": 20,
    "n_perturbations": 3,
    "n_combinations": 0,
    "n_contexts": 2,
    "n_cells": 8,
    "n_controls": 12,
}


def rehearse(sweep: Sweep, scratch: Path) -> None:
    """Run the listed models of a sweep that need no optional library on a few simulated cells.

    Modules are imported and functions compiled by that, which a job would otherwise do for itself.
    Optional libraries are imported, and nothing of theirs is run.

    Parameters
    ----------
    sweep
        Its models and metrics.
    scratch
        Folder for what comes of it, which is deleted.
    """
    cards = [MODELS.get(name) for name in sweep.models if name in MODELS]
    for extra in {card.extra for card in cards if card.extra and card.is_installed}:
        import_module(extra)
    with TemporaryDirectory(dir=scratch) as runs, suppress(BenchmarkError, OSError):
        run_scenario(
            SCENARIO,
            models=[card.name for card in cards if not card.extra],
            runs=Path(runs),
            data="simulated",
            data_options=SCREEN,
            seeds=[0],
            metrics=sweep.metrics,
        )
