"""Simulated screens whose truth is known, with every strength a parameter of its own."""

from collections.abc import Mapping
from math import comb
from typing import Any, NamedTuple

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Booleans, Codes, Floats, Matrix
from wildcell.datasets.dataset import (
    COMPONENT_COLUMNS,
    Component,
    Dataset,
    dataset,
    perturbation_key,
)
from wildcell.datasets.simulation import Simulation, simulation_of
from wildcell.errors import DataError
from wildcell.names import CONDITION, CONTROL, SCHEMA_VERSION, UNS, Expression, Modality

TRUTH_UNS = "wildcell_truth"
"""The key of `AnnData.uns` under which a simulated screen keeps what was planted."""

CHUNK_COUNTS = 2**20
"""Counts drawn at once, so that memory does not grow with the number of cells."""

STREAMS = [
    "plan",
    "features",
    "shuffle",
    "baselines",
    "loadings",
    "shared",
    "private",
    "clusters",
    "interactions",
    "epistasis",
    "batches",
    "depth",
    "counts",
]
"""What has a random stream of its own, so that changing one thing leaves the others as they are."""

Streams = Mapping[str, np.random.Generator]


class TrueEffects(NamedTuple):
    """What was planted in a simulated screen.

    Attributes
    ----------
    conditions
        Columns context, perturbation, is_null (no gene changes), is_interacting (a combination
        that is not additive); one row a condition, in the order of `Dataset.conditions`.
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
    streams = _streams(simulation.seed)
    plan = _plan(simulation, streams)
    singles = _single_effects(simulation, plan, streams)
    epistasis = _epistasis(simulation, streams["epistasis"])
    additive = singles[:, plan.pairs[:, 0]] + singles[:, plan.pairs[:, 1]]
    effects = np.concatenate([singles, additive + epistasis], axis=1)
    cells = _cells(simulation, plan, effects, streams)
    cells.uns[UNS] = _metadata(simulation, plan, streams["shuffle"])
    cells.uns[TRUTH_UNS] = _truth(plan, effects, epistasis.any(axis=1))
    return Dataset("simulated", cells)


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
    conditions = pd.DataFrame(truth["conditions"]).reset_index(drop=True)
    return TrueEffects(
        conditions.astype(dict.fromkeys(CONDITION, str)), truth["effect"].astype(np.float64)
    )


class _Plan(NamedTuple):
    """What is done to what, beside how strongly."""

    genes: list[str]
    contexts: list[str]
    targets: Codes
    is_null: Booleans
    features: Floats
    pairs: Codes

    @property
    def names(self) -> list[str]:
        """Names of the single perturbations, which are those of their targets."""
        return [self.genes[target] for target in self.targets]

    @property
    def perturbations(self) -> dict[str, list[Component]]:
        """The components of each perturbation by its key, singles first."""
        singles = [[Component(name)] for name in self.names]
        both = [singles[first] + singles[second] for first, second in self.pairs]
        return {perturbation_key(components): components for components in singles + both}


def _streams(seed: int) -> Streams:
    return dict(zip(STREAMS, np.random.default_rng(seed).spawn(len(STREAMS)), strict=True))


def _plan(simulation: Simulation, streams: Streams) -> _Plan:
    rng, n = streams["plan"], simulation.n_perturbations
    targets = rng.choice(simulation.n_genes, n, replace=False)
    is_null = rng.permutation(n) < round(simulation.null_share * n)
    pairs = rng.choice(comb(n, 2), simulation.n_pairs, replace=False)
    width = max(4, len(str(simulation.n_genes)))
    return _Plan(
        genes=[f"G{gene:0{width}d}" for gene in range(1, simulation.n_genes + 1)],
        contexts=[f"context-{context}" for context in range(1, simulation.n_contexts + 1)],
        targets=targets,
        is_null=is_null,
        features=streams["features"].normal(size=(n, simulation.n_features)),
        pairs=np.column_stack(np.triu_indices(n, 1))[pairs],
    )


def _cluster_of_context(simulation: Simulation) -> Codes:
    return np.arange(simulation.n_contexts) % simulation.n_context_clusters


def _sparse_effects(simulation: Simulation, rng: np.random.Generator, *shape: int) -> Floats:
    """Draw effects on few genes, their expected root mean square 1."""
    share = simulation.responding_share
    size = (*shape, simulation.n_genes)
    return rng.normal(size=size) * (rng.random(size) < share) / np.sqrt(share)


def _single_effects(simulation: Simulation, plan: _Plan, streams: Streams) -> Floats:
    """Return log fold changes, shape (n_contexts, n_perturbations, n_genes)."""
    shape = (simulation.n_perturbations,)
    shared = _sparse_effects(simulation, streams["shared"])
    clusters = _sparse_effects(
        simulation, streams["clusters"], simulation.n_context_clusters, *shape
    )
    contexts = _sparse_effects(simulation, streams["interactions"], simulation.n_contexts, *shape)
    effects = (
        simulation.shared_strength * shared
        + simulation.specific_strength * _specific(simulation, plan, streams)
        + simulation.cluster_interaction_strength * clusters[_cluster_of_context(simulation)]
        + simulation.interaction_strength * contexts
    )
    direction = 1 if simulation.modality == Modality.CRISPRA else -1
    effects[:, np.arange(len(plan.targets)), plan.targets] += direction * simulation.target_strength
    effects[:, plan.is_null] = 0
    return effects


def _specific(simulation: Simulation, plan: _Plan, streams: Streams) -> Floats:
    """Return the specific responses, part linear in the features and part private."""
    loadings = _sparse_effects(simulation, streams["loadings"], simulation.n_features)
    # A target takes part in the programmes it drives: what moves it tells what it moves.
    loadings[:, plan.targets] = -plan.features.T
    explained = plan.features @ loadings / np.sqrt(simulation.n_features)
    private = _sparse_effects(simulation, streams["private"], simulation.n_perturbations)
    informativeness = simulation.feature_informativeness
    return np.sqrt(informativeness) * explained + np.sqrt(1 - informativeness) * private


def _epistasis(simulation: Simulation, rng: np.random.Generator) -> Floats:
    """Return what the combinations do beyond their parts, shape (n_combinations, n_genes)."""
    n = simulation.n_pairs
    is_planted = rng.permutation(n) < round(simulation.epistasis_share * n)
    extra = _sparse_effects(simulation, rng, n)
    return simulation.epistasis_strength * is_planted[:, None] * extra


def _baselines(simulation: Simulation, rng: np.random.Generator) -> Floats:
    """Return each gene's share of the counts of controls, shape (n_contexts, n_genes)."""
    of_gene, of_context, of_cluster = (
        rng.normal(size=(rows, simulation.n_genes))
        for rows in (1, simulation.n_contexts, simulation.n_context_clusters)
    )
    rates = np.exp(
        simulation.baseline_spread * of_gene
        + simulation.context_spread * of_context
        + simulation.cluster_spread * of_cluster[_cluster_of_context(simulation)]
    )
    return rates / rates.sum(axis=1, keepdims=True)


