"""The report shows what the tables hold, in one file that can do no harm."""

import importlib
import re
import shlex
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

pytest.importorskip("altair", reason="the extra `report` is not installed")
pytest.importorskip("jinja2", reason="the extra `report` is not installed")
pytest.importorskip("vl_convert", reason="the extra `report` is not installed")

from wildcell.cli.main import build_app
from wildcell.datasets.simulated import simulated
from wildcell.errors import MissingExtraError
from wildcell.names import CEILING, REPLICATE, Role
from wildcell.results.rank import QUESTION, rank
from wildcell.results.report.dot_table import as_svg, dot_table
from wildcell.results.report.write import write_report
from wildcell.results.verdict import verdict
from wildcell.run import run_scenario
from wildcell.scenarios.scenario import load_scenario
from wildcell.store.runs import read_records, read_scores

HOSTILE = "<script>alert('&')</script>"
BREAKING = f'''
class Breaks:
    """Breaks."""

    def __init__(self, *, seed=0):
        pass

    def fit(self, task):
        raise ValueError("{HOSTILE}")

    def predict(self, query):
        pass
'''
METRICS = ("effect_r2", "pearson_delta", "retrieval_cosine", "energy_distance_pca", "rmse")
MODELS = ["ridge", "perturbed-mean", "matching-mean", "no-change", "random"]


class Inputs(NamedTuple):
    scores: pd.DataFrame
    ranks: pd.DataFrame
    runs: pd.DataFrame
    breaking: str

    def of(self, scenario: str, category: str = "all") -> pd.DataFrame:
        rows = self.ranks[self.ranks["scenario"].str.startswith(scenario)]
        return rows[rows["category"] == category]


