"""Perturbations as inputs of a network: features or one-hot and times, weighed by doses."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from wildcell.arrays import Floats, Matrix
from wildcell.errors import DataError, PredictionError

KEYS = ["component", "time"]
"""What makes two components the same input."""


@dataclass(frozen=True)
class Treatments:
    """What some perturbations are made of.

    Attributes
    ----------
    inputs
        Shape (n_inputs, n_columns): one row a component at a time.
    weights
        Shape (n_perturbations, n_inputs): how much of each component is in each perturbation.
    names
        The component of each input, shape (n_inputs,).
    """

    inputs: NDArray[np.float32]
    weights: Matrix
    names: NDArray[np.object_]


@dataclass(frozen=True)
class Encoding:
    """How components become inputs, learned from those trained on.

    A component with features is their vector, less the mean over the components trained on, over
    the spread of all that are described. One without has a column of its own. One more column
    holds the time, standardised; it is 0 where there is no more than one. The weight of a
    component is its log dose over the largest one trained on, and 1 without doses, so that no
    dose is no perturbation.

    Attributes
    ----------
    features
        Standardised, shape (n_components, n_features), indexed by component.
    own
        Components trained on that have no features.
    time
        Centre and one over the spread of times.
    largest_dose
        Logarithm of one plus the largest dose, NaN without doses.
    """

    features: pd.DataFrame
    own: pd.Index
    time: tuple[float, float]
    largest_dose: float

    @property
    def n_columns(self) -> int:
        """Number of columns of the inputs."""
        return self.features.shape[1] + len(self.own) + 1

    def encode(self, components: pd.DataFrame, perturbations: Iterable[str]) -> Treatments:
        """Return perturbations as inputs and weights, rows in their order.

        Raises
        ------
        DataError
            A perturbation has no components.
        PredictionError
            A component was not trained on and has no features.
        """
        parts = _parts(components, list(perturbations))
        keys = parts[KEYS].astype(object).where(parts[KEYS].notna(), None)
        codes, _ = pd.factorize(pd.MultiIndex.from_frame(keys))
        firsts = parts.iloc[np.unique(codes, return_index=True)[1]]
        weights = sparse.csr_matrix(
            (self._weights(parts), (parts["row"], codes)),
            shape=(parts.attrs["n_rows"], len(firsts)),
            dtype=np.float32,
        )
        names = firsts["component"].to_numpy(dtype=object)
        return Treatments(self._inputs(firsts), weights, names)

    def _inputs(self, parts: pd.DataFrame) -> NDArray[np.float32]:
        names = parts["component"]
        in_features = self.features.index.get_indexer(names)
        in_own = self.own.get_indexer(names)
        unknown = (in_features < 0) & (in_own < 0)
        if unknown.any():
            raise PredictionError(
                f"Component {names.iloc[int(np.argmax(unknown))]!r} was not trained on and has no "
                "features; add them, or leave its perturbations out of the query."
            )
        padded = np.vstack([self.features.to_numpy(), np.zeros(self.features.shape[1])])
        own = np.vstack([np.eye(len(self.own)), np.zeros(len(self.own))])
        time = _standard(parts["time"].to_numpy(float), self.time)
        columns = [padded[in_features], own[in_own], time[:, None]]
        return np.concatenate(columns, axis=1).astype(np.float32)

    def _weights(self, parts: pd.DataFrame) -> Floats:
        share = _log_dose(parts) / self.largest_dose
        return np.where(np.isnan(share), 1.0, share)


def learn_encoding(
    components: pd.DataFrame, features: pd.DataFrame | None, trained: Iterable[str]
) -> Encoding:
    """Learn how to encode perturbations from the components of those trained on.

    Parameters
    ----------
    components
        Columns perturbation, component, dose, time.
    features
        Shape (n_components, n_features), indexed by component; None for one-hot.
    trained
        The perturbations trained on.

    Examples
    --------
    >>> table = pd.DataFrame({"perturbation": ["A", "A+B", "A+B"], "component": ["A", "A", "B"],
    ...                       "dose": np.nan, "time": np.nan})
    >>> encoding = learn_encoding(table, None, ["A", "A+B"])
    >>> encoding.encode(table, ["A+B"]).inputs[:, :2].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    parts = _parts(components, sorted(set(trained)))
    names = pd.Index(sorted(set(parts["component"])))
    known = pd.DataFrame(index=pd.Index([], dtype=object)) if features is None else features
    log_dose = _log_dose(parts)
    return Encoding(
        features=_standardised(known, names.intersection(known.index)),
        own=names.difference(known.index),
        time=_scale(parts["time"].to_numpy(float)),
        largest_dose=float(np.nanmax(log_dose)) if (log_dose > 0).any() else np.nan,
    )


def _parts(components: pd.DataFrame, perturbations: list[str]) -> pd.DataFrame:
    """Return the components of each perturbation, in order, with its place in `row`."""
    asked = pd.DataFrame({"perturbation": perturbations, "row": np.arange(len(perturbations))})
    asked["perturbation"] = asked["perturbation"].astype(object)
    table = components.assign(perturbation=components["perturbation"].astype(object))
    parts = asked.merge(table, on="perturbation", how="left", sort=False)
    lost = parts.loc[parts["component"].isna(), "perturbation"]
    if len(lost):
        raise DataError(
            f"Perturbation {lost.iloc[0]!r} has no components; list its parts in the query's "
            "table of components."
        )
    parts["component"] = parts["component"].astype(str).astype(object)
    parts.attrs["n_rows"] = len(perturbations)
    return parts


def _log_dose(parts: pd.DataFrame) -> Floats:
    return np.log1p(parts["dose"].to_numpy(float))


def _scale(values: Floats) -> tuple[float, float]:
    """Return the mean, and one over the standard deviation or 0 where there is none."""
    known = values[~np.isnan(values)]
    spread = float(known.std()) if len(known) else 0.0
    return (float(known.mean()) if len(known) else 0.0), (1.0 / spread if spread > 1e-9 else 0.0)


def _standard(values: Floats, scale: tuple[float, float]) -> Floats:
    return np.nan_to_num((values - scale[0]) * scale[1])


def _standardised(features: pd.DataFrame, trained: pd.Index) -> pd.DataFrame:
    """Return features by the mean of the components trained on and the spread of all.

    The few that are trained on may hardly differ in a feature: by their own spread, others would
    lie far outside of what was ever seen.
    """
    table = features.astype(float)
    table.index = table.index.astype(str)
    spread = table.std(ddof=0)
    one_over = (1.0 / spread).where(spread > 1e-9, 0.0)
    return (table - table.loc[trained].mean()).mul(one_over, axis=1).fillna(0.0)
