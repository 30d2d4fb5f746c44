"""What a network is shown at once: cells as dense arrays, and what was done to them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from wildcell.arrays import Codes, Matrix, Names
from wildcell.models.neural.backend import Tensor, torch
from wildcell.models.neural.treatment import Treatments


@dataclass(frozen=True)
class Batch:
    """Control cells, what is done to them, and cells to which it was done.

    Attributes
    ----------
    control
        Log values of control cells, shape (n, n_genes).
    control_state
        What encoders read of them: the cell embedding, or else the log values.
    perturbed, perturbed_state
        The same of cells of the conditions; None where they are what is asked.
    inputs
        Shape (n_inputs, n_columns): a row a component of any perturbation here.
    weights
        Shape (n_perturbations, n_inputs): how much of each is in each perturbation.
    treatment
        Perturbation of each pair, a row of `weights`, shape (n,).
    covariates
        One-hot context, equal shares of all for one that was not trained on, (n, n_contexts).
    condition
        Number of the condition of each pair, shape (n,).
    components
        The component of each row of `inputs`, shape (n_inputs,).
    set_size
        Consecutive pairs of one condition.
    measured
        1 where the screen of a pair measured a gene and 0 where it did not, shape (n, n_genes);
        None where all genes were measured.
    """

    control: Tensor
    control_state: Tensor
    perturbed: Tensor
    perturbed_state: Tensor
    inputs: Tensor
    weights: Tensor
    treatment: Tensor
    covariates: Tensor
    condition: Codes
    components: Names
    set_size: int = 1
    measured: Tensor | None = None

    def known(self, values: Tensor) -> Tensor:
        """Return values of the pairs' genes, 0 at those that their screens did not measure.

        Whatever a loss says of genes goes through this, so that it says nothing of the others.
        """
        return values if self.measured is None else values * self.measured

    def sum_of_parts(self, embedded: Tensor) -> Tensor:
        """Return, for each pair, the weighted sum of what each component was embedded as.

        Parameters
        ----------
        embedded
            Shape (n_inputs, n_dimensions).
        """
        return (self.weights.to(embedded.dtype) @ embedded)[self.treatment]


def treatment_arrays(
    treatments: Treatments, perturbations: Codes
) -> tuple[NDArray[np.float32], NDArray[np.float32], Codes, Names]:
    """Return inputs, weights, rows of weights for one perturbation a pair, and names of inputs.

    Only the components and perturbations that occur are kept; a negative perturbation is none.

    Parameters
    ----------
    treatments
        All perturbations.
    perturbations
        Perturbation of each pair, shape (n,).
    """
    found, rows = np.unique(perturbations, return_inverse=True)
    weights = treatments.weights[np.maximum(found, 0)].toarray()
    weights[found < 0] = 0.0
    used = np.flatnonzero(weights.any(axis=0))
    if not len(used):
        used = np.array([0])  # networks want a row at least
    rows = rows.astype(np.int64)
    return treatments.inputs[used], weights[:, used], rows, treatments.names[used]


def dense(values: Matrix | NDArray[Any], rows: Codes) -> NDArray[np.float32]:
    """Return rows of a matrix as a dense array, in float32."""
    taken: Any = values[rows]
    if sparse.issparse(taken):
        taken = taken.toarray()
    return np.ascontiguousarray(taken, dtype=np.float32)


def to_device(array: NDArray[Any], device: Any) -> Tensor:
    """Return an array as a tensor, copied without waiting where the device can."""
    tensor = torch.from_numpy(array)
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
