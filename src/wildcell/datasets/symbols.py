"""Genes by their current symbols, whatever a source calls them."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anndata as ad
import pandas as pd

from wildcell.arrays import Booleans
from wildcell.datasets.labels import as_text, some_of
from wildcell.datasets.read import UNREADABLE
from wildcell.errors import DataError
from wildcell.guards.texts import open_bytes

VERSION = re.compile(r"\.\d+$")
HGNC_COLUMNS = {"symbol", "prev_symbol", "alias_symbol", "ensembl_gene_id"}
BY_ID, BY_PREVIOUS, BY_ALIAS, BY_TABLE = "Ensembl id", "previous symbol", "alias", "table"
AMBIGUOUS, TAKEN = "ambiguous", "taken"


@dataclass(frozen=True)
class GeneNames:
    """What other names mean.

    Attributes
    ----------
    symbols
        The current symbols, which are never renamed.
    meanings
        For each kind of other name, the symbols that a name may stand for; the first kind that
        knows a name decides.
    """

    symbols: frozenset[str]
    meanings: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)

    def resolve(self, name: str) -> tuple[str, str]:
        """Return the current symbol and the kind of name, `""` for one to keep.

        Examples
        --------
        >>> names = GeneNames(frozenset({"ATP5F1B"}), {"alias": {"ATPSB": frozenset({"ATP5F1B"})}})
        >>> names.resolve("ATPSB")
        ('ATP5F1B', 'alias')
        """
        if name in self.symbols:
            return name, ""
        for kind, meanings in self.meanings.items():
            key = VERSION.sub("", name) if kind == BY_ID else name
            if key in meanings:
                symbol, *others = meanings[key]
                return (name, AMBIGUOUS) if others else (symbol, kind)
        return name, ""


def read_gene_names(path: Path) -> GeneNames:
    """Read what names of genes mean.

    Parameters
    ----------
    path
        HGNC's complete set (`symbol`, `prev_symbol`, `alias_symbol`, `ensembl_gene_id`, several
        names joined by `|`), or a table of two columns, from and to; csv or tsv, gzipped or not.

    Raises
    ------
    DataError
        The file is absent, unreadable, or neither.
    """
    table = _read_table(path)
    if set(table) >= HGNC_COLUMNS:
        return GeneNames(
            frozenset(table["symbol"]),
            {
                BY_ID: _meanings(table["ensembl_gene_id"], table["symbol"]),
                BY_PREVIOUS: _meanings(table["prev_symbol"], table["symbol"]),
                BY_ALIAS: _meanings(table["alias_symbol"], table["symbol"]),
            },
        )
    if table.shape[1] == 2:
        old, new = table.iloc[:, 0], table.iloc[:, 1]
        return GeneNames(frozenset(), {BY_TABLE: _meanings(old, new)})
    raise DataError(
        f"{path} is neither HGNC's complete set (columns {', '.join(sorted(HGNC_COLUMNS))}) nor a "
        f"table of two columns, from and to; it has {some_of(table, 10)}."
    )


def rename_genes(cells: ad.AnnData, names: GeneNames, done: list[str]) -> ad.AnnData:
    """Give genes their current symbols; several genes may then have one.

    A name that is no current symbol is looked up by the gene's Ensembl id, where `var` has it. An
    alias is kept where another gene has the symbol already: aliases are loose.

    Parameters
    ----------
    cells
        Shape (n_cells, n_genes); `var` may have `ensembl_id`.
    names
        What names mean.
    done
        Takes sentences about what was renamed and what was not.
    """
    ids = as_text(cells.var["ensembl_id"]) if "ensembl_id" in cells.var else [""] * cells.n_vars
    resolved = [
        _by_name_or_id(name, identity, names)
        for name, identity in zip(cells.var_names, ids, strict=True)
    ]
    present = set(cells.var_names)
    settled = [
        (name, TAKEN) if kind == BY_ALIAS and symbol in present else (symbol, kind)
        for name, (symbol, kind) in zip(cells.var_names, resolved, strict=True)
    ]
    _tell("genes", list(cells.var_names), settled, done)
    var = cells.var.set_axis([symbol for symbol, _ in settled])
    return ad.AnnData(cells.X, obs=cells.obs, var=var)


def rename_perturbed(
    labels: "pd.Series[str]",
    names: GeneNames,
    done: list[str],
    *,
    is_genetic: Booleans,
    control: str,
    separator: str | None,
) -> "pd.Series[str]":
    """Give perturbed genes their current symbols, in the labels of a source.

    Parameters
    ----------
    labels
        What the source calls the perturbation of each cell, shape (n_cells,).
    names
        What names mean.
    done
        Takes sentences about what was renamed and what was not.
    is_genetic
        Which cells' perturbations are named by genes, shape (n_cells,).
    control
        The label of controls, which is none of a gene.
    separator
        What joins the genes of a combination.
    """
    parts_of = {
        label: label.split(separator) if separator else [label]
        for label in labels[is_genetic].unique()
    }
    parts = {part.strip() for listed in parts_of.values() for part in listed} - {control, ""}
    resolved = {part: names.resolve(part) for part in sorted(parts)}
    _tell("perturbed genes", list(resolved), list(resolved.values()), done)
    new = {part: symbol for part, (symbol, _) in resolved.items()}
    renamed = {
        label: (separator or "").join(new.get(part.strip(), part) for part in listed)
        for label, listed in parts_of.items()
    }
    n_lost = len(new) - len(set(new.values()))
    if n_lost:
        done.append(f"{n_lost} perturbed genes are the same as another under its current symbol.")
    return labels.where(~is_genetic, labels.map(renamed))


def _read_table(path: Path) -> pd.DataFrame:
    separator = "," if ".csv" in path.suffixes else "\t"
    try:
        with open_bytes(path) as file:
            return pd.read_csv(file, sep=separator, dtype=str, keep_default_na=False)
    except UNREADABLE as error:
        raise DataError(
            f"{path} cannot be read as a table of names of genes ({type(error).__name__}: {error})."
        ) from error


def _meanings(names: "pd.Series[str]", symbols: "pd.Series[str]") -> dict[str, frozenset[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for listed, symbol in zip(names, symbols, strict=True):
        for name in listed.split("|"):
            found[name.strip()].add(symbol)
    return {name: frozenset(stands_for) for name, stands_for in found.items() if name}


def _by_name_or_id(name: str, identity: str, names: GeneNames) -> tuple[str, str]:
    if name in names.symbols or not identity:
        return names.resolve(name)
    by_id = names.resolve(identity)
    return by_id if by_id[1] == BY_ID else names.resolve(name)


def _tell(
    what: str, old: Sequence[str], resolved: Iterable[tuple[str, str]], done: list[str]
) -> None:
    pairs = [(name, *found) for name, found in zip(old, resolved, strict=True)]
    changed = [(name, symbol, kind) for name, symbol, kind in pairs if name != symbol]
    if changed:
        kinds = Counter(kind for *_, kind in changed)
        listing = ", ".join(f"{count} by {kind}" for kind, count in sorted(kinds.items()))
        examples = some_of(f"{name} to {symbol}" for name, symbol, _ in changed)
        done.append(f"Renamed {len(changed)} {what} ({listing}): {examples}.")
    for reason, words in [
        (AMBIGUOUS, "that may stand for several symbols"),
        (TAKEN, "that are aliases of symbols which other genes have already"),
    ]:
        kept = [name for name, _, kind in pairs if kind == reason]
        if kept:
            done.append(f"Kept the names of {len(kept)} {what} {words}: {some_of(kept)}.")
