"""The tables that a folder of runs ends in."""

from collections.abc import Sequence
from functools import partial
from operator import call
from pathlib import Path

import pandas as pd

from wildcell.errors import StoreError
from wildcell.metrics.headline import HEADLINE
from wildcell.parallel import in_processes
from wildcell.results.arm_cautions import trained_as_base
from wildcell.results.arms import ARM_COLUMNS, base_of, compare_arms
from wildcell.results.compare import compare_models
from wildcell.results.condition_wins import condition_wins
from wildcell.results.disagreement import Disagreement, disagreement
from wildcell.results.export import Exported, exported
from wildcell.results.findings.claim import MARGIN, Material
from wildcell.results.findings.find import find_all
from wildcell.results.guidance import guide
from wildcell.results.rank import QUESTION, rank, without_shams
from wildcell.results.report.looks import wanted_looks
from wildcell.results.sealing import sealing
from wildcell.results.strata import BINS, rank_in_strata
from wildcell.results.usable import calibrate_metrics, usable_metrics
from wildcell.results.verdict import headline_metric
from wildcell.store.atomic import read_table
from wildcell.store.runs import (
    read_conditions,
    read_costs,
    read_halves,
    read_looks,
    read_records,
    read_scores,
    read_scores_otherwise,
)
from wildcell.store.split_tables import read_pool_tables, read_split_tables


def rank_runs(runs: Path) -> pd.DataFrame:
    """Rank the models of all finished runs in a folder.

    Returns
    -------
    The table of `wildcell.results.rank.rank`, with the column `sealing`: `sealed` for a model in
    processes of its own, `in process` for one inside wildcell, "" where that is not known.
    """
    ranks = rank(read_scores(runs, with_controls=True), _references(runs))
    return ranks.assign(sealing=ranks["model"].map(sealing(read_records(runs))))


def tables_of_runs(runs: Path) -> dict[str, pd.DataFrame]:
    """Return what the report is written from, by the names of its arguments, but the records."""
    material, references = material_of(runs), _references(runs)
    grouped = material.scores.groupby(QUESTION)

    def of_question(key: tuple[str, str, str]) -> dict[str, pd.DataFrame]:
        scores = grouped.get_group(key)
        return {
            "ranks": rank(scores, references),
            "calibrated": calibrate_metrics(scores, references, material.halves),
            "places": compare_models(scores, metrics=HEADLINE).places,
        }

    findings, wanted, *found = in_processes(
        call,
        [
            partial(find_all, material),
            partial(wanted_looks, without_shams(material.scores), material.conditions),
            *(partial(of_question, key) for key in sorted(grouped.indices)),
        ],
    )
    every = {
        name: pd.concat([tables[name] for tables in found], ignore_index=True) for name in found[0]
    }
    usable = usable_metrics(every["calibrated"], untold=True)
    is_sealed = sealing(read_records(runs))
    return {
        **every,
        "ranks": every["ranks"].assign(sealing=every["ranks"]["model"].map(is_sealed)),
        "scores": material.scores,
        "costs": material.costs,
        "conditions": material.conditions,
        "findings": findings,
        "guidance": guide(material.scores, references, material.costs, usable),
        "scaling": pd.DataFrame() if material.scaling is None else material.scaling,
        "compared": _arms_compared(runs, material.scores, every["ranks"], references),
        "looks": read_looks(runs, wanted),
        **{name: read_split_tables(runs, name) for name in ("tree", "clusters")},
        **{name: read_pool_tables(runs, name) for name in ("depths", "gene_sets")},
    }


def _arms_compared(
    runs: Path, scores: pd.DataFrame, ranks: pd.DataFrame, references: dict[str, str]
) -> pd.DataFrame:
    """Compare the arms of each scenario and data set with the first, by the first metric."""
    tables, records = [], read_records(runs)
    ranks_of = ranks.groupby(["scenario", "dataset"])
    for key, own in scores.groupby(["scenario", "dataset"]):
        arms = set(own["arm"])
        if len(arms) > 1:
            base, metric = base_of(arms), headline_metric(ranks_of.get_group(key))
            found = compare_arms(
                own,
                references,
                base=base,
                metrics=[metric],
                clusters=_clusters(runs, base),
                trained_as_base=trained_as_base(records, base),
            )
            tables.append(found)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=ARM_COLUMNS)


