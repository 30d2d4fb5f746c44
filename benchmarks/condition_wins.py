"""How often a model is said to win single conditions: `python benchmarks/condition_wins.py`.

One context: conditions with effects, cells and kept controls drawn anew each time, a naive model
that answers no change, and a model whose answer is exactly as far from the noise-free effect as
that (twice the effect), or nearer by so much that it explains some of it. Printed are the shares of
conditions with a p-value below 5 % on the first half of the cells, of those found and confirmed,
and of draws in which any was.
"""

import argparse
import time

import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.metrics.cell_blocks import EXPLAINED, deal_blocks, explained_by_blocks
from wildcell.metrics.control_blocks import shaken_scores, without_blocks
from wildcell.metrics.metric import METRICS
from wildcell.metrics.response import Response
from wildcell.names import Status
from wildcell.results.condition_wins import condition_wins

N_GENES, N_CONDITIONS = 200, 40
SHARES = {"as far as no change": 2.0, "explains 19 %": 1.9, "explains 75 %": 1.5}
NAIVE = "no-change"


def drawn(rng: np.random.Generator, n_cells: int, n_controls: int) -> pd.DataFrame:
    """Return scores of one draw, with what is explained by blocks of cells."""
    effects = 0.15 * rng.standard_normal((N_CONDITIONS, N_GENES))
    kept = 1.0 + rng.standard_normal((n_controls, N_GENES))
    cells = [1.0 + effect + rng.standard_normal((n_cells, N_GENES)) for effect in effects]
    names = tuple(f"p{i}" for i in range(N_CONDITIONS))
    genes = np.array([f"g{i}" for i in range(N_GENES)], dtype=object)
    n = np.full(N_CONDITIONS, n_cells)
    truth = Response(
        names, genes, np.stack([some.mean(axis=0) for some in cells]),
        np.broadcast_to(kept.mean(axis=0), effects.shape), n, np.full(N_CONDITIONS, n_controls),
        np.stack([some.var(axis=0, ddof=1) / n_cells for some in cells]),
        np.broadcast_to(kept.var(axis=0, ddof=1) / n_controls, effects.shape),
    )  # fmt: skip
    controls = without_blocks(
        sparse.csr_matrix(kept), np.zeros(n_controls, dtype=np.intp), ["c"], 0
    )
    blocks, group = deal_blocks([n_cells] * N_CONDITIONS, rng), np.zeros(N_CONDITIONS, np.intp)
    tables = []
    for model, share in {NAIVE: 0.0, **SHARES}.items():
        answer = Response(names, genes, share * effects, np.zeros(effects.shape), n, n)
        moved = shaken_scores(truth, answer, [METRICS.get(EXPLAINED)], controls, group)
        explained = explained_by_blocks(truth, answer, cells, blocks)
        table = moved.merge(explained, on=["perturbation", "metric"])
        tables.append(table.assign(model=model, value=np.nan, numerator=0.0))
    return pd.concat(tables).assign(
        scenario="s", dataset="d", arm="a", context="c", category="", seed=0, denominator=1.0,
        null=0.0, status=str(Status.OK),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--simulations", type=int, default=200)
    given = parser.parse_args()
    start = time.process_time()
    for n_cells, n_controls in ((10, 100), (30, 100), (100, 100), (100, 1_000)):
        rng = np.random.default_rng([n_cells, n_controls])
        draws = [
            condition_wins(drawn(rng, n_cells, n_controls)).assign(draw=draw)
            for draw in range(given.simulations)
        ]
        print(f"\n{n_cells} cells a condition, {n_controls} kept controls")
        for model, rows in pd.concat(draws).groupby("model", sort=False):
            anywhere = rows.groupby("draw")["confirmed"].any().mean()
            print(
                f"  {model:22} p < .05: {(rows['p'] < 0.05).mean():6.1%}  found "
                f"{rows['found'].mean():6.1%}  confirmed {rows['confirmed'].mean():6.1%}  any "
                f"{anywhere:6.1%}"
            )
    print(f"\n{time.process_time() - start:.0f} CPU s")


if __name__ == "__main__":
    main()
