"""Which models to use, from one's own results."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wildcell.cli.progress import say

if TYPE_CHECKING:
    import pandas as pd

FAMILY = Literal["correlation", "retrieval", "genes", "distance", "profile"]


def advise(
    runs: Path,
    /,
    *,
    unseen: Literal["context", "perturbation", "combination", "dose"],
    metric_family: FAMILY | None = None,
    budget: float | None = None,
    memory: float | None = None,
    margin: float = 0.0,
    dataset: str | None = None,
    out: Path | None = None,
) -> None:
    """Say which models to use in a setting, with the evidence, or that none beats the baseline.

    Parameters
    ----------
    runs
        Folder of runs.
    unseen
        What will be new where the model is to be used.
    metric_family
        What matters: metrics of this family that are usable on a data set; effect_r2, or else
        pearson_delta, if not given.
    budget
        CPU seconds that a model may take on any of the questions.
    memory
        Memory that it may take, in GiB.
    margin
        By how much it must beat each naive model, in units of the metric.
    dataset
        A data set that was not run, a name or a curated file: say which benchmarked one is nearest
        to it by its sizes and modality, and advise from that alone.
    out
        Table of evidence to write, .csv or .parquet.
    """
    from wildcell.cli.progress import printer, working
    from wildcell.results.advice import advice_sentences, evidence, is_of, short_list
    from wildcell.results.table import calibrate_runs, material_of
    from wildcell.results.usable import usable_metrics
    from wildcell.store.atomic import write_table

    console = printer()
    with working("looking at the runs"):
        material = material_of(runs)
        scores = material.scores
    if dataset is not None:
        known = material.conditions
        is_here = [is_of(name, unseen) for name in known["scenario"]]
        name = _nearest(dataset, known[is_here] if any(is_here) else known)
        scores = scores[scores["dataset"] == name]
    of_setting = partial(
        evidence,
        scores,
        dict(material.references),
        material.costs,
        unseen=unseen,
        family=metric_family,
        margin=margin,
    )
    found = of_setting(usable=usable_metrics(calibrate_runs(runs), untold=True))
    unusable = set(of_setting()["metric"]) if found.empty else set()
    chosen = short_list(found, budget_s=budget, budget_gib=memory)
    for sentence in advice_sentences(found, chosen, unseen, unusable=unusable):
        console.print(sentence, soft_wrap=True)
    _print_needs(list(chosen["model"]))
    if out is not None:
        write_table(out, found)
        say(f"Wrote {out}")


def _nearest(dataset: str, known: "pd.DataFrame") -> str:
    """Print how near the benchmarked data sets are, and return the nearest one's name."""
    from wildcell.cli.progress import printer
    from wildcell.datasets.load import load_dataset
    from wildcell.results.advice import describe, nearest

    own = describe(load_dataset(dataset).conditions)
    table = nearest(own, known)
    console = printer()
    told = ", ".join(f"{key} {value}" for key, value in own.items())
    console.print(f"{dataset}: {told}", soft_wrap=True)
    for _, row in table.iterrows():
        words = ", ".join(f"{key} {row[key]}" for key in own)
        console.print(f"  {row['distance']:.2f} from {row['dataset']}: {words}", soft_wrap=True)
    first = table.iloc[0]
    if first["distance"] > 1:
        console.print(
            "Nothing that was benchmarked is like it: what follows is of something else.",
            soft_wrap=True,
        )
    return str(first["dataset"])


def _print_needs(models: list[str]) -> None:
    """Say what the models need besides cells, where they are known here."""
    from wildcell.models.model import MODELS

    for name in models:
        if name in MODELS.names():
            card = MODELS.get(name)
            needs = [str(need) for need in sorted(card.needs)] + (
                [card.extra] if card.extra else []
            )
            if needs:
                say(f"{name} needs {', '.join(needs)}.")
