"""The switches on which scorers differ, named."""

from dataclasses import dataclass

from wildcell.metrics.differential import Test


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
    test
        The test of differential expression.
    has_continuity
        Whether a Mann-Whitney test is corrected for continuity.
    alpha
        The false discovery rate below which a gene is differentially expressed.
    min_de_genes
        Differentially expressed genes that a truth must have for metrics of their recovery.
    n_components
        Principal components of the truth in which clouds of cells are compared, at most.
    max_component_cells
        Cells that the components of both halves are fitted to, at most, half of them controls.
    detected_share
        The second panel is the genes found in at least this share of the given controls.
    """

    name: str = "wildcell"
    lfc_target_sum: float = 10_000.0
    lfc_pseudocount: float = 0.1
    n_top_genes: int = 50
    min_controls: int = 20
    flat_tolerance: float = 1e-6
    max_cells: int = 2_000
    removes_targets: bool = True
    test: Test = "mann_whitney"
    has_continuity: bool = True
    alpha: float = 0.05
    min_de_genes: int = 10
    n_components: int = 50
    max_component_cells: int = 4_000
    detected_share: float = 0.05


OURS = Convention()
