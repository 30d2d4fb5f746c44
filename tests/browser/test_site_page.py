"""The site of the documentation works in a browser, from a folder, without a network."""

import pytest

PAGES = ("index.html", "tutorial.html", "why/cheats.html")


def test_pages_are_searched_without_a_server(site, open_page):
    page = open_page(site / "why" / "controls.html", within=site)
    page.get_by_role("textbox", name="Search").click()
    page.keyboard.type("abstention")
    first = page.locator(".md-search-result__item a").first
    first.wait_for()
    first.click()
    page.locator("h1").wait_for()

    assert "abstention" in page.locator("article").inner_text().lower()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_on_a_page_of_the_site_keeps_people_out(site, open_page, axe, name, scheme):
    page = open_page(site / name, within=site, color_scheme=scheme)
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations'], preload: false})")
    serious = [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
    assert serious == []


@pytest.mark.parametrize("name", PAGES)
def test_a_narrow_page_of_the_site_does_not_scroll_sideways(site, open_page, name):
    page = open_page(site / name, within=site, viewport={"width": 400, "height": 800})
    wide, shown = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")

    assert wide <= shown
