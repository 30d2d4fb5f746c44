"""Options of a model, found by its score on validation conditions."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wildcell.cli.progress import say


def tune(
    scenario: str,
    *,
    model: str,
    trials: int = 30,
    out: Path = Path("tuned"),
    data: str | None = None,
    arm: str | None = None,
    genes: str | None = None,
    seed: Annotated[list[int] | None, Parameter(negative=())] = None,
    fold: Annotated[list[int] | None, Parameter(negative=())] = None,
    data_option: Annotated[list[str] | None, Parameter(negative=())] = None,
    model_option: Annotated[list[str] | None, Parameter(negative=())] = None,
    features: Path | None = None,
    graph: Path | None = None,
    foreign: Annotated[list[str] | None, Parameter(negative=())] = None,
    metric: str = "effect_r2",
    max_seconds: float | None = None,
    search_seed: int = 0,
) -> None:
    """Look for the options of a model that score best on validation conditions.

    The tested cells are left out before anything is made of the data. The first trial has the
    defaults. A second start continues, and leaves OUT/tuned.toml for `wildcell run --options`, and
    the trials as OUT/trials.csv.

    Parameters
    ----------
    scenario
        A name that `wildcell scenarios` lists, or a TOML file; it must set conditions aside for
        validation.
    model
        A name that `wildcell models` lists, or a class of your own as path/to/file.py:Class, that
        declares what can be tuned.
    trials
        How many in all, those of earlier starts included.
    out
        Folder of the search.
    data
        A name that `wildcell datasets` lists, or a curated file.
    arm
        Arm of the scenario.
    genes
        `all`, or `hvg:N` for the N most variable genes of training cells and given controls.
    seed
        A seed of the scenario; may be given several times. The scenario's own if none is. A trial
        is worth the median over seeds and folds.
    fold
        A fold of each seed; may be given several times. All if none is.
    data_option
        A parameter of a named data set as key=value, such as n_cells=40; may be given several
        times.
    model_option
        An option of the model that is not looked for, as key=value; may be given several times.
    features
        File of features (.parquet, .csv, .npz or .pt), one row a component, indexed by its name.
    graph
        File of a graph between components (.parquet or .csv): columns component, neighbour and
        weight. The scenario's own if not given.
    foreign
        Another data set, a name or a curated file, whose cells may be trained on, as the arm says;
        may be given several times. The scenario's own if none is.
    metric
        What is to be best, a name that `wildcell metrics` lists.
    max_seconds
        A trial that takes longer, over all seeds and folds, is given up.
    search_seed
        Seed of what is drawn.
    """
    from wildcell.cli.options import parse_options
    from wildcell.cli.progress import counting
    from wildcell.scenarios.features import read_features
    from wildcell.scenarios.graph_file import read_graph
    from wildcell.tune import CUT_SHORT, ENDED, SCORED
    from wildcell.tune import tune as look_for

    with counting(f"tuning {model}") as show:
        found = look_for(
            scenario,
            model=model,
            trials=trials,
            out=out,
            data=data,
            data_options=parse_options(data_option or []),
            arm=arm,
            seeds=seed,
            folds=fold,
            genes=genes,
            features=None if features is None else read_features(features),
            graph=None if graph is None else read_graph(graph),
            foreign=foreign,
            metric=metric,
            options=parse_options(model_option or []),
            max_seconds=max_seconds,
            search_seed=search_seed,
            on_trial=show,
        )
    ended = found.trials[ENDED][found.trials[ENDED] != CUT_SHORT]
    chosen = ", ".join(f"{key}={value}" for key, value in found.options.items()) or "the defaults"
    say(
        f"{len(ended)} trials, {(ended == SCORED).sum()} scored. Best on validation: {chosen}, "
        f"{metric} {found.value:.3f} (defaults {found.default:.3f})."
    )
    for reason, n in (
        found.trials.loc[found.trials["reason"] != "", "reason"].value_counts().items()
    ):
        say(f"failed: {n} trials: {reason}")
    say(f"Wrote {found.file}; use it with: wildcell run {scenario} --options {found.file}")
