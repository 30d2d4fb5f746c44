"""Cells for a model that predicts means: given controls, thinned or increased towards them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Codes, Floats
from wildcell.errors import OptionError, PredictionError
from wildcell.names import CONDITION, Expression, Kind
from wildcell.scenarios.answer import gene_columns, mean_rows
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.task import Cells
from wildcell.scenarios.thinning import Source
from wildcell.streams.spilled import GrowingRows


class Synthetic(NamedTuple):
    """What was made for a prediction of means.

    Attributes
    ----------
    cells
        Counts, shape (n_cells, n_genes); `obs` has context, perturbation and total_counts.
    linear_mean
        Expected arithmetic means of each condition, shape (n_conditions, n_genes): free of the
        noise of drawing. NaN rows where there is no prediction.
    """

    cells: Prediction
    linear_mean: Floats


def synthesise(
    prediction: Prediction,
    controls: Cells,
    query_conditions: pd.DataFrame,
    *,
    seed: int = 0,
    sources: Mapping[str, Source] | None = None,
    max_cells: int = 500,
    library_size: float = 10_000.0,
) -> Synthetic:
    """Make cells whose mean log values are those that were predicted.

    They are the counts of the given controls. Where a gene's predicted mean is below that of the
    controls, its counts are thinned binomially; where it is above, Poisson counts are added, at a
    rate proportional to each cell's library size. The share kept and the rate follow from the
    expected mean of log values over all controls of the group, so that no-change gives back the
    controls themselves. Cells keep the library size of the control they were made from: it is
    counted over all genes, of which the panel may be a part, and a size counted anew would carry
    the change of some genes into the log values of all others.

    Parameters
    ----------
    prediction
        Means of log values, at the controls' target sum. Conditions that it leaves out get no
        cells.
    controls
        The given controls, as counts.
    query_conditions
        Columns context, perturbation, control_group.
    seed
        Of the counts that are drawn, and of the controls where there are more than `max_cells`;
        each condition has a stream of its own, so that it does not depend on the others.
    sources
        What `control_sources` returned for these controls, to be made once for many predictions.
    max_cells
        Cells made for a condition, at most.
    library_size
        At which the arithmetic means are taken.

    Raises
    ------
    PredictionError
        The controls are not counts, or the prediction is not one of means of log values at their
        target sum for all of their genes.
    OptionError
        `max_cells` is below 1.

    Examples
    --------
    >>> obs = pd.DataFrame({"perturbation": ["control"] * 3, "control_group": ["k562"] * 3,
    ...                     "total_counts": [10.0, 20.0, 30.0]})
    >>> counts = sparse.csr_matrix(np.array([[1.0, 2.0], [0.0, 3.0], [4.0, 1.0]], np.float32))
    >>> genes = np.array(["GAPDH", "ACTB"], dtype=object)
    >>> controls = Cells(counts, genes, obs, Expression.COUNTS, target_sum=1e4)
    >>> asked = pd.DataFrame({"context": ["k562"], "perturbation": ["KLF1"],
    ...                       "control_group": ["k562"]})
    >>> silent = Prediction(np.array([[0.0, 0.0]]), asked, genes, Kind.MEAN)
    >>> synthesise(silent, controls, asked).cells.X.sum()
    np.float32(0.0)
    """
    _check(prediction, controls, max_cells)
    asked = query_conditions.reset_index(drop=True)
    means = _means(prediction, controls, asked)
    is_answered = ~np.isnan(means).any(axis=1)
    counts, tables = GrowingRows(len(controls.genes)), []
    linear = np.full(means.shape, np.nan)
    sources = control_sources(controls) if sources is None else sources
    for row, condition in asked[is_answered].iterrows():
        source = _source_of(str(condition["control_group"]), sources)
        change = source.change(means[row])
        rng = _generator(seed, condition)
        chosen = _choose(source.n, max_cells, rng)
        counts.add(source.draw(change, chosen, rng))
        tables.append(_cells_of(condition, source.total_counts[chosen]))
        linear[row] = source.linear_mean(change, library_size)
    cells = Prediction(
        X=counts.finish(),
        obs=_table(tables),
        genes=controls.genes,
        kind=Kind.CELLS,
        expression=Expression.COUNTS,
        target_sum=controls.target_sum,
    )
    return Synthetic(cells, linear)


def _generator(seed: int, condition: pd.Series) -> np.random.Generator:
    name = "\x1f".join(map(str, condition[CONDITION]))
    return np.random.default_rng([seed, crc32(name.encode())])


def control_sources(controls: Cells) -> dict[str, Source]:
    """Return the cells of each control group, ready to be changed."""
    names, measured = controls.control_moments()
    groups = controls.obs["control_group"]
    return {
        str(name): _source(controls.select((groups == name).to_numpy() & controls.is_control), mean)
        for name, mean in zip(names, measured.mean, strict=True)
    }


def _source(cells: Cells, mean: Floats) -> Source:
    assert cells.target_sum is not None
    return Source(cells.X, cells.obs["total_counts"].to_numpy(float), mean, cells.target_sum)


def _source_of(group: str, sources: Mapping[str, Source]) -> Source:
    if group not in sources:
        raise PredictionError(
            f"There are no given controls of control group {group!r} to make cells from; "
            "give some, or ask for means only."
        )
    return sources[group]


def _choose(n: int, max_cells: int, rng: np.random.Generator) -> Codes:
    if n <= max_cells:
        return np.arange(n)
    return np.sort(rng.choice(n, max_cells, replace=False))


def _cells_of(condition: pd.Series, total_counts: Floats) -> pd.DataFrame:
    return pd.DataFrame({**condition[CONDITION].to_dict(), "total_counts": total_counts})


def _check(prediction: Prediction, controls: Cells, max_cells: int) -> None:
    if max_cells < 1:
        raise OptionError(f"max_cells must be 1 or more; it is {max_cells}.")
    if controls.expression is not Expression.COUNTS:
        raise PredictionError(
            f"Cells can be made from controls that are counts alone; these are "
            f"{controls.expression}. Score the means only."
        )
    if prediction.kind is not Kind.MEAN or prediction.expression is not Expression.LOGNORM:
        raise PredictionError(
            f"Cells are made from means of lognorm values; the prediction is of kind "
            f"{prediction.kind}, in {prediction.expression}."
        )
    if prediction.target_sum not in (None, controls.target_sum):
        raise PredictionError(
            f"The predicted means refer to a target sum of {prediction.target_sum:g}, the "
            f"controls to {controls.target_sum:g}; predict at that of the controls."
        )


def _means(prediction: Prediction, controls: Cells, asked: pd.DataFrame) -> Floats:
    """Return the predicted means of the conditions asked about; NaN where there is none."""
    columns = gene_columns(prediction.genes, controls.genes)
    values = sparse.csr_matrix(prediction.X).toarray().astype(float)[:, columns]
    if not np.isfinite(values).all():
        raise PredictionError("Some predicted means are not finite; leave their conditions out.")
    return mean_rows(replace(prediction, X=values), asked)


def _table(tables: list[pd.DataFrame]) -> pd.DataFrame:
    empty = pd.DataFrame({"context": [], "perturbation": [], "total_counts": []})
    return pd.concat(tables, ignore_index=True) if tables else empty
