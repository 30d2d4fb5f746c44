"""The table that a benchmark ends in: models by metric, each mean with what stands behind it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import isnan
from typing import Any

import numpy as np
import pandas as pd

from wildcell.arrays import Codes, Floats
from wildcell.metrics.control_blocks import is_of_means
from wildcell.metrics.metric import METRICS, Metric
from wildcell.names import (
    ABSTENTIONS,
    CEILING,
    CONDITION,
    REPLICATE,
    SHAKEN,
    SHAKEN_UNDER,
    SHAM,
    Need,
    Status,
)
from wildcell.results.means import means
from wildcell.results.stats import (
    UNKNOWN,
    Sample,
    Scaled,
    Shaken,
    estimate,
    gain,
    is_resolved,
    scaled,
)

QUESTION = ["scenario", "dataset", "arm"]
PARTS = ["value", "numerator", "denominator"]
"""Columns of a score that means are taken of."""

PSEUDO_MODELS = (REPLICATE, CEILING)
EVERY_CATEGORY = "all"
NO_HEADROOM = Scaled(np.nan, np.nan, np.nan, str(Status.NO_HEADROOM))

NOT_RUN = "not_run"
"""What stands in the place of a status where a model was not run on what others were."""

TIE_TOLERANCE = 1e-9

RANK_COLUMNS = [
    *QUESTION,
    "category",
    "metric",
    "model",
    "rank",
    "mean",
    "low",
    "high",
    "interval",
    "mean_kind",
    "macro",
    "micro",
    "worst",
    "worst_context",
    "worst_scored",
    "worst_expected",
    "difference",
    "difference_low",
    "difference_high",
    "scaled",
    "scaled_low",
    "scaled_high",
    "scaled_status",
    "n_contexts",
    "n_conditions",
    "n_seeds",
    "scored",
    "abstained",
    "not_applicable",
    "failed",
    "not_run",
    "undefined",
    "expected",
    "unscored",
    "reference",
    "same_as",
]


def rank(scores: pd.DataFrame, references: Mapping[str, str]) -> pd.DataFrame:
    """Rank models, question by question and metric by metric.

    Parameters
    ----------
    scores
        The long table, of any number of questions.
    references
        The reference baseline of each scenario, by name.

    Returns
    -------
    One row a question, category of conditions, metric and model, with the columns of
    `RANK_COLUMNS`. `scored`, `abstained`, `not_applicable`, `failed` and `undefined` count rows
    of the long table and add up to `expected`; `unscored` says why there is no score, in words of
    `Status`. `macro`, `micro` and `worst` are those of `wildcell.results.means.Means`, and
    `mean_kind` says which of them `mean` is. `same_as` names the model that this one's scores
    coincide with, where they do.
    """
    tables = [
        _rank_question(dict(zip(QUESTION, question, strict=True)), table, references)
        for question, table in scores.groupby(QUESTION, sort=True)
    ]
    return pd.concat(tables, ignore_index=True)[RANK_COLUMNS]


def _rank_question(
    question: Mapping[str, str], scores: pd.DataFrame, references: Mapping[str, str]
) -> pd.DataFrame:
    reference = references.get(question["scenario"], "")
    scores = _with_gaps(scores)
    twins = coinciding(without_shams(scores))
    rows = [
        {**question, "category": category, "metric": metric, "reference": reference, **row}
        for category, of_category in _by_category(scores)
        for metric, row in _rank_category(of_category, reference)
    ]
    table = pd.DataFrame(rows)
    table["same_as"] = table["model"].map(twins).fillna("")
    table["rank"] = _ranks(table).mask(table["category"] == SHAM)
    return table


def _with_gaps(scores: pd.DataFrame) -> pd.DataFrame:
    """Add a row for each seed, fold, condition and metric that only other models were run on.

    It is not run, so that its model is told to be incomplete and has no rank.
    """
    rows = ["seed", "fold", *CONDITION, "category", "metric"]
    of_models = scores[~scores["model"].isin(PSEUDO_MODELS)]
    asked = of_models[rows].drop_duplicates()
    wanted = asked.merge(of_models[["model"]].drop_duplicates(), how="cross")
    found = wanted.merge(of_models[[*rows, "model"]], how="left", indicator=True)
    gaps = found.loc[found.pop("_merge") == "left_only"].assign(status=NOT_RUN)
    return scores if gaps.empty else pd.concat([scores, gaps], ignore_index=True)


def _by_category(scores: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    asked = without_shams(scores)
    yield EVERY_CATEGORY, asked
    categories = sorted(set(asked["category"]))
    if len(categories) > 1:
        for category in categories:
            yield str(category), asked[asked["category"] == category]
    if len(asked) < len(scores):
        yield SHAM, without_shares(scores[scores["category"] == SHAM])


def without_shares(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of shams without shares of the true effect, which is none."""
    is_share = scores["denominator"].notna().groupby(scores["metric"]).transform("any")
    numbers = ["value", "numerator", "denominator", "null"]
    return scores.assign(
        **{name: scores[name].mask(is_share) for name in numbers},
        status=scores["status"].mask(is_share, str(Status.UNDEFINED)),
    )


