"""Questions: split a data set into a task folder and a truth."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wildcell.cli.progress import say


def split(
    scenario: str,
    *,
    data: str,
    out: Path,
    truth: Path | None = None,
    seed: int = 0,
    arm: str | None = None,
    fold: int = 0,
    genes: str | None = None,
    data_option: Annotated[list[str] | None, Parameter(negative=())] = None,
    features: Path | None = None,
    graph: Path | None = None,
    foreign: Annotated[list[str] | None, Parameter(negative=())] = None,
    aliases: Path | None = None,
) -> None:
    """Write the task folder that any model can read, and the truth elsewhere.

    Parameters
    ----------
    scenario
        A name that `wildcell scenarios` lists, or a TOML file.
    data
        A name that `wildcell datasets` lists, or a curated file.
    out
        The task folder.
    truth
        The judge's file; OUT-truth.h5ad beside the task folder if not given. No model should
        see it. A table of how hard each condition is (.conditions.parquet) goes beside it. The
        tables that the split follows from, if any, go to OUT-split: they are made of all controls.
    seed
        Seed of the split and of the halving of controls.
    arm
        Arm of the scenario.
    fold
        Which fold, from 0, where the arm has several.
    genes
        `all`, or `hvg:N`.
    data_option
        A parameter of a named data set as key=value, such as n_cells=40; may be given several
        times.
    features
        File of features (.parquet, .csv, .npz or .pt), one row a component, indexed by its name.
    graph
        File of a graph between components (.parquet or .csv): columns component, neighbour and
        weight. The scenario's own if not given.
    foreign
        Another data set, a name or a curated file, whose cells may be trained on, as the arm says,
        and are never tested; may be given several times. The scenario's own if none is.
    aliases
        What other names stand for, in the audit: HGNC's complete set, or a table of two columns,
        from and to.
    """
    from wildcell.cli.options import parse_options
    from wildcell.cli.progress import working
    from wildcell.difficulty import condition_table
    from wildcell.errors import OptionError
    from wildcell.plan import make_plan
    from wildcell.scenarios.ask import ask
    from wildcell.scenarios.audit_files import read_aliases
    from wildcell.scenarios.features import read_features
    from wildcell.scenarios.folder import write_question
    from wildcell.scenarios.graph_file import read_graph
    from wildcell.scenarios.split import make_splits
    from wildcell.store.atomic import write_table
    from wildcell.store.split_tables import write_split_tables

    chosen = None if features is None else read_features(features)
    plan = make_plan(
        scenario,
        models=[],
        data=data,
        data_options=parse_options(data_option or []),
        arm=arm,
        genes=genes,
        features=chosen,
        graph=None if graph is None else read_graph(graph),
        foreign=foreign,
        aliases=None if aliases is None else read_aliases(aliases),
    )
    splits = make_splits(
        plan.scenario,
        plan.dataset,
        seed=seed,
        arm=arm,
        features=plan.features,
        foreign=plan.foreign,
    )
    if not 0 <= fold < len(splits):
        raise OptionError(f"There are {len(splits)} folds, 0 to {len(splits) - 1}; got {fold}.")
    place = truth or out.with_name(f"{out.name}-truth.h5ad")
    with working("posing the question"):
        question, asked = ask(
            plan.dataset,
            splits[fold],
            plan.scenario,
            features=plan.features,
            graph=plan.graph,
            foreign=plan.foreign,
            aliases=plan.aliases,
        )
        table = condition_table(question, asked)
        write_question(question, asked, task_folder=out, truth=place)
        write_table(place.with_suffix(".conditions.parquet"), table)
        beside = out.with_name(f"{out.name}-split")
        origin = question.truth.origin
        names = (origin.scenario, origin.dataset, origin.arm, seed)
        write_split_tables(beside, asked.tables, names)
    say(f"Task: {out} ({len(question.task.query.conditions)} conditions asked)")
    say(f"Truth, for the judge alone: {place}")
    if asked.tables:
        say(f"What the split follows from: {beside} ({', '.join(asked.tables)})")
