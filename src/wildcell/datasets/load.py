"""From a name or a path to a curated screen."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wildcell.datasets.check import check_cells
from wildcell.datasets.dataset import DATASETS, Dataset
from wildcell.datasets.screen import read_screen
from wildcell.errors import DataError, OptionError, UnknownNameError
from wildcell.names import UNS, Expression, with_options
from wildcell.registry import did_you_mean


def load_dataset(name_or_path: str | Path, **options: Any) -> Dataset:
    """Load a screen by its registered name, or from curated h5ad or zarr files.

    Numbers beyond what `WILDCELL_HOLD_GIB` allows are left in temporary files (see
    `wildcell.streams.spilled`).

    Parameters
    ----------
    name_or_path
        A name that `wildcell datasets` lists, or the path of a file, or of a folder of files that
        are the parts of one screen.
    options
        Parameters of a registered screen, such as `n_cells` of `simulated`.

    Raises
    ------
    DataError
        The file is absent, unreadable or not curated; all its problems are listed at once.

    Examples
    --------
    >>> screen = load_dataset("simulated", n_perturbations=4, n_combinations=0, n_contexts=1)
    >>> len(screen.conditions)
    4
    """
    path = Path(name_or_path)
    if not _looks_like_path(str(name_or_path)):
        if str(name_or_path) in DATASETS:
            screen = DATASETS.get(str(name_or_path))(**options)
            made = {"name": str(name_or_path), "options": options, "is_file": False}
            return replace(screen, name=with_options(screen.name, options), made=made)
        hint = did_you_mean(str(name_or_path), DATASETS.names())
        raise UnknownNameError(
            f"{str(name_or_path)!r} is neither a data set nor a file that exists. {hint}"
        )
    if options:
        raise OptionError(
            f"{path} is a file and has no parameters; drop {', '.join(sorted(options))}."
        )
    cells = read_screen(path)
    problems = check_cells(cells)
    if problems:
        listing = "\n".join(f"  - {problem}" for problem in problems)
        raise DataError(
            f"{path} is not a curated data set:\n{listing}\n"
            "Make one with: wildcell curate IN OUT (see wildcell curate --help)"
        )
    if "total_counts" not in cells.obs and str(cells.uns[UNS]["expression"]) == Expression.COUNTS:
        cells.obs["total_counts"] = np.asarray(cells.X.sum(axis=1), dtype=float).ravel()
    return Dataset(path.stem, cells)


def _looks_like_path(name: str) -> bool:
    is_named_so = "/" in name or Path(name).suffix in {".h5ad", ".zarr"}
    return is_named_so or (Path(name).exists() and name not in DATASETS)
