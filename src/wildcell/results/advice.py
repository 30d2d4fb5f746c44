"""Which models to use in a setting, computed from runs: a short list with its evidence, or none."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from wildcell.errors import OptionError
from wildcell.metrics.metric import METRICS
from wildcell.names import NEGATIVE_MODELS
from wildcell.results.board import Board, board
from wildcell.results.friedman import context_scores
from wildcell.results.levels import DATASETS_TO_GENERALISE, over_datasets
from wildcell.results.naive import beyond_naive, check_margin
from wildcell.results.pairing import on_same_seeds
from wildcell.results.rank import QUESTION, samples_of, without_shams
from wildcell.results.simultaneous import holm
from wildcell.results.stats import CONFIDENCE
from wildcell.results.words import count, listed, signed, span

SETTINGS = {
    "context": (
        "unseen-context",
        "context-relatives",
        "context-distance",
        "few-shot",
        "unseen-both",
    ),
    "perturbation": (
        "unseen-perturbation",
        "perturbation-clusters",
        "cross-data-set",
        "unseen-both",
    ),
    "combination": ("unseen-combination", "unseen-pair"),
    "dose": ("unseen-dose",),
}
"""The shipped scenarios that ask about what is unseen; data sets have their own of these names."""

FAMILIES = ("correlation", "retrieval", "genes", "distance", "profile")
DEFAULT_METRICS = ("effect_r2", "pearson_delta")

EVIDENCE_COLUMNS = [
    *QUESTION,
    "metric",
    "model",
    "gain",
    "low",
    "high",
    "reference",
    "gain_on_naive",
    "closest_naive",
    "beats_each_naive",
    "is_worse",
    "worst_context",
    "worst_gain",
    "cpu_s",
    "peak_memory_mb",
    "n_conditions",
    "n_blocks",
    "interval",
]


def evidence(
    scores: pd.DataFrame,
    references: dict[str, str],
    costs: pd.DataFrame,
    *,
    unseen: str,
    family: str | None = None,
    usable: dict[tuple[str, ...], set[str]] | None = None,
    margin: float = 0.0,
) -> pd.DataFrame:
    """Return what each model is worth in a setting, question by question.

    Parameters
    ----------
    scores
        The long table, of any number of questions.
    references
        The reference baseline of each scenario.
    costs
        From `wildcell.store.runs.read_costs`.
    unseen
        A key of `SETTINGS`.
    family
        The family of metrics that matters; effect_r2, or else pearson_delta, if None.
    usable
        The metrics that count in each question; all if None.
    margin
        By how much a model must beat each naive one.

    Returns
    -------
    A row a question, metric and model that is not naive, with the columns of `EVIDENCE_COLUMNS`:
    gains over the reference, more is better, with their 95 % interval; whether it beats each naive
    model, or is surely worse than the reference, the chance of any false claim held over all rows.

    Raises
    ------
    OptionError
        The setting or family is unknown, or no run is of this setting.
    """
    if family is not None and family not in FAMILIES:
        raise OptionError(f"No family {family!r} of metrics; name one of {', '.join(FAMILIES)}.")
    rows = evidence_rows(
        scores, references, costs, [family], unseen=unseen, usable=usable, margin=margin
    )
    return settled(rows, family)


def evidence_rows(
    scores: pd.DataFrame,
    references: dict[str, str],
    costs: pd.DataFrame,
    families: Sequence[str | None],
    *,
    unseen: str,
    usable: dict[tuple[str, ...], set[str]] | None = None,
    margin: float = 0.0,
) -> pd.DataFrame:
    """Return what stands behind the evidence of several families, for `settled` to choose from.

    Parameters and errors are those of `evidence`.
    """
    check_margin(margin)
    if unseen not in SETTINGS:
        known = ", ".join(SETTINGS)
        raise OptionError(f"Nothing is known of an unseen {unseen!r}; name one of {known}.")
    asked = without_shams(scores_of(scores, unseen))
    if asked.empty:
        there = sorted(set(scores["scenario"]))
        raise OptionError(
            f"No run asks about an unseen {unseen}; these are of {', '.join(there)}. Make some "
            f"with: wildcell run {SETTINGS[unseen][0]} --data DATA"
        )
    rows = [
        row
        for key, table in asked.groupby(QUESTION, sort=True)
        for row in _rows(
            tuple(map(str, key)),
            table,
            _metrics(table, families, None if usable is None else usable.get(tuple(map(str, key)))),
            reference=references.get(str(key[0]), ""),
            costs=costs,
            margin=margin,
        )
    ]
    return pd.DataFrame(rows, columns=[*EVIDENCE_COLUMNS, "p_beats", "p_worse"])


def settled(rows: pd.DataFrame, family: str | None) -> pd.DataFrame:
    """Return the evidence of one family of what `evidence_rows` found."""
    found = rows[_is_in(rows, family)]
    beats, worse = (holm(found[name].to_numpy(float)) for name in ("p_beats", "p_worse"))
    return found.assign(beats_each_naive=beats < 1 - CONFIDENCE, is_worse=worse < 1 - CONFIDENCE)[
        EVIDENCE_COLUMNS
    ].reset_index(drop=True)


def _is_in(rows: pd.DataFrame, family: str | None) -> "pd.Series[bool]":
    """Mark the rows of a family, or of the first of `DEFAULT_METRICS` in each question."""
    if family is not None:
        return rows["metric"].map(lambda name: METRICS.get(name).family).eq(family)
    order = rows["metric"].map({name: at for at, name in enumerate(DEFAULT_METRICS)})
    return order.notna() & order.eq(
        order.groupby([rows[name] for name in QUESTION]).transform("min")
    )


def is_of(scenario: str, unseen: str) -> bool:
    """Whether a scenario, shipped or a data set's own, asks about what is unseen.

    Examples
    --------
    >>> is_of("kang2018-pbmc-unseen-context[genes=all]", "context"), is_of("unseen-dose", "context")
    (True, False)
    """
    name = scenario.partition("[")[0]
    return any(name == known or name.endswith(f"-{known}") for known in SETTINGS[unseen])


def scores_of(scores: pd.DataFrame, unseen: str) -> pd.DataFrame:
    """Return the scores of scenarios that ask about what is unseen."""
    names = [name for name in scores["scenario"].unique() if is_of(str(name), unseen)]
    return scores[scores["scenario"].isin(names)]


def _metrics(
    table: pd.DataFrame, families: Sequence[str | None], usable: Collection[str] | None
) -> list[str]:
    there = [name for name in dict.fromkeys(table["metric"]) if METRICS.get(name).twin_of is None]
    default = DEFAULT_METRICS if None in families else ()
    return [
        name
        for name in there
        if (usable is None or name in usable)
        and (METRICS.get(name).family in families or name in default)
    ]


def _rows(
    question: tuple[str, ...],
    table: pd.DataFrame,
    metrics: list[str],
    *,
    reference: str,
    costs: pd.DataFrame,
    margin: float,
) -> Iterator[dict[str, Any]]:
    spent = _spent(costs, question)
    table = on_same_seeds(table)
    for metric in metrics:
        laid = board(samples_of(table[table["metric"] == metric])[metric], metric)
        base = _standing_for(laid, reference)
        if base is None or laid.n_blocks < 2:
            continue
        labels = dict(zip(QUESTION, question, strict=True))
        for row in _of_board(laid, laid.models.index(base), margin):
            took = spent.get(row["model"], {})
            yield {**labels, "metric": metric, "reference": reference, **row, **took}


def _standing_for(laid: Board, model: str) -> str | None:
    return next((one for one in laid.models if one == model or model in laid.twins[one]), None)


def _spent(costs: pd.DataFrame, question: tuple[str, ...]) -> dict[str, dict[str, float]]:
    if costs.empty:
        return {}
    here = costs[np.all([costs[n] == v for n, v in zip(QUESTION, question, strict=True)], axis=0)]
    table = pd.DataFrame(
        {
            "cpu_s": seconds_a_seed(here),
            "peak_memory_mb": here.groupby("model")["peak_memory_mb"].max(),
        }
    )
    return {str(model): row for model, row in table.to_dict("index").items()}


def seconds_a_seed(costs: pd.DataFrame) -> pd.Series:
    """Return the CPU seconds that each model takes for all folds of one seed.

    Parameters
    ----------
    costs
        Rows of `wildcell.store.runs.read_costs`, of one question.
    """
    return costs.groupby(["model", "seed"])["cpu_s"].sum().groupby("model").mean()


def _of_board(laid: Board, base: int, margin: float) -> Iterator[dict[str, Any]]:
    n, error = laid.n_blocks, laid.error()[:, base]
    gain = laid.mean - laid.mean[base]
    reach = float(special.stdtrit(n - 1, 0.5 + CONFIDENCE / 2))
    of_context = pd.DataFrame(context_scores(laid), sorted(set(laid.contexts)))
    found = [one for one in beyond_naive(laid, margin=margin) if one.model not in NEGATIVE_MODELS]
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.where(
            error > 0, special.stdtr(n - 1, gain / error), np.where(gain < -1e-9, 0.0, 1.0)
        )
    for one in found:
        place = laid.models.index(one.model)
        context, least = _worst(of_context[place] - of_context[base])
        yield {
            "model": one.model,
            "gain": gain[place],
            "low": gain[place] - reach * error[place],
            "high": gain[place] + reach * error[place],
            "gain_on_naive": one.gain,
            "closest_naive": one.naive,
            "p_beats": one.p if one.naive else 1.0,
            "p_worse": below[place],
            "worst_context": context,
            "worst_gain": least,
            "n_conditions": laid.n_conditions,
            "n_blocks": n,
            "interval": laid.level,
        }


def _worst(gaps: pd.Series) -> tuple[str, float]:
    """Return the context in which a model gains least on the reference, and how much."""
    if gaps.notna().any():
        return str(gaps.idxmin()), float(gaps.min())
    return "", np.nan


def short_list(
    found: pd.DataFrame, *, budget_s: float | None = None, budget_gib: float | None = None
) -> pd.DataFrame:
    """Return the models to use, best first: none that is surely worse anywhere or too costly.

    Parameters
    ----------
    found
        What `evidence` returned.
    budget_s, budget_gib
        CPU seconds and memory that a model may take on any of the questions.

    Returns
    -------
    Columns model, gain (mean over data sets), beats (questions and metrics in which it beats each
    naive model), worse, n, cpu_s, peak_gib; empty where none beats the naive models anywhere.
    """
    grouped = found.groupby("model").agg(
        gain=("gain", "mean"),
        beats=("beats_each_naive", "sum"),
        worse=("is_worse", "sum"),
        n=("gain", "size"),
        cpu_s=("cpu_s", "max"),
        peak_memory_mb=("peak_memory_mb", "max"),
    )
    table = grouped.assign(peak_gib=grouped.pop("peak_memory_mb") / 2**10).reset_index()
    is_good = (table["beats"] > 0) & (table["worse"] == 0)
    if budget_s is not None:
        is_good &= ~(table["cpu_s"] > budget_s)
    if budget_gib is not None:
        is_good &= ~(table["peak_gib"] > budget_gib)
    return table[is_good].sort_values(["beats", "gain"], ascending=False).reset_index(drop=True)


def advice_sentences(
    found: pd.DataFrame, chosen: pd.DataFrame, unseen: str, *, unusable: Collection[str] = ()
) -> Iterator[str]:
    """Say what to use, what stands behind it, and how far it carries.

    Parameters
    ----------
    found
        From `evidence`.
    chosen
        From `short_list`.
    unseen
        The setting.
    unusable
        Metrics by which models were compared, but which tell nothing there.
    """
    if found.empty and unusable:
        yield (
            f"Nothing can be told of an unseen {unseen}: by {listed(sorted(unusable))} a replicate "
            "of the measurement is not told from the reference baseline there, so that hardly any "
            "model would be (wildcell calibrate RUNS). Other metrics may: name a --metric-family."
        )
        return
    if found.empty:
        yield (
            f"Nothing can be told of an unseen {unseen}: these runs have no model beside the naive "
            "ones, or one context and perturbation alone."
        )
        return
    references = sorted(set(found["reference"]))
    n = len(found[QUESTION].drop_duplicates())
    datasets = count(found["dataset"].nunique(), "data set")
    where = f"{count(n, 'question')} about an unseen {unseen}, {datasets}"
    if chosen.empty:
        yield (
            f"None surely beats the baseline: in {where}, no model within the budget beats each "
            f"naive model and is surely worse nowhere. Use {listed(references)}; the nearest:"
        )
        yield _evidence(found.loc[found["gain_on_naive"].fillna(-np.inf).idxmax()])
        yield from _too_costly(short_list(found))
    else:
        told = [
            f"{row['model']} (beats each naive model in {row['beats']} of {row['n']})"
            for _, row in chosen.iterrows()
        ]
        yield f"In {where}: {listed(told)}."
    for model in list(chosen["model"]):
        for _, row in found[found["model"] == model].iterrows():
            yield _evidence(row)
    yield from _carried(found, list(chosen["model"]))


def _too_costly(beyond: pd.DataFrame) -> Iterator[str]:
    told = [
        f"{row['model']} ({row['cpu_s']:.3g} s, {row['peak_gib']:.2g} GiB)"
        for _, row in beyond.iterrows()
    ]
    if told:
        yield f"Beyond the budget: {listed(told)}."


def _evidence(row: pd.Series) -> str:
    return (
        f"  {row['model']}, {row['dataset']} / {row['arm']}, {row['metric']}: "
        f"{signed(row['gain'])} ({span(row['low'], row['high'])}, {row['interval']}) over "
        f"{row['reference']}; least in {row['worst_context']} ({signed(row['worst_gain'])})."
    )


def _carried(found: pd.DataFrame, models: Sequence[str]) -> Iterator[str]:
    """Say what the models gain on data sets that were not run, or why it cannot be told."""
    for model in models:
        for metric, rows in found[found["model"] == model].groupby("metric", sort=False):
            across = over_datasets(rows.groupby("dataset")["gain"].mean().tolist())
            if not across.reason:
                yield (
                    f"  {model}, {metric}, over {across.n} data sets, as for {across.level}: "
                    f"{signed(across.mean)} ({span(across.low, across.high)})."
                )
    n = found.groupby(["model", "metric"])["dataset"].nunique().max()
    if n < DATASETS_TO_GENERALISE:
        reason = over_datasets([0.0] * n).reason
        yield f"Whether this carries to data of your own cannot be told: {reason}."


DESCRIPTORS = ("n_contexts", "n_perturbations", "cells_a_condition")


def describe(conditions: pd.DataFrame) -> dict[str, Any]:
    """Return what a data set is like: sizes and modality, from its conditions.

    Parameters
    ----------
    conditions
        Columns context, perturbation, n_cells, modality; a row a perturbed condition.
    """
    once = conditions.drop_duplicates(["context", "perturbation"])
    if "category" in once:
        once = without_shams(once)
    return {
        "n_contexts": int(once["context"].nunique()),
        "n_perturbations": int(once["perturbation"].nunique()),
        "cells_a_condition": float(once["n_cells"].median()),
        "modality": ", ".join(sorted(set(once["modality"].astype(str)))),
    }


def nearest(own: dict[str, Any], known: pd.DataFrame) -> pd.DataFrame:
    """Return benchmarked data sets, the most similar first.

    Parameters
    ----------
    own
        From `describe`.
    known
        Conditions of the runs, with the column dataset.

    Returns
    -------
    Columns dataset, those of `describe`, and distance: the mean over sizes of |log10 of the ratio|,
    1 more for another modality. 0 is alike, 1 is ten times as large.
    """
    rows = []
    for dataset, table in known.groupby("dataset", sort=True):
        other = describe(table)
        logs = [abs(np.log10(max(own[n], 1e-9) / max(other[n], 1e-9))) for n in DESCRIPTORS]
        distance = float(np.mean(logs)) + float(own["modality"] != other["modality"])
        rows.append({"dataset": str(dataset), **other, "distance": distance})
    return pd.DataFrame(rows).sort_values("distance").reset_index(drop=True)
