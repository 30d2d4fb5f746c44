"""The report: one HTML file that says what was asked, answered, and not answered."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wildcell.errors import MissingExtraError
from wildcell.metrics.headline import HEADLINE
from wildcell.metrics.metric import METRICS
from wildcell.names import CEILING, REPLICATE, SHAM, Role, Status
from wildcell.results.charts import as_svg, dot_table
from wildcell.results.rank import EVERY_CATEGORY, PSEUDO_MODELS, QUESTION, without_shams
from wildcell.results.sealing import sealing_sentence
from wildcell.results.stats import NO_INTERVAL
from wildcell.results.usable import unusable_sentence
from wildcell.results.verdict import headline_metric, verdict
from wildcell.results.words import (
    STATUS_WORDS,
    count,
    listed,
    named_once,
    number,
    signed,
    span,
)
from wildcell.store.atomic import write_text

try:
    import jinja2
except ImportError as error:
    raise MissingExtraError("The report", "report") from error

TEMPLATE = "report.html.j2"

RUN_WORDS = {
    Status.OK: "could not answer some conditions",
    Status.NOT_APPLICABLE: "could not answer any condition",
    Status.ERROR: "failed",
}
TITLES = {EVERY_CATEGORY: "All conditions", SHAM: "Shams, in which nothing was done"}
SYNTHETIC = "synthetic_cells"
SHOWN_DIGITS = 12
COMPARED = ("difference", "difference_interval", "scaled", "scaled_interval")

View = dict[str, Any]


def write_report(
    out: Path,
    *,
    scores: pd.DataFrame,
    ranks: pd.DataFrame,
    runs: pd.DataFrame,
    calibrated: pd.DataFrame | None = None,
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

    Raises
    ------
    MissingExtraError
        The libraries of the extra `report` are not installed; raised when this is imported.
    StoreError
        The file cannot be written.
    """
    scores = without_shams(scores)
    scores_of, runs_of = (dict(list(table.groupby(QUESTION))) for table in (scores, runs))
    marked = {} if calibrated is None else dict(list(calibrated.groupby(QUESTION)))
    questions = [
        {
            "id": f"question-{order}",
            **_question(table, scores_of[key], runs_of[key], marked.get(key)),
        }
        for order, (key, table) in enumerate(ranks.groupby(QUESTION, sort=True), start=1)
    ]
    text = files("wildcell.results").joinpath(TEMPLATE).read_text(encoding="utf-8")
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
    html = page.render(
        summary=_summary(scores, runs, len(questions)),
        questions=questions,
        metrics=[_metric(name) for name in without_twins(ranks)["metric"].drop_duplicates()],
        versions=_merged(runs["versions"]),
        hardware=_merged(runs["hardware"]),
    )
    write_text(out, html)


def _summary(scores: pd.DataFrame, runs: pd.DataFrame, n_questions: int) -> str:
    n_models = len(set(scores["model"]) - set(PSEUDO_MODELS))
    days = sorted({str(started)[:10] for started in runs["started"]})
    when = listed(days, at_most=1) if len(days) == 1 else f"{days[0]} to {days[-1]}"
    what = ", ".join(
        [count(n_questions, "question"), count(n_models, "model"), count(len(runs), "run")]
    )
    return f"{what}; {when}."


def _question(
    ranks: pd.DataFrame, scores: pd.DataFrame, runs: pd.DataFrame, calibrated: pd.DataFrame | None
) -> View:
    first = runs.iloc[0]
    told = verdict(ranks, scores)
    shown = {told.headline_metric, *HEADLINE}
    unusable = "" if calibrated is None else unusable_sentence(calibrated, shown)
    return {
        **{name: str(first[name]) for name in [*QUESTION, "question", "reference"]},
        "verdict": replace(told, details=[*filter(None, [unusable]), *told.details]),
        "facts": _facts(scores, runs),
        "sizes": _sizes(runs),
        "charts": list(_charts(ranks)),
        "tables": list(_tables(ranks)),
        "gaps": _gaps(scores),
        "troubles": [*_troubles(runs), *_flags(runs), *filter(None, [sealing_sentence(runs)])],
        "fingerprints": _fingerprints(runs),
        "command": _command(runs),
    }


