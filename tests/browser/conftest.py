"""A browser without a head, and a page that may not reach out or complain."""

import os
import shutil
from pathlib import Path

import pytest

pytest.importorskip("altair", reason="the extra `report` is not installed")
pytest.importorskip("jinja2", reason="the extra `report` is not installed")
pytest.importorskip("vl_convert", reason="the extra `report` is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
AXE = Path(os.environ.get("WILDCELL_AXE", ROOT / ".venv/node_modules/axe-core/axe.min.js"))


@pytest.fixture(scope="session")
def browser():
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser):
    """Return a function that opens a file, and fails the test for what the page does wrong."""
    contexts, troubles = [], []

    def opened(path: Path, within: Path | None = None, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: said.type == "error" and troubles.append(said.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda shown: troubles.append(f"dialog: {shown.message}"))
        own = path.resolve().as_uri()
        siblings = () if within is None else (within.resolve().as_uri() + "/",)
        page.on(
            "request",
            lambda asked: (
                asked.url.partition("#")[0] != own
                and not asked.url.startswith(("data:", "blob:", "about:", *siblings))
                and troubles.append(asked.url)
            ),
        )
        page.goto(own)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the source of axe-core, which looks for what keeps people out."""
    if not AXE.is_file():
        pytest.skip(f"axe-core is not at {AXE}: npm install --prefix .venv axe-core")
    return AXE.read_text(encoding="utf-8")
