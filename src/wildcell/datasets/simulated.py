"""Simulated screens whose truth is known, with every strength a parameter of its own."""

from dataclasses import replace
from typing import Any, NamedTuple

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Booleans, Codes, Floats, Matrix
from wildcell.datasets.dataset import COMPONENT_COLUMNS, Dataset, dataset
from wildcell.datasets.simulated_effects import (
    Plan,
    Streams,
    cluster_of_context,
    extra_effects,
    make_plan,
    make_streams,
    shares_of_effect,
    single_effects,
)
from wildcell.datasets.simulation import Simulation, simulation_of
from wildcell.errors import DataError, OptionError
from wildcell.names import CONDITION, CONTROL, SCHEMA_VERSION, UNS, Expression

TRUTH_UNS = "wildcell_truth"
"""The key of `AnnData.uns` under which a simulated screen keeps what was planted."""

CHUNK_COUNTS = 2**20
"""Counts drawn at once, so that memory does not grow with the number of cells."""

LARGEST_EFFECT = 20.0
"""Log fold changes beyond this are no biology, and their counts overflow."""


class TrueEffects(NamedTuple):
    """What was planted in a simulated screen.

    Attributes
    ----------
    conditions
        Columns context, perturbation, context_cluster, is_null (no gene changes), is_interacting
        (a combination that is not additive); one row each, in the order of `Dataset.conditions`.
    effects
        Natural log of the fold change of each gene's mean count against the controls of the
        context, shape (n_conditions, n_genes).
    """

    conditions: pd.DataFrame
    effects: Floats


@dataset("simulated")
def simulated(**options: Any) -> Dataset:
    """Simulate a screen, its truth kept beside the cells (see `true_effects`).

    A gene's expected count in a cell is the depth of the cell times the gene's share of the
    controls' counts in that context times exp(effect of the condition + effect of the batch).

    Parameters
    ----------
    options
        Parameters of `Simulation`, by name.

    Raises
    ------
    OptionError
        A parameter is unknown, of the wrong type or out of range.

    Examples
    --------
    >>> screen = simulated(n_contexts=2, n_perturbations=4, n_combinations=1, n_genes=20)
    >>> len(screen.conditions)
    10
    """
    simulation = simulation_of(options)
    streams = make_streams(simulation)
    plan = make_plan(simulation, streams)
    singles = single_effects(simulation, plan, streams)
    extra = extra_effects(simulation, streams["epistasis"])
    shares = shares_of_effect(simulation)
    pairs = shares[-1] * (singles[:, plan.pairs[:, 0]] + singles[:, plan.pairs[:, 1]]) + extra
    by_dose = singles[:, :, None] * shares[:, None]
    n_singles = len(plan.targets) * len(shares)
    alone = by_dose.reshape(simulation.n_contexts, n_singles, simulation.n_genes)
    effects = np.concatenate([alone, pairs], axis=1)
    _check_effects(effects)
    cells = _cells(simulation, plan, effects, streams)
    is_interacting = np.append(np.zeros(n_singles, dtype=bool), extra.any(axis=1))
    cells.uns[UNS] = _metadata(simulation, plan, streams["shuffle"])
    cells.uns[TRUTH_UNS] = _truth(simulation, plan, effects, is_interacting)
    return Dataset("simulated", cells)


@dataset("simulated-doses")
def simulated_doses(**options: Any) -> Dataset:
    """Simulate a screen of drugs at four doses each, its truth kept beside the cells.

    Parameters
    ----------
    options
        Parameters of `Simulation`, by name; 12 drugs in no combinations unless they say otherwise.

    Raises
    ------
    OptionError
        A parameter is unknown, of the wrong type or out of range.

    Examples
    --------
    >>> screen = simulated_doses(n_contexts=1, n_perturbations=2, n_genes=20)
    >>> screen.components["dose"].tolist()
    [1.0, 10.0, 100.0, 1000.0, 1.0, 10.0, 100.0, 1000.0]
    """
    given = {"n_perturbations": 12, "n_combinations": 0, "n_doses": 4, "modality": "drug"}
    return replace(simulated(**{**given, **options}), name="simulated-doses")


