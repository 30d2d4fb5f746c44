"""Data sets: check one, make one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from wildcell.cli.progress import say
from wildcell.datasets.curate_options import CurateOptions

if TYPE_CHECKING:
    import anndata as ad


def check(file: Path, /) -> None:
    """Say everything that is wrong with a curated data set; exit with status 1 if anything is.

    Parameters
    ----------
    file
        An h5ad or zarr file.
    """
    from wildcell.cli.progress import working
    from wildcell.datasets.check import check_cells
    from wildcell.datasets.read import read_cells

    with working("checking"):
        cells = read_cells(file)
        problems = check_cells(cells)
    for problem in problems:
        say(problem)
    if problems:
        raise SystemExit(1)
    say(f"{file} is a curated data set: {_summary(cells)}.")


def curate(
    source: Path,
    destination: Path,
    /,
    *,
    options: Annotated[CurateOptions, Parameter(name="*", negative_iterable=())],
) -> None:
    """Make a curated data set of a file of cells, and say what was done.

    Nothing is written if what comes out would not be a curated data set.

    Parameters
    ----------
    source
        An h5ad or zarr file, a .h5 file of Cell Ranger, or a folder with its matrix.mtx.
    destination
        The h5ad or zarr file to write.
    """
    from wildcell.cli.progress import working
    from wildcell.datasets.curate import curate_file
    from wildcell.datasets.read import read_cells

    with working("curating"):
        done = curate_file(source, destination, options)
    for sentence in done:
        say(sentence)
    say(f"Wrote {destination}: {_summary(read_cells(destination))}.")


def _summary(cells: "ad.AnnData") -> str:
    from wildcell.datasets.dataset import Dataset

    screen = Dataset("", cells)
    n_contexts = cells.obs["context"].nunique()
    n_perturbations = screen.conditions["perturbation"].nunique()
    return (
        f"{cells.n_obs} cells, {cells.n_vars} genes, {n_contexts} contexts, "
        f"{n_perturbations} perturbations, expression {screen.expression}"
    )
