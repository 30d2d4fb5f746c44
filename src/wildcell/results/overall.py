"""The headline of a ranking: models by the few metrics that a user sees first."""

import numpy as np
import pandas as pd

from wildcell.metrics.headline import HEADLINE, RANKED
from wildcell.results.rank import EVERY_CATEGORY, PSEUDO_MODELS, QUESTION


def mean_ranks(ranks: pd.DataFrame) -> pd.Series:
    """Average the ranks of each model over the metrics that models are ranked by.

    Parameters
    ----------
    ranks
        What `wildcell.results.rank.rank` returns.

    Returns
    -------
    Indexed by question and model. A metric by which no model has a rank is left out; a model that
    has none where others have one has no mean rank.

    Examples
    --------
    >>> row = {"scenario": "s", "dataset": "d", "arm": "a", "category": "all", "model": "mine"}
    >>> rows = [row | {"metric": name, "rank": 1.0 + i} for i, name in enumerate(RANKED)]
    >>> mean_ranks(pd.DataFrame(rows)).tolist()
    [2.5]
    """
    is_counted = ranks["metric"].isin(RANKED) & (ranks["category"] == EVERY_CATEGORY)
    models = ranks[is_counted & ~ranks["model"].isin(PSEUDO_MODELS)]
    wide = models.pivot_table(index=[*QUESTION, "model"], columns="metric", values="rank")
    told = wide.groupby(level=QUESTION).transform("count") > 0
    is_whole = (wide.notna() | ~told).all(axis=1)
    return wide.mean(axis=1).where(is_whole).rename("mean_rank")


def headline_rows(ranks: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the headline metrics over all conditions, in the order of the headline.

    Where none was scored, those of whatever was.
    """
    every = ranks[ranks["category"] == EVERY_CATEGORY]
    place = {name: order for order, name in enumerate(HEADLINE)}
    found = every[every["metric"].isin(place)]
    if found.empty:
        return every
    order = np.argsort(found["metric"].map(place).to_numpy(), kind="stable")
    return found.iloc[order]
