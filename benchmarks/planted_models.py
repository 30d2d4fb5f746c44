"""Whether networks find what was planted: `python benchmarks/planted_models.py [CLAIM ...]`.

Each claim is a comparison on simulated screens of known truth, repeated over seeds (`--seeds`, 0 to
4 by default) and paired by seed: mean of the differences and its 95 % interval by Student's t. It
holds where the interval lies above 0, fails where it lies below, and cannot be told between. Errors
are root mean squares of means of log values over genes, averaged over conditions; gains are those
of the first named over the second, in per cent of the second.

Claims: no-change, features, shuffled, state, masks, basal, variance, graph; all by default.

With `--out FOLDER` a part, one claim on one seed, is kept as `CLAIM-SEED.parquet`, so that many
processes can share the work; `--parts` prints the arguments of each, a line a part, and `--table`
prints what is kept and runs nothing:

    python benchmarks/planted_models.py --parts \\
        | xargs -P 16 -L 1 python benchmarks/planted_models.py --out found
    python benchmarks/planted_models.py --out found --table
"""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy import sparse, stats
from scipy.optimize import linear_sum_assignment
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import StandardScaler

from wildcell.datasets.load import load_dataset
from wildcell.models.answer import answer, unanswerable
from wildcell.models.model import MODELS
from wildcell.models.neural.layers import halves
from wildcell.names import CONTROL, Expression
from wildcell.scenarios.pose import Question, pose
from wildcell.scenarios.prediction import Prediction
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.split import make_splits
from wildcell.scenarios.task import Cells, Query, Task
from wildcell.store.atomic import writing

MODEL_NAMES = [name for name in MODELS.names() if MODELS.get(name).extra] + ["genepert"]
INFORMATIVE = {
    "n_perturbations": 48, "n_combinations": 0, "n_contexts": 2, "specific_strength": 0.4,
    "feature_informativeness": 1.0, "n_cells": 40, "n_genes": 300,
}  # fmt: skip
STATEFUL = {
    "n_contexts": 12, "n_context_clusters": 3, "cluster_spread": 0.8, "n_perturbations": 8,
    "cluster_interaction_strength": 0.5, "interaction_strength": 0.0, "n_combinations": 0,
    "n_cells": 40, "n_controls": 80, "n_genes": 300,
}  # fmt: skip


class Row(NamedTuple):
    """A difference that a claim says is above 0, or a level beside it that none speaks of."""

    name: str
    value: float
    is_claimed: bool = True


@cache
def question(scenario: str, seed: int, **options: Any) -> Question:
    screen, words = load_dataset("simulated", seed=seed, **options), load_scenario(scenario)
    return pose(screen, make_splits(words, screen, seed=seed)[0], words)


def asked(name: str, posed: Question, seed: int, **options: Any) -> Prediction:
    card = MODELS.get(name)
    is_applicable = (unanswerable(card, posed.task) == "").to_numpy()
    return answer(card, posed.task, is_applicable, seed, options)


def means(prediction: Prediction) -> pd.DataFrame:
    X = prediction.X.toarray() if sparse.issparse(prediction.X) else prediction.X
    keys = pd.MultiIndex.from_frame(prediction.obs[["context", "perturbation"]])
    return pd.DataFrame(X).groupby(keys).mean()


def error(prediction: Prediction, posed: Question) -> float:
    conditions, measured = posed.truth.test.condition_moments()
    keys = pd.MultiIndex.from_frame(conditions[["context", "perturbation"]])
    truth = pd.DataFrame(measured.mean, index=keys)
    found = means(prediction)
    return float(np.sqrt(((found - truth.loc[found.index]) ** 2).mean(axis=1)).mean())


def gain(error_of: float, over: float) -> float:
    return 100 * (1 - error_of / over)


def no_change(seed: int) -> Iterator[Row]:
    for scenario in ("unseen-context", "unseen-perturbation"):
        posed = question(scenario, seed)
        base = error(asked("no-change", posed, seed), posed)
        for name in MODEL_NAMES:
            found = error(asked(name, posed, seed), posed)
            yield Row(f"{name} over no-change, {scenario}", gain(found, base))


def features(seed: int, *, shuffle: bool = False) -> Iterator[Row]:
    posed = question("unseen-perturbation", seed, shuffle_features=shuffle, **INFORMATIVE)
    base = error(asked("perturbed-mean", posed, seed), posed)
    told = "shuffled" if shuffle else "informative"
    for name in MODEL_NAMES:
        found = error(asked(name, posed, seed), posed)
        yield Row(f"{name} over perturbed-mean, {told} features", gain(found, base))


