"""Judgement: score predictions that were made elsewhere."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from wildcell.cli.progress import say
from wildcell.names import Expression

if TYPE_CHECKING:
    import pandas as pd

    from wildcell.scenarios.file_case import Reading, Source


def score(
    *files: Path,
    out: Path,
    perturbation_column: str = "perturbation",
    context_column: str = "context",
    control: str = "control",
    expression: Expression | None = None,
    target_sum: float | None = None,
    genes: Literal["all", "common"] = "all",
    conditions: Literal["exact", "asked"] = "exact",
    train: Path | None = None,
    model: str | None = None,
    metrics: Annotated[str, Parameter(name=("--metrics", "--metric"))] = "headline",
    runs: Path | None = None,
    seed: int = 0,
    anchor: Literal["given", "all"] = "given",
    preset: str | None = None,
    cache: Path | None = None,
    no_cache: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Score predictions against a truth, with the replicate and naive baselines beside them.

    `wildcell score PREDICTION [PREDICTION ...] TRUTH --out TABLE`: the truth comes last.

    The truth is what `wildcell split` wrote, or any file of test cells and controls. Of such a
    file the controls are halved here: a prediction is measured against one half and the truth
    against the other, and since a model may have seen both, the result is flagged. Of several
    predictions what depends on the truth alone is computed once.

    Parameters
    ----------
    files
        One prediction or several, and last the truth: h5ad or zarr files. A prediction holds
        predicted cells, or one row a condition with its mean log values.
    out
        The table of scores to write, .parquet or .csv.
    perturbation_column
        Column of obs that names perturbations, in all files.
    context_column
        Column of obs that names contexts; without it all cells are of one context.
    control
        The label of unperturbed cells.
    expression
        What the predictions' numbers are, where the files do not say; else they are looked at.
    target_sum
        The library size that the predictions' log1p values refer to, where it cannot be seen.
    genes
        `all` of the truth's genes must be predicted, or only the `common` ones are scored.
    conditions
        Predictions must have `exact`ly the truth's conditions; or, with `asked`, missing ones
        count as abstentions and others are ignored.
    train
        Training cells; naive baselines learn from them and are scored beside.
    model
        What the predictions are called in the results, with commas: `prediction`, or of several
        the names of their files, if nothing is said.
    metrics
        What is scored: `headline`, `all`, or names that `wildcell metrics` lists, with commas.
    runs
        Folder of all runs, to keep the scores in as a run of each prediction.
    seed
        Seed of the halving of controls.
    anchor
        What predictions are measured against, where the controls are halved here: the `given`
        half, or `all` controls, if effects were added to the mean of all.
    preset
        Score as another package does, under its names and with all controls on its side of the
        comparison; see `wildcell presets`. Nothing is scored beside the predictions then.
    cache
        Where what is computed of the truth alone is kept for the next prediction, without --train:
        `truths` in the folder of data sets, if none is named.
    no_cache
        Read nothing from there, and keep nothing.
    """
    from wildcell.scoring import reading_of
    from wildcell.store.atomic import check_table

    check_table(out)
    predictions, truth = _told_apart(files, model)
    reading = reading_of(
        perturbation_column=perturbation_column,
        context_column=context_column,
        control=control,
        expression=expression,
        target_sum=target_sum,
        genes=genes,
        conditions=conditions,
        seed=seed,
        anchor=anchor,
    )
    if preset is not None:
        _score_by_preset(
            predictions, truth, preset, metrics, reading, out=out, train=train, runs=runs
        )
    else:
        from wildcell.store.download import cache_folder

        kept = None if no_cache else cache_folder(cache)
        _score(predictions, truth, metrics, reading, out=out, train=train, runs=runs, cache=kept)


