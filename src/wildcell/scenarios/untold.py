"""What an audit cannot tell of cells, for want of counts: said rather than passed over."""

import numpy as np
from scipy import sparse

from wildcell.scenarios.duplicates import Pile, Suspects, Suspicion, describe, originals_of
from wildcell.scenarios.leak import JUDGE_SIDES, Case
from wildcell.scenarios.rows import pack

PLANTED_SHARE = 0.75
"""Depth of the copies that are planted to see whether such are found."""

N_PLANTED = 200
"""Cells of which copies are planted."""

WELL_FOUND = 0.99
"""From this share of planted copies on, nothing is said."""


def untold(case: Case) -> dict[str, str]:
    """Return what could not be told of copies, by what it is, with the reason.

    Cells with few counts in few genes may be equal by chance, so that an equal cell is no evidence.
    How many thinned copies would be found is tried out: some judged cells are thinned to
    `PLANTED_SHARE`, and looked for as if these were what a model may see.
    """
    found: dict[str, str] = {}
    for side in JUDGE_SIDES:
        if side not in case.sides or case.sides[side].pile is None:
            continue
        suspicion, suspects = case.suspects
        judged = suspects[side]
        n_untold = int((~judged.is_telling).sum())
        if n_untold:
            found[f"whether {n_untold} of {judged.n} {side} cells are copied"] = (
                "they have too few counts for an equal cell to be no chance twin"
            )
        reason = _of_thinned(judged, suspicion)
        if reason:
            found[f"thinned copies of {side} cells"] = reason
    return found


def _of_thinned(judged: Suspects, suspicion: Suspicion) -> str:
    if not judged.n:
        return ""
    if not judged.pile.rows.are_counts:
        return "the values are no counts"
    share = planted_share_found(judged, suspicion, np.random.default_rng(0))
    if share >= WELL_FOUND:
        return ""
    return (
        f"too few counts to find all: of copies planted at {PLANTED_SHARE:.0%} of the depth, "
        f"{share:.0%} are found"
    )


def planted_share_found(judged: Suspects, suspicion: Suspicion, rng: np.random.Generator) -> float:
    """Return the share of copies, thinned to `PLANTED_SHARE`, that are found, of some cells."""
    chosen = rng.permutation(judged.n)[:N_PLANTED]
    originals = Suspects(
        Pile(judged.pile.rows, judged.pile.index[chosen]),
        judged.hashes[chosen],
        judged.depths[chosen],
        judged.evidence[chosen],
        judged.is_telling[chosen],
    )
    rows = judged.pile.rows
    parts = [slice(rows.indptr[row], rows.indptr[row + 1]) for row in originals.pile.index]
    values = np.concatenate([rows.values[part] for part in parts]).astype(np.int64)
    genes = np.concatenate([rows.genes[part] for part in parts]).astype(np.int64)
    indptr = np.cumsum([0, *(part.stop - part.start for part in parts)])
    kept = rng.binomial(values, PLANTED_SHARE)
    matrix = sparse.csr_matrix((kept, genes, indptr), shape=(len(parts), rows.n_genes))
    matrix.eliminate_zeros()
    thinned = pack(matrix, rows.expression)
    copies = Suspects(Pile(thinned, np.arange(thinned.n)), *describe(thinned, suspicion))
    return float((originals_of(copies, originals, suspicion) >= 0).mean())
