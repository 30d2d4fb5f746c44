"""What tests of several folders share."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def site() -> Path:
    """Return the folder of the site, where it is built of the pages as they are."""
    built = ROOT / "site"
    folders = (ROOT / "docs", ROOT / "docs-site")
    sources = [file for folder in folders for file in folder.rglob("*.*") if file.suffix != ".pyc"]
    if not (built / "index.html").is_file():
        pytest.skip("there is no site: make docs")
    if max(map(changed, [ROOT / "mkdocs.yml", *sources])) > changed(built / "index.html"):
        pytest.skip("the site is older than its pages: make docs")
    return built


def changed(file: Path) -> float:
    return file.stat().st_mtime