class Page(HTMLParser):
    """The cells of every table, by the table's class and metric, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []
        self.tables: list[tuple[str, str, list[list[str]]]] = []
        self.is_in_cell = self.is_in_script = False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append(tag)
        self.is_in_script = tag == "script"
        if tag == "table":
            self.tables.append((found["class"], found.get("data-metric", ""), []))
        elif tag == "tr":
            self.tables[-1][2].append([])
        elif tag in {"td", "th"}:
            self.tables[-1][2][-1].append("")
            self.is_in_cell = True

    def handle_endtag(self, tag):
        self.is_in_script &= tag != "script"
        self.is_in_cell &= tag not in {"td", "th"}

    def handle_data(self, data):
        if self.is_in_script:
            return
        self.text.append(data)
        if self.is_in_cell:
            self.tables[-1][2][-1][-1] += data

    def rows(self, kind: str) -> list[tuple[str, list[str]]]:
        return [
            (metric, [cell.strip() for cell in row])
            for found, metric, table in self.tables
            for row in table[1:]
            if found == kind
        ]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Inputs:
    folder = tmp_path_factory.mktemp("report")
    (folder / "own.py").write_text(BREAKING)
    breaking = "own:Breaks"
    screen = simulated(
        n_contexts=2, n_perturbations=8, n_combinations=8, n_genes=50, n_cells=20, n_controls=60
    )
    for name, models, data in (
        ("unseen-context", MODELS, replace(screen, name=HOSTILE)),
        ("unseen-combination", [*MODELS, f"{folder / 'own.py'}:Breaks"], screen),
    ):
        scenario = replace(load_scenario(name), metrics=METRICS, genes="all")
        run_scenario(
            scenario,
            models=models,
            runs=folder / "runs",
            data=data,
            seeds=[0, 1],
            options={"ridge": {"alpha": 10.0}},
        )
    scores, runs = read_scores(folder / "runs"), read_records(folder / "runs")
    references = dict(zip(runs["scenario"], runs["reference"], strict=True))
    return Inputs(scores, rank(scores, references), runs, breaking)


def write(out: Path, inputs: Inputs, runs: pd.DataFrame | None = None) -> str:
    runs = inputs.runs if runs is None else runs
    write_report(out, scores=inputs.scores, ranks=inputs.ranks, runs=runs)
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def html(inputs, tmp_path_factory) -> str:
    return write(tmp_path_factory.mktemp("out") / "report.html", inputs)


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def as_number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-").replace(",", ""))


def agrees(text: str, value: float) -> bool:
    """Whether a text is a number rounded to the decimals that it shows."""
    if pd.isna(value):
        return not re.search(r"\d", text)
    decimals = len(text.partition(".")[2])
    return abs(as_number(text) - value) <= 0.5000001 * 10**-decimals


def test_numbers_shown_are_those_of_the_ranks(inputs, page):
    shown = {}
    for metric, cells in page.rows("ranks"):
        for model in cells[0].removesuffix(" (reference)").split(" = "):
            shown.setdefault((metric, model), []).append(cells[1:])
    every = inputs.ranks[inputs.ranks["category"] == "all"]
    tabled = every[every["metric"].isin([metric for metric, _ in shown])]
    answered = tabled[tabled["scored"] + tabled["abstained"] > 0]

    assert len(answered) > 40
    for _, row in answered.iterrows():
        candidates = shown[row["metric"], row["model"]]
        assert any(_matches(cells, row) for cells in candidates), f"{row.to_dict()} {candidates}"


def _matches(cells: list[str], row: pd.Series) -> bool:
    mean, interval, level, _, gain, gain_interval, scaled, _, scored, abstained, n = cells
    is_compared = gain != ""
    return (
        agrees(mean, row["mean"])
        and _spans(interval, row["low"], row["high"])
        and level == row["interval"]
        and (not is_compared or agrees(gain, row["difference"]))
        and (
            not is_compared or _spans(gain_interval, row["difference_low"], row["difference_high"])
        )
        and (scaled in {"", "no headroom"} or agrees(scaled, row["scaled"]))
        and (scaled != "no headroom" or row["scaled_status"] == "no_headroom")
        and scored == f"{row['scored']} / {row['expected']}"
        and abstained == str(row["abstained"])
        and n == f"{row['n_conditions']} ({row['n_contexts']})"
    )


def _spans(text: str, low: float, high: float) -> bool:
    shown_low, _, shown_high = text.partition(" to ")
    return agrees(shown_low, low) and agrees(shown_high, high)


def test_every_question_shows_its_verdict_its_question_and_its_reference(inputs, page):
    text = " ".join("".join(page.text).split())

    for key, ranks in inputs.ranks.groupby(["scenario", "dataset", "arm"]):
        is_asked = (inputs.scores[["scenario", "dataset", "arm"]] == list(key)).all(axis=1)
        found = verdict(ranks, inputs.scores[is_asked])
        for sentence in [found.sentence, *found.details]:
            assert sentence in text
    for question in inputs.runs["question"].unique():
        assert question in text


def test_sizes_are_those_of_the_runs(inputs, page):
    shown = [cells for _, cells in page.rows("sizes")]
    sizes = inputs.runs.groupby("scenario")["sizes"].first()

    for size in sizes:
        for role in (Role.TRAIN, Role.TEST):
            ranges = [cells[1:] for cells in shown if cells[0] == role]
            assert any(
                _holds(conditions, size[role]["conditions"]) and _holds(n, size[role]["cells"])
                for conditions, n in ranges
            )


def _holds(extent: str, value: int) -> bool:
    low, _, high = extent.partition(" to ")
    return as_number(low) <= value <= as_number(high or low)


def test_failures_are_told_with_their_error_and_silence_with_its_reason(inputs, page):
    text = " ".join("".join(page.text).split())
    gaps = [cells for _, cells in page.rows("gaps")]

    assert f"{inputs.breaking} failed in 2 of 2 runs: ValueError: {HOSTILE}." in text
    assert any(cells[0] == "the run failed" and cells[1] == inputs.breaking for cells in gaps)
    assert any(cells[0] == "predicts no change" and cells[1] == "no-change" for cells in gaps)
    assert re.search(r"Cells of [^:]*ridge\[alpha=10.0\][^:]* are synthetic", text)


def test_every_missing_score_is_counted_once(inputs, page):
    gaps = [cells for _, cells in page.rows("gaps")]
    models = {"all models": len(MODELS) + 1, **dict.fromkeys(set(inputs.scores["model"]), 1)}

    def size(text: str, known: dict[str, int]) -> int:
        names = re.split(r", | and ", text)
        return sum(known.get(name, 0) for name in names)

    shown = sum(
        size(cells[1], models)
        * size(cells[2], {"all metrics": len(METRICS), **dict.fromkeys(METRICS, 1)})
        * int(cells[3].split(" of ")[0])
        for cells in gaps
    )

    answers = inputs.scores[inputs.scores["model"] != CEILING]
    assert shown == (answers["status"] != "ok").sum()


def test_flags_of_runs_are_shown(inputs, tmp_path):
    leak = "leak: genes were chosen on all cells"
    model = "ridge[alpha=10.0]"
    flags = [[leak] if name == model else [] for name in inputs.runs["model"]]

    html = write(tmp_path / "report.html", inputs, inputs.runs.assign(flags=flags))

    assert f"{leak} ({model})." in html


def test_markup_in_names_and_errors_stays_text(html, page):
    assert "<script>alert" not in html
    assert HOSTILE in "".join(page.text)


def test_the_file_needs_nothing_else_and_is_small(html):
    markup = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert not re.search(r"(?:src|href)\s*=\s*[\"'](?!#)", markup)
    assert "@import" not in markup
    assert not re.search(r"url\((?!#)", markup)
    assert "default-src 'none'" in markup
    assert len(html) < 5_000_000


def test_there_is_a_chart_of_all_conditions_and_one_a_category(inputs, html):
    n_charts = len(inputs.ranks[["scenario", "category"]].drop_duplicates())

    assert n_charts > 3
    assert html.count('data-chart="dots') == n_charts


def test_the_command_is_one_that_the_command_line_reads(html):
    markup = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    commands = [Page(text).text[0] for text in re.findall(r"<pre>(.*?)</pre>", markup)]

    assert len(commands) == 2
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "wildcell"
        app = build_app(is_overview=False)
        _, bound, _ = app.parse_args(words[1:], exit_on_error=False, print_error=False)
        assert bound.arguments["seed"] == [0, 1]
        assert "ridge" in bound.arguments["model"]
        assert bound.arguments["model_option"] == ["ridge.alpha=10.0"]


def drawn(ranks: pd.DataFrame) -> pd.DataFrame:
    (cells,) = dot_table(ranks).to_dict()["datasets"].values()
    return pd.DataFrame(cells).set_index(["metric", "row"])


@pytest.mark.parametrize(("metric", "best"), [("pearson_delta", "max"), ("rmse", "min")])
def test_the_darkest_dot_is_the_best_model_whatever_direction_is_good(inputs, metric, best):
    ranks = inputs.of("unseen-context")
    models = ranks[(ranks["metric"] == metric) & ~ranks["model"].isin([REPLICATE, CEILING])]
    champion = models.loc[models["mean"].idxmax() if best == "max" else models["mean"].idxmin()]

    goodness = drawn(ranks).loc[metric, "goodness"].astype(float)

    assert goodness.between(0, 1).all()
    assert champion["model"] in goodness.drop([REPLICATE, CEILING], errors="ignore").idxmax()


def test_cells_without_a_number_say_why_and_have_no_dot(inputs):
    silent = drawn(inputs.of("unseen-combination")).xs(inputs.breaking, level="row")

    assert set(silent["text"]) == {"failed"}
    assert silent["goodness"].isna().all()


def test_names_in_charts_are_escaped(inputs):
    ranks = inputs.of("unseen-context").replace({"model": {"random": HOSTILE}})

    svg = as_svg(dot_table(ranks))

    assert "<script" not in svg
    assert "&lt;script&gt;" in svg


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("wildcell.results.report")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "altair", None)

    with pytest.raises(MissingExtraError, match=re.escape("pip install 'wildcell[report]'")):
        importlib.import_module("wildcell.results.report.write")


def test_a_report_replaces_the_one_before(inputs, tmp_path):
    out = Path(tmp_path / "report.html")
    out.write_text("before")

    assert write(out, inputs).startswith("<!doctype html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_metrics_that_tell_nothing_are_named(inputs, tmp_path):
    table = inputs.scores.drop_duplicates([*QUESTION, "metric"]).assign(
        usable="usable", wins=float("nan")
    )
    is_blind = (table["metric"] == "retrieval_cosine") & table["scenario"].str.startswith(
        "unseen-c"
    )
    calibrated = table.assign(usable=table["usable"].mask(is_blind, "not usable"))
    out = tmp_path / "report.html"
    write_report(
        out, scores=inputs.scores, ranks=inputs.ranks, runs=inputs.runs, calibrated=calibrated
    )
    text = " ".join(Page(out.read_text(encoding="utf-8")).text)

    assert text.count("is not told from the reference: retrieval_cosine.") == len(
        table[is_blind].drop_duplicates(QUESTION)
    )
