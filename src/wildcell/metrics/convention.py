"""The switches on which scorers differ, named."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wildcell.errors import UnknownNameError
from wildcell.metrics.differential import Test
from wildcell.registry import did_you_mean


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
    shares_controls
        Whether truth and prediction are measured against the same controls, all of them, as most
        scorers do; of cells in memory alone.
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
    shares_controls: bool = False


OURS = Convention()

ALTERNATIVES = {
    convention.name: convention
    for convention in (
        replace(OURS, name="shared-controls", shares_controls=True),
        replace(OURS, name="targets-kept", removes_targets=False),
        replace(OURS, name="pseudocount-1", lfc_pseudocount=1.0),
        replace(OURS, name="top-20-genes", n_top_genes=20),
        replace(OURS, name="welch-test", test="welch"),
    )
}
"""Ours with one switch turned, by name: what the choice is worth."""


def find_conventions(names: Sequence[str]) -> list[Convention]:
    """Return alternatives by name; `all` is all of them.

    Raises
    ------
    UnknownNameError
        There is no such alternative.

    Examples
    --------
    >>> [convention.removes_targets for convention in find_conventions(["targets-kept"])]
    [False]
    """
    chosen = list(ALTERNATIVES) if "all" in names else list(dict.fromkeys(names))
    for name in chosen:
        if name not in ALTERNATIVES:
            raise UnknownNameError(f"No convention {name!r}. {did_you_mean(name, ALTERNATIVES)}")
    return [ALTERNATIVES[name] for name in chosen]
