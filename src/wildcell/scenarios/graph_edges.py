"""A graph between components as a table: a row a neighbour of a component."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Matrix
from wildcell.datasets.labels import some_of
from wildcell.errors import OptionError
from wildcell.scenarios.graph import GeneGraph

EDGE_COLUMNS = ["component", "neighbour", "weight"]


def edges_of(graph: GeneGraph) -> pd.DataFrame:
    """Return the edges of a graph, sorted by component and neighbour.

    Examples
    --------
    >>> graph = GeneGraph(np.array(["A", "B"], dtype=object), sparse.csr_matrix([[0, 0.5], [0, 0]]))
    >>> edges_of(graph).to_numpy().tolist()
    [['A', 'B', 0.5]]
    """
    edges = sparse.coo_matrix(graph.adjacency)
    columns = (graph.names[edges.row], graph.names[edges.col], edges.data.astype(np.float64))
    return _sorted(pd.DataFrame(dict(zip(EDGE_COLUMNS, columns, strict=True))))


def checked_edges(edges: pd.DataFrame) -> pd.DataFrame:
    """Return a sorted copy of the edges of a graph, or say which cannot be used.

    Neighbours need not be mutual: a row says that a message goes from `neighbour` to `component`.

    Parameters
    ----------
    edges
        Columns component, neighbour and weight, shape (n_edges, 3).

    Raises
    ------
    OptionError
        A column is lacking, there are no edges, a component has no name, is its own neighbour or
        has a neighbour twice, or a weight is no finite number above 0.

    Examples
    --------
    >>> checked_edges(pd.DataFrame({"component": ["A"], "neighbour": ["A"], "weight": [1.0]}))
    Traceback (most recent call last):
    ...
    wildcell.errors.OptionError: A component is its own neighbour: 'A'; drop such edges, models ...
    """
    lacking = [name for name in EDGE_COLUMNS if name not in edges]
    if lacking:
        raise OptionError(
            f"A graph has the columns {', '.join(EDGE_COLUMNS)}; {', '.join(lacking)} "
            f"is lacking, there are {some_of(list(map(str, edges.columns)))}."
        )
    if edges.empty:
        raise OptionError("The graph has no edges; give a row a neighbour of a component.")
    names = edges[EDGE_COLUMNS[:2]].astype(object).map(str)
    if (names.apply(lambda column: column.str.strip()) == "").any(axis=None):
        raise OptionError("An edge of the graph lacks the name of an end; name or drop it.")
    own = names.loc[names["component"] == names["neighbour"], "component"]
    if len(own):
        raise OptionError(
            f"A component is its own neighbour: {some_of(sorted(set(own)))}; drop such edges, "
            "models keep what it says of itself."
        )
    twice = names[names.duplicated()]
    if len(twice):
        pair = " with ".join(twice.iloc[0])
        raise OptionError(f"The graph joins {pair} more than once; keep one row of each.")
    return _sorted(names.assign(weight=_checked_weights(names, edges["weight"])))


def _checked_weights(names: pd.DataFrame, weights: pd.Series) -> pd.Series:
    try:
        numbers = weights.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise OptionError(f"Weights of a graph must be numbers: {error}.") from error
    is_wrong = ~(np.isfinite(numbers) & (numbers > 0)).to_numpy()
    if is_wrong.any():
        first = int(np.argmax(is_wrong))
        pair = " with ".join(names.iloc[first])
        raise OptionError(
            f"{is_wrong.sum()} weights are no finite numbers above 0: the graph joins {pair} by "
            f"{numbers.iloc[first]:g}. Drop such edges, or give how near the ends are."
        )
    return numbers


def _sorted(edges: pd.DataFrame) -> pd.DataFrame:
    return edges.sort_values(EDGE_COLUMNS[:2]).reset_index(drop=True)


def neighbour_weights(edges: pd.DataFrame, names: Sequence[str]) -> Matrix:
    """Return the weights of the neighbours of each node, summing to 1, or 0 where it has none.

    Parameters
    ----------
    edges
        Columns component, neighbour and weight.
    names
        The nodes; edges to others are left out.

    Returns
    -------
    Shape (n_nodes, n_nodes), rows and columns in the order of `names`.

    Examples
    --------
    >>> edges = pd.DataFrame({"component": ["A", "A"], "neighbour": ["B", "C"], "weight": [1, 3]})
    >>> neighbour_weights(edges, ["A", "B", "C"]).toarray()[0].tolist()
    [0.0, 0.25, 0.75]
    """
    nodes = pd.Index(names)
    rows, columns = (nodes.get_indexer(edges[name]) for name in EDGE_COLUMNS[:2])
    is_known = (rows >= 0) & (columns >= 0)
    weights = edges["weight"].to_numpy(np.float64)[is_known]
    total = np.bincount(rows[is_known], weights, minlength=len(nodes))
    shares = weights / total[rows[is_known]]
    shape = (len(nodes), len(nodes))
    return sparse.csr_matrix((shares, (rows[is_known], columns[is_known])), shape=shape)
