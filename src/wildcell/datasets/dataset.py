"""A curated screen, and where screens are found."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from wildcell.arrays import Booleans
from wildcell.names import CONDITION, CONTROL, UNS, Expression
from wildcell.registry import Registry
from wildcell.store.fingerprint import fingerprint

COMPONENT_COLUMNS = ["perturbation", "component", "dose", "unit", "time"]


class Component(NamedTuple):
    """One part of a perturbation: a gene or a compound, with its dose where it has one."""

    name: str
    dose: float | None = None
    unit: str = ""
    time: float | None = None


def perturbation_key(components: Iterable[Component]) -> str:
    """Spell the opaque key of a perturbation from its components.

    Components are sorted, so that a pair has one key whichever way round it was written; the
    characters with a meaning in keys are %-escaped inside names.

    Examples
    --------
    >>> perturbation_key([Component("KLF1"), Component("BAK1")])
    'BAK1+KLF1'
    >>> perturbation_key([Component("(+)-JQ1", dose=10.0)])
    '(%2B)-JQ1@10'
    """
    return "+".join(sorted(_component_key(component) for component in components)) or CONTROL


def _component_key(component: Component) -> str:
    name = component.name
    for character in "%+@":
        name = name.replace(character, quote(character))
    return name if component.dose is None else f"{name}@{component.dose:g}"


def readable_key(key: str) -> str:
    """Return a key as a person would write it, for display alone."""
    return unquote(key)


@dataclass(frozen=True)
class Dataset:
    """A curated screen.

    Attributes
    ----------
    name
        What the screen is called in tables and folders.
    cells
        AnnData after the curated schema (docs/reference/files.md): `X` of shape
        (n_cells, n_genes) in CSR, `obs` with `perturbation`, `context`, `control_group`,
        `total_counts` where there are counts, and the house's metadata in `uns["wildcell"]`.
    made
        The registered name and the options that it was made with; None where it was read.
    """

    name: str
    cells: ad.AnnData
    made: Mapping[str, Any] | None = None

    @property
    def recipe(self) -> dict[str, Any]:
        """What it can be loaded by again; of a file, or cells in memory, no more than its name."""
        return dict(self.made or {"name": self.name, "options": {}, "is_file": True})

    @property
    def metadata(self) -> dict[str, Any]:
        """The house's own metadata of the screen."""
        return dict(self.cells.uns[UNS])

    @property
    def expression(self) -> Expression:
        """What the numbers in `X` are, as the file states it."""
        return Expression(str(self.cells.uns[UNS]["expression"]))

    @cached_property
    def is_control(self) -> Booleans:
        """Which cells are unperturbed, shape (n_cells,)."""
        return np.asarray(self.cells.obs["perturbation"] == CONTROL)

    @cached_property
    def conditions(self) -> pd.DataFrame:
        """One row a perturbed condition.

        Columns: dataset, context, perturbation, control_group, modality, n_components, n_cells.
        """
        perturbed = self.cells.obs.loc[~self.is_control]
        table = (
            perturbed.groupby(CONDITION, observed=True, sort=True)
            .agg(
                control_group=("control_group", "first"),
                modality=("modality", "first"),
                n_cells=("perturbation", "size"),
            )
            .reset_index()
        )
        table = table.astype(dict.fromkeys([*CONDITION, "control_group", "modality"], str))
        n_components = self.components.groupby("perturbation").size()
        table["n_components"] = table["perturbation"].map(n_components).astype(int)
        table.insert(0, "dataset", self.name)
        return table

    @cached_property
    def controls(self) -> ad.AnnData:
        """The control cells, a copy."""
        return self.cells[self.is_control].copy()

    @cached_property
    def components(self) -> pd.DataFrame:
        """The parts of each perturbation: perturbation, component, dose, unit, time."""
        return pd.DataFrame(self.cells.uns[UNS]["components"])[COMPONENT_COLUMNS]

    @property
    def features(self) -> pd.DataFrame | None:
        """Features of the components that came with the screen, indexed by component."""
        features = self.cells.uns[UNS].get("features")
        return None if features is None else pd.DataFrame(features)

    def select(self, conditions: pd.DataFrame) -> ad.AnnData:
        """Return the cells of the given conditions (columns context, perturbation), a copy."""
        wanted = pd.MultiIndex.from_frame(conditions[CONDITION].astype(str))
        of_cell = pd.MultiIndex.from_frame(self.cells.obs[CONDITION].astype(str))
        return self.cells[of_cell.isin(wanted)].copy()

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the cells, their labels and the metadata; not of the name or the path."""
        return fingerprint(
            sparse.csr_matrix(self.cells.X),
            self.cells.obs,
            list(self.cells.var_names),
            self.cells.uns[UNS],
        )


DATASETS: Registry[Callable[..., Dataset]] = Registry("data set", "wildcell.datasets")


def dataset(name: str) -> Callable[[Callable[..., Dataset]], Callable[..., Dataset]]:
    """Register a function that makes or loads a screen under `name`."""

    def register(recipe: Callable[..., Dataset]) -> Callable[..., Dataset]:
        return DATASETS.add(name, recipe)

    return register
