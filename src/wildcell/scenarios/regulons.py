"""Features of genes from a table of who regulates whom."""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from wildcell.datasets.labels import some_of
from wildcell.errors import DataError
from wildcell.scenarios.gene_sets import Membership, membership_from
from wildcell.scenarios.source_table import read_source_table, text_column

Side = Literal["target", "source", "both"]


def read_regulons(
    path: Path, *, source: str = "source", target: str = "target", weight: str | None = None
) -> pd.DataFrame:
    """Read a table of regulators and what they regulate, a row a pair.

    Parameters
    ----------
    path
        A csv or tsv file, gzipped or not.
    source, target
        Columns of the regulators, which may be genes or pathways, and of the genes they regulate.
    weight
        Column of how a regulator acts: numbers, of which a pair that is listed twice gets the mean;
        or words, such as Activation and Repression, each of which makes a regulon of its own.
        All pairs count 1 if none is named.

    Returns
    -------
    Columns source, target, weight; each pair once.

    Raises
    ------
    DataError
        The file cannot be read, has no pairs, or has weights that are not finite.
    UnknownNameError
        A column is not there.
    """
    table = read_source_table(path)
    pairs = pd.DataFrame(
        {
            "source": text_column(table, source, "--source-column"),
            "target": text_column(table, target, "--target-column"),
            "weight": 1.0,
        }
    )
    if weight is not None:
        words = text_column(table, weight, "--weight-column")
        numbers = pd.to_numeric(words, errors="coerce")
        if numbers.isna().all():
            pairs["source"] += " " + words
        else:
            pairs["weight"] = _finite(path, words, numbers)
    pairs = pairs[(pairs["source"] != "") & (pairs["target"] != "")]
    if pairs.empty:
        raise DataError(f"{path} holds no pairs of regulator and target.")
    return pairs.groupby(["source", "target"], as_index=False)["weight"].mean()


def _finite(path: Path, words: "pd.Series[str]", numbers: "pd.Series[float]") -> "pd.Series[float]":
    odd = words[~np.isfinite(numbers)]
    if len(odd):
        raise DataError(
            f"{path}: {len(odd)} weights are no finite numbers, such as {some_of(odd.unique())}; "
            "mend or drop these rows."
        )
    return numbers


def membership_in_regulons(
    pairs: pd.DataFrame, *, side: Side = "target", min_size: int = 2, max_size: int = 10_000
) -> Membership:
    """Return what is known of genes as targets, as regulators, or as both.

    Parameters
    ----------
    pairs
        From `read_regulons`.
    side
        `target`: a gene by its regulators. `source`: a gene by what it regulates, of use where
        regulators are genes that are perturbed. `both`: the two side by side.
    min_size, max_size
        How many genes a regulator, or a target, is listed with at least and at most.

    Examples
    --------
    >>> pairs = pd.DataFrame({"source": ["T", "T"], "target": ["A", "B"], "weight": [1.0, -1.0]})
    >>> membership_in_regulons(pairs).weights.toarray().tolist()
    [[1.0], [-1.0]]
    >>> membership_in_regulons(pairs, side="source", min_size=1).genes
    ['T']
    """
    as_target = pairs.rename(columns={"target": "gene", "source": "set"})
    as_source = pairs.rename(columns={"source": "gene", "target": "set"})
    tables = {
        "target": as_target.assign(set="regulated by " + as_target["set"]),
        "source": as_source.assign(set="regulates " + as_source["set"]),
    }
    chosen = pd.concat([tables[name] for name in tables if side in (name, "both")])
    return membership_from(chosen, min_size=min_size, max_size=max_size)
