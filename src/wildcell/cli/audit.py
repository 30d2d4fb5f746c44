"""The leak audit of a task folder or a split."""

from pathlib import Path
from typing import Literal

from wildcell.cli.progress import say


def audit(
    question: Path,
    /,
    *,
    data: str | None = None,
    truth: Path | None = None,
    aliases: Path | None = None,
    strict: bool | None = None,
    claim: Literal["perturbation", "context", "both", "pair", "combination", "dose"] | None = None,
) -> None:
    """Look for anything of the test in what models may see; exit with status 1 if a leak stops.

    Parameters
    ----------
    question
        A task folder, or a csv with the column role and either context and perturbation, or cell.
    data
        The data set it was made of: needed for a csv.
    truth
        The judge's file of a task folder; OUT-truth.h5ad beside it if not given and there.
    aliases
        What other names stand for: HGNC's complete set, or a table of two columns, from and to.
    strict
        Whether leaks stop; by default, unless the question tests conditions that it trains on.
    claim
        What was never learned from: parts of tested perturbations (`perturbation`), tested
        contexts, `both`, a perturbation at any dose in the tested context (`pair`), a
        `combination` or a `dose` in any context. By default what the categories say.
    """
    from wildcell.cli.progress import working
    from wildcell.scenarios.audit_files import case_of_split, case_of_task, read_aliases
    from wildcell.scenarios.leakage import examine

    names = {} if aliases is None else read_aliases(aliases)
    with working("auditing"):
        if question.is_dir():
            case = case_of_task(
                question, truth, data, aliases=names, strict=strict, claim=claim or ""
            )
        else:
            case = case_of_split(question, data, aliases=names, strict=strict, claim=claim or "")
        found = examine(case)
    for leak in found.leaks:
        say(f"{'LEAK' if leak.stops else 'mark'}: {leak}")
    for words, reason in found.skipped.items():
        say(f"not checked: {words} ({reason})")
    seen = f"{found.n_test} test cells and {found.n_train} training cells"
    n_stops = sum(leak.stops for leak in found.leaks)
    n_marks = len(found.leaks) - n_stops
    say(
        f"{n_stops or 'No'} leak{'' if n_stops == 1 else 's'} found, "
        f"{n_marks} mark{'' if n_marks == 1 else 's'}, among {seen}, {len(found.checks)} checks."
    )
    if found.stops:
        raise SystemExit(1)
