"""What the pages of a leaderboard say, where their links lead, and what names can do there."""

import re
import shutil
from html import unescape
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("jinja2", reason="the extra `report` is not installed")

from wildcell.cli.main import main
from wildcell.errors import StoreError
from wildcell.names import CEILING, REPLICATE
from wildcell.results.rank import rank
from wildcell.results.site.addresses import address
from wildcell.results.site.contamination import learned_from
from wildcell.results.site.picture import scale_of
from wildcell.results.site.rows import duration
from wildcell.results.site.standing import standings
from wildcell.results.site.write import MARKER, policy, write_site
from wildcell.results.words import number, span
from wildcell.submission.about import board_of
from wildcell.submitted.layout import entries
from wildcell.submitted.read import read_results


@pytest.fixture(scope="module")
def read(results_of_others):
    return read_results(results_of_others)


@pytest.fixture(scope="module")
def board(read):
    return board_of(read)


@pytest.fixture(scope="module")
def pages(board, tmp_path_factory):
    out = tmp_path_factory.mktemp("pages") / "board"
    write_site(out, board, title="Board <of> all")
    return out


def html(pages, place="index.html"):
    return (pages / place).read_text(encoding="utf-8")


def test_every_link_leads_to_a_page(pages):
    found = 0
    for page in pages.rglob("*.html"):
        text = html(page.parent, page.name)
        for target in re.findall(r'<a [^>]*?href="([^"]*)"', text):
            place, _, part = unescape(target).partition("#")
            other = page if not place else (page.parent / unquote(place)).resolve()
            assert other.is_file(), (page, target)
            assert not part or f'id="{part}"' in other.read_text(encoding="utf-8"), target
            found += 1
    assert found > 200


def test_there_is_a_page_for_each_thing(pages, board):
    for kind in ("model", "scenario", "dataset", "metric"):
        names = board.names(kind)
        assert names
        assert len({address(kind, name) for name in names}) == len(names)
        assert all((pages / address(kind, name)).is_file() for name in names)


def test_names_that_differ_by_case_alone_have_pages_that_differ_by_more():
    one, other = address("model", "Model-03"), address("model", "model-03")
    assert one.casefold() != other.casefold()


