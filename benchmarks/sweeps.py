"""What sweeps gain and cost: `python benchmarks/sweeps.py speed-up|overhead|kills|all`.

`speed-up`: CPU-bound jobs on two workers beside one process with one thread that does the same one
after the other; exits with 1 below 1.7. `overhead`: many tiny jobs on one worker beside the same in
one process, milliseconds a job; exits with 1 at 30 ms or more. Both print the memory of the
processes. `kills`: sweeps that are killed with -9 at random moments, resumed, and held to one that
was left alone; exits with 1 where a table differs. Let nothing else run meanwhile.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

LEAST_SPEED_UP, LARGEST_OVERHEAD_MS = 1.7, 30.0
MAIN = "import sys; from wildcell.cli.main import main; main(sys.argv[1:])"
SERIAL = """
import sys
from pathlib import Path
from wildcell.plan import make_plan
from wildcell.run import folds_of, names_of, keep_halves, run_one
from wildcell.sweeps.sweep_file import read_sweep
sweep = read_sweep(Path(sys.argv[1]))
(screen,) = sweep.data
for scenario in sweep.scenarios:
    plan = make_plan(
        scenario, models=sweep.models, data=screen.name, data_options=screen.options,
        options=sweep.options, metrics=sweep.metrics,
    )
    for fold in folds_of(plan, sweep.seeds):
        for name in names_of(plan):
            outcome = run_one(fold, name, Path(sys.argv[2]))
            if name == "replicate":
                keep_halves(fold, outcome.folder)
"""
BUSY = '''
import numpy as np
from wildcell.models.means import NoChange

class Busy(NoChange):
    """Multiplies matrices, so much and no more."""

    def __init__(self, *, seed=0, turns=40, at=0):
        super().__init__(seed=seed)
        self.turns = turns

    def fit(self, task):
        square = np.random.default_rng(0).normal(size=(500, 500))
        for _ in range(self.turns):
            np.linalg.eigvalsh(square @ square.T)
        super().fit(task)
'''
ONE_THREAD = dict.fromkeys(
    ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "WILDCELL_THREADS"], "1"
)
TINY = {
    "n_genes": 20,
    "n_perturbations": 3,
    "n_combinations": 0,
    "n_contexts": 2,
    "n_cells": 8,
    "n_controls": 12,
}


def plan_text(
    models: Sequence[str], variants: dict[str, list[dict]], screen: dict, **words: object
) -> str:
    """Return a sweep file."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"models": models, **words}.items()]
    lines += ["[[data]]", 'name = "simulated"', *(f"{key} = {n}" for key, n in screen.items())]
    for model, tables in variants.items():
        for table in tables:
            lines += [f"[[options.{json.dumps(model)}]]", *(f"{k} = {v}" for k, v in table.items())]
    return "\n".join(lines) + "\n"


@dataclass
class Watched:
    """What the processes of a sweep held, by their proportional share, in MiB."""

    process: subprocess.Popen
    peak_whole: float = 0.0
    peak_one: float = 0.0
    said: str = field(default="")

    def watch(self, every_s: float = 0.5) -> float:
        """Look at memory until the process ends; return its wall seconds."""
        begun = time.perf_counter()
        while self.process.poll() is None:
            shares = [_share_mb(pid) for pid in _family(self.process.pid)]
            self.peak_whole = max(self.peak_whole, sum(shares))
            self.peak_one = max(self.peak_one, *shares, 0.0)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(every_s)
        self.said = self.process.stdout.read()
        return time.perf_counter() - begun


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))


