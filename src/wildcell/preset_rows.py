"""What two files hold, as a preset looks at them: genes, scale, and the cells of some conditions.

Numbers are read when cells are asked for, and nothing here holds on to them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Codes, Matrix, Names, log_normalise
from wildcell.datasets.open import OpenCells
from wildcell.errors import DataError, OptionError, PredictionError
from wildcell.metrics.evidence import Cloud, Side, side_of_cells
from wildcell.metrics.preset import Preset
from wildcell.names import CONTROL, Expression, Kind
from wildcell.scenarios.answer import check_values, gene_columns
from wildcell.scenarios.control_labels import where_controls_may_be
from wildcell.scenarios.folder import is_truth
from wildcell.scenarios.reading import (
    Labels,
    check_mean_scale,
    check_source,
    labelled,
    library_size,
    prediction_kind,
    stated_or_detected,
)
from wildcell.streams.matrix import read_all


@dataclass(frozen=True)
class Rows:
    """What one file holds: cells or means, with their labels.

    Attributes
    ----------
    read
        Returns the numbers, shape (n_rows, n_genes), read anew each time.
    obs
        Columns context, perturbation, control_group.
    genes
        Gene symbols, shape (n_genes,).
    expression
        What the numbers are.
    kind
        What the rows are.
    depth
        The library size of log values, where it is known.
    """

    read: Callable[[], Matrix]
    obs: pd.DataFrame
    genes: Names
    expression: Expression
    kind: Kind
    depth: float | None = None


def rows_of(
    given: OpenCells,
    labels: Labels,
    expression: Expression | None,
    *,
    is_measured: bool = False,
) -> tuple[Rows, str]:
    """Return what cells from elsewhere hold, and a sentence on how their scale is known.

    Their numbers are looked at, a part at a time.
    """
    read = labelled(given, Labels() if is_truth(given.uns) else labels)
    if is_measured:
        _check_sides(read.cells.obs)
    found, note = stated_or_detected(read, expression)
    kind = Kind.CELLS if is_truth(given.uns) else prediction_kind(read.cells)
    check_mean_scale(read.file, kind, found)
    obs = read.cells.obs[["context", "perturbation", "control_group"]].reset_index(drop=True)
    if is_measured and kind is Kind.CELLS:
        check_source(read, found)
    else:
        check_values(read.look, found, obs)
    rows = Rows(
        read=lambda: read_all(given.X),
        obs=obs,
        genes=read.cells.var_names.to_numpy(dtype=object),
        expression=found,
        kind=kind,
        depth=library_size(read) if found is Expression.LOGNORM else None,
    )
    return rows, note


def _check_sides(obs: pd.DataFrame) -> None:
    """Refuse a truth of controls alone, or of none."""
    is_control = obs["perturbation"] == CONTROL
    if is_control.all():
        raise DataError(
            f"The truth has no perturbed cells: it holds controls alone, {len(obs)} cells. Give "
            "the cells that were perturbed, too."
        )
    if not is_control.any():
        likely = where_controls_may_be(obs["perturbation"])
        raise DataError(f"The truth has no control cells. {likely}")


def on_genes(rows: Rows, genes: Names) -> Rows:
    """Return rows on some of their genes, in the order given."""
    if len(genes) == 0:
        raise PredictionError("The prediction and the truth have no genes in common.")
    if np.array_equal(rows.genes, genes):
        return rows
    columns = gene_columns(rows.genes, genes)
    return replace(rows, read=lambda: rows.read()[:, columns], genes=genes)


def common_target_sum(
    preset: Preset, answered: Rows, measured: Rows
) -> tuple[float | None, list[str]]:
    """Return the library size that counts are brought to: the preset's, or that of given logs."""
    scales = {answered.expression, measured.expression}
    if scales != {Expression.COUNTS, Expression.LOGNORM}:
        if Expression.LOG2 in scales and len(scales) > 1:
            raise PredictionError(
                f"The prediction holds {answered.expression} and the truth {measured.expression} "
                "values; bring them to one scale."
            )
        return preset.target_sum, []
    given = answered if answered.expression is Expression.LOGNORM else measured
    assumed = preset.target_sum if given.kind is Kind.MEAN else None
    size = given.depth or assumed
    if size is None:
        raise OptionError(
            "One file holds counts and the other log values of a library size that cannot be "
            "seen; give both as counts or both as log values."
        )
    return size, [f"Counts are brought to the library size of the log values, {size:.6g}."]


def in_logs(rows: Rows, target_sum: float | None) -> Rows:
    """Return rows of log values: counts at a target sum, of None at the median of their sums.

    Library sizes are those of the genes at hand, as packages take them.
    """
    if rows.expression is not Expression.COUNTS:
        return rows
    return replace(
        rows, read=lambda: _logs_of(rows.read(), target_sum), expression=Expression.LOGNORM
    )


