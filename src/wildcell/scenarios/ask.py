"""A question as it is truly asked: with its shams, posed, and audited."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from wildcell.datasets.dataset import Dataset
from wildcell.errors import SplitError
from wildcell.scenarios.ensembl import ensembl_names
from wildcell.scenarios.feature_file import origin_of
from wildcell.scenarios.leakage import audit
from wildcell.scenarios.pool import Pool
from wildcell.scenarios.pool_tables import pool_tables
from wildcell.scenarios.pooling import Data
from wildcell.scenarios.pose import Question, lay_out
from wildcell.scenarios.scenario import Scenario
from wildcell.scenarios.sham import with_shams
from wildcell.scenarios.split import Split
from wildcell.scenarios.task import Cells


class Asked(NamedTuple):
    """A question, and the split that it was posed from, with its shams and all tables."""

    question: Question
    split: Split


def ask(
    dataset: Dataset,
    split: Split,
    scenario: Scenario,
    *,
    features: pd.DataFrame | None = None,
    graph: pd.DataFrame | None = None,
    foreign: Sequence[Dataset] = (),
    aliases: Mapping[str, str] | None = None,
) -> Asked:
    """Pose a question with the scenario's shams, and audit it before anyone answers.

    Parameters
    ----------
    dataset, split, scenario, features, graph, foreign
        As for `wildcell.scenarios.pose.pose`.
    aliases
        What other names of genes and compounds stand for, beside the Ensembl IDs of the data set.

    Returns
    -------
    What the audit found is among the truth's flags, and what it looked for, or could not, in its
    origin (see `wildcell.scenarios.task.Origin`); the tables of a pool (see
    `wildcell.scenarios.pool_tables.pool_tables`) are among those of the split.

    Raises
    ------
    SplitError
        The task holds something of the truth, and the scenario is strict. Genes chosen on all
        cells (`fit_on = "all"`), which a scenario says of itself, are flagged and stop nothing.

    Examples
    --------
    >>> from wildcell.datasets.load import load_dataset
    >>> from wildcell.scenarios.scenario import load_scenario
    >>> from wildcell.scenarios.split import make_splits
    >>> dataset, scenario = load_dataset("simulated"), load_scenario("unseen-context")
    >>> asked = ask(dataset, make_splits(scenario, dataset, seed=0)[0], scenario)
    >>> asked.question.truth.origin.flags
    ()
    """
    words = scenario.in_arm(split.arm)
    posed = with_shams(dataset, split, n=words.shams)
    question, pool = lay_out(
        posed.dataset, posed.split, scenario, features=features, graph=graph, foreign=foreign
    )
    is_strict = words.strict and words.fit_on != "all"
    names = {**ensembl_names(dataset.cells.var), **(aliases or {})}
    audited = _audited(question, _unscaled(pool), is_strict=is_strict, aliases=names)
    if pool is None:
        return Asked(audited, posed.split)
    tables = {**posed.split.tables, **pool_tables(pool)}
    return Asked(audited, replace(posed.split, tables=tables))


def _unscaled(pool: Pool | None) -> tuple[Cells, ...]:
    """Return the foreign cells of a task that are not in it as they were measured."""
    if pool is None or pool.words.scaling == "none" or not Data(pool.words.data).uses_foreign:
        return ()
    return pool.raw


def _audited(
    question: Question,
    foreign: Sequence[Cells],
    *,
    is_strict: bool,
    aliases: Mapping[str, str],
) -> Question:
    """Return a question that says of itself what the audit found."""
    task, truth = question
    found = audit(
        task,
        truth,
        strict=is_strict,
        aliases=aliases,
        feature_origin=origin_of(task.query.features),
        graph_origin=origin_of(task.query.graph),
        foreign=foreign,
    )
    listing = [str(leak) for leak in found.leaks]
    if found.stops:
        raise SplitError(
            "The audit found something of the test in what models may see:\n  - "
            + "\n  - ".join(listing)
            + "\nMend the data or the split; a scenario with strict = false is only marked."
        )
    marks = [f"audit: {sentence}" for sentence in listing]
    origin = replace(truth.origin, flags=(*truth.origin.flags, *marks), audit=found.record)
    return Question(task, replace(truth, origin=origin))