def shuffled(seed: int) -> Iterator[Row]:
    yield from features(seed, shuffle=True)


def state(seed: int) -> Iterator[Row]:
    posed = question("unseen-context", seed, **STATEFUL)
    base = error(asked("decoder-only", posed, seed), posed)
    for name in ("latent-additive", "cpa"):
        found = error(asked(name, posed, seed), posed)
        yield Row(f"{name} over decoder-only, response by state", gain(found, base))


def graph(seed: int) -> Iterator[Row]:
    errors = []
    for shuffle in (False, True):
        posed = question("unseen-perturbation", seed, shuffle_features=shuffle, **INFORMATIVE)
        errors.append(error(asked("gears", posed, seed), posed))
    yield Row("gears with the true graph over a shuffled one", gain(*errors))


def variance(seed: int) -> Iterator[Row]:
    posed = question("unseen-context", seed)
    truth = posed.truth.test.lognorm.toarray().var(axis=0)
    energy, squared = (
        float(np.abs(cells.X.toarray().var(axis=0) - truth).mean())
        for cells in (asked("state", posed, seed, distance=d) for d in ("energy", "squared"))
    )
    yield Row("state's variances with energy distance over squared errors", gain(energy, squared))


def basal(seed: int) -> Iterator[Row]:
    posed = question("iid", seed, n_contexts=1, n_perturbations=8, n_combinations=0, n_cells=150,
                     specific_strength=0.3, n_genes=300, null_share=0.0)  # fmt: skip
    cells = posed.task.train
    labels = cells.obs["perturbation"].to_numpy()[~cells.is_control]
    raw = probe(cells.lognorm.toarray()[~cells.is_control], labels)
    yield Row("probe accuracy of raw cells, per cent", 100 * raw, is_claimed=False)
    for name in ("cpa", "biolord"):
        model = MODELS.get(name).make(seed=seed)
        model.fit(posed.task)
        with torch.no_grad():
            code = model.net["encode"](torch.from_numpy(cells.lognorm.toarray()))
        code = halves(code)[0] if name == "cpa" else code
        found = probe(code.numpy()[~cells.is_control], labels)
        yield Row(f"{name}: probe accuracy lost from raw cells, points", 100 * (raw - found))


