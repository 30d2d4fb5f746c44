"""Models that carry effects over from perturbations with similar features.

All three predict the shared response of the query's context, which is the perturbed mean, plus
what features say about the rest: deltas from which the shared response of their context was
taken, averaged over contexts, doses and times. Where features say nothing they are the perturbed
mean itself, so that a comparison with it is fair. They learn from training and validation
conditions alike, as the naive models do, and choose their options by leaving out one perturbation.
"""

from abc import abstractmethod
from math import inf

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from wildcell.arrays import Floats
from wildcell.errors import DataError, OptionError
from wildcell.models.design import Parts, learn_design, parts_of
from wildcell.models.effects import DeltaModel, group_means
from wildcell.models.model import Ability, Input, model
from wildcell.models.regression import (
    believable,
    left_out_neighbours_errors,
    left_out_ridge_errors,
    nearest_weights,
    ridge_coefficients,
)
from wildcell.models.search import Searched
from wildcell.scenarios.task import Query, Task

ANSWERS = (
    Ability.UNSEEN_CONTEXT,
    Ability.UNSEEN_PERTURBATION,
    Ability.UNSEEN_COMBINATION,
)
"""All but unseen doses: features are those of a component, whatever its dose."""

SEPARATOR = "\x1f"
"""Between names in a label; no name has it. (pandas takes labels alike up to a NUL for equal.)"""

ALPHAS = (*(float(alpha) for alpha in np.logspace(-3, 4, 15)), inf)
"""Ridge penalties tried, from next to none to a perturbed mean."""

NEIGHBOURS = (1, 3, 5, 10, 20)
"""Numbers of neighbours tried, besides all."""


class FeatureModel(DeltaModel):
    """A model that predicts from features what a perturbation does beyond the shared response."""

    def fit(self, task: Task) -> None:
        """Learn how the deltas of `task` depend on the features of their perturbations.

        Raises
        ------
        DataError
            No perturbation trained on has features.
        """
        super().fit(task)
        parts, residual = self._residuals(task.query.components)
        features = self.features_for(task.query, residual)
        has_features = np.array([set(part) <= set(features.index) for part in parts], dtype=bool)
        if not has_features.any():
            raise DataError("No perturbation trained on has features; this model needs some.")
        known = [part for part, has in zip(parts, has_features, strict=True) if has]
        self.design = learn_design(known, features)
        self.learn(self.design.rows(known, features), residual[has_features])

    def deltas(self, query: Query) -> Floats:
        """Return the shared response of each condition's context plus what its features say."""
        parts = parts_of(query.components, query.conditions["perturbation"])
        features = self.features_asked(query)
        specific = self.respond(self.design.rows(parts, features))
        shared = self.effects.shared(query.conditions["context"])
        return self.design.share(parts)[:, None] * (shared + specific)

    def features_for(self, query: Query, residual: Floats) -> pd.DataFrame:  # noqa: ARG002 - for those that learn features
        """Return the features of components, to learn from `residual` by."""
        return self.features_asked(query)

    def features_asked(self, query: Query) -> pd.DataFrame:
        """Return the features of the components asked about."""
        if query.features is None:
            raise DataError("The query has no features, and this model needs them; add some.")
        return query.features

    @abstractmethod
    def learn(self, rows: Floats, residual: Floats) -> None:
        """Learn `residual`, shape (n_perturbations, n_genes), from rows of the design."""

    @abstractmethod
    def respond(self, rows: Floats) -> Floats:
        """Return the residual predicted for rows of the design, shape (n_rows, n_genes)."""

    def _residuals(self, components: pd.DataFrame) -> tuple[list[Parts], Floats]:
        """Return the perturbations trained on, and their mean deltas less the shared response.

        At genes that were not measured they are taken to respond as all do.
        """
        conditions = self.effects.conditions
        residual = self.effects.delta - self.effects.shared(conditions["context"])
        parts = parts_of(components, conditions["perturbation"])
        labels, means = group_means(residual, map(SEPARATOR.join, parts))
        return [tuple(label.split(SEPARATOR)) for label in labels], np.nan_to_num(means)


