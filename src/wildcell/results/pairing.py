"""Scores of the same seeds, so that models are judged by the same controls and splits."""

import pandas as pd

from wildcell.names import CONDITION
from wildcell.results.rank import NOT_RUN, PARTS, PSEUDO_MODELS

UNIT = ["seed", "fold", *CONDITION]
LEAST_SHARE = 0.5
"""A model that shares a smaller part of the conditions with the others, seed by seed, is put aside:
the comparison would shrink to what it was run on."""


def on_same_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of the seeds, folds and conditions that all models were run on.

    A model that was run on more seeds would else be compared over other halves of the controls, or
    other splits, than the rest.

    Parameters
    ----------
    scores
        The long table of one question.

    Returns
    -------
    Rows of models that share too little keep their place, without numbers: they were not run.
    """
    own = scores.loc[~scores["model"].isin(PSEUDO_MODELS), [*UNIT, "model"]].drop_duplicates()
    was_run = own.groupby([*UNIT, "model"]).size().unstack(fill_value=0) > 0  # noqa: PD010  a count
    if was_run.to_numpy().all():
        return scores
    shared, aside = _shared(was_run)
    is_shared = pd.MultiIndex.from_frame(scores[UNIT]).isin(shared)
    is_aside = scores["model"].isin(aside)
    kept = scores[is_shared | is_aside]
    is_aside = kept["model"].isin(aside)
    nothing = {name: kept[name].mask(is_aside) for name in [*PARTS, "null"]}
    return kept.assign(**nothing, status=kept["status"].mask(is_aside, NOT_RUN))


def _shared(was_run: pd.DataFrame) -> tuple[pd.MultiIndex, list[str]]:
    """Return what all models were run on but those put aside, those first that share least."""
    conditions = was_run.index.droplevel(["seed", "fold"])
    models, aside = list(was_run), list[str]()

    def n_shared(names: list[str]) -> int:
        return conditions[was_run[names].to_numpy().all(axis=1)].nunique()

    while len(models) > 1 and n_shared(models) < LEAST_SHARE * conditions.nunique():
        without = {one: [name for name in models if name != one] for one in models}
        least = max(models, key=lambda one: (n_shared(without[one]), -was_run[one].sum()))
        models = without[least]
        aside.append(str(least))
    return was_run.index[was_run[models].to_numpy().all(axis=1)], aside
