"""Charts of ranks show what the comparison of models says, and nothing where it says nothing."""

import json

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("altair", reason="the extra `report` is not installed")
pytest.importorskip("vl_convert", reason="the extra `report` is not installed")

import vl_convert

from wildcell.names import SCORE_COLUMNS
from wildcell.results.compare import compare_models
from wildcell.results.friedman import groups_of
from wildcell.results.report.charts_of_ranks import critical_difference, places

SKILL = {"no-change": 0.0, "perturbed-mean": 0.3, "context-transfer": 0.5, "mine": 0.52}
FIRST, SECOND = "pearson_delta", "retrieval_cosine"


def scores(contexts: str, skill: dict[str, float] = SKILL) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        {
            **dict.fromkeys(SCORE_COLUMNS, ""),
            "scenario": "s", "dataset": "d", "arm": "a", "model": model, "seed": 0,
            "context": context, "perturbation": f"p{i}", "metric": metric, "status": "ok",
            "value": sign * good + rng.normal(0, 0.1),
            "numerator": np.nan, "denominator": np.nan,
        }
        for context in contexts
        for i in range(6)
        for model, good in skill.items()
        for metric, sign in ((FIRST, 1), (SECOND, -1))
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def found():
    return compare_models(scores("abcdefg")).places


def test_ranks_and_what_they_may_be_are_those_of_the_comparison(found):
    table = places(found, "context-transfer", FIRST).table

    own = found.set_index(["metric", "model"])
    assert set(table["metric"]) == {FIRST, SECOND}
    assert len(table) == len(found)
    for row in table.itertuples():
        known = own.loc[(row.metric, row.label)]
        assert (row.rank, row.rank_low, row.rank_high) == (
            known["rank"], known["rank_low"], known["rank_high"],
        )  # fmt: skip
    kinds = table.set_index("label")["kind"].to_dict()
    assert kinds["mine"] == "model"
    assert kinds["perturbed-mean"] == "naive"
    assert kinds["context-transfer"] == "reference"


def test_lines_join_exactly_the_models_that_do_not_differ(found):
    chart = critical_difference(found, "context-transfer", FIRST)
    spec = json.loads(chart.spec)

    lines = next(
        pd.DataFrame(rows) for rows in spec["datasets"].values() if rows and "lane" in rows[0]
    )
    for metric, own in found.groupby("metric"):
        ordered = own.sort_values("mean_rank_in_contexts")
        ranks, models = ordered["mean_rank_in_contexts"].to_numpy(), ordered["model"].to_list()
        wanted = {
            frozenset(models[start : stop + 1])
            for start, stop in groups_of(ranks, own["critical_difference"].iloc[0])
        }
        drawn = lines[lines["metric"] == metric].groupby("group")["label"].agg(frozenset)
        assert wanted
        assert set(drawn) == wanted
    assert vl_convert.vegalite_to_svg(spec).startswith("<svg")


def test_below_five_contexts_no_critical_difference_is_drawn():
    few = compare_models(scores("abc")).places

    assert critical_difference(few, "context-transfer", FIRST) is None
    assert places(few, "context-transfer", FIRST) is not None


def test_models_far_apart_are_joined_by_no_line():
    skill = {"no-change": 0.0, "perturbed-mean": 5.0, "mine": 10.0}
    apart = compare_models(scores([f"c{i}" for i in range(40)], skill)).places
    spec = json.loads(critical_difference(apart, "perturbed-mean", FIRST).spec)

    assert not any(rows and "lane" in rows[0] for rows in spec["datasets"].values())
    assert vl_convert.vegalite_to_svg(spec).startswith("<svg")


def test_models_that_coincide_share_a_label():
    table = scores("abcdef")
    twin = table[table["model"] == "mine"].assign(model="context-transfer")
    table = pd.concat([table[table["model"] != "context-transfer"], twin])
    labels = set(places(compare_models(table).places, "context-transfer", FIRST).table["label"])

    assert "context-transfer = mine" in labels
