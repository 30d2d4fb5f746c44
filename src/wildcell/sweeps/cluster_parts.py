"""The parts of a large screen on a Dask cluster, each summed by whoever is free."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from secrets import token_hex

from wildcell.datasets.pseudobulk import PartSums, Summing
from wildcell.errors import MissingExtraError, StoreError
from wildcell.parallel import THREADS
from wildcell.store.keeping import check_software, software
from wildcell.sweeps.cluster import Cluster

try:
    from distributed import Future, KilledWorker
except ImportError as error:
    raise MissingExtraError("A cluster", "cluster") from error


def sum_on_cluster(cluster: Cluster, summing: Summing, paths: Sequence[Path]) -> Iterator[PartSums]:
    """Yield what each part of a screen sums to, in the order given, whoever is ready first.

    Parameters
    ----------
    cluster
        Who works. All machines must see the files under the same paths.
    summing
        Sums a part.
    paths
        The parts.

    Raises
    ------
    DataError
        What `summing` says of a part, or that a worker does not see it.
    StoreError
        A worker has other software, or several workers were lost over one part.
    """
    name = token_hex(8)
    futures = [
        cluster.client.submit(
            _sum_there, summing, str(path.absolute()), software(), key=f"wildcell-{name}-{number}"
        )
        for number, path in enumerate(paths)
    ]
    try:
        for path, future in zip(paths, futures, strict=True):
            yield _result(future, path)
            future.release()
    finally:
        cluster.client.cancel(futures)


def _result(future: "Future[PartSums]", path: Path) -> PartSums:
    try:
        return future.result()
    except KilledWorker as error:
        raise StoreError(
            f"Several workers were lost while they summed {path}: it needs more memory than they "
            "have, perhaps. Give them more, or cut the screen into smaller parts."
        ) from error


def _sum_there(summing: Summing, path: str, wanted: str) -> PartSums:
    """Sum a part on a worker."""
    check_software(wanted)
    os.environ.setdefault(THREADS, "1")  # a worker has as many parts at work as it has threads
    return summing(Path(path))
