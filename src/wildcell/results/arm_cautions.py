"""What to beware of where arms are compared: the same training, and few conditions in common."""

from collections.abc import Iterator, Mapping

import pandas as pd

FEWEST_PAIRED = 5
"""Conditions that two arms must share for their difference to be shown without a caution."""


def trained_as_base(records: pd.DataFrame, base: str) -> dict[tuple[str, str], set[str]]:
    """Return the arms that were trained on what the base arm was, by scenario and data set.

    Parameters
    ----------
    records
        From `wildcell.store.runs.read_records`; runs that do not say what they were trained on,
        such as files from elsewhere, are like no other.
    base
        The arm that the others are compared with.
    """
    return {
        question: {
            arm
            for arm, hashes in of_arm.items()
            if arm != base and _are_alike(hashes, of_arm.get(base, {}))
        }
        for question, of_arm in _hashes(records)
    }


def trained_alike(records: pd.DataFrame) -> list[str]:
    """Say which arms were trained on the same, so that their names promise more than they do."""
    return [
        f"{' / '.join(question)}: the same training in {', '.join(names[:-1])} and {names[-1]}."
        for question, of_arm in _hashes(records)
        for names in _groups(of_arm)
        if len(names) > 1
    ]


def few_paired(table: pd.DataFrame) -> list[str]:
    """Say between which arms the differences are over few conditions.

    Parameters
    ----------
    table
        From `wildcell.results.arms.compare_arms`.
    """
    is_few = (table["difference_status"] == "ok") & (table["n_paired"] < FEWEST_PAIRED)
    least = table[is_few].groupby(["scenario", "dataset", "arm", "base"])["n_paired"].min()
    return [
        f"{scenario} / {dataset}: arms {arm} and {base} share {n} conditions, fewer than "
        f"{FEWEST_PAIRED}: their difference says next to nothing. More seeds or folds share more."
        for (scenario, dataset, arm, base), n in least.items()
    ]


def _hashes(
    records: pd.DataFrame,
) -> Iterator[tuple[tuple[str, str], dict[str, dict[tuple[int, int], str]]]]:
    """Yield each question, and by arm the hash of its training material by seed and fold."""
    if "trained" not in records:
        return
    told = records[records["trained"].fillna("") != ""]
    for (scenario, dataset), table in told.groupby(["scenario", "dataset"], sort=True):
        yield (
            (str(scenario), str(dataset)),
            {
                str(arm): dict(
                    zip(zip(rows["seed"], rows["fold"], strict=True), rows["trained"], strict=True)
                )
                for arm, rows in table.groupby("arm", sort=True)
            },
        )


def _are_alike(one: Mapping[tuple[int, int], str], other: Mapping[tuple[int, int], str]) -> bool:
    """Whether two arms have folds in common, and the same hash in all of these."""
    both = set(one) & set(other)
    return bool(both) and all(one[key] == other[key] for key in both)


def _groups(of_arm: Mapping[str, Mapping[tuple[int, int], str]]) -> list[list[str]]:
    groups: list[list[str]] = []
    for arm, hashes in of_arm.items():
        for group in groups:
            if _are_alike(hashes, of_arm[group[0]]):
                group.append(arm)
                break
        else:
            groups.append([arm])
    return groups
