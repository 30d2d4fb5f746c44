"""What models cost as cells and batches grow."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from wildcell.cli.progress import say

if TYPE_CHECKING:
    import pandas as pd

WORDS = {
    "wall_s": "wall s",
    "cpu_s": "CPU s",
    "peak_memory_mb": "memory MB",
    "device_peak_memory_mb": "device MB",
}


def scaling(
    task_folder: Path,
    /,
    *,
    model: Annotated[list[str], Parameter(negative=())],
    cells: Annotated[list[int], Parameter(negative=(), consume_multiple=True)],
    batch: Annotated[list[int] | None, Parameter(negative=(), consume_multiple=True)] = None,
    out: Path = Path("scaling.csv"),
    seed: int = 0,
    model_option: Annotated[list[str] | None, Parameter(negative=())] = None,
    max_seconds: float | None = None,
    max_memory: float | None = None,
    installer: Literal["pip", "uv"] = "pip",
) -> None:
    """Measure what models cost as the cells they are trained on grow, and by what power.

    Each measurement is a process of its own that fits and answers once, and is kept when it ends:
    a second start continues. Leave the machine alone meanwhile.

    Parameters
    ----------
    task_folder
        What `wildcell split` wrote.
    model
        A name that `wildcell models` lists, a class of your own as path/to/file.py:Class, or the
        folder of a model in an environment of its own as external:path/to/folder; may be given
        several times.
    cells
        Numbers of training cells, such as --cells 1000 4000 16000. Fewer than there are are drawn
        alike from every condition; more are those that there are, repeated: they cost as much, and
        teach nothing.
    batch
        Numbers of cells in a batch, for models that take `batch_size`; their own if not given.
    out
        Table to write, .csv or .parquet.
    seed
        Seed of the models, and of what is drawn.
    model_option
        An option of a model as model.key=value; may be given several times.
    max_seconds, max_memory
        How long a model in a process of its own may run, and how much memory it may take, in GiB.
    installer
        What environments of models are made with.
    """
    from wildcell.cli.options import options_of_models
    from wildcell.cli.progress import counting
    from wildcell.models.sealed.terms import Terms
    from wildcell.results.growth import fit_growth
    from wildcell.scaling import measure_growth

    with counting("measuring") as show:
        table = measure_growth(
            task_folder,
            models=model,
            n_cells=cells,
            batch_sizes=batch or [],
            options=options_of_models(None, model_option or []),
            out=out,
            seed=seed,
            terms=Terms(max_seconds, max_memory, installer),
            on_size=show,
        )
    _print_sizes(table)
    _print_growth(fit_growth(table))
    for _, row in table[table["status"] != "ok"].iterrows():
        say(f"error: {row['model']} on {row['n_cells']} cells: {row['reason']}")
    say(f"Wrote {out}")


def _print_sizes(table: "pd.DataFrame") -> None:
    from rich.table import Table

    from wildcell.cli.progress import printer

    shown = Table("model", "cells", "batch", *WORDS.values(), "before MB", box=None, pad_edge=False)
    costs = [*WORDS, "rest_memory_mb"]
    for _, row in table[table["status"] == "ok"].iterrows():
        numbers = [f"{float(row[name]):.4g}" if row[name] > 0 else "" for name in costs]
        batch = row["batch_size"] if row["batch_size"] > 0 else row["batch"]
        shown.add_row(
            _label(row), str(row["n_cells"]), f"{float(batch):.0f}" if batch > 0 else "", *numbers
        )
    printer().print(shown)


def _print_growth(growth: "pd.DataFrame") -> None:
    from rich.table import Table

    from wildcell.cli.progress import printer, span

    if growth.empty:
        return
    say("\nEach cost as a power of the cells (1: twice the cells, twice the cost)")
    shown = Table("model", "batch", "cost", "power", "95 %", "at the end", box=None, pad_edge=False)
    for _, row in growth.iterrows():
        batch = f"{row['batch_size']:.0f}" if row["batch_size"] > 0 else ""
        ends = span(row["low"], row["high"])
        numbers = (f"{row['power']:.2f}", ends, f"{row['last_power']:.2f}")
        shown.add_row(_label(row), batch, WORDS[row["cost"]], *numbers)
    printer().print(shown)


def _label(row: "pd.Series") -> str:
    return f"{row['model']}[{row['options']}]" if row["options"] else str(row["model"])
