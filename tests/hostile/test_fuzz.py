"""Files that are damaged at random: each is read, or refused in words; never anything else.

Every example is read in a process of its own, with little memory and little time. The examples are
the same each time; WILDCELL_FUZZ_EXAMPLES asks for so many others, drawn anew.
"""

import json
import os
import resource
import signal
import traceback

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wildcell.datasets.read import read_cells, read_source
from wildcell.datasets.screen import read_screen
from wildcell.errors import BenchmarkError
from wildcell.guards.rehearsal import STATM
from wildcell.models.sealed.model_folder import read_folder
from wildcell.scenarios.embedding_file import read_embedding
from wildcell.scenarios.features import read_features
from wildcell.scenarios.folder import read_prediction
from wildcell.scenarios.gene_sets import read_gene_sets
from wildcell.scenarios.graph_file import read_graph
from wildcell.scenarios.scenario import load_scenario
from wildcell.store.atomic import read_table
from wildcell.store.options_file import read_options
from wildcell.store.runs import read_record
from wildcell.submitted.card import read_card
from wildcell.sweeps.sweep_file import read_sweep

pytestmark = pytest.mark.skipif(not STATM.is_file(), reason="needs to know a process's memory")

ASKED = os.environ.get("WILDCELL_FUZZ_EXAMPLES", "")
N_EXAMPLES = int(ASKED) if ASKED else 12
AT_MOST_S, AT_MOST_BYTES = 30, 2**31
TOKENS = [
    b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"[", b"{", b'"', b"'", b"\n", b"\r", b"\t", b",",
    b"=", b"-1", b"1e999", b"NaN", b"9" * 400, b"../", b"/etc/passwd", b"[" * 999, b"\x1b[2J",
    b"0x", b"\x80" * 8, b"\xff" * 8, b"\x00" * 64,
]  # fmt: skip


def frame():
    return pd.DataFrame({"a": [0.5, 1.5], "b": [1.0, -2.0]}, index=["KLF1", "BAK1"])


def write_npz(path, what):
    np.savez(path, names=np.array(["KLF1", "BAK1"]), **{what: np.eye(2)})


def write_text(text):
    return lambda path, cells: path.write_text(text)


def write_pt(path, cells):
    torch = pytest.importorskip("torch")
    torch.save({"KLF1": torch.ones(3), "BAK1": torch.zeros(3)}, path)


def write_answer(path, cells):
    cells.uns["wildcell"] = {"expression": "counts", "kind": "cells", "target_sum": 1e4}
    cells.obs["total_counts"] = 10.0
    cells.write_h5ad(path)


CARD = 'name = "a"\nversion = "1"\nauthors = ["b"]\nlicence = "MIT"\ntrained_on = ["c"]\n'
SCENARIO = """
question = "May it?"
splitter = "leave-one-context-out"
reference = "context-transfer"
metrics = ["pearson_delta"]
"""
SWEEP = 'scenarios = ["iid"]\nmodels = ["ridge"]\nseeds = [0, 1]\n[[data]]\nname = "simulated"\n'
GRAPH = "component,neighbour,weight\nKLF1,BAK1,0.5\n"

