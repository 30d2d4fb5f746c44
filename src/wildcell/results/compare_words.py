"""What a comparison of models comes to, in sentences."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from wildcell.results.stats import CONTEXTS_TO_GENERALISE, NEW_CONTEXTS
from wildcell.results.words import count, listed, number, signed


def sentences(places: pd.DataFrame, pairs: pd.DataFrame, *, margin: float = 0.0) -> list[str]:
    """Say who may be best, who beats each naive model, and what could have been seen.

    Parameters
    ----------
    places, pairs
        Rows of one question and metric of `wildcell.results.compare.compare_models`.
    margin
        That models had to be better than naive ones by.
    """
    return [
        *_spoken_of(places),
        *_best(places),
        *_beyond_naive(places, margin),
        *_all_alike(places),
        *_detectable(pairs),
        *_same(places),
        *_left_out(places),
    ]


def _spoken_of(places: pd.DataFrame) -> Iterator[str]:
    first = places.iloc[0]
    what = f"{count(int(first['n_conditions']), 'condition')} of {first['n_asked']}"
    if first["interval"] == NEW_CONTEXTS:
        yield f"Over {what} in {first['n_blocks']} contexts; intervals speak of new contexts."
    else:
        yield (
            f"Over {what}; intervals speak of new perturbations in these contexts: to speak of "
            f"other contexts takes at least {CONTEXTS_TO_GENERALISE}."
        )


def _best(places: pd.DataFrame) -> Iterator[str]:
    if len(places) == 1:
        yield f"{places.iloc[0]['model']} stands alone: there is nothing to compare it with."
        return
    may = list(places.loc[places["rank_low"] == 1].sort_values("rank")["model"])
    if len(may) == len(places):
        yield "Any model may be the best."
    elif len(may) == 1:
        yield f"{may[0]} is surely the best."
    else:
        yield f"May be the best ({len(may)} of {len(places)}): {listed(may)}."


def _beyond_naive(places: pd.DataFrame, margin: float) -> Iterator[str]:
    models = places[~places["is_naive"]]
    if not places["is_naive"].any() or models.empty:
        return
    by = f" by {number(margin)}" if margin else ""
    beyond = models[models["beats_each_naive"]].sort_values("rank")
    if beyond.empty:
        yield f"No model beats each naive one{by} at 5 %."
        return
    told = [
        f"{row['model']} ({signed(row['gain_on_naive'])} on {row['closest_naive']})"
        for _, row in beyond.iterrows()
    ]
    verb = "Beats" if len(told) == 1 else "Beat"
    yield f"{verb} each naive model{by}, each at 5 %: {listed(told)}."


def _all_alike(places: pd.DataFrame) -> Iterator[str]:
    p = float(places["friedman_p"].iloc[0])
    if np.isfinite(p):
        what = "differ" if p < 0.05 else "are not told apart"
        yield f"By their ranks in contexts, models {what} as a whole (Friedman, F: p = {p:.2g})."


def _detectable(pairs: pd.DataFrame) -> Iterator[str]:
    untold = pairs[(pairs["better"] == "") & (pairs["error"] > 0)]
    if untold.empty:
        return
    verb = "is" if len(untold) == 1 else "are"
    told = f"{len(untold)} of {count(len(pairs), 'pair')} {verb} not told apart"
    size = float(untold["detectable"].median())
    if np.isfinite(size):
        yield (
            f"{told}; half of these would have been, four times in five, had the true difference "
            f"been {number(size)}."
        )
    else:
        yield f"{told}; with so few blocks no difference of most of these would have been."


def _same(places: pd.DataFrame) -> Iterator[str]:
    for _, row in places[places["same"] != ""].iterrows():
        yield f"{row['model']} stands for what scored the same: {row['same']}."


def _left_out(places: pd.DataFrame) -> Iterator[str]:
    if names := places["left_out"].iloc[0]:
        yield (
            "Not compared, for they answer less than half of the conditions, or by other seeds: "
            f"{names}."
        )