def without_shams(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of conditions in which something was done."""
    is_sham = scores["category"] == SHAM
    return scores[~is_sham] if is_sham.any() else scores


def _rank_category(scores: pd.DataFrame, reference: str) -> Iterator[tuple[str, dict[str, Any]]]:
    counts, every = _counted(scores).to_dict("index"), samples_of(scores)
    in_context = _counted_by_context(scores)
    has_signal = _has_signal(every)
    for metric, samples in every.items():
        has_scale = has_signal or Need.DELTA not in METRICS.get(metric).needs
        for model, sample in samples.items():
            place = _scaled(samples, model, reference, metric) if has_scale else NO_HEADROOM
            yield (
                metric,
                {
                    "model": model,
                    **_described(sample),
                    **_averaged(sample, metric, model, in_context),
                    **_compared(samples, model, reference, metric),
                    "scaled": place.value,
                    "scaled_low": place.low,
                    "scaled_high": place.high,
                    "scaled_status": place.status,
                    **_with_reason(counts[(metric, model)], sample),
                },
            )


def samples_of(scores: pd.DataFrame) -> dict[str, dict[str, Sample]]:
    """Average seeds, abstentions at their null value; return a sample a metric and model.

    A model that failed on some conditions is taken to have abstained there; one that gave no
    answer at all, of any kind, has no values. The samples of one metric have the same conditions
    in the same order.
    """
    shaken = [name for name in (*SHAKEN, *SHAKEN_UNDER) if name in scores]
    columns = ["metric", "model", *CONDITION, *PARTS, *shaken]
    read = [*columns, "status", "null", *(["seed"] if shaken else [])]
    filled = with_nulls(scores[read])
    grouped = filled[columns].groupby(columns[:4], sort=False)
    mean = grouped.mean()
    if shaken:
        mean[shaken] = mean[shaken].mul(_draws_of_controls(filled), axis=0)
    metrics = dict.fromkeys(scores["metric"])
    return {name: _samples_of_metric(mean.loc[name], METRICS.get(name)) for name in metrics}


def _draws_of_controls(scores: pd.DataFrame) -> pd.Series:
    """Return by what the moves of each condition's mean over seeds are to be multiplied.

    Seeds 2j and 2j + 1 have each other's half of the controls, so that their moves are independent
    and average out; other pairs of seeds have the same controls again, and do not.
    """
    keys = ["metric", "model", *CONDITION]
    pairs = (scores["seed"].astype(int) // 2).groupby([scores[name] for name in keys], sort=False)
    return pairs.nunique() ** 0.5


def with_nulls(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of one question with abstentions and failures at their null value.

    Models that gave no answer at all keep none.
    """
    silent = scores["status"].isin([*ABSTENTIONS, Status.ERROR])
    if not silent.any():
        return scores
    answered = scores["status"].isin([Status.OK, *ABSTENTIONS])
    is_mute = ~answered.groupby([scores["metric"], scores["model"]]).transform("any")
    null = scores["null"].mask(is_mute)
    return scores.assign(
        value=scores["value"].where(~silent, null),
        numerator=scores["numerator"].where(~silent, null * scores["denominator"]),
    )


def _samples_of_metric(mean: pd.DataFrame, metric: Metric) -> dict[str, Sample]:
    of_rows = mean.index.droplevel("model")
    keys = of_rows.unique().sort_values()
    names = [keys.get_level_values(name).to_numpy(dtype=object) for name in CONDITION]
    place = keys.get_indexer(of_rows)
    codes, models = pd.factorize(mean.index.get_level_values("model"), sort=True)
    has_moves = SHAKEN[0] in mean and is_of_means(metric)
    columns = [PARTS, *([SHAKEN, SHAKEN_UNDER] if has_moves else [])]
    tables = [mean[list(some)].to_numpy(float) for some in columns]
    samples = {}
    for code, model in enumerate(models):
        rows = np.flatnonzero(codes == code)
        own = [_placed(table[rows], place[rows], len(keys)) for table in tables]
        shaken = Shaken(*own[1:]) if has_moves else None
        sample = Sample(*names, *own[0].T)
        samples[str(model)] = replace(sample, is_log=metric.is_log, shaken=shaken)
    return samples


def _placed(rows: Floats, place: Codes, n: int) -> Floats:
    """Return rows where they belong; NaN elsewhere."""
    table = np.full((n, rows.shape[1]), np.nan)
    table[place] = rows
    return table


def _described(sample: Sample) -> dict[str, Any]:
    found = estimate(sample)
    return {
        "mean": found.mean,
        "low": found.low,
        "high": found.high,
        "interval": found.level,
        "n_contexts": len(set(sample.context[sample.is_known])),
        "n_conditions": int(sample.is_known.sum()),
    }


def _averaged(
    sample: Sample, metric: str, model: str, counts: Mapping[tuple[str, str, str], tuple[int, int]]
) -> dict[str, Any]:
    """Return the means of a sample, with how many rows of its worst context were scored.

    Parameters
    ----------
    sample
        What the model scored.
    metric, model
        By what, and which.
    counts
        Rows that were scored and that were expected, by metric, model and context.
    """
    found = means(sample, best=METRICS.get(metric).best)
    scored, expected = counts.get((metric, model, found.worst_context), (0, 0))
    return {**found._asdict(), "worst_scored": scored, "worst_expected": expected}


def _has_signal(every: Mapping[str, Mapping[str, Sample]]) -> bool:
    """Whether the true effects are resolved, where a metric's denominators say so.

    Those of interactions are what is left beside the singles, and say nothing of the effects.
    """
    signals = [
        sample.denominator
        for metric, samples in every.items()
        if not METRICS.get(metric).is_log and Need.SINGLES not in METRICS.get(metric).needs
        for model, sample in samples.items()
        if model not in PSEUDO_MODELS and np.isfinite(sample.denominator).any()
    ]
    return not signals or any(is_resolved(signal) for signal in signals)


def _compared(
    samples: Mapping[str, Sample], model: str, reference: str, metric: str
) -> dict[str, float]:
    """Return the paired difference to the reference; the halves of a replicate have no pairs."""
    found = UNKNOWN
    is_unpaired = model == CEILING or (model == REPLICATE and samples[model].is_ratio)
    if reference in samples and not is_unpaired:
        found = gain(samples[model], samples[reference], best=METRICS.get(metric).best)
    return {
        "difference": found.mean,
        "difference_low": found.low,
        "difference_high": found.high,
    }


def _scaled(samples: Mapping[str, Sample], model: str, reference: str, metric: str) -> Scaled:
    if reference not in samples or CEILING not in samples or model == CEILING:
        return Scaled(np.nan, np.nan, np.nan, "")
    best = METRICS.get(metric).best
    return scaled(samples[model], samples[reference], samples[CEILING], best=best)


def _counted(scores: pd.DataFrame) -> pd.DataFrame:
    """Count the rows of each metric and model by how they ended."""
    status = scores["status"]
    ends = pd.DataFrame(
        {
            "scored": status == Status.OK,
            "abstained": status.isin(ABSTENTIONS),
            "not_applicable": status == Status.NOT_APPLICABLE,
            "failed": status == Status.ERROR,
            "not_run": status == NOT_RUN,
            "expected": True,
        }
    )
    by = [scores["metric"], scores["model"]]
    counts = ends.groupby(by).sum()
    told = counts.drop(columns="expected").sum(axis=1)
    return counts.assign(
        unscored=_unscored(scores),
        undefined=counts["expected"] - told,
        n_seeds=scores["seed"].groupby(by).nunique(),
    )


def _counted_by_context(scores: pd.DataFrame) -> dict[tuple[str, str, str], tuple[int, int]]:
    """Count the rows of each metric, model and context, and those with a score."""
    by = [scores[name] for name in ("metric", "model", "context")]
    table = (scores["status"] == Status.OK).groupby(by).agg(scored="sum", expected="size")
    return dict(zip(table.index, map(tuple, table.to_numpy().tolist()), strict=True))


def _with_reason(counts: dict[str, Any], sample: Sample) -> dict[str, Any]:
    """Say why scores have no mean: it would be a share of effects that are not resolved."""
    if counts["scored"] == 0 or np.isfinite(estimate(sample).mean):
        return counts
    reason = f"{Status.NO_HEADROOM}: effects not resolved"
    return {**counts, "unscored": ", ".join(filter(None, [counts["unscored"], reason]))}


def _unscored(scores: pd.DataFrame) -> pd.Series:
    """Say of each metric and model how many rows have no score, and why."""
    without = scores[scores["status"] != Status.OK]
    counts = without.groupby(["metric", "model", "status"], sort=True).size().reset_index(name="n")
    said = counts["status"] + ": " + counts["n"].astype(str)
    by = scores.groupby(["metric", "model"]).size().index
    return (
        said.groupby([counts["metric"], counts["model"]]).agg(", ".join).reindex(by, fill_value="")
    )


def _ranks(table: pd.DataFrame) -> pd.Series:
    """Rank means within category and metric, 1 best.

    Pseudo-models, unknown means and means over a part of the conditions have none: the part may
    be the easy one. Nor have scores on the second panel of genes, which are one more opinion of
    the same metric.
    """
    is_whole = (table["not_run"] == 0) & (table["not_applicable"] == 0)
    is_twin = table["metric"].map(lambda name: METRICS.get(name).twin_of is not None).astype(bool)
    is_ranked = ~table["model"].isin(PSEUDO_MODELS) & is_whole & ~is_twin
    to_rank = merit(table["mean"].round(9), table["metric"]).where(is_ranked)
    by = [table["category"], table["metric"]]
    return to_rank.groupby(by).rank(method="min", ascending=False)


def merit(mean: pd.Series, metric: pd.Series) -> pd.Series:
    """Return scores turned so that more is better, whatever each row's metric."""
    best = metric.map({name: METRICS.get(name).best for name in metric.unique()})
    return mean.where(best == "high", -mean.where(best == "low", mean.abs()))


def coinciding(scores: pd.DataFrame) -> dict[str, str]:
    """Return, for each model whose scores equal an earlier one's in every row, that model."""
    keys = ["metric", "seed", "fold", *CONDITION]
    wide = scores.pivot_table(index=keys, columns="model", values="value", dropna=False)
    seen: dict[str, pd.Series] = {}
    twins: dict[str, str] = {}
    for model in sorted(set(wide.columns) - set(PSEUDO_MODELS), key=str):
        column = wide[model]
        if column.notna().any():
            twin = next((name for name, other in seen.items() if _equal(column, other)), None)
            if twin is None:
                seen[model] = column
            else:
                twins[model] = twin
    return twins


def _equal(first: pd.Series, second: pd.Series) -> bool:
    one, other = first.to_numpy(), second.to_numpy()
    return begin_alike(one, other, TIE_TOLERANCE) and bool(
        np.allclose(one, other, rtol=TIE_TOLERANCE, atol=TIE_TOLERANCE, equal_nan=True)
    )


def begin_alike(one: Floats, other: Floats, tolerance: float) -> bool:
    """Whether the first numbers of two rows are the same but for rounding, or both not known."""
    if not len(one):
        return True
    first, second = float(one[0]), float(other[0])
    if isnan(first) or isnan(second):
        return isnan(first) and isnan(second)
    return first == second or abs(first - second) <= tolerance * (1 + abs(second))
