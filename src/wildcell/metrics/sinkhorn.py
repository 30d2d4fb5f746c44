"""Entropic optimal transport between clouds of cells: the debiased Sinkhorn divergence.

The dual potentials f and g follow an annealed schedule of temperatures, from the squared diameter
of the clouds down to `blur**2`. In one step, all of

    f_i <- (f_i + T(g)_i) / 2    with    T(g)_i = -eps log mean_j exp((g_j - C_ij) / eps)

and the same for g, simultaneously; a whole step (without the average) ends it. The mass of pairs
P_ij = exp((f_i + g_j - C_ij) / eps) gives both directions from one exponential, because
T(g)_i = f_i - eps log mean_j P_ij; for a cloud with itself half of P is enough. The exponential is
in single precision (error 1e-7, times eps in the potentials), all else in double.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from wildcell.arrays import Floats
from wildcell.metrics.pairwise import Cells, Pairs, pair

BLUR = 0.05
SCALING = 0.9

# Masses outside of these bounds have lost terms to the range of single precision.
SMALLEST_SUM = 1e-20
LARGEST_SUM = 1e30

NEGLIGIBLE = 1e-9  # share of a cell's mass that others have, as a change of potential times eps
SETTLED = 1e-6  # last change of a potential, in units of the temperature

Function = TypeVar("Function", bound=Callable[..., Any])


def _compiled(function: Function) -> Function:
    """Compile to machine code that is kept on disk and releases the interpreter lock."""
    fast = {"reassoc", "contract", "nsz"}  # sums may be vectorised; NaN and infinity still count
    return cast("Function", numba.njit(cache=True, nogil=True, fastmath=fast)(function))


def sinkhorn_divergence(
    first: Cells,
    second: Cells,
    *,
    blur: float = BLUR,
    scaling: float = SCALING,
    self_cost_first: float | None = None,
    self_cost_second: float | None = None,
) -> float:
    """Return the debiased Sinkhorn divergence of two clouds at the cost |x - y|^2 / 2.

    Equal to geomloss `SamplesLoss("sinkhorn", p=2, blur=blur, scaling=scaling)`: one pass through
    the schedule, not iterated to convergence. NaN where a cloud is empty.

    Parameters
    ----------
    first, second
        Cells, shapes (n_first, n_genes) and (n_second, n_genes).
    blur
        Square root of the last temperature, in units of the distance.
    scaling
        Ratio of two successive blurs, between 0 and 1.
    self_cost_first, self_cost_second
        What `reusable_self_cost` says of a cloud, where it is known already.

    References
    ----------
    Feydy et al., Interpolating between optimal transport and MMD using Sinkhorn divergences,
    AISTATS 2019; the schedule and the symmetric steps: Feydy, PhD thesis (2020), algorithm 3.5.

    Examples
    --------
    >>> import numpy as np
    >>> cells = np.random.default_rng(0).normal(size=(30, 5))
    >>> round(sinkhorn_divergence(cells, cells + 1), 3)  # half the squared shift
    2.5
    """
    if first.shape[0] == 0 or second.shape[0] == 0:
        return float("nan")
    pairs = pair(first, second)
    temperatures = schedule(pairs.diameter, blur=blur, scaling=scaling)
    if self_cost_first is None:
        self_cost_first = self_transport_cost(pairs.within_first, temperatures)
    if self_cost_second is None:
        self_cost_second = self_transport_cost(pairs.within_second, temperatures)
    return transport_cost(pairs.between, temperatures) - self_cost_first - self_cost_second


def reusable_self_cost(
    pairs: Pairs, *, blur: float = BLUR, scaling: float = SCALING
) -> float | None:
    """Return `self_transport_cost` of one cloud if it is the same beside every other cloud.

    A truth's is then computed once for all predictions. The schedule depends on both clouds, but
    its end forgets its beginning: None where it has not yet, as in one or two dimensions.

    Parameters
    ----------
    pairs
        Those of the cloud alone.
    blur, scaling
        As in `sinkhorn_divergence`.
    """
    temperatures = schedule(pairs.diameter, blur=blur, scaling=scaling)
    potential, last_change = _self_potential(pairs.squared / 2, temperatures)
    if last_change > SETTLED * blur**2:
        return None
    return float(potential.mean())


def schedule(diameter: float, *, blur: float = BLUR, scaling: float = SCALING) -> Floats:
    """Return the temperature of each step, falling from the squared diameter to the squared blur.

    The first temperature is that of the step from nothing and of the two that follow it, the last
    that of the last two.
    """
    widest = diameter if diameter > 0 else blur  # cells that are all equal
    exponents = np.arange(2 * np.log(widest), 2 * np.log(blur), 2 * np.log(scaling))
    return np.concatenate([[widest**2] * 2, np.exp(exponents), [blur**2] * 2])


def transport_cost(squared: Floats, temperatures: Floats) -> float:
    """Return the entropic transport cost of two clouds, from their squared distances.

    Parameters
    ----------
    squared
        Shape (n_first, n_second).
    temperatures
        As `schedule` makes them.
    """
    f, g = _potentials(squared / 2, temperatures)
    return float(f.mean() + g.mean())


def self_transport_cost(squared: Floats, temperatures: Floats) -> float:
    """Return half the entropic transport cost of a cloud to itself, shape (n_cells, n_cells)."""
    potential, _ = _self_potential(squared / 2, temperatures)
    return float(potential.mean())


@_compiled
def _exp(x: Any) -> Any:
    """Return exp(x) in single precision, by a polynomial that compilers vectorise.

    Two parts of log 2 and the coefficients of the Cephes library's expf.
    """
    x = x if x > np.float32(-87.0) else np.float32(-87.0)  # noqa: FURB136  max is not vectorised
    x = x if x < np.float32(88.0) else np.float32(88.0)  # noqa: FURB136
    power = np.floor(x * np.float32(1.4426950408889634) + np.float32(0.5))
    rest = x - power * np.float32(0.693359375)
    rest = rest - power * np.float32(-2.12194440e-4)
    value = np.float32(1.9875691500e-4)
    value = value * rest + np.float32(1.3981999507e-3)
    value = value * rest + np.float32(8.3334519073e-3)
    value = value * rest + np.float32(4.1665795894e-2)
    value = value * rest + np.float32(1.6666665459e-1)
    value = value * rest + np.float32(5.0000001201e-1)
    value = value * rest * rest + rest + np.float32(1)
    bits = np.int32((np.int32(power) + np.int32(127)) << np.int32(23))
    return value * bits.view(np.float32)


@_compiled
def _soft_minimum(costs: Any, potential: Any, temperature: float) -> float:
    """Return -eps log mean exp((potential - costs) / eps), whatever the range of the exponents."""
    largest = -np.inf
    for j in range(len(costs)):
        largest = max(largest, potential[j] - costs[j])
    total = 0.0
    for j in range(len(costs)):
        total += np.exp((potential[j] - costs[j] - largest) / temperature)
    return -largest - temperature * np.log(total / len(costs))


@_compiled
def _masses(cost: Any, potentials: Any, temperature: float, by_row: Any, by_column: Any) -> None:
    """Sum the masses of all pairs by row and by column."""
    f, g = potentials
    inverse = 1.0 / temperature
    by_column[:] = 0
    for i in range(cost.shape[0]):
        row = cost[i]
        f_i = f[i]
        total = np.float32(0)
        for j in range(cost.shape[1]):
            mass = _exp(np.float32((f_i + g[j] - row[j]) * inverse))
            total += mass
            by_column[j] += mass
        by_row[i] = total


@_compiled
def _self_masses(cost: Any, f: Any, temperature: float, by_row: Any) -> bool:
    """Sum the masses of a symmetric problem by row, from its lower triangle.

    Tell whether no cell has any mass in common with another.
    """
    inverse = 1.0 / temperature
    for i in range(len(f)):
        row = cost[i]
        f_i = f[i]
        total = np.float32(0)
        for j in range(i):
            mass = _exp(np.float32((f_i + f[j] - row[j]) * inverse))
            total += mass
            by_row[j] += mass
        by_row[i] = total
    alone = True
    for i in range(len(f)):
        own = _exp(np.float32((2 * f[i] - cost[i, i]) * inverse))
        alone = alone and by_row[i] < NEGLIGIBLE * own
        by_row[i] += own
    return alone


@_compiled
def _answers(masses: Any, potentials: Any, cost: Any, temperature: float, into: Any) -> None:
    """Store T(g), the best answers to the potential g, from the masses of each row of `cost`."""
    f, g = potentials
    for i in range(len(f)):
        if SMALLEST_SUM < masses[i] < LARGEST_SUM:
            into[i] = f[i] - temperature * np.log(masses[i] / len(g))
        else:
            into[i] = _soft_minimum(cost[i], g, temperature)


@_compiled
def _potentials(cost: Any, temperatures: Any) -> Any:
    """Follow the schedule; its first and last steps are whole, the others averages."""
    n, m = cost.shape
    f, g = np.zeros(n), np.zeros(m)
    answer_f, answer_g = np.empty(n), np.empty(m)
    by_row, by_column = np.empty(n, np.float32), np.empty(m, np.float32)
    for step in range(len(temperatures)):
        _masses(cost, (f, g), temperatures[step], by_row, by_column)
        _answers(by_row, (f, g), cost, temperatures[step], answer_f)
        _answers(by_column, (g, f), cost.T, temperatures[step], answer_g)
        weight = 1.0 if step in (0, len(temperatures) - 1) else 0.5
        f += weight * (answer_f - f)
        g += weight * (answer_g - g)
    return f, g


@_compiled
def _self_potential(cost: Any, temperatures: Any) -> Any:
    """Follow the schedule where both clouds are one and f equals g; tell the last change of f.

    Two steps after cells have become alone, f is eps / 2 log n, and they stay alone: the exponents
    of other pairs are about log n - C_ij / eps, and eps only falls.
    """
    n = len(cost)
    f, answer = np.zeros(n), np.empty(n)
    by_row = np.empty(n, np.float32)
    steps_alone = 0
    for step in range(len(temperatures)):
        if steps_alone < 2:
            alone = _self_masses(cost, f, temperatures[step], by_row)
            steps_alone = steps_alone + 1 if alone else 0
            _answers(by_row, (f, f), cost, temperatures[step], answer)
        else:
            answer[:] = temperatures[step] * np.log(n) - f
        weight = 1.0 if step in (0, len(temperatures) - 1) else 0.5
        change = answer - f
        f += weight * change
    return f, np.abs(change).max()
