"""Whether screens can be trained on together."""

from collections.abc import Sequence

from wildcell.datasets.dataset import Dataset
from wildcell.errors import DataError, OptionError
from wildcell.names import Expression
from wildcell.scenarios.pooling import Pooling


def check_can_be_pooled(target: Dataset, foreign: Sequence[Dataset], words: Pooling) -> None:
    """Refuse screens that cannot be trained on together.

    Raises
    ------
    OptionError
        There is no foreign screen, two screens bear one name, or depth cannot be scaled.
    DataError
        The numbers are on different scales, or a screen shares no gene with the target.
    """
    if not foreign:
        raise OptionError(
            f"This arm asks for foreign data ({_words_used(words)}) and none are named; give a "
            "name or a curated file with --foreign, or list some as foreign in the scenario."
        )
    names = [target.name, *(screen.name for screen in foreign)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OptionError(f"Two of the data sets are called {twice[0]!r}; rename a file.")
    for screen in foreign:
        if _scale(screen) != _scale(target):
            raise DataError(
                f"{screen.name} holds {_said(screen)} and {target.name} {_said(target)}; they are "
                "not on one scale. Curate both from raw counts."
            )
        if not len(screen.cells.var_names.intersection(target.cells.var_names)):
            raise DataError(
                f"{screen.name} and {target.name} have no genes in common; "
                f"{screen.cells.var_names[0]!r} and {target.cells.var_names[0]!r} are the first of "
                "each. Bring both to gene symbols with: wildcell curate"
            )
    if words.scaling == "thinned" and target.expression is not Expression.COUNTS:
        raise OptionError(
            f"Depths are scaled by thinning counts, and {target.name} holds {target.expression}; "
            "take an arm without scaling."
        )


def _words_used(words: Pooling) -> str:
    plain = Pooling()
    return ", ".join(
        f"pool.{key} = {value!r}"
        for key, value in vars(words).items()
        if value != getattr(plain, key)
    )


def _scale(screen: Dataset) -> tuple[Expression, float | None]:
    """Return what must be equal of screens that are pooled; counts are scaled afterwards."""
    is_log = screen.expression is Expression.LOGNORM
    return screen.expression, screen.metadata.get("target_sum") if is_log else None


def _said(screen: Dataset) -> str:
    kind, library_size = _scale(screen)
    return kind if library_size is None else f"{kind} values at {library_size:g} counts a cell"
