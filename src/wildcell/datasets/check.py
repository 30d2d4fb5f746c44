"""Everything that is wrong with a file that should be a curated data set, said at once.

The schema is described in docs/reference/files.md.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from wildcell.datasets.check_expression import check_expression
from wildcell.datasets.curate_options import MIN_CELLS
from wildcell.datasets.dataset import COMPONENT_COLUMNS
from wildcell.datasets.labels import as_text, is_missing, some_of
from wildcell.datasets.values import ValueSummary
from wildcell.names import CONDITION, CONTROL, SCHEMA_VERSION, UNS, Expression, Modality

REQUIRED_METADATA = [
    "schema_version",
    "expression",
    "gene_subset",
    "source",
    "sha256",
    "licence",
    "citation",
    "recipe_version",
    "components",
]

LABEL_COLUMNS = ["perturbation", "context", "dataset", "modality", "control_group"]
"""Columns of `obs` in which every cell must have a label."""

OPTIONAL_LABEL_COLUMNS = ["batch", "replicate"]
"""Columns of `obs` that must be there, and whose labels are empty where unknown."""


def check_cells(cells: ad.AnnData) -> list[str]:
    """List every problem of cells that should follow the curated schema.

    Parameters
    ----------
    cells
        AnnData in memory or backed by a file, `X` of shape (n_cells, n_genes).

    Returns
    -------
    One sentence a problem, with numbers and first examples; none for a curated data set.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> check_cells(ad.AnnData(np.ones((3, 2))))[0]
    "There is no metadata in uns['wildcell']: make it with wildcell curate."
    """
    if cells.X is None or 0 in cells.shape:
        return [f"X is empty: {cells.n_obs} cells, {cells.n_vars} genes."]
    metadata = cells.uns.get(UNS)
    metadata = metadata if isinstance(metadata, Mapping) else {}
    return [
        *_check_metadata(metadata),
        *_check_columns(cells.obs),
        *_check_unique("gene", cells.var_names),
        *_check_unique("cell", cells.obs_names),
        *_check_labels(cells.obs),
        *_check_texts(cells.obs),
        *_check_modalities(cells.obs),
        *_check_conditions(cells.obs),
        *_check_components(cells.obs, metadata),
        *check_expression(
            cells, _expression(metadata), is_gene_subset=bool(metadata.get("gene_subset"))
        ),
    ]


def check_part(labels: ad.AnnData, values: ValueSummary) -> list[str]:
    """List the problems that a part of a screen has, whatever is in the others.

    Parameters
    ----------
    labels
        The part; `X` need not be there.
    values
        What was seen in `X`.

    Returns
    -------
    As for `check_cells`.
    """
    if 0 in labels.shape:
        return [f"X is empty: {labels.n_obs} cells, {labels.n_vars} genes."]
    metadata = labels.uns.get(UNS)
    metadata = metadata if isinstance(metadata, Mapping) else {}
    is_gene_subset = bool(metadata.get("gene_subset"))
    return [
        *_check_metadata(metadata),
        *_check_columns(labels.obs),
        *_check_unique("gene", labels.var_names),
        *_check_labels(labels.obs),
        *_check_texts(labels.obs),
        *check_expression(
            labels, _expression(metadata), is_gene_subset=is_gene_subset, values=values
        ),
    ]


def _expression(metadata: Mapping[str, Any]) -> Expression | None:
    stated = str(metadata.get("expression"))
    return Expression(stated) if stated in list(Expression) else None


def _check_metadata(metadata: Mapping[str, Any]) -> Iterator[str]:
    if not metadata:
        yield f"There is no metadata in uns[{UNS!r}]: make it with wildcell curate."
        return
    missing = [key for key in REQUIRED_METADATA if key not in metadata]
    if missing:
        yield f"The metadata in uns[{UNS!r}] lack {some_of(missing, 9)}."
    if metadata.get("schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
        yield (
            f"The schema version is {metadata['schema_version']!r}, and this wildcell reads "
            f"{SCHEMA_VERSION}: curate the source again, or use the wildcell that wrote the file."
        )
    if "expression" in metadata and _expression(metadata) is None:
        yield (
            f"The expression is {str(metadata['expression'])!r}; it must be one of "
            f"{', '.join(Expression)}."
        )


def _check_columns(obs: pd.DataFrame) -> Iterator[str]:
    missing = [name for name in LABEL_COLUMNS + OPTIONAL_LABEL_COLUMNS if name not in obs]
    if missing:
        yield f"obs lacks the columns {some_of(missing, 9)}."


def _check_unique(kind: str, names: "pd.Index[str]") -> Iterator[str]:
    repeated = names[names.duplicated()].unique()
    if len(repeated):
        yield f"{len(repeated)} {kind} names occur more than once: {some_of(repeated)}."


def _check_labels(obs: pd.DataFrame) -> Iterator[str]:
    for name in obs.columns.intersection(LABEL_COLUMNS + OPTIONAL_LABEL_COLUMNS):
        is_bad = is_missing(obs[name]) if name in LABEL_COLUMNS else np.asarray(obs[name].isna())
        if is_bad.any():
            yield (
                f"{is_bad.sum()} of {len(obs)} cells have no {name} "
                f"({some_of(obs.index[is_bad])}): label or drop them."
            )


def _check_texts(obs: pd.DataFrame) -> Iterator[str]:
    for name in obs.columns.intersection(LABEL_COLUMNS + OPTIONAL_LABEL_COLUMNS):
        is_plain = np.asarray(obs[name].astype(object) == as_text(obs[name]))
        is_other = ~is_plain & ~np.asarray(obs[name].isna()) & ~is_missing(obs[name])
        if is_other.any():
            yield (
                f"{is_other.sum()} labels in {name} are not plain text, or have blanks around it "
                f"({some_of(obs.loc[is_other, name].map(repr).unique())}): curate the file."
            )


def _check_modalities(obs: pd.DataFrame) -> Iterator[str]:
    found = set(as_text(obs["modality"])) - {""} if "modality" in obs else set()
    unknown = sorted(found - set(Modality))
    if unknown:
        yield f"Unknown modalities: {some_of(unknown)}; they must be of {', '.join(Modality)}."


def _check_conditions(obs: pd.DataFrame) -> Iterator[str]:
    if not {"control_group", *CONDITION} <= set(obs):
        return
    labels = pd.DataFrame({name: as_text(obs[name]) for name in [*CONDITION, "control_group"]})
    is_control = labels["perturbation"] == CONTROL
    if is_control.all():
        yield f"All {len(obs)} cells are controls: there is nothing to predict."
    elif not is_control.any():
        yield (
            f"There are no control cells: no perturbation is {CONTROL!r} among "
            f"{some_of(sorted(set(labels['perturbation'])))}. Say which label the controls have."
        )
    else:
        yield from _check_controls(labels, is_control)
    yield from _check_perturbed(labels[~is_control])


def _check_controls(labels: pd.DataFrame, is_control: "pd.Series[bool]") -> Iterator[str]:
    table = labels.assign(is_control=is_control).groupby("control_group")
    groups = table.agg(
        context=("context", "first"), n_controls=("is_control", "sum"), n=("is_control", "size")
    )
    groups = groups[groups["n"] > groups["n_controls"]]
    without = groups[groups["n_controls"] == 0]
    if len(without):
        yield (
            f"{len(without)} of {len(groups)} control groups have perturbed cells but no control "
            f"cells: {some_of(without.index)}, in the contexts "
            f"{some_of(without['context'].unique())}. Drop them, or give the right control label, "
            "context and control group."
        )
    few = groups[groups["n_controls"].between(1, MIN_CELLS - 1)]
    if len(few):
        yield (
            f"{len(few)} of {len(groups)} control groups have fewer than {MIN_CELLS} control "
            f"cells, too few to be halved: {some_of(few.index)}."
        )


def _check_perturbed(labels: pd.DataFrame) -> Iterator[str]:
    conditions = labels.groupby(CONDITION)["control_group"].agg(["size", "nunique"])
    small = conditions[conditions["size"] < MIN_CELLS]
    if len(small):
        yield (
            f"{len(small)} of {len(conditions)} conditions have fewer than {MIN_CELLS} cells, too "
            f"few to estimate anything from: {_conditions(small)}. Drop them (--min-cells)."
        )
    divided = conditions[conditions["nunique"] > 1]
    if len(divided):
        yield (
            f"{len(divided)} of {len(conditions)} conditions lie in several control groups: "
            f"{_conditions(divided)}. A condition is measured against one; let what tells the "
            "groups apart be part of the context."
        )


def _conditions(table: pd.DataFrame) -> str:
    return some_of(f"{perturbation} in {context}" for context, perturbation in table.index)


def _check_components(obs: pd.DataFrame, metadata: Mapping[str, Any]) -> Iterator[str]:
    if "components" not in metadata or "perturbation" not in obs:
        return
    if not isinstance(metadata["components"], pd.DataFrame):
        yield "The components are no table: make them with wildcell curate."
        return
    table = metadata["components"]
    missing = [name for name in COMPONENT_COLUMNS if name not in table]
    if missing:
        yield f"The table of components lacks the columns {some_of(missing)}."
        return
    keys = as_text(table["perturbation"])
    used = set(as_text(obs["perturbation"])) - {"", CONTROL}
    for culprits, what in [
        (used - set(keys), "perturbations of cells are not in the table of components"),
        (set(keys) - used, "perturbations in the table of components have no cells"),
        (
            set(keys[table.duplicated(["perturbation", "component"])]),
            "perturbations list a component twice",
        ),
        (set(keys[is_missing(table["component"])]), "perturbations have a nameless component"),
    ]:
        if culprits:
            yield f"{len(culprits)} {what}: {some_of(sorted(culprits))}."
