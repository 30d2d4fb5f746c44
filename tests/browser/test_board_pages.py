"""A leaderboard works in a browser: sorting, filters, keyboard, narrow and dark, hostile names."""

import re

import pytest

from wildcell.results.site.addresses import address
from wildcell.results.site.write import write_site
from wildcell.submission.about import board_of
from wildcell.submitted.read import read_results

PLACES = {
    "index": "index.html",
    "scenario": address("scenario", "iid"),
    "dataset": address("dataset", "norman2019"),
    "metric": address("metric", "effect_r2"),
    "model": address("model", "model-00"),
}


@pytest.fixture(scope="module")
def board(results_of_others):
    return board_of(read_results(results_of_others))


@pytest.fixture(scope="module")
def pages(board, tmp_path_factory):
    out = tmp_path_factory.mktemp("pages") / "board"
    write_site(out, board)
    return out


@pytest.fixture
def index(pages, open_page):
    return open_page(pages / "index.html", within=pages)


def column(page, number):
    """Return what rows that are shown have in a column to be sorted by."""
    return page.evaluate(
        "(n) => [...document.querySelectorAll('#results tbody tr')].filter((row) => !row.hidden)"
        ".map((row) => row.cells[n].dataset.value)",
        number,
    )


def test_every_page_opens_and_asks_for_nothing(pages, open_page):
    for path in sorted(pages.rglob("*.html")):
        page = open_page(path)
        assert page.locator("h1").count() == 1
        page.close()


def test_the_first_page_leads_with_the_answers(index):
    assert index.locator(".card .sentence").count() == 2
    top = index.locator(".card").first.bounding_box()
    assert top["y"] < index.locator("table").first.bounding_box()["y"]


def test_columns_are_sorted_by_mouse(index):
    head = index.locator("#results thead th").nth(3)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    values = [float(value) for value in column(index, 3)]
    assert values == sorted(values)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    values = [float(value) for value in column(index, 3)]
    assert values == sorted(values, reverse=True)
    assert "Sorted by" in index.get_by_role("status").inner_text()


def test_columns_are_sorted_by_keyboard(index):
    button = index.locator("#results thead th").nth(0).get_by_role("button")
    button.focus()
    index.keyboard.press("Enter")
    names = column(index, 0)
    by_letters = "(names) => [...names].sort((a, b) => a.localeCompare(b, 'en'))"
    assert names == index.evaluate(by_letters, names)
    index.keyboard.press("Space")
    assert column(index, 0)[0] == names[-1]
    index.keyboard.press("Tab")
    assert index.evaluate("document.activeElement.textContent") == "Scenario"


def test_rows_without_a_number_stand_last_whichever_way(index):
    index.evaluate("document.querySelector('#results tbody tr').cells[3].dataset.value = ''")
    button = index.locator("#results thead th").nth(3).get_by_role("button")
    for _ in range(2):
        button.click()
        assert column(index, 3)[-1] == ""


def test_results_are_filtered(index, board):
    status = index.get_by_role("status")
    n = len(column(index, 0))
    assert status.inner_text() == f"{n} of {n} results are shown."
    index.get_by_label("Scenario").select_option("iid")
    assert set(column(index, 1)) == {"iid"}
    assert status.inner_text() == f"{n // 2} of {n} results are shown."
    index.get_by_label("Licence").select_option("MIT")
    licences = index.locator("#results tbody tr:visible").evaluate_all(
        "(rows) => rows.map((row) => row.dataset.licence)"
    )
    assert licences
    assert set(licences) == {"MIT"}


@pytest.mark.parametrize(
    ("label", "choice", "data", "value"),
    [
        ("Sealed", "sealed", "sealed", "sealed"),
        ("Trained on the data asked", "yes", "learned", "yes"),
        ("Data set", "norman2019", "dataset", "norman2019"),
    ],
)
def test_each_filter_shows_what_it_says(index, label, choice, data, value):
    index.get_by_label(label).select_option(choice)
    shown = index.locator("#results tbody tr:visible")
    assert 0 < shown.count() < index.locator("#results tbody tr").count()
    assert set(shown.evaluate_all(f"(rows) => rows.map((row) => row.dataset.{data})")) == {value}


def test_costs_are_filtered(index):
    index.get_by_label("CPU a run").select_option("60")
    costs = index.locator("#results tbody tr:visible").evaluate_all(
        "(rows) => rows.map((row) => Number(row.dataset.cost))"
    )
    assert costs
    assert max(costs) <= 60 < max(float(value) for value in _costs(index))


def _costs(page):
    return page.locator("#results tbody tr").evaluate_all(
        "(rows) => rows.map((r) => r.dataset.cost)"
    )


def test_families_of_metrics_are_chosen(index):
    index.get_by_label("Metrics").select_option("retrieval")
    heads = index.locator("#results thead th:visible").all_inner_texts()
    assert "retrieval_cosine" in [head.strip() for head in heads]
    assert "effect_r2" not in [head.strip() for head in heads]
    cells = index.locator("#results tbody tr").first.locator("th:visible, td:visible").count()
    assert cells == len(heads)


def test_models_are_searched_by_keyboard_alone(index):
    index.get_by_label("Model contains").focus()
    index.keyboard.type("MODEL-04")
    assert set(column(index, 0)) == {"model-04"}


def test_links_lead_from_page_to_page(index):
    index.locator("#results a").first.click()
    assert index.locator("nav[aria-label=Up]").inner_text().endswith("Model")
    index.get_by_role("link", name="Leaderboard").click()
    assert index.locator("#results").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_narrow_page_does_not_scroll_sideways(pages, open_page, place, scheme):
    page = open_page(pages / place, viewport={"width": 400, "height": 800}, color_scheme=scheme)
    wide, shown = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert wide <= shown
    assert (max(map(int, re.findall(r"\d+", paper)[:3])) < 60) == (scheme == "dark")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_nothing_keeps_people_out(pages, open_page, axe, place, scheme):
    page = open_page(pages / place, color_scheme=scheme, bypass_csp=True)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
    assert serious == []


def test_without_scripts_the_tables_are_whole(pages, open_page):
    page = open_page(pages / "index.html", java_script_enabled=False)
    assert page.locator("#results tbody tr").count() > 10
    assert not page.locator("form").is_visible()
    assert page.locator("thead button").count() == 0


def test_hostile_names_do_nothing(pages, board, open_page):
    (hostile,) = [name for name in board.names("model") if "<img" in name]
    (data,) = [name for name in board.names("dataset") if "<img" in name]
    for place in ("index.html", address("model", hostile), address("dataset", data)):
        page = open_page(pages / place)
        assert page.locator("img").count() == 0
        assert hostile in page.locator("body").inner_text()
        page.wait_for_timeout(50)
    page = open_page(pages / "index.html")
    page.get_by_label("Data set").select_option(data)
    assert set(column(page, 2)) == {data}
    page.get_by_label("Model contains").fill(hostile)
    assert column(page, 0) == [hostile]
    assert "49" not in page.locator("#results tbody tr:visible th").inner_text()
