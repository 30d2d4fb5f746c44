"""Families of components, read from a file: who is in one is held out together."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from wildcell.errors import DataError
from wildcell.scenarios.feature_clusters import Clusters
from wildcell.scenarios.gene_sets import read_gene_sets
from wildcell.scenarios.source_table import read_source_table, text_column


def read_families(path: Path, *, largest: int = 0) -> pd.DataFrame:
    r"""Read who is in which family, from a GMT file or a table.

    Parameters
    ----------
    path
        A GMT file, or a csv or tsv file with columns component and family; gzipped or not.
    largest
        Families with more members than this are not looked at; 0 for no limit.

    Returns
    -------
    Columns component, family; each pair once.

    Raises
    ------
    DataError
        The file is absent or unreadable, or holds no family of a fitting size.
    UnknownNameError
        A column is not there.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "families.csv"
    >>> _ = file.write_text("component,family\nKLF1,KLF\nKLF4,KLF\nSOX2,SOX\n")
    >>> read_families(file)["family"].tolist()
    ['KLF', 'KLF', 'SOX']
    """
    if ".gmt" in path.suffixes:
        sets = read_gene_sets(path)
        pairs = [(gene, name) for name, genes in sets.items() for gene in genes]
        members = pd.DataFrame(pairs, columns=["component", "family"], dtype=str)
    else:
        table = read_source_table(path)
        columns = {name: text_column(table, name, "families") for name in ("component", "family")}
        members = pd.DataFrame(columns)
    members = members[(members != "").all(axis=1)].drop_duplicates()
    sizes = members["family"].map(members["family"].value_counts())
    fitting = members[(sizes <= largest) | (largest == 0)].reset_index(drop=True)
    if fitting.empty:
        raise DataError(
            f"{path} holds no family of at most {largest} members."
            if len(members)
            else f"{path} holds no families."
        )
    return fitting


def cluster_by_family(members: pd.DataFrame) -> Clusters:
    """Join families that share a member, so that no component is in two.

    Parameters
    ----------
    members
        Columns component, family.

    Returns
    -------
    A cluster bears the name of the first of its families. Tables `clusters` (component, cluster)
    and `families` (component, family).

    Examples
    --------
    >>> members = pd.DataFrame({"component": ["A", "B", "B", "C"], "family": ["x", "x", "y", "z"]})
    >>> cluster_by_family(members).names.to_dict()
    {'A': 'x', 'B': 'x', 'C': 'z'}
    """
    components, names = (sorted(set(members[column])) for column in ("component", "family"))
    rows = pd.Index(components).get_indexer(members["component"])
    columns = pd.Index(names).get_indexer(members["family"])
    belongs = sparse.csr_matrix((np.ones(len(members)), (rows, columns)))
    _, joined = connected_components(belongs.T @ belongs, directed=False)
    first = pd.Series(names).groupby(joined).first()
    cluster = pd.Series(joined[columns], index=members["component"]).map(first)
    cluster = cluster[~cluster.index.duplicated()].sort_index().rename("cluster")
    return Clusters(cluster, {"clusters": cluster.reset_index(), "families": members})
