"""How metrics and conventions disagree about models."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wildcell.cli.progress import say


def disagreement(
    runs: Path,
    /,
    *,
    all_metrics: Annotated[bool, Parameter(negative=())] = False,
    out: Path | None = None,
) -> None:
    """Say how metrics and conventions disagree about the models of all finished runs.

    Which metrics are one opinion, whether they put models in the same order beyond what noise does,
    who is first without each of them, in what share of specifications a model beats the reference,
    what scores vary with, and which pairs of models change order with a convention alone. Those
    that need scores under other conventions are told where wildcell run --convention was given.

    Parameters
    ----------
    runs
        Folder of runs.
    all_metrics
        Count metrics, too, that cannot tell a replicate from the reference there.
    out
        Folder of tables to write.
    """
    from wildcell.cli.progress import printer, working
    from wildcell.results.disagreement import sentences
    from wildcell.results.table import disagreement_of_runs
    from wildcell.store.atomic import write_table

    with working("comparing metrics"):
        found = disagreement_of_runs(runs, only_usable=not all_metrics)
    console = printer()
    for question, told in sentences(found):
        console.print(f"\n{' / '.join(question)}", style="bold")
        for sentence in told:
            console.print(sentence, soft_wrap=True)
    if out is not None:
        for name, table in found.tables().items():
            write_table(out / f"{name}.csv", table)
        say(f"\nWrote {len(found.tables())} tables to {out}")
