"""A small sweep, models that misbehave, and what two folders of runs must have in common."""

import json
from dataclasses import replace

import pytest

from wildcell.run import run_scenario
from wildcell.sweeps.setting import Setting
from wildcell.sweeps.sweep import run_sweep
from wildcell.sweeps.sweep_file import parse_sweep

SMALL = {
    "n_genes": 40,
    "n_perturbations": 5,
    "n_combinations": 0,
    "n_contexts": 2,
    "n_cells": 10,
    "n_controls": 30,
}

OWN_MODELS = '''
import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

from wildcell.models.means import NoChange


class Exits(NoChange):
    def fit(self, task):
        print("going out")
        os._exit(3)


class Segfaults(NoChange):
    def fit(self, task):
        ctypes.string_at(0)


class IsKilled(NoChange):
    def fit(self, task):
        os.kill(os.getpid(), signal.SIGKILL)


class IsKilledOnce(NoChange):
    def __init__(self, *, seed=0, mark=""):
        super().__init__(seed=seed)
        self.mark = Path(mark)

    def fit(self, task):
        if not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        super().fit(task)


class Hangs(NoChange):
    def fit(self, task):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        time.sleep(600)


class Leaves(NoChange):
    """Starts a process in a session of its own, and dies."""

    def __init__(self, *, seed=0, mark=""):
        super().__init__(seed=seed)
        self.mark = Path(mark)

    def fit(self, task):
        left = subprocess.Popen(["sleep", "600"], start_new_session=True)
        self.mark.write_text(str(left.pid))
        os._exit(4)


class KillsItsParent(NoChange):
    def fit(self, task):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)


class Hungry(NoChange):
    def fit(self, task):
        taken = []
        while True:
            taken.append(bytearray(2**24))
            time.sleep(0.002)


class Raises(NoChange):
    def fit(self, task):
        raise ValueError("no luck today")


class Alone(NoChange):
    """Cannot be run beside another of its kind."""

    def __init__(self, *, seed=0, mark="", at=0):
        super().__init__(seed=seed)
        self.mark = Path(mark)

    def fit(self, task):
        self.mark.touch(exist_ok=False)
        time.sleep(0.5)
        self.mark.unlink()
        super().fit(task)


class Slow(NoChange):
    def fit(self, task):
        time.sleep(3.0)
        super().fit(task)
'''


@pytest.fixture
def own(tmp_path):
    """Return what names a model of the file above."""
    path = tmp_path / "own.py"
    path.write_text(OWN_MODELS)
    return lambda name: f"{path}:{name}"


def sweep_of(models=("no-change", "ridge"), scenarios=("unseen-context",), *, options=None):
    screen = {"name": "simulated", **SMALL}
    found = {"scenarios": list(scenarios), "models": list(models), "seeds": [0]}
    lines = [f"{key} = {json.dumps(value)}" for key, value in found.items()]
    table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in screen.items())
    sweep = parse_sweep("\n".join(lines) + f"\n[[data]]\n{table}", source="plan.toml")
    return replace(sweep, options=options or {})


def content_of(runs):
    """Return the bytes of all tables of a folder of runs, and what its records say of content."""
    tables = {
        str(path.relative_to(runs)): path.read_bytes()
        for path in sorted(runs.rglob("*.parquet"))
        if path.name != "costs.parquet"
    }
    records = {
        str(path.relative_to(runs)): _lasting(json.loads(path.read_text()))
        for path in sorted(runs.rglob("run.json"))
    }
    return tables | records


def _lasting(record):
    passing = {"started", "wall_s", "cpu_s", "peak_memory_mb", "hardware", "log"}
    return {key: value for key, value in record.items() if key not in passing}


@pytest.fixture
def sweeping(tmp_path):
    """Return a function that runs a sweep into a folder of a name, and returns both."""

    def run(name, sweep, *, n_workers=2, terms=None, retry=False, gpu_models=()):
        runs = tmp_path / name
        options = {} if terms is None else {"terms": terms}
        swept = run_sweep(
            sweep, Setting(runs, retry=retry, **options), n_workers=n_workers, gpu_models=gpu_models
        )
        return runs, swept

    return run


@pytest.fixture
def serially(tmp_path):
    """Return a function that runs the models of a sweep one after the other, in this process."""

    def run(name, sweep):
        (screen,) = sweep.data
        for scenario in sweep.scenarios:
            run_scenario(
                scenario,
                models=sweep.models,
                runs=tmp_path / name,
                data=screen.name,
                data_options=screen.options,
                seeds=sweep.seeds,
            )
        return tmp_path / name

    return run


@pytest.fixture
def make_sweep():
    return sweep_of


@pytest.fixture
def content():
    return content_of
