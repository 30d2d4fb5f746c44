"""What a simulated screen is made of: its parameters, and what they may be."""

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from math import comb, inf, isfinite
from numbers import Integral, Real
from typing import Any

from wildcell.errors import OptionError
from wildcell.names import Modality
from wildcell.registry import did_you_mean


def _bounded(default: float | None, at_least: float = 0, at_most: float = inf) -> Any:
    return field(default=default, metadata={"at_least": at_least, "at_most": at_most})


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """The parameters of a simulated screen.

    A strength is the root mean square over genes of a log fold change (natural log), a spread the
    standard deviation of a log; 0 switches either off and leaves what else is drawn as it is.

    Attributes
    ----------
    seed
        Seed of everything that is drawn.
    response_seed, cell_seed
        Seeds of what perturbations do, and of the cells that are drawn, in the place of `seed`:
        screens that differ in `cell_seed` alone are two experiments on one biology, those that
        differ in `response_seed` ask about the same perturbations of another.
    n_contexts, n_perturbations, n_combinations
        Contexts, single perturbations, and pairs of these (by default half as many as singles).
    n_genes, n_cells, n_controls
        Genes, cells a condition, and control cells a context.
    modality
        crispri, crisprko or crispra; the last raises the targeted gene, the others lower it. With
        doses it may be drug, which lowers it, too.
    n_doses, dose_slope
        Doses of each single perturbation, tenfold apart from 1 uM on, or none; combinations are of
        the highest. A dose has a share d^slope / (d^slope + m^slope) of the effect, m being the
        dose in the middle.
    baseline_spread, context_spread
        Spread of the genes' expression in controls, and of each context's own deviation from it.
    n_context_clusters, cluster_spread, cluster_interaction_strength
        Clusters of similar contexts: the deviation from the common baseline, and the changes of
        responses, that all contexts of a cluster share.
    responding_share
        Share of the genes that each planted response touches.
    shared_strength
        The response that all perturbations have in common.
    specific_strength
        The response to each perturbation alone, the same in all contexts.
    n_features, feature_informativeness, shuffle_features
        Features of a perturbation; the share of the variance of its specific response that is
        linear in them; whether each perturbation is given the features of another.
    interaction_strength
        What each context changes in the response to each perturbation.
    target_strength
        Log fold change of the targeted gene itself.
    null_share
        Share of the single perturbations that do nothing, not even to their target.
    epistasis_share, epistasis_strength
        Share of the combinations that are not additive in log, and by how much they are not.
    depth, depth_spread, context_depth_spread
        Expected counts of a control cell, and their spread among cells and among contexts.
    n_batches, batch_strength
        Batches, which hold cells of every condition, and what each does to the genes.
    dispersion
        Of the negative binomial, variance = mean + dispersion * mean^2; 0 is Poisson.

    Raises
    ------
    OptionError
        A parameter is of the wrong type or out of range.

    Examples
    --------
    >>> Simulation(n_perturbations=10).n_pairs
    5
    """

    seed: int = _bounded(0)
    response_seed: int | None = _bounded(None)
    cell_seed: int | None = _bounded(None)
    n_contexts: int = _bounded(3, at_least=1)
    n_perturbations: int = _bounded(24, at_least=1)
    n_combinations: int | None = _bounded(None)
    n_genes: int = _bounded(500, at_least=1)
    n_cells: int = _bounded(60, at_least=1)
    n_controls: int = _bounded(150, at_least=1)
    modality: str = Modality.CRISPRI
    n_doses: int = _bounded(0, at_most=12)
    dose_slope: float = _bounded(0.5, at_most=10)
    baseline_spread: float = _bounded(1.2, at_most=5)
    context_spread: float = _bounded(0.3, at_most=5)
    n_context_clusters: int = _bounded(1, at_least=1)
    cluster_spread: float = _bounded(0.0, at_most=5)
    cluster_interaction_strength: float = _bounded(0.0)
    responding_share: float = _bounded(0.25, at_least=0.001, at_most=1)
    shared_strength: float = _bounded(0.2)
    specific_strength: float = _bounded(0.2)
    n_features: int = _bounded(4, at_least=1)
    feature_informativeness: float = _bounded(0.8, at_most=1)
    shuffle_features: bool = False
    interaction_strength: float = _bounded(0.1)
    target_strength: float = _bounded(1.5)
    null_share: float = _bounded(0.1, at_most=1)
    epistasis_share: float = _bounded(0.25, at_most=1)
    epistasis_strength: float = _bounded(0.2)
    depth: float = _bounded(2500.0, at_least=1, at_most=1e7)
    depth_spread: float = _bounded(0.3, at_most=5)
    context_depth_spread: float = _bounded(0.1, at_most=5)
    n_batches: int = _bounded(2, at_least=1)
    batch_strength: float = _bounded(0.1)
    dispersion: float = _bounded(0.2)

    def __post_init__(self) -> None:
        for parameter in fields(self):
            _check_parameter(parameter, getattr(self, parameter.name))
        _check_together(self)

    @property
    def n_pairs(self) -> int:
        """The number of combinations."""
        return self.n_perturbations // 2 if self.n_combinations is None else self.n_combinations


def simulation_of(options: Mapping[str, Any]) -> Simulation:
    """Build the parameters from options by name.

    Raises
    ------
    OptionError
        An option is unknown, of the wrong type or out of range.

    Examples
    --------
    >>> simulation_of({"n_genes": 100}).n_genes
    100
    """
    known = [parameter.name for parameter in fields(Simulation)]
    for name in options:
        if name not in known:
            raise OptionError(f"simulated has no option {name!r}. {did_you_mean(name, known)}")
    return Simulation(**options)


def _check_parameter(parameter: "Field[Any]", value: Any) -> None:
    if parameter.type is bool and not isinstance(value, bool):
        raise OptionError(f"{parameter.name} must be True or False, not {value!r}.")
    if parameter.metadata and not (value is None and parameter.default is None):
        _check_number(parameter, value)


def _check_number(parameter: "Field[Any]", value: Any) -> None:
    number, wanted = (Real, "number") if parameter.type is float else (Integral, "whole number")
    if type(value) is bool or not isinstance(value, number):
        raise OptionError(f"{parameter.name} must be a {wanted}, not {value!r}.")
    at_least, at_most = parameter.metadata["at_least"], parameter.metadata["at_most"]
    if not isfinite(value) or not at_least <= value <= at_most:
        limit = f" and at most {at_most:g}" if isfinite(at_most) else ""
        raise OptionError(f"{parameter.name} must be at least {at_least:g}{limit}, not {value!r}.")


def _check_together(simulation: Simulation) -> None:
    known = [modality.value for modality in Modality if modality.is_genetic]
    known += [Modality.DRUG.value] if simulation.n_doses else []
    if simulation.modality not in known:
        raise OptionError(
            f"modality must be one of {', '.join(known)}, not {simulation.modality!r}."
        )
    if simulation.n_perturbations > simulation.n_genes:
        raise OptionError(
            f"Each of the {simulation.n_perturbations} perturbations targets a gene of its own, "
            f"and there are {simulation.n_genes}; raise n_genes or lower n_perturbations."
        )
    most = comb(simulation.n_perturbations, 2)
    if simulation.n_pairs > most:
        raise OptionError(
            f"{simulation.n_perturbations} perturbations make {most} pairs, "
            f"not {simulation.n_pairs}; lower n_combinations."
        )
