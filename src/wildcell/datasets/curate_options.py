"""What one has to say about a source so that it can be curated.

Light to import: the command line reads its options from here.
"""

from dataclasses import dataclass
from pathlib import Path

from wildcell.errors import OptionError
from wildcell.names import CONTROL, Expression, Modality

MIN_CELLS = 2
"""With fewer cells a condition has no spread, and a control group no two halves."""


@dataclass(frozen=True)
class CurateOptions:
    """What a source calls things, and what is known of it.

    Attributes
    ----------
    perturbation_column
        Column of obs with the label of each cell's perturbation.
    name
        What the data set is called in tables; by default, after the file written.
    control
        Label of the control cells, also where it stands for one half of a combination.
    combination_separator
        What joins the parts of a combination; without it, a label is one perturbation.
    context_column
        Column of obs with the context: cell line, cell type, donor.
    context
        Context of all cells, in place of a column.
    control_group_column
        Column of obs that, together with the context, tells which controls belong to a cell; by
        default the context alone does.
    modality
        How all perturbations were brought about.
    modality_column
        Column of obs with the modality, in place of one for all; case and hyphens do not matter.
    dose_column
        Column of obs with the dose, a number.
    dose_unit
        Unit of the doses.
    time_column
        Column of obs with the time after the perturbation, a number.
    batch_column
        Column of obs with the batch.
    replicate_column
        Column of obs with the replicate: donor, well, guide.
    where
        Keep the cells with COLUMN=VALUE, or COLUMN!=VALUE; all clauses must hold.
    drop
        Drop the cells with COLUMN=VALUE, such as doublets, and count them; none need be there.
    labels
        Table of labels (csv, tsv, parquet) with cell barcodes in its first column, joined to obs.
    counts_layer
        Layer that holds raw counts; `raw` also finds AnnData.raw. By default X is taken.
    expression
        What X holds; needed unless X or a layer holds counts.
    target_sum
        What each cell of log-normalised data summed to before the logarithm.
    total_counts_column
        Column of obs with the counts of each cell over all genes measured; by default, row sums.
    gene_subset
        Whether the genes are a subset of those measured; by default, whether the total counts
        exceed the row sums.
    gene_column
        Column of var with gene symbols; by default, the names of the genes.
    gene_names
        Table (csv, tsv) by which genes get their current symbols: HGNC's complete set, or two
        columns, from and to.
    min_genes
        Drop cells with fewer genes detected.
    min_controls
        Drop control groups, by default contexts, with fewer control cells.
    min_cells
        Drop conditions with fewer cells.
    max_perturbations
        Keep this many perturbations, those with most cells.
    min_cells_per_gene
        Drop genes detected in fewer cells.
    source
        Where the data come from; by default, the name of the file read.
    licence
        Licence of the data.
    citation
        What to cite for the data.
    recipe_version
        Version of these choices; raise it when they change.
    """

    perturbation_column: str
    name: str = ""
    control: str = CONTROL
    combination_separator: str | None = None
    context_column: str | None = None
    context: str | None = None
    control_group_column: str | None = None
    modality: Modality | None = None
    modality_column: str | None = None
    dose_column: str | None = None
    dose_unit: str = ""
    time_column: str | None = None
    batch_column: str | None = None
    replicate_column: str | None = None
    where: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    labels: Path | None = None
    counts_layer: str | None = None
    expression: Expression | None = None
    target_sum: float | None = None
    total_counts_column: str | None = None
    gene_subset: bool | None = None
    gene_column: str | None = None
    gene_names: Path | None = None
    min_genes: int = 0
    min_controls: int = 0
    min_cells: int = MIN_CELLS
    max_perturbations: int | None = None
    min_cells_per_gene: int = 0
    source: str = ""
    licence: str = ""
    citation: str = ""
    recipe_version: int = 1

    def __post_init__(self) -> None:
        if (self.context is None) == (self.context_column is None):
            raise OptionError("Give one of --context-column and --context NAME.")
        if (self.modality is None) == (self.modality_column is None):
            raise OptionError(
                f"Give one of --modality ({', '.join(Modality)}) and --modality-column."
            )
        if self.counts_layer and self.expression not in {None, Expression.COUNTS}:
            raise OptionError(
                f"--counts-layer {self.counts_layer} holds counts, not {self.expression}: give one "
                "of --counts-layer and --expression."
            )
        if self.dose_unit and self.dose_column is None:
            raise OptionError("--dose-unit is the unit of the doses: name their --dose-column too.")
        if self.target_sum is not None and self.expression != Expression.LOGNORM:
            raise OptionError("--target-sum belongs to log-normalised data: --expression lognorm.")
        if self.min_cells < MIN_CELLS:
            raise OptionError(f"--min-cells is {self.min_cells}; the least is {MIN_CELLS}.")
        if self.max_perturbations is not None and self.max_perturbations < 1:
            raise OptionError(f"--max-perturbations is {self.max_perturbations}; the least is 1.")
