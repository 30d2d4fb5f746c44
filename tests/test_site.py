"""The site of the documentation holds together, and needs nothing from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import wildcell
from wildcell import testing
from wildcell.cli.main import VERBS

DOCS = Path(__file__).parents[1] / "docs"
LOADING = {"script", "link", "img", "iframe", "source", "video", "audio", "embed", "object"}


class Page(HTMLParser):
    """The anchors of a page, what it links, and what a browser loads with it."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loaded = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        own = dict(attributes)
        self.anchors |= {own[key] for key in ("id", "name") if own.get(key)}
        places = [own[key] for key in ("href", "src", "data") if own.get(key)]
        if tag == "a":
            self.links += places
        elif tag in LOADING:
            self.loaded += places


@pytest.fixture(scope="module")
def pages(site):
    return {path.resolve(): Page(path) for path in site.rglob("*.html")}


def target(path, place):
    return (path.parent / unquote(place)).resolve() if place else path


def test_every_page_is_there_and_in_the_contents(site, pages):
    contents = {target(site / "index.html", link) for link in pages[site / "index.html"].links}
    wanted = [(site / page.relative_to(DOCS)).with_suffix(".html") for page in DOCS.rglob("*.md")]

    assert [page for page in wanted if page not in pages] == []
    assert [page for page in wanted if page not in contents] == []


def test_links_lead_to_files_and_anchors_that_are_there(pages):
    broken, n_checked = [], 0
    for path, page in pages.items():
        if path.name == "404.html":
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            to = target(path, parts.path)
            n_checked += 1
            wanted = {unquote(parts.fragment)} - {""}
            if not to.is_file() or (wanted and not wanted <= pages[to].anchors):
                broken.append((path.name, link))

    assert broken == []
    assert n_checked > 100


def test_nothing_is_loaded_from_elsewhere(site, pages):
    for path, page in pages.items():
        assert [place for place in page.loaded if urlsplit(place).netloc] == [], path
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", style.read_text()), style


def test_what_is_loaded_is_there(pages):
    for path, page in pages.items():
        places = [urlsplit(place).path for place in page.loaded]
        missing = [place for place in places if place and not target(path, place).is_file()]
        assert path.name == "404.html" or missing == [], path


def test_every_command_has_its_section(site, pages):
    verbs = [verb for group in VERBS.values() for verb in group]
    anchors = pages[site / "reference" / "commands.html"].anchors

    assert [verb for verb in verbs if f"wildcell-{verb}" not in anchors] == []


def test_every_public_function_is_in_the_reference(site, pages):
    names = [f"{wildcell._HOMES[name]}.{name}" for name in wildcell.__all__]
    names += [f"wildcell.testing.{name}" for name in testing.__all__ if name.islower()]
    anchors = pages[site / "reference" / "python.html"].anchors

    assert [name for name in names if name not in anchors] == []
