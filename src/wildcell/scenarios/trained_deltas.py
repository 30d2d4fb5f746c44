"""What the perturbations did in training, for those who judge: no model is asked."""

from collections.abc import Iterator

import numpy as np

from wildcell.arrays import Floats, Names
from wildcell.scenarios.task import Cells, Task


def trained_deltas(task: Task, genes: Names) -> Floats:
    """Return the deltas of all conditions that can be learnt from, validation included.

    Parameters
    ----------
    task
        What models are given. Conditions without controls are passed over.
    genes
        The genes of the result; where cells were not given them, nothing was done.

    Returns
    -------
    Shape (n_trained, n_genes).

    Examples
    --------
    >>> from wildcell.testing import toy_questions
    >>> task, truth = toy_questions()["unseen-perturbation"]
    >>> found = trained_deltas(task, truth.test.genes)
    >>> found.shape[1] == len(truth.test.genes), bool(np.isfinite(found).all())
    (True, True)
    """
    known = [
        _deltas(own, genes)
        for cells in (task.train, task.val)
        for own in _by_screen(cells)
        if own.is_control.any() and not own.is_control.all()
    ]
    return np.concatenate([np.zeros((0, len(genes))), *known])


def _by_screen(cells: Cells) -> Iterator[Cells]:
    """Yield the cells of each screen: contexts and controls of two may have the same names."""
    names = cells.obs.get("dataset")
    if names is None or names.nunique() < 2:
        yield cells
        return
    for name in sorted(names.unique()):
        yield cells.select((names == name).to_numpy())


def _deltas(cells: Cells, genes: Names) -> Floats:
    conditions, measured = cells.condition_moments()
    groups, control = cells.control_moments()
    group = groups.get_indexer(conditions["control_group"].astype(str))
    has_controls = group >= 0
    delta = measured.mean[has_controls] - control.mean[group[has_controls]]
    places = {name: place for place, name in enumerate(cells.genes)}
    columns = np.array([places.get(name, -1) for name in genes], dtype=np.intp)
    return np.where(columns >= 0, delta[:, columns], 0.0)
