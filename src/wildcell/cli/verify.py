"""Runs held to what they say of themselves, and the environment written down."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from wildcell.cli.progress import say

if TYPE_CHECKING:
    import pandas as pd


def verify(
    runs: Path,
    /,
    *,
    data: Annotated[list[Path] | None, Parameter(negative=())] = None,
    features: Path | None = None,
    graph: Path | None = None,
    foreign: Annotated[list[str] | None, Parameter(negative=())] = None,
    tolerance: float = 1e-6,
    stored: Annotated[bool, Parameter(negative=())] = False,
    out: Path | None = None,
) -> None:
    """Hold runs to their records: files, fingerprints, and scores computed anew; 1 if any differ.

    Of each run: whether its files are those that were written, its fingerprints add up and its
    prediction is the one that was scored. Its question is then asked again, and the stored
    prediction is scored again. No model is run, nothing is written into the runs, and nothing of
    them is executed. What cannot be told is said, and is no difference.

    Parameters
    ----------
    runs
        Folder of runs.
    data
        A file that runs were made of, found by its name; may be given several times. Data sets
        that have a name are made anew.
    features, graph
        Files that were handed to wildcell run.
    foreign
        Other screens that were handed to it; may be given several times.
    tolerance
        By how much scores may differ, in units of the larger of themselves and 1.
    stored
        Look at what is stored alone, and score nothing.
    out
        Table to write, .csv or .parquet: a row a check of a run.
    """
    from wildcell.cli.progress import counting
    from wildcell.scenarios.features import read_features
    from wildcell.scenarios.graph_file import read_graph
    from wildcell.store.atomic import check_table, write_table
    from wildcell.verification.question import Given
    from wildcell.verification.verify import verify_runs

    if out is not None:
        check_table(out)
    given = Given(
        data={path.stem: path for path in data or []},
        features=None if features is None else read_features(features),
        graph=None if graph is None else read_graph(graph),
        foreign=tuple(foreign or ()),
    )
    with counting("verify") as show:
        found = verify_runs(runs, given, tolerance=tolerance, only_stored=stored, on_run=show)
    if out is not None:
        write_table(out, found)
        say(f"Wrote {out}")
    _print(found)
    if (found["verdict"] == "differs").any():
        raise SystemExit(1)


def _print(found: "pd.DataFrame") -> None:
    """Print how many checks came to what, and what differs or cannot be told."""
    from rich.table import Table

    from wildcell.cli.progress import printer

    verdicts = ["same", "differs", "untold"]
    table = Table("check", *verdicts, box=None, pad_edge=False)
    for check, rows in found.groupby("check", sort=False):
        counts = rows["verdict"].value_counts()
        table.add_row(str(check), *(str(counts.get(verdict, 0)) for verdict in verdicts))
    printer().print(table)
    told = found[found["verdict"] != "same"]
    for (check, verdict, said), rows in told.groupby(["check", "verdict", "said"], sort=False):
        folders = list(rows["folder"])
        others = f" and {len(folders) - 1} more" if len(folders) > 1 else ""
        say(f"{check} {verdict}: {said} ({folders[0]}{others})")
    n_runs, n_off = (
        found["folder"].nunique(),
        told[told["verdict"] == "differs"]["folder"].nunique(),
    )
    say(f"{n_runs} runs, {n_off} of which differ from what they say.")
