"""What a person would look at in single conditions: some genes, and some cells."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from wildcell.arrays import Booleans, Codes, Floats, Matrix
from wildcell.metrics.components import Components
from wildcell.metrics.grouped import sampled, stacked
from wildcell.metrics.response import Response
from wildcell.names import CONTROL, Look

N_TRUE_GENES = 30
"""Genes that the truth changes most surely."""

N_OWN_GENES = 10
"""Others, that the prediction changes most."""

N_CELLS = 30
DUST = 1e-9
"""Deltas no larger are the rounding of sums."""


def looks(truth: Response, prediction: Response, *, has_cells: bool) -> pd.DataFrame:
    """Return what a prediction says beside the truth: of some genes, and of some cells.

    Parameters
    ----------
    truth, prediction
        Of the same perturbations.
    has_cells
        Whether cells are looked at, too, where both sides have some: principal components of the
        truth are fitted for it, unless a metric has done so.

    Returns
    -------
    Columns perturbation, look, gene, x, y and error. Of genes (`look` is `true gene` for those that
    the truth changes most surely, the surest first, `own gene` for others that the prediction
    changes most) the true delta, the predicted one, NaN for no answer, and the standard error of
    the true one. Of cells (`true cell`, `predicted cell`, and `control cell`, of the perturbation
    `control`) the first two principal components that one half of the true cells and the kept
    controls have; the true cells are of the other half.
    """
    tables = [_genes(truth, prediction)]
    if has_cells:
        tables += _cells(truth, prediction)
    return pd.concat(tables, ignore_index=True).astype({"x": "f4", "y": "f4", "error": "f4"})


def _genes(truth: Response, prediction: Response) -> pd.DataFrame:
    error = _standard_error(truth)
    chosen = [
        part
        for row in range(len(truth.perturbations))
        for part in _chosen(truth, prediction.delta, error, row)
    ]
    sizes = [len(part) for part in chosen]
    gene = np.concatenate([*chosen, np.empty(0, dtype=np.intp)]).astype(np.intp)
    part = np.repeat(np.arange(len(chosen)), sizes)
    row = part // 2
    return pd.DataFrame(
        {
            "perturbation": np.array(truth.perturbations, dtype=object)[row],
            "look": np.where(part % 2, str(Look.OWN_GENE), str(Look.TRUE_GENE)),
            "gene": truth.genes[gene],
            "x": truth.delta[row, gene],
            "y": prediction.delta[row, gene],
            "error": error[row, gene],
        }
    )


def _chosen(truth: Response, predicted: Floats, error: Floats, row: int) -> tuple[Codes, Codes]:
    """Return the genes of one perturbation that the truth, and that the prediction changes most."""
    kept = truth.kept_genes[row]
    surely = _largest(_sureness(truth.delta[row], error[row]), kept, N_TRUE_GENES)
    others = kept.copy()
    others[surely] = False
    return surely, _largest(np.abs(predicted[row]), others, N_OWN_GENES)


def _standard_error(truth: Response) -> Floats:
    """Return the standard errors of the deltas, NaN where they are unknown."""
    if truth.error is None or truth.control_error is None:
        return np.full(truth.mean.shape, np.nan)
    return np.asarray(np.sqrt(truth.error + truth.control_error))


def _sureness(delta: Floats, error: Floats) -> Floats:
    """Return deltas over their errors, those of quiet genes raised by the median error."""
    known = error[np.isfinite(error)]
    if not len(known):
        return np.abs(delta)
    middle = np.median(known)
    return np.asarray(np.abs(delta) / (np.where(np.isfinite(error), error, middle) + middle))


def _largest(values: Floats, kept: Booleans, n: int) -> Codes:
    """Return the places of the `n` largest values among those kept, falling."""
    known = np.where(kept & (values > DUST), values, 0.0)
    few = np.argpartition(-known, n)[:n] if n < len(known) else np.arange(len(known))
    order = few[np.lexsort((few, -known[few]))]
    return np.asarray(order[known[order] > 0])


def _cells(truth: Response, prediction: Response) -> Iterator[pd.DataFrame]:
    if truth.folds is None or prediction.sample is None:
        return
    plane = truth.components[0]
    if plane is None:
        return
    plane = Components(plane.centre, plane.loadings[:, :2], plane.variances[:2])
    names = truth.perturbations
    yield _placed(truth.folds[0], names, plane, Look.TRUE_CELL)
    yield _placed(prediction.sample, names, plane, Look.PREDICTED_CELL)
    if truth.control_cells is not None:
        controls = [CONTROL] * len(truth.control_cells)
        yield _placed(truth.control_cells, controls, plane, Look.CONTROL_CELL)


def _placed(
    cells: Sequence[Matrix], names: Sequence[str], plane: Components, look: Look
) -> pd.DataFrame:
    rows, group = stacked(sampled(cells, N_CELLS, names), np.arange(len(cells)))
    places = plane.transform(rows)
    beyond = np.zeros((len(places), 2 - places.shape[1]))
    x, y = np.hstack([places, beyond]).T
    return pd.DataFrame(
        {
            "perturbation": np.array(names, dtype=object)[group],
            "look": str(look),
            "gene": "",
            "x": x,
            "y": y,
            "error": np.nan,
        }
    )
