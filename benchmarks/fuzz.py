# ruff: noqa: ARG001 - all changes are called alike
"""Broken and unusual files for `wildcell score`: refused, or scored as the clean ones.

Each case takes a small prediction and truth, changes one of them in one or two ways, writes them
and scores them by the command line, in this process. A change is one of

- `same`: another way to store the same cells. The scores are those of the clean files, or it is
  refused;
- `wrong`: it is refused, or what was changed is not looked at, and the scores are those of the
  clean files;
- `damaged`: bytes that nobody can check. Anything but a traceback.

Printed are tracebacks and numbers that differ.

Run: python benchmarks/fuzz.py [--cases 300] [--seed 0] [--list]
"""

import argparse
import contextlib
import io
import os
import shutil
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from anndata.io import write_elem
from scipy import sparse

from wildcell.cli.main import main as wildcell
from wildcell.testing import toy_screen

METRICS = "effect_r2,pearson_delta,cosine_lfc,retrieval_cosine,de_auprc,energy_distance"
MODES = {
    "ours": ["--metrics", METRICS],
    "asked": ["--metrics", METRICS, "--conditions", "asked"],
    "systema": ["--preset", "systema"],
    "perturbench": ["--preset", "perturbench"],
}
ASKED_ALONE = ("conditions missing",)
"""What is no trouble where conditions need not match."""

MOST = 127
"""The largest count, which fits a byte; sums of counts do not."""

Change = Callable[[Any, np.random.Generator], Any]


@dataclass(frozen=True)
class Mutation:
    """A change of cells (`of` is `cells`) or of the file that they were written to (`file`)."""

    name: str
    change: Change
    of: str
    outcome: str
    sides: tuple[str, ...]


MUTATIONS: dict[str, Mutation] = {}


def mutation(
    outcome: str, *, of: str = "cells", sides: tuple[str, ...] = ("prediction", "truth")
) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        name = change.__name__.replace("_", " ")
        MUTATIONS[name] = Mutation(name, change, of, outcome, sides)
        return change

    return register


def clean_pair() -> tuple[ad.AnnData, ad.AnnData]:
    """Return predicted and true cells of two contexts: counts and two labels."""
    screen = toy_screen(n_contexts=2, n_controls=60, depth=400.0).cells
    obs = screen.obs[["context", "perturbation"]].astype(str)
    X = sparse.csr_matrix(screen.X, dtype=np.float32)
    X.data = np.minimum(X.data, MOST)
    plain = ad.AnnData(X, obs=obs, var=pd.DataFrame(index=screen.var_names))
    is_control = (obs["perturbation"] == "control").to_numpy()
    is_even = np.arange(len(obs)) % 2 == 0
    return plain[~is_control & ~is_even].copy(), plain[is_control | is_even].copy()


# the same cells, stored in another way


def with_x(cells: ad.AnnData, X: Any) -> ad.AnnData:
    return ad.AnnData(X, obs=cells.obs, var=cells.var, uns=cells.uns)


