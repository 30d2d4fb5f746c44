"""The tables that the paper prints, as results: what can be said of its metrics from them alone."""

from importlib.resources import files

import numpy as np
import pandas as pd
from scipy import stats

SOURCE = "arXiv 2604.27646"
FILE = "published_norman.csv"


def read_published() -> pd.DataFrame:
    """Return the printed scores on Norman's combinations: model, category, metric, value.

    Examples
    --------
    >>> table = read_published()
    >>> table["model"].nunique(), sorted(table["metric"].unique())
    (11, ['pearson_delta', 'spearman_lfc'])
    """
    with files("wildcell.results").joinpath(FILE).open() as stream:
        return pd.read_csv(stream, comment="#")


def published_agreement() -> pd.DataFrame:
    """Return how the two printed metrics agree, category by category and over all.

    Returns
    -------
    Columns category, pearson, spearman, tau (over the eleven models), flips (pairs of models in
    another order), n_pairs, first_pearson_delta, first_spearman_lfc; the last row is over all
    models and categories.
    """
    wide = read_published().pivot_table(
        index=["category", "model"], columns="metric", values="value"
    )
    parts = [(str(name), part.droplevel(0)) for name, part in wide.groupby(level="category")]
    rows = [_agreement(name, part) for name, part in [*parts, ("all", wide)]]
    return pd.DataFrame(rows)


def _agreement(name: str, part: pd.DataFrame) -> dict[str, object]:
    one, other = part["pearson_delta"], part["spearman_lfc"]
    first, second = np.triu_indices(len(part), k=1)
    gaps = [column.to_numpy()[first] - column.to_numpy()[second] for column in (one, other)]
    return {
        "category": name,
        "pearson": float(one.corr(other)),
        "spearman": float(one.corr(other, method="spearman")),
        "tau": float(stats.kendalltau(one, other).statistic),
        "flips": int((gaps[0] * gaps[1] < 0).sum()),
        "n_pairs": len(first),
        "first_pearson_delta": _first(one),
        "first_spearman_lfc": _first(other),
    }


def _first(column: pd.Series) -> str:
    """Return the model with the highest score, of a category where there are several."""
    label = column.idxmax()
    return ", ".join(map(str, label[::-1])) if isinstance(label, tuple) else str(label)