@dataset("simulated-clusters")
def simulated_clusters(**options: Any) -> Dataset:
    """Simulate a screen whose contexts lie in clusters, its truth kept beside the cells.

    Contexts of a cluster are alike in what their controls express and in how they respond.

    Parameters
    ----------
    options
        Parameters of `Simulation`, by name; 8 contexts in 4 clusters unless they say otherwise.

    Raises
    ------
    OptionError
        A parameter is unknown, of the wrong type or out of range.

    Examples
    --------
    >>> screen = simulated_clusters(n_perturbations=2, n_combinations=0, n_genes=20)
    >>> true_effects(screen).conditions["context_cluster"].nunique()
    4
    """
    given = {
        "n_contexts": 8,
        "n_context_clusters": 4,
        "n_combinations": 0,
        "cluster_spread": 0.5,
        "cluster_interaction_strength": 0.15,
    }
    return replace(simulated(**{**given, **options}), name="simulated-clusters")


def true_effects(screen: Dataset) -> TrueEffects:
    """Return what was planted in a simulated screen, freshly made or read from a file.

    Raises
    ------
    DataError
        The screen was not simulated.

    Examples
    --------
    >>> truth = true_effects(simulated(n_contexts=1, n_perturbations=10, n_genes=20))
    >>> int(truth.conditions["is_null"].sum())
    1
    """
    if TRUTH_UNS not in screen.cells.uns:
        raise DataError(
            f"The data set {screen.name!r} has no uns[{TRUTH_UNS!r}]; "
            "the truth is known of simulated screens alone."
        )
    truth = screen.cells.uns[TRUTH_UNS]
    conditions = truth["conditions"].reset_index(drop=True)
    names = dict.fromkeys([*CONDITION, "context_cluster"], str)
    return TrueEffects(conditions.astype(names), truth["effect"].astype(np.float64))


def _check_effects(effects: Floats) -> None:
    largest = np.abs(effects).max()
    if largest > LARGEST_EFFECT:
        raise OptionError(
            f"These strengths change a gene by a factor of e^{largest:.0f}, more than "
            f"e^{LARGEST_EFFECT:.0f}; lower a strength or raise responding_share."
        )


def _baselines(simulation: Simulation, rng: np.random.Generator) -> Floats:
    """Return each gene's share of the counts of controls, shape (n_contexts, n_genes)."""
    of_gene, of_context, of_cluster = (
        rng.normal(size=(rows, simulation.n_genes))
        for rows in (1, simulation.n_contexts, simulation.n_context_clusters)
    )
    rates = np.exp(
        simulation.baseline_spread * of_gene
        + simulation.context_spread * of_context
        + simulation.cluster_spread * of_cluster[cluster_of_context(simulation)]
    )
    return rates / rates.sum(axis=1, keepdims=True)


class _Design(NamedTuple):
    """What each cell is, shape (n_cells,) each; perturbation 0 is the control."""

    context: Codes
    perturbation: Codes
    batch: Codes


def _cells(simulation: Simulation, plan: Plan, effects: Floats, streams: Streams) -> ad.AnnData:
    design = _design(simulation, len(plan.perturbations), streams["batches"])
    X = _counts(simulation, design, effects, streams)
    names = [f"cell-{number}" for number in range(1, X.shape[0] + 1)]
    context = np.take(plan.contexts, design.context)
    obs = pd.DataFrame(
        {
            "perturbation": np.take([CONTROL, *plan.perturbations], design.perturbation),
            "context": context,
            "dataset": "simulated",
            "modality": str(simulation.modality),
            "batch": [f"batch-{batch + 1}" for batch in design.batch],
            "replicate": [f"replicate-{batch + 1}" for batch in design.batch],
            "control_group": context,
        },
        index=names,
        dtype="category",
    )
    obs["total_counts"] = np.asarray(X.sum(axis=1, dtype=np.float64)).ravel()
    return ad.AnnData(X, obs=obs, var=pd.DataFrame(index=plan.genes))


def _design(simulation: Simulation, n_perturbations: int, rng: np.random.Generator) -> _Design:
    """Lay out the cells, context by context, the controls of each before its conditions."""
    n_cells = [simulation.n_controls] + [simulation.n_cells] * n_perturbations
    perturbation = np.tile(
        np.repeat(np.arange(1 + n_perturbations), n_cells), simulation.n_contexts
    )
    context = np.repeat(np.arange(simulation.n_contexts), sum(n_cells))
    return _Design(context, perturbation, rng.integers(simulation.n_batches, size=len(context)))


