"""Results to be handed in, made of a folder of runs."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from wildcell.errors import OptionError, StoreError
from wildcell.guards.tables import read_parquet
from wildcell.names import COST_COLUMNS, NAIVE_MODELS
from wildcell.registry import did_you_mean
from wildcell.store.atomic import write_json, write_table, write_text, writing
from wildcell.store.runs import (
    LOCK,
    LOG,
    PROGRESS,
    read_costs,
    read_records,
    read_scores,
)
from wildcell.submission.shipped import is_shipped, shipped_card
from wildcell.submitted.card import Card, card_text
from wildcell.submitted.layout import Entry, card_path, entry_of
from wildcell.submitted.read import columns_of
from wildcell.submitted.records import SCHEMA, is_yardstick, read_runs, told_of
from wildcell.submitted.table import RUN

NOT_HANDED_IN = (LOCK, LOG, PROGRESS)
"""Files of a run that tell of the machine, or of how far it was."""


def submit_runs(
    runs: Path,
    out: Path,
    *,
    card: Card | None = None,
    models: Sequence[str] = (),
    has_predictions: bool = False,
) -> list[Entry]:
    """Write what is handed in of a folder of runs.

    Naive models, the reference baseline, the replicate and the ceiling go with every model, for
    without them its scores say nothing. Where they are in `out` already, they stay as they are.

    Parameters
    ----------
    runs
        Folder of runs.
    out
        Folder of results; what it holds of other models and questions stays.
    card
        Of the model that is not shipped.
    models
        Which, as runs call them. By default the one that is not shipped, if there is a card, and
        all shipped ones if there is none.
    has_predictions
        Whether runs are copied with their predictions, so that scores can be computed anew.

    Returns
    -------
    Where each model's results in each scenario lie.

    Raises
    ------
    OptionError
        It cannot be told which model the card is of, or there is none of that name.
    """
    records = read_records(runs)
    names = _chosen(sorted(set(records["model"])), card, models)
    yardsticks = _yardsticks(records) - set(names)
    tables = _with_costs(read_scores(runs, with_controls=True), read_costs(runs))
    written = []
    for called in sorted({*names, *yardsticks}):
        own = card if card is not None and not is_shipped(called) else _card(called)
        name = called if own is None else own.name
        for scenario, table in tables[tables["model"] == called].groupby("scenario", sort=True):
            entry = entry_of(out, str(scenario), name)
            is_of = (records["model"] == called) & (records["scenario"] == scenario)
            _write(
                entry,
                table.assign(model=name),
                records[is_of].to_dict("records"),
                is_kept=called in yardsticks,
                evidence=runs if has_predictions else None,
            )
            written.append(entry)
        if own is not None:
            write_text(card_path(out, name), card_text(own))
    return written


def _chosen(known: Sequence[str], card: Card | None, models: Sequence[str]) -> list[str]:
    """Return which models are handed in, besides yardsticks."""
    for name in models:
        if name not in known:
            raise OptionError(f"There are no runs of {name!r}. {did_you_mean(name, known)}")
    own = [name for name in models or known if not is_shipped(name)]
    if card is None:
        if models and own:
            raise OptionError(
                f"{own[0]} does not come with wildcell: describe it in a file and name that with "
                "--card (a template: wildcell new card card.toml)."
            )
        return [name for name in models or known if is_shipped(name)]
    if len(own) != 1:
        told = ", ".join(own) or "none"
        raise OptionError(
            f"A card is of one model that does not come with wildcell; there are {told}. Name one "
            "with --model."
        )
    if is_shipped(card.name):
        raise OptionError(f"{card.name} is a model that comes with wildcell; choose another name.")
    return [*own, *(name for name in models if is_shipped(name))]


def _yardsticks(records: pd.DataFrame) -> set[str]:
    references = set(records["reference"])
    return {
        name
        for name in set(records["model"])
        if is_yardstick(name) or name in NAIVE_MODELS or name in references
    }


def _card(name: str) -> Card | None:
    return None if is_yardstick(name) else shipped_card(name)


def _with_costs(scores: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    keys = ["scenario", "model", *RUN]
    known = costs[[*keys, *COST_COLUMNS]]
    known = known.astype(dict.fromkeys(COST_COLUMNS, float))
    return scores.merge(known, how="left", on=keys, validate="many_to_one")


def _write(
    entry: Entry,
    table: pd.DataFrame,
    records: Sequence[Mapping[Any, Any]],
    *,
    is_kept: bool,
    evidence: Path | None,
) -> None:
    told = [told_of(record) for record in records]
    if entry.scores.is_file() and entry.records.is_file():
        table, told = _merged(entry, table, told, is_kept=is_kept)
    write_table(entry.scores, table[columns_of(table)].reset_index(drop=True))
    write_json(entry.records, {"schema": SCHEMA, "runs": told})
    if evidence is not None:
        for record in records:
            _copy_run(evidence / record["folder"], entry.runs / record["folder"])


def _merged(
    entry: Entry, table: pd.DataFrame, told: list[dict[str, Any]], *, is_kept: bool
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Put results beside those there are of other runs; of the same run, one of the two stays."""
    before, runs = read_parquet(entry.scores), read_runs(entry.records)
    old, new = {_run(run) for run in runs}, {_run(run) for run in told}
    gone_before, gone_now = (set(), old & new) if is_kept else (old & new, set())
    parts = [_without(before, gone_before), _without(table, gone_now)]
    rows = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return rows, [
        *(run for run in runs if _run(run) not in gone_before),
        *(run for run in told if _run(run) not in gone_now),
    ]


def _run(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(record[name] for name in RUN)


def _without(table: pd.DataFrame, runs: set[tuple[Any, ...]]) -> pd.DataFrame:
    if not runs:
        return table
    return table[~pd.MultiIndex.from_frame(table[RUN]).isin(list(runs))]


def _copy_run(folder: Path, out: Path) -> None:
    """Copy a run, in the place of what may be there."""
    if out.is_dir():
        shutil.rmtree(out)
    try:
        with writing(out) as temporary:
            temporary.mkdir(parents=True)
            for path in sorted(folder.iterdir()):
                if path.is_file() and path.name not in NOT_HANDED_IN:
                    shutil.copyfile(path, temporary / path.name)
    except OSError as error:
        raise StoreError(f"{folder} cannot be copied to {out}: {error}") from error
