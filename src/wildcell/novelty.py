"""How far what is asked lies from what was trained on, by what a model may see itself."""

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.spatial.distance import cdist

from wildcell.arrays import Codes, Floats
from wildcell.errors import DataError
from wildcell.metrics.pairwise import energy_distance, mean_distance_within
from wildcell.names import CONTROL
from wildcell.scenarios.pca import fit_pca
from wildcell.scenarios.task import Cells, Task

MOST_CELLS = 200
"""Controls of a context that are looked at, drawn at random where there are more."""

N_COMPONENTS = 20
"""Principal components in which controls are compared."""

Parts = frozenset[str]
Clouds = Mapping[str, Floats]


def novelty(task: Task, *, seed: int, clouds: Clouds | None = None) -> pd.DataFrame:
    """Return how far each condition of a query lies from what was trained on.

    Only the task is looked at: no test cell, nor a kept control.

    Parameters
    ----------
    task
        All that a model may see.
    seed
        Of the controls that are drawn.
    clouds
        From `context_clouds`, where they are known.

    Returns
    -------
    A row a condition of the query, in its order:

    context_distance, context_distance_mean
        Energy distance (U-statistic, about 0 for contexts alike) of the context's given controls
        to those of the nearest training context, and its mean over all training contexts. Taken
        in 20 principal components of at most 200 controls of each context. A context that was
        trained on is at 0 from itself. NaN below two controls.
    perturbation_distance
        Cosine distance of the perturbation's features to those of the nearest training
        perturbation; features of a combination are the mean of its components'. 0 where the same
        components were trained on, whatever their dose and context; else NaN where a component
        has no features.

    References
    ----------
    Szekely & Rizzo, J Stat Plan Inference 143:1249 (2013).

    Examples
    --------
    >>> from wildcell.testing import toy_questions
    >>> task, _ = toy_questions()["unseen-context"]
    >>> found = novelty(task, seed=0)
    >>> bool((found["context_distance"] > 0).all()), found["perturbation_distance"].unique()
    (True, array([0.]))
    """
    asked = task.query.conditions
    contexts = _context_distances(
        task, context_clouds(task, seed=seed) if clouds is None else clouds
    )
    perturbations = _perturbation_distances(task)
    return pd.DataFrame(
        {
            "context_distance": asked["context"].map(contexts["nearest"]),
            "context_distance_mean": asked["context"].map(contexts["mean"]),
            "perturbation_distance": asked["perturbation"].map(perturbations),
        }
    ).astype(np.float64)


def context_places(clouds: Clouds) -> pd.DataFrame:
    """Return where the controls of each context lie in the first two components, for a map.

    Parameters
    ----------
    clouds
        From `context_clouds`.

    Returns
    -------
    Columns context_x and context_y, a row a context; 0 where there is no second component.
    """
    rows = {
        name: [*cloud[:, :2].mean(axis=0), *[0.0] * (2 - min(2, cloud.shape[1]))]
        for name, cloud in clouds.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["context_x", "context_y"])


def _context_distances(task: Task, clouds: Clouds) -> pd.DataFrame:
    """Return the nearest and mean distance of each context asked about to those trained on."""
    trained = sorted(set(task.train.obs.loc[~task.train.is_control, "context"]))
    asked = sorted(set(task.query.conditions["context"]))
    spreads = {name: mean_distance_within(cloud) for name, cloud in clouds.items()}

    def distance(one: str, other: str) -> float:
        if one == other:
            return 0.0
        if one not in clouds or other not in clouds:
            return float("nan")
        return energy_distance(
            clouds[one],
            clouds[other],
            within_first=spreads[one],
            within_second=spreads[other],
        )

    table = pd.DataFrame(
        [[distance(name, other) for other in trained] for name in asked],
        index=asked,
        columns=trained,
        dtype=np.float64,
    )
    return pd.DataFrame({"nearest": table.min(axis=1), "mean": table.mean(axis=1)})


def context_clouds(task: Task, *, seed: int) -> Clouds:
    """Return the principal components of some given controls of each context, two at least.

    Parameters
    ----------
    task
        All that a model may see.
    seed
        Of the controls that are drawn.

    Returns
    -------
    By context, arrays of shape (n_controls, n_components). Those of validation have no
    say in the components. Nothing where there is one context alone.
    """
    trained = set(task.train.obs.loc[~task.train.is_control, "context"])
    if len(trained) == 1 and set(task.query.conditions["context"]) <= trained:
        return {}
    drawn = _drawn((task.train, task.query.controls), seed)
    if not drawn:
        return {}
    try:
        components = fit_pca(sparse.vstack(list(drawn.values()), format="csr"), N_COMPONENTS)
    except DataError:  # controls that do not differ are at no distance that could be measured
        return {}
    of_val = _drawn((task.val,), seed)
    return {context: components.transform(own) for context, own in {**of_val, **drawn}.items()}


def _drawn(sides: Sequence[Cells], seed: int) -> dict[str, sparse.csr_matrix]:
    """Return log values of some controls of each context, of the first side that has any."""
    found: dict[str, sparse.csr_matrix] = {}
    for cells in sides:
        for context in sorted(set(cells.obs.loc[cells.is_control, "context"]) - set(found)):
            rows = _draw(cells, str(context), seed)
            if len(rows) > 1:
                found[str(context)] = cells.select(rows).lognorm
    return found


def _draw(cells: Cells, context: str, seed: int) -> Codes:
    rows = np.flatnonzero(cells.is_control & (cells.obs["context"] == context).to_numpy())
    if len(rows) <= MOST_CELLS:
        return rows
    rng = np.random.default_rng([seed, crc32(context.encode())])
    return np.sort(rng.choice(rows, MOST_CELLS, replace=False))


def _perturbation_distances(task: Task) -> dict[str, float]:
    """Return the distance of each perturbation asked about to the nearest one trained on."""
    components = task.query.components
    named = components["component"].astype(str).groupby(components["perturbation"])
    parts = {str(key): frozenset(names) for key, names in named}
    trained = {
        parts[name] for name in set(task.train.obs["perturbation"]) - {CONTROL} if name in parts
    }
    asked = sorted(set(task.query.conditions["perturbation"]))
    unseen = sorted({parts[name] for name in asked} - trained, key=sorted)
    nearest = _nearest(unseen, sorted(trained, key=sorted), task.query.features)
    return {name: nearest.get(parts[name], 0.0) for name in asked}


def _nearest(
    asked: Sequence[Parts], trained: Sequence[Parts], features: pd.DataFrame | None
) -> dict[Parts, float]:
    """Return the least cosine distance of each perturbation to any other, NaN without features."""
    result = dict.fromkeys(asked, float("nan"))
    if features is None:
        return result
    (known, rows), (known_trained, others) = (
        _feature_rows(perturbations, features) for perturbations in (asked, trained)
    )
    if known and known_trained:
        distances = cdist(rows, others, "cosine").min(axis=1)
        result.update(zip(known, distances.clip(min=0).tolist(), strict=True))
    return result


def _feature_rows(
    perturbations: Sequence[Parts], features: pd.DataFrame
) -> tuple[list[Parts], Floats]:
    """Return the perturbations that have features, and these; a row of zeros has no direction."""
    rows = {
        parts: features.loc[sorted(parts)].to_numpy(float).mean(axis=0)
        for parts in perturbations
        if all(name in features.index for name in parts)
    }
    known = [parts for parts, row in rows.items() if row.any()]
    return known, np.array([rows[parts] for parts in known])
