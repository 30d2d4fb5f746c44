"""Arms beside each other: what a change of the question does to each model."""

from pathlib import Path
from typing import TYPE_CHECKING

from wildcell.cli.progress import say

if TYPE_CHECKING:
    import pandas as pd


def arms(
    runs: Path,
    /,
    *,
    metric: str = "effect_r2",
    base: str | None = None,
    out: Path | None = None,
) -> None:
    """Compare the arms of all finished runs, paired by condition and seed.

    Parameters
    ----------
    runs
        Folder of runs.
    metric
        The metric that is printed; all of them are written.
    base
        The arm that the others are compared with; without one only the means are shown.
    out
        Table to write, .csv or .parquet.
    """
    from wildcell.cli.progress import working
    from wildcell.metrics.metric import METRICS
    from wildcell.results.arm_cautions import few_paired, trained_alike
    from wildcell.results.table import compare_arms_of_runs
    from wildcell.store.atomic import write_table
    from wildcell.store.runs import judged_otherwise, read_records, unfinished

    METRICS.get(metric)
    with working("comparing arms"):
        metrics = [metric] if out is None else None
        table = compare_arms_of_runs(runs, base=base, metrics=metrics)
    records, shown = read_records(runs), table[table["metric"] == metric]
    for sentence in (
        *unfinished(records),
        *judged_otherwise(runs, base=base),
        *trained_alike(records),
        *few_paired(shown),
    ):
        say(sentence)
    if out is not None:
        write_table(out, table)
    for question, rows in shown.groupby(["scenario", "dataset"], sort=True):
        _print_question(" / ".join(map(str, question)), metric, rows, base)
    if base is None:
        say(f"\nName the arm to compare with: --base {min(table['arm'], default='ARM')}")


def _print_question(title: str, metric: str, rows: "pd.DataFrame", base: str | None) -> None:
    from rich.table import Table

    from wildcell.cli.progress import printer

    console = printer()
    console.print(f"\n{title}, {metric}", style="bold")
    shown = Table(*_columns(rows, base), box=None, pad_edge=False, header_style="bold")
    for model, of_model in rows.groupby("model", sort=True):
        shown.add_row(str(model))
        for _, row in of_model.sort_values("arm").iterrows():
            cells = _cells(row, base)
            shown.add_row(*(cells[name] for name in _columns(rows, base)))
    console.print(shown)


def _columns(rows: "pd.DataFrame", base: str | None) -> list[str]:
    """Return what is shown: differences where there is a base arm, and placebos."""
    if base is None:
        return ["arm", "mean", "95 % interval"]
    gaps = [f"minus {base}", "beyond reference", "beyond placebo"]
    has_placebo = rows["beyond_placebo"].notna().any()
    shown = gaps if has_placebo else gaps[:2]
    return ["arm", "mean", "95 % interval", *shown, "speaks of", "paired"]


def _cells(row: "pd.Series", base: str | None) -> dict[str, str]:
    """Return what can be shown of one model in one arm, by column."""
    from wildcell.cli.progress import span

    alone = {
        "arm": f"  {row['arm']}",
        "mean": _known(row["mean"], row["status"]),
        "95 % interval": span(row["low"], row["high"]),
    }
    if base is None:
        return alone
    return {
        **alone,
        f"minus {base}": _difference(row, "difference"),
        "beyond reference": _difference(row, "beyond_reference"),
        "beyond placebo": _difference(row, "beyond_placebo"),
        "speaks of": row["difference_interval"],
        "paired": f"{row['n_paired']}/{row['n_conditions']}" if row["base"] else "",
    }


def _difference(row: "pd.Series", name: str) -> str:
    from wildcell.cli.progress import span

    if row[f"{name}_status"] == "same_training":
        return f"the same training as {row['base']}"
    reach = span(row[f"{name}_low"], row[f"{name}_high"])
    shown = _known(row[name], row[f"{name}_status"])
    return f"{shown} ({reach})" if reach else shown


def _known(value: float, status: str) -> str:
    """Return a number, or in its place why there is none."""
    from wildcell.cli.progress import number

    return number(value) if status == "ok" else status.replace("_", " ")