def _share_mb(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 2**10
    return 0.0


def start_sweep(plan: Path, runs: Path, n_workers: int) -> subprocess.Popen:
    command = [sys.executable, "-c", MAIN, "sweep", str(plan), "--runs", str(runs)]
    return subprocess.Popen(
        [*command, "--workers", str(n_workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def sweep(plan: Path, runs: Path, n_workers: int) -> float:
    """Run a sweep, print what it held, and return its wall seconds, start and end included."""
    watched = Watched(start_sweep(plan, runs, n_workers))
    wall = watched.watch()
    if watched.process.returncode:
        sys.exit(watched.said)
    print(
        f"  {n_workers} workers: {wall:.1f} s; all processes together held at most "
        f"{watched.peak_whole:.0f} MiB, the largest {watched.peak_one:.0f} MiB"
    )
    return wall


def serial(plan: Path, runs: Path) -> float:
    """Run the same in one process with one thread; return its wall seconds, its start included."""
    command = [sys.executable, "-c", SERIAL, str(plan), str(runs)]
    begun = time.perf_counter()
    subprocess.run(command, check=True, env={**os.environ, **ONE_THREAD})
    wall = time.perf_counter() - begun
    print(f"  one process with one thread: {wall:.1f} s")
    return wall


def tables(runs: Path) -> dict[str, bytes]:
    """Return the content of all tables but costs."""
    found = (path for path in runs.rglob("*.parquet") if path.name != "costs.parquet")
    return {str(path.relative_to(runs)): path.read_bytes() for path in found}


def speed_up(folder: Path, *, n_jobs: int, turns: int, n_repeats: int) -> bool:
    model = folder / "busy.py"
    model.write_text(BUSY)
    name = f"{model}:Busy"
    variants = {name: [{"turns": turns, "at": at} for at in range(n_jobs)]}
    plan = folder / "busy.toml"
    plan.write_text(plan_text([name], variants, TINY, scenarios=["iid"], seeds=[0]))
    print(f"speed-up: {n_jobs} CPU-bound jobs, the best of {n_repeats}")
    alone, both, is_same = np.inf, np.inf, True
    for turn in range(n_repeats):
        places = folder / f"busy-serial-{turn}", folder / f"busy-both-{turn}"
        before = _cpu_of_children()
        alone = min(alone, serial(plan, places[0]))
        between = _cpu_of_children()
        both = min(both, sweep(plan, places[1], 2))
        print(f"  CPU: {between - before:.1f} s, as a sweep {_cpu_of_children() - between:.1f} s")
        is_same &= tables(places[0]) == tables(places[1])
    print(f"  speed-up {alone / both:.2f}; tables are {'the same' if is_same else 'NOT THE SAME'}")
    return is_same and alone / both >= LEAST_SPEED_UP


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def overhead(folder: Path, *, n_jobs: int) -> bool:
    variants = {"ridge": [{"alpha": 1.0 + at / 1000} for at in range(n_jobs - 3)]}
    plan = folder / "tiny.toml"
    words = {"scenarios": ["iid"], "seeds": [0], "metrics": ["rmse"]}
    plan.write_text(plan_text(["ridge"], variants, TINY, **words))
    print(f"overhead: {n_jobs} tiny jobs")
    before = _cpu_of_children()
    alone = serial(plan, folder / "tiny-serial")
    between = _cpu_of_children()
    swept = sweep(plan, folder / "tiny-sweep", 1)
    each = 1000 * (swept - alone) / n_jobs
    cpu = 1000 * (_cpu_of_children() - 2 * between + before) / n_jobs
    print(
        f"  {1000 * alone / n_jobs:.1f} ms a job without, {each:.1f} ms more with a sweep; "
        f"{cpu:.1f} ms more of CPU"
    )
    return each < LARGEST_OVERHEAD_MS


def kills(folder: Path, *, n_kills: int, seed: int) -> bool:
    """Kill sweeps at random moments, each other one with all its processes, and resume them."""
    plan, whole = folder / "killed.toml", folder / "whole"
    words = {"scenarios": ["unseen-context", "iid"], "seeds": [0, 1]}
    plan.write_text(plan_text(["no-change", "ridge", "random"], {}, TINY, **words))
    print(f"kills: {n_kills}")
    sweep(plan, whole, 2)
    n_jobs, rng = n_runs(whole), np.random.default_rng(seed)
    n_same = 0
    for turn in range(n_kills):
        runs = folder / f"killed-{turn}"
        after, delay = int(rng.integers(-1, n_jobs - 1)), float(rng.uniform(0, 0.5))
        process = start_sweep(plan, runs, 2)
        while n_runs(runs) < after and process.poll() is None:
            time.sleep(0.005)
        time.sleep(delay if after >= 0 else 10 * delay)
        for pid in list(_family(process.pid)) if turn % 2 else [process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        n_kept = n_runs(runs)
        again = start_sweep(plan, runs, 2)
        said, _ = again.communicate()
        is_same = again.returncode == 0 and tables(runs) == tables(whole)
        n_same += is_same
        how = "with all its processes" if turn % 2 else "alone"
        end = "the same" if is_same else said
        print(f"  {turn + 1}: killed {how}, {n_kept} of {n_jobs} runs kept; resumed: {end}")
    print(f"  {n_same} of {n_kills} resumed to the same tables")
    return n_same == n_kills


def n_runs(runs: Path) -> int:
    return sum(1 for _ in runs.rglob("run.json"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["speed-up", "overhead", "kills", "all"])
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--busy-jobs", type=int, default=24)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trials = {
            "speed-up": lambda: speed_up(
                folder,
                n_jobs=options.busy_jobs,
                turns=options.turns,
                n_repeats=options.repeats,
            ),
            "overhead": lambda: overhead(folder, n_jobs=options.jobs),
            "kills": lambda: kills(folder, n_kills=options.kills, seed=options.seed),
        }
        chosen = list(trials) if options.what == "all" else [options.what]
        results = [trials[one]() for one in chosen]
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
