"""What jobs will cost, by what like jobs cost before; unknown where there were none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from wildcell.errors import StoreError
from wildcell.names import Status
from wildcell.store.runs import read_costs
from wildcell.sweeps.book import Planned

LIKE = (["scenario", "dataset", "arm", "model"], ["dataset", "model"])
"""What past runs must share with a job to say what it costs, the likest first."""

TOLD = ["wall_s", "cpu_s", "peak_memory_mb"]


def past_costs(folders: Sequence[Path]) -> pd.DataFrame:
    """Return what the finished runs of some folders took, those that ended well.

    Folders without runs say nothing.
    """
    tables = []
    for folder in folders:
        try:
            tables.append(read_costs(folder))
        except StoreError:
            continue
    if not tables:
        return pd.DataFrame(columns=["status", *LIKE[0], *TOLD])
    past = pd.concat(tables, ignore_index=True)
    return past[past["status"] == Status.OK]


def estimate(jobs: Sequence[Planned], past: pd.DataFrame) -> pd.DataFrame:
    """Return the medians of what like jobs took, a row a job.

    Parameters
    ----------
    jobs
        Those to be run.
    past
        From `past_costs`.

    Returns
    -------
    Columns scenario, dataset, arm, model, seed, fold, folder, wall_s (seconds), cpu_s,
    peak_memory_mb (MiB), n_past (how many past runs tell): those of the model on the same scenario,
    data and arm, else on the same data. NaN and 0 where there is no such run.

    Examples
    --------
    >>> job = Planned("iid", "simulated", "main", "ridge", 0, 0, "")
    >>> past = pd.DataFrame(
    ...     {"scenario": ["iid"] * 2, "dataset": "simulated", "arm": "main", "model": "ridge",
    ...      "wall_s": [1.0, 3.0], "cpu_s": [1.0, 3.0], "peak_memory_mb": [200.0, 300.0]}
    ... )
    >>> estimate([job], past)[["wall_s", "n_past"]].to_numpy().tolist()
    [[2.0, 2.0]]
    """
    table = pd.DataFrame([vars(job) for job in jobs], columns=list(Planned.__annotations__))
    found = pd.DataFrame(np.nan, index=table.index, columns=[*TOLD, "n_past"])
    for names in LIKE:
        groups = past.groupby(names)[TOLD]
        known = groups.median().assign(n_past=groups.size())
        told = table[names].merge(known, left_on=names, right_index=True, how="left")
        found = found.fillna(told[found.columns].astype(float))
    return table.join(found.fillna({"n_past": 0}))
