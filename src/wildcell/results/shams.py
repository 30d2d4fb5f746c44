"""What is said of sham perturbations: controls that were asked about as if something was done."""

import pandas as pd

from wildcell.metrics.metric import METRICS
from wildcell.names import REPLICATE, SHAM
from wildcell.results.rank import PSEUDO_MODELS, TIE_TOLERANCE
from wildcell.results.words import count, listed, named_once, number

SHAM_METRIC = "pearson_delta"
"""Where nothing was done there is no effect to take a share of, but there is a correlation."""


def sham_sentence(ranks: pd.DataFrame, metric: str) -> str:
    """Say what a metric makes of nothing, and whether anything is claimed there.

    Parameters
    ----------
    ranks
        Rows of `wildcell.results.rank.rank`, of one question.
    metric
        The metric.

    Returns
    -------
    "" where there are no shams, or the metric is not defined on them.
    """
    rows = ranks[(ranks["category"] == SHAM) & (ranks["metric"] == metric)]
    rows = rows[rows["mean"].notna()]
    models = rows[~rows["model"].isin(PSEUDO_MODELS)]
    if models.empty:
        return ""
    reference = str(models["reference"].iloc[0])
    n = count(int(models["n_conditions"].max()), "sham condition")
    low, high = number(models["mean"].min()), number(models["mean"].max())
    is_replicate = rows["model"] == REPLICATE
    scored = [f"models score {low if low == high else f'{low} to {high}'}"]
    scored += [f"a replicate {number(mean)}" for mean in rows.loc[is_replicate, "mean"]]
    return (
        f"By {metric}, {_claimed(models, metric)} {reference} on {n}, in which nothing was done; "
        f"{', '.join(scored)}."
    )


def _claimed(models: pd.DataFrame, metric: str) -> str:
    """Name the models that seem better than the reference."""
    sign = 1 if METRICS.get(metric).best == "high" else -1
    bounds = (sign * models[["difference_low", "difference_high"]]).min(axis=1, skipna=False)
    winners = named_once(models)
    winners = winners[bounds.loc[winners.index] > TIE_TOLERANCE]
    verb = "beat" if len(winners) > 1 else "beats"
    return f"{listed(list(winners['label'])) or 'nothing'} {verb}"
