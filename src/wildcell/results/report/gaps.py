"""What could not be computed and why, and what a reader must know of the runs."""

from collections.abc import Iterator, Sequence

import pandas as pd

from wildcell.names import CEILING, REPLICATE, Status
from wildcell.results.words import STATUS_WORDS, count, listed

RUN_WORDS = {
    Status.OK: "could not answer some conditions",
    Status.NOT_APPLICABLE: "could not answer any condition",
    Status.ERROR: "failed",
}
SYNTHETIC = "synthetic_cells"


def gaps(scores: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    """Return why, models, metrics and how many of their scores are not numbers."""
    answers = scores[scores["model"] != CEILING]
    expected = answers.groupby(["model", "metric"]).size().rename("expected")
    missing = answers[answers["status"] != Status.OK]
    counts = missing.groupby(["status", "model", "metric"], sort=False).size().rename("n")
    table = counts.reset_index().join(expected, on=["model", "metric"])
    by_model = table.groupby(["status", "model", "n", "expected"], sort=False)["metric"].agg(tuple)
    alike = ["status", "n", "expected", "metric"]
    merged = by_model.reset_index().groupby(alike, sort=False)["model"].agg(list).reset_index()
    models, metrics = set(answers["model"]) - {REPLICATE}, set(answers["metric"])
    return [
        (
            STATUS_WORDS[Status(row["status"])],
            _all_or_listed(row["model"], models, "models"),
            _all_or_listed(row["metric"], metrics, "metrics"),
            f"{row['n']:,} of {row['expected']:,}",
        )
        for _, row in merged.sort_values(["status", "n"], ascending=[True, False]).iterrows()
    ]


def _all_or_listed(names: Sequence[str], every: set[str], noun: str) -> str:
    if every <= set(names):
        names = [f"all {noun}", *sorted(set(names) - every)]
    return listed(list(names), at_most=len(names))


def troubles(runs: pd.DataFrame) -> Iterator[str]:
    """Say which models failed, or could not answer, in how many runs, and why."""
    for (model, status, reason), table in runs.groupby(["model", "status", "reason"]):
        if status != Status.OK or reason:
            n = f"{len(table)} of {count((runs['model'] == model).sum(), 'run')}"
            yield f"{model} {RUN_WORDS[Status(status)]} in {n}: {reason or 'no reason was noted'}."


def flags(runs: pd.DataFrame) -> Iterator[str]:
    """Say what the runs themselves say that a reader must know."""
    flags = runs[["model", "flags"]].explode("flags").dropna().drop_duplicates()
    is_synthetic = flags["flags"].str.startswith(SYNTHETIC)
    for flag, table in flags[~is_synthetic].groupby("flags"):
        yield f"{flag} ({listed(list(table['model']))})."
    makers = sorted(set(runs.loc[runs[SYNTHETIC].astype(bool), "model"]))
    if makers:
        yield (
            f"Cells of {listed(makers)} are synthetic: made from the given controls and the "
            "predicted means, for metrics that compare cells."
        )