def _logs_of(counts: Matrix, target_sum: float | None) -> Matrix:
    depth = np.asarray(counts.sum(axis=1), dtype=float).ravel()
    size = float(np.median(depth[depth > 0])) if target_sum is None else target_sum
    return log_normalise(counts, depth, size)


def true_sides(rows: Rows, asked: Mapping[str, Sequence[str]], preset: Preset) -> dict[str, Side]:
    """Return the truth's side of each context, of the perturbations asked there."""
    sides, X = {}, rows.read() if asked else None
    for context, names in asked.items():
        controls = _controls(rows, X, control_groups(rows, context))
        if controls is None:
            raise DataError(f"The truth has no controls in {context!r}; add them, or leave it out.")
        cells = _cloud(rows, X, context, names)
        sides[context] = preset.reduced(side_of_cells(cells, len(names), controls))
    return sides


def predicted_sides(
    rows: Rows,
    asked: Mapping[str, Sequence[str]],
    preset: Preset,
    measured: Rows,
    true: Mapping[str, Side],
) -> dict[str, Side]:
    """Return the prediction's side of each context, beside the controls that the preset takes."""
    sides, X = {}, rows.read() if asked else None
    for context, names in asked.items():
        controls = true[context].controls
        if preset.controls == "prediction":
            controls = _controls(rows, X, control_groups(measured, context))
        if rows.kind is Kind.MEAN:
            sides[context] = _side_of_means(rows, X, context, names, controls)
        else:
            cells = _cloud(rows, X, context, names)
            sides[context] = preset.reduced(side_of_cells(cells, len(names), controls))
    return sides


def _side_of_means(
    rows: Rows, X: Matrix, context: str, names: Sequence[str], controls: Cloud | None
) -> Side:
    where = rows.obs.index[rows.obs["context"] == context]
    place = pd.Series(where, index=rows.obs.loc[where, "perturbation"])
    if not place.index.is_unique:
        raise PredictionError(
            f"The prediction has several means of one condition in {context!r}; give one row a "
            "condition, or cells."
        )
    mean = np.asarray(X[place[list(names)].to_numpy()].toarray(), dtype=np.float64)
    control = None if controls is None else np.asarray(controls.X.mean(axis=0)).ravel()
    return Side(mean, np.zeros(len(names), dtype=np.int64), control, None, controls)


def conditions_of(rows: Rows) -> dict[str, list[str]]:
    """Return the perturbations of each context, sorted."""
    perturbed = rows.obs[rows.obs["perturbation"] != CONTROL]
    groups = perturbed.groupby("context", sort=True)["perturbation"]
    return {str(context): sorted(set(names)) for context, names in groups}


def sizes_of(rows: Rows, context: str) -> dict[str, int]:
    """Return the rows of each perturbation of a context."""
    return rows.obs.loc[rows.obs["context"] == context, "perturbation"].value_counts().to_dict()


def control_groups(rows: Rows, context: str) -> set[str]:
    """Return the groups of controls that the cells of a context are measured against."""
    is_here = (rows.obs["context"] == context) & (rows.obs["perturbation"] != CONTROL)
    return set(rows.obs.loc[is_here, "control_group"])


def _controls(rows: Rows, X: Matrix, groups: set[str]) -> Cloud | None:
    is_control = (rows.obs["perturbation"] == CONTROL) & rows.obs["control_group"].isin(groups)
    where = np.flatnonzero(is_control)
    return Cloud(taken(X, where), np.zeros(len(where), dtype=np.intp)) if len(where) else None


def _cloud(rows: Rows, X: Matrix, context: str, names: Sequence[str]) -> Cloud:
    codes = pd.Index(names).get_indexer(rows.obs["perturbation"])
    codes[(rows.obs["context"] != context).to_numpy()] = -1
    where: Codes = np.flatnonzero(codes >= 0)
    return Cloud(taken(X, where), codes[where])


def taken(X: Matrix, rows: Codes) -> Matrix:
    """Return some rows, ascending; they share the memory of `X` where they are consecutive.

    Examples
    --------
    >>> from scipy import sparse
    >>> taken(sparse.csr_matrix(np.eye(3)), np.array([1, 2])).indices.tolist()
    [1, 2]
    """
    if len(rows) == 0 or rows[-1] - rows[0] >= len(rows):
        return X[rows]
    bounds = X.indptr[rows[0] : rows[-1] + 2]
    inside = slice(int(bounds[0]), int(bounds[-1]))
    parts = X.data[inside], X.indices[inside], bounds - bounds[0]
    return sparse.csr_matrix(parts, shape=(len(rows), X.shape[1]))
