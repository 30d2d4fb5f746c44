"""What a folder of runs knows of the sweeps that fill it: what was planned, and what failed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wildcell.store.atomic import write_json
from wildcell.store.fingerprint import fingerprint
from wildcell.store.provenance import now
from wildcell.store.runs import read_record
from wildcell.sweeps.layout import Layout, Problem, Question
from wildcell.sweeps.sweep_file import Sweep

BOOK = ".sweeps"
FAILURES = "failures"


@dataclass(frozen=True)
class Planned:
    """A job that some sweep has planned, by the names of its run."""

    scenario: str
    dataset: str
    arm: str
    model: str
    seed: int
    fold: int
    folder: str


def keep_plan(runs: Path, sweep: Sweep, layouts: Sequence[Layout]) -> None:
    """Write what a sweep will run, in the place of what one of the same name would."""
    words = sweep.words()
    questions = [question for layout in layouts for question in layout.questions]
    problems = [problem._asdict() for layout in layouts for problem in layout.problems]
    content: dict[str, Any] = {
        "sweep": words,
        "started": now(),
        "jobs": [asdict(job) for question in questions for job in planned_of(question)],
        "problems": problems,
    }
    write_json(runs / BOOK / f"{fingerprint(sweep.name or words)[:16]}.json", content)


def planned_of(question: Question) -> list[Planned]:
    """Return the jobs of a question."""
    return [
        Planned(
            question.scenario,
            question.dataset,
            question.arm,
            job.model,
            question.seed,
            question.fold,
            job.folder,
        )
        for job in question.jobs
    ]


def read_plans(runs: Path) -> tuple[dict[str, Planned], list[Problem]]:
    """Return the jobs that all sweeps have planned by their folders, and what they could not."""
    books = [read_record(path) for path in sorted((runs / BOOK).glob("*.json"))]
    jobs = [Planned(**job) for book in books for job in book["jobs"]]
    problems = [Problem(**problem) for book in books for problem in book["problems"]]
    return {job.folder: job for job in jobs}, problems


def note_failure(runs: Path, folder: str, reason: str) -> None:
    """Keep why a job has no run."""
    write_json(_failure(runs, folder), {"folder": folder, "reason": reason, "at": now()})


def forget_failure(runs: Path, folder: str) -> None:
    """Forget why a job had no run, as it has one."""
    _failure(runs, folder).unlink(missing_ok=True)


def read_failures(runs: Path) -> dict[str, str]:
    """Return why jobs have no runs by their folders."""
    records = [read_record(path) for path in sorted((runs / BOOK / FAILURES).glob("*.json"))]
    return {str(record["folder"]): str(record["reason"]) for record in records}


def _failure(runs: Path, folder: str) -> Path:
    return runs / BOOK / FAILURES / f"{fingerprint(folder)[:16]}.json"
