"""What conditions are judged by, in a hash: two answers are comparable where it is the same."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import pandas as pd

from wildcell.names import CONDITION
from wildcell.scenarios.task import Cells, Truth
from wildcell.store.fingerprint import fingerprint
from wildcell.streams.spilled import let_go


def judged_by(truth: Truth) -> "pd.Series[str]":
    """Return the hash of all that each condition is judged by, shape (n_conditions,).

    It is of the condition's test cells, both halves of its controls, the genes and the library
    size. Scores of a condition under different hashes were not judged alike.

    Examples
    --------
    >>> from wildcell.testing import toy_questions
    >>> task, truth = toy_questions()["unseen-context"]
    >>> len(judged_by(truth)) == len(truth.conditions)
    True
    """
    panel = fingerprint(truth.test.genes, truth.test.expression, truth.test.target_sum)
    tested = _rows_of(truth.test.obs, CONDITION)
    halves = {
        name: (cells, _rows_of(cells.obs, ["control_group"]))
        for name, cells in (("kept", truth.kept), ("given", truth.given))
    }

    @cache
    def of_controls(group: str) -> str:
        return fingerprint(*(_content(cells, rows, (group,)) for cells, rows in halves.values()))

    table = truth.conditions
    hashes = [
        fingerprint(panel, _content(truth.test, tested, (context, name)), of_controls(group))
        for context, name, group in table[[*CONDITION, "control_group"]].itertuples(index=False)
    ]
    return pd.Series(hashes, index=table.index, dtype=object)


def _rows_of(obs: pd.DataFrame, columns: list[str]) -> Mapping[tuple[str, ...], np.ndarray]:
    return {
        tuple(map(str, key if isinstance(key, tuple) else (key,))): np.asarray(rows)
        for key, rows in obs.groupby(columns, sort=False, observed=True).indices.items()
    }


def _content(cells: Cells, rows: Mapping[tuple[str, ...], np.ndarray], key: tuple[str, ...]) -> str:
    found = rows.get(key, np.zeros(0, dtype=np.intp))
    X = cells.X[found]
    let_go(cells.X)
    return fingerprint(X, cells.obs["total_counts"].to_numpy(float)[found])
