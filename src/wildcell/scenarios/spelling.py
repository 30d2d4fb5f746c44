"""One perturbation under several names: guides, salts, doses, and other ways to spell."""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

import pandas as pd

PREFIX = re.compile(r"^(?:sgRNA[_-]|gRNA[_-]|sg[_-]?)(?=[A-Z][A-Z0-9])")
GUIDE = re.compile(r"(?:[_\-. ](?i:sg|sgrna|grna|guide)[_\-. ]?\d+|[_\-.]g\d+|(?<=[A-Z0-9])g\d+)$")
PROMOTER = re.compile(r"_P\d(?:P\d)?$")
NUMBERED = re.compile(r"^(.+)[_\-.]\d{1,2}$")
VERSION = re.compile(r"^(ENS[A-Z]*G\d{11})\.\d+$")
SALT = re.compile(
    r"[\s_\-(]+(?:(?:mono|di|tri|hemi)?(?:hydrochloride|hydrobromide|hydrate|mesylate|maleate|"
    r"fumarate|tartrate|citrate|phosphate|sulfate|sulphate|acetate|tosylate|besylate|succinate|"
    r"malate|lactate|nitrate|sodium|potassium)|methanesulfonate|\d?HCl|HBr|TFA|free base)\)?$",
    re.IGNORECASE,
)
NO_ACTIVE_PART = re.compile(
    r"(?:yl|zinc|iron|copper|lithium|magnesium|sodium|potassium|calcium|ammonium|silver|cobalt|"
    r"nickel|aluminium|aluminum|hydrogen)$",
    re.IGNORECASE,
)
"""What a salt is not told from by its acid alone, such as zinc sulfate, or an ester."""

DOSE = re.compile(r"[\s_\-@(]+(\d+(?:\.\d+)?)\s*([pnuµμm]?)(M|mol/l|g/ml|g/l)\)?$")
FACTORS = {"p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "": 1.0}
UNIT = re.compile(r"^([pnuµμm]?)(M|mol/l|g/ml|g/l)$")
JOINT = re.compile(r"[+|;&/_]+|\s\+\s")
NO_TARGET = re.compile(
    r"^(?:ctrl|control|nt|ntc|neg(?:ative)?[_\-]?(?:ctrl|control)\d*|non[_\-]?targeting\d*|"
    r"safe[_\-]?targeting\d*)$",
    re.IGNORECASE,
)
GREEK = {chr(0x3B1): "alpha", chr(0x3B2): "beta", chr(0x3B3): "gamma", chr(0x3B4): "delta"}


class Lexicon(NamedTuple):
    """Names that are known to be whole, and what other names stand for.

    Attributes
    ----------
    genes
        Names of genes, from which no number is taken off.
    stems
        Names that a numbered guide may be of: those of genes and of components.
    aliases
        The name that another name stands for.
    """

    genes: Collection[str]
    stems: Collection[str]
    aliases: Mapping[str, str]


def forms_of_name(name: str, lexicon: Lexicon) -> set[object]:
    """Return what a component is called, however it is spelled; equal names share a form.

    Examples
    --------
    >>> lexicon = Lexicon({"KLF1"}, {"KLF1"}, {})
    >>> forms_of_name("sgKLF1-2", lexicon) == forms_of_name("klf1", lexicon)
    True
    >>> bool(forms_of_name("NKX2-1", lexicon) & forms_of_name("NKX2-5", lexicon))
    False
    """
    plain, _ = _without_dose(name)
    parts = _parts(plain, lexicon)
    whole: set[object] = {_folded(_plain(plain, lexicon))}
    return whole | {frozenset(parts)} if len(parts) > 1 else whole | parts


def forms_of_key(components: pd.DataFrame, lexicon: Lexicon) -> set[object]:
    """Return what a perturbation is called, by its components and doses.

    Parameters
    ----------
    components
        Columns component, dose, unit: its parts.
    lexicon
        Names that are known.
    """
    whole, parts = set(), set()
    for name, number, unit in components[["component", "dose", "unit"]].itertuples(index=False):
        plain, dose = _without_dose(str(name))
        dose = dose or _amount(number, str(unit))
        if _is_nothing(plain) and len(components) > 1:
            continue
        whole.add((_folded(_plain(plain, lexicon)), dose))
        parts |= {(part, dose) for part in _parts(plain, lexicon)}
    return {frozenset(whole), frozenset(parts)}


def _parts(name: str, lexicon: Lexicon) -> set[str]:
    """Return the parts that a name joins, each in its plain form."""
    plain = _plain(name, lexicon)
    parts = [part for part in JOINT.split(plain) if part.strip()]
    parts = [part for part in parts if not _is_nothing(part)] or parts
    return {_folded(_plain(part.strip(), lexicon)) for part in parts}


def _plain(name: str, lexicon: Lexicon) -> str:
    """Return a name without what marks a guide, a promoter, a salt or a version."""
    name = lexicon.aliases.get(name, name)
    if name in lexicon.genes:
        return name
    name = VERSION.sub(r"\1", PREFIX.sub("", name))
    name = PROMOTER.sub("", GUIDE.sub("", name))
    name = _without_salt(name)
    numbered = NUMBERED.match(name)
    if numbered and name not in lexicon.genes and numbered[1] in lexicon.stems:
        name = numbered[1]
    return lexicon.aliases.get(name, name)


def _without_salt(name: str) -> str:
    active = SALT.sub("", name)
    if active == name or not active or NO_ACTIVE_PART.search(active):
        return name
    return _without_salt(active)


def _without_dose(name: str) -> tuple[str, str]:
    found = DOSE.search(name)
    if not found or not name[: found.start()]:
        return name, ""
    amount, scale, unit = found.groups()
    return name[: found.start()], _amount(float(amount), scale + unit)


def _amount(number: float, unit: str) -> str:
    if pd.isna(number):
        return ""
    found = UNIT.match(unit)
    if not found:
        return f"{number:g} {unit}".strip()
    return f"{number * FACTORS[found[1]]:.6g} {found[2].replace('mol/l', 'M')}"


def _is_nothing(name: str) -> bool:
    return NO_TARGET.match(name.strip()) is not None


def _folded(name: str) -> str:
    """Return a name without case and punctuation, but for what stands between two digits."""
    spelled = "".join(GREEK.get(letter, letter) for letter in name.casefold())
    return re.sub(r"[\W_]+", "", re.sub(r"(?<=\d)[\W_]+(?=\d)", "x", spelled))
