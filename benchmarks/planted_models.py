"""Whether networks find what was planted: `python benchmarks/planted_models.py [CLAIM ...]`.

Each claim is a comparison on simulated screens of known truth, repeated over seeds (`--seeds`, 5 by
default) and paired by seed: mean of the differences and its 95 % interval by Student's t. It holds
where the interval lies above 0, fails where it lies below, and cannot be told between. Errors are
root mean squares of means of log values over genes, averaged over conditions; gains are those of
the first named over the second, in per cent of the second.

Claims: no-change, features, shuffled, state, masks, basal, variance, graph; all by default.
"""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse, stats
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
Row = tuple[str, float]


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
            yield (
                f"{name} over no-change, {scenario}",
                gain(error(asked(name, posed, seed), posed), base),
            )


def features(seed: int, *, shuffle: bool = False) -> Iterator[Row]:
    posed = question("unseen-perturbation", seed, shuffle_features=shuffle, **INFORMATIVE)
    base = error(asked("perturbed-mean", posed, seed), posed)
    told = "shuffled" if shuffle else "informative"
    for name in MODEL_NAMES:
        found = error(asked(name, posed, seed), posed)
        yield f"{name} over perturbed-mean, {told} features", gain(found, base)


def shuffled(seed: int) -> Iterator[Row]:
    yield from features(seed, shuffle=True)


def state(seed: int) -> Iterator[Row]:
    posed = question("unseen-context", seed, **STATEFUL)
    base = error(asked("decoder-only", posed, seed), posed)
    for name in ("latent-additive", "cpa"):
        found = error(asked(name, posed, seed), posed)
        yield f"{name} over decoder-only, response by state", gain(found, base)


def graph(seed: int) -> Iterator[Row]:
    errors = []
    for shuffle in (False, True):
        posed = question("unseen-perturbation", seed, shuffle_features=shuffle, **INFORMATIVE)
        errors.append(error(asked("gears", posed, seed), posed))
    yield "gears with the true graph over a shuffled one", gain(*errors)


def variance(seed: int) -> Iterator[Row]:
    posed = question("unseen-context", seed)
    truth = posed.truth.test.lognorm.toarray().var(axis=0)
    energy, squared = (
        float(np.abs(cells.X.toarray().var(axis=0) - truth).mean())
        for cells in (asked("state", posed, seed, distance=d) for d in ("energy", "squared"))
    )
    yield "state's variances with energy distance over squared errors", gain(energy, squared)


def basal(seed: int) -> Iterator[Row]:
    posed = question("iid", seed, n_contexts=1, n_perturbations=8, n_combinations=0, n_cells=150,
                     specific_strength=0.3, n_genes=300, null_share=0.0)  # fmt: skip
    cells = posed.task.train
    labels = cells.obs["perturbation"].to_numpy()[~cells.is_control]
    raw = probe(cells.lognorm.toarray()[~cells.is_control], labels)
    for name in ("cpa", "biolord"):
        model = MODELS.get(name).make(seed=seed)
        model.fit(posed.task)
        with torch.no_grad():
            code = model.net["encode"](torch.from_numpy(cells.lognorm.toarray()))
        code = halves(code)[0] if name == "cpa" else code
        found = probe(code.numpy()[~cells.is_control], labels)
        yield f"{name}: probe accuracy lost from raw cells ({raw:.2f}), points", 100 * (raw - found)


def probe(values: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> float:
    scaled = StandardScaler().fit_transform(values)
    return float(cross_val_score(LogisticRegression(C=0.01, max_iter=500), scaled, labels).mean())


N_FACTORS, GENES_A_FACTOR, N_SPARSE = 8, 20, 24


def sparse_shifts(seed: int) -> tuple[Task, np.ndarray[Any, Any]]:
    """Return cells whose perturbations shift one or two of eight factors, and which."""
    rng = np.random.default_rng(seed)
    shifts = np.zeros((N_SPARSE, N_FACTORS))
    for row in shifts:
        chosen = rng.choice(N_FACTORS, rng.integers(1, 3), replace=False)
        row[chosen] = rng.choice([-1.5, 1.5], len(chosen))
    codes = np.repeat(np.arange(-1, N_SPARSE), [400, *[100] * N_SPARSE])
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


def masks(seed: int) -> Iterator[Row]:
    task, planted = sparse_shifts(seed)
    model = MODELS.get("sams-vae").make(seed=seed)
    model.fit(task)
    inputs = torch.from_numpy(
        model.encoding.encode(task.query.components, task.query.conditions["perturbation"]).inputs
    )
    with torch.no_grad():
        found = (model.net["mask"](inputs) > 0).numpy()
        base = torch.zeros(1, found.shape[1])
        moved = model.net["decode"](torch.cat([base, torch.eye(found.shape[1])]))
    change = (moved[1:] - moved[0]).numpy().reshape(found.shape[1], N_FACTORS, GENES_A_FACTOR)
    factor = np.abs(change).mean(axis=2).argmax(axis=1)
    rows, columns = np.nonzero(found)
    if not len(rows):
        yield "sams-vae: precision of its masks above chance, points (no mask is on)", float("nan")
        return
    precision = planted[rows, factor[columns]].mean()
    yield (
        "sams-vae: precision of its masks above chance, points",
        100 * (precision - planted.mean()),
    )
    yield "sams-vae: share of masks on, per cent", 100 * found.mean()


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


def report(claim: str, n_seeds: int) -> None:
    table = pd.DataFrame([dict(CLAIMS[claim](seed)) for seed in range(n_seeds)])
    for name, values in table.items():
        mean, half = values.mean(), np.nan
        if n_seeds > 1:
            half = stats.t.ppf(0.975, n_seeds - 1) * values.std(ddof=1) / np.sqrt(n_seeds)
        verdict = "holds" if mean - half > 0 else "fails" if mean + half < 0 else "cannot be told"
        print(
            f"{name:72} {mean:7.1f} ({mean - half:.1f} to {mean + half:.1f})  {verdict}", flush=True
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claims", nargs="*", default=list(CLAIMS))
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    for claim in given.claims:
        report(claim, given.seeds)
