"""What a compound does at a dose that was not seen, from what it does at others."""

from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import pandas as pd

from wildcell.arrays import Floats
from wildcell.errors import DataError, OptionError
from wildcell.models.effects import DeltaModel, Effects
from wildcell.models.model import Ability, model
from wildcell.scenarios.task import Query, Task

Beyond: TypeAlias = Literal["nearest", "line"]


class Series(NamedTuple):
    """The deltas of one compound in one context at several doses.

    Attributes
    ----------
    log_doses
        Natural logs of the doses, ascending, shape (n_doses,).
    delta
        Shape (n_doses, n_genes).
    """

    log_doses: Floats
    delta: Floats


@model("dose-interpolation", answers=(Ability.UNSEEN_CONTEXT, Ability.UNSEEN_DOSE))
class DoseInterpolation(DeltaModel):
    """Answers with the delta on the line, over log dose, between the doses that were seen.

    Between two doses of the compound in the context, each gene lies on the line that joins them.
    Beyond the doses seen it stays at the nearest of them, or goes on along the line through the
    nearest two. A compound that was not seen in the context has the mean of what the line says in
    each of the others. What was seen, has no dose, or was seen at none, is answered as by
    `context-transfer`.

    Parameters
    ----------
    seed
        Not used.
    beyond
        `nearest` or `line`.

    Raises
    ------
    OptionError
        `beyond` is neither.
    DataError
        Doses of one compound are in several units.

    Notes
    -----
    A line through two noisy deltas, one dose step beyond them, has five times the variance of
    either; the nearest dose has once.
    """

    def __init__(self, *, seed: int = 0, beyond: Beyond = "nearest") -> None:
        if beyond not in get_args(Beyond):
            raise OptionError(f"beyond must be nearest or line; got {beyond!r}.")
        super().__init__(seed=seed)
        self.beyond = beyond

    def fit(self, task: Task) -> None:
        """Learn the deltas of `task`, and which are doses of one compound."""
        super().fit(task)
        self.doses = dose_table(task.query.components)
        self.series = _series(self.effects, self.doses)

    def deltas(self, query: Query) -> Floats:
        """Return the interpolated delta of each condition."""
        conditions = query.conditions
        contexts = conditions["context"]
        seen = self.effects.transferred(contexts, conditions["perturbation"])
        rows = zip(contexts, conditions["perturbation"], seen, strict=True)
        interpolated = np.array([self._delta(*row) for row in rows]).reshape(seen.shape)
        return np.where(np.isnan(interpolated), self.effects.shared(contexts), interpolated)

    def _delta(self, context: str, perturbation: str, seen: Floats) -> Floats:
        if perturbation not in self.doses.index or not np.isnan(seen).any():
            return seen
        compound, log_dose = self.doses.loc[perturbation, ["component", "log_dose"]]
        in_contexts = self.series.get(compound, {})
        if not in_contexts:
            return seen
        chosen = [in_contexts[context]] if context in in_contexts else list(in_contexts.values())
        found = [delta_at(one, float(log_dose), beyond=self.beyond) for one in chosen]
        return np.asarray(np.mean(found, axis=0))


def dose_table(components: pd.DataFrame) -> pd.DataFrame:
    """Return the compound and the log dose of each perturbation that is one compound at a dose.

    Parameters
    ----------
    components
        The parts of each perturbation: perturbation, component, dose, unit.

    Returns
    -------
    Columns component, log_dose, indexed by perturbation.

    Raises
    ------
    DataError
        Doses of one compound are in several units.

    Examples
    --------
    >>> parts = pd.DataFrame(
    ...     {"perturbation": ["A@1", "A@10"], "component": "A", "dose": [1.0, 10.0], "unit": "uM"}
    ... )
    >>> dose_table(parts)["log_dose"].round(2).tolist()
    [0.0, 2.3]
    """
    is_alone = ~components["perturbation"].duplicated(keep=False)
    table = components[is_alone & (components["dose"] > 0)]
    units = table.groupby("component")["unit"].nunique()
    if (units > 1).any():
        name = units.index[units > 1][0]
        listed = " and ".join(sorted(set(table.loc[table["component"] == name, "unit"])))
        raise DataError(f"Doses of {name!r} are in {listed}; bring them to one unit.")
    logs = table.assign(log_dose=np.log(table["dose"].to_numpy(float)))
    return logs.set_index("perturbation")[["component", "log_dose"]]


def _series(effects: Effects, doses: pd.DataFrame) -> dict[str, dict[str, Series]]:
    """Return the series of each compound in each context."""
    known = effects.conditions.join(doses, on="perturbation", how="inner")
    found: dict[str, dict[str, Series]] = {}
    for (compound, context), table in known.groupby(["component", "context"], sort=True):
        ordered = table.sort_values("log_dose")
        series = Series(ordered["log_dose"].to_numpy(float), effects.delta[ordered.index])
        found.setdefault(str(compound), {})[str(context)] = series
    return found


def delta_at(series: Series, log_dose: float, *, beyond: Beyond = "nearest") -> Floats:
    """Return the delta at a dose, on the line between those of a series, shape (n_genes,).

    Parameters
    ----------
    series
        Deltas at one dose or more.
    log_dose
        Natural log of the dose asked about.
    beyond
        What is said beyond the doses of the series: `nearest` stays at the nearest, `line` goes on
        along the line through the nearest two, where there are two.

    Examples
    --------
    >>> series = Series(np.log([1.0, 100.0]), np.array([[0.0], [2.0]]))
    >>> delta_at(series, np.log(10.0)).round(6).tolist()
    [1.0]
    >>> [delta_at(series, np.log(1e3), beyond=how).item() for how in ("nearest", "line")]
    [2.0, 3.0]
    """
    logs, n = series.log_doses, len(series.log_doses)
    if n == 1:
        return series.delta[0]
    upper = int(np.clip(np.searchsorted(logs, log_dose), 1, n - 1))
    share = (log_dose - logs[upper - 1]) / (logs[upper] - logs[upper - 1])
    share = float(np.clip(share, 0, 1)) if beyond == "nearest" else share
    return (1 - share) * series.delta[upper - 1] + share * series.delta[upper]
