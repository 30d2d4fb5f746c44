"""Charts of a split show the roles, places and mergers that runs keep."""

import json

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("altair", reason="the extra `report` is not installed")
pytest.importorskip("vl_convert", reason="the extra `report` is not installed")

import vl_convert

from wildcell.names import CONDITION_COLUMNS
from wildcell.results.report.charts_of_splits import context_map, roles, tree

ROLE = {"a": "train", "b": "test", "c": "train", "d": "val"}


@pytest.fixture
def conditions() -> pd.DataFrame:
    rows = [
        {
            **dict.fromkeys(CONDITION_COLUMNS, ""),
            "seed": seed, "fold": fold, "context": context, "perturbation": f"p{i}",
            "role": role if fold == 0 else "unused", "category": "all",
            "context_x": float(ord(context)), "context_y": -1.0,
        }
        for seed, fold in ((3, 1), (3, 0), (5, 0))
        for context, role in ROLE.items()
        for i in range(4)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_conditions_of_the_first_fold_are_counted_by_role(conditions):
    chart = roles(conditions)

    counts = chart.table.set_index(["context", "role"])["conditions"].to_dict()
    assert counts == dict.fromkeys(ROLE.items(), 4)
    assert "seed 3, fold 0" in chart.note


def test_contexts_lie_where_their_controls_do(conditions):
    table = context_map(conditions).table.set_index("context")

    assert table["role"].to_dict() == ROLE
    assert table["x"].to_dict() == {name: float(ord(name)) for name in ROLE}


def test_without_places_or_with_two_contexts_there_is_no_map(conditions):
    assert context_map(conditions.assign(context_x=np.nan)) is None
    assert context_map(conditions[conditions["context"].isin(["a", "b"])]) is None
    assert roles(pd.DataFrame()) is None


def test_branches_of_the_tree_meet_at_the_height_of_their_merger(conditions):
    merges = pd.DataFrame(
        {
            "seed": "3", "node": ["node-1", "node-2", "node-3"], "left": ["a", "c", "node-1"],
            "right": ["b", "d", "node-2"], "height": ["1.0", "2.0", "5.0"],
        }
    )  # fmt: skip
    clusters = pd.DataFrame(
        {"seed": "3", "context": list("abcd"), "cluster": "c", "position": list("1234")}
    )
    chart = tree(merges, clusters, conditions)
    spec = json.loads(chart.spec)
    lines = next(
        pd.DataFrame(rows) for rows in spec["datasets"].values() if rows and "branch" in rows[0]
    )

    top = lines[lines["branch"] == "node-3"].sort_values("order")
    assert top["height"].tolist() == [1, 5, 5, 2]
    assert top["position"].tolist() == [1.5, 1.5, 3.5, 3.5]
    assert chart.table.set_index("context")["role"].to_dict() == ROLE
    assert vl_convert.vegalite_to_svg(spec).startswith("<svg")
    assert tree(merges.iloc[:0], clusters, conditions) is None
