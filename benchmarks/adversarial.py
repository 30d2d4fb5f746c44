"""What every metric makes of answers that know nothing, too little, or what they should not.

Two experiments on one simulated biology: the test cells of the first are the truth, those of the
second an *independent half* of it, the best that an honest answer can know. Each probe is an answer
made of that half, of training means, of controls, or of the truth itself. A *cheat* should score no
better than the half; where one does, the table says so with a `!`.

Settings: `clear` effects; `noisy` ones, measured with few cells; `buried` ones, of which there is
less than noise. Metrics are the house's and those of all presets. What follows from the table is
said in docs/why/cheats.md.

Run: python benchmarks/adversarial.py [--seeds 3] [--settings clear noisy buried] [--presets]
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Floats, log_normalise
from wildcell.by_preset import score_by_preset
from wildcell.datasets.dataset import Dataset
from wildcell.datasets.load import load_dataset
from wildcell.judge import Judge, find_metrics
from wildcell.metrics.headline import HEADLINE
from wildcell.metrics.metric import METRICS
from wildcell.metrics.preset import PRESETS
from wildcell.models.answer import answer
from wildcell.models.find import find_model
from wildcell.names import CONDITION, CONTROL, UNS, Expression, Kind
from wildcell.results.rank import samples_of
from wildcell.scenarios.folder import prediction_from, to_anndata
from wildcell.scenarios.outside import pose_from_files
from wildcell.scenarios.task import Cells, Task, Truth

SCREEN = {
    "n_contexts": 2,
    "n_perturbations": 24,
    "n_combinations": 0,
    "n_genes": 150,
    "n_controls": 200,
    "n_batches": 1,
    "null_share": 0.0,
    "baseline_spread": 0.8,
    "depth": 2000.0,
    "context_depth_spread": 0.0,
    "batch_strength": 0.0,
}
SETTINGS: dict[str, dict[str, float]] = {
    "clear": {"n_cells": 60, "shared_strength": 0.3, "specific_strength": 0.4},
    "noisy": {"n_cells": 12, "shared_strength": 0.2, "specific_strength": 0.3},
    "buried": {"n_cells": 8, "shared_strength": 0.1, "specific_strength": 0.1},
}
HALF = "independent half"
TESTED = 3
"""Of so many perturbations one is tested."""

RESOLVED = 0.002
"""Scores that differ by less are one: values below 0 are raised, and rounded."""


@dataclass(frozen=True)
class Material:
    """What answers are made of.

    Attributes
    ----------
    truth, task
        Both sides of the question.
    half
        Cells of the tested conditions from another experiment.
    """

    truth: Truth
    task: Task
    half: Cells

    @property
    def conditions(self) -> pd.DataFrame:
        return self.truth.conditions[CONDITION]

    @property
    def target_sum(self) -> float:
        assert self.truth.test.target_sum is not None
        return self.truth.test.target_sum

    def mean(self, cells: Cells) -> Floats:
        """Return the mean log values of each condition, shape (n_conditions, n_genes)."""
        found = pd.DataFrame(cells.lognorm.toarray()).groupby(_keys(cells.obs)).mean()
        return found.loc[_keys(self.conditions)].to_numpy(float)

    def of_context(self, cells: Cells) -> Floats:
        """Return the mean log values of the context of each condition, (n_conditions, n_genes)."""
        found = pd.DataFrame(cells.lognorm.toarray()).groupby(cells.obs["context"].to_numpy())
        return found.mean().loc[self.conditions["context"]].to_numpy(float)

    @cached_property
    def given(self) -> Floats:
        return self.of_context(self.truth.given)

    @cached_property
    def shared(self) -> Floats:
        """Mean delta of the training perturbations in the context of each condition."""
        train = self.task.train
        deltas = self.of_context(train.select(~train.is_control))
        return deltas - self.of_context(train.select(train.is_control))

    @cached_property
    def effect(self) -> Floats:
        return self.mean(self.half) - self.given


def _keys(obs: pd.DataFrame) -> "pd.Series[str]":
    return (obs["context"] + "\x1f" + obs["perturbation"]).to_numpy()


class Answer(NamedTuple):
    """Cells or means without controls, and the controls that come with them."""

    rows: ad.AnnData
    controls: ad.AnnData


def means(of: Material, values: Floats, controls: ad.AnnData | None = None) -> Answer:
    """Return mean log values of all conditions as an answer, values below 0 raised to 0."""
    own = _as_rows(np.maximum(values, 0.0), of.conditions, of, Kind.MEAN)
    contexts = of.conditions.drop_duplicates("context")
    beside = _as_rows(
        of.given[contexts.index], contexts.assign(perturbation=CONTROL), of, Kind.MEAN
    )
    return Answer(own, beside if controls is None else controls)


def log_cells(of: Material, values: Floats, obs: pd.DataFrame) -> Answer:
    given = of.truth.given
    beside = _as_rows(given.lognorm.toarray(), given.obs[CONDITION], of, Kind.CELLS)
    return Answer(_as_rows(np.maximum(values, 0.0), obs, of, Kind.CELLS), beside)


def counts(of: Material, values: sparse.csr_matrix, obs: pd.DataFrame) -> Answer:
    given = of.truth.given
    own, beside = (
        ad.AnnData(
            sparse.csr_matrix(X, dtype=np.float32),
            obs=labels[CONDITION].reset_index(drop=True).rename(index=str),
            var=pd.DataFrame(index=pd.Index(of.truth.test.genes)),
            uns={UNS: {"kind": "cells", "expression": "counts"}},
        )
        for X, labels in ((values, obs), (given.X, given.obs))
    )
    return Answer(own, beside)


def _as_rows(values: Floats, obs: pd.DataFrame, of: Material, kind: Kind) -> ad.AnnData:
    words = {"kind": str(kind), "expression": "lognorm", "target_sum": of.target_sum}
    return ad.AnnData(
        sparse.csr_matrix(values, dtype=np.float64 if kind is Kind.MEAN else np.float32),
        obs=obs[CONDITION].reset_index(drop=True).rename(index=str),
        var=pd.DataFrame(index=pd.Index(of.truth.test.genes)),
        uns={UNS: words},
    )


def independent_half(of: Material) -> Answer:
    return counts(of, of.half.X, of.half.obs)


def truth_rebased(of: Material) -> Answer:
    return means(of, of.mean(of.truth.test) - of.of_context(of.truth.kept) + of.given)


def control_pasted(of: Material) -> Answer:
    """Given controls under the name of every condition."""
    return _pasted(of, np.ones(len(of.conditions), dtype=bool))


def _pasted(of: Material, where: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> Answer:
    """The half, with the given controls in the place of some conditions."""
    given = of.truth.given
    names = _keys(of.conditions)
    keep = ~np.isin(_keys(of.half.obs), names[where])
    X, obs = [of.half.X[keep]], [of.half.obs.loc[keep, CONDITION]]
    for row in of.conditions[where].itertuples():
        own = (given.obs["context"] == row.context).to_numpy()
        X.append(given.X[own])
        obs.append(given.obs.loc[own, CONDITION].assign(perturbation=row.perturbation))
    return counts(of, sparse.vstack(X, format="csr"), pd.concat(obs))


def mean_pasted(of: Material) -> Answer:
    return means(of, of.given + of.shared)


def variance_inflated(of: Material) -> Answer:
    """Every cell twice as far from the mean of its condition."""
    values, place = of.half.lognorm.toarray(), pd.Index(_keys(of.conditions))
    centre = of.mean(of.half)[place.get_indexer(_keys(of.half.obs))]
    return log_cells(of, 2 * values - centre, of.half.obs)


def effect_halved(of: Material) -> Answer:
    return means(of, of.given + 0.5 * of.effect)


def effect_doubled(of: Material) -> Answer:
    return means(of, of.given + 2 * of.effect)


def depth_doubled(of: Material) -> Answer:
    return counts(of, 2 * of.half.X, of.half.obs)


def cells_duplicated(of: Material) -> Answer:
    twice = sparse.vstack([of.half.X, of.half.X], format="csr")
    return counts(of, twice, pd.concat([of.half.obs, of.half.obs]))


def controls_tampered(of: Material) -> Answer:
    """No change, beside controls from which the mean response was taken away."""
    beside = means(of, of.given - of.shared).rows
    one = ~beside.obs["context"].duplicated().to_numpy()
    controls = beside[one].copy()
    controls.obs["perturbation"] = CONTROL
    return means(of, of.given, controls)


def genes_shuffled(of: Material) -> Answer:
    order = np.random.default_rng(0).permutation(of.half.X.shape[1])
    return counts(of, of.half.X[:, order], of.half.obs)


def labels_shuffled(of: Material) -> Answer:
    """The half, each perturbation called by the name of another."""
    names = sorted(set(of.conditions["perturbation"]))
    called = dict(zip(names, np.roll(names, 1), strict=True))
    obs = of.half.obs.assign(perturbation=of.half.obs["perturbation"].map(called))
    return counts(of, of.half.X, obs)


def half_and_noise(of: Material) -> Answer:
    """The mean of the half with as much noise again as it has effect."""
    noise = np.random.default_rng(0).normal(size=of.effect.shape)
    return means(of, of.given + of.effect + of.effect.std() * noise)


def log_twice(of: Material) -> Answer:
    return log_cells(of, np.log1p(of.half.lognorm.toarray()), of.half.obs)


def denoised_control(of: Material) -> Answer:
    """The controls of a context, drawn half-way to the mean of all contexts."""
    everywhere = of.given.mean(axis=0, keepdims=True)
    return means(of, 0.5 * (of.given + everywhere))


def half_way_to_the_mean(of: Material) -> Answer:
    return means(of, of.given + 0.5 * of.shared)


def other_control(of: Material) -> Answer:
    """The controls of another context."""
    contexts = sorted(set(of.conditions["context"]))
    other = dict(zip(contexts, np.roll(contexts, 1), strict=True))
    first = {name: rows[0] for name, rows in of.conditions.groupby("context").indices.items()}
    rows = [first[other[name]] for name in of.conditions["context"]]
    return means(of, of.given[rows])


def selective_abstention(of: Material) -> Answer:
    """The half, flat where the measured effects are smaller than their median."""
    true = of.mean(of.truth.test) - of.of_context(of.truth.kept)
    size = np.linalg.norm(true, axis=1)
    return _pasted(of, size < np.median(size))


HONEST: dict[str, Callable[[Material], Answer]] = {
    "truth re-based": truth_rebased,
    HALF: independent_half,
    "cells duplicated": cells_duplicated,
    "depth doubled": depth_doubled,
}
"""What knows no less than the half."""

CHEATS: dict[str, Callable[[Material], Answer]] = {
    "half + noise": half_and_noise,
    "effect x0.5": effect_halved,
    "effect x2": effect_doubled,
    "variance inflated": variance_inflated,
    "log1p twice": log_twice,
    "selective abstention": selective_abstention,
    "labels shuffled": labels_shuffled,
    "genes shuffled": genes_shuffled,
    "mean pasted": mean_pasted,
    "half-way to the mean": half_way_to_the_mean,
    "control pasted": control_pasted,
    "controls tampered": controls_tampered,
    "denoised control": denoised_control,
    "another control": other_control,
}
"""What knows less than the half, or nothing."""

PROBES = HONEST | CHEATS


def material_of(setting: str, seed: int) -> Material:
    """Pose a question on a simulated screen, and find its tested cells in another experiment."""
    words = {**SCREEN, **SETTINGS[setting], "seed": seed}
    screen, other = (load_dataset("simulated", **words, cell_seed=cell) for cell in (1, 2))
    names = sorted(set(screen.conditions["perturbation"]))
    tested = names[::TESTED]
    seen = [name for name in names if name not in tested]
    truth = _part(screen, [*tested, CONTROL])
    task, judged = pose_from_files(
        truth, _part(screen, [*seen, CONTROL]), seed=seed, target_sum=None
    )
    is_asked = other.cells.obs["perturbation"].isin(tested).to_numpy()
    cells = other.cells[is_asked]
    obs = cells.obs.reset_index(drop=True).astype(dict.fromkeys(CONDITION, str))
    test = judged.test
    half = Cells(
        sparse.csr_matrix(cells.X), test.genes, obs, Expression.COUNTS, target_sum=test.target_sum
    )
    return Material(judged, task, half)


def _part(screen: Dataset, names: list[str]) -> Dataset:
    cells = screen.cells[screen.cells.obs["perturbation"].isin(names)].copy()
    for column in cells.obs.select_dtypes("category"):
        cells.obs[column] = cells.obs[column].astype(str)
    return Dataset("simulated", cells)


def house_scores(of: Material, names: tuple[str, ...] = HEADLINE) -> pd.DataFrame:
    """Score all probes by our metrics: a row a metric, a column a probe."""
    model = find_model("perturbed-mean")
    every = np.ones(len(of.task.query.conditions), dtype=bool)
    reference = answer(model, of.task, every, 0, {})
    judge = Judge(of.truth, find_metrics(names), reference=reference)
    tables = []
    for name, probe in PROBES.items():
        rows = probe(of).rows
        kind, expression = (rows.uns[UNS][key] for key in ("kind", "expression"))
        prediction = prediction_from(rows, expression=Expression(expression), kind=Kind(kind))
        tables.append(judge.score(prediction).assign(model=name))
    samples = samples_of(pd.concat(tables, ignore_index=True))
    return pd.DataFrame(
        {metric: {name: one.mean() for name, one in samples[metric].items()} for metric in names}
    ).T[list(PROBES)]


def preset_scores(of: Material, preset: str) -> pd.DataFrame:
    """Score all probes by a preset: a row a metric, a column a probe.

    Means are the package's own: what has no score is left out. All is given as log values at one
    library size, lest answers differ in it; as counts where the preset takes no other.
    """
    sides = [to_anndata(getattr(of.truth, side)) for side in ("test", "kept", "given")]
    truth = ad.concat(sides, index_unique="-", keys=["test", "kept", "given"])
    truth.uns[UNS] = {"expression": "counts"}
    takes_counts = PRESETS.get(preset).needs_counts
    columns = {}
    for name, probe in PROBES.items():
        whole = ad.concat(
            [rows if takes_counts else in_logs(of, rows) for rows in probe(of)],
            index_unique="-",
            keys=["rows", "controls"],
            uns_merge="first",
        )
        held_to = truth if takes_counts else in_logs(of, truth)
        columns[name] = score_by_preset(whole, held_to, preset).means.set_index("metric")["mean"]
    return pd.DataFrame(columns)


def in_logs(of: Material, cells: ad.AnnData) -> ad.AnnData:
    if cells.uns[UNS]["expression"] != "counts":
        return cells
    X = sparse.csr_matrix(cells.X)
    result = cells.copy()
    result.X = log_normalise(X, X.sum(axis=1).A1.astype(float), of.target_sum)
    words = {"kind": "cells", "expression": "lognorm", "target_sum": of.target_sum}
    result.uns[UNS] = words
    return result


def goodness(scores: pd.DataFrame, best: dict[str, str]) -> pd.DataFrame:
    """Return scores turned so that more is better; those without a good side are left out."""
    signs = {
        "high": lambda row: row,
        "low": lambda row: -row,
        "zero": lambda row: -row.abs(),
    }
    sided = {name: row for name, row in scores.iterrows() if best[str(name)] in signs}
    return pd.DataFrame({name: signs[best[str(name)]](row) for name, row in sided.items()}).T


def winners(good: pd.DataFrame) -> dict[str, list[str]]:
    """Return, for each metric, the cheats that it ranks above the independent half."""
    cheats = good[list(CHEATS)]
    above = cheats.gt(good[HALF] + RESOLVED, axis=0)
    return {str(name): [cheat for cheat in CHEATS if row[cheat]] for name, row in above.iterrows()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=SETTINGS)
    parser.add_argument("--presets", action="store_true", help="score by all presets, too")
    given = parser.parse_args()
    for setting in given.settings:
        every = [material_of(setting, seed) for seed in range(given.seeds)]
        best = {name: METRICS.get(name).best for name in HEADLINE}
        show(f"{setting}: wildcell", [house_scores(one) for one in every], best)
        for preset in PRESETS.names() if given.presets else []:
            best = {one.name: one.best for one in PRESETS.get(preset).metrics}
            show(f"{setting}: {preset}", [preset_scores(one, preset) for one in every], best)


def show(title: str, tables: list[pd.DataFrame], best: dict[str, str]) -> None:
    """Print mean scores, and who beats the half in how many of the tables."""
    mean = sum(tables) / len(tables)
    counts_of = [winners(goodness(table, best)) for table in tables]
    print(f"\n## {title}\n\n| probe | {' | '.join(mean.index)} |")
    print("|" + "---|" * (len(mean) + 1))
    for probe in PROBES:
        cells = []
        for metric in mean.index:
            n = sum(probe in found.get(metric, []) for found in counts_of)
            mark = f" !{n}/{len(tables)}" if n else ""
            cells.append(f"{mean.loc[metric, probe]:.3f}{mark}")
        print(f"| {probe} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
