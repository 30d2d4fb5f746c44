"""Parts of a screen summed by a cluster of processes: the same bits as by one."""

from functools import partial

import anndata as ad
import numpy as np
import pytest

from wildcell.cli.main import main
from wildcell.datasets.load import load_dataset
from wildcell.datasets.pseudobulk import pseudobulk
from wildcell.errors import DataError, StoreError

pytest.importorskip("distributed")

from distributed import LocalCluster

from wildcell.sweeps import cluster_parts
from wildcell.sweeps.cluster import connected
from wildcell.sweeps.cluster_parts import sum_on_cluster

N_PARTS = 5


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("screen")
    options = {"n_perturbations": 4, "n_combinations": 1, "n_genes": 50, "n_contexts": 2}
    cells = load_dataset("simulated", **options).cells
    for number in range(N_PARTS):
        cells[number::N_PARTS].copy().write_h5ad(folder / f"part-{number}.h5ad")
    return folder


@pytest.fixture(scope="module")
def address():
    """Return the address of a cluster of three workers, each a process."""
    options = {"n_workers": 3, "threads_per_worker": 1, "processes": True}
    with LocalCluster(**options, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def same(one, other):
    pairs = [(one.X, other.X), *((one.layers[name], other.layers[name]) for name in one.layers)]
    return all(np.array_equal(first, second, equal_nan=True) for first, second in pairs)


def test_a_cluster_sums_to_the_same_bits_as_one_process(parts, address, tmp_path):
    main(["pseudobulk", str(parts), str(tmp_path / "here.h5ad")])
    main(["pseudobulk", str(parts), str(tmp_path / "there.h5ad"), "--cluster", address])
    here, there = (ad.read_h5ad(tmp_path / f"{place}.h5ad") for place in ("here", "there"))
    assert here.obs.equals(there.obs)
    assert same(here, there)


def test_the_workers_do_the_summing(parts, address, monkeypatch):
    here = pseudobulk(parts)
    monkeypatch.setattr("wildcell.datasets.pseudobulk.sum_cells", None)
    with connected(address) as cluster:
        assert same(here, pseudobulk(parts, over=partial(sum_on_cluster, cluster)))


def test_what_a_worker_finds_wrong_with_a_part_is_said(parts, address, tmp_path):
    part = ad.read_h5ad(parts / "part-0.h5ad")
    del part.obs["context"]
    part.write_h5ad(tmp_path / "part.h5ad")
    with (
        connected(address) as cluster,
        pytest.raises(DataError, match="lacks the columns 'context'"),
    ):
        pseudobulk(tmp_path, over=partial(sum_on_cluster, cluster))


def test_a_worker_with_other_software_is_refused(parts, address, monkeypatch):
    monkeypatch.setattr(cluster_parts, "software", lambda: "another")
    with connected(address) as cluster, pytest.raises(StoreError, match="another wildcell"):
        pseudobulk(parts, over=partial(sum_on_cluster, cluster))
