"""A folder of results, read and held to its rules."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from wildcell.errors import BenchmarkError, StoreError
from wildcell.guards.tables import read_parquet
from wildcell.names import COST_COLUMNS, SCORE_COLUMNS, SHAKEN, SHAKEN_UNDER
from wildcell.store.runs import slug
from wildcell.submitted.agreement import Submitted, disagreements
from wildcell.submitted.card import Card, read_card
from wildcell.submitted.layout import MODELS, Entry, card_path, cards, entries
from wildcell.submitted.misplaced import misplaced
from wildcell.submitted.records import is_yardstick, read_runs, record_troubles
from wildcell.submitted.remark import Remark, shown
from wildcell.submitted.table import RUN, TABLE_COLUMNS, table_troubles

MOST_SHOWN = 5


@dataclass(frozen=True)
class Results:
    """All that was submitted.

    Attributes
    ----------
    cards
        By name of model; yardsticks have none.
    submitted
        In a scenario, of a model.
    remarks
        What is to be said of the files; where any is wrong, what it is of is not in `submitted`.
    """

    cards: Mapping[str, Card]
    submitted: Sequence[Submitted]
    remarks: Sequence[Remark] = field(default=())

    @property
    def troubles(self) -> list[Remark]:
        """What keeps the folder from being published."""
        return [remark for remark in self.remarks if remark.is_wrong]

    def scores(self, *, scenario: str | None = None, without: Collection[str] = ()) -> pd.DataFrame:
        """Return the long table of scores, without the columns of costs.

        Parameters
        ----------
        scenario
            Of one scenario; of all if None.
        without
            Metrics that are left out.
        """
        tables = [
            one.scores.loc[~one.scores["metric"].isin(without)].drop(columns=COST_COLUMNS)
            for one in self.submitted
            if scenario in (None, one.scenario)
        ]
        scores = pd.concat(tables, ignore_index=True)
        moves = [name for name in [*SHAKEN, *SHAKEN_UNDER] if name in scores]
        return scores.assign(**{name: scores[name].fillna(0) for name in moves})

    def costs(self) -> pd.DataFrame:
        """Return what each run took, with the columns that name it."""
        names = [name for name in SCORE_COLUMNS if name in ("scenario", "model", *RUN)]
        columns = [*names, *COST_COLUMNS]
        tables = [one.scores.loc[~one.scores.duplicated(RUN), columns] for one in self.submitted]
        return pd.concat(tables, ignore_index=True)

    def records(self) -> pd.DataFrame:
        """Return the records of all runs, a row a run, models as the scores call them."""
        rows: list[dict[str, Any]] = [
            {**run, "model": one.model} for one in self.submitted for run in one.runs
        ]
        return pd.DataFrame(rows)


def look_at(folder: Path) -> Results:
    """Read a folder of results, and say all that is wrong with it.

    Raises
    ------
    StoreError
        There is no such folder, or nothing in it.
    """
    found = entries(folder)
    remarks = list(misplaced(folder))
    known, of_cards = _cards(folder)
    remarks += of_cards
    submitted = []
    for entry in found:
        one, of_entry = _entry(entry, known)
        remarks += of_entry
        if one is not None:
            submitted.append(one)
    models = {slug(one.model) for one in submitted}
    remarks += [
        Remark(f"{MODELS}/{name}", "is of a model without results.", is_wrong=False)
        for name in cards(folder)
        if name not in models
    ]
    remarks += disagreements(submitted)
    return Results(known, submitted, remarks)


def read_results(folder: Path) -> Results:
    """Read a folder of results that has nothing wrong.

    Raises
    ------
    StoreError
        There is no such folder, or something is wrong with it.
    """
    results = look_at(folder)
    if results.troubles:
        told = [f"  {remark.file}: {remark.said}" for remark in results.troubles[:MOST_SHOWN]]
        more = len(results.troubles) - len(told)
        raise StoreError(
            "\n".join(
                [
                    f"{folder} is not fit to be shown:",
                    *told,
                    *([f"  and {more} more"] if more else []),
                    f"See all with: wildcell submit --check {folder}",
                ]
            )
        )
    return results


def _cards(folder: Path) -> tuple[dict[str, Card], list[Remark]]:
    known: dict[str, Card] = {}
    remarks = []
    for name, path in cards(folder).items():
        told = path.relative_to(folder).as_posix()
        try:
            card = read_card(path)
        except BenchmarkError as error:
            remarks.append(Remark(told, str(error).removeprefix(f"{path}: ")))
            continue
        if slug(card.name) != name:
            said = f"is of {shown(card.name)}, whose folder is {slug(card.name)!r}."
            remarks.append(Remark(told, said))
        else:
            known[card.name] = card
    return known, remarks


def _entry(entry: Entry, known: Mapping[str, Card]) -> tuple[Submitted | None, list[Remark]]:
    table, records = entry.told(entry.scores), entry.told(entry.records)
    try:
        scores = read_parquet(entry.scores)
    except BenchmarkError as error:
        return None, [Remark(table, str(error).removeprefix(f"{entry.scores} "))]
    troubles = list(table_troubles(scores, scenario=entry.scenario, model=entry.model))
    if troubles:
        return None, [Remark(table, said) for said in troubles]
    if not entry.records.is_file():
        return None, [Remark(table, f"lies beside no {entry.records.name}, its records.")]
    try:
        runs = read_runs(entry.records)
    except BenchmarkError as error:
        return None, [Remark(records, str(error).removeprefix(f"{entry.records} "))]
    remarks = [Remark(records, said) for said in record_troubles(runs, scores)]
    one = Submitted(entry, scores, runs)
    remarks += [Remark(table, said) for said in _of_card(one, known)]
    return (None if remarks else one), remarks


def _of_card(one: Submitted, known: Mapping[str, Card]) -> list[str]:
    """Say where scores and card do not go together."""
    if is_yardstick(one.model):
        return []
    card = known.get(one.model)
    if card is None:
        place = card_path(one.entry.folder, one.model).relative_to(one.entry.folder)
        return [f"is of {shown(one.model)}, which has no card; write {place.as_posix()}."]
    said_sealed = [run["is_sealed"] for run in one.runs if run["status"] == "ok"]
    if card.sealed and not all(said_sealed):
        return ["is of a model whose card says sealed = true, and whose runs were not."]
    return []


def columns_of(scores: pd.DataFrame) -> list[str]:
    """Return the columns of a table in the order in which they are written."""
    others = [name for name in scores if name not in TABLE_COLUMNS]
    return [*TABLE_COLUMNS, *others]
