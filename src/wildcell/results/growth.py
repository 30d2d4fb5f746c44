"""By what power costs grow with the number of cells."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from wildcell.arrays import Floats
from wildcell.results.stats import CONFIDENCE

COSTS = ("wall_s", "cpu_s", "peak_memory_mb", "device_peak_memory_mb")
SERIES = ["model", "options", "batch_size"]
COLUMNS = [*SERIES, "cost", "n_sizes", "least", "most", "power", "low", "high", "last_power"]


def fit_growth(table: pd.DataFrame) -> pd.DataFrame:
    """Fit cost = a * cells ** power, by least squares on logarithms.

    What is spent whatever the number of cells bends the curve: `last_power`, between the two
    largest sizes, is nearer to what still larger ones will cost.

    Parameters
    ----------
    table
        Measurements: columns model, options, batch_size, n_cells, status, and those of `COSTS`.

    Returns
    -------
    A row a model, its options, batch size and cost: n_sizes, the costs at the least and the most
    cells, the power with its 95 % interval (Student's t; none from fewer than three sizes), and
    that between the two largest sizes.

    Examples
    --------
    >>> sizes = pd.DataFrame({"n_cells": [10, 100, 1000], "wall_s": [1.0, 10.0, 100.0]})
    >>> told = {"model": "m", "options": "", "batch_size": 64.0, "status": "ok"}
    >>> grown = fit_growth(sizes.assign(**told)).iloc[0]
    >>> grown["cost"], float(round(grown["power"], 6)), float(round(grown["last_power"], 6))
    ('wall_s', 1.0, 1.0)
    """
    measured = table[table["status"] == "ok"]
    rows = [
        {**dict(zip(SERIES, series, strict=True)), **row}
        for series, part in measured.groupby(SERIES, dropna=False, sort=False)
        for row in _powers(part)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _powers(part: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for cost in COSTS:
        if cost not in part:
            continue
        known = part[part[cost] > 0].groupby("n_cells")[cost].mean().sort_index()
        if len(known) < 2:
            continue
        x, y = np.log(known.index.to_numpy(np.float64)), np.log(known.to_numpy(np.float64))
        power, low, high = _slope(x, y)
        yield {
            "cost": cost,
            "n_sizes": len(known),
            "least": known.iloc[0],
            "most": known.iloc[-1],
            "power": power,
            "low": low,
            "high": high,
            "last_power": (y[-1] - y[-2]) / (x[-1] - x[-2]),
        }


def _slope(x: Floats, y: Floats) -> tuple[float, float, float]:
    """Return the slope of a line and the ends of its interval, NaN where two points make it."""
    away = x - x.mean()
    spread, freedom = float(away @ away), len(x) - 2
    slope = float(away @ y) / spread
    if freedom < 1:
        return slope, np.nan, np.nan
    residue = y - y.mean() - slope * away
    error = np.sqrt(float(residue @ residue) / freedom / spread)
    reach = float(special.stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * error
    return slope, slope - reach, slope + reach
