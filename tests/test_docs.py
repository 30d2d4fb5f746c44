"""What the pages say is tried: their Python, their marked commands, their links, their tables.

A comment above a fenced block says what becomes of it: `<!-- file: NAME -->` writes it to a file,
`<!-- run -->` runs its commands (`<!-- run: exits with 1 -->`: which end so), `<!-- output -->` is
held against what the commands before it printed (`...` for lines left out; numbers may differ a
little). Python without a comment is run. What cannot be is `<!-- shown: WHY -->`; its commands of
wildcell must be understood all the same.
"""

import re
import runpy
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from wildcell.cli.main import VERBS, build_app, main
from wildcell.datasets.dataset import DATASETS
from wildcell.metrics.headline import HEADLINE
from wildcell.metrics.metric import METRICS
from wildcell.metrics.preset import PRESETS
from wildcell.models.model import MODELS
from wildcell.names import CONDITION_COLUMNS, SCORE_COLUMNS, Status
from wildcell.results.arms import ARM_COLUMNS
from wildcell.results.compare import PAIR_COLUMNS, PLACE_COLUMNS
from wildcell.results.rank import RANK_COLUMNS
from wildcell.results.strata import STRATUM_COLUMNS
from wildcell.scenarios.folder import TASK_FILES
from wildcell.scenarios.scenario import general_scenario_names
from wildcell.scenarios.split import SPLITTERS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(
    r"^(?:<!-- (?P<mark>\w+)(?:: (?P<name>[^>\n]+))? -->\n)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
MARK = r"^<!-- (?:run(?:: exits with \d)?|output|file: \S+|shown: [^>\n]+) -->$"
TOLERANCE = 0.02


class Block(NamedTuple):
    language: str
    mark: str
    name: str
    text: str


def blocks_of(page):
    found = FENCE.finditer(page.read_text(encoding="utf-8"))
    return [Block(*(one[key] or "" for key in Block._fields)) for one in found]


def of_page(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_every_block_is_run_or_says_why_not(page):
    text = page.read_text(encoding="utf-8")
    blocks = blocks_of(page)
    unmarked = [block.text for block in blocks if not block.mark and block.language != "python"]
    marks = re.findall(MARK, text, re.MULTILINE)

    assert unmarked == []
    assert len(marks) == sum(bool(block.mark) for block in blocks)
    assert text.count("```") == 2 * len(blocks)
    assert not re.search(r"^(?: {4}|\t)(?:wildcell|python) ", FENCE.sub("", text), re.MULTILINE)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if {block.mark for block in blocks_of(page)} - {"shown"}],
    ids=of_page,
)
def test_what_a_page_shows_works(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    forget_at_the_end(monkeypatch)
    names, printed = {"__name__": "page"}, ""
    for block in blocks_of(page):
        if block.mark == "file":
            Path(block.name).parent.mkdir(parents=True, exist_ok=True)
            Path(block.name).write_text(block.text)
        elif block.mark == "output":
            assert_shown(block.text, printed)
        elif block.mark == "run":
            for command in commands_of(block.text):
                run_apart(command, int(block.name[-1:] or 0))
            printed = capsys.readouterr().out
        elif block.mark == "shown":
            continue
        else:
            exec(block.text, names)
            printed = capsys.readouterr().out


def commands_of(text):
    lines = text.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line and not line.startswith("#")]


SHOWN = [
    (of_page(page), command)
    for page in PAGES
    for block in blocks_of(page)
    if block.mark == "shown" and block.language == "sh"
    for command in commands_of(block.text)
    if command[0] == "wildcell" and "..." not in command
]


@pytest.mark.parametrize(("page", "command"), SHOWN, ids=lambda part: "-".join(part[1:3]))
def test_a_command_that_is_shown_is_understood(page, command):
    build_app(is_overview=False).parse_args(command[1:], exit_on_error=False, print_error=False)


def forget_at_the_end(patch):
    """Let what is registered from now on be forgotten when `patch` is undone."""
    for registry in (DATASETS, METRICS, MODELS, SPLITTERS):
        registry.names()
        patch.setattr(registry, "_things", dict(registry._things))
    for name in [name for name in sys.modules if name.startswith("wildcell_own_")]:
        patch.delitem(sys.modules, name)


def run_apart(command, code):
    """Run a command as in a process of its own, which is to end with a code."""
    with pytest.MonkeyPatch.context() as patch:
        forget_at_the_end(patch)
        found = 0
        try:
            run(command)
        except SystemExit as end:
            found = end.code or 0
        assert found == code, command


