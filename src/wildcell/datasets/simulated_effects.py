"""What the perturbations of a simulated screen do: log fold changes, before any cell is drawn."""

from collections.abc import Mapping
from math import comb
from typing import NamedTuple

import numpy as np

from wildcell.arrays import Booleans, Codes, Floats
from wildcell.datasets.dataset import Component, perturbation_key
from wildcell.datasets.simulation import Simulation
from wildcell.names import Modality

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

DOSE_UNIT = "uM"

RESPONSE_STREAMS = ("loadings", "shared", "private", "clusters", "interactions", "epistasis")
CELL_STREAMS = ("batches", "depth", "counts")

Streams = Mapping[str, np.random.Generator]


class Plan(NamedTuple):
    """Who is who in a simulated screen.

    Attributes
    ----------
    genes, contexts
        Their names.
    targets
        The gene that each single perturbation targets, shape (n_perturbations,).
    is_null
        Which single perturbations do nothing, shape (n_perturbations,).
    features
        Shape (n_perturbations, n_features).
    pairs
        The two single perturbations of each combination, shape (n_combinations, 2).
    doses
        The doses of each single perturbation, ascending; None alone where there are none.
    """

    genes: list[str]
    contexts: list[str]
    targets: Codes
    is_null: Booleans
    features: Floats
    pairs: Codes
    doses: tuple[float | None, ...]

    @property
    def names(self) -> list[str]:
        """Names of the single perturbations, which are those of their targets."""
        return [self.genes[target] for target in self.targets]

    @property
    def perturbations(self) -> dict[str, list[Component]]:
        """The components of each perturbation by its key, singles first, dose by dose."""
        singles = [[_component(name, dose)] for name in self.names for dose in self.doses]
        strongest = [_component(name, self.doses[-1]) for name in self.names]
        both = [[strongest[first], strongest[second]] for first, second in self.pairs]
        return {perturbation_key(components): components for components in singles + both}


def _component(name: str, dose: float | None) -> Component:
    return Component(name) if dose is None else Component(name, dose, DOSE_UNIT)


def make_streams(simulation: Simulation) -> Streams:
    """Return an independent random generator for each name of `STREAMS`."""
    streams = _streams_of(simulation.seed)
    for names, seed in (
        (RESPONSE_STREAMS, simulation.response_seed),
        (CELL_STREAMS, simulation.cell_seed),
    ):
        if seed is not None:
            others = _streams_of(seed)
            streams |= {name: others[name] for name in names}
    return streams


def _streams_of(seed: int) -> dict[str, np.random.Generator]:
    return dict(zip(STREAMS, np.random.default_rng(seed).spawn(len(STREAMS)), strict=True))


def make_plan(simulation: Simulation, streams: Streams) -> Plan:
    """Draw what is targeted, what is combined, what does nothing, and the features."""
    rng, n = streams["plan"], simulation.n_perturbations
    targets = np.sort(rng.choice(simulation.n_genes, n, replace=False))
    is_null = rng.permutation(n) < round(simulation.null_share * n)
    pairs = rng.choice(comb(n, 2), simulation.n_pairs, replace=False)
    width = max(4, len(str(simulation.n_genes)))
    return Plan(
        genes=[f"G{gene:0{width}d}" for gene in range(1, simulation.n_genes + 1)],
        contexts=[f"context-{context}" for context in range(1, simulation.n_contexts + 1)],
        targets=targets,
        is_null=is_null,
        features=streams["features"].normal(size=(n, simulation.n_features)),
        pairs=np.column_stack(np.triu_indices(n, 1))[pairs],
        doses=tuple(10.0**power for power in range(simulation.n_doses)) or (None,),
    )


def cluster_of_context(simulation: Simulation) -> Codes:
    """Return the cluster of each context, shape (n_contexts,)."""
    return np.arange(simulation.n_contexts) % simulation.n_context_clusters


def single_effects(simulation: Simulation, plan: Plan, streams: Streams) -> Floats:
    """Draw the log fold changes of singles, shape (n_contexts, n_perturbations, n_genes)."""
    n = simulation.n_perturbations
    shared = _sparse_effects(simulation, streams["shared"])
    clusters = _sparse_effects(simulation, streams["clusters"], simulation.n_context_clusters, n)
    contexts = _sparse_effects(simulation, streams["interactions"], simulation.n_contexts, n)
    effects = (
        simulation.shared_strength * shared
        + simulation.specific_strength * _specific_effects(simulation, plan, streams)
        + simulation.cluster_interaction_strength * clusters[cluster_of_context(simulation)]
        + simulation.interaction_strength * contexts
    )
    effects[:, np.arange(n), plan.targets] += _direction(simulation) * simulation.target_strength
    effects[:, plan.is_null] = 0
    return effects


def shares_of_effect(simulation: Simulation) -> Floats:
    """Return the share of its full effect that a perturbation has at each dose, (n_doses,)."""
    if not simulation.n_doses:
        return np.ones(1)
    powers = np.arange(simulation.n_doses) - (simulation.n_doses - 1) / 2
    return 1 / (1 + 10.0 ** (-simulation.dose_slope * powers))


def extra_effects(simulation: Simulation, rng: np.random.Generator) -> Floats:
    """Draw what combinations do beyond the sum of their parts, shape (n_combinations, n_genes)."""
    n = simulation.n_pairs
    is_interacting = rng.permutation(n) < round(simulation.epistasis_share * n)
    extra = simulation.epistasis_strength * _sparse_effects(simulation, rng, n)
    extra[~is_interacting] = 0
    return extra


def _specific_effects(simulation: Simulation, plan: Plan, streams: Streams) -> Floats:
    """Draw the specific responses, one part linear in the features and one private."""
    loadings = _sparse_effects(simulation, streams["loadings"], simulation.n_features)
    # Targets belong to the programmes they drive, so what moves a gene tells what it moves.
    loadings[:, plan.targets] = _direction(simulation) * plan.features.T
    explained = plan.features @ loadings / np.sqrt(simulation.n_features)
    private = _sparse_effects(simulation, streams["private"], simulation.n_perturbations)
    informativeness = simulation.feature_informativeness
    return np.sqrt(informativeness) * explained + np.sqrt(1 - informativeness) * private


def _direction(simulation: Simulation) -> int:
    return 1 if simulation.modality == Modality.CRISPRA else -1


def _sparse_effects(simulation: Simulation, rng: np.random.Generator, *shape: int) -> Floats:
    """Draw effects that touch a share of the genes, their expected root mean square 1."""
    share = simulation.responding_share
    size = (*shape, simulation.n_genes)
    return rng.normal(size=size) * (rng.random(size) < share) / np.sqrt(share)