def probe(values: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> float:
    scaled = StandardScaler().fit_transform(values)
    return float(cross_val_score(LogisticRegression(C=0.01, max_iter=500), scaled, labels).mean())


N_FACTORS, GENES_A_FACTOR, N_SPARSE = 8, 20, 64
"""Perturbations are many times the factors: else a dimension of its own for each is sparser."""


def sparse_shifts(seed: int) -> tuple[Task, np.ndarray[Any, Any]]:
    """Return cells whose perturbations shift one or two of eight factors, and which."""
    rng = np.random.default_rng(seed)
    shifts = np.zeros((N_SPARSE, N_FACTORS))
    for row in shifts:
        chosen = rng.choice(N_FACTORS, rng.integers(1, 3), replace=False)
        row[chosen] = rng.choice([-1.5, 1.5], len(chosen))
    codes = np.repeat(np.arange(-1, N_SPARSE), [400, *[50] * N_SPARSE])
    factors = rng.normal(0, 0.3, (len(codes), N_FACTORS))
    factors[codes >= 0] += shifts[codes[codes >= 0]]
    loadings = np.kron(np.eye(N_FACTORS), rng.uniform(0.5, 1.0, GENES_A_FACTOR))
    noise = rng.normal(0, 0.3, (len(codes), loadings.shape[1]))
    X = np.maximum(2.5 + factors @ loadings + noise, 0)
    names = np.array([CONTROL, *[f"p{i}" for i in range(N_SPARSE)]], dtype=object)[codes + 1]
    obs = pd.DataFrame({"context": "c", "perturbation": names, "control_group": "c"})
    genes = np.array([f"g{i}" for i in range(X.shape[1])], dtype=object)
    cells = Cells(sparse.csr_matrix(X.astype(np.float32)), genes, obs, Expression.LOGNORM)
    keys = sorted(set(names) - {CONTROL}, key=lambda key: int(key[1:]))
    parts = pd.DataFrame(
        {"perturbation": keys, "component": keys, "dose": np.nan, "unit": "", "time": np.nan}
    )
    few = cells.select(np.arange(cells.n) % 10 == 0)
    conditions = pd.DataFrame({"context": "c", "perturbation": keys, "control_group": "c"})
    query = Query(conditions, cells.select(cells.is_control), parts)
    return Task(cells, few, query), shifts != 0


def hits(found: np.ndarray[Any, Any], planted: np.ndarray[Any, Any]) -> float:
    """Return in how many places masks agree, each dimension being given its own factor at best."""
    common = found.T.astype(float) @ planted
    return float(common[linear_sum_assignment(common, maximize=True)].sum())


def hits_by_chance(found: np.ndarray[Any, Any], planted: np.ndarray[Any, Any], seed: int) -> float:
    """Return the same of masks that belong to other perturbations, on average."""
    rng = np.random.default_rng(seed)
    return float(np.mean([hits(rng.permutation(found), planted) for _ in range(200)]))


def masks(seed: int) -> Iterator[Row]:
    task, planted = sparse_shifts(seed)
    model = MODELS.get("sams-vae").make(seed=seed, latent=N_FACTORS, mechanisms=True)
    model.fit(task)
    inputs = torch.from_numpy(
        model.encoding.encode(task.query.components, task.query.conditions["perturbation"]).inputs
    )
    with torch.no_grad():
        found = (model.log_odds(inputs) > 0).numpy()
    hit, chance, n = hits(found, planted), hits_by_chance(found, planted, seed), max(1, found.sum())
    yield Row("sams-vae: precision of its masks above chance, points", 100 * (hit - chance) / n)
    shares = {"precision": hit / n, "chance precision": chance / n, "recall": hit / planted.sum()}
    for name, level in shares.items():
        yield Row(f"sams-vae: {name} of its masks, per cent", 100 * level, is_claimed=False)


CLAIMS: dict[str, Callable[[int], Iterable[Row]]] = {
    "no-change": no_change,
    "features": features,
    "shuffled": shuffled,
    "state": state,
    "masks": masks,
    "basal": basal,
    "variance": variance,
    "graph": graph,
}


def run(claim: str, seed: int, out: Path | None) -> pd.DataFrame:
    """Return what a claim comes to on one seed, and keep it in `out` where that is a folder."""
    rows = pd.DataFrame(CLAIMS[claim](seed), columns=Row._fields)
    rows = rows.assign(claim=claim, seed=seed)
    if out is not None:
        with writing(out / f"{claim}-{seed}.parquet") as temporary:
            rows.to_parquet(temporary)
    return rows


def kept(claim: str, out: Path) -> pd.DataFrame:
    """Return what is kept of a claim, all seeds below each other."""
    parts = [pd.read_parquet(file) for file in sorted(out.glob(f"{claim}-*.parquet"))]
    return pd.concat(parts) if parts else pd.DataFrame(columns=[*Row._fields, "seed"])


def report(rows: pd.DataFrame) -> None:
    for name, group in rows.groupby("name", sort=False):
        values = group["value"].astype(float)
        mean, n_seeds, half = values.mean(), len(values), np.nan
        if n_seeds > 1:
            half = stats.t.ppf(0.975, n_seeds - 1) * values.std(ddof=1) / np.sqrt(n_seeds)
        verdict = "holds" if mean - half > 0 else "fails" if mean + half < 0 else "cannot be told"
        verdict = verdict if group["is_claimed"].all() else ""
        interval = f"({mean - half:.1f} to {mean + half:.1f})"
        print(f"{name:72} {n_seeds:2d} {mean:7.1f} {interval:18} {verdict}".rstrip(), flush=True)


def arguments() -> argparse.Namespace:
    wording = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=wording)
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help=", ".join(CLAIMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5), help="0 to 4 by default")
    parser.add_argument("--out", type=Path, help="folder in which parts are kept")
    does = parser.add_mutually_exclusive_group()
    does.add_argument("--parts", action="store_true", help="print the arguments of each part")
    does.add_argument("--table", action="store_true", help="print what is kept in --out")
    given = parser.parse_args()
    given.claims = given.claims or list(CLAIMS)
    if unknown := set(given.claims) - set(CLAIMS):
        parser.error(f"no claim is called {', '.join(sorted(unknown))}; {', '.join(CLAIMS)} are.")
    if given.table and given.out is None:
        parser.error("--table prints what is kept in --out FOLDER; give that.")
    return given


def main() -> None:
    given = arguments()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    for claim in given.claims:
        if given.parts:
            print("\n".join(f"{claim} --seeds {seed}" for seed in given.seeds))
        elif given.table:
            report(kept(claim, given.out))
        else:
            report(pd.concat([run(claim, seed, given.out) for seed in given.seeds]))


if __name__ == "__main__":
    main()
