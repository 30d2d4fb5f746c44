"""Features of genes from the sets they are members of."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Floats, Matrix
from wildcell.errors import DataError, OptionError
from wildcell.guards.texts import open_bytes
from wildcell.scenarios.truncated_svd import truncated_svd

N_DIMENSIONS = 50


class ReducedMembership(NamedTuple):
    """Features of genes, and what they keep of memberships.

    Attributes
    ----------
    table
        Shape (n_genes, n_features), indexed by component.
    kept
        Share of the squares of each gene's weighted memberships that its features keep, 0 to 1,
        indexed by component.
    """

    table: pd.DataFrame
    kept: "pd.Series[float]"


@dataclass(frozen=True)
class Membership:
    """Which genes belong to which sets, and how strongly.

    Attributes
    ----------
    weights
        Shape (n_genes, n_sets): 0 outside a set, 1 or a signed weight within.
    genes
        Names of the genes, sorted.
    sets
        Names of the sets, sorted.
    """

    weights: Matrix
    genes: list[str]
    sets: list[str]


def read_gene_sets(path: Path) -> dict[str, tuple[str, ...]]:
    r"""Read a GMT file, gzipped or not: a line a set, with its name, a remark and its genes.

    Raises
    ------
    DataError
        The file is absent or unreadable, has no sets, names one twice, or has a line without
        genes.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "sets.gmt"
    >>> _ = file.write_text("haem\tof blood\tKLF1\tHBG1\n")
    >>> read_gene_sets(file)
    {'haem': ('KLF1', 'HBG1')}
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    sets: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(_lines(path), start=1):
        name, *others = line.rstrip("\r\n").split("\t")
        genes = tuple(dict.fromkeys(gene.strip() for gene in others[1:] if gene.strip()))
        if not name.strip() and not others:
            continue
        if not genes:
            raise DataError(
                f"{path}, line {number}: a set has a name, a remark and genes, with tabs between; "
                f"got {line.strip()[:60]!r}."
            )
        if name in sets:
            raise DataError(f"{path}, line {number}: there are two sets called {name!r}.")
        sets[name] = genes
    if not sets:
        raise DataError(f"{path} holds no gene sets.")
    return sets


def _lines(path: Path) -> list[str]:
    try:
        with open_bytes(path) as file:
            return file.read().decode("utf-8").splitlines()
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise DataError(f"{path} cannot be read as text: {error}.") from error


def membership_of(
    sets: Mapping[str, Sequence[str]], *, min_size: int = 5, max_size: int = 500
) -> Membership:
    """Return the genes of all sets of a fitting size, with weight 1 where they are members.

    Raises
    ------
    OptionError
        No set has such a size.

    Examples
    --------
    >>> membership_of({"a": ["X", "Y"], "b": ["Y"]}, min_size=1).weights.toarray().tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    pairs = pd.DataFrame(
        [(gene, name) for name, genes in sets.items() for gene in dict.fromkeys(genes)],
        columns=["gene", "set"],
        dtype=str,
    )
    return membership_from(pairs.assign(weight=1.0), min_size=min_size, max_size=max_size)


def renamed_membership(membership: Membership, names: Mapping[str, str]) -> Membership:
    """Return the membership of some genes, under other names.

    Parameters
    ----------
    membership
        Which genes belong to which sets.
    names
        Names in `membership`, by those they are to have.

    Examples
    --------
    >>> renamed_membership(membership_of({"a": ["X", "Y"]}, min_size=1), {"y": "Y"}).genes
    ['y']
    """
    genes = sorted(names)
    rows = pd.Index(membership.genes).get_indexer([names[gene] for gene in genes])
    return Membership(membership.weights[rows], genes, membership.sets)


def membership_from(pairs: pd.DataFrame, *, min_size: int, max_size: int) -> Membership:
    """Return the membership that a table of pairs holds, of sets of a fitting size.

    Parameters
    ----------
    pairs
        Columns gene, set, weight; each pair once.
    min_size, max_size
        How many genes a set has at least and at most.

    Raises
    ------
    OptionError
        No set has such a size.
    """
    pairs = pairs[pairs["weight"] != 0]
    sizes = pairs["set"].value_counts()
    fitting = sizes.index[(sizes >= min_size) & (sizes <= max_size)]
    kept = pairs[pairs["set"].isin(fitting)]
    if kept.empty:
        raise OptionError(
            f"No set has {min_size} to {max_size} genes: "
            + (f"sizes are {sizes.min()} to {sizes.max()}." if len(sizes) else "there are none.")
        )
    genes, names = sorted(set(kept["gene"])), sorted(set(kept["set"]))
    rows = pd.Index(genes).get_indexer(kept["gene"])
    columns = pd.Index(names).get_indexer(kept["set"])
    weights = sparse.csr_matrix(
        (kept["weight"].to_numpy(float), (rows, columns)), shape=(len(genes), len(names))
    )
    return Membership(weights, genes, names)


def reduce_membership(
    membership: Membership, *, n_dimensions: int = N_DIMENSIONS, prefix: str = "set"
) -> ReducedMembership:
    """Return features of all genes in the sets: memberships, weighted and reduced.

    Each set is scaled to a root mean square of 1 over its members and multiplied by
    ln(n_genes / n_members), so that a small set says more than a large one; each gene is then
    scaled to length 1, so that genes in few sets count as much as those in many. Features are the
    singular vectors times the singular values: their inner products are, up to what is cut off,
    the cosines of the weighted memberships. No expression is looked at, and the features of a gene
    depend on the sets alone, not on which genes were perturbed or measured.

    Raises
    ------
    OptionError
        `n_dimensions` is below 1, or the sets tell no genes apart.

    Notes
    -----
    Latent semantic analysis: Deerwester et al., J. Am. Soc. Inf. Sci. 41:391 (1990).

    Examples
    --------
    >>> sets = {"a": ["X", "Y"], "b": ["Z", "W"]}
    >>> reduced = reduce_membership(membership_of(sets, min_size=1), n_dimensions=2)
    >>> reduced.table.loc["X"].equals(reduced.table.loc["Y"])
    True
    >>> reduced.kept.round(6).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    if n_dimensions < 1:
        raise OptionError(f"Features have 1 dimension at least; asked for {n_dimensions}.")
    weighted = _weighted(membership.weights)
    if weighted.count_nonzero() == 0:
        raise OptionError("Every set has all genes, so that they tell none apart; give others.")
    found = truncated_svd(weighted, n_dimensions)
    table = pd.DataFrame(
        found.left * found.strengths,
        index=pd.Index(membership.genes, name="component"),
        columns=[f"{prefix}-{number}" for number in range(1, len(found.strengths) + 1)],
    )
    return ReducedMembership(table, (table**2).sum(axis=1).clip(upper=1.0))


def _weighted(weights: Matrix) -> Matrix:
    sizes = np.diff(weights.tocsc().indptr)
    squares = np.asarray(weights.multiply(weights).sum(axis=0)).ravel()
    importance = np.log(weights.shape[0] / np.maximum(sizes, 1))
    scaled = weights @ sparse.diags_array(importance * _one_over(np.sqrt(squares / sizes)))
    lengths = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags_array(_one_over(lengths)) @ scaled)


def _one_over(numbers: Floats) -> Floats:
    return np.divide(1.0, numbers, out=np.zeros_like(numbers), where=numbers > 0)
