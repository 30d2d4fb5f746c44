"""Means of all conditions and control groups of a screen, summed part by part.

Parts need nothing of each other: each is summed wherever there is room, and the sums are added up
in the order of the parts, so that no bit depends on who summed them or who was ready first.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

import anndata as ad
import numpy as np
import pandas as pd

from wildcell.datasets.check import check_part
from wildcell.datasets.labels import some_of
from wildcell.datasets.read import check_exists
from wildcell.datasets.screen import Part, Words, check_fits, open_part, parts_of
from wildcell.datasets.values import ValueSummary, summarise_values
from wildcell.errors import DataError, OptionError
from wildcell.names import CONDITION, CONTROL, UNS, Expression
from wildcell.streams.normalise import LogStream
from wildcell.streams.sums import Sums, sum_cells

TARGET_SUM = 10_000.0
"""The library size that counts are brought to."""

GROUP = [*CONDITION, "control_group"]
"""What cells are grouped by; controls are of the perturbation `control`."""


class PartSums(NamedTuple):
    """What one part of a screen adds.

    Attributes
    ----------
    words
        What must fit those of the other parts.
    groups
        Columns context, perturbation and control_group, a row a group.
    sums
        Of the cells of each group, shape (n_groups, n_genes).
    has_linear
        Whether linear values can be had.
    """

    words: Words
    groups: pd.DataFrame
    sums: Sums
    has_linear: bool


Summing: TypeAlias = Callable[[Path], PartSums]
Over: TypeAlias = Callable[[Summing, Sequence[Path]], Iterable[PartSums]]
"""Calls a function for each of some files, here or elsewhere, and gives back in their order."""


def pseudobulk(path: Path, *, target_sum: float = TARGET_SUM, over: Over = map) -> ad.AnnData:
    """Return the mean profile of every condition and of the controls of every control group.

    Parameters
    ----------
    path
        A curated h5ad or zarr file, or a folder of such that are the parts of one screen.
    target_sum
        The library size that counts are brought to; log values keep theirs.
    over
        Who sums the parts: one after the other in this process by default.

    Returns
    -------
    Rows in the order of their labels. `X` has mean log values, shape (n_groups, n_genes); layers
    are `squared_error`, the squared standard error of `X`, NaN below two cells; `share_expressed`,
    the share of cells in which a gene is not 0; and `linear_mean`, at a library size of
    `target_sum`, where linear values can be had. `obs` has context, perturbation, control_group and
    n_cells.

    Raises
    ------
    DataError
        A part is absent, unreadable, damaged or not curated, or does not fit the others; or a
        condition lies in several control groups.

    Examples
    --------
    >>> import tempfile
    >>> from wildcell.datasets.load import load_dataset
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "screen.zarr"
    ...     load_dataset("simulated", n_contexts=1, n_perturbations=4).cells.write_zarr(file)
    ...     made = pseudobulk(file)
    >>> made.obs["perturbation"].tolist()[0], made.layers["linear_mean"].shape == made.shape
    ('P000', True)
    """
    if not 0 < target_sum < float("inf"):
        raise OptionError(f"target_sum must be a number above 0; it is {target_sum:g}.")
    check_exists(path)
    paths = parts_of(path)
    whole: PartSums | None = None
    for part in over(partial(sum_part, target_sum=target_sum), paths):
        whole = part if whole is None else joined(whole, part)
    assert whole is not None
    return _as_cells(whole, target_sum, len(paths))


def sum_part(path: Path, *, target_sum: float) -> PartSums:
    """Check one part of a screen and sum its cells by group, in two passes.

    Parameters
    ----------
    path
        The file.
    target_sum
        As for `pseudobulk`.

    Raises
    ------
    DataError
        It is absent, unreadable, damaged or not curated.
    """
    part = open_part(path)
    values = summarise_values(part.X)
    problems = check_part(part.labels, values)
    if problems:
        listing = "\n".join(f"  - {problem}" for problem in problems)
        raise DataError(f"{path} is no part of a curated data set:\n{listing}")
    labels = part.labels.obs[GROUP].astype(str)
    groups = labels.drop_duplicates().sort_values(GROUP).reset_index(drop=True)
    codes = pd.MultiIndex.from_frame(groups).get_indexer(pd.MultiIndex.from_frame(labels))
    stream = _logs(part, values, target_sum)
    sums = sum_cells(stream, codes, len(groups))
    return PartSums(part.words, groups, sums, stream.has_linear)


def joined(one: PartSums, other: PartSums) -> PartSums:
    """Return what two parts add together; genes are in the order of the first.

    Raises
    ------
    DataError
        They do not fit each other.
    """
    check_fits(other.words, one.words)
    keys = pd.MultiIndex.from_frame(one.groups)
    more = other.groups[~pd.MultiIndex.from_frame(other.groups).isin(keys)]
    groups = pd.concat([one.groups, more], ignore_index=True)
    rows = pd.MultiIndex.from_frame(groups).get_indexer(pd.MultiIndex.from_frame(other.groups))
    columns = other.words.genes.get_indexer(one.words.genes)
    sums = one.sums.grown(len(groups))
    sums.add_sums(other.sums, rows, columns)
    return one._replace(groups=groups, sums=sums)


def _logs(part: Part, values: ValueSummary, target_sum: float) -> LogStream:
    said = part.labels.uns[UNS]
    expression = Expression(str(said["expression"]))
    if expression is not Expression.COUNTS:
        stated = said.get("target_sum") if expression is Expression.LOGNORM else None
        own = None if stated is None else float(stated)
        return LogStream(part.X, expression, own, target_sum)
    sizes = part.labels.obs.get("total_counts", pd.Series(values.row_sums))
    return LogStream(part.X, expression, target_sum, target_sum, total_counts=sizes.to_numpy(float))


def _as_cells(whole: PartSums, target_sum: float, n_parts: int) -> ad.AnnData:
    order = np.lexsort([whole.groups[name].to_numpy(str) for name in reversed(GROUP)])
    groups = whole.groups.iloc[order].reset_index(drop=True)
    _check_groups(groups)
    sums = whole.sums.take(order)
    n = sums.n[:, None]
    layers = {
        "squared_error": sums.moments.squared_error,
        "share_expressed": sums.expressed / n,
    }
    if whole.has_linear:
        layers["linear_mean"] = sums.linear / n
    obs = groups.assign(n_cells=sums.n)
    obs.index = obs.index.astype(str)
    said = whole.words.said
    is_counts = said["expression"] == Expression.COUNTS
    about = {
        **said,
        "target_sum": f"{target_sum:g}" if is_counts else said["target_sum"],
        "n_parts": n_parts,
        "n_cells": int(sums.n.sum()),
    }
    genes = pd.DataFrame(index=whole.words.genes.astype(str))
    return ad.AnnData(sums.total / n, obs=obs, var=genes, layers=layers, uns={"pseudobulk": about})


def _check_groups(groups: pd.DataFrame) -> None:
    perturbed = groups[groups["perturbation"] != CONTROL]
    divided = perturbed[perturbed.duplicated(CONDITION)]
    if len(divided):
        names = (f"{row.perturbation} in {row.context}" for row in divided.itertuples())
        raise DataError(
            f"{len(divided)} conditions lie in several control groups: {some_of(names)}. A "
            "condition is measured against one; let what tells the groups apart be part of the "
            "context."
        )
