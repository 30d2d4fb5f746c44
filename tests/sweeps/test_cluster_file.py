"""What a scheduler is handed, looked at without a scheduler."""

import pytest

from wildcell.errors import BenchmarkError, OptionError, UnknownNameError

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
    def written(text, **how):
        path = tmp_path / "cluster.toml"
        path.write_text(text)
        return read_cluster_file(path, **how)

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


SHELL = {
    "end of a line": ('account = "a\\ntouch /tmp/bitten"', "ends of lines"),
    "return": ('queue = "a\\rb"', "ends of lines"),
    "in a list": ('job_extra_directives = ["--x\\nrm -rf ."]', "ends of lines"),
    "command in place": ('local_directory = "$(touch bitten)"', "for something else"),
    "other command": ('worker_extra_args = ["; touch bitten"]', "for something else"),
    "pipe": ('interface = "eth0 | sh"', "for something else"),
    "quote": ("worker_extra_args = ['`touch bitten`']", "for something else"),
    "prologue": ('job_script_prologue = ["touch bitten"]', "add --trust"),
    "program": ('python = "/tmp/evil"', "add --trust"),
    "module": ('worker_command = "evil"', "add --trust"),
    "shell": ('shebang = "#!/tmp/evil"', "add --trust"),
    "call": ('job_extra_directives = ["-E /tmp/evil"]', "add --trust"),
}


@pytest.mark.parametrize(("line", "said"), SHELL.values(), ids=SHELL)
def test_values_reach_no_shell(read, line, said):
    with pytest.raises(OptionError) as refused:
        read(with_line(line))
    assert said in str(refused.value)


def with_line(line):
    key = line.partition(" ")[0]
    others = [one for one in SLURM.splitlines() if not one.startswith(key)]
    return "\n".join([*others, line])


@pytest.mark.parametrize("name", ["prologue", "program", "command in place"])
def test_what_is_trusted_may_be_run(read, name):
    script = read(with_line(SHELL[name][0]), is_trusted=True).job_script()
    assert "bitten" in script or "/tmp/evil" in script
    with pytest.raises(OptionError, match="ends of lines"):
        read(with_line(SHELL["end of a line"][0]), is_trusted=True)


def test_variables_may_stand_in_places(read):
    script = read(with_line('local_directory = "$TMPDIR/wildcell"')).job_script()
    assert "--local-directory $TMPDIR/wildcell" in script


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="no cluster file"):
        read_cluster_file(tmp_path / "nowhere.toml")
