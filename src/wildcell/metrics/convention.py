"""The switches on which scorers differ, named."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Convention:
    """How scores are computed where the field's scorers disagree. The default is ours.

    Attributes
    ----------
    name
        What the scores' `preset` column says.
    lfc_target_sum
        Library size at which arithmetic means are taken for log2 fold changes.
    lfc_pseudocount
        Added to both means of a log2 fold change.
    n_top_genes
        How many genes of largest true delta the top-gene metrics look at.
    min_controls
        Controls a control group must have, both halves together, for delta metrics.
    flat_tolerance
        A delta whose spread over genes is below this share of its profile's is flat.
    max_cells
        Cells a condition that enter pairwise distances, at most.
    removes_targets
        Whether genes that a perturbation targets directly are left out of its delta metrics, and
        out of every candidate's in retrieval.
    """

    name: str = "wildcell"
    lfc_target_sum: float = 10_000.0
    lfc_pseudocount: float = 0.1
    n_top_genes: int = 50
    min_controls: int = 20
    flat_tolerance: float = 1e-6
    max_cells: int = 2_000
    removes_targets: bool = True


OURS = Convention()
