"""The table of a question's conditions: what each is used for, and how hard it is to answer.

Distances to training are made of what models may see; the size of the effect and how well it was
measured are the judge's own, and go where its truth goes.
"""

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd

from wildcell.arrays import Booleans, Codes
from wildcell.judge import Judge
from wildcell.metrics.convention import OURS
from wildcell.metrics.differential import differential
from wildcell.metrics.response import Response
from wildcell.metrics.signal import correlation_ceiling, measured_signal
from wildcell.names import CONDITION, CONDITION_COLUMNS, SHAM, Role, Status
from wildcell.novelty import context_clouds, context_places, novelty
from wildcell.scenarios.judged import judged_by
from wildcell.scenarios.pose import Question
from wildcell.scenarios.split import Split
from wildcell.scenarios.task import Truth

MEASURED = ["effect_size", "n_de_genes", "correlation_ceiling"]
"""What the judge's cells say of a condition."""

SIGNIFICANT = 0.05
"""The false discovery rate below which a gene is differentially expressed."""


def condition_table(question: Question, split: Split) -> pd.DataFrame:
    """Return the conditions of a split, those that are tested with their difficulty.

    Parameters
    ----------
    question
        Both sides.
    split
        What the question was posed from, shams included.

    Returns
    -------
    `CONDITION_COLUMNS`, a row a condition: what `wildcell.novelty.novelty` and
    `measured_difficulty` return, NaN for conditions that are not tested; in `unknown` why a tested
    one lacks a number; in `context_x` and `context_y` where its context's given controls lie in
    their first two principal components; in `judged` the hash of what it is judged by
    (`judged_by`); and in `components` the names of the parts of a tested perturbation, as a list in
    JSON. `n_cells` counts the test cells of tested conditions.

    Examples
    --------
    >>> from wildcell.datasets.load import load_dataset
    >>> from wildcell.scenarios.ask import ask
    >>> from wildcell.scenarios.scenario import load_scenario
    >>> from wildcell.scenarios.split import make_splits
    >>> dataset, scenario = load_dataset("simulated"), load_scenario("unseen-context")
    >>> question, split = ask(dataset, make_splits(scenario, dataset, seed=0)[0], scenario)
    >>> table = condition_table(question, split)
    >>> tested = table[table["role"] == "test"]
    >>> float(tested["correlation_ceiling"].median().round(1)), tested["unknown"].unique().tolist()
    (0.9, [''])
    """
    task, truth = question
    clouds = context_clouds(task, seed=split.seed)
    blind = novelty(task, seed=split.seed, clouds=clouds)
    measured = measured_difficulty(truth).assign(judged=judged_by(truth))
    tested = measured.merge(
        pd.concat([task.query.conditions[CONDITION], blind], axis=1),
        on=CONDITION,
        how="left",
        validate="one_to_one",
    )
    sizes = split.conditions.merge(tested, on=CONDITION, how="left", validate="one_to_one")
    sizes = sizes.join(context_places(clouds), on="context")
    is_tested = sizes["n_test_cells"].notna()
    return sizes.assign(
        scenario=split.scenario,
        arm=split.arm,
        seed=split.seed,
        fold=split.fold,
        n_cells=sizes["n_test_cells"].where(is_tested, sizes["n_cells"]).astype(int),
        unknown=_reasons(sizes, truth).where(is_tested, ""),
        judged=sizes["judged"].where(is_tested, ""),
        components=sizes["perturbation"]
        .map(_parts(task.query.components))
        .where(is_tested, "")
        .fillna(""),
    )[CONDITION_COLUMNS]


def _parts(components: pd.DataFrame) -> dict[str, str]:
    """Return the names of the components of each perturbation, sorted, as a list in JSON."""
    names = components.groupby("perturbation")["component"].agg(lambda some: sorted(set(some)))
    return {str(key): json.dumps(list(map(str, some))) for key, some in names.items()}


def judged_conditions(judge: Judge) -> pd.DataFrame:
    """Return the conditions that predictions from elsewhere are judged on, with their difficulty.

    What follows from training cells is NaN, for there are none; so is `n_de_genes` where no metric
    asked for tests of a truth that is left in its file. `judged` is None.

    Returns
    -------
    `CONDITION_COLUMNS`, a row a condition of the truth, in its order.
    """
    truth = judge.truth
    numbers = np.full((3, len(truth.conditions)), np.nan)
    for rows, response in judge.measured():
        numbers[0, rows] = measured_signal(response).signal
        numbers[2, rows] = correlation_ceiling(response)
        if judge.has_all_tests:
            numbers[1, rows] = response.de.significant(SIGNIFICANT).sum(axis=1)
    numbers[:, _has_few_controls(truth)] = np.nan
    table = truth.conditions.assign(
        role=str(Role.TEST),
        reason="",
        **dict(zip(MEASURED, numbers, strict=True)),
        **{
            name: getattr(truth.origin, name)
            for name in ("scenario", "dataset", "arm", "seed", "fold")
        },
        judged=None,
    ).reindex(columns=CONDITION_COLUMNS)
    why = dict.fromkeys(["context_distance", "perturbation_distance"], "no training cells")
    if not judge.has_all_tests:
        why["n_de_genes"] = "no metric asked for tests"
    return table.assign(unknown=_reasons(table, truth, why))