def _cells(simulation: Simulation, plan: _Plan, effects: Floats, streams: Streams) -> ad.AnnData:
    """Draw the cells, context by context, the controls of each before its conditions."""
    labels = [CONTROL, *plan.perturbations]
    n_cells = [simulation.n_controls] + [simulation.n_cells] * len(plan.perturbations)
    cell_of = np.arange(len(plan.contexts) * len(labels)).repeat(n_cells * len(plan.contexts))
    context, perturbation = np.divmod(cell_of, len(labels))
    batch = streams["batches"].integers(simulation.n_batches, size=len(cell_of))
    X = _counts(simulation, effects, context, perturbation, batch, streams)
    obs = pd.DataFrame(
        {
            "perturbation": np.take(labels, perturbation),
            "context": np.take(plan.contexts, context),
            "dataset": "simulated",
            "modality": str(simulation.modality),
            "batch": [f"batch-{number}" for number in batch + 1],
            "replicate": [f"replicate-{number}" for number in batch + 1],
            "control_group": np.take(plan.contexts, context),
        },
        index=[f"cell-{number}" for number in range(1, len(cell_of) + 1)],
        dtype="category",
    )
    obs["total_counts"] = np.asarray(X.sum(axis=1, dtype=np.float64)).ravel()
    return ad.AnnData(X, obs=obs, var=pd.DataFrame(index=plan.genes))


def _counts(
    simulation: Simulation,
    effects: Floats,
    context: Codes,
    perturbation: Codes,
    batch: Codes,
    streams: Streams,
) -> Matrix:
    """Draw counts, shape (n_cells, n_genes); perturbation 0 of a cell is the control."""
    baselines = _baselines(simulation, streams["baselines"])
    changes = np.exp(np.pad(effects, [(0, 0), (1, 0), (0, 0)]))
    batches = np.exp(_batch_effects(simulation, streams["batches"]))
    depths = _depths(simulation, context, streams["depth"])
    step = max(1, CHUNK_COUNTS // simulation.n_genes)
    chunks = []
    for start in range(0, len(context), step):
        of = slice(start, start + step)
        expected = depths[of, None] * baselines[context[of]] * batches[batch[of]]
        expected *= changes[context[of], perturbation[of]]
        chunks.append(_negative_binomial(expected, simulation.dispersion, streams["counts"]))
    return sparse.vstack(chunks, format="csr")


def _batch_effects(simulation: Simulation, rng: np.random.Generator) -> Floats:
    size = (simulation.n_batches, simulation.n_genes)
    return simulation.batch_strength * rng.normal(size=size)


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


def _metadata(simulation: Simulation, plan: _Plan, rng: np.random.Generator) -> dict[str, Any]:
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


def _component_table(plan: _Plan) -> pd.DataFrame:
    rows = [
        (key, part.name, np.nan, part.unit, np.nan)
        for key, parts in plan.perturbations.items()
        for part in parts
    ]
    # Files keep row names as text, so they are text from the start.
    return pd.DataFrame(
        rows, columns=COMPONENT_COLUMNS, index=[str(row) for row in range(len(rows))]
    )


def _feature_table(simulation: Simulation, plan: _Plan, rng: np.random.Generator) -> pd.DataFrame:
    features = plan.features.copy()
    if simulation.shuffle_features:
        # A single cycle leaves no perturbation its own features.
        order = rng.permutation(len(features))
        features[order] = plan.features[np.roll(order, 1)]
    columns = [f"feature-{number}" for number in range(1, simulation.n_features + 1)]
    return pd.DataFrame(features, index=pd.Index(plan.names, name="component"), columns=columns)


def _truth(plan: _Plan, effects: Floats, is_interacting: Booleans) -> dict[str, Any]:
    keys = list(plan.perturbations)
    conditions = pd.DataFrame(
        {
            "context": np.repeat(plan.contexts, len(keys)),
            "perturbation": keys * len(plan.contexts),
            "is_null": ~effects.any(axis=2).ravel(),
            "is_interacting": np.tile(
                np.append(np.zeros(len(plan.targets), dtype=bool), is_interacting),
                len(plan.contexts),
            ),
        }
    ).sort_values(CONDITION)
    effect = effects.reshape(-1, effects.shape[2])[conditions.index]
    conditions.index = conditions.index.astype(str)
    return {"conditions": conditions, "effect": effect.astype(np.float32)}
