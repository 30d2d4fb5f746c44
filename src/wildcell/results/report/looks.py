"""Genes and cells of single conditions, packed so that a page carries many of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wildcell.names import CONDITION, CONTROL, Look
from wildcell.results.rank import PSEUDO_MODELS, QUESTION
from wildcell.results.report.packing import packed

N_TRUE, N_OWN, N_CELLS = 30, 10, 30
"""At most so many genes that the truth, and that a model changes most, and cells of each kind."""

ALL_BYTES = 3_000_000
"""Of all questions together, before they are written as text."""

NO_GENE = 65535
NO_NUMBER = -32768
LARGEST = 32767

Ints = NDArray[np.int16]


def wanted_looks(scores: pd.DataFrame, conditions: pd.DataFrame) -> pd.DataFrame:
    """Return the conditions whose genes and cells a report has room for, the strongest effects.

    Parameters
    ----------
    scores
        The long table.
    conditions
        From `wildcell.store.runs.read_conditions`; may be empty.

    Returns
    -------
    Columns of questions, context, perturbation, and the first seed and fold that has it.
    """
    n_questions = scores[QUESTION].drop_duplicates().shape[0]
    tables = [
        _wanted(table, conditions, ALL_BYTES / n_questions)
        for _, table in scores.groupby(QUESTION, sort=True)
    ]
    return pd.concat(tables, ignore_index=True)


def packed_looks(
    looks: pd.DataFrame, models: Sequence[str], index: pd.MultiIndex, contexts: Sequence[str]
) -> dict[str, Any] | None:
    """Return the genes and cells of one question; None where there are none.

    Parameters
    ----------
    looks
        From `wildcell.store.runs.read_looks`, of one question and one seed a condition.
    models
        All that are shown of the question.
    index
        Its conditions.
    contexts
        Their contexts, sorted.

    Returns
    -------
    `rows`, the places of conditions in the index; `models`, the places of models; `genes`, names;
    and arrays in base 64 of their compressed bytes, of shape (n_rows, 30), with a first axis of
    models for what differs between models. Numbers are 16-bit parts of `gene_scale` and
    `cell_scale`.
    """
    looks = looks[looks["model"].isin(models)]
    if looks.empty:
        return None
    place = _Places(looks, models, index, contexts)
    genes = looks[looks["look"].isin([Look.TRUE_GENE, Look.OWN_GENE])]
    cells = looks[looks["look"].isin([Look.TRUE_CELL, Look.PREDICTED_CELL, Look.CONTROL_CELL])]
    first = looks.drop_duplicates([*CONDITION])[[*CONDITION, "model"]]
    of_first = looks.merge(first, on=[*CONDITION, "model"])
    return {
        "rows": place.rows.tolist(),
        "models": place.models.tolist(),
        "genes": place.genes,
        **_packed_genes(place, genes, of_first),
        **_packed_cells(place, cells, of_first),
    }


class _Places:
    """Where the rows of a table lie in arrays."""

    def __init__(
        self,
        looks: pd.DataFrame,
        models: Sequence[str],
        index: pd.MultiIndex,
        contexts: Sequence[str],
    ) -> None:
        self._index, self._models, self.contexts = index, pd.Index(models), pd.Index(contexts)
        own = looks[looks["perturbation"] != CONTROL]
        found = index.get_indexer(pd.MultiIndex.from_frame(own[CONDITION]))
        self.rows = np.unique(found[found >= 0])
        self.models = np.unique(self._models.get_indexer(looks["model"]))
        self.genes = sorted(set(own["gene"]) - {""})

    def table(self, rows: pd.DataFrame, n: int) -> pd.DataFrame:
        """Return the first `n` rows of each model and condition, with their places."""
        order = rows.groupby(["model", *CONDITION], sort=False).cumcount()
        found = self._index.get_indexer(pd.MultiIndex.from_frame(rows[CONDITION]))
        return rows.assign(
            order=order,
            row=np.searchsorted(self.rows, found),
            of_model=np.searchsorted(self.models, self._models.get_indexer(rows["model"])),
        )[(order < n) & (found >= 0)]


def _packed_genes(place: _Places, genes: pd.DataFrame, of_first: pd.DataFrame) -> dict[str, Any]:
    scale = _scale(genes[["x", "y"]].to_numpy(float))
    true = place.table(of_first[of_first["look"] == Look.TRUE_GENE], N_TRUE)
    answered = place.table(genes[genes["look"] == Look.TRUE_GENE], N_TRUE)
    own = place.table(genes[genes["look"] == Look.OWN_GENE], N_OWN)
    n_rows, n_models = len(place.rows), len(place.models)
    whose, mine = (n_rows, N_TRUE), (n_models, n_rows, N_OWN)
    at = (true["row"], true["order"])
    of_models = (answered["of_model"], answered["row"], answered["order"])
    at_own = (own["of_model"], own["row"], own["order"])
    return {
        "gene_scale": scale,
        "gene": _codes(whose, at, true["gene"], place.genes),
        "true": _numbers(whose, at, true["x"], scale),
        "error": _numbers(whose, at, true["error"], scale),
        "predicted": _numbers((n_models, *whose), of_models, answered["y"], scale),
        "own_gene": _codes(mine, at_own, own["gene"], place.genes),
        "own_true": _numbers(mine, at_own, own["x"], scale),
        "own_predicted": _numbers(mine, at_own, own["y"], scale),
    }


def _packed_cells(place: _Places, cells: pd.DataFrame, of_first: pd.DataFrame) -> dict[str, Any]:
    if cells.empty:
        return {}
    scale = _scale(cells[["x", "y"]].to_numpy(float))
    n_rows, n_models = len(place.rows), len(place.models)
    true = place.table(of_first[of_first["look"] == Look.TRUE_CELL], N_CELLS)
    answered = place.table(cells[cells["look"] == Look.PREDICTED_CELL], N_CELLS)
    controls = cells[cells["look"] == Look.CONTROL_CELL]
    controls = (
        controls[controls["model"] == controls["model"].iloc[0]] if len(controls) else controls
    )
    group = controls.groupby("context", sort=False).cumcount()
    controls = controls.assign(order=group)[group < N_CELLS]
    of_context = place.contexts.get_indexer(controls["context"])
    at = (true["row"], true["order"])
    of_models = (answered["of_model"], answered["row"], answered["order"])
    return {
        "cell_scale": scale,
        "true_cells": _pairs((n_rows, N_CELLS), at, true, scale),
        "predicted_cells": _pairs((n_models, n_rows, N_CELLS), of_models, answered, scale),
        "control_cells": _pairs(
            (len(place.contexts), N_CELLS), (of_context, controls["order"]), controls, scale
        ),
    }


def _scale(values: NDArray[np.float64]) -> float:
    known = np.abs(values[np.isfinite(values)])
    return float(known.max(initial=0.0) or 1.0) / LARGEST


def _codes(shape: tuple[int, ...], at: Any, names: pd.Series, genes: Sequence[str]) -> str:
    result = np.full(shape, NO_GENE, dtype="<u2")
    result[at] = pd.Index(genes).get_indexer(names)
    return packed(result)


def _numbers(shape: tuple[int, ...], at: Any, values: pd.Series, scale: float) -> str:
    result = np.full(shape, NO_NUMBER, dtype="<i2")
    result[at] = _quantised(values.to_numpy(float), scale)
    return packed(result)


def _pairs(shape: tuple[int, ...], at: Any, cells: pd.DataFrame, scale: float) -> str:
    result = np.full((*shape, 2), NO_NUMBER, dtype="<i2")
    result[at] = _quantised(cells[["x", "y"]].to_numpy(float), scale)
    return packed(result)


def _quantised(values: NDArray[np.float64], scale: float) -> Ints:
    parts = np.clip(np.round(values / scale), -LARGEST, LARGEST)
    return np.asarray(np.where(np.isfinite(values), parts, NO_NUMBER).astype(np.int16))


def _wanted(scores: pd.DataFrame, conditions: pd.DataFrame, most_bytes: float) -> pd.DataFrame:
    n_models = len(set(scores["model"]) - set(PSEUDO_MODELS))
    columns = [*QUESTION, *CONDITION, "seed", "fold"]
    asked = scores[columns].drop_duplicates().sort_values(columns)
    asked = asked.drop_duplicates([*QUESTION, *CONDITION])
    n = max(1, int(most_bytes / _bytes_of(n_models)))
    if len(asked) <= n:
        return asked
    if conditions.empty:
        return asked.iloc[:n]
    known = conditions[[*columns, "effect_size"]].drop_duplicates(columns)
    sizes = asked.merge(known, on=columns, how="left")
    return sizes.sort_values("effect_size", ascending=False, kind="stable")[columns].iloc[:n]


def _bytes_of(n_models: int) -> int:
    """Return the bytes that the genes and cells of one condition take."""
    return 2 * (3 * N_TRUE + 2 * N_CELLS + n_models * (N_TRUE + 3 * N_OWN + 2 * N_CELLS))
