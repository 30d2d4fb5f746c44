"""Where a perturbation lies among others: the features of its components as rows of one scale."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wildcell.arrays import Floats
from wildcell.errors import DataError, PredictionError

Parts = tuple[str, ...]
"""The names of a perturbation's components, sorted; doses and times are not told apart."""


def parts_of(components: pd.DataFrame, perturbations: Iterable[str]) -> list[Parts]:
    """Return the component names of each perturbation.

    Raises
    ------
    DataError
        A perturbation is not in the table of components.

    Examples
    --------
    >>> table = pd.DataFrame({"perturbation": ["A+B", "A+B"], "component": ["B", "A"]})
    >>> parts_of(table, ["A+B"])
    [('A', 'B')]
    """
    groups = components["component"].astype(str).groupby(components["perturbation"], sort=False)
    parts = {str(key): tuple(sorted(names)) for key, names in groups}
    wanted = [str(key) for key in perturbations]
    unknown = sorted(set(wanted) - set(parts))
    if unknown:
        raise DataError(
            f"Perturbation {unknown[0]!r} has no components; list its parts in the query's table "
            "of components."
        )
    return [parts[key] for key in wanted]


@dataclass(frozen=True)
class Design:
    """The scale on which perturbations are rows, learned from those trained on.

    A feature is standardised over the components trained on, so that its unit does not matter, and
    divided by the root of the number of features, so that a typical component has length 1 and a
    penalty means the same whatever their number. Rows are sums over components. Where training
    has perturbations of several sizes, their number of components is one more column, of standard
    deviation 1: so the shared response may grow with it. Where all have one size, nothing can be
    learned about others: rows are brought to that size, and `share` says by how much what is
    predicted from them must be multiplied, so that components add up.

    Attributes
    ----------
    center, scale
        Of each feature, shape (n_features,).
    size, size_scale
        Mean number of components, and one over its standard deviation, 0 where all have one size.
    mean
        Mean row of the perturbations trained on, shape (n_features + 1,).
    """

    center: Floats
    scale: Floats
    size: float
    size_scale: float
    mean: Floats

    def rows(self, parts: Sequence[Parts], features: pd.DataFrame) -> Floats:
        """Return the rows of perturbations, shape (n_perturbations, n_features + 1).

        Parameters
        ----------
        parts
            The components of each perturbation.
        features
            Shape (n_components, n_features), indexed by component.

        Raises
        ------
        PredictionError
            A component has no features.
        """
        return self._uncentred(parts, features) - self.mean

    def share(self, parts: Sequence[Parts]) -> Floats:
        """Return how many times the response to a training perturbation each one has."""
        sizes = _sizes(parts)
        return np.ones(len(parts)) if self.size_scale else sizes / self.size

    def _uncentred(self, parts: Sequence[Parts], features: pd.DataFrame) -> Floats:
        names = pd.Index(sorted({name for part in parts for name in part}))
        standard = (_features_of(names, features) - self.center) * self.scale
        sums = _membership(parts, names) @ standard / self.share(parts)[:, None]
        sizes = (_sizes(parts) - self.size) * self.size_scale
        return np.column_stack([sums, sizes])


def learn_design(parts: Sequence[Parts], features: pd.DataFrame) -> Design:
    """Learn the scale of perturbations from those trained on.

    Examples
    --------
    >>> features = pd.DataFrame({"x": [1.0, 3.0]}, index=["A", "B"])
    >>> learn_design([("A",), ("B",)], features).rows([("A",), ("B",)], features).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    names = pd.Index(sorted({name for part in parts for name in part}))
    table = _features_of(names, features)
    sizes = _sizes(parts)
    uncentred = Design(
        center=table.mean(axis=0),
        scale=_one_over(table.std(axis=0)) / np.sqrt(max(table.shape[1], 1)),
        size=float(sizes.mean()),
        size_scale=float(_one_over(sizes.std(keepdims=True))[0]),
        mean=np.zeros(table.shape[1] + 1),
    )
    mean = uncentred.rows(parts, features).mean(axis=0)
    return Design(uncentred.center, uncentred.scale, uncentred.size, uncentred.size_scale, mean)


def _one_over(spread: Floats) -> Floats:
    """Return 1 / spread; a column that does not vary says nothing and becomes 0."""
    return np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-12)


def _sizes(parts: Sequence[Parts]) -> Floats:
    return np.array([len(part) for part in parts], dtype=float)


def _features_of(names: pd.Index, features: pd.DataFrame) -> Floats:
    rows = features.index.get_indexer(names)
    if (rows < 0).any():
        raise PredictionError(
            f"Component {names[int(np.argmin(rows))]!r} has no features, and this model needs "
            "them; add them, or leave its perturbations out of the query."
        )
    return features.to_numpy(float)[rows]


def _membership(parts: Sequence[Parts], names: pd.Index) -> Floats:
    """Return how often each component is in each perturbation."""
    membership = np.zeros((len(parts), len(names)))
    rows = np.repeat(np.arange(len(parts)), _sizes(parts).astype(int))
    columns = names.get_indexer([name for part in parts for name in part])
    np.add.at(membership, (rows, columns), 1.0)
    return membership
