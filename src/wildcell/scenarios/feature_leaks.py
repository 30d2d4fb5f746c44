"""Features that know the noise of the test cells, which no honest feature can."""

import numpy as np
import pandas as pd
from scipy.stats import chi2

from wildcell.arrays import Floats
from wildcell.names import SHAM
from wildcell.scenarios.task import Truth

FEWEST_COMPONENTS = 8
"""Fewer tested components tell too little of noise."""

CLOSEST = 0.99
"""A feature must correlate this well with what was measured, besides fitting its noise."""

WIDEST_ERRORS = 3.0
"""Genes whose standard errors differ by more than this factor are too rare to be looked at."""

N_AXES = 5
MOST_FEATURES_SHARE = 1 / 3
FALSE_ALARMS = 1e-6


def leaking_columns(
    features: pd.DataFrame, truth: Truth, components: pd.DataFrame
) -> list[str] | str:
    """Name the features that follow the measured test deltas more closely than noise allows.

    What was measured is the effect plus the noise of the cells. Whatever a feature knows of the
    effect, the residual of the measurement about it is at least the noise: a sum of squares below
    what chi-squared allows (at 1e-6 over all pairs) shows that the feature was made of the very
    cells. Genes are held against each feature alone, and the main axes of the deltas against all
    features where these are fewer than a third of the components.

    Parameters
    ----------
    features
        Shape (n_components, n_features), indexed by component.
    truth
        The judge's side.
    components
        The parts of each perturbation.

    Returns
    -------
    Names of features, or a sentence that says why they cannot be told.
    """
    deltas, variances, names = measured_deltas(truth, components)
    is_known = np.isin(names, features.index)
    if is_known.sum() < FEWEST_COMPONENTS:
        return f"only {is_known.sum()} tested components have features ({FEWEST_COMPONENTS} needed)"
    deltas, variances = deltas[is_known], variances[is_known]
    known = features.loc[names[is_known]]
    varies = known.to_numpy(float).std(axis=0) > 0
    values = known.to_numpy(float)[:, varies]
    is_leaking = _follows_a_gene(values, deltas, variances)
    found = list(known.columns[varies][is_leaking].astype(str))
    return found or (
        list(known.columns[varies].astype(str)) if _follow_axes(values, deltas, variances) else []
    )


def measured_deltas(truth: Truth, components: pd.DataFrame) -> tuple[Floats, Floats, np.ndarray]:
    """Return the delta of each singly tested component, the variance of its noise, its name."""
    conditions, test = truth.test.condition_moments()
    groups, control = truth.kept.control_moments()
    categories = truth.conditions.set_index(["context", "perturbation"])["category"]
    parts = components.groupby("perturbation")["component"].agg(["first", "size"])
    of_condition = parts.reindex(conditions["perturbation"])
    group = groups.get_indexer(conditions["control_group"])
    keys = pd.MultiIndex.from_frame(conditions[["context", "perturbation"]])
    is_used = (
        (of_condition["size"].to_numpy() == 1)
        & (group >= 0)
        & (test.n > 1)
        & (categories.reindex(keys).to_numpy() != SHAM)
    )
    deltas = test.mean[is_used] - control.mean[group[is_used]]
    names, of = np.unique(
        of_condition["first"].to_numpy()[is_used].astype(str), return_inverse=True
    )
    n = np.bincount(of, minlength=len(names)).astype(float)[:, None]
    sums, noise = np.zeros((len(names), deltas.shape[1])), np.zeros((len(names), deltas.shape[1]))
    np.add.at(sums, of, deltas)
    np.add.at(noise, of, test.squared_error[is_used])
    return sums / n, noise / n**2, names


def _follows_a_gene(values: Floats, deltas: Floats, variances: Floats) -> np.ndarray:
    """Mark the features that follow the deltas of some gene, shape (n_features,)."""
    least, most = variances.min(axis=0), variances.max(axis=0)
    is_sound = (least > 0) & (most <= WIDEST_ERRORS**2 * least)
    centred, spread = deltas[:, is_sound] - deltas[:, is_sound].mean(axis=0), least[is_sound]
    squares = (centred**2).sum(axis=0)
    columns = values - values.mean(axis=0)
    columns /= np.linalg.norm(columns, axis=0)
    explained = (columns.T @ centred) ** 2
    residual = np.maximum(squares - explained, 0) / spread
    chance = chi2.cdf(residual, len(values) - 2)
    is_close = explained > CLOSEST**2 * squares
    return np.asarray((is_close & (chance * max(chance.size, 1) < FALSE_ALARMS)).any(axis=1))


def _follow_axes(values: Floats, deltas: Floats, variances: Floats) -> bool:
    """Whether the features together follow a main axis of the deltas."""
    n, n_features = values.shape
    if n_features > MOST_FEATURES_SHARE * n:
        return False
    centred = deltas - deltas.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:N_AXES]
    along, least = centred @ axes.T, (variances @ axes.T**2).min(axis=0)
    design = np.column_stack([np.ones(n), values])
    residual = ((along - design @ np.linalg.lstsq(design, along)[0]) ** 2).sum(axis=0)
    is_close = residual < (1 - CLOSEST**2) * (along**2).sum(axis=0)
    chance = chi2.cdf(residual / np.maximum(least, 1e-300), n - n_features - 1)
    return bool((is_close & (chance * N_AXES < FALSE_ALARMS)).any())
