"""Files of the repository outside docs/ that pages link are published with them.

On a code host the links lead to the files themselves; here they are led to copies.
"""

from pathlib import Path
from typing import Any

from addresses import COPIES, DOCS, address, led, linked
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add each file that a page, or a file that was added, links."""
    root = Path(config.docs_dir).parent
    reading = [DOCS + page.src_uri for page in files.documentation_pages()]
    for page in reading:
        for place in linked((root / page).read_text(encoding="utf-8"), page):
            if (root / place).is_file() and files.get_file_from_path(address(place)) is None:
                files.append(copy_of(root / place, place, config))
                reading += [place] if place.endswith(".md") else []
    return files


def copy_of(file: Path, place: str, config: MkDocsConfig) -> File:
    """Return a copy of a file, with its links led."""
    text = file.read_text(encoding="utf-8")
    return File.generated(config, address(place), content=led(text, place))


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Lead the links of a page; those of copies are led already."""
    here = page.file.src_uri
    return markdown if here.startswith(COPIES) else led(markdown, DOCS + here)
