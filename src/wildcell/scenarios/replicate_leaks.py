"""Samples whose cells are on both sides."""

import re

import pandas as pd

from wildcell.names import CONDITION, CONTROL

NUMBER_ONLY = re.compile(
    r"^(?:rep|replicate|r|batch|lane|gem|pool|run|plate|guide|sg|sample)?[\s_\-.]*"
    r"(?:\d{1,2}|[a-z])?$",
    re.IGNORECASE,
)
"""Names that count replicates anew in every context, and so name no sample."""


def shared_replicates(learned: pd.DataFrame, test: pd.DataFrame) -> list[str]:
    """Name the replicates of perturbed conditions that have cells on both sides.

    Parameters
    ----------
    learned, test
        Labels of cells: context, perturbation, replicate.
    """
    trained, tested = (_named(obs, CONTROL) for obs in (learned, test))
    both = trained.merge(tested)
    return [f"{row.replicate} of {row.perturbation} in {row.context}" for row in both.itertuples()]


def shared_donors(learned: pd.DataFrame, test: pd.DataFrame) -> list[str]:
    """Name the replicates, called as donors or samples are, of tested and of trained contexts.

    Only where no tested context is learned from: elsewhere nothing is claimed of samples.

    Parameters
    ----------
    learned, test
        Labels of cells: context, perturbation, replicate.
    """
    trained, tested = (_named(obs, None) for obs in (learned, test))
    if set(trained["context"]) & set(tested["context"]):
        return []
    both = set(trained["replicate"]) & set(tested["replicate"])
    return sorted(name for name in both if not NUMBER_ONLY.match(name))


def _named(obs: pd.DataFrame, without: str | None) -> pd.DataFrame:
    labels = obs[[*CONDITION, "replicate"]].drop_duplicates().astype(str)
    return labels[(labels["replicate"] != "") & (labels["perturbation"] != without)]
