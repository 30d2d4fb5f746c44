"""Rank tests of more cells than fit in memory: values wait by gene in a temporary file."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildcell.arrays import Codes, Matrix
from wildcell.metrics.mann_whitney import (
    MAX_BYTES,
    RankTest,
    SortableGenes,
    rank_test,
    refuse_too_many,
    sign_of,
)
from wildcell.metrics.ranks import Plan
from wildcell.parallel import compiled, cores
from wildcell.streams.transpose import Transposed


@dataclass(frozen=True)
class RankStore:
    """Labelled cells whose genes can be tested when all have been added.

    Attributes
    ----------
    values
        Their log values, by gene.
    """

    values: Transposed

    @classmethod
    def of_nothing(cls, n_genes: int, n_labels: int) -> "RankStore":
        """Return an empty store for cells of `n_labels` labels.

        Examples
        --------
        >>> from scipy import sparse
        >>> from wildcell.metrics.mann_whitney import against_controls
        >>> store = RankStore.of_nothing(n_genes=1, n_labels=2)
        >>> cells = sparse.csr_matrix(np.array([[5], [1], [6], [2]], np.float32))
        >>> store.add(cells, np.array([0, 1, 0, 1]))
        >>> store.test(against_controls(np.array([2]), 2)).statistic.tolist()
        [[4.0]]
        """
        mark_type = np.uint16 if n_labels <= np.iinfo(np.uint16).max else np.int32
        return cls(Transposed.of_nothing(n_genes, mark_type=mark_type, value_type=np.float32))

    def add(self, lognorm: Matrix, labels: Codes) -> None:
        """Add cells, canonical CSR in float32; those with a negative label are passed over."""
        self.values.add(lognorm, labels)

    def test(
        self, plan: Plan, *, continuity: bool = True, n_threads: int | None = None
    ) -> RankTest:
        """Test every gene of every group: equal to `mann_whitney` on all cells at once.

        Parameters
        ----------
        plan
            Which labels are compared with which.
        continuity, n_threads
            As in `mann_whitney`.
        """
        refuse_too_many(plan)

        def read(genes: slice) -> SortableGenes:
            bounds, labels, values = self.values.read(genes.start, genes.stop)
            keys = values.view(np.uint32)
            _to_keys(keys, sign_of(keys.dtype))
            return SortableGenes(bounds, labels, keys)

        return rank_test(
            read,
            self.values.counts,
            plan,
            continuity=continuity,
            n_threads=n_threads or cores(),
            max_bytes=MAX_BYTES,
        )


@compiled
def _to_keys(bits: NDArray[Any], sign: Any) -> None:
    """Turn the bits of floats into integers of their order, in place."""
    for i in range(len(bits)):
        bits[i] = ~bits[i] if bits[i] & sign else bits[i] | sign