@model(
    "bilinear",
    answers=ANSWERS,
    needs=(Input.FEATURES_OR_TARGETS,),
    cite="Ahlmann-Eltze, Huber & Anders 2025, Nature Methods, doi:10.1038/s41592-025-02772-6",
)
class Bilinear(FeatureModel):
    """Predicts deltas G W P' + b: gene loadings, a matrix to learn, features of perturbations.

    G are the principal components of the training deltas, scaled by their singular values; b is
    the shared response; P are the features as `Design` scales them, or, where there are none, the
    rows of G that belong to the perturbed genes. W is the ridge solution on both sides.

    Parameters
    ----------
    seed
        Not used: nothing is drawn.
    n_components
        Principal components in G; fewer are used where there are fewer perturbations.
    penalty
        Ridge penalty, on either side.

    Raises
    ------
    OptionError
        An option is out of range.
    """

    searched = (
        Searched(name="n_components", low=1, high=50, log=True),
        Searched(name="penalty", low=1e-3, high=10.0, log=True),
    )

    def __init__(self, *, seed: int = 0, n_components: int = 10, penalty: float = 0.1) -> None:
        super().__init__(seed=seed)
        self.n_components = _at_least_one("n_components", n_components)
        self.penalty = _positive("penalty", penalty)

    def features_for(self, query: Query, residual: Floats) -> pd.DataFrame:
        """Return the features there are, or the gene loadings of `residual` in their place."""
        _, sizes, directions = np.linalg.svd(residual, full_matrices=False)
        self.loadings = directions[: self.n_components].T * sizes[: self.n_components]
        self.has_features = query.features is not None and len(query.features) > 0
        return self.features_asked(query)

    def features_asked(self, query: Query) -> pd.DataFrame:
        """Return the features of the components, or the loadings of all genes."""
        if self.has_features:
            return super().features_asked(query)
        return pd.DataFrame(self.loadings, index=query.controls.genes)

    def learn(self, rows: Floats, residual: Floats) -> None:
        """Solve for W: first on the side of the perturbations, then on that of the genes."""
        by_feature = ridge_coefficients(rows, residual, penalty=self.penalty)
        self.weights = ridge_coefficients(self.loadings, by_feature.T, penalty=self.penalty)

    def respond(self, rows: Floats) -> Floats:
        """Return G W P' of the rows."""
        return rows @ self.weights.T @ self.loadings.T


@model("ridge", answers=ANSWERS, needs=(Input.FEATURES,))
class Ridge(FeatureModel):
    """Predicts deltas by ridge regression on the features of perturbations.

    Parameters
    ----------
    seed
        Not used: nothing is drawn.
    alpha
        Ridge penalty; infinite for the shared response alone, None to choose it by the error on
        perturbations left out. It is finite only if that beats infinity by more than one standard
        error, so that features that say nothing are not believed.

    Raises
    ------
    OptionError
        The penalty is not positive.
    """

    searched = (Searched(name="alpha", low=1e-3, high=1e4, log=True),)

    def __init__(self, *, seed: int = 0, alpha: float | None = None) -> None:
        super().__init__(seed=seed)
        self.alpha = None if alpha is None else _positive("alpha", alpha)

    def learn(self, rows: Floats, residual: Floats) -> None:
        """Choose the penalty where it was not given, and solve for the coefficients."""
        self.chosen_alpha = self.alpha or _chosen_alpha(rows, residual)
        self.coefficients = ridge_coefficients(rows, residual, penalty=self.chosen_alpha)

    def respond(self, rows: Floats) -> Floats:
        """Return the regression's value at the rows."""
        return rows @ self.coefficients


@model("knn", answers=ANSWERS, needs=(Input.FEATURES,))
class Knn(FeatureModel):
    """Predicts the mean delta of the training perturbations with the nearest features.

    Parameters
    ----------
    seed
        Not used: nothing is drawn.
    k
        How many; None to choose it by the error on perturbations left out. Fewer than all are
        believed only if they beat all by more than one standard error.

    Raises
    ------
    OptionError
        The number is below 1.
    """

    searched = (Searched(name="k", low=1, high=50, log=True),)

    def __init__(self, *, seed: int = 0, k: int | None = None) -> None:
        super().__init__(seed=seed)
        self.k = None if k is None else _at_least_one("k", k)

    def learn(self, rows: Floats, residual: Floats) -> None:
        """Keep the perturbations, and choose how many to average where it was not given."""
        self.rows, self.residual = rows, residual
        self.chosen_k = self.k or _chosen_k(rows, residual)

    def respond(self, rows: Floats) -> Floats:
        """Return the mean residual of the nearest perturbations."""
        return nearest_weights(cdist(rows, self.rows), self.chosen_k) @ self.residual


def _chosen_alpha(rows: Floats, residual: Floats) -> float:
    return ALPHAS[believable(left_out_ridge_errors(rows, residual, ALPHAS))]


def _chosen_k(rows: Floats, residual: Floats) -> int:
    """Return how many neighbours to average; all but the row itself stands for all."""
    n_others = len(rows) - 1
    fewer = [k for k in NEIGHBOURS if k < n_others]
    chosen = believable(left_out_neighbours_errors(rows, residual, [*fewer, n_others]))
    return [*fewer, len(rows)][chosen]


def _at_least_one(name: str, value: object) -> int:
    if not isinstance(value, int) or value < 1:
        raise OptionError(f"{name} must be a whole number of 1 or more; it is {value!r}.")
    return value


def _positive(name: str, value: object) -> float:
    if not isinstance(value, int | float) or not value > 0:
        raise OptionError(f"{name} must be a number above 0; it is {value!r}.")
    return float(value)
