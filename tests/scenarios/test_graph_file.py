"""Graphs between components: files, checks, and what becomes of one in a question."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from wildcell.errors import DataError, OptionError
from wildcell.models.sealed.kit.wildcell_task import read_graph as read_graph_of_task
from wildcell.models.sealed.kit.wildcell_task import read_task as read_task_in_kit
from wildcell.scenarios.feature_file import FeatureOrigin, read_origin
from wildcell.scenarios.folder import read_task, write_question
from wildcell.scenarios.gene_sets import membership_of
from wildcell.scenarios.graph import overlap_graph
from wildcell.scenarios.graph_arms import graph_in_arm
from wildcell.scenarios.graph_edges import EDGE_COLUMNS, checked_edges, edges_of, neighbour_weights
from wildcell.scenarios.graph_file import is_graph_file, read_graph, write_graph
from wildcell.scenarios.pose import pose
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.store.fingerprint import fingerprint
from wildcell.testing import toy_screen


def edges(*rows):
    return pd.DataFrame(rows, columns=EDGE_COLUMNS)


@pytest.fixture(scope="module")
def screen():
    return toy_screen(n_perturbations=6)


def posed(screen, graph=None):
    scenario = load_scenario("unseen-context")
    split = make_splits(scenario, screen, seed=0)[0]
    return split, pose(screen, split, scenario, graph=graph)


def ring(names):
    """Return a graph in which each component has the next one for its neighbour."""
    following = [*names[1:], names[0]]
    return edges(*[(one, other, 0.5) for one, other in zip(names, following, strict=True)])


def components(screen):
    return sorted(set(screen.components["component"]))


def test_edges_are_those_of_the_graph_in_order():
    graph = overlap_graph(membership_of({"a": ["Z", "Y"], "b": ["Y", "X"]}, min_size=2))
    found = edges_of(graph)
    assert list(map(tuple, found.to_numpy())) == [
        ("X", "Y", 0.5), ("Y", "X", 0.5), ("Y", "Z", 0.5), ("Z", "Y", 0.5),
    ]  # fmt: skip
    weights = neighbour_weights(found, list(graph.names)).toarray()
    assert ((weights > 0) == (graph.adjacency.toarray() > 0)).all()
    assert weights.sum(axis=1).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("A", "A", 1.0)], "its own neighbour: 'A'"),
        ([("A", "B", -0.5)], "1 weights are no finite numbers above 0: .* A with B by -0.5"),
        ([("A", "B", 0.0)], "above 0"),
        ([("A", "B", np.nan)], "above 0"),
        ([("A", "B", "near")], "must be numbers"),
        ([("A", "B", 1.0), ("A", "B", 2.0)], "joins A with B more than once"),
        ([("A", " ", 1.0)], "lacks the name of an end"),
        ([], "no edges"),
    ],
)
def test_edges_that_cannot_be_used_are_refused(rows, message):
    with pytest.raises(OptionError, match=message):
        checked_edges(edges(*rows))


def test_neighbours_need_not_be_mutual():
    assert len(checked_edges(edges(("A", "B", 1.0), ("B", "A", 0.2), ("B", "C", 1.0)))) == 3


def test_a_file_gives_back_what_was_written_with_its_origin(tmp_path):
    table = edges(("B", "A", 0.25), ("A", "B", 1.0))
    identity = write_graph(tmp_path / "g.parquet", table, FeatureOrigin("graph", {"above": 0.0}))
    found = read_graph(tmp_path / "g.parquet")
    assert found["component"].tolist() == ["A", "B"]
    assert read_origin(tmp_path / "g.parquet")["kind"] == "graph"
    assert read_origin(tmp_path / "g.parquet")["fingerprint"] == identity == fingerprint(found)
    table.to_csv(tmp_path / "g.csv", index=False)
    assert fingerprint(read_graph(tmp_path / "g.csv")) == identity


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("g.csv", "component,x\nA,1\n", "neighbour, weight is lacking, there are 'component', 'x'"),
        ("g.csv", "", "cannot be read"),
        ("g.parquet", "text", "cannot be read"),
        ("g.txt", "text", "graphs are read from .parquet, .csv"),
        ("g.csv", "component,neighbour,weight\nNA,NA,1\n", "its own neighbour: 'NA'"),
    ],
)
def test_files_that_hold_no_graph_are_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    assert is_graph_file(tmp_path / name) == ("neighbour" in text)
    with pytest.raises(DataError, match=message):
        read_graph(tmp_path / name)


def test_a_graph_that_is_absent_is_named(tmp_path):
    with pytest.raises(DataError, match="There is no file"):
        read_graph(tmp_path / "g.parquet")


def test_a_task_folder_keeps_the_graph(tmp_path, screen):
    graph = ring(components(screen))
    split, question = posed(screen, graph)
    pd.testing.assert_frame_equal(question.task.query.graph, checked_edges(graph))
    write_question(question, split, task_folder=tmp_path / "task", truth=tmp_path / "t.h5ad")
    found = read_task(tmp_path / "task").query.graph
    pd.testing.assert_frame_equal(found, question.task.query.graph)
    in_kit = read_graph_of_task(read_task_in_kit([str(tmp_path / "task"), "out.h5ad"]))
    pd.testing.assert_frame_equal(in_kit, found)


def test_a_question_without_a_graph_has_none(tmp_path, screen):
    split, question = posed(screen)
    write_question(question, split, task_folder=tmp_path / "task", truth=tmp_path / "t.h5ad")
    assert read_task(tmp_path / "task").query.graph is None
    assert question.truth.origin.flags == ()


def test_components_without_neighbours_are_named(screen):
    first, second, *others = components(screen)
    graph = edges((first, second, 1.0), (second, "elsewhere", 1.0))
    _, question = posed(screen, graph)
    (flag,) = question.truth.origin.flags
    assert flag.startswith(f"graph: {len(others) + 1} of {len(others) + 2} components have no nei")
    assert second in flag
    assert first not in flag


def test_a_graph_of_something_else_is_refused(screen):
    with pytest.raises(OptionError, match=r"joins none of the .* it is of 'A', the question of"):
        posed(screen, edges(("A", "B", 1.0)))


def test_a_scenario_names_a_graph_and_the_given_one_takes_its_place(tmp_path, screen):
    ring(components(screen)).to_csv(tmp_path / "g.csv", index=False)
    own = str(tmp_path / "g.csv")
    given = edges(("A", "B", 1.0))
    assert len(graph_in_arm(own, None)) == len(components(screen))
    assert len(graph_in_arm(own, given)) == 1
    assert graph_in_arm("none", given) is None
    assert graph_in_arm("given", None) is None
    scenario = replace(load_scenario("unseen-context"), graph=own)
    question = pose(screen, make_splits(scenario, screen, seed=0)[0], scenario)
    pd.testing.assert_frame_equal(question.task.query.graph, read_graph(tmp_path / "g.csv"))
