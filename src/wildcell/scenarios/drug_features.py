"""Features of drugs from their structures: Morgan fingerprints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from wildcell.errors import DataError, MissingExtraError, OptionError
from wildcell.scenarios.source_table import read_source_table, text_column

NO_SMILES = {"", "na", "nan", "none", "null", "-", "restricted", "-666"}
"""What tables write, in lower case, where there is no SMILES; the last two are of LINCS."""


@dataclass(frozen=True)
class DrugFeatures:
    """Fingerprints, and what became of drugs that have none.

    Attributes
    ----------
    table
        Shape (n_drugs, n_bits), indexed by component.
    lacking
        Why each other drug has no features, by its name.
    stripped
        The drugs that were given as salts or mixtures, and are seen by their largest part.
    """

    table: pd.DataFrame
    lacking: dict[str, str]
    stripped: list[str]


def read_smiles(
    path: Path, *, name_column: str = "name", smiles_column: str = "smiles"
) -> dict[str, list[str]]:
    """Read the SMILES of drugs from a table, a row a drug.

    Parameters
    ----------
    path
        A csv or tsv file, gzipped or not.
    name_column, smiles_column
        Columns of the drugs' names and SMILES.

    Returns
    -------
    The different SMILES of each drug; none for a drug whose SMILES is missing.

    Raises
    ------
    DataError
        The file is absent or unreadable, or names no drug.
    UnknownNameError
        A column is not there.
    """
    table = read_source_table(path)
    names = text_column(table, name_column, "--name-column")
    texts = text_column(table, smiles_column, "--smiles-column")
    smiles: dict[str, list[str]] = {name: [] for name in names if name}
    for name, text in zip(names, texts, strict=True):
        if name and text.lower() not in NO_SMILES and text not in smiles[name]:
            smiles[name].append(text)
    if not smiles:
        raise DataError(f"{path} names no drugs in its column {name_column!r}.")
    return smiles


def morgan_features(
    smiles: Mapping[str, Sequence[str]],
    *,
    radius: int = 2,
    n_bits: int = 2048,
    is_counted: bool = False,
    is_whole: bool = False,
) -> DrugFeatures:
    """Return the Morgan fingerprint of each drug: which neighbourhoods of atoms it has.

    Parameters
    ----------
    smiles
        The SMILES of each drug; several must write one structure.
    radius
        Bonds from the middle of a neighbourhood to its rim; 2 is known as ECFP4.
    n_bits
        Number of features that neighbourhoods are hashed to.
    is_counted
        Whether a feature is how often its neighbourhoods occur, and not whether.
    is_whole
        Whether salts and mixtures are taken with all their parts. Otherwise they are seen by
        their largest part that has carbon, so that a drug and its hydrochloride are one.

    Raises
    ------
    MissingExtraError
        rdkit is not installed.
    OptionError
        A radius below 0, or fewer than 1 bit.

    Notes
    -----
    Rogers & Hahn, J. Chem. Inf. Model. 50:742 (2010).

    Examples
    --------
    >>> drugs = morgan_features({"ethanol": ["CCO", "OCC"], "none": []})  # doctest: +SKIP
    >>> drugs.table.shape, drugs.lacking  # doctest: +SKIP
    ((1, 2048), {'none': 'no SMILES'})
    """
    if radius < 0 or n_bits < 1:
        raise OptionError(f"A radius is 0 or more and bits are 1 or more; got {radius}, {n_bits}.")
    try:
        from rdkit import rdBase  # noqa: PLC0415 - an extra
        from rdkit.Chem import rdFingerprintGenerator  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("Fingerprints of drugs", "chem") from error
    drugs: dict[str, _Structure] = {}
    lacking: dict[str, str] = {}
    with rdBase.BlockLogs():
        for name, texts in smiles.items():
            found = _structure_of(texts, is_whole=is_whole)
            if isinstance(found, _Structure):
                drugs[name] = found
            else:
                lacking[name] = found
    make = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=n_bits)
    draw = make.GetCountFingerprintAsNumPy if is_counted else make.GetFingerprintAsNumPy
    values = np.array([draw(drug.molecule) for drug in drugs.values()]).reshape(-1, n_bits)
    columns = [f"morgan-{bit}" for bit in range(n_bits)]
    return DrugFeatures(
        table=pd.DataFrame(values, index=pd.Index(drugs, name="component"), columns=columns),
        lacking=lacking,
        stripped=[name for name, drug in drugs.items() if drug.is_stripped],
    )


class _Structure(NamedTuple):
    """What a SMILES writes."""

    molecule: Any
    canonical: str
    is_stripped: bool


def _structure_of(texts: Sequence[str], *, is_whole: bool) -> _Structure | str:
    """Return the one structure that all SMILES of a drug write, or why there is none."""
    if not texts:
        return "no SMILES"
    found = [_structure(text, is_whole=is_whole) for text in texts]
    sound = [structure for structure in found if structure is not None]
    if len(sound) < len(found):
        return "a SMILES that cannot be read"
    if len({structure.canonical for structure in sound}) > 1:
        return "SMILES of several structures"
    return sound[0]._replace(is_stripped=any(structure.is_stripped for structure in sound))


def _structure(text: str, *, is_whole: bool) -> _Structure | None:
    """Return the structure that a SMILES writes, None where it writes none."""
    from rdkit import Chem  # noqa: PLC0415

    molecule = Chem.MolFromSmiles(text)
    if molecule is None or molecule.GetNumAtoms() == 0:
        return None
    parts = [molecule] if is_whole else Chem.GetMolFrags(molecule, asMols=True)
    names = [Chem.MolToSmiles(part) for part in parts]
    sizes = [(_has_carbon(part), part.GetNumHeavyAtoms()) for part in parts]
    _, name, largest = max(zip(sizes, names, range(len(parts)), strict=True))
    return _Structure(parts[largest], name, is_stripped=len(parts) > 1)


def _has_carbon(molecule: Any) -> bool:
    return any(atom.GetAtomicNum() == 6 for atom in molecule.GetAtoms())