def run(command):
    program, *arguments = command
    if program == "wildcell":
        main(arguments)
    elif program == "python":
        runpy.run_path(arguments[0], run_name="__main__")
    else:
        raise AssertionError(f"{program} is not run here")


def assert_shown(text, printed):
    """Find each stretch of lines between `...` in what was printed, one after the other."""
    lines = [line.split() for line in printed.splitlines()]
    at = 0
    for part in re.split(r"^\.\.\.\n", text, flags=re.MULTILINE):
        wanted = [line.split() for line in part.splitlines()]
        places = range(at, len(lines) - len(wanted) + 1)
        found = [place for place in places if are_alike(wanted, lines[place:])]

        assert found, f"{part}\nis not in\n{printed}"
        at = found[0] + len(wanted)


def are_alike(wanted, found):
    return all(
        len(line) == len(other) and all(map(is_alike, line, other))
        for line, other in zip(wanted, found, strict=False)
    )


def is_alike(wanted, found):
    numbers = [re.fullmatch(r"-?\d+\.\d+", word.strip("(),")) for word in (wanted, found)]
    if None in numbers:
        return wanted == found
    return abs(float(numbers[0][0]) - float(numbers[1][0])) <= TOLERANCE


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_relative_links_lead_somewhere(page):
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(prose):
        if link.startswith(("http://", "https://")):
            continue
        place, _, heading = link.partition("#")
        target = (page.parent / place).resolve() if place else page

        assert target.exists(), link
        assert not heading or heading in headings_of(target), link


def test_the_index_links_every_page():
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text())}

    assert sorted(set((ROOT / "docs").rglob("*.md")) - linked - {index}) == []


def headings_of(page):
    """Return the anchors of a page's headings, as code hosts make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def rows_of(page, n_columns):
    """Return the rows of a page's tables whose first cell is code, by it."""
    lines = (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {
        row[0].strip("`"): row for row in rows if row[0].startswith("`") and len(row) == n_columns
    }


def test_the_table_of_metrics_says_what_the_registry_says():
    text = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    rows = rows_of("reference/metrics.md", 8)
    cards = [METRICS.get(name) for name in METRICS.names()]

    assert sorted(rows) == [card.name for card in cards if card.twin_of is None]
    for name, (_, family, best, extent, perfect, ceiling, null, needs) in rows.items():
        card = METRICS.get(name)
        assert (family, best, extent) == (card.family, card.best, card.range)
        assert perfect == f"{card.perfect:g}"
        assert ceiling == ceiling_words(card.ceiling)
        assert null == ("no change" if card.null is None else f"{card.null:.3g}")
        assert needs == (", ".join(sorted(card.needs)) or "-")
        assert card.formula, name
        formula = card.formula.replace("|", "\\|")
        assert f"| {name} | {formula} |" in text


def ceiling_words(ceiling):
    if ceiling is None:
        return "-"
    return "estimated" if callable(ceiling) else f"{ceiling:g}"


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("reference/statuses.md", list(Status)),
        (
            "reference/files.md",
            [
                *SCORE_COLUMNS,
                *RANK_COLUMNS,
                *STRATUM_COLUMNS,
                *CONDITION_COLUMNS,
                *ARM_COLUMNS,
                *PAIR_COLUMNS,
                *PLACE_COLUMNS,
                *TASK_FILES,
            ],
        ),
        ("how-to/add-a-scenario.md", SPLITTERS.names()),
    ],
)
def test_a_reference_lists_everything(page, names):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")

    assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", PRESETS.names())
def test_the_page_of_presets_has_every_score_in_its_section(name):
    text = (ROOT / "docs" / "reference" / "presets.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text, flags=re.MULTILINE)
    (own,) = [part for part in section if part.startswith(f"{name}\n")]
    shown = set(re.findall(r"`([^`]+)`", own))
    metrics = [metric.name.removeprefix("de_wilcoxon_") for metric in PRESETS.get(name).metrics]

    assert [metric for metric in metrics if metric not in shown] == []


def test_the_readme_names_what_there_is():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    verbs = [verb for group in VERBS.values() for verb in group]

    for name in [*general_scenario_names(), *MODELS.names(), *HEADLINE]:
        assert f"`{name}`" in text
    for verb in verbs:
        assert f"`wildcell {verb}" in text or f"wildcell {verb} " in text, verb
