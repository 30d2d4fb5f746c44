"""The ranking of a folder of runs."""

from pathlib import Path

import pandas as pd

from wildcell.results.rank import rank
from wildcell.store.runs import read_records, read_scores


def rank_runs(runs: Path) -> pd.DataFrame:
    """Rank the models of all finished runs in a folder; see `wildcell.results.rank.rank`."""
    records = read_records(runs)
    references = dict(zip(records["scenario"], records["reference"], strict=True))
    return rank(read_scores(runs), references)
