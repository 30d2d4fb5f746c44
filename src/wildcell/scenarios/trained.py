"""What models are trained on, in a hash: where it is the same, arms differ in words alone."""

from wildcell.scenarios.task import Cells, Task
from wildcell.store.fingerprint import fingerprint


def trained_on(task: Task) -> str:
    """Return the hash of all that models may learn from.

    It is of the training and validation cells, with their labels, genes, depths and embedding, the
    parts of their perturbations, and the features of components; what is asked is not in it.

    Examples
    --------
    >>> from wildcell.testing import toy_questions
    >>> task, truth = toy_questions()["unseen-context"]
    >>> len(trained_on(task))
    32
    """
    components = task.query.components
    perturbations = {*task.train.obs["perturbation"], *task.val.obs["perturbation"]}
    known = components[components["perturbation"].isin(perturbations)]
    return fingerprint(
        _content(task.train),
        _content(task.val),
        known.reset_index(drop=True),
        task.query.features,
        task.epoch_cells,
        task.unmeasured,
    )


def _content(cells: Cells) -> str:
    return fingerprint(
        cells.X, cells.genes, cells.obs, cells.expression, cells.target_sum, cells.embedding
    )
