"""Single conditions, packed so that ten thousand of them open at once in a browser."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wildcell.metrics.metric import METRICS
from wildcell.names import CONDITION, NAIVE_MODELS, Role, Status
from wildcell.results.rank import PSEUDO_MODELS
from wildcell.results.report.looks import packed_looks
from wildcell.results.report.packing import packed
from wildcell.results.words import STATUS_WORDS

DIFFICULTY = {
    "n_cells": "cells",
    "effect_size": "size of the effect, over its noise",
    "n_de_genes": "genes that differ",
    "correlation_ceiling": "ceiling of correlations",
    "context_distance": "distance of the context from training",
    "perturbation_distance": "distance of the perturbation from training",
}


def picker(
    scores: pd.DataFrame,
    metrics: Sequence[str],
    reference: str,
    conditions: pd.DataFrame,
    looks: pd.DataFrame,
) -> str:
    """Return what is told of all conditions of one question as text for a script element.

    Parameters
    ----------
    scores
        The long table of one question, without shams.
    metrics
        Those shown.
    reference
        The reference baseline.
    conditions
        Of the same question, from `wildcell.store.runs.read_conditions`; may be empty.
    looks
        Of the same question, from `wildcell.store.runs.read_looks`; may be empty.

    Returns
    -------
    JSON with names in the clear, and arrays in base 64 of their compressed little-endian bytes:
    `values` in single precision, and `statuses`, numbers of `words`, both of shape (n_metrics,
    n_models, n_conditions), and one array of `difficulty` each of shape (n_conditions,); and
    `looks`, as `wildcell.results.report.looks.packed_looks` returns them, or null.
    """
    own = scores[scores["metric"].isin(metrics)]
    keys = own[CONDITION].drop_duplicates().sort_values(CONDITION)
    index = pd.MultiIndex.from_frame(keys)
    models = _models(own, reference)
    values, statuses = _cube(own, metrics, models, index)
    contexts, perturbations = (sorted(set(keys[name])) for name in CONDITION)
    codes = [
        pd.Index(names).get_indexer(keys[name]).tolist()
        for names, name in zip((contexts, perturbations), CONDITION, strict=True)
    ]
    data = {
        "contexts": contexts,
        "perturbations": perturbations,
        "context": codes[0],
        "perturbation": codes[1],
        "models": models,
        "kinds": [_kind(name, reference) for name in models],
        "metrics": list(metrics),
        "best": [METRICS.get(name).best for name in metrics],
        "words": [STATUS_WORDS.get(status, "") for status in Status],
        "values": packed(values.astype("<f4")),
        "statuses": packed(statuses),
        "difficulty": _difficulty(conditions, index),
        "looks": None if looks.empty else packed_looks(looks, models, index, contexts),
    }
    return json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")


def _models(scores: pd.DataFrame, reference: str) -> list[str]:
    names = sorted(set(scores["model"]), key=lambda name: (name in PSEUDO_MODELS, name))
    return sorted(names, key=lambda name: name == reference)


def _kind(name: str, reference: str) -> str:
    if name == reference:
        return "reference"
    return name if name in PSEUDO_MODELS else "naive" if name in NAIVE_MODELS else "model"


def _cube(
    scores: pd.DataFrame, metrics: Sequence[str], models: Sequence[str], index: pd.MultiIndex
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return values averaged over seeds, and the status of what has none."""
    shape = (len(metrics), len(models), len(index))
    place = np.stack(
        [
            pd.Index(metrics).get_indexer(scores["metric"]),
            pd.Index(models).get_indexer(scores["model"]),
            index.get_indexer(pd.MultiIndex.from_frame(scores[CONDITION])),
        ]
    )
    flat = np.ravel_multi_index(tuple(place), shape)
    known = np.isfinite(scores["value"].to_numpy(float))
    n = np.bincount(flat[known], minlength=np.prod(shape))
    total = np.bincount(
        flat[known], weights=scores["value"].to_numpy(float)[known], minlength=np.prod(shape)
    )
    values = np.divide(total, n, out=np.full(len(total), np.nan), where=n > 0)
    statuses = np.zeros(np.prod(shape), dtype=np.uint8)
    codes = pd.Index([str(status) for status in Status]).get_indexer(scores["status"].astype(str))
    statuses[flat[~known]] = codes[~known].astype(np.uint8)
    return values.reshape(shape), statuses.reshape(shape)


def _difficulty(conditions: pd.DataFrame, index: pd.MultiIndex) -> list[dict[str, str]]:
    if conditions.empty:
        return []
    tested = conditions[conditions["role"] == Role.TEST]
    there = [name for name in DIFFICULTY if name in tested]
    mean = tested.groupby(CONDITION)[there].mean().reindex(index)
    return [
        {"label": DIFFICULTY[name], "values": packed(mean[name].to_numpy("<f4"))}
        for name in there
        if np.isfinite(mean[name].to_numpy(float)).any()
    ]
