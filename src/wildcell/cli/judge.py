"""Judgement: score a prediction that was made elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wildcell.names import Expression

if TYPE_CHECKING:
    import pandas as pd


def score(
    prediction: Path,
    truth: Path,
    /,
    *,
    out: Path,
    perturbation_column: str = "perturbation",
    context_column: str = "context",
    control: str = "control",
    expression: Expression | None = None,
    target_sum: float | None = None,
    genes: Literal["all", "common"] = "all",
    conditions: Literal["exact", "asked"] = "exact",
    train: Path | None = None,
    model: str = "prediction",
    metrics: str = "headline",
    runs: Path | None = None,
    seed: int = 0,
    anchor: Literal["given", "all"] = "given",
    preset: str | None = None,
) -> None:
    """Score a prediction against a truth, with the replicate and naive baselines beside it.

    The truth is what `wildcell split` wrote, or any file of test cells and controls. Of such a
    file the controls are halved here: the prediction is measured against one half and the truth
    against the other, and since a model may have seen both, the result is flagged.

    Parameters
    ----------
    prediction
        An h5ad or zarr file: predicted cells, or one row a condition with its mean log values.
    truth
        An h5ad or zarr file.
    out
        The table of scores to write, .parquet or .csv.
    perturbation_column
        Column of obs that names perturbations, in both files.
    context_column
        Column of obs that names contexts; without it all cells are of one context.
    control
        The label of unperturbed cells.
    expression
        What the prediction's numbers are, where the file does not say; else they are looked at.
    target_sum
        The library size that the prediction's log1p values refer to, where it cannot be seen.
    genes
        `all` of the truth's genes must be predicted, or only the `common` ones are scored.
    conditions
        The prediction must have `exact`ly the truth's conditions; or, with `asked`, missing ones
        count as abstentions and others are ignored.
    train
        Training cells; naive baselines learn from them and are scored beside.
    model
        What the prediction is called in the results.
    metrics
        What is scored: `headline`, `all`, or names that `wildcell metrics` lists, with commas.
    runs
        Folder of all runs, to keep the scores in as a run of `model`.
    seed
        Seed of the halving of controls.
    anchor
        What the prediction is measured against, where the controls are halved here: the `given`
        half, or `all` controls, if effects were added to the mean of all.
    preset
        Score as another package does, under its names and with all controls on its side of the
        comparison; see `wildcell presets`. Nothing is scored beside the prediction then.
    """
    if preset is not None:
        _refuse_beside_preset(train=train, runs=runs, target_sum=target_sum, anchor=anchor)
        labels = (perturbation_column, context_column, control)
        _score_by_preset(
            prediction,
            truth,
            preset,
            out,
            labels=labels,
            expression=expression,
            is_on_common_genes=genes == "common",
            must_match=conditions == "exact",
            model=model,
        )
        return
    from wildcell.cli.options import split_names
    from wildcell.cli.progress import working
    from wildcell.outside import judge_files
    from wildcell.scenarios.file_case import Reading
    from wildcell.scenarios.reading import Labels
    from wildcell.store.atomic import write_table

    reading = Reading(
        labels=Labels(perturbation_column, context_column, control),
        expression=expression,
        target_sum=target_sum,
        is_on_common_genes=genes == "common",
        must_match=conditions == "exact",
        seed=seed,
        is_anchored_to_all=anchor == "all",
    )
    with working("scoring"):
        judgement = judge_files(
            prediction,
            truth,
            train=train,
            model=model,
            metrics=split_names(metrics),
            reading=reading,
        )
    for sentence in judgement.notes:
        print(sentence)
    if runs is not None:
        print(f"Kept in {judgement.keep(runs)}")
    write_table(out, judgement.scores)
    print(f"Wrote {out}")
    _print_means(judgement.ranks, list(judgement.results))
    print(judgement.sentence)


def _refuse_beside_preset(
    *, train: Path | None, runs: Path | None, target_sum: float | None, anchor: str
) -> None:
    """Refuse what a package has no word for."""
    from wildcell.errors import OptionError

    given = {
        "--train": train is not None,
        "--runs": runs is not None,
        "--target-sum": target_sum is not None,
        "--anchor": anchor != "given",
    }
    refused = [option for option, is_given in given.items() if is_given]
    if refused:
        raise OptionError(f"With --preset there is no {', no '.join(refused)}; leave it out.")


def _score_by_preset(
    prediction: Path,
    truth: Path,
    preset: str,
    out: Path,
    *,
    labels: tuple[str, str, str],
    expression: Expression | None,
    is_on_common_genes: bool,
    must_match: bool,
    model: str,
) -> None:
    from rich.table import Table

    from wildcell.by_preset import score_by_preset
    from wildcell.cli.progress import number, printer, working
    from wildcell.scenarios.reading import Labels
    from wildcell.store.atomic import write_table

    with working("scoring"):
        result = score_by_preset(
            prediction,
            truth,
            preset,
            labels=Labels(*labels),
            expression=expression,
            is_on_common_genes=is_on_common_genes,
            must_match=must_match,
            model=model,
        )
    for sentence in result.notes:
        print(sentence)
    write_table(out, result.scores)
    print(f"Wrote {out}")
    table = Table("metric", "best", "mean", "scored", box=None, pad_edge=False)
    for row in result.means.itertuples():
        table.add_row(row.metric, row.best, number(row.mean), f"{row.scored}/{row.expected}")
    printer().print(table)
    print(
        f"As {result.preset.mirrors} scores it; what that leaves out is in docs/reference/presets."
    )


def _print_means(ranks: "pd.DataFrame", models: list[str]) -> None:
    """Print a row a metric and a column a model; `scored` counts those of the first model."""
    from rich.table import Table

    from wildcell.cli.progress import number, printer
    from wildcell.metrics.metric import METRICS

    table = Table("metric", "best", *models, "scored", box=None, pad_edge=False)
    for metric, rows in ranks[ranks["category"] == "all"].groupby("metric", sort=False):
        of_model = rows.set_index("model")
        first = of_model.loc[models[0]]
        means = [number(of_model["mean"].get(name, float("nan"))) for name in models]
        counted = f"{first['scored']}/{first['expected']}"
        table.add_row(str(metric), METRICS.get(str(metric)).best, *means, counted)
    printer().print(table)
