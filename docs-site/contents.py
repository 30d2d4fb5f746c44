"""The contents of the site are the links of docs/index.md, in its order and under its headings.

A page that the index does not link is left out of the contents, which fails a strict build.
"""

import re
from pathlib import Path
from typing import Any

from addresses import DOCS, address, place_of
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files

INDEX = "index.md"
HEADING_OR_LINK = re.compile(
    r"^## (?P<heading>.+)$|\[(?P<words>[^]]+)\]\((?P<link>[^)#:]+)\)", re.MULTILINE
)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Make the contents of the index."""
    config.nav = contents_of((Path(config.docs_dir) / INDEX).read_text(encoding="utf-8"))
    return files


def contents_of(index: str) -> list[Any]:
    """Return the pages before the first heading by the words of their links, then the sections.

    A section is a heading with its pages, which are called by their titles.
    """
    contents: list[Any] = [{"Contents": INDEX}]
    pages: list[str] | None = None
    for part in HEADING_OR_LINK.finditer(index):
        if part["heading"]:
            pages = []
            contents.append({part["heading"]: pages})
            continue
        page = address(place_of(part["link"], DOCS + INDEX))
        if pages is None:
            contents.append({part["words"]: page})
        else:
            pages.append(page)
    return contents
