"""Whether `wildcell findings` finds what was planted: `python benchmarks/planted_findings.py`.

Each claim is planted true, planted false, and planted true with too little data to see it, in ten
seeds. With `--level scores` (the default) tables of scores are drawn whose truth is known; with
`--level screens` cells are simulated and taken through scenarios, models, judge and statistics.
Printed is how often the answer was `holds`, `does not hold` and `cannot be told`, of the claim as a
whole. Last come false alarms on shams, in twenty times as many draws: arms, models and metrics that
do not differ (F1, F2, F3, F5), specific effects that are caught (F4), costs that are drawn (F6),
models that are beyond the naive ones by no more than the margin (F7).

With `--out FOLDER` a part (claim, truth and seed) is kept as a file, so that processes can share
the work; `--parts` prints the arguments of each, a line a part, and `--table` prints what is kept.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wildcell.arrays import Floats
from wildcell.names import CEILING, REPLICATE, SCORE_COLUMNS
from wildcell.results.findings.claim import Answer, Material
from wildcell.results.findings.find import find_all
from wildcell.results.table import material_of
from wildcell.run import run_scenario

TRUE, FALSE, WEAK = "true", "false", "weak"
EXPECTED = {TRUE: Answer.HOLDS, FALSE: Answer.FAILS, WEAK: Answer.UNTOLD}
MODELS = ("context-transfer", "no-change", "net-a", "net-b", "net-c")
REFERENCES = {"s": "context-transfer"}


def table(
    rng: np.random.Generator,
    means: dict[str, float],
    *,
    arm: str = "a",
    metric: str = "effect_r2",
    n_contexts: int = 16,
    noise: float = 0.05,
    shared: Floats | None = None,
) -> pd.DataFrame:
    """Draw scores of models in contexts, four conditions each; `shared` is what contexts add."""
    effect = 0.1 * rng.standard_normal(n_contexts) if shared is None else shared
    base = dict.fromkeys(SCORE_COLUMNS, "") | {
        "scenario": "s", "dataset": "d", "arm": arm, "metric": metric, "seed": 0, "fold": 0,
        "category": "single", "null": 0.0, "status": "ok", "preset": "wildcell",
    }  # fmt: skip
    rows = []
    for model, mean in means.items():
        own = noise * rng.standard_normal(n_contexts)
        for context in range(n_contexts):
            for condition in range(4):
                value = mean + effect[context] + own[context] + noise * rng.standard_normal()
                parts = {"value": value, "numerator": np.nan, "denominator": np.nan}
                if metric in ("effect_r2", "shared_r2"):
                    parts = {"value": value, "numerator": value, "denominator": 1.0}
                rows.append(
                    base
                    | {"model": model, "context": f"c{context}", "perturbation": f"p{condition}"}
                    | parts
                )
    return pd.DataFrame(rows)


def arms(rng: np.random.Generator, levels: dict[str, float], **words: Any) -> pd.DataFrame:
    shared = 0.1 * rng.standard_normal(words.get("n_contexts", 16))
    return pd.concat(
        [
            table(rng, dict.fromkeys(MODELS[2:], level), arm=arm, shared=shared, **words)
            for arm, level in levels.items()
        ]
    )


def size(truth: str) -> dict[str, Any]:
    """Return how much there is to see it by."""
    return {"n_contexts": 5, "noise": 0.4} if truth == WEAK else {}


def lenient(rng: np.random.Generator, truth: str) -> Material:
    gap = 0.0 if truth == FALSE else 0.15
    return Material(arms(rng, {"near": 0.5 + gap, "far": 0.5}, **size(truth)), REFERENCES)


def merged(rng: np.random.Generator, truth: str) -> Material:
    loss = 0.0 if truth == FALSE else 0.15
    levels = {"single": 0.5, "merge-before": 0.5 - loss, "merge-before-scaled": 0.5}
    return Material(arms(rng, levels, **size(truth)), REFERENCES)


def distant(rng: np.random.Generator, truth: str) -> Material:
    loss = 0.0 if truth == FALSE else 0.1
    levels = {"near": 0.6, "middle": 0.6 - loss, "far": 0.6 - 2 * loss}
    return Material(arms(rng, levels, **size(truth)), REFERENCES)


def specific(rng: np.random.Generator, truth: str) -> Material:
    level = {TRUE: 0.05, FALSE: 0.6, WEAK: 0.25}[truth]
    words = {"n_contexts": 5, "noise": 0.3} if truth == WEAK else {}
    models = dict.fromkeys(MODELS[2:], level)
    none = np.zeros(words.get("n_contexts", 16))
    tables = [
        table(rng, models, metric="pearson_specific", **words),
        table(rng, {"context-transfer": 0.0}, metric="pearson_specific", noise=0.0, shared=none,
              n_contexts=len(none)),
        table(rng, {CEILING: 0.9}, metric="pearson_specific", noise=0.01, shared=none,
              n_contexts=len(none)),
        table(rng, dict.fromkeys(models, 0.9), metric="shared_r2", **words),
    ]  # fmt: skip
    return Material(pd.concat(tables), REFERENCES)


def ordered(rng: np.random.Generator, truth: str) -> Material:
    names = [*MODELS, "net-d", "net-e"]
    first = {name: 0.1 * i for i, name in enumerate(names)}
    second = dict(zip(names, reversed(list(first.values())), strict=True))
    words = size(truth)
    replicate = {REPLICATE: 2.0}
    tables = [
        table(rng, {**first, **replicate}, metric="pearson_delta", **words),
        table(rng, {**(first if truth == FALSE else second), **replicate},
              metric="retrieval_cosine", **words),
    ]  # fmt: skip
    return Material(pd.concat(tables), REFERENCES)


def costly(rng: np.random.Generator, truth: str) -> Material:
    names = [*MODELS, "net-d", "net-e", "net-f", "net-g", "net-h"]
    quality = np.linspace(0.1, 0.9, len(names))
    if truth == FALSE:
        quality = quality[::-1]
    scores = table(rng, dict(zip(names, quality, strict=True)), **size(truth))
    if truth == WEAK:
        scores = table(rng, dict.fromkeys(names, 0.5), **size(truth))
    costs = pd.DataFrame(
        {
            "scenario": "s", "dataset": "d", "arm": "a", "model": names, "seed": 0,
            "cpu_s": np.arange(1.0, len(names) + 1),
        }
    )  # fmt: skip
    return Material(scores, REFERENCES, costs=costs)


def best(rng: np.random.Generator, truth: str) -> Material:
    gain = {TRUE: -0.1, FALSE: 0.2, WEAK: -0.1}[truth]
    means = {"context-transfer": 0.5, "no-change": 0.0, "net-a": 0.5 + gain, "net-b": 0.45 + gain}
    return Material(table(rng, means, **size(truth)), REFERENCES)


PLANTED: dict[str, Callable[[np.random.Generator, str], Material]] = {
    "F1": lenient, "F2": merged, "F3": distant, "F4": specific, "F5": ordered, "F6": costly,
    "F7": best,
}  # fmt: skip

CLUSTERED = {
    "n_contexts": 12, "n_context_clusters": 4, "n_perturbations": 8, "n_combinations": 0,
    "n_genes": 80, "n_cells": 30, "n_controls": 120, "baseline_spread": 0.5, "cluster_spread": 0.4,
    "interaction_strength": 0.05, "specific_strength": 0.1, "target_strength": 0.0,
    "null_share": 0.0, "depth": 20_000.0,
    "n_batches": 1,
}  # fmt: skip
DESCRIBED = {
    "n_contexts": 1, "n_perturbations": 120, "n_combinations": 0, "n_genes": 150, "n_cells": 40,
    "n_controls": 600, "target_strength": 0.0, "null_share": 0.0, "interaction_strength": 0.0,
    "shared_strength": 0.4, "depth": 20_000.0,
}  # fmt: skip


def asked(scenario: str, screen: dict[str, Any], runs: Path, seed: int, **words: Any) -> None:
    run_scenario(
        scenario,
        data=words.pop("data", "simulated"),
        data_options={**screen, "seed": seed},
        runs=runs,
        seeds=[seed],
        **words,
    )


def in_arms(scenario: str, names: tuple[str, ...]) -> Callable[[Path, str, int], None]:
    def run(runs: Path, truth: str, seed: int) -> None:
        strength = {TRUE: 0.4, FALSE: 0.0, WEAK: 0.1}[truth]
        few = {"n_perturbations": 2, "n_cells": 6, "depth": 300.0} if truth == WEAK else {}
        screen = {**CLUSTERED, **few, "cluster_interaction_strength": strength}
        for arm in names:
            asked(
                scenario, screen, runs, seed, arm=arm, data="simulated-clusters",
                models=["context-transfer"], metrics=["effect_r2"],
            )  # fmt: skip

    return run


def described(runs: Path, truth: str, seed: int) -> None:
    """Features that say all of what is specific, or nothing."""
    says = truth == FALSE
    few = {"n_perturbations": 14, "n_cells": 6} if truth == WEAK else {}
    screen = {
        **DESCRIBED, **few, "specific_strength": 0.4, "feature_informativeness": float(says),
    }  # fmt: skip
    asked(
        "unseen-perturbation", screen, runs, seed,
        models=["perturbed-mean", "no-change", "ridge", "knn"],
        metrics=["effect_r2", "pearson_specific", "shared_r2"],
    )  # fmt: skip


SCREENS: dict[str, Callable[[Path, str, int], None]] = {
    "F1": in_arms("context-relatives", ("near", "far")),
    "F3": in_arms("context-distance", ("near", "middle", "far")),
    "F4": described,
    "F7": described,
}


def answer_of(claim: str, truth: str, seed: int, *, level: str) -> str:
    """Return the answer to a claim as a whole on one draw."""
    if level == "screens":
        with tempfile.TemporaryDirectory() as folder:
            SCREENS[claim](Path(folder), truth, seed)
            material = material_of(Path(folder))
    else:
        material = PLANTED[claim](np.random.default_rng([seed, int(claim[1:])]), truth)
    found = find_all(material, claims=[claim])
    whole = found[(found["model"] == "") & ~found["part"].str.contains("association|favour")]
    return str(whole["answer"].iloc[0])


def sham_arms(rng: np.random.Generator) -> Material:
    levels = dict.fromkeys(
        ("near", "middle", "far", "single", "merge-before", "merge-before-scaled"), 0.5
    )
    return Material(arms(rng, levels), REFERENCES)


def sham_metrics(rng: np.random.Generator) -> Material:
    """Models that are equally good by either metric, so that any order is chance."""
    means = {**dict.fromkeys([*MODELS, "net-d", "net-e"], 0.5), REPLICATE: 2.0}
    names = ("pearson_delta", "retrieval_cosine")
    return Material(pd.concat([table(rng, means, metric=name) for name in names]), REFERENCES)


def sham_costs(rng: np.random.Generator) -> Material:
    """Models that differ in quality, at costs that are drawn."""
    known = costly(rng, TRUE)
    return Material(
        known.scores,
        REFERENCES,
        costs=known.costs.assign(cpu_s=rng.permutation(known.costs["cpu_s"].to_numpy())),
    )


def sham_gains(rng: np.random.Generator) -> Material:
    """Models that are beyond the naive ones by the margin, and no more."""
    gain = Material(pd.DataFrame(), {}).margin
    means = {"context-transfer": 0.5, "no-change": 0.0, "net-a": 0.5 + gain, "net-b": 0.5 + gain}
    return Material(table(rng, means), REFERENCES)


SHAMS: dict[str, tuple[Callable[[np.random.Generator], Material], Answer]] = {
    "F1": (lambda rng: lenient(rng, FALSE), Answer.HOLDS),
    "F2": (sham_arms, Answer.HOLDS),
    "F3": (sham_arms, Answer.HOLDS),
    "F4": (lambda rng: specific(rng, FALSE), Answer.HOLDS),
    "F5": (sham_metrics, Answer.HOLDS),
    "F6": (sham_costs, Answer.HOLDS),
    "F7": (sham_gains, Answer.FAILS),
}
"""What is drawn for each claim, and the answer that would be a false alarm."""


def false_alarms(claim: str, seed: int) -> dict[str, bool]:
    """Return, for each part of a claim as a whole, whether it is answered falsely on a sham."""
    make, wrong = SHAMS[claim]
    found = find_all(make(np.random.default_rng([seed, 99])), claims=[claim])
    whole = found[(found["model"] == "") & (found["metric"].ne("") | (claim == "F5"))]
    return {f"{claim} {row['part']}": row["answer"] == wrong for _, row in whole.iterrows()}


def parts(chosen: list[str], seeds: int, level: str) -> Iterator[tuple[str, str, int]]:
    known = PLANTED if level == "scores" else SCREENS
    for claim in chosen or known:
        for truth in EXPECTED:
            for seed in range(seeds):
                yield claim, truth, seed


def kept_answer(kept: Path | None, claim: str, truth: str, seed: int, *, level: str) -> str:
    """Return an answer that was kept, or look for it and keep it."""
    if kept is not None and kept.is_file():
        return kept.read_text()
    answer = answer_of(claim, truth, seed, level=level)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(answer)
    return answer


def print_counts(counts: dict[tuple[str, str], Counter[str]]) -> None:
    for (claim, truth), found in counts.items():
        right = found[str(EXPECTED[truth])]
        told = ", ".join(f"{n} {answer}" for answer, n in found.most_common())
        print(f"{claim} planted {truth:5}  right {right} of {found.total()}  ({told})")


def print_shams(claims: list[str], n_draws: int) -> None:
    for claim in claims:
        drawn = pd.DataFrame([false_alarms(claim, seed) for seed in range(n_draws)])
        for name, rate in drawn.fillna(False).mean().items():
            error = float(np.sqrt(rate * (1 - rate) / n_draws))
            print(f"sham: {name:34} {SHAMS[claim][1]} in {100 * rate:4.1f} +- {100 * error:.1f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help=", ".join(PLANTED))
    parser.add_argument("--level", choices=["scores", "screens"], default="scores")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--part", nargs=2, metavar=("TRUTH", "SEED"), help="run one alone")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    work = list(parts(given.claims, given.seeds, given.level))
    if given.parts:
        for claim, truth, seed in work:
            print(f"{claim} --level {given.level} --part {truth} {seed}")
        return
    if given.part:
        work = [(given.claims[0], given.part[0], int(given.part[1]))]
    counts: dict[tuple[str, str], Counter[str]] = {}
    for claim, truth, seed in work:
        kept = None if given.out is None else given.out / f"{claim}-{truth}-{seed}.txt"
        if given.table and not (kept is not None and kept.is_file()):
            continue
        counts.setdefault((claim, truth), Counter())[
            kept_answer(kept, claim, truth, seed, level=given.level)
        ] += 1
    print_counts(counts)
    if given.level == "scores" and not given.part and not given.table:
        print_shams(given.claims or list(SHAMS), 20 * given.seeds)


if __name__ == "__main__":
    main()
