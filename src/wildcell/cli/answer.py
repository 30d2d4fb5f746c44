"""Answers: run a model on a task folder, or models through a scenario."""

import traceback
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from wildcell.cli.progress import say


def predict(
    task_folder: Path,
    /,
    *,
    model: str,
    out: Path,
    seed: int = 0,
    model_option: Annotated[list[str] | None, Parameter(negative=())] = None,
    max_seconds: float | None = None,
    max_memory: float | None = None,
    installer: Literal["pip", "uv"] = "pip",
    allow_network: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Fit a model to a task folder and write its prediction.

    Parameters
    ----------
    task_folder
        What `wildcell split` wrote.
    model
        A name that `wildcell models` lists, a class of your own as path/to/file.py:Class, or the
        folder of a model in an environment of its own as external:path/to/folder.
    out
        The h5ad file to write.
    seed
        Seed of the model.
    model_option
        An option of the model as key=value, such as alpha=10; may be given several times.
    max_seconds, max_memory
        How long a model in a process of its own may run, and how much memory it may take, in GiB.
        What it prints goes to OUT.log.
    installer
        What its environment is made with.
    allow_network
        Let a model in a process of its own use the network, which is cut else where the system
        allows that.
    """
    from wildcell.cli.options import parse_options
    from wildcell.errors import OptionError, PredictionError
    from wildcell.models.answer import answer, unanswerable
    from wildcell.models.find import find_model
    from wildcell.models.sealed.terms import Terms
    from wildcell.names import CONDITION
    from wildcell.scenarios.folder import read_task, write_prediction

    terms = Terms(max_seconds, max_memory, installer, allow_network)
    card, options = find_model(model, terms), parse_options(model_option or [])
    task = read_task(task_folder)
    reasons = unanswerable(card, task)
    is_applicable = (reasons == "").to_numpy()
    if not is_applicable.any():
        raise OptionError(f"{model} is not applicable here: {'; '.join(sorted(set(reasons)))}.")
    try:
        log = out.with_name(f"{out.name}.log")
        prediction = answer(card, task, is_applicable, seed, options, log=log)
    except (Exception, SystemExit) as error:
        raise PredictionError(
            f"{model} gave no answer: {type(error).__name__}: {error}\n{traceback.format_exc()}"
        ) from error
    write_prediction(out, prediction)
    n_answered = len(prediction.obs[CONDITION].drop_duplicates())
    say(f"Wrote {out}: {n_answered} of {len(reasons)} conditions answered.")
    for reason in sorted(set(reasons) - {""}):
        say(f"Not applicable to {(reasons == reason).sum()} conditions: {reason}.")


def run(
    scenario: str,
    *,
    data: str | None = None,
    arm: str | None = None,
    genes: str | None = None,
    model: Annotated[list[str] | None, Parameter(negative=())] = None,
    seed: Annotated[list[int] | None, Parameter(negative=())] = None,
    data_option: Annotated[list[str] | None, Parameter(negative=())] = None,
    model_option: Annotated[list[str] | None, Parameter(negative=())] = None,
    features: Path | None = None,
    graph: Path | None = None,
    foreign: Annotated[list[str] | None, Parameter(negative=())] = None,
    cell_embedding: str | None = None,
    metrics: Annotated[str | None, Parameter(name=("--metrics", "--metric"))] = None,
    options: Path | None = None,
    preset: str | None = None,
    runs: Path = Path("runs"),
    max_seconds: float | None = None,
    max_memory: float | None = None,
    installer: Literal["pip", "uv"] = "pip",
    allow_network: Annotated[bool, Parameter(negative=())] = False,
    aliases: Path | None = None,
    convention: Annotated[list[str] | None, Parameter(negative=())] = None,
    oracles: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Run models through a scenario; every finished run is kept, and a second start continues.

    The scenario's reference baseline, the replicate of the measurement and the analytic ceiling
    are run beside the models.

    Parameters
    ----------
    scenario
        A name that `wildcell scenarios` lists, or a TOML file.
    data
        A name that `wildcell datasets` lists, or a curated file.
    arm
        Arm of the scenario.
    genes
        `all`, or `hvg:N` for the N most variable genes of training cells and given controls.
    model
        A name that `wildcell models` lists, a class of your own as path/to/file.py:Class, or the
        folder of a model in an environment of its own as external:path/to/folder; may be given
        several times. If none is, all listed models that need no optional library.
    seed
        A seed; may be given several times. The scenario's own if none is.
    data_option
        A parameter of a named data set as key=value, such as n_cells=40; may be given several
        times.
    model_option
        An option of a model as model.key=value, such as ridge.alpha=10; may be given several
        times.
    features
        File of features (.parquet, .csv, .npz or .pt), one row a component, indexed by its name.
    graph
        File of a graph between components (.parquet or .csv): columns component, neighbour and
        weight. The scenario's own if not given.
    foreign
        Another data set, a name or a curated file, whose cells may be trained on, as the arm says,
        and are never tested; may be given several times. The scenario's own if none is.
    cell_embedding
        What cells are seen through, besides their genes, by the models that read it: `none`,
        `pca:N`, `obsm:KEY`, `file:PATH` or `file:PATH.h5ad#KEY`, in the place of the scenario's.
    metrics
        What is scored: `headline`, `all`, or names that `wildcell metrics` lists, with commas. The
        scenario's own if not given.
    options
        File of options by model, as `wildcell tune` writes; --model-option goes before it.
    preset
        Sizes and schedule of the models that have presets: `default`, for a CPU, or `paper`, as
        published.
    runs
        Folder of all runs.
    max_seconds
        How long a model may take on one fold. Networks stop training then, and answer; a model in
        a process of its own is stopped, and its run is an error; the others go on.
    max_memory
        How much memory a model in a process of its own may take, in GiB; likewise.
    installer
        What environments of models are made with.
    allow_network
        Let models in processes of their own use the network, which is cut else where the system
        allows that.
    aliases
        What other names stand for, in the audit of each question: HGNC's complete set, or a table
        of two columns, from and to.
    convention
        Score by another convention besides, finished runs, too: shared-controls, targets-kept,
        pseudocount-1, top-20-genes, welch-test, or all; may be given several times. What the choice
        is worth is told by wildcell disagreement.
    oracles
        Score besides, of finished runs, too, how far answers of some forms could go that know one
        half of the test cells: the reference baseline at its true amplitude, the nearest training
        condition, combinations of training conditions. wildcell calibrate shows them.
    """
    from wildcell.cli.options import options_of_models, parse_options
    from wildcell.cli.progress import counting
    from wildcell.models.model import base_models
    from wildcell.models.sealed.terms import Terms
    from wildcell.plan import shared_options
    from wildcell.registry import split_names
    from wildcell.run import run_scenario
    from wildcell.scenarios.audit_files import read_aliases
    from wildcell.scenarios.features import read_features
    from wildcell.scenarios.graph_file import read_graph

    models = model or base_models()
    shared = {"preset": preset, "max_seconds": max_seconds}
    with counting(scenario) as show:
        outcomes = run_scenario(
            scenario,
            models=models,
            runs=runs,
            data=data,
            data_options=parse_options(data_option or []),
            options=shared_options(models, options_of_models(options, model_option or []), shared),
            arm=arm,
            seeds=seed,
            genes=genes,
            embedding=cell_embedding,
            features=None if features is None else read_features(features),
            graph=None if graph is None else read_graph(graph),
            foreign=foreign,
            metrics=None if metrics is None else split_names(metrics),
            terms=Terms(max_seconds, max_memory, installer, allow_network),
            aliases=None if aliases is None else read_aliases(aliases),
            conventions=convention or [],
            oracles=oracles,
            on_run=show,
        )
    n_new = sum(outcome.is_new for outcome in outcomes)
    say(f"{n_new} runs finished now, {len(outcomes) - n_new} were finished before, in {runs}.")
    ends = [outcome.record for outcome in outcomes if outcome.record["status"] != "ok"]
    for (status, name, reason), n in Counter(
        (end["status"], end["model"], end["reason"]) for end in ends
    ).items():
        say(f"{status}: {name} in {n} runs: {reason}")
    say(f"See them with: wildcell rank {runs} and wildcell report {runs}")
