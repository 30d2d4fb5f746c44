"""All models against each other: who is better than whom, and how surely."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from wildcell.cli.progress import say

if TYPE_CHECKING:
    import pandas as pd

QUESTION = ["scenario", "dataset", "arm"]


def compare(
    runs: Path,
    /,
    *,
    metric: str | None = None,
    model: Annotated[list[str] | None, Parameter(negative=())] = None,
    margin: float = 0.0,
    pairs: Annotated[bool, Parameter(negative=())] = False,
    out: Path | None = None,
) -> None:
    """Compare all models of all finished runs with each other, the chance of a false claim held.

    For each question: the ranks that each model may have, who is surely better than whom, which
    model beats each naive one, and how large a difference would have been seen.

    Parameters
    ----------
    runs
        Folder of runs.
    metric
        The metric that is printed; that of verdicts if none is named. All of them are written.
    model
        Compare these alone; may be given several times.
    margin
        By how much a model must be better than each naive one, in units of the metric.
    pairs
        Print every pair of models, with win rates.
    out
        Table of pairs to write, .csv or .parquet; that of models goes beside it, as OUT.models.
    """
    from wildcell.cli.conclude import print_unusable
    from wildcell.cli.progress import working
    from wildcell.metrics.metric import METRICS
    from wildcell.results.compare import compare_models
    from wildcell.results.table import rank_runs
    from wildcell.results.verdict import headline_metric
    from wildcell.store.atomic import write_table
    from wildcell.store.runs import read_records, read_scores, unfinished

    if metric is not None:
        METRICS.get(metric)
    with working("comparing models"):
        scores = read_scores(runs, with_controls=True)
        if model:
            scores = scores[scores["model"].isin(known_models(scores, model))]
        shown = [metric or headline_metric(rank_runs(runs))]
        found = compare_models(scores, metrics=shown if out is None else None, margin=margin)
    for sentence in unfinished(read_records(runs)):
        say(sentence)
    if out is not None:
        write_table(out, found.pairs)
        write_table(out.with_name(f"{out.stem}.models{out.suffix}"), found.places)
    of_pairs = dict(iter(found.pairs.groupby([*QUESTION, "metric"])))
    for key, places in found.places.groupby([*QUESTION, "metric"], sort=True):
        if key[-1] in shown:
            told = of_pairs.get(key, found.pairs.iloc[:0])
            _print_question(" / ".join(map(str, key[:-1])), str(key[-1]), places, told, margin)
            if pairs:
                _print_pairs(told)
    print_unusable(runs, shown)


def known_models(scores: "pd.DataFrame", names: list[str]) -> list[str]:
    """Return the names, or raise if no run is of one of them."""
    from wildcell.errors import UnknownNameError
    from wildcell.registry import did_you_mean

    there = sorted(set(scores["model"]))
    for name in names:
        if name not in there:
            raise UnknownNameError(f"No run is of a model {name!r}. {did_you_mean(name, there)}")
    return names


def _print_question(
    title: str, metric: str, places: "pd.DataFrame", pairs: "pd.DataFrame", margin: float
) -> None:
    from rich.table import Table

    from wildcell.cli.progress import number, printer
    from wildcell.results.compare_words import sentences

    console = printer()
    console.print(f"\n{title}, {metric}", style="bold")
    shown = Table(
        "rank", "may be", "model", "mean, more is better", "over the closest naive", "surely above",
        "surely below", box=None, pad_edge=False, header_style="bold",
    )  # fmt: skip
    above, below = _surely(pairs)
    for _, row in places.sort_values(["rank", "model"]).iterrows():
        gain = (
            ""
            if row["closest_naive"] == ""
            else (f"{number(row['gain_on_naive'])} ({row['closest_naive']})")
        )
        name = row["model"]
        shown.add_row(
            f"{row['rank']:.0f}", f"{row['rank_low']} to {row['rank_high']}", name,
            number(row["merit"]), gain, str(above.get(name, 0)), str(below.get(name, 0)),
        )  # fmt: skip
    console.print(shown)
    for sentence in sentences(places, pairs, margin=margin):
        console.print(sentence, soft_wrap=True)


def _surely(pairs: "pd.DataFrame") -> tuple[dict[str, int], dict[str, int]]:
    """Count the models that each is surely better than, and worse than."""
    told = pairs[pairs["better"] != ""]
    worse = told["first"].where(told["better"] != told["first"], told["second"])
    return told["better"].value_counts().to_dict(), worse.value_counts().to_dict()


def _print_pairs(pairs: "pd.DataFrame") -> None:
    from rich.table import Table

    from wildcell.cli.progress import number, printer, span

    shown = Table(
        "first", "second", "difference", "all intervals at once", "p", "better", "win rate", "",
        "would be seen", box=None, pad_edge=False, header_style="bold",
    )  # fmt: skip
    for _, row in pairs.iterrows():
        shown.add_row(
            row["first"], row["second"], number(row["difference"]), span(row["low"], row["high"]),
            f"{row['adjusted_p']:.3f}", row["better"], f"{row['win_rate']:.2f}",
            span(row["win_low"], row["win_high"]), number(row["detectable"]),
        )  # fmt: skip
    printer().print(shown)
