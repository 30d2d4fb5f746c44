"""A model's answer, as a record."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from wildcell.arrays import Floats, Matrix, Names
from wildcell.names import CONDITION, Expression, Kind
from wildcell.scenarios.task import Query


@dataclass(frozen=True)
class Prediction:
    """Predicted cells, or predicted means, of some conditions.

    Attributes
    ----------
    X
        Shape (n_rows, n_genes): one row a predicted cell, or one row a condition's mean of log
        values, as `kind` says.
    obs
        Columns context, perturbation; one row a row of `X`. Predicted counts of a subset of the
        genes carry their library sizes in total_counts.
    genes
        Gene symbols, shape (n_genes,).
    kind
        What the rows are.
    expression
        The scale of `X`. A mean is always a mean of log values.
    target_sum
        The library size that log1p values refer to; None for the task's own.
    """

    X: Matrix | Floats
    obs: pd.DataFrame
    genes: Names
    kind: Kind
    expression: Expression = Expression.LOGNORM
    target_sum: float | None = None


def predicted_means(query: Query, mean: Floats) -> Prediction:
    """Wrap the mean log values of each condition of a query as a prediction.

    Parameters
    ----------
    query
        What was asked.
    mean
        Shape (n_conditions, n_genes), rows in the order of `query.conditions`. Values below 0 are
        raised to 0 unless the scale is that of arrays, where negative values have a meaning.
    """
    controls = query.controls
    is_array = controls.expression is Expression.LOG2
    return Prediction(
        X=mean if is_array else np.maximum(mean, 0.0),
        obs=query.conditions[CONDITION].copy(),
        genes=controls.genes,
        kind=Kind.MEAN,
        expression=Expression.LOG2 if is_array else Expression.LOGNORM,
        target_sum=controls.target_sum,
    )
