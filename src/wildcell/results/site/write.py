"""A leaderboard as static pages, that need no server, no network and no scripts."""

import base64
import hashlib
import shutil
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from wildcell.errors import MissingExtraError, StoreError
from wildcell.results.site import pages
from wildcell.results.site.addresses import INDEX, KINDS, address
from wildcell.results.site.pages import Board
from wildcell.results.site.rows import View
from wildcell.store.atomic import writing

try:
    import jinja2
except ImportError as error:
    raise MissingExtraError("The site", "report") from error

HERE, REPORT = "wildcell.results.site", "wildcell.results.report"
STYLES = ((REPORT, "page.css"), (HERE, "site.css"))
MARKER = ".wildcell-site"
"""A file that says that a folder holds a site, so that it may be written anew."""

TABLE = "leaderboard.csv"

VIEWS: dict[str, Callable[[Board, str], View]] = {
    "scenario": pages.scenario_view,
    "model": pages.model_view,
    "dataset": pages.dataset_view,
    "metric": pages.metric_view,
}


def write_site(out: Path, board: Board, *, title: str = "Leaderboard") -> int:
    """Write the pages of a leaderboard into a folder.

    Parameters
    ----------
    out
        The folder; it must be new, empty, or hold a site, which is replaced as a whole.
    board
        What is shown.
    title
        What stands above it.

    Returns
    -------
    How many pages there are.

    Raises
    ------
    MissingExtraError
        The libraries of the extra `report` are not installed; raised when this is imported.
    StoreError
        The folder holds something else, or cannot be written.
    """
    _refuse_others(out)
    staged = out.resolve().with_name(f".{out.resolve().name}.new")
    if staged.exists():
        shutil.rmtree(staged)
    n = 0
    with writing(staged) as folder:
        folder.mkdir(parents=True)
        (folder / MARKER).write_text("", encoding="utf-8")
        for path, html in _pages(board, title):
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(html, encoding="utf-8")
            n += 1
        _table(board).to_csv(folder / TABLE, index=False)
    if out.exists():
        shutil.rmtree(out)
    staged.replace(out)
    return n


def _refuse_others(out: Path) -> None:
    if out.is_dir() and any(out.iterdir()) and not (out / MARKER).is_file():
        raise StoreError(f"{out} is a folder that holds something else; name another place.")
    if out.exists() and not out.is_dir():
        raise StoreError(f"{out} is a file; name a folder.")


def _pages(board: Board, title: str) -> Iterator[tuple[str, str]]:
    """Yield the path of each page, and its text."""
    style = "".join(_part(*place) for place in STYLES)
    script = _part(HERE, "site.js")
    shown: dict[str, Any] = {
        "title": title,
        "style": style,
        "script": script,
        "policy": policy(style, script),
        "index": INDEX,
        "table": TABLE,
    }
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: _part(HERE, name)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("index.html.j2")
    yield INDEX, template.render(root="", **shown, **pages.index_view(board))
    for kind in KINDS:
        template = environment.get_template(f"{kind}.html.j2")
        for name in board.names(kind):
            view = VIEWS[kind](board, name)
            yield address(kind, name), template.render(root=pages.ROOT, **shown, **view)


def policy(style: str, script: str) -> str:
    """Return a content security policy that allows this style and this script, and nothing else."""
    return (
        f"default-src 'none'; style-src '{_sha256(style)}'; script-src '{_sha256(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _part(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _table(board: Board) -> pd.DataFrame:
    """Return the rows of all questions, for other programs."""
    table = pd.concat([one.table for one in board.asked], ignore_index=True)
    learned = [
        "; ".join(names) if isinstance(names, list) else "" for names in table["learned_from"]
    ]
    return table.assign(learned_from=learned).drop(columns=["order", "category", "rank"])
