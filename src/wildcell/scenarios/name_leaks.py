"""Held-out perturbations that are trained on under another name."""

from collections.abc import Iterable, Sized
from typing import NamedTuple, cast

import pandas as pd

from wildcell.scenarios.spelling import Lexicon, forms_of_key, forms_of_name


class Renamed(NamedTuple):
    """A held-out perturbation, what it is called in training, and whether it is a combination."""

    tested: str
    trained: str
    is_joint: bool


def renamed_perturbations(
    held_out: Iterable[str], trained: Iterable[str], components: pd.DataFrame, lexicon: Lexicon
) -> list[Renamed]:
    """Find held-out perturbations that are trained on under another name.

    A perturbation has leaked where a trained one has the same parts at the same doses, otherwise
    spelled or in another order, or where one of its parts, never trained on by its own name, is
    trained on by another.

    Parameters
    ----------
    held_out, trained
        Keys of perturbations, of which none are the same.
    components
        The parts of each perturbation: perturbation, component, dose, unit.
    lexicon
        Names that are known.
    """
    tables = dict(iter(components.groupby("perturbation")))
    held_out = sorted(set(held_out) & set(tables))
    known = [key for key in sorted(set(trained)) if key in tables]
    key_of = {form: key for key in reversed(known) for form in forms_of_key(tables[key], lexicon)}
    names = {str(name) for key in known for name in tables[key]["component"]}
    name_of = {
        form: name for name in sorted(names, reverse=True) for form in forms_of_name(name, lexicon)
    }
    found = []
    for key in held_out:
        alike = next(
            (key_of[form] for form in forms_of_key(tables[key], lexicon) & set(key_of)), None
        )
        if alike is not None:
            found.append(Renamed(key, alike, is_joint=_is_joint(tables[key], lexicon)))
            continue
        for name in tables[key]["component"].astype(str):
            other = [name_of[form] for form in forms_of_name(name, lexicon) if form in name_of]
            if name not in names and other:
                found.append(Renamed(key, min(other), is_joint=False))
                break
    return found


def _is_joint(table: pd.DataFrame, lexicon: Lexicon) -> bool:
    return max(len(cast("Sized", form)) for form in forms_of_key(table, lexicon)) > 1
