"""What tests of several folders share."""

import sys
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


HOSTILE = "<img src=x onerror=alert(1)>\"'/x\\\N{SNOWMAN}</script>{{ 7 * 7 }}"


@pytest.fixture(scope="session")
def results_of_others(tmp_path_factory) -> Path:
    """Return results of simulated scores, with a hostile name of a model and of a data set."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from leaderboard import make

    folder = tmp_path_factory.mktemp("board")
    questions = {"unseen-context": f"data {HOSTILE}", "iid": "norman2019"}
    make(folder, n_models=12, n_conditions=24, questions=questions)
    rename(folder / "results", "model-01", HOSTILE)
    return folder / "results"


def rename(results: Path, old: str, new: str) -> None:
    """Hand in under another name what was handed in of a model."""
    from dataclasses import replace

    import pandas as pd

    from wildcell.submitted.card import card_text, read_card
    from wildcell.submitted.layout import card_path, entries, entry_of

    for entry in entries(results):
        if entry.model == old:
            named = entry_of(results, entry.scenario, new)
            pd.read_parquet(entry.scores).assign(model=new).to_parquet(named.scores)
            entry.records.rename(named.records)
            entry.scores.unlink()
    card = replace(read_card(card_path(results, old)), name=new)
    card_path(results, new).parent.mkdir()
    card_path(results, new).write_text(card_text(card), encoding="utf-8")
    card_path(results, old).unlink()
    card_path(results, old).parent.rmdir()