def _facts(scores: pd.DataFrame, runs: pd.DataFrame) -> dict[str, str]:
    contexts = sorted(set(scores["context"]))
    seeds = sorted(set(runs["seed"]))
    rules = listed(sorted(set(runs["genes"])))
    return {
        "Contexts tested": f"{len(contexts)}: {listed(contexts)}",
        "Seeds": f"{len(seeds)}: {listed([str(seed) for seed in seeds])}",
        "Folds a seed": _extent(runs["n_folds"]),
        "Genes": f"{_extent(runs['n_genes'])} (chosen by the rule {rules})",
        "Expression": listed([str(name) for name in sorted(set(runs["expression"]))]),
        "Cells brought to a depth of": _extent(runs["target_sum"]) or "not applicable",
    }


def _sizes(runs: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return what, conditions, cells; as ranges over seeds and folds."""
    sizes = pd.json_normalize(list(runs.drop_duplicates(["seed", "fold"])["sizes"]))
    roles = [
        (str(role), _extent(sizes[f"{role}.conditions"]), _extent(sizes[f"{role}.cells"]))
        for role in (*Role, SHAM)
    ]
    halves = [
        (f"controls {half}", "", _extent(sizes[f"controls_{half}"])) for half in ("given", "kept")
    ]
    return [*roles, *halves]


def _extent(values: pd.Series) -> str:
    """Return the one value there is, or the least and the greatest."""
    known = pd.to_numeric(values, errors="coerce").dropna()
    if known.empty:
        return ""
    low, high = f"{known.min():,.0f}", f"{known.max():,.0f}"
    return low if low == high else f"{low} to {high}"


def _charts(ranks: pd.DataFrame) -> Iterator[View]:
    for category, table in without_twins(ranks).groupby("category", sort=False):
        of_models = table[~table["model"].isin(PSEUDO_MODELS)]
        n = count(int(of_models["n_conditions"].max()), "condition")
        title = TITLES.get(str(category), f"Category {category}")
        yield {"title": f"{title} (at most {n})", "svg": as_svg(dot_table(table))}


def _tables(ranks: pd.DataFrame) -> Iterator[View]:
    rows = named_once(ranks[ranks["category"] == EVERY_CATEGORY])
    rows["is_pseudo"] = rows["model"].isin(PSEUDO_MODELS)
    rows = rows.assign(detected=_on_detected(rows))
    for name in dict.fromkeys([headline_metric(ranks), *HEADLINE]):
        of_metric = rows[rows["metric"] == name].sort_values(["is_pseudo", "rank", "label"])
        if len(of_metric):
            yield {"metric": name, "rows": [_row(row) for _, row in of_metric.iterrows()]}


def without_twins(ranks: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of metrics that are not those of another on the second panel."""
    is_twin = ranks["metric"].map(lambda name: METRICS.get(name).twin_of is not None)
    return ranks[~is_twin.astype(bool)]


def _on_detected(rows: pd.DataFrame) -> list[float]:
    """Return what each row's model scores by its metric on the second panel, NaN if nothing."""
    mean_of = rows.set_index(["metric", "model"])["mean"].to_dict()
    names = zip(rows["metric"], rows["model"], strict=True)
    return [mean_of.get((METRICS.get(metric).twin, model), np.nan) for metric, model in names]


def _row(row: pd.Series) -> View:
    level = row["interval"] if row["interval"] != NO_INTERVAL else "too few conditions"
    shown = {
        "label": row["label"],
        "is_reference": row["is_reference"],
        "is_pseudo": row["is_pseudo"],
        "mean": number(row["mean"]) or row["silence"],
        "interval": span(row["low"], row["high"]),
        "detected": number(row["detected"]),
        "level": "" if row["silence"] else level,
        "scored": f"{row['scored']:,} / {row['expected']:,}",
        "abstained": f"{row['abstained']:,}",
        "n": f"{row['n_conditions']:,} ({row['n_contexts']:,})",
    }
    return shown | dict.fromkeys(COMPARED, "") | _comparison(row)


def _comparison(row: pd.Series) -> View:
    """Return what is compared with the reference; nothing for the reference itself."""
    if row["is_reference"] or not np.isfinite(row["difference"]):
        return {}
    has_room = row["scaled_status"] != Status.NO_HEADROOM
    return {
        "difference": signed(row["difference"]),
        "difference_interval": span(row["difference_low"], row["difference_high"]),
        "scaled": number(row["scaled"]) if has_room else "no headroom",
        "scaled_interval": span(row["scaled_low"], row["scaled_high"]),
    }


def _gaps(scores: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    """Return why, models, metrics and how many of their scores are not numbers."""
    answers = scores[scores["model"] != CEILING]
    expected = answers.groupby(["model", "metric"]).size().rename("expected")
    missing = answers[answers["status"] != Status.OK]
    counts = missing.groupby(["status", "model", "metric"], sort=False).size().rename("n")
    table = counts.reset_index().join(expected, on=["model", "metric"])
    by_model = table.groupby(["status", "model", "n", "expected"], sort=False)["metric"].agg(tuple)
    alike = ["status", "n", "expected", "metric"]
    merged = by_model.reset_index().groupby(alike, sort=False)["model"].agg(list).reset_index()
    models, metrics = set(answers["model"]) - {REPLICATE}, set(answers["metric"])
    return [
        (
            STATUS_WORDS[Status(row["status"])],
            _all_or_listed(row["model"], models, "models"),
            _all_or_listed(row["metric"], metrics, "metrics"),
            f"{row['n']:,} of {row['expected']:,}",
        )
        for _, row in merged.sort_values(["status", "n"], ascending=[True, False]).iterrows()
    ]


def _all_or_listed(names: Sequence[str], every: set[str], noun: str) -> str:
    if every <= set(names):
        names = [f"all {noun}", *sorted(set(names) - every)]
    return listed(list(names), at_most=len(names))


def _troubles(runs: pd.DataFrame) -> Iterator[str]:
    for (model, status, reason), table in runs.groupby(["model", "status", "reason"]):
        if status != Status.OK or reason:
            n = f"{len(table)} of {count((runs['model'] == model).sum(), 'run')}"
            yield f"{model} {RUN_WORDS[Status(status)]} in {n}: {reason or 'no reason was noted'}."


def _flags(runs: pd.DataFrame) -> Iterator[str]:
    flags = runs[["model", "flags"]].explode("flags").dropna().drop_duplicates()
    is_synthetic = flags["flags"].str.startswith(SYNTHETIC)
    for flag, table in flags[~is_synthetic].groupby("flags"):
        yield f"{flag} ({listed(list(table['model']))})."
    makers = sorted(set(runs.loc[runs[SYNTHETIC].astype(bool), "model"]))
    if makers:
        yield (
            f"Cells of {listed(makers)} are synthetic: made from the given controls and the "
            "predicted means, for metrics that compare cells."
        )


def _fingerprints(runs: pd.DataFrame) -> dict[str, str]:
    table = pd.DataFrame(list(runs["fingerprints"])).fillna("")
    shown = [
        name for name in ("dataset", "scenario", "split", "features", "graph") if name in table
    ]
    return {
        name: listed([text[:SHOWN_DIGITS] for text in table[name].unique() if text])
        for name in shown
        if table[name].any()
    }


def _command(runs: pd.DataFrame) -> str:
    """Return the command that makes these runs; files are named as placeholders."""
    first = runs.iloc[0]
    of_models = runs[~runs["model"].isin(PSEUDO_MODELS)].drop_duplicates("model")
    options = [
        f"{_bare(name)}.{key}={value}"
        for name, found in zip(of_models["model"], of_models["options"], strict=True)
        for key, value in found.items()
    ]
    words = {
        "--data": [_bare(first["dataset"])],
        "--data-option": _bracketed(first["dataset"]),
        "--arm": [first["arm"]],
        "--genes": [first["genes"]],
        "--model": sorted({_bare(name) for name in of_models["model"]}),
        "--model-option": sorted(options),
        "--seed": [str(seed) for seed in sorted(set(runs["seed"]))],
        "--features": ["features.parquet"] if first["fingerprints"].get("features") else [],
        "--graph": ["graph.parquet"] if first["fingerprints"].get("graph") else [],
    }
    pairs = [(option, value) for option, values in words.items() for value in values]
    return shlex.join(["wildcell", "run", _bare(first["scenario"]), *chain.from_iterable(pairs)])


def _bare(name: str) -> str:
    """Return a name without the options that it bears in brackets."""
    return name.partition("[")[0]


def _bracketed(name: str) -> list[str]:
    return [text for text in name.partition("[")[2].removesuffix("]").split(",") if text]


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
