"""Scores of the same answers under each convention that is known of them."""

import pandas as pd

from wildcell.names import ABSTENTIONS

OURS = "wildcell"
SILENCE_LEFT_OUT, SILENCE_ZERO = "abstentions left out", "abstentions count as 0"


def under_conventions(
    scores: pd.DataFrame, otherwise: pd.DataFrame | None = None
) -> dict[str, pd.DataFrame]:
    """Return the scores under each convention, by its name, ours first.

    Parameters
    ----------
    scores
        The long table, by our convention.
    otherwise
        Scores of the same answers under others, named in `preset`; None for none.

    Returns
    -------
    Tables like `scores`. How abstentions count is a convention where there are any.
    """
    found = {}
    if scores["status"].isin(ABSTENTIONS).any():
        found = {SILENCE_LEFT_OUT: silence_left_out(scores), SILENCE_ZERO: silence_as_zero(scores)}
    return {**by_preset(scores, otherwise), **found}


def by_preset(
    scores: pd.DataFrame, otherwise: pd.DataFrame | None = None
) -> dict[str, pd.DataFrame]:
    """Return the scores, and those of the same answers that were scored again, by convention."""
    again = () if otherwise is None else otherwise.groupby("preset", sort=True)
    return {OURS: scores, **{str(name): table for name, table in again}}


def silence_left_out(scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores of which abstentions have no value, so that silence costs nothing."""
    return scores.assign(null=scores["null"].mask(scores["status"].isin(ABSTENTIONS)))


def silence_as_zero(scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores of which abstentions count as 0, whatever the metric."""
    return scores.assign(null=scores["null"].mask(scores["status"].isin(ABSTENTIONS), 0.0))
