"""The reference of commands is their help, put where the page has its mark."""

from typing import Any

from wildcell.cli.main import build_app

MARK = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the help of all commands in the place of the mark."""
    return markdown.replace(MARK, sections()) if MARK in markdown else markdown


def sections() -> str:
    """Return the help of each command, a section a command, without that of the whole."""
    text = build_app(is_overview=False).generate_docs(heading_level=1, max_heading_level=3)
    return text[text.index("\n## wildcell ") :]