FILES = {
    "cells.h5ad": (lambda path, cells: cells.write_h5ad(path), read_cells),
    "screen.h5ad": (lambda path, cells: cells.write_h5ad(path), read_screen),
    "source.h5ad": (lambda path, cells: cells.write_h5ad(path, compression="gzip"), read_source),
    "prediction.h5ad": (write_answer, read_prediction),
    "features.npz": (lambda path, cells: write_npz(path, "features"), read_features),
    "features.parquet": (lambda path, cells: frame().to_parquet(path), read_features),
    "features.csv": (lambda path, cells: frame().to_csv(path), read_features),
    "features.pt": (write_pt, read_features),
    "embedding.npz": (lambda path, cells: write_npz(path, "embedding"), read_embedding),
    "sets.gmt": (write_text("haem\tof blood\tKLF1\tHBG1\n"), read_gene_sets),
    "graph.csv": (write_text(GRAPH), read_graph),
    "scores.parquet": (lambda path, cells: frame().to_parquet(path), read_table),
    "scores.csv": (lambda path, cells: frame().to_csv(path), read_table),
    "run.json": (write_text(json.dumps({"model": "a", "seed": 0, "fold": [1]})), read_record),
    "options.toml": (write_text("[ridge]\nalpha = 10.0\n"), read_options),
    "scenario.toml": (write_text(SCENARIO), load_scenario),
    "sweep.toml": (write_text(SWEEP), read_sweep),
    "card.toml": (write_text(CARD), read_card),
    "model/card.toml": (
        write_text('python = "present"\nprediction = "prediction.h5ad"\n'),
        lambda path: read_folder(path.parent),
    ),
}

places = st.floats(0, 1, exclude_max=True)
edits = st.lists(
    st.one_of(
        st.tuples(st.just("byte"), places, st.integers(0, 255)),
        st.tuples(st.just("flip"), places, st.integers(0, 7)),
        st.tuples(st.just("insert"), places, st.sampled_from(TOKENS)),
        st.tuples(st.just("write"), places, st.sampled_from(TOKENS)),
        st.tuples(st.just("drop"), places, st.integers(1, 64)),
        st.tuples(st.just("end"), places, st.just(0)),
        st.tuples(st.just("again"), places, st.integers(1, 256)),
    ),
    min_size=1,
    max_size=6,
)


def damaged(content, changes):
    found = bytearray(content)
    for kind, place, how in changes:
        at = int(place * len(found))
        if kind == "byte" and found:
            found[at] = how
        elif kind == "flip" and found:
            found[at] ^= 1 << how
        elif kind == "insert":
            found[at:at] = how
        elif kind == "write":
            found[at : at + len(how)] = how
        elif kind == "drop":
            del found[at : at + how]
        elif kind == "end":
            del found[at:]
        elif kind == "again":
            found[at:at] = found[at : at + how]
    return bytes(found)


def trouble(read, path):
    """Return what went wrong when a file was read by a copy of this process; "" for nothing."""
    said = path.parent / "said"
    said.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(AT_MOST_S)
            taken = int(STATM.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            resource.setrlimit(resource.RLIMIT_AS, (taken + AT_MOST_BYTES, -1))
            read(path)
            code = 0
        except BenchmarkError:
            code = 0
        except BaseException:  # noqa: BLE001  whatever it is, it is told
            said.write_text(traceback.format_exc())
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f"the process ended by signal {os.WTERMSIG(status)}"
    if status:
        return said.read_text() if said.exists() else "the process could not say what went wrong"
    return ""


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_read_or_refused(name, cells, tmp_path):
    write, read = FILES[name]
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if path.parent != tmp_path:
        (path.parent / "predict.py").write_text("")
    write(path, cells)
    content = path.read_bytes()
    assert trouble(read, path) == ""

    @settings(
        max_examples=N_EXAMPLES,
        deadline=None,
        database=None,
        derandomize=not ASKED,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(edits, min_size=1, max_size=4))
    def try_all(variants):
        for changes in variants:
            path.write_bytes(damaged(content, changes))
            found = trouble(read, path)
            assert not found, found

    try_all()


def test_a_file_that_breaks_its_reader_would_be_found(tmp_path):
    def hang(_):
        signal.alarm(1)
        while True:
            pass

    path = tmp_path / "file"
    path.write_bytes(b"")
    assert "signal 14" in trouble(hang, path)
    assert "signal 11" in trouble(lambda _: os.kill(os.getpid(), signal.SIGSEGV), path)
    assert "MemoryError" in trouble(lambda _: bytes(2**40), path)
    assert "KeyError" in trouble(lambda _: {}["a"], path)
    assert trouble(lambda _: None, path) == ""
