"""Whether all models of a question were asked and judged alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from wildcell.names import CEILING, CONDITION, REPLICATE
from wildcell.submitted.layout import Entry
from wildcell.submitted.remark import Remark, shown
from wildcell.submitted.table import ROUNDING, RUN

HASHES = ("dataset", "scenario", "split", "features", "graph", "embedding", "foreign")
JUDGED = ["n_truth", "null"]
"""What follows from the truth and the controls, whatever was answered."""

KEYS = [*RUN, *CONDITION, "category", "metric"]


@dataclass(frozen=True)
class Submitted:
    """Scores and records of a model in a scenario, each right by itself."""

    entry: Entry
    scores: pd.DataFrame
    runs: Sequence[Mapping[str, Any]]

    @property
    def model(self) -> str:
        """What it is called."""
        return str(self.scores["model"].iloc[0])

    @property
    def scenario(self) -> str:
        """Where it was tried."""
        return str(self.scores["scenario"].iloc[0])


def disagreements(found: Sequence[Submitted]) -> Iterator[Remark]:
    """Say who was asked something else than the reference baseline of the same question.

    Parameters
    ----------
    found
        All that was submitted, of any number of scenarios.
    """
    by_scenario: dict[str, list[Submitted]] = {}
    for one in found:
        by_scenario.setdefault(one.scenario, []).append(one)
    for scenario, models in by_scenario.items():
        yield from _in_scenario(scenario, models)


def _in_scenario(scenario: str, models: Sequence[Submitted]) -> Iterator[Remark]:
    reference = str(models[0].runs[0]["reference"])
    for one in models:
        if one.runs[0]["reference"] != reference:
            said = f"has the reference {shown(one.runs[0]['reference'])}, others {reference}."
            yield Remark(one.entry.told(one.entry.records), said)
            return
    base = next((one for one in models if one.model == reference), None)
    if base is None:
        said = (
            f"lacks its reference baseline {shown(reference)}, the 0 of the scale: submit it from "
            "the same folder of runs."
        )
        yield Remark(shown(scenario), said)
        return
    for one in models:
        if one is not base:
            yield from _against(one, base)
    if not any(one.model == CEILING for one in models):
        said = "has no ceiling, so that scores are not placed between floor and ceiling."
        yield Remark(shown(scenario), said, is_wrong=False)


def _against(one: Submitted, base: Submitted) -> Iterator[Remark]:
    records = one.entry.told(one.entry.records)
    of_base = {_key(run): run for run in base.runs}
    for run in one.runs:
        other = of_base.get(_key(run))
        where = f"seed {run['seed']}, fold {run['fold']} of {shown(run['arm'])}"
        if other is None:
            said = f"{where} on {shown(run['dataset'])} was not run by the reference baseline."
            yield Remark(records, said)
            return
        for name in HASHES:
            own, its = run["fingerprints"].get(name, ""), other["fingerprints"].get(name, "")
            if own != its:
                said = (
                    f"{where} has another fingerprint of {name} than the reference baseline: "
                    f"{shown(own)}, not {shown(its)}. It was asked something else."
                )
                yield Remark(records, said)
                return
        if run["judged"] != other["judged"]:
            said = f"{where} was judged by other cells, genes or depth than the reference baseline."
            yield Remark(records, said)
            return
    yield from _rows(one, base)


def _key(run: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(run[name] for name in RUN)


def _rows(one: Submitted, base: Submitted) -> Iterator[Remark]:
    table = one.entry.told(one.entry.scores)
    if one.scores[KEYS].equals(base.scores[KEYS]):  # the usual case, and a fast one
        if one.model != REPLICATE:
            yield from _judged(table, one.scores, base.scores)
        return
    own, its = one.scores.set_index(KEYS), base.scores.set_index(KEYS)
    runs = pd.MultiIndex.from_frame(base.scores[RUN])
    its = its[runs.isin(pd.MultiIndex.from_frame(one.scores[RUN].drop_duplicates()))]
    is_known = own.index.isin(its.index)
    if not is_known.all():
        rows = own.index[~is_known].to_frame()
        yield Remark(table, f"{_counted(rows)} are not asked of the reference baseline.")
    elif one.model != CEILING and len(own) < len(its):
        gone = its.index[~its.index.isin(own.index)].to_frame()
        yield Remark(table, f"{_counted(gone)} are lacking, which the reference baseline has.")
    elif one.model not in (REPLICATE, CEILING):
        yield from _judged(table, one.scores, its.loc[own.index].reset_index())


def _judged(table: str, own: pd.DataFrame, its: pd.DataFrame) -> Iterator[Remark]:
    """Hold what follows from the truth to that of the same rows of the reference baseline."""
    for name in JUDGED:
        first, second = own[name].to_numpy(dtype=float), its[name].to_numpy(dtype=float)
        both = np.isfinite(first) & np.isfinite(second)
        apart = np.abs(first - second) > ROUNDING * np.maximum(1.0, np.abs(second))
        if (apart & both).any():
            said = f"{name} differs from that of the reference baseline for "
            yield Remark(table, f"{said}{_counted(own[apart & both])[:-1]}.")


def _counted(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    where = f"{shown(first['perturbation'])} ({shown(first['category'])})"
    told = f"{first['metric']} of {where} in {shown(first['context'])}"
    return f"{len(rows):,} rows, such as {told},"
