"""The report: one HTML file that says what was asked, answered, and not answered."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.resources import files
from operator import call
from pathlib import Path
from typing import Any

import pandas as pd

from wildcell.metrics.metric import METRICS
from wildcell.parallel import in_processes
from wildcell.results.rank import PSEUDO_MODELS, QUESTION, without_shams
from wildcell.results.report import charts_of_costs, charts_of_guidance
from wildcell.results.report.charts_of_arms import charts_of_arms
from wildcell.results.report.charts_of_looks import charts_of_looks
from wildcell.results.report.question import Asked, question_view
from wildcell.results.report.tables import View, rows_of, without_twins
from wildcell.results.report.vega import jinja2, vl_convert
from wildcell.results.words import count, listed, number
from wildcell.store.atomic import write_text

PARTS = {"page": "page.html.j2", "style": "page.css", "script": "page.js"}


def write_report(
    out: Path,
    *,
    scores: pd.DataFrame,
    ranks: pd.DataFrame,
    runs: pd.DataFrame,
    calibrated: pd.DataFrame | None = None,
    costs: pd.DataFrame | None = None,
    conditions: pd.DataFrame | None = None,
    findings: pd.DataFrame | None = None,
    places: pd.DataFrame | None = None,
    looks: pd.DataFrame | None = None,
    tree: pd.DataFrame | None = None,
    clusters: pd.DataFrame | None = None,
    depths: pd.DataFrame | None = None,
    gene_sets: pd.DataFrame | None = None,
    compared: pd.DataFrame | None = None,
    guidance: pd.DataFrame | None = None,
    scaling: pd.DataFrame | None = None,
) -> None:
    """Write one self-contained HTML file about any number of questions.

    Parameters
    ----------
    out
        The file to write.
    scores
        The long table.
    ranks
        What `wildcell.results.rank.rank` makes of it.
    runs
        Records of the runs, a row a run, as `wildcell.store.runs.read_records` returns them.
    calibrated
        What `wildcell.results.usable.calibrate_metrics` made of the scores: metrics that tell
        nothing on a data set are named.
    costs, conditions
        From `wildcell.store.runs.read_costs` and `read_conditions`.
    findings
        From `wildcell.results.findings.find.find_all`.
    places
        From `wildcell.results.compare.compare_models`.
    looks
        From `wildcell.store.runs.read_looks`, of the conditions of
        `wildcell.results.report.looks.wanted_looks`.
    tree, clusters
        From `wildcell.store.split_tables.read_split_tables`.
    depths, gene_sets
        From `wildcell.store.split_tables.read_pool_tables`.
    compared
        From `wildcell.results.arms.compare_arms`, each scenario and data set with a base.
    guidance
        From `wildcell.results.guidance.guide`.
    scaling
        What `wildcell scaling` measured.

    Raises
    ------
    MissingExtraError
        The libraries of the extra `report` are not installed; raised when this is imported.
    StoreError
        The file cannot be written.
    """
    questions, library = _questions(
        {
            "ranks": ranks,
            "scores": scores,
            "runs": runs,
            "calibrated": calibrated,
            "costs": costs,
            "conditions": conditions,
            "places": places,
            "looks": looks,
            "tree": tree,
            "clusters": clusters,
            "depths": depths,
            "gene_sets": gene_sets,
        }
    )
    text = {name: _part(file) for name, file in PARTS.items()}
    page = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(text["page"])
    html = page.render(
        style=text["style"],
        script=library + text["script"],
        summary=_summary(without_shams(scores), runs, len(questions)),
        questions=questions,
        guidance=None if guidance is None else charts_of_guidance.guidance(guidance),
        growth=None if scaling is None else charts_of_costs.growth(scaling),
        arms=list(_arms(ranks, compared, costs)),
        looks=charts_of_looks(),
        findings=[] if findings is None else _findings(findings),
        metrics=[_metric(name) for name in without_twins(ranks)["metric"].drop_duplicates()],
        versions=_merged(runs["versions"]),
        hardware=_merged(runs["hardware"]),
    )
    write_text(out, html)


def _questions(tables: Mapping[str, pd.DataFrame | None]) -> tuple[list[View], str]:
    """Return what is shown of each question, sorted, and the script that draws charts.

    Tables have the names of those of `Asked`.
    """
    apart = {
        name: table.groupby(QUESTION)
        for name, table in tables.items()
        if table is not None and not table.empty
    }
    rows = {name: grouped.indices for name, grouped in apart.items()}

    def view_of(key: tuple[str, str, str]) -> View:
        own = {name: grouped.get_group(key) for name, grouped in apart.items() if key in rows[name]}
        return question_view(Asked(**own))

    tasks: list[Callable[[], Any]] = [_library]
    tasks += [partial(view_of, key) for key in sorted(rows["ranks"])]
    library, *views = in_processes(call, tasks)
    questions = [{"id": f"question-{order}", **view} for order, view in enumerate(views, start=1)]
    return questions, library


def _part(name: str) -> str:
    return files("wildcell.results.report").joinpath(name).read_text(encoding="utf-8")


def _library() -> str:
    """Return Vega, Vega-Lite and their embedding as one script that needs no network."""
    text = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return str(text).replace("</script", "<\\/script") + "\n"


def _summary(scores: pd.DataFrame, runs: pd.DataFrame, n_questions: int) -> str:
    n_models = len(set(scores["model"]) - set(PSEUDO_MODELS))
    days = sorted({str(started)[:10] for started in runs["started"]})
    when = listed(days, at_most=1) if len(days) == 1 else f"{days[0]} to {days[-1]}"
    what = ", ".join(
        [count(n_questions, "question"), count(n_models, "model"), count(len(runs), "run")]
    )
    return f"{what}; {when}."


def _arms(
    ranks: pd.DataFrame, compared: pd.DataFrame | None, costs: pd.DataFrame | None
) -> Iterator[View]:
    """Yield the scenarios and data sets that were asked in several arms."""
    for key, table in ranks.groupby(QUESTION[:2], sort=True):
        charts = list(
            charts_of_arms(table, *(rows_of(rows, QUESTION[:2], key) for rows in (compared, costs)))
        )
        if charts:
            yield {"scenario": key[0], "dataset": key[1], "charts": charts}


def _findings(found: pd.DataFrame) -> list[View]:
    """Return the answer to each claim as a whole, question by question."""
    whole = found[found["model"] == ""]
    return [
        {
            "claim": row["claim"],
            "where": " / ".join(filter(None, (row["scenario"], row["dataset"], row["part"]))),
            "answer": row["answer"],
            "sentence": row["sentence"],
            "settles": row["settles"],
        }
        for _, row in whole.iterrows()
    ]


def _metric(name: str) -> View:
    card = METRICS.get(name)
    top = "estimated from the noise" if callable(card.ceiling) else card.ceiling
    return {
        "name": name,
        "summary": card.summary,
        "best": card.best,
        "perfect": top if isinstance(top, str) else "not known" if top is None else number(top),
        "empty": "that of the given controls" if card.null is None else number(card.null),
        "cite": card.cite,
    }


def _merged(records: pd.Series) -> dict[str, str]:
    """Return what the records say under each key; several values where they differ."""
    table = pd.DataFrame(list(records))
    return {name: listed(sorted(set(table[name].dropna().astype(str)))) for name in table}