@mutation("same")
def dense(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    return with_x(cells, np.asarray(cells.X.toarray(), order=str(rng.choice(["C", "F"]))))


@mutation("same")
def by_columns(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    return with_x(cells, sparse.csc_matrix(cells.X))


@mutation("same")
def another_type(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    names = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f8", ">f4", ">i4", ">i8", ">f8"]
    dtype = np.dtype(str(rng.choice(names)))
    X = cells.X.toarray() if dtype.byteorder == ">" else cells.X
    return with_x(cells, X.astype(dtype))


@mutation("same")
def half_precision(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    return with_x(cells, cells.X.toarray().astype(np.float16))


@mutation("same")
def large_indices(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    X = sparse.csr_matrix(cells.X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return with_x(cells, X)


@mutation("same")
def indices_unsorted(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    X = sparse.csr_matrix(cells.X, copy=True)
    for start, stop in zip(X.indptr[:-1], X.indptr[1:], strict=True):
        order = start + rng.permutation(stop - start)
        X.indices[start:stop], X.data[start:stop] = X.indices[order], X.data[order]
    X.has_sorted_indices = False
    return with_x(cells, X)


@mutation("same")
def entries_twice(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    """Every value as two that sum to it, fractions included."""
    X = sparse.csr_matrix(cells.X)
    part = np.floor(X.data / 2)
    data = np.column_stack([part, X.data - part]).ravel()
    return with_x(
        cells, sparse.csr_matrix((data, np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape)
    )


@mutation("same")
def zeros_stored(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    X = cells.X.toarray()
    n_cells, n_genes = X.shape
    bounds = np.arange(0, X.size + 1, n_genes)
    return with_x(
        cells,
        sparse.csr_matrix((X.ravel(), np.tile(np.arange(n_genes), n_cells), bounds), shape=X.shape),
    )


@mutation("same")
def categories_without_cells(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    for column in ("context", "perturbation"):
        labels = cells.obs[column].astype("category")
        cells.obs[column] = labels.cat.add_categories([f"no {column}", "control of none"])
    return cells


@mutation("same")
def ordered_categories(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    names = rng.permutation(sorted(set(cells.obs["perturbation"])))
    cells.obs["perturbation"] = pd.Categorical(cells.obs["perturbation"], names, ordered=True)
    return cells


@mutation("same")
def more_beside(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    cells.obs["extra"] = np.arange(cells.n_obs) * np.nan
    cells.obs["is_extra"] = True
    cells.var["extra"] = "x"
    cells.layers["counts"] = cells.X
    cells.obsm["X_pca"] = rng.normal(size=(cells.n_obs, 3))
    cells.uns["log1p"] = {"base": 2.0}
    cells.raw = cells
    return cells


@mutation("same")
def index_of_numbers(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    cells.obs_names = [str(10 * i) for i in range(cells.n_obs)]
    cells.obs.index.name = "context"
    cells.obs.index.name = "cell"
    return cells


@mutation("same", sides=("prediction",))
def cells_of_one_name(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    cells.obs_names = ["cell"] * cells.n_obs
    return cells


@mutation("same", sides=("prediction",))
def other_orders(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    return cells[rng.permutation(cells.n_obs), rng.permutation(cells.n_vars)].copy()


@mutation("same", sides=("prediction",))
def more_genes(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    """Genes that are silent, so that library sizes stay."""
    X = sparse.hstack([cells.X, sparse.csr_matrix((cells.n_obs, 2))], format="csr")
    names = [*cells.var_names, "extra/1", "é+@%"]
    return ad.AnnData(X, obs=cells.obs, var=pd.DataFrame(index=names))


@mutation("same", sides=("prediction",))
def controls_beside(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    own = cells[:4].copy()
    own.obs["perturbation"] = "control"
    return ad.concat([cells, own], index_unique="-")


@mutation("same", sides=("prediction",))
def spaces_around_labels(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    cells.obs["perturbation"] = " " + cells.obs["perturbation"].astype(str) + "\t"
    return cells


@mutation("same")
def scale_stated(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    cells.uns["wildcell"] = {"expression": "counts"}
    return cells


@mutation("same", sides=("prediction",))
def sizes_stated(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    sizes = np.asarray(cells.X.sum(axis=1)).ravel()
    cells.obs["total_counts"] = sizes.astype(str) if rng.random() < 0.5 else sizes
    return cells


# what cannot be scored


def put(cells: ad.AnnData, rng: np.random.Generator, value: float) -> ad.AnnData:
    X = cells.X.toarray().astype(np.float64)
    X[rng.integers(X.shape[0]), rng.integers(X.shape[1])] = value
    return with_x(cells, X if rng.random() < 0.5 else sparse.csr_matrix(X))


@mutation("wrong")
def not_a_number(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    return put(cells, rng, np.nan)


@mutation("wrong")
def infinite(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    return put(cells, rng, np.inf * rng.choice([-1, 1]))


@mutation("wrong")
def negative(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    return put(cells, rng, -float(rng.integers(1, 2**40)))


@mutation("wrong")
def fractions_among_counts(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    cells.uns["wildcell"] = {"expression": "counts"}
    return put(cells, rng, 1.5)


@mutation("wrong")
def strings(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    return with_x(cells, cells.X.toarray().astype(str))


@mutation("wrong")
def complex_numbers(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    return with_x(cells, cells.X.toarray().astype(np.complex64))


@mutation("wrong")
def no_numbers(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    return ad.AnnData(obs=cells.obs, var=cells.var)


@mutation("wrong")
def no_cells(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    return cells[:0].copy()


@mutation("wrong")
def no_genes(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    return cells[:, :0].copy()


@mutation("wrong")
def genes_of_one_name(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    names = list(cells.var_names)
    names[1] = names[0]
    cells.var_names = names
    return cells


@mutation("wrong", sides=("truth",))
def true_cells_of_one_name(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    cells.obs_names = ["cell"] * cells.n_obs
    return cells


@mutation("wrong")
def transposed(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    return cells.T.copy()


@mutation("wrong")
def no_labels(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    return ad.AnnData(cells.X, obs=cells.obs[["context"]], var=cells.var)


@mutation("wrong")
def column_of_another_name(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    cells.obs = cells.obs.rename(columns={"perturbation": "Perturbation"})
    return cells


@mutation("wrong")
def labels_with_gaps(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    column = str(rng.choice(["context", "perturbation"]))
    labels = cells.obs[column].astype(object).to_numpy()
    labels[rng.integers(len(labels))] = rng.choice(["", "nan", " "])
    cells.obs[column] = pd.Categorical(labels) if rng.random() < 0.5 else labels.astype(str)
    return cells


@mutation("wrong")
def a_gene_missing(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    """Of the prediction; of the truth it is one fewer to be judged, so rename that."""
    names = list(cells.var_names)
    names[rng.integers(len(names))] = "another gene"
    cells.var_names = names
    return cells


@mutation("wrong", sides=("truth",))
def no_controls(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    return cells[(cells.obs["perturbation"] != "control").to_numpy()].copy()


@mutation("wrong", sides=("truth",))
def controls_called_otherwise(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    cells.obs["perturbation"] = cells.obs["perturbation"].astype(str).replace("control", "NTC")
    return cells


@mutation("wrong")
def logs_of_logs(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    """Without a statement of the library size, which cannot be seen any more."""
    X = cells.X.astype(np.float64)
    X.data = np.log1p(np.log1p(X.data))
    return with_x(cells, X)


@mutation("wrong")
def size_of_no_number(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    X = cells.X.astype(np.float64)
    X.data = np.log1p(X.data * np.repeat(1e3 / X.sum(axis=1).A1, np.diff(X.indptr)))
    found = with_x(cells, X)
    found.uns["wildcell"] = {"target_sum": str(rng.choice(["-1", "0", "many", "nan"]))}
    return found


@mutation("wrong")
def unknown_scale(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    cells.uns["wildcell"] = {"expression": str(rng.choice(["tpm", "", "COUNTS"]))}
    return cells


@mutation("wrong", sides=("prediction",))
def unknown_kind(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    cells.uns["wildcell"] = {"kind": "clouds"}
    return cells


@mutation("wrong")
def statement_of_no_mapping(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    cells.uns["wildcell"] = "counts"
    return cells


@mutation("wrong", sides=("prediction",))
def sizes_of_no_number(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    sizes = np.asarray(cells.X.sum(axis=1)).ravel().astype(float)
    sizes[rng.integers(len(sizes))] = rng.choice([np.nan, -1.0, np.inf, 0.0])
    cells.obs["total_counts"] = sizes
    return cells


@mutation("wrong")
def conditions_missing(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    is_first = cells.obs["perturbation"] == min(set(cells.obs["perturbation"]) - {"control"})
    return cells[~is_first.to_numpy()].copy()


@mutation("wrong", sides=("prediction",))
def called_a_truth(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    cells.uns["wildcell"] = {"kind": "truth"}
    return cells


@mutation("wrong", sides=("truth",))
def a_truth_without_parts(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    cells.uns["wildcell"] = {"kind": "truth", "expression": "counts"}
    if rng.random() < 0.5:
        cells.obs["side"] = "test"
    return cells


# files


@mutation("wrong", of="file")
def cut_short(path: Path, rng: np.random.Generator) -> None:
    if path.is_dir():
        shutil.rmtree(path / "obs")
        return
    path.write_bytes(path.read_bytes()[: int(rng.integers(1, path.stat().st_size // 2))])


@mutation("wrong", of="file")
def nothing_in_it(path: Path, rng: np.random.Generator) -> None:
    if path.is_dir():
        shutil.rmtree(path)
        path.mkdir()
    else:
        path.write_bytes(b"")


@mutation("wrong", of="file")
def text_in_it(path: Path, rng: np.random.Generator) -> None:
    _remove(path)
    path.write_text("cell,perturbation\n1,A\n", encoding="utf-8")


@mutation("wrong", of="file")
def a_folder_of_nothing(path: Path, rng: np.random.Generator) -> None:
    _remove(path)
    path.mkdir()


@mutation("wrong", of="file")
def not_there(path: Path, rng: np.random.Generator) -> None:
    _remove(path)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@mutation("damaged", of="file")
def bytes_changed(path: Path, rng: np.random.Generator) -> None:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        path = files[rng.integers(len(files))]
    content = bytearray(path.read_bytes())
    for place in rng.integers(len(content), size=int(rng.integers(1, 40))):
        content[place] = rng.integers(256)
    path.write_bytes(bytes(content))


@mutation("damaged", of="file")
def a_part_of_the_folder_lost(path: Path, rng: np.random.Generator) -> None:
    """Of zarr a chunk that is not there stands for zeros, which nobody can tell from a loss."""
    if path.is_file():
        lose_a_part(path, rng)
        return
    files = sorted(file for file in path.rglob("*") if file.is_file())
    files[rng.integers(len(files))].unlink()


@mutation("damaged", of="file")
def lose_a_part(path: Path, rng: np.random.Generator) -> None:
    if path.is_dir():
        return
    with h5py.File(path, "a") as file:
        names: list[str] = []
        file.visit(names.append)
        del file[names[rng.integers(len(names))]]


@mutation("damaged", of="file")
def an_attribute_changed(path: Path, rng: np.random.Generator) -> None:
    if path.is_dir():
        return
    with h5py.File(path, "a") as file:
        names: list[str] = []
        file.visit(names.append)
        attrs = file[names[rng.integers(len(names))]].attrs
        if len(attrs):
            name = sorted(attrs)[rng.integers(len(attrs))]
            if rng.random() < 0.5:
                del attrs[name]
            else:
                attrs[name] = str(rng.choice(["categorical", "dataframe", "csr_matrix", "x"]))


def _replaced(path: Path, name: str, values: Any) -> None:
    """Put other values in the place of a part of an h5ad."""
    with h5py.File(path, "a") as file:
        if name in file:
            attrs = dict(file[name].attrs)
            del file[name]
            write_elem(file, name, values)
            file[name].attrs.update(attrs)


def _stored(path: Path, name: str) -> Any:
    with h5py.File(path) as file:
        return file[name][:] if name in file else None


@mutation("wrong", of="file")
def columns_beyond_the_matrix(path: Path, rng: np.random.Generator) -> None:
    indices = None if path.is_dir() else _stored(path, "X/indices")
    if indices is None:
        _remove(path)
        return
    indices[rng.integers(len(indices))] = rng.choice([-1, 2**20, -(2**20)])
    _replaced(path, "X/indices", indices)


@mutation("wrong", of="file")
def rows_that_do_not_fit(path: Path, rng: np.random.Generator) -> None:
    indptr = None if path.is_dir() else _stored(path, "X/indptr")
    if indptr is None:
        _remove(path)
        return
    place = int(rng.integers(len(indptr)))
    indptr[place] = indptr[place] + rng.choice([-(10**6), 10**6])
    _replaced(path, "X/indptr", indptr if rng.random() < 0.5 else indptr[:-1])


@mutation("wrong", of="file")
def matrix_of_another_shape(path: Path, rng: np.random.Generator) -> None:
    if path.is_dir():
        _remove(path)
        return
    shapes: list[tuple[int, ...]] = [(3,), (3, 3), (2, 3, 4), ()]
    shape = shapes[rng.integers(len(shapes))]
    with h5py.File(path, "a") as file:
        del file["X"]
        write_elem(file, "X", np.ones(shape) if shape else np.float64(1.0))


@mutation("wrong", of="file")
def codes_beyond_the_categories(path: Path, rng: np.random.Generator) -> None:
    codes = None if path.is_dir() else _stored(path, "obs/perturbation/codes")
    if codes is None:
        _remove(path)
        return
    codes[rng.integers(len(codes))] = 120
    _replaced(path, "obs/perturbation/codes", codes)


@mutation("wrong", of="file")
def labels_too_few(path: Path, rng: np.random.Generator) -> None:
    codes = None if path.is_dir() else _stored(path, "obs/perturbation/codes")
    if codes is None:
        _remove(path)
        return
    _replaced(path, "obs/perturbation/codes", codes[:-2])


# cases


@dataclass(frozen=True)
class Case:
    """What is done in one case, all of it following from the seed."""

    seed: int

    def described(self) -> tuple[list[Mutation], str, str, str]:
        """Return the mutations, the side, the mode, and the suffix of its files."""
        rng = np.random.default_rng(self.seed)
        side = str(rng.choice(["prediction", "truth"]))
        known = [one for one in MUTATIONS.values() if side in one.sides]
        same = [one for one in known if one.outcome == "same"]
        chosen = [known[rng.integers(len(known))]]
        if rng.random() < 0.5:
            chosen.insert(0, same[rng.integers(len(same))])
        suffix = str(rng.choice([".h5ad", ".zarr"], p=[0.8, 0.2]))
        modes = [name for name in MODES if name != "asked" or chosen[-1].name not in ASKED_ALONE]
        return chosen, side, str(rng.choice(modes)), suffix


def expected_outcome(mutations: list[Mutation]) -> str:
    outcomes = {one.outcome for one in mutations}
    return next(name for name in ("damaged", "wrong", "same") if name in outcomes)


def scored(
    prediction: Path, truth: Path, mode: str, out: Path
) -> tuple[str, pd.DataFrame | None, str]:
    """Score two files by the command line: what became of it, the table, what was printed."""
    out.unlink(missing_ok=True)
    printed, errors = io.StringIO(), io.StringIO()
    kept = [] if "--preset" in MODES[mode] else ["--no-cache"]
    command = ["score", str(prediction), str(truth), "--out", str(out), *kept, *MODES[mode]]
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
            wildcell(command)
    except SystemExit:
        message = errors.getvalue()
        is_clean = message.startswith("wildcell: ") and "Traceback" not in message
        return ("refused" if is_clean and not out.exists() else "unclean"), None, message
    except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
        return "traceback", None, traceback.format_exc()
    return "scored", pd.read_csv(out), printed.getvalue()


def differences(found: pd.DataFrame, expected: pd.DataFrame) -> str:
    """Say where two tables of scores differ, "" where they do not."""
    keys = ["model", "context", "perturbation", "metric"]
    one, other = (
        table[[*keys, "status", "value"]].sort_values(keys, ignore_index=True)
        for table in (found, expected)
    )
    if not one[[*keys, "status"]].equals(other[[*keys, "status"]]):
        return f"{len(one)} rows and {len(other)}, or other statuses"
    is_near = np.isclose(one["value"], other["value"], rtol=1e-4, atol=1e-4, equal_nan=True)
    if is_near.all():
        return ""
    worst = one[~is_near].assign(expected=other.loc[~is_near, "value"]).iloc[0]
    return f"{int((~is_near).sum())} of {len(one)} values differ, such as {worst.to_dict()}"


class Fuzzer:
    """Runs cases in a folder, beside the scores of the clean files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cells = dict(zip(("prediction", "truth"), clean_pair(), strict=True))
        self.clean: dict[str, pd.DataFrame] = {}
        paths = self.write(self.cells, ".h5ad")
        for mode in MODES:
            outcome, table, words = scored(*paths, mode, folder / "clean.csv")
            assert outcome == "scored", words
            assert table is not None
            self.clean[mode] = table

    def write(self, cells: dict[str, ad.AnnData], suffix: str) -> tuple[Path, Path]:
        paths = []
        for side in ("prediction", "truth"):
            path = self.folder / f"{side}{suffix}"
            if path.exists():
                _remove(path)
            if suffix == ".zarr":
                cells[side].write_zarr(path)
            else:
                cells[side].write_h5ad(path)
            paths.append(path)
        return paths[0], paths[1]

    def run(self, case: Case) -> tuple[str, str]:
        """Return what became of a case, and what is wrong with that ("" if nothing is)."""
        mutations, side, mode, suffix = case.described()
        rng = np.random.default_rng([case.seed, 1])
        cells = {name: one.copy() for name, one in self.cells.items()}
        try:
            for one in mutations:
                if one.of == "cells":
                    cells[side] = one.change(cells[side], rng)
            paths = self.write(cells, suffix)
        except Exception as error:  # noqa: BLE001 - anndata writes no such file: no case
            return f"unwritable ({type(error).__name__})", ""
        for one in mutations:
            if one.of == "file":
                one.change(paths[side == "truth"], rng)
        outcome, table, words = scored(*paths, mode, self.folder / "scores.csv")
        wanted = expected_outcome(mutations)
        if outcome in {"traceback", "unclean"}:
            return outcome, words
        if outcome == "refused" or wanted == "damaged":
            return f"{wanted}: {outcome}", ""
        assert table is not None
        differing = differences(table, self.clean[mode])
        return f"{wanted}: scored", differing


def run_cases(seeds: range, *, is_listing: bool = False) -> tuple[Counter[str], list[str]]:
    """Run cases, and return how many ended how and what is wrong."""
    ends: Counter[str] = Counter()
    wrong: list[str] = []
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = Fuzzer(Path(folder))
        for seed in seeds:
            mutations, side, mode, suffix = Case(seed).described()
            end, trouble = fuzzer.run(Case(seed))
            ends[end] += 1
            words = f"case {seed}: {' + '.join(one.name for one in mutations)} of the {side}"
            if is_listing:
                print(f"{words} ({mode}, {suffix}): {end}")
            if trouble:
                wrong.append(f"{words} ({mode}, {suffix}): {end}\n{trouble}")
    return ends, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="print every case")
    given = parser.parse_args()
    os.environ["NUMBA_NUM_THREADS"] = os.environ.get("NUMBA_NUM_THREADS", "1")
    first = 100_000 * given.seed
    ends, wrong = run_cases(range(first, first + given.cases), is_listing=given.list)
    print("\n\n".join(wrong))
    print(", ".join(f"{end} {n}" for end, n in sorted(ends.items())))
    print(f"{len(wrong)} of {given.cases} cases are wrong")


if __name__ == "__main__":
    main()
