"""Conclusions: the ranking and the report of any folder of runs."""

from collections.abc import Collection, Mapping
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from wildcell.cli.progress import say

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

QUESTION = ["scenario", "dataset", "arm"]

COLUMNS = [
    "rank",
    "model",
    "mean",
    "95 % interval",
    "speaks of",
    "over reference",
    "scored",
    "not scored because",
]


def rank(
    runs: Path,
    /,
    *,
    metric: str | None = None,
    means: Annotated[bool, Parameter(negative=())] = False,
    by: str | None = None,
    bins: int = 4,
    out: Path | None = None,
) -> None:
    """Rank the models of all finished runs, with intervals and coverage.

    Parameters
    ----------
    runs
        Folder of runs.
    metric
        The metric that is printed, with intervals; the means of the headline metrics, and the mean
        rank over those that models are ranked by, if none is named. All metrics are written.
    means
        Print the means over contexts (macro) and over conditions (micro), and the worst context.
    by
        A column of the conditions, such as effect_size, n_cells or context_distance: print and
        write the means in its strata.
    bins
        Quantiles of conditions that numbers are laid in; they are the same for all models.
    out
        Table to write, .csv or .parquet.
    """
    from wildcell.cli.means import print_means, print_strata
    from wildcell.cli.progress import working
    from wildcell.metrics.headline import HEADLINE
    from wildcell.metrics.metric import METRICS
    from wildcell.results.sealing import sealing_sentence
    from wildcell.results.table import rank_runs, rank_runs_in_strata
    from wildcell.results.verdict import headline_metric
    from wildcell.store.atomic import write_table
    from wildcell.store.runs import read_records, unfinished

    if metric is not None:
        METRICS.get(metric)
    with working("ranking"):
        ranks = rank_runs(runs) if by is None else rank_runs_in_strata(runs, by=by, bins=bins)
        records = read_records(runs)
    for sentence in unfinished(records):
        say(sentence)
    if sentence := sealing_sentence(records):
        say(sentence)
    if out is not None:
        write_table(out, ranks)
    if by is not None or means:
        chosen, print_table = metric or headline_metric(ranks), print_strata if by else print_means
        for question, table in ranks[ranks["metric"] == chosen].groupby(QUESTION, sort=True):
            print_table(f"{' / '.join(map(str, question))}, {chosen}", table)
        return
    if metric is None:
        _print_headlines(ranks)
        print_unusable(runs, HEADLINE)
        return
    for question, table in ranks[ranks["metric"] == metric].groupby(QUESTION, sort=True):
        _print_question(" / ".join(map(str, question)), metric, table)
    print_unusable(runs, [metric])


def report(runs: Path, /, *, out: Path = Path("report.html")) -> None:
    """Write the report of all finished runs: one HTML file that needs nothing else.

    Parameters
    ----------
    runs
        Folder of runs.
    out
        The file to write.
    """
    from wildcell.cli.progress import working
    from wildcell.results.report.write import write_report
    from wildcell.results.table import tables_of_runs
    from wildcell.store.runs import read_records, unfinished

    with working("writing the report"):
        records = read_records(runs)
        write_report(out, **tables_of_runs(runs), runs=records)
    for sentence in unfinished(records):
        say(sentence)
    say(f"Wrote {out}")


def _print_headlines(ranks: "pd.DataFrame") -> None:
    from wildcell.cli.progress import printer
    from wildcell.results.overall import headline_rows, mean_ranks
    from wildcell.results.shams import SHAM_METRIC, sham_sentence

    places = mean_ranks(ranks)
    console = printer()
    of_question = dict(iter(ranks.groupby(QUESTION)))
    for question, table in headline_rows(ranks).groupby(QUESTION, sort=True):
        console.print(f"\n{' / '.join(map(str, question))}, headline", style="bold")
        models = dict.fromkeys(table["model"])
        place = {model: places.get((*question, model), float("nan")) for model in models}
        console.print(_headline_table(table, place))
        if sentence := sham_sentence(of_question[question], SHAM_METRIC):
            console.print(sentence, soft_wrap=True)


def print_unusable(runs: Path, metrics: Collection[str]) -> None:
    """Say of each question which metrics tell nothing there."""
    from wildcell.cli.progress import printer
    from wildcell.results.table import calibrate_runs
    from wildcell.results.usable import unusable_sentence

    console = printer()
    for question, rows in calibrate_runs(runs).groupby(QUESTION, sort=True):
        if sentence := unusable_sentence(rows, metrics):
            console.print(f"\n{' / '.join(map(str, question))}: {sentence}", soft_wrap=True)


def _headline_table(table: "pd.DataFrame", place: Mapping[str, float]) -> "Table":
    """Return models by metrics: means, and how many conditions of all were scored."""
    from rich.table import Table

    from wildcell.cli.progress import number

    metrics = list(dict.fromkeys(table["metric"]))
    shown = Table("mean rank", "model", *metrics, box=None, pad_edge=False, header_style="bold")
    first = table[table["same_as"] == ""]
    models = set(first["model"])
    for model in sorted(models, key=lambda name: (isnan(place[name]), place[name], name)):
        twins = dict.fromkeys(table.loc[table["same_as"] == model, "model"])
        of_model = first[first["model"] == model].set_index("metric")
        cells = [
            f"{number(of_model.loc[name, 'mean'])} {of_model.loc[name, 'scored']}/"
            f"{of_model.loc[name, 'expected']}"
            if name in of_model.index
            else "-"
            for name in metrics
        ]
        rank = "" if isnan(place[model]) else f"{place[model]:.2f}"
        shown.add_row(rank, " = ".join([model, *twins]), *cells)
    return shown


def _print_question(title: str, metric: str, table: "pd.DataFrame") -> None:
    from rich.table import Table

    from wildcell.cli.progress import printer
    from wildcell.results.shams import sham_sentence

    console = printer()
    console.print(f"\n{title}, {metric}", style="bold")
    every = table[table["category"] == "all"]
    rows = every[every["same_as"] == ""].sort_values(["rank", "model"])
    columns = COLUMNS if (rows["unscored"] != "").any() else COLUMNS[:-1]
    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for _, row in rows.iterrows():
        twins = every.loc[every["same_as"] == row["model"], "model"]
        shown.add_row(*_cells(row, [row["model"], *twins])[: len(columns)])
    console.print(shown)
    if sentence := sham_sentence(table, metric):
        console.print(sentence, soft_wrap=True)


def _cells(row: "pd.Series", names: list[str]) -> list[str]:
    """Return what is shown of one model, in the order of `COLUMNS`."""
    from wildcell.cli.progress import number, span

    gain = f"{number(row['difference'])} {span(row['difference_low'], row['difference_high'])}"
    return [
        f"{row['rank']:.0f}" if row["rank"] > 0 else "",
        " = ".join(names),
        number(row["mean"]),
        span(row["low"], row["high"]),
        row["interval"],
        gain,
        f"{row['scored']}/{row['expected']}",
        row["unscored"],
    ]
