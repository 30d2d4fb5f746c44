"""In which single conditions a model is surely better than each naive model.

Found on one half of the test cells, with the share of false finds held at 5 % (Benjamini and
Hochberg, Journal of the Royal Statistical Society B, 1995), and confirmed on the other. The best of
many models in each of many conditions is not counted: that is won by chance as well.
"""

import numpy as np
import pandas as pd
from scipy import special, stats

from wildcell.arrays import Floats
from wildcell.metrics.cell_blocks import EXPLAINED
from wildcell.names import (
    ABSTENTIONS,
    BY_CELLS,
    CONDITION,
    NAIVE_MODELS,
    NEGATIVE_MODELS,
    SHAKEN,
    Status,
)
from wildcell.results.rank import PSEUDO_MODELS, QUESTION, with_nulls, without_shams
from wildcell.results.stats import CONFIDENCE

LEAST_BLOCKS = 5
"""Blocks of a half that must hold cells."""

HALVES = (BY_CELLS[::2], BY_CELLS[1::2])
COLUMNS = [*QUESTION, "model", *CONDITION, "naive", "gain", "p", "p_confirming", "found"]
COLUMNS += ["confirmed"]


def condition_wins(scores: pd.DataFrame) -> pd.DataFrame:
    """Test each model in each condition against all naive models.

    What is tested is whether the answer is nearer to the noise-free effect, in squared error, than
    that of each naive model, whatever the margin: an intersection-union test of differences that
    vary with the test cells and the kept controls, by Student's t over blocks of cells. Seeds are
    averaged as if they had the same errors. A naive model that a condition is not for, such as
    dose interpolation where there are no doses, is not asked to be beaten there.

    Parameters
    ----------
    scores
        From `wildcell.store.runs.read_scores` with controls. Without columns of blocks, as of runs
        made before they were kept, nothing can be told.

    Returns
    -------
    A row a model and condition that can be tested: QUESTION, model, context, perturbation; `naive`,
    the naive model that it is least surely better than; `gain` over it, in units of `effect_r2`'s
    numerator; `p` on the first half, one-sided, and `p_confirming` on the other; whether it is
    `found` and, besides, `confirmed` at 5 %.
    """
    if BY_CELLS[0] not in scores:
        return pd.DataFrame(columns=COLUMNS)
    own = without_shams(scores[scores["metric"] == EXPLAINED])
    own = own[~own["model"].isin(PSEUDO_MODELS)]
    tables = [
        _of_question(table).assign(**dict(zip(QUESTION, map(str, key), strict=True)))
        for key, table in own.groupby(QUESTION, sort=True)
    ]
    told = [table for table in tables if len(table)]
    if not told:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(told, ignore_index=True)[COLUMNS]


def _of_question(scores: pd.DataFrame) -> pd.DataFrame:
    scores = _answered_with_nothing(with_nulls(scores))
    columns = [*BY_CELLS, *SHAKEN]
    mean = scores.groupby(["model", *CONDITION])[columns].mean()
    models = mean.index.unique("model")
    naive = [name for name in models if name in NAIVE_MODELS]
    tried = [name for name in models if name not in (*NAIVE_MODELS, *NEGATIVE_MODELS)]
    rows = [_of_model(mean, name, naive) for name in tried if naive]
    found = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=COLUMNS)
    if found.empty:
        return found
    adjusted = stats.false_discovery_control(found["p"].to_numpy(float))
    is_found = adjusted < 1 - CONFIDENCE
    is_confirmed = is_found & (found["p_confirming"] < 1 - CONFIDENCE)
    return found.assign(found=is_found, confirmed=is_confirmed)


def _answered_with_nothing(scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores in which who abstained or failed explains nothing, by any block of cells."""
    is_silent = scores["status"].isin([*ABSTENTIONS, Status.ERROR]) & scores["numerator"].notna()
    return scores.assign(**{name: scores[name].mask(is_silent, 0.0) for name in BY_CELLS})


def _of_model(mean: pd.DataFrame, model: str, naive: list[str]) -> pd.DataFrame:
    own = mean.loc[model]
    others = [mean.loc[name].reindex(own.index) for name in naive]
    halves = [np.stack([_tested(own, other, half) for other in others]) for half in HALVES]
    (gain, p), (_, again) = (np.moveaxis(half, 1, 0) for half in halves)
    has_both = np.isfinite(p) & np.isfinite(again)
    known = has_both.any(axis=0)
    gain, (p, again) = gain[:, known], np.where(has_both, [p, again], -1.0)[:, :, known]
    least, place = p.argmax(axis=0), np.arange(int(known.sum()))
    return (
        own.index[known]
        .to_frame(index=False)
        .assign(
            model=model,
            naive=np.array(naive, dtype=object)[least],
            gain=gain[least, place],
            p=p[least, place],
            p_confirming=again.max(axis=0),
        )
    )


def _tested(own: pd.DataFrame, other: pd.DataFrame, half: list[str]) -> Floats:
    """Return the gain in each condition and its one-sided p-value, shape (2, n_conditions)."""
    gains = own[half].to_numpy(float) - other[half].to_numpy(float)
    has_cells = np.isfinite(gains)
    n = has_cells.sum(axis=1)
    gain = np.where(has_cells, gains, 0.0).sum(axis=1) / np.maximum(n, 1)
    away = np.where(has_cells, gains - gain[:, None], 0.0)
    moved = np.nan_to_num(own[SHAKEN].to_numpy(float) - other[SHAKEN].to_numpy(float))
    degrees = np.maximum(n - 1, 1)
    variance = (away**2).sum(axis=1) / degrees / np.maximum(n, 1) + (moved**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = special.stdtr(degrees, -gain / np.sqrt(variance))
    p = np.where(variance > 0, p, np.where(gain > 0, 0.0, 1.0))
    return np.stack([gain, np.where(n >= LEAST_BLOCKS, p, np.nan)])