def exported_of_runs(runs: Path) -> dict[str, Exported]:
    """Return every table of all finished runs; see `wildcell.results.export.exported`."""
    return exported(material_of(runs), read_records(runs), read_halves(runs))


def rank_runs_in_strata(runs: Path, *, by: str, bins: int = BINS) -> pd.DataFrame:
    """Rank models by stratum; see `wildcell.results.strata.rank_in_strata`."""
    scores, conditions = read_scores(runs), read_conditions(runs)
    return rank_in_strata(scores, _references(runs), conditions, by=by, bins=bins)


def calibrate_runs(runs: Path) -> pd.DataFrame:
    """Calibrate the metrics of all finished runs; see `wildcell.results.usable`."""
    scores = read_scores(runs, with_controls=True)
    return calibrate_metrics(scores, _references(runs), read_halves(runs))


def disagreement_of_runs(runs: Path, *, only_usable: bool = True) -> Disagreement:
    """Compare the metrics and conventions of all finished runs; see `disagreement`."""
    try:
        otherwise = read_scores_otherwise(runs)
    except StoreError:
        otherwise = None
    return disagreement(
        read_scores(runs),
        _references(runs),
        otherwise=otherwise,
        halves=read_halves(runs),
        only_usable=only_usable,
    )


def findings_of_runs(
    runs: Path, *, claims: Sequence[str] | None = None, margin: float = MARGIN
) -> pd.DataFrame:
    """Answer claims from all finished runs; see `wildcell.results.findings.find`."""
    return find_all(material_of(runs, margin=margin), claims=claims)


def condition_wins_of_runs(runs: Path) -> pd.DataFrame:
    """Test models in single conditions; see `wildcell.results.condition_wins.condition_wins`."""
    return condition_wins(read_scores(runs, with_controls=True))


def material_of(runs: Path, *, margin: float = MARGIN) -> Material:
    """Return what claims are looked for in."""
    scaling = next((path for path in _scalings(runs) if path.is_file()), None)
    return Material(
        scores=read_scores(runs, with_controls=True),
        references=_references(runs),
        conditions=read_conditions(runs),
        costs=read_costs(runs),
        clusters=_clusters(runs, None),
        scaling=None if scaling is None else read_table(scaling),
        margin=margin,
        reliability=_reliability(runs),
        halves=read_halves(runs),
    )


def _reliability(runs: Path) -> dict[tuple[str, str, str], float]:
    """Return the least reliability of the shared response of each question, where it is known."""
    records = read_records(runs)
    if "shared_reliability" not in records:
        return {}
    known = records.dropna(subset="shared_reliability").groupby(QUESTION)["shared_reliability"]
    return {
        (str(scenario), str(dataset), str(arm)): float(least)
        for (scenario, dataset, arm), least in known.min().items()
    }


def _scalings(runs: Path) -> tuple[Path, ...]:
    return runs / "scaling.csv", runs / "scaling.parquet"


def compare_arms_of_runs(
    runs: Path, *, base: str | None = None, metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """Compare the arms of all finished runs; see `wildcell.results.arms.compare_arms`."""
    return compare_arms(
        read_scores(runs, with_controls=True),
        _references(runs),
        base=base,
        metrics=metrics,
        clusters=_clusters(runs, base),
        trained_as_base=None if base is None else trained_as_base(read_records(runs), base),
    )


def _clusters(runs: Path, base: str | None) -> dict[tuple[str, str], dict[str, str]]:
    """Return the cluster of each context, by scenario and data set, where a split has told some.

    Those of the base arm, if it has some: arms may look at contexts in different ways.
    """
    told = read_split_tables(runs, "clusters")
    if told.empty:
        return {}
    told = told.assign(is_other=told["arm"] != base).sort_values(["is_other", "arm", "seed"])
    return {
        (str(scenario), str(dataset)): dict(
            table.drop_duplicates("context")[["context", "cluster"]].itertuples(index=False)
        )
        for (scenario, dataset), table in told.groupby(["scenario", "dataset"])
    }


def _references(runs: Path) -> dict[str, str]:
    """Return the reference baseline of each scenario."""
    records = read_records(runs)
    return dict(zip(records["scenario"], records["reference"], strict=True))
