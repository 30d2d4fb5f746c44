"""Scoring from Python: predictions and a truth in, the long table out."""

import warnings
from collections.abc import Collection, Mapping, Sequence
from math import inf
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import anndata as ad
import pandas as pd

from wildcell.by_preset import PresetScores, score_all_by_preset
from wildcell.errors import OptionError
from wildcell.names import Expression
from wildcell.registry import split_names
from wildcell.scenarios.file_case import Reading, Source
from wildcell.scenarios.outside import check_names
from wildcell.scenarios.reading import Labels
from wildcell.scenarios.scenario import DEFAULT_METRICS

if TYPE_CHECKING:
    from wildcell.outside import FileJudgement

Cells: TypeAlias = ad.AnnData | str | Path
"""Cells in memory, or an h5ad or zarr file."""

Genes: TypeAlias = Literal["all", "common"]
Conditions: TypeAlias = Literal["exact", "asked"]
Anchor: TypeAlias = Literal["given", "all"]


class ScoreNotes(UserWarning):
    """What was read, detected and flagged in cells that were scored."""


ONE = "prediction"
"""What a prediction is called that is the only one."""


def score(
    prediction: Cells | Sequence[Cells] | Mapping[str, Cells],
    truth: Cells,
    *,
    metrics: str | Sequence[str] = "headline",
    preset: str | None = None,
    perturbation_column: str = "perturbation",
    context_column: str = "context",
    control: str = "control",
    expression: str | None = None,
    target_sum: float | None = None,
    genes: Genes = "all",
    conditions: Conditions = "exact",
    train: str | Path | None = None,
    seed: int = 0,
    anchor: Anchor = "given",
    cache: str | Path | None = None,
) -> pd.DataFrame:
    """Score predictions against a truth: what `wildcell score` writes, as a table.

    Cells in memory are never changed, and may be views or backed by a file.

    Parameters
    ----------
    prediction
        Predicted cells, or one row a condition with its mean log values: an AnnData, or an h5ad or
        zarr file. Several, in a mapping by name or in a list, are held to one truth, and what
        depends on the truth alone is computed once; those of a list are named after their files, or
        by their number.
    truth
        Test cells and controls, or the judge's file of `wildcell split`.
    metrics
        Names that `wildcell metrics` lists, or `headline`, or `all`: in a list, or with commas.
    preset
        Score as another package does, under its names; see `wildcell presets`.
    perturbation_column, context_column
        Columns of obs that name perturbations and contexts, on both sides; without the latter all
        cells are of one context.
    control
        The label of unperturbed cells.
    expression
        What the predictions' numbers are, `counts`, `lognorm` or `log2`, where they do not say.
    target_sum
        The library size that the predictions' log1p values refer to, where it cannot be seen.
    genes
        `all` of the truth's genes must be predicted, or only the `common` ones are scored.
    conditions
        Predictions must have `exact`ly the truth's conditions; or, with `asked`, missing ones count
        as abstentions and others are ignored.
    train
        Training cells, or the task folder of a judge's file; naive baselines are scored beside.
    seed
        Seed of the halving of controls.
    anchor
        What predictions are measured against, where the controls are halved here: the `given` half,
        or `all` controls, if effects were added to the mean of all.
    cache
        Folder in which what is computed of the truth alone is kept for the next call or process;
        see `wildcell score --help`. Nothing is kept if None.

    Returns
    -------
    The scores table: one row a model, condition and metric, each with its status. Beside the
    predictions there are the `replicate` and the `ceiling`, and with `train` the baselines. Its
    `attrs["notes"]` hold what was read, detected and flagged, in sentences, which are a warning of
    Python's, too.

    Raises
    ------
    BenchmarkError
        A name or an option is unknown, cells cannot be read or used, or the two sides do not fit.

    Examples
    --------
    >>> import wildcell
    >>> cells = wildcell.load_dataset("simulated", n_genes=50, n_perturbations=4).cells
    >>> table = wildcell.score(cells, cells, metrics="pearson_delta")
    >>> sorted(set(table["model"]))
    ['ceiling', 'prediction', 'replicate']
    >>> bool(table.loc[table["model"] == "prediction", "value"].median() > 0.8)
    True
    """
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
    predictions, measured = named(prediction), as_source(truth, "the truth")
    found: FileJudgement | PresetScores
    if preset is not None:
        found = by_preset(predictions, measured, preset, reading, metrics=metrics, train=train)
    else:
        folder = None if cache is None else Path(cache)
        found = by_metrics(predictions, measured, metrics, reading, train=train, cache=folder)
    warnings.warn("\n".join(found.notes), ScoreNotes, stacklevel=2)
    table = found.scores
    table.attrs["notes"] = list(found.notes)
    return table