def measured_difficulty(truth: Truth) -> pd.DataFrame:
    """Return how large and how well measured the true effects are.

    Controls too few to judge by (20, both halves together) leave all three NaN, fewer than two
    cells the first and the last.

    Returns
    -------
    A row a condition of the truth, in its order: context, perturbation, n_test_cells, and

    effect_size
        S = |D|^2 - N_p - N_k: the squared length of the noise-free delta, unbiased and signed,
        over the genes looked at but those targeted directly.
    n_de_genes
        Genes among them that differ between test cells and kept controls: Mann-Whitney,
        Benjamini-Hochberg within the condition, padj below 0.05. It grows with the cells.
    correlation_ceiling
        sqrt(S / |D|^2), the expected correlation of the noise-free effect with the measured
        delta; 0 where S is below 0.
    """
    measured = _measured(truth)
    has_few = _has_few_controls(truth)
    table = truth.conditions[CONDITION].assign(
        n_test_cells=measured.n_cells,
        effect_size=measured_signal(measured).signal,
        n_de_genes=_n_de_genes(truth, tested=measured.kept_genes),
        correlation_ceiling=correlation_ceiling(measured),
    )
    table[MEASURED] = table[MEASURED].astype(np.float64)
    table.loc[has_few, MEASURED] = np.nan
    return table


def _measured(truth: Truth) -> Response:
    """Return the true response of all conditions at once, against the kept controls."""
    found, cells = truth.test.condition_moments()
    groups, controls = truth.kept.control_moments()
    rows = _positions(found, truth)
    beside = groups.get_indexer(truth.conditions["control_group"])
    has_controls = (beside >= 0)[:, None]
    return Response(
        perturbations=tuple(truth.conditions["perturbation"]),
        genes=truth.test.genes,
        mean=cells.mean[rows],
        control=np.where(has_controls, controls.mean[beside], np.nan),
        n_cells=cells.n[rows],
        n_controls=controls.n[beside],
        error=cells.squared_error[rows],
        control_error=np.where(has_controls, controls.squared_error[beside], np.nan),
        targets=truth.is_target,
    )


def _positions(found: pd.DataFrame, truth: Truth) -> Codes:
    keys = pd.MultiIndex.from_frame(found[CONDITION])
    return np.asarray(keys.get_indexer(pd.MultiIndex.from_frame(truth.conditions[CONDITION])))


def _n_de_genes(truth: Truth, *, tested: Booleans) -> "pd.Series[float]":
    """Count the genes that differ from the kept controls of each condition's group."""
    counts = pd.Series(np.nan, index=truth.conditions.index)
    asked = pd.MultiIndex.from_frame(truth.conditions[CONDITION])
    of_cell = asked.get_indexer(pd.MultiIndex.from_frame(truth.test.obs[CONDITION]))
    for group, rows in truth.conditions.groupby("control_group").indices.items():
        controls = truth.kept.lognorm[(truth.kept.obs["control_group"] == group).to_numpy()]
        own = np.isin(of_cell, rows)
        codes = np.searchsorted(rows, of_cell[own])
        if controls.shape[0]:
            found = differential(
                truth.test.lognorm[own],
                codes,
                len(rows),
                controls,
                tested=tested[rows],
                lfc=np.zeros((len(rows), len(truth.test.genes))),
            )
            counts.iloc[rows] = found.significant(SIGNIFICANT).sum(axis=1)
    return counts


def _has_few_controls(truth: Truth) -> Booleans:
    """Mark conditions whose control group is too small to judge by, shape (n_conditions,)."""
    kept, given = (
        truth.conditions["control_group"].map(side.obs["control_group"].value_counts()).fillna(0)
        for side in (truth.kept, truth.given)
    )
    return np.asarray((kept + given < OURS.min_controls) | (kept == 0) | (given == 0))


def _reasons(
    table: pd.DataFrame, truth: Truth, others: Mapping[str, str] | None = None
) -> "pd.Series[str]":
    """Say of each condition which numbers are unknown, and why; `others` are reasons of its own."""
    few = pd.MultiIndex.from_frame(truth.conditions.loc[_has_few_controls(truth), CONDITION])
    has_few = pd.MultiIndex.from_frame(table[CONDITION]).isin(few)
    measured = np.where(has_few, Status.TOO_FEW_CONTROLS, Status.TOO_FEW_CELLS)
    is_sham = table["category"] == SHAM
    why = {
        "context_distance": np.where(is_sham, SHAM, "no two controls that differ"),
        "perturbation_distance": np.where(is_sham, SHAM, "no features"),
        "effect_size": measured,
        "n_de_genes": measured,
        "correlation_ceiling": measured,
        **(others or {}),
    }
    said = pd.DataFrame(
        {
            name: pd.Series(reason, index=table.index).radd(f"{name}: ").where(table[name].isna())
            for name, reason in why.items()
        }
    )
    return said.apply(lambda row: "; ".join(row.dropna()), axis=1)
