"""The field's words, spelled once: labels, column names, roles and statuses."""

from collections.abc import Mapping
from enum import StrEnum

CONTROL = "control"
"""The perturbation of an unperturbed cell."""

SHAM = "sham"
"""The category of tested conditions in which nothing was done: controls asked about."""

UNS = "wildcell"
"""The key of `AnnData.uns` under which the house keeps its own metadata."""

SCHEMA_VERSION = 1

REPLICATE = "replicate"
"""The pseudo-model that answers with one half of the test cells, judged on the other."""

CEILING = "ceiling"
"""The pseudo-model whose scores are those of the noise-free effect, computed analytically."""

REFERENCE = "reference"
"""What the reference baseline is called where it is judged by halves of the test cells."""

ORACLES = ("oracle-amplitude", "oracle-nearest", "oracle-span")
"""Pseudo-models that know one half of the test cells and answer in a form that models have."""

HALVES = ("first", "second")
"""Halves of the test cells that judge what the other half knows."""


class Expression(StrEnum):
    """What the numbers of a matrix are."""

    COUNTS = "counts"
    LOGNORM = "lognorm"
    LOG2 = "log2"


class Modality(StrEnum):
    """How a perturbation was brought about."""

    CRISPRA = "crispra"
    CRISPRI = "crispri"
    CRISPRKO = "crisprko"
    DRUG = "drug"
    CYTOKINE = "cytokine"

    @property
    def is_genetic(self) -> bool:
        """Whether a component's name is the name of the gene it targets."""
        return self in {Modality.CRISPRA, Modality.CRISPRI, Modality.CRISPRKO}


class Role(StrEnum):
    """What a condition, or a cell, is used for in one split."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"
    UNUSED = "unused"


class Look(StrEnum):
    """What a row of `looks.parquet` shows of a condition."""

    TRUE_GENE = "true gene"
    OWN_GENE = "own gene"
    TRUE_CELL = "true cell"
    PREDICTED_CELL = "predicted cell"
    CONTROL_CELL = "control cell"


class Kind(StrEnum):
    """What the rows of a prediction are."""

    CELLS = "cells"
    MEAN = "mean"


class Need(StrEnum):
    """What a metric must be given to be defined."""

    DELTA = "delta"
    LFC = "lfc"
    CELLS = "cells"
    COUNTS = "counts"
    ERROR = "error"
    REFERENCE = "reference"
    DE = "de"
    HALVES = "halves"
    SINGLES = "singles"


class Status(StrEnum):
    """Why a score is a number, or why it is not.

    `FLAT` and `MISSING` are abstentions: the truth is defined and the prediction says nothing.
    `UNDEFINED` is the truth's own: it has no effect to compare with.
    """

    OK = "ok"
    FLAT = "flat"
    MISSING = "missing"
    UNDEFINED = "undefined"
    TOO_FEW_CELLS = "too_few_cells"
    TOO_FEW_CONTROLS = "too_few_controls"
    TOO_FEW_CANDIDATES = "too_few_candidates"
    TOO_FEW_DE_GENES = "too_few_de_genes"
    NEEDS_CELLS = "needs_cells"
    NEEDS_COUNTS = "needs_counts"
    NEEDS_REFERENCE = "needs_reference"
    NO_HEADROOM = "no_headroom"
    NOT_APPLICABLE = "not_applicable"
    ERROR = "error"


ABSTENTIONS = (Status.FLAT, Status.MISSING)
"""Statuses whose scores take the metric's null value in every mean and rank."""

NAIVE_MODELS = (
    "no-change",
    "context-transfer",
    "perturbed-mean",
    "additive",
    "matching-mean",
    "dose-interpolation",
)
"""Models that say only what was measured elsewhere: a model is worth having if it beats each."""

NEGATIVE_MODELS = ("random", "shuffled")
"""Models that are wrong on purpose: nothing is claimed of them."""

CONDITION = ["context", "perturbation"]
"""The columns that name a condition, the unit of splitting, asking and scoring."""

SCORE_COLUMNS = [
    "scenario",
    "dataset",
    "arm",
    "model",
    "seed",
    "fold",
    "preset",
    "level",
    "context",
    "perturbation",
    "category",
    "metric",
    "value",
    "numerator",
    "denominator",
    "null",
    "n_truth",
    "n_prediction",
    "status",
]

N_BLOCKS = 20
"""Blocks of kept controls that are left out in turn, and of the test cells of a condition."""

SHAKEN = [f"shaken_{block}" for block in range(N_BLOCKS)]
SHAKEN_UNDER = [f"shaken_under_{block}" for block in range(N_BLOCKS)]
"""How far a score, or the parts of a ratio of sums, moves without each block."""

BY_CELLS = [f"by_cells_{block}" for block in range(N_BLOCKS)]
"""What is explained, the numerator of `effect_r2`, by each block of the test cells alone."""

CONDITION_COLUMNS = [
    "scenario",
    "dataset",
    "arm",
    "seed",
    "fold",
    "context",
    "perturbation",
    "control_group",
    "modality",
    "n_components",
    "n_cells",
    "role",
    "reason",
    "category",
    "context_distance",
    "context_distance_mean",
    "context_x",
    "context_y",
    "perturbation_distance",
    "effect_size",
    "n_de_genes",
    "correlation_ceiling",
    "unknown",
    "judged",
    "components",
]

COST_COLUMNS = ["wall_s", "cpu_s", "peak_memory_mb", "device_peak_memory_mb", "n_cells", "batch"]


def with_options(name: str, options: Mapping[str, object]) -> str:
    """Return a name that says what was changed, so that results of the two are never mixed.

    Examples
    --------
    >>> with_options("ridge", {"alpha": 1.0})
    'ridge[alpha=1.0]'
    """
    words = ",".join(f"{key}={value}" for key, value in sorted(options.items()))
    return f"{name}[{words}]" if words else name


def without_options(name: str) -> str:
    """Return a name without the options that it bears in brackets.

    Examples
    --------
    >>> without_options("ridge[alpha=1.0]")
    'ridge'
    """
    return name.partition("[")[0]