def by_metrics(
    predictions: Mapping[str, Source],
    truth: Source,
    metrics: str | Sequence[str],
    reading: Reading,
    *,
    train: str | Path | None = None,
    cache: Path | None = None,
) -> "FileJudgement":
    """Score predictions by the house's metrics."""
    from wildcell.outside import judge_files  # noqa: PLC0415 - takes long to load: the models

    return judge_files(
        predictions,
        truth,
        train=None if train is None else Path(train),
        metrics=_names_of(metrics),
        reading=reading,
        cache=cache,
    )


def _names_of(metrics: object) -> list[str]:
    """Return names of metrics that are given in a list, or with commas."""
    listed = split_names(metrics) if isinstance(metrics, str) else metrics
    names = list(listed) if isinstance(listed, Collection) else []
    if isinstance(listed, Mapping) or not names or not all(isinstance(one, str) for one in names):
        raise OptionError(
            f"metrics is {metrics!r}; give names that wildcell metrics lists, headline, or all: in "
            "a list, or with commas."
        )
    return names


def by_preset(
    predictions: Mapping[str, Source],
    truth: Source,
    preset: str,
    reading: Reading,
    *,
    metrics: str | Sequence[str] = DEFAULT_METRICS,
    train: str | Path | None = None,
    runs: Path | None = None,
) -> PresetScores:
    """Score predictions as a package does, which has no word for some options."""
    given = {
        "metrics": _names_of(metrics) != list(DEFAULT_METRICS),
        "train": train is not None,
        "runs": runs is not None,
        "target-sum": reading.target_sum is not None,
        "anchor": reading.is_anchored_to_all,
    }
    refused = [f"--{option}" for option, is_given in given.items() if is_given]
    if refused:
        raise OptionError(f"With --preset there is no {', no '.join(refused)}; leave it out.")
    check_names(predictions)
    return score_all_by_preset(
        predictions,
        truth,
        preset,
        labels=reading.labels,
        expression=reading.expression,
        is_on_common_genes=reading.is_on_common_genes,
        must_match=reading.must_match,
    )


def reading_of(
    *,
    perturbation_column: str,
    context_column: str,
    control: str,
    expression: str | None,
    target_sum: float | None,
    genes: str,
    conditions: str,
    seed: int,
    anchor: str,
) -> Reading:
    """Return how files are read, from the words of `score`."""
    for word, value, known in (
        ("genes", genes, get_args(Genes)),
        ("conditions", conditions, get_args(Conditions)),
        ("anchor", anchor, get_args(Anchor)),
        ("expression", expression, (None, *Expression)),
    ):
        if value not in known:
            choices = ", ".join(str(one) for one in known if one is not None)
            raise OptionError(f"{word} is {value!r}; it must be one of {choices}.")
    _check_kinds(
        {
            "perturbation_column": perturbation_column,
            "context_column": context_column,
            "control": control,
        },
        seed,
        target_sum,
    )
    return Reading(
        labels=Labels(perturbation_column, context_column, control),
        expression=None if expression is None else Expression(expression),
        target_sum=target_sum,
        is_on_common_genes=genes == "common",
        must_match=conditions == "exact",
        seed=seed,
        is_anchored_to_all=anchor == "all",
    )


def _check_kinds(texts: Mapping[str, object], seed: object, target_sum: object) -> None:
    """Refuse options of a kind that cannot be, for Python lets all through."""
    for word, text in texts.items():
        if not isinstance(text, str) or not text:
            raise OptionError(f"{word} is {text!r}; it must be a text.")
    if not isinstance(seed, Integral) or int(seed) < 0:
        raise OptionError(f"Seeds are whole numbers of at least 0; got {seed!r}.")
    if target_sum is None:
        return
    if not isinstance(target_sum, Real) or not 0 < float(target_sum) < inf:
        raise OptionError(f"--target-sum must be a positive number; got {target_sum!r}.")


def named(prediction: object) -> dict[str, Source]:
    """Return predictions by name.

    Examples
    --------
    >>> list(named(["a/mine.h5ad", "b/yours.zarr"]))
    ['mine', 'yours']
    """
    if isinstance(prediction, Mapping):
        return {str(name): as_source(one, str(name)) for name, one in prediction.items()}
    if not isinstance(prediction, Sequence) or isinstance(prediction, str):
        return {ONE: as_source(prediction, "the prediction")}
    sources = [as_source(one, f"prediction {i}") for i, one in enumerate(prediction, start=1)]
    names = [
        source.stem if isinstance(source, Path) else f"{ONE}-{i}"
        for i, source in enumerate(sources, start=1)
    ]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OptionError(
            f"Several predictions would be called {', '.join(twice)}; give each a name of its own."
        )
    return dict(zip(names, sources, strict=True))


def as_source(given: object, name: str) -> Source:
    """Return cells in memory or a path as such, whatever else is given being an error."""
    if isinstance(given, ad.AnnData):
        return given
    if isinstance(given, str | Path):
        return Path(given)
    raise OptionError(
        f"{name} is a {type(given).__name__}; give an AnnData, or the path of an h5ad or zarr file."
    )