def _counts(simulation: Simulation, design: _Design, effects: Floats, streams: Streams) -> Matrix:
    """Draw counts, shape (n_cells, n_genes)."""
    baselines = _baselines(simulation, streams["baselines"])
    changes = np.exp(np.pad(effects, [(0, 0), (1, 0), (0, 0)]))
    batches = _batch_factors(simulation, streams["batches"])
    depths = _depths(simulation, design.context, streams["depth"])
    n_rows = max(1, CHUNK_COUNTS // simulation.n_genes)
    chunks = []
    for start in range(0, len(depths), n_rows):
        rows = slice(start, start + n_rows)
        context, perturbation, batch = (codes[rows] for codes in design)
        expected = depths[rows, None] * baselines[context] * batches[batch]
        expected *= changes[context, perturbation]
        chunks.append(_negative_binomial(expected, simulation.dispersion, streams["counts"]))
    return sparse.vstack(chunks, format="csr")


def _batch_factors(simulation: Simulation, rng: np.random.Generator) -> Floats:
    size = (simulation.n_batches, simulation.n_genes)
    return np.exp(simulation.batch_strength * rng.normal(size=size))


def _depths(simulation: Simulation, context: Codes, rng: np.random.Generator) -> Floats:
    """Return the expected counts of each cell if it were a control, shape (n_cells,)."""
    of_context = _log_normal(rng, simulation.context_depth_spread, simulation.n_contexts)
    of_cell = _log_normal(rng, simulation.depth_spread, len(context))
    return simulation.depth * of_context[context] * of_cell


def _log_normal(rng: np.random.Generator, spread: float, size: int) -> Floats:
    """Draw factors whose expectation is 1."""
    return np.exp(spread * rng.normal(size=size) - spread**2 / 2)


def _negative_binomial(expected: Floats, dispersion: float, rng: np.random.Generator) -> Matrix:
    if dispersion > 0:
        expected = expected * dispersion * rng.standard_gamma(1 / dispersion, size=expected.shape)
    return sparse.csr_matrix(rng.poisson(expected), dtype=np.float32)


def _metadata(simulation: Simulation, plan: Plan, rng: np.random.Generator) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "expression": Expression.COUNTS.value,
        "gene_subset": False,
        "source": "simulated",
        "sha256": "",
        "licence": "CC0-1.0",
        "citation": "simulated by wildcell",
        "recipe_version": 1,
        "components": _component_table(plan),
        "features": _feature_table(simulation, plan, rng),
    }


def _component_table(plan: Plan) -> pd.DataFrame:
    rows = [
        (key, part.name, np.nan if part.dose is None else part.dose, part.unit, np.nan)
        for key, parts in plan.perturbations.items()
        for part in parts
    ]
    return pd.DataFrame(rows, columns=COMPONENT_COLUMNS)


def _feature_table(simulation: Simulation, plan: Plan, rng: np.random.Generator) -> pd.DataFrame:
    features = plan.features.copy()
    if simulation.shuffle_features:
        # A single cycle leaves no perturbation its own features.
        order = rng.permutation(len(features))
        features[order] = plan.features[np.roll(order, 1)]
    columns = [f"feature-{number}" for number in range(1, simulation.n_features + 1)]
    return pd.DataFrame(features, index=pd.Index(plan.names, name="component"), columns=columns)


def _truth(
    simulation: Simulation, plan: Plan, effects: Floats, is_interacting: Booleans
) -> dict[str, Any]:
    keys = list(plan.perturbations)
    clusters = [f"cluster-{cluster + 1}" for cluster in cluster_of_context(simulation)]
    conditions = pd.DataFrame(
        {
            "context": np.repeat(plan.contexts, len(keys)),
            "perturbation": keys * len(plan.contexts),
            "context_cluster": np.repeat(clusters, len(keys)),
            "is_null": ~effects.any(axis=2).ravel(),
            "is_interacting": np.tile(is_interacting, len(plan.contexts)),
        }
    ).sort_values(CONDITION)
    effect = effects.reshape(len(conditions), -1)[conditions.index]
    return {"conditions": conditions, "effect": effect.astype(np.float32)}
