"""What a scheduler is handed, looked at without a scheduler."""

import pytest

from wildcell.errors import BenchmarkError, UnknownNameError

pytest.importorskip("dask_jobqueue")

from wildcell.sweeps.cluster_file import CLUSTERS, read_cluster_file

SLURM = """
scheduler = "slurm"
jobs = 5
cores = 4
memory = "16GB"
walltime = "02:00:00"
queue = "long"
account = "cells"
"""


@pytest.fixture
def read(tmp_path):
    def written(text):
        path = tmp_path / "cluster.toml"
        path.write_text(text)
        return read_cluster_file(path)

    return written


def test_slurm_is_asked_for_workers_of_one_thread(read):
    file = read(SLURM)
    script = file.job_script().splitlines()
    assert file.n_workers == 20
    assert {
        "#SBATCH -p long",
        "#SBATCH -A cells",
        "#SBATCH -n 1",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --mem=15G",
        "#SBATCH -t 02:00:00",
    } <= set(script)
    (command,) = [line for line in script if "dask" in line and "tcp://" in line]
    assert "--nthreads 1" in command
    assert "--nworkers 4" in command
    assert "GPU" not in command


def test_a_gpu_is_a_resource_of_the_worker_and_asked_for_in_the_schedulers_own_words(read):
    one = SLURM.replace("cores = 4", "cores = 1")
    file = read(f'{one}gpus = 1\njob_extra_directives = ["--gres=gpu:1"]\n')
    script = file.job_script()
    assert file.has_gpus
    assert "#SBATCH --gres=gpu:1" in script
    assert "--resources GPU=1" in script


@pytest.mark.parametrize("scheduler", CLUSTERS)
def test_every_scheduler_has_a_script(read, scheduler):
    script = read(f'scheduler = "{scheduler}"\njobs = 1\ncores = 2\nmemory = "4GB"\n').job_script()
    assert "--nthreads 1" in script
    assert "--nworkers 2" in script


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lacks scheduler, jobs, cores, memory"),
        (SLURM.replace('"slurm"', '"slrum"'), "must be one of slurm, pbs, lsf, sge"),
        (SLURM.replace("jobs = 5", "jobs = 0"), "jobs must be at least 1"),
        (SLURM.replace("cores = 4", 'cores = "4"'), "cores must be at least 1"),
        (SLURM.replace("walltime", "waltime"), "Did you mean 'walltime'?"),
        (f"{SLURM}gpus = 1", "Raise jobs instead"),
        ("jobs = [", "is not TOML"),
    ],
)
def test_what_cannot_be_used_is_refused(read, text, said):
    with pytest.raises(BenchmarkError) as refused:
        read(text)
    assert said in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="no cluster file"):
        read_cluster_file(tmp_path / "nowhere.toml")
