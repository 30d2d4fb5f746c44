"""Naive models: means of training deltas, and sums of them."""

from collections.abc import Hashable

import numpy as np
import pandas as pd

from wildcell.arrays import Floats
from wildcell.errors import DataError
from wildcell.models.effects import DeltaModel
from wildcell.models.model import model
from wildcell.scenarios.task import Query, Task
from wildcell.scenarios.treatments import identities

SYSTEMA = "Viñas Torné et al. 2025, Nature Biotechnology, doi:10.1038/s41587-025-02777-8"
AHLMANN_ELTZE = "Ahlmann-Eltze, Huber & Anders 2025, Nature Methods, doi:10.1038/s41592-025-02772-6"


@model("no-change", cite=AHLMANN_ELTZE)
class NoChange(DeltaModel):
    """Answers with the given controls: nothing happens.

    It has nothing to learn, and its delta is exactly 0.
    """

    def fit(self, task: Task) -> None:
        """Learn nothing from `task`."""

    def deltas(self, query: Query) -> Floats:
        """Return zeros, shape (n_conditions, n_genes)."""
        return np.zeros_like(query.control_mean)


@model("perturbed-mean", cite=SYSTEMA)
class PerturbedMean(DeltaModel):
    """Answers with the mean training delta: every perturbation does what all have in common.

    The mean is over the training conditions of the query's context; for a context without any,
    over the means of all contexts.
    """

    def deltas(self, query: Query) -> Floats:
        """Return the shared response of each condition's context."""
        return self.effects.shared(query.conditions["context"])


@model("context-transfer")
class ContextTransfer(DeltaModel):
    """Answers with what the same perturbation did in other contexts.

    A condition that was trained on keeps its own delta; a perturbation that was never seen has
    the perturbed mean.
    """

    def deltas(self, query: Query) -> Floats:
        """Return what each condition's perturbation did where it was seen."""
        conditions = query.conditions
        seen = self.effects.transferred(conditions["context"], conditions["perturbation"])
        return _filled(seen, self.effects.shared(conditions["context"]))


class _PartsModel(DeltaModel):
    """A model that looks at the components of a perturbation one by one."""

    def fit(self, task: Task) -> None:
        """Learn the deltas of `task`, and which of its perturbations are single."""
        super().fit(task)
        trained = self.effects.conditions["perturbation"]
        self.single_of = _singles(task.query.components, set(trained))
        is_single = trained.isin(self.single_of.values()).to_numpy(dtype=bool)
        self.singles = self.effects.select(is_single)

    def parts(self, query: Query) -> tuple[pd.DataFrame, Floats]:
        """Return the components asked about and what each did alone.

        Returns
        -------
        parts
            Columns row (of the query's conditions) and context; one row a component of a
            condition, in the order of the conditions.
        delta
            Shape (n_parts, n_genes); NaN where the single was never seen.
        """
        parts = _parts(query)
        if not self.singles.n:
            return parts, np.full((len(parts), self.effects.delta.shape[1]), np.nan)
        singles = [self.single_of.get(key, "") for key in parts["identity"]]
        return parts, self.singles.transferred(parts["context"], singles)


@model("additive", cite=AHLMANN_ELTZE)
class Additive(_PartsModel):
    """Answers with the sum of what the components of a perturbation did alone.

    A component is looked for in the query's context, then in others; one that was never seen
    alone, at its dose and time, counts as the mean of the singles.
    """

    def deltas(self, query: Query) -> Floats:
        """Return the sum over the components of each condition."""
        parts, seen = self.parts(query)
        known = self.singles if self.singles.n else self.effects
        filled = _filled(seen, known.shared(parts["context"]))
        return pd.DataFrame(filled).groupby(parts["row"]).sum().to_numpy(float)


@model("matching-mean", cite=SYSTEMA)
class MatchingMean(_PartsModel):
    """Answers with the mean of what the components of a perturbation did alone.

    A component that was never seen alone counts as the perturbed mean.
    """

    def deltas(self, query: Query) -> Floats:
        """Return the mean over the components of each condition."""
        parts, seen = self.parts(query)
        filled = _filled(seen, self.effects.shared(parts["context"]))
        return pd.DataFrame(filled).groupby(parts["row"]).mean().to_numpy(float)


def _filled(delta: Floats, fallback: Floats) -> Floats:
    """Return `delta` with the rows that are unknown taken from `fallback`."""
    return np.where(np.isnan(delta), fallback, delta)


def _singles(components: pd.DataFrame, trained: set[str]) -> dict[Hashable, str]:
    """Return, for each component that was trained on alone, the perturbation that it is."""
    is_alone = ~components["perturbation"].duplicated(keep=False)
    alone = components[is_alone & components["perturbation"].isin(trained)]
    return dict(zip(identities(alone), alone["perturbation"], strict=True))


def _parts(query: Query) -> pd.DataFrame:
    """Return the components of each condition: row, context, identity."""
    components = query.components[["perturbation"]].assign(identity=identities(query.components))
    conditions = query.conditions[["context", "perturbation"]].assign(
        row=np.arange(len(query.conditions))
    )
    parts = conditions.merge(components, on="perturbation", how="left", sort=False)
    lost = parts.loc[parts["identity"].isna(), "perturbation"]
    if len(lost):
        raise DataError(
            f"Perturbation {lost.iloc[0]!r} has no components; list its parts in the query's "
            "table of components."
        )
    return parts
