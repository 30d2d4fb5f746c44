"""The report works in a browser: charts, picker, keyboard, narrow and dark."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from wildcell.datasets.simulated import simulated
from wildcell.names import Look
from wildcell.results.report.write import write_report
from wildcell.results.table import tables_of_runs
from wildcell.run import run_scenario
from wildcell.store.runs import read_looks, read_records, read_scores

HOSTILE = "<img src=x onerror=alert(1)>\"'/../\N{SNOWMAN}</script>"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    screen = simulated(n_contexts=4, n_perturbations=8, n_combinations=4, n_genes=50, n_cells=20)
    for scenario in ("unseen-context", "unseen-perturbation"):
        run_scenario(
            scenario,
            data=screen,
            models=["ridge", "context-transfer", "perturbed-mean", "no-change"],
            runs=folder,
            seeds=[0],
        )
    return folder


@pytest.fixture(scope="module")
def report(runs):
    out = runs.parent / "report.html"
    write_report(out, **tables_of_runs(runs), runs=read_records(runs))
    return out


def drawn(page):
    """Scroll to every chart, and wait for each to be drawn."""
    for box in page.locator("[data-chart]").all():
        box.scroll_into_view_if_needed()
    page.wait_for_function(
        "[...document.querySelectorAll('[data-chart]')].every((box) => box.dataset.drawn)"
    )
    page.wait_for_function(
        "[...document.querySelectorAll('[data-picker]')].every((box) => box.dataset.ready)"
    )
    return page


def test_every_chart_is_drawn_and_nothing_is_fetched(report, open_page):
    page = drawn(open_page(report))

    charts = page.locator("[data-chart]")
    assert charts.count() > 8
    for box in charts.all():
        assert box.locator("svg").count() == 1


def test_a_chart_can_be_saved(report, open_page):
    page = drawn(open_page(report))
    for kind in ("svg", "png"):
        with page.expect_download() as found:
            figure = page.locator("figure:has([data-chart=scores])").first
            figure.get_by_role("button", name=re.compile(f"Save as {kind}", re.IGNORECASE)).click()
        saved = found.value.path()
        assert found.value.suggested_filename == f"scores.{kind}"
        assert saved.read_bytes().startswith(b"<svg" if kind == "svg" else b"\x89PNG")


def test_the_metric_of_a_chart_is_chosen(report, open_page):
    page = drawn(open_page(report))
    box = page.locator("[data-chart=scores]").first
    before = box.locator("svg").inner_html()
    box.locator("select").select_option("pearson_delta")
    page.wait_for_timeout(200)

    assert box.locator("svg").inner_html() != before


def test_conditions_are_picked_with_the_keyboard_alone(report, open_page):
    page = drawn(open_page(report))
    picker = page.locator("[data-picker]").first
    picker.locator("[data-part=filter]").focus()
    page.keyboard.type("G00")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.part") == "list"
    page.keyboard.press("ArrowDown")

    chosen = picker.locator("[data-part=list] option").nth(1).inner_text()
    assert picker.locator("[data-part=shown] h4").inner_text() == chosen


def test_scores_shown_of_a_condition_are_those_on_disk(report, runs, open_page):
    page = drawn(open_page(report))
    picker = page.locator("[data-picker]").first
    scores = read_scores(runs)
    scenario = page.locator("section[id^=question] h2").first.inner_text().split(" · ")[0]
    own = scores[scores["scenario"] == scenario]
    checked = 0
    for option in picker.locator("[data-part=list] option").all()[:5]:
        perturbation, _, context = option.inner_text().rpartition(" in ")
        picker.locator("[data-part=list]").select_option(option.get_attribute("value"))
        heads = picker.locator("table.condition thead th").all_inner_texts()[1:]
        rows = own[(own["context"] == context) & (own["perturbation"] == perturbation)]
        for line in picker.locator("table.condition tbody tr").all():
            model = line.locator("th").inner_text().partition(" (")[0]
            cells = line.locator("td").all_inner_texts()
            if len(cells) == 1:  # the same words of all metrics
                assert line.locator("td").get_attribute("colspan") == str(len(heads))
                cells *= len(heads)
            for metric, cell in zip(heads, cells, strict=True):
                known = rows[(rows["model"] == model) & (rows["metric"] == metric)]["value"].mean()
                if re.search(r"\d", cell):
                    shown = float(cell.replace("\N{MINUS SIGN}", "-"))
                    assert shown == pytest.approx(known, rel=0.01, abs=0.006)
                    checked += 1
                else:
                    assert not np.isfinite(known)
    assert checked > 50


def test_genes_shown_of_a_condition_are_those_on_disk(report, runs, open_page):
    page = drawn(open_page(report))
    picker = page.locator("[data-picker]").first
    picker.locator("[data-part=model]").select_option(label="ridge")
    perturbation, _, context = (
        picker.locator("[data-part=shown] h4").inner_text().rpartition(" in ")
    )
    scenario = page.locator("section[id^=question] h2").first.inner_text().split(" · ")[0]
    looks = read_looks(runs)
    own = looks[
        (looks["scenario"] == scenario)
        & (looks["model"] == "ridge")
        & (looks["context"] == context)
        & (looks["perturbation"] == perturbation)
        & looks["look"].isin([Look.TRUE_GENE, Look.OWN_GENE])
    ].set_index("gene")
    picker.locator("details summary").click()
    rows = picker.locator("table.genes tbody tr").all()

    assert len(rows) == len(own) > 10
    for line in rows:
        known = own.loc[line.locator("th").inner_text()]
        cells = [
            text.replace("\N{MINUS SIGN}", "-") for text in line.locator("td").all_inner_texts()
        ]
        assert float(cells[0]) == pytest.approx(known["x"], rel=0.02, abs=0.006)
        assert float(cells[2]) == pytest.approx(known["y"], rel=0.02, abs=0.006)
    charts = picker.locator("[data-look-chart]")
    assert charts.count() == 3
    page.wait_for_function(
        "[...document.querySelectorAll('[data-look-chart]')].every((box) => box.dataset.drawn)"
    )
    assert charts.nth(0).locator("svg").count() == 1


def test_conditions_are_ordered_by_what_a_model_gains(report, open_page):
    page = drawn(open_page(report))
    picker = page.locator("[data-picker]").first
    picker.locator("[data-part=model]").select_option(label="ridge")
    picker.locator("[data-part=metric]").select_option(label="pearson_delta")
    picker.locator("[data-part=order]").select_option("worst")
    shown = []
    for option in picker.locator("[data-part=list] option").all()[:4]:
        picker.locator("[data-part=list]").select_option(option.get_attribute("value"))
        place = (
            picker.locator("table.condition thead th").all_inner_texts().index("pearson_delta") - 1
        )
        row = picker.locator("tr.chosen")
        shown.append(
            float(row.locator("td").nth(place).inner_text().replace("\N{MINUS SIGN}", "-"))
        )
    assert shown == sorted(shown)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_page_does_not_scroll_sideways(report, open_page, scheme):
    page = drawn(open_page(report, viewport={"width": 400, "height": 800}, color_scheme=scheme))
    wide, shown = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert wide <= shown
    assert (max(map(int, re.findall(r"\d+", paper)[:3])) < 60) == (scheme == "dark")


def test_tables_behind_the_charts_open_by_keyboard(report, open_page):
    page = drawn(open_page(report))
    behind = page.locator("details.behind").first
    behind.locator("summary").focus()
    page.keyboard.press("Enter")

    assert behind.locator("td").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_out(report, open_page, axe, scheme):
    page = drawn(open_page(report, color_scheme=scheme))
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
    assert serious == []


def test_hostile_names_do_nothing(runs, open_page, tmp_path):
    tables = tables_of_runs(runs)
    names = {"ridge": HOSTILE}
    perturbation = tables["scores"]["perturbation"].iloc[0]
    for name in ("scores", "ranks", "costs", "places", "looks"):
        tables[name] = tables[name].replace(
            {"model": names, "perturbation": {perturbation: HOSTILE}}
        )
    records = read_records(runs).replace({"model": names})
    out = tmp_path / "report.html"
    write_report(out, **tables, runs=records)
    page = drawn(open_page(out))

    assert page.locator("img").count() == 0
    assert HOSTILE in page.locator("body").inner_text()


def test_without_scripts_the_numbers_and_pictures_are_there(report, open_page):
    page = open_page(report, java_script_enabled=False)

    assert page.locator("[data-chart] svg").count() == page.locator("[data-chart]").count()
    assert page.locator("table.ranks td").count() > 100


def test_ten_thousand_conditions_are_listed_and_searched(runs, open_page, tmp_path):
    tables = tables_of_runs(runs)
    question = tables["ranks"]["scenario"].iloc[0]
    own = {
        name: table[table["scenario"] == question] if "scenario" in table else table
        for name, table in tables.items()
    }
    one = own["scores"].drop_duplicates(["model", "metric"])
    copies = 10_000
    many = one.loc[one.index.repeat(copies)].reset_index(drop=True)
    many["perturbation"] = np.tile([f"P{i:05d}" for i in range(copies)], len(one))
    many["context"] = "only"
    many["value"] = np.random.default_rng(0).normal(size=len(many))
    records = read_records(runs)
    out = tmp_path / "report.html"
    write_report(
        out, **{**own, "scores": many, "conditions": pd.DataFrame(), "looks": pd.DataFrame()},
        runs=records[records["scenario"] == question],
    )  # fmt: skip
    page = drawn(open_page(out))
    picker = page.locator("[data-picker]").first

    assert "10,000" in picker.locator("[data-part=found]").inner_text()
    picker.locator("[data-part=filter]").fill("09999")
    assert picker.locator("[data-part=found]").inner_text() == "1 conditions"
    assert "P09999 in only" in picker.locator("[data-part=shown]").inner_text()


def test_each_chart_carries_its_own_data(report):
    html = report.read_text(encoding="utf-8")
    specs = [
        json.loads(text)
        for text in re.findall(r'<script type="application/json">(\{"config.*?)</script>', html)
    ]

    assert len(specs) > 8
    assert all(spec.get("datasets") for spec in specs)
