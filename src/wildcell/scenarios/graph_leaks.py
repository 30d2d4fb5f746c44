"""Graphs that know the noise of the test cells, which no honest graph can."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import chi2

from wildcell.arrays import Floats
from wildcell.scenarios.feature_leaks import CLOSEST, FALSE_ALARMS, measured_deltas
from wildcell.scenarios.task import Truth

FEWEST_PAIRS = 8
"""Fewer pairs of tested components tell too little of noise."""


class Untold(NamedTuple):
    """Why something cannot be told, in a sentence."""

    reason: str


class Pairs(NamedTuple):
    """Pairs of tested components that a graph joins, no component in two of them.

    Attributes
    ----------
    weights
        Of their edges, shape (n_pairs,).
    first, second
        Rows of the tested components, shape (n_pairs,).
    """

    weights: Floats
    first: np.ndarray
    second: np.ndarray


def leaking_measure(edges: pd.DataFrame, truth: Truth, components: pd.DataFrame) -> str | Untold:
    """Say which similarity of measured test deltas the weights follow more closely than noise lets.

    Whatever a graph knows of the effects, the similarity of two measured deltas lies about it with
    at least the noise of both: weights whose residual is below what chi-squared allows (at 1e-6
    over all measures) were made of the very cells. Pairs that share a component share its noise, so
    that each is in one pair at most. A graph that says only who is near, by weights that are all
    alike, cannot be told.

    Parameters
    ----------
    edges
        Columns component, neighbour and weight.
    truth
        The judge's side.
    components
        The parts of each perturbation.

    Returns
    -------
    The name of a measure, "" if the weights follow none, or why it cannot be told.
    """
    deltas, variances, names = measured_deltas(truth, components)
    pairs = _pairs(edges, pd.Index(names))
    if len(pairs.weights) < FEWEST_PAIRS:
        n = len(pairs.weights)
        return Untold(
            f"the graph joins only {n} pairs of tested components ({FEWEST_PAIRS} needed)"
        )
    if np.ptp(pairs.weights) == 0:
        return Untold("the weights of the graph are all alike")
    measures = {
        "cosine": (deltas, variances),
        "correlation": (deltas - deltas.mean(axis=1, keepdims=True), variances),
    }
    for name, (values, noise) in measures.items():
        similar, variance = _similarities(values, noise, pairs)
        n_looks = 2 * len(measures)
        if _follow(pairs.weights, similar, variance, n_looks):
            return name
        if _follow(pairs.weights, np.abs(similar), variance, n_looks):
            return f"absolute {name}"
    return ""


def _pairs(edges: pd.DataFrame, names: pd.Index) -> Pairs:
    """Return pairs of tested components, taken in the order of the edges."""
    ends = np.column_stack([names.get_indexer(edges[end]) for end in ("component", "neighbour")])
    is_free, kept = np.ones(len(names), dtype=bool), []
    for edge in np.flatnonzero((ends >= 0).all(axis=1)):
        if is_free[ends[edge]].all():
            is_free[ends[edge]] = False
            kept.append(edge)
    first, second = ends[kept].T if kept else (np.array([], dtype=int),) * 2
    return Pairs(edges["weight"].to_numpy(float)[kept], first, second)


def _similarities(values: Floats, noise: Floats, pairs: Pairs) -> tuple[Floats, Floats]:
    """Return cosines of pairs and the variance of their noise, to first order."""
    lengths = np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-300)
    units = values / lengths
    scaled = noise / lengths**2
    one, other = units[pairs.first], units[pairs.second]
    cosine = (one * other).sum(axis=1)
    lean = cosine[:, None]
    variance = ((other - lean * one) ** 2 * scaled[pairs.first]).sum(axis=1)
    variance += ((one - lean * other) ** 2 * scaled[pairs.second]).sum(axis=1)
    return cosine, variance


def _follow(weights: Floats, similar: Floats, variance: Floats, n_looks: int) -> bool:
    """Whether a line through the weights meets the similarities more closely than noise allows."""
    if (variance <= 0).any() or np.ptp(similar) == 0:
        return False
    scale = 1 / np.sqrt(variance)
    design = np.column_stack([np.ones(len(weights)), weights]) * scale[:, None]
    found = np.linalg.lstsq(design, similar * scale)[0]
    residual = ((similar * scale - design @ found) ** 2).sum()
    is_close = abs(np.corrcoef(weights, similar)[0, 1]) > CLOSEST
    return bool(is_close and chi2.cdf(residual, len(weights) - 2) * n_looks < FALSE_ALARMS)
