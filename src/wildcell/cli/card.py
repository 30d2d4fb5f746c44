"""What a data set is made of, and how well its effects are measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from wildcell.cli.progress import say

if TYPE_CHECKING:
    import pandas as pd

    from wildcell.datasets.card import Card

AT_MOST = 10
"""Conditions and targets that are shown one by one."""

EFFECTS = {
    "signal": "signal",
    "reliability": "reliability",
    "split_half": "split half",
    "systematic_variation": "systematic",
}
OF_TARGET = {"target_log2_fold_change": "target log2 change", "target_z": "target z"}


def card(
    data: str,
    /,
    *,
    out: Path | None = None,
    seed: int = 0,
    data_option: Annotated[list[str] | None, Parameter(negative=())] = None,
) -> None:
    """Show what a data set is made of, how large its effects are and how well they are measured.

    Parameters
    ----------
    data
        A name that `wildcell datasets` lists, or a curated file.
    out
        Folder to leave all tables in, as Parquet files, with card.json.
    seed
        Of the halving of cells and controls.
    data_option
        A parameter of a named data set as key=value, such as n_cells=40; may be given several
        times.
    """
    from wildcell.cli.options import parse_options
    from wildcell.cli.progress import working
    from wildcell.datasets.card import dataset_card, write_card
    from wildcell.datasets.load import load_dataset

    with working("measuring"):
        dataset = load_dataset(data, **parse_options(data_option or []))
        made = dataset_card(dataset, seed=seed)
    if out is not None:
        write_card(out, made)
    _show(made)
    if out is not None:
        say(f"\nTables: {out}")


def _show(made: "Card") -> None:
    _show_summary(made)
    say("\nContexts")
    _print_table(_context_cells(made.contexts))
    _show_largest(made.conditions)
    _show_targets(made.targets)
    _show_reasons(made.conditions)


def _show_summary(made: "Card") -> None:
    from wildcell.results.words import count

    facts = made.summary.iloc[0]
    sizes = [
        count(facts[f"n_{noun}s"], noun)
        for noun in ("cell", "control", "gene", "context", "perturbation", "condition")
    ]
    say(f"{made.dataset}: {', '.join(sizes)}")
    scale = facts["expression"] + (" of a subset of the genes" if facts["gene_subset"] else "")
    for name, value in [
        ("expression", scale),
        ("modalities", facts["modalities"]),
        ("combinations", str(facts["n_combinations"])),
        ("source", facts["source"]),
        ("licence", facts["licence"]),
        ("citation", facts["citation"]),
        ("fingerprint", made.fingerprint),
    ]:
        say(f"  {name:<13} {value or '-'}")


def _context_cells(contexts: "pd.DataFrame") -> dict[str, Sequence[Any]]:
    columns: dict[str, Sequence[Any]] = {
        "context": list(contexts["context"]),
        "measured": _shares(contexts, "n_measured", "n_perturbations"),
        "cells": list(contexts["n_cells"]),
        "controls": list(contexts["n_controls"]),
    }
    if "depth_ratio" in contexts:
        columns["depth"] = [f"{depth:,.0f}" for depth in contexts["depth_controls"]]
        columns["ratio"] = list(contexts["depth_ratio"])
    if "genes_detected_controls" in contexts:
        columns["genes"] = [f"{genes:,.0f}" for genes in contexts["genes_detected_controls"]]
    columns |= _numbers(contexts, EFFECTS)
    if contexts["n_targets"].any():
        columns["on target"] = _shares(contexts, "n_targets_as_expected", "n_targets")
    return columns


def _shares(table: "pd.DataFrame", part: str, whole: str) -> list[str]:
    pairs = zip(table[part], table[whole], strict=True)
    return [f"{n:,} of {of:,}" if of else "-" for n, of in pairs]


def _numbers(table: "pd.DataFrame", headings: dict[str, str]) -> dict[str, Sequence[Any]]:
    """Return the columns in which anything is known."""
    return {
        heading: list(table[name])
        for name, heading in headings.items()
        if table[name].notna().any()
    }


def _show_largest(conditions: "pd.DataFrame") -> None:
    from wildcell.datasets.dataset import readable_key

    largest = conditions.dropna(subset=["signal"]).nlargest(AT_MOST, "signal")
    if largest.empty:
        return
    say(f"\nLargest effects, of {len(conditions)} conditions")
    _print_table(
        {
            "context": list(largest["context"]),
            "perturbation": [readable_key(key) for key in largest["perturbation"]],
            "cells": list(largest["n_cells"]),
            **_numbers(largest, EFFECTS | OF_TARGET),
        }
    )


def _show_targets(targets: "pd.DataFrame") -> None:
    from wildcell.names import Status
    from wildcell.results.words import listed

    if targets.empty:
        say("\nNo perturbation targets a gene by name.")
        return
    told = targets[targets["status"] == Status.OK]
    moved = told[told["as_expected"]]
    say(
        f"\nTargets: {len(moved)} of {len(told)} measured move as expected, "
        f"{int((moved['z'].abs() > 2).sum())} of them by more than two standard errors."
    )
    against = told[~told["as_expected"]]
    if len(against):
        places = [f"{row.component} in {row.context}" for row in against.itertuples()]
        say(f"  Against expectation: {listed(places, at_most=AT_MOST)}.")
    absent = sorted(set(targets.loc[targets["gene"] == "", "component"]))
    if absent:
        say(f"  Not among the genes: {listed(absent, at_most=AT_MOST)}.")


def _show_reasons(conditions: "pd.DataFrame") -> None:
    from wildcell.datasets.card_effects import FEWEST_CELLS, FEWEST_CONTROLS
    from wildcell.names import Status
    from wildcell.results.words import count

    reasons = {
        Status.TOO_FEW_CONTROLS: f"No effect is told: fewer than {FEWEST_CONTROLS} controls",
        Status.TOO_FEW_CELLS: f"No effect is told: fewer than {FEWEST_CELLS} cells",
        Status.TOO_FEW_CANDIDATES: "No systematic variation: nothing else measured in the context",
    }
    for status, words in reasons.items():
        n = int((conditions["systematic_status"] == status).sum())
        if n:
            say(f"{words} ({count(n, 'condition')}).")


def _print_table(columns: dict[str, Sequence[Any]]) -> None:
    from rich.table import Table

    from wildcell.cli.progress import printer

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in columns:
        is_name = heading in {"context", "perturbation"}
        table.add_column(heading, justify="left" if is_name else "right", no_wrap=not is_name)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*map(_word, row))
    printer().print(table)


def _word(value: Any) -> str:
    from wildcell.results.words import number

    if isinstance(value, float):
        return number(value) or "-"
    return value if isinstance(value, str) else f"{value:,}"