def test_nothing_but_the_own_style_and_script_may_do_anything(pages):
    for page in pages.rglob("*.html"):
        text = html(page.parent, page.name)
        (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
        (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
        assert policy(style, script) in unescape(text)
        assert "unsafe" not in policy(style, script)
        outside = text.replace(style, "").replace(script, "")
        for tag in re.findall(r"<[a-z][^>]*>", outside):
            names = re.findall(r'\s([a-z-]+)=(?:"[^"]*")', tag)
            assert not [name for name in names if name == "style" or name.startswith("on")], tag
            assert not re.search(r'\s(src|srcset|data|action|xlink:href)="', tag), tag


def test_numbers_are_those_of_the_ranking(pages, read):
    records = read.records()
    ranks = rank(read.scores(), dict(zip(records["scenario"], records["reference"], strict=True)))
    text = html(pages, address("scenario", "iid"))
    shown = re.findall(r'<table class="standings".*?</table>', text, re.DOTALL)
    checked = 0
    for table in shown:
        metric = re.search(r"<caption>(\w+),", table)[1]
        rows = ranks[(ranks["scenario"] == "iid") & (ranks["metric"] == metric)]
        for _, row in rows[rows["model"].isin(["model-00", "no-change"])].iterrows():
            pattern = f'<tr class="\\w+">(?:(?!</tr>).)*data-value="{row["model"]}"(.*?)</tr>'
            told = re.findall(r"<td[^>]*>(.*?)</td>", re.search(pattern, table, re.DOTALL)[1])
            assert told[0] == number(row["mean"])
            assert told[1] == span(row["low"], row["high"])
            checked += 1
    assert checked == 2 * len(shown) > 10


def test_floor_and_ceiling_are_shown_beside_the_models(pages):
    text = html(pages, address("scenario", "iid"))
    assert text.count('<tbody class="yardsticks">') > 0
    for mark in ("reference", "replicate", "ceiling", "span", "mean"):
        assert f'class="{mark}"' in text


def test_ranks_have_intervals_that_hold_them(board):
    for one in board.asked:
        placed = one.table[one.table["place"].notna()]
        assert len(placed) > 50
        assert (placed["place_low"] <= placed["place"]).all()
        assert (placed["place"] <= placed["place_high"]).all()
        assert (placed["place_high"] <= placed["n_placed"]).all()
        assert (placed["place"] == placed["rank"]).all()


def test_models_that_score_the_same_share_their_place(read):
    table = read.scores()
    one, other = "model-04", "model-05"
    same = table[table["model"] == one].assign(model=other)
    twin = pd.concat([table[table["model"] != other], same], ignore_index=True)
    submitted = [
        type(each)(
            each.entry,
            each.scores if each.model != other else _as(each, twin, other),
            each.runs,
        )
        for each in read.submitted
    ]
    found = standings(type(read)(read.cards, submitted))
    for asked in found:
        rows = asked.table.set_index(["metric", "model"])[["place", "place_low", "place_high"]]
        pd.testing.assert_frame_equal(
            rows.xs(one, level="model"), rows.xs(other, level="model"), check_like=True
        )
        assert (
            rows["place_high"].xs(one, level="model") >= rows["place"].xs(one, level="model") + 1
        ).all()


def _as(each, table, model):
    own = table[(table["model"] == model) & (table["scenario"] == each.scenario)]
    costs = [name for name in each.scores if name not in own]
    return own.assign(**each.scores[costs].iloc[0].to_dict())


def test_who_learned_from_the_data_is_marked_there_alone(pages, read):
    names = [name for name, card in read.cards.items() if "norman2019" in card.trained_on]
    assert names
    text = html(pages, address("scenario", "iid"))
    assert text.count("trained on norman2019") >= len(names)
    assert "trained on norman2019" not in html(pages, address("scenario", "unseen-context"))
    assert html(pages, address("dataset", "norman2019")).count(
        "</a>: trained on norman2019"
    ) == len(names)


@pytest.mark.parametrize(
    ("trained_on", "asked", "is_marked"),
    [
        (["Norman et al."], "norman2019", False),
        (["NORMAN-2019"], "norman2019", True),
        (["norman2019.h5ad"], "norman2019", True),
        (["replogle2022"], "replogle2022-k562", True),
        (["replogle2022-rpe1"], "replogle2022-k562", False),
        (["k"], "kang2018", False),
        (["kang2018"], "kang2018[n=2]", True),
        ([], "kang2018", False),
        (["..."], "kang2018", False),
    ],
)
def test_names_of_data_sets_are_compared_without_signs(trained_on, asked, is_marked):
    assert bool(learned_from(trained_on, asked)) == is_marked


def test_what_lies_far_below_the_floor_stands_at_the_edge():
    rows = pd.DataFrame(
        {
            "model": ["base", "bad", CEILING, REPLICATE],
            "mean": [0.5, -100.0, 1.0, 0.9],
            "low": [0.4, -110.0, np.nan, np.nan],
            "high": [0.6, -90.0, np.nan, np.nan],
            "reference": "base",
        }
    )
    scale = scale_of(rows)
    assert scale.low == pytest.approx(-0.25)
    assert scale.at(-100.0) < scale.at(0.5) < scale.at(1.0)


def test_times_are_told_in_words():
    assert [duration(s) for s in (3.0, 600.0, 7200.0, 1e6, np.nan)] == [
        "3 s",
        "10 min",
        "2 h",
        "11.6 d",
        "",
    ]


def test_the_table_for_programs_has_every_rank(pages, board):
    table = pd.read_csv(pages / "leaderboard.csv")
    assert len(table) == sum(len(one.table) for one in board.asked)
    assert {"place", "place_low", "place_high", "sealed", "licence", "cpu_s"} <= set(table)


def test_a_site_is_replaced_and_nothing_else_is(board, tmp_path):
    out = tmp_path / "board"
    write_site(out, board)
    (out / "model" / "gone.html").write_text("old")
    write_site(out, board)
    assert (out / MARKER).is_file()
    assert not (out / "model" / "gone.html").exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("precious")
    with pytest.raises(StoreError, match="holds something else"):
        write_site(mine, board)
    assert (mine / "thesis.txt").read_text() == "precious"
    with pytest.raises(StoreError, match="is a file"):
        write_site(mine / "thesis.txt", board)


def test_a_page_is_the_same_each_time(board, pages, tmp_path):
    write_site(tmp_path / "again", board, title="Board <of> all")
    for page in pages.rglob("*.html"):
        assert (tmp_path / "again" / page.relative_to(pages)).read_bytes() == page.read_bytes()


def test_results_that_are_wrong_make_no_site(results_of_others, tmp_path, capsys):
    results = shutil.copytree(results_of_others, tmp_path / "results")
    entry = entries(results)[0]
    pd.read_parquet(entry.scores).assign(status="fine").to_parquet(entry.scores)
    with pytest.raises(SystemExit):
        main(["site", str(results), "--out", str(tmp_path / "out")])
    assert "is not fit to be shown" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
