"""The tables that a folder of runs ends in."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from wildcell.results.arms import compare_arms
from wildcell.results.rank import rank
from wildcell.store.runs import read_records, read_scores


def rank_runs(runs: Path) -> pd.DataFrame:
    """Rank the models of all finished runs in a folder; see `wildcell.results.rank.rank`."""
    return rank(read_scores(runs), _references(runs))


def compare_arms_of_runs(
    runs: Path, *, base: str | None = None, metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """Compare the arms of all finished runs; see `wildcell.results.arms.compare_arms`."""
    return compare_arms(read_scores(runs), _references(runs), base=base, metrics=metrics)


def _references(runs: Path) -> dict[str, str]:
    """Return the reference baseline of each scenario."""
    records = read_records(runs)
    return dict(zip(records["scenario"], records["reference"], strict=True))
