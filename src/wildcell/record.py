"""What is written of a run beside its scores."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import isnan
from typing import Any

import pandas as pd

from wildcell.judge import Judge
from wildcell.names import COST_COLUMNS, Kind, Status
from wildcell.results.score import label
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.task import Origin, Truth
from wildcell.store.fingerprint import fingerprint
from wildcell.store.provenance import Cost, hardware, versions
from wildcell.store.runs import RunKey

SYNTHETIC = "synthetic_cells: cells were made from the given controls and the predicted means"


@dataclass(frozen=True)
class Result:
    """What one run came to.

    Attributes
    ----------
    status
        How it ended.
    scores
        A row a condition and metric, without the columns that name the run.
    reason, log
        Why it ended so, in a line; the whole traceback of a crash.
    prediction
        The answer, where there is one.
    flags
        What a reader must know of the scores, in sentences.
    training
        What the model says its training came to.
    is_sealed
        Whether the model ran in processes of its own; None where that is not known.
    apart
        What these took.
    shaken
        How far the scores move without blocks of the kept controls; None where that is not known.
    looks
        Some genes and cells of each condition; None where there is no answer.
    shared_reliability
        How well the reference baseline's delta is known, with the replicate; None elsewhere, and
        where that is not known.
    """

    status: Status
    scores: pd.DataFrame
    reason: str = ""
    log: str = ""
    prediction: Prediction | None = None
    flags: Sequence[str] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    is_sealed: bool | None = None
    apart: Cost | None = None
    shaken: pd.DataFrame | None = None
    looks: pd.DataFrame | None = None
    shared_reliability: float | None = None


def flags_of(judge: Judge, prediction: Prediction) -> list[str]:
    """Return what a reader must know of the scores of a prediction."""
    return [SYNTHETIC] if prediction.kind is Kind.MEAN and judge.makes_cells else []


def key_of(origin: Origin, model: str, options: Mapping[str, Any]) -> RunKey:
    """Return what names the run of a model on a question."""
    return RunKey(
        origin.scenario, origin.dataset, origin.arm, model, origin.seed, origin.fold, options
    )


def labelled_scores(key: RunKey, scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores with the columns that name the run."""
    return label(
        scores,
        scenario=key.scenario,
        dataset=key.dataset,
        arm=key.arm,
        model=key.model,
        seed=key.seed,
        fold=key.fold,
    )


def labelled_halves(key: RunKey, halves: pd.DataFrame) -> pd.DataFrame:
    """Return scores by halves, whose rows name their models, with what else names the run."""
    tables = [
        labelled_scores(replace(key, model=str(name)), table).assign(half=table["half"])
        for name, table in halves.groupby("model", sort=False)
    ]
    return pd.concat(tables, ignore_index=True)


def record_of(
    key: RunKey,
    truth: Truth,
    result: Result,
    *,
    inputs: Mapping[str, str],
    judged: str,
    trained: str = "",
    recipe: Mapping[str, Any] | None = None,
    cost: Cost,
    started: str,
) -> dict[str, Any]:
    """Return the content of a run.json.

    Parameters
    ----------
    key
        The run's names and options.
    truth
        What it was judged by.
    result
        What it came to.
    inputs
        Fingerprints of all that it follows from.
    judged
        Hash of what it was judged by.
    trained
        Hash of what it was trained on, "" where that is not known.
    recipe
        What the question can be asked again by; None where it is one of files.
    cost, started
        What it took, and when it began.
    """
    made = {} if result.prediction is None else {"prediction": fingerprint(result.prediction)}
    return {
        **asdict(truth.origin),
        "model": key.model,
        "options": dict(key.options),
        "status": str(result.status),
        "reason": result.reason,
        "log": result.log,
        "flags": [*truth.origin.flags, *result.flags],
        "synthetic_cells": SYNTHETIC in result.flags,
        "n_genes": len(truth.test.genes),
        "expression": str(truth.test.expression),
        "target_sum": truth.test.target_sum,
        "judged": judged,
        "trained": trained,
        "training": dict(result.training),
        "is_sealed": result.is_sealed,
        **(
            {}
            if result.shared_reliability is None
            else {"shared_reliability": result.shared_reliability}
        ),
        "started": started,
        **{name: None if isnan(value) else value for name, value in vars(cost).items()},
        **({} if recipe is None else {"recipe": recipe}),
        "versions": versions(),
        "hardware": hardware(),
        "fingerprints": {**made, **inputs, "inputs": fingerprint(inputs)},
    }


def whole_cost(cost: Cost, apart: Cost | None) -> Cost:
    """Return what a run took, with the processes that a model ran in apart from ours.

    Their time is added to ours, and their memory stands in the place of ours.

    Examples
    --------
    >>> whole_cost(Cost(9.0, 1.0, 300.0), Cost(8.0, 15.0, 2000.0))
    Cost(wall_s=9.0, cpu_s=16.0, peak_memory_mb=2000.0)
    """
    if apart is None or isnan(apart.wall_s):
        return cost
    return Cost(cost.wall_s, cost.cpu_s + apart.cpu_s, apart.peak_memory_mb)


def costs_of(cost: Cost, n_cells: int, training: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Return the one row of a run's costs.parquet, with what the model says of its training."""
    row = {**(training or {}), **vars(cost), "n_cells": n_cells}
    return pd.DataFrame([row]).reindex(columns=COST_COLUMNS)
