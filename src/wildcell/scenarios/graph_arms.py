"""The graph between components that models are given in one arm of a scenario."""

from pathlib import Path

import pandas as pd

from wildcell.datasets.labels import some_of
from wildcell.errors import OptionError
from wildcell.scenarios.feature_file import origin_of, with_origin
from wildcell.scenarios.graph_edges import checked_edges
from wildcell.scenarios.graph_file import read_graph
from wildcell.scenarios.task import Query

N_NAMED = 5


def graph_in_arm(rule: str, graph: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the graph that a rule names, None where there is none.

    Parameters
    ----------
    rule
        `given`, `none`, or the file that is read where no graph is given.
    graph
        The given one: columns component, neighbour and weight.

    Raises
    ------
    OptionError
        The given edges cannot be used.
    DataError
        The file cannot be read.

    Examples
    --------
    >>> edges = pd.DataFrame({"component": ["A"], "neighbour": ["B"], "weight": [1.0]})
    >>> graph_in_arm("none", edges) is None
    True
    """
    if rule == "none":
        return None
    if graph is not None:
        return with_origin(checked_edges(graph), origin_of(graph))
    return None if rule == "given" else read_graph(Path(rule))


def without_neighbours(query: Query) -> list[str]:
    """Return the components of a question that its graph joins to nothing that is known, sorted.

    Known are the components of the question, and whatever has features.

    Raises
    ------
    OptionError
        These are all: the graph is of something else.
    """
    if query.graph is None:
        return []
    asked = set(query.components["component"].astype(str))
    featured = set() if query.features is None else set(query.features.index.astype(str))
    is_known = query.graph["neighbour"].isin(asked | featured)
    joined = asked & set(query.graph.loc[is_known, "component"])
    if asked and not joined:
        raise OptionError(
            f"The graph joins none of the {len(asked)} components of this question: it is of "
            f"{some_of(sorted(set(query.graph['component'])))}, the question of "
            f"{some_of(sorted(asked))}. Make one with: wildcell features graph SETS.gmt --data DATA"
        )
    return sorted(asked - joined)


def graph_flags(query: Query) -> tuple[str, ...]:
    """Say which components of a question have no neighbours in its graph, if there are any."""
    lone = without_neighbours(query)
    if not lone:
        return ()
    n = query.components["component"].nunique()
    more = f" and {len(lone) - N_NAMED} more" if len(lone) > N_NAMED else ""
    named = ", ".join(lone[:N_NAMED])
    return (f"graph: {len(lone)} of {n} components have no neighbours: {named}{more}",)
