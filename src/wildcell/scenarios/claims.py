"""What a split claims was never learned from, beyond the tested conditions themselves."""

from collections.abc import Callable, Mapping
from enum import StrEnum

import pandas as pd

from wildcell.names import CONDITION
from wildcell.scenarios.elsewhere import ELSEWHERE
from wildcell.scenarios.leak import Case
from wildcell.scenarios.treatments import treatments_of


class Claim(StrEnum):
    """What was never learned from."""

    PERTURBATION = "perturbation"
    CONTEXT = "context"
    BOTH = "both"
    PAIR = "pair"
    COMBINATION = "combination"
    DOSE = "dose"


CLAIM_OF_CATEGORY: Mapping[str, Claim] = {
    "single": Claim.PERTURBATION,
    "unseen context": Claim.CONTEXT,
    "unseen context and perturbation": Claim.BOTH,
    "unseen pair": Claim.PAIR,
    "few-shot": Claim.PAIR,
    "combo-0": Claim.COMBINATION,
    "combo-1": Claim.COMBINATION,
    "combo-2": Claim.COMBINATION,
    "dose inside": Claim.DOSE,
    "dose above": Claim.DOSE,
    "dose below": Claim.DOSE,
}
"""The claim that the splitters here make of each category of tested conditions."""

WORDS: Mapping[Claim, str] = {
    Claim.PERTURBATION: "perturbations, whose parts are claimed never to have been learned from",
    Claim.CONTEXT: "contexts, of which only controls are claimed to have been seen",
    Claim.BOTH: "perturbations or contexts, of which neither is claimed to have been learned from",
    Claim.PAIR: "perturbations, claimed never to have been learned from in the same context",
    Claim.COMBINATION: "combinations, claimed never to have been learned from in any context",
    Claim.DOSE: "doses, claimed never to have been learned from in any context",
}


def claims_made(case: Case) -> "pd.Series[str]":
    """Return the claim of each held-out condition, "" where none is known and "seen" for none."""
    if case.claim:
        return pd.Series(case.claim, index=case.held_out.index, dtype=object)
    category = case.held_out["category"].astype(str).str.removesuffix(f", {ELSEWHERE}")
    return category.map({**CLAIM_OF_CATEGORY, "seen": "seen"}).fillna("").astype(str)


def broken(case: Case, claim: Claim, held_out: pd.DataFrame) -> dict[str, str]:
    """Name the held-out conditions of a broken claim, each with what was learned from.

    Conditions that are themselves tested are passed over: those are another leak.

    Parameters
    ----------
    case
        What is audited.
    claim
        What is claimed.
    held_out
        The conditions that it is claimed of.
    """
    tested = pd.MultiIndex.from_frame(case.tested[CONDITION].astype(str))
    learned = case.learned[CONDITION]
    learned = learned[~pd.MultiIndex.from_frame(learned).isin(tested)].drop_duplicates()
    found: dict[str, str] = {}
    for keys_of in KEYS[claim]:
        ours = keys_of(held_out[CONDITION].astype(str), case.components)
        theirs = keys_of(learned, case.components).drop_duplicates("key")
        for row in ours.merge(theirs, on="key", suffixes=("", "_learned")).itertuples():
            name = f"{row.perturbation} in {row.context}"
            found.setdefault(name, f"{row.perturbation_learned} in {row.context_learned}")
    return found


def _by_parts(conditions: pd.DataFrame, components: pd.DataFrame) -> pd.DataFrame:
    parts = components[["perturbation", "component"]].astype(str).drop_duplicates()
    return conditions.merge(parts.rename(columns={"component": "key"}), on="perturbation")


def _by_context(conditions: pd.DataFrame, components: pd.DataFrame) -> pd.DataFrame:  # noqa: ARG001
    return conditions.assign(key=conditions["context"])


def _by_treatment(conditions: pd.DataFrame, components: pd.DataFrame) -> pd.DataFrame:
    treatment = conditions["perturbation"].map(treatments_of(components))
    return conditions.assign(key=conditions["context"] + "\x1e" + treatment)


def _by_perturbation(conditions: pd.DataFrame, components: pd.DataFrame) -> pd.DataFrame:  # noqa: ARG001
    return conditions.assign(key=conditions["perturbation"])


def _by_dose(conditions: pd.DataFrame, components: pd.DataFrame) -> pd.DataFrame:
    parts = components[["perturbation", "component", "dose", "unit"]].drop_duplicates()
    key = parts["component"].astype(str) + "\x1e" + parts["dose"].astype(str)
    parts = parts.assign(key=key + "\x1e" + parts["unit"].astype(str))
    return conditions.merge(parts[["perturbation", "key"]].drop_duplicates(), on="perturbation")


KEYS: Mapping[Claim, tuple[Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame], ...]] = {
    Claim.PERTURBATION: (_by_parts,),
    Claim.CONTEXT: (_by_context,),
    Claim.BOTH: (_by_context, _by_parts),
    Claim.PAIR: (_by_treatment,),
    Claim.COMBINATION: (_by_perturbation,),
    Claim.DOSE: (_by_dose,),
}
"""By what the claims are broken: a key that a held-out and a learned condition have in common."""
