"""Mean profiles of a screen of any size."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from wildcell.cli.progress import say

if TYPE_CHECKING:
    from wildcell.datasets.pseudobulk import Over, PartSums, Summing


def pseudobulk(
    data: Path,
    out: Path,
    /,
    *,
    target_sum: float = 10_000.0,
    cluster: str | None = None,
    trust: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Sum a screen to the mean profiles of its conditions and of the controls of control groups.

    Files of a folder are summed by themselves, and what they come to is added up in the order of
    their names: the result is the same, to the bit, whoever sums them.

    Parameters
    ----------
    data
        A curated h5ad or zarr file, or a folder of such that are the parts of one screen.
    out
        The h5ad or zarr file to write: mean log values in X; layers squared_error,
        share_expressed and, where they can be had, linear_mean; a row a condition or control group.
    target_sum
        The library size that counts are brought to; log values keep theirs.
    cluster
        Let a Dask cluster sum the files: tcp://HOST:PORT of its scheduler, or a TOML file that says
        what Slurm, PBS, LSF or SGE are to be asked for. All machines must see DATA under the same
        path.
    trust
        Let the TOML file of --cluster name programs and lines for the shell of jobs.
    """
    from wildcell.cli.progress import counting
    from wildcell.datasets.pseudobulk import pseudobulk as summed
    from wildcell.names import CONTROL
    from wildcell.results.words import count
    from wildcell.store.atomic import check_cells_file, write_cells

    check_cells_file(out)
    with counting(str(data)) as show, _workers(cluster, is_trusted=trust) as over:
        made = summed(data, target_sum=target_sum, over=_shown(over, show))
        write_cells(out, made)
    n_controls = int((made.obs["perturbation"] == CONTROL).sum())
    about = made.uns["pseudobulk"]
    say(
        f"Wrote {out}: {count(made.n_obs - n_controls, 'condition')} and "
        f"{count(n_controls, 'control group')}, of {count(about['n_cells'], 'cell')} in "
        f"{count(about['n_parts'], 'file')}."
    )


@contextmanager
def _workers(cluster: str | None, *, is_trusted: bool) -> "Iterator[Over]":
    """Say who sums files: this process, or a cluster that is connected to until the block ends."""
    if cluster is None:
        yield map
        return
    from wildcell.sweeps.cluster import connected
    from wildcell.sweeps.cluster_parts import sum_on_cluster

    with connected(cluster, is_trusted=is_trusted) as found:
        yield partial(sum_on_cluster, found)


def _shown(over: "Over", show: Callable[[int, int, str], object]) -> "Over":
    """Return who sums files as `over` does, and tells how many are done."""

    def summing_all(summing: "Summing", paths: Sequence[Path]) -> "Iterator[PartSums]":
        show(0, len(paths), paths[0].name)
        for done, part in enumerate(over(summing, paths), start=1):
            show(done, len(paths), part.words.path.name)
            yield part

    return summing_all