def _told_apart(files: Sequence[Path], model: str | None) -> "tuple[dict[str, Source], Path]":
    """Return the predictions by name, and the truth."""
    from wildcell.errors import OptionError
    from wildcell.registry import split_names
    from wildcell.scoring import named

    if len(files) < 2:
        raise OptionError("Name a prediction, or several, and last the truth.")
    *predictions, truth = files
    names = split_names(model or "")
    if not names:
        return named(predictions[0] if len(predictions) == 1 else predictions), truth
    if len(set(names)) != len(predictions):
        raise OptionError(
            f"--model names {len(set(names))} of {len(predictions)} predictions; name each, with "
            "commas between the names."
        )
    return dict(zip(names, predictions, strict=True)), truth


def _score(
    predictions: "dict[str, Source]",
    truth: Path,
    metrics: str,
    reading: "Reading",
    *,
    out: Path,
    train: Path | None,
    runs: Path | None,
    cache: Path | None,
) -> None:
    from wildcell.cli.progress import working
    from wildcell.registry import split_names
    from wildcell.results.summary import means_table, summary_sentence, summary_table
    from wildcell.scoring import by_metrics
    from wildcell.store.atomic import write_table

    asked = split_names(metrics)
    with working("scoring"):
        judgement = by_metrics(predictions, truth, asked, reading, train=train, cache=cache)
    for sentence in judgement.notes:
        say(sentence)
    if runs is not None:
        for folder in judgement.keep(runs):
            say(f"Kept in {folder}")
    write_table(out, judgement.scores)
    say(f"Wrote {out}")
    _print_means(summary_table(judgement.ranks, asked), list(judgement.results), list(predictions))
    _print_over_contexts(means_table(judgement.ranks, list(predictions), asked))
    for name in predictions:
        say(summary_sentence(judgement.ranks, name, asked))


def _score_by_preset(
    predictions: "dict[str, Source]",
    truth: Path,
    preset: str,
    metrics: str,
    reading: "Reading",
    *,
    out: Path,
    train: Path | None,
    runs: Path | None,
) -> None:
    from wildcell.cli.progress import working
    from wildcell.results.preset_scores import without_score
    from wildcell.scoring import by_preset
    from wildcell.store.atomic import write_table

    with working("scoring"):
        result = by_preset(
            predictions, truth, preset, reading, metrics=metrics, train=train, runs=runs
        )
    for sentence in result.notes:
        say(sentence)
    write_table(out, result.scores)
    say(f"Wrote {out}")
    _print_means(result.means, list(predictions), list(predictions))
    for name, scores in result.scores.groupby("model", sort=False):
        if sentence := without_score(scores):
            say(f"{name}: {sentence}")
    say(f"As {result.preset.mirrors} scores it; what that leaves out is in docs/reference/presets.")


def _print_means(means: "pd.DataFrame", models: list[str], predictions: list[str]) -> None:
    """Print a row a metric and a column a model; `scored` counts conditions of the predictions."""
    from rich.table import Table

    from wildcell.cli.progress import number, printer

    table = Table("metric", "best", *models, "scored", box=None, pad_edge=False)
    for metric, rows in means.groupby("metric", sort=False):
        of_model = rows.set_index("model")
        cells = [number(of_model["mean"].get(name, float("nan"))) for name in models]
        scored = ", ".join(dict.fromkeys(_scored(of_model, predictions)))
        table.add_row(str(metric), str(rows["best"].iloc[0]), *cells, scored)
    printer().print(table)


def _print_over_contexts(means: "pd.DataFrame") -> None:
    """Print means over contexts, over conditions and of the worst context, where there are some."""
    from rich.table import Table

    from wildcell.cli.progress import number, printer

    if means.empty:
        return
    columns = ["metric", "model", "macro", "micro", "worst", "worst context"]
    table = Table(*columns, box=None, pad_edge=False)
    for row in means.itertuples():
        numbers = [number(value) for value in (row.macro, row.micro, row.worst)]
        table.add_row(row.metric, row.model, *numbers, row.worst_context)
    printer().print(table)


def _scored(of_model: "pd.DataFrame", predictions: list[str]) -> Iterator[str]:
    for name in predictions:
        if name in of_model.index:
            row = of_model.loc[name]
            yield f"{row['scored']:.0f}/{row['expected']:.0f}"
