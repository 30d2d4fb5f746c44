"""Options of a model, looked for by what they score on validation conditions.

The test is left out of the screen before anything is made of it. Trials are kept in a database in
the output folder; each draws by a seed of its own, so that a search that was cut short and goes on
finds what it would have found.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from wildcell.datasets.dataset import Dataset
from wildcell.errors import MissingExtraError, OptionError, StoreError
from wildcell.metrics.metric import METRICS
from wildcell.models.search import Searched, Value, search_space
from wildcell.objective import Objective, OutOfTimeError
from wildcell.plan import Plan, make_plan
from wildcell.run import Fold
from wildcell.scenarios.scenario import Scenario
from wildcell.scenarios.split import make_splits
from wildcell.scenarios.validation import validation_of
from wildcell.store.atomic import write_table, write_text
from wildcell.store.fingerprint import fingerprint
from wildcell.store.options_file import options_text
from wildcell.store.runs import claimed

try:
    import optuna
    from optuna.trial import FrozenTrial, Trial, TrialState
except ImportError as error:
    raise MissingExtraError("wildcell tune", "tune") from error

DATABASE = "trials.db"
TABLE = "trials.csv"
TUNED = "tuned.toml"

SCORED, OUT_OF_TIME, FAILED, CUT_SHORT = "scored", "out of time", "failed", "cut short"
STATES = {SCORED: TrialState.COMPLETE, OUT_OF_TIME: TrialState.PRUNED}
ASKED, ENDED, VALUE, SECONDS, REASON = "asked", "ended", "value", "seconds", "reason"
"""What the database knows of a search, and of each trial besides its options."""

OnTrial = Callable[[int, int, str], object]


def print_nothing(done: int, total: int, name: str) -> None:
    """Report no progress."""


class Tuned(NamedTuple):
    """What a search came to.

    Attributes
    ----------
    options
        The best options found; none where the defaults are.
    value, default
        What they score on validation, and what the defaults do; NaN where they have no score.
    trials
        A row a trial: number, ended, metric, value, seconds, reason, and a column an option.
    file
        The options, for `wildcell run --options`.
    """

    options: Mapping[str, Value]
    value: float
    default: float
    trials: pd.DataFrame
    file: Path


def tune(
    scenario: str | Path | Scenario,
    *,
    model: str,
    trials: int,
    out: Path,
    data: str | Path | Dataset | None = None,
    data_options: Mapping[str, Any] | None = None,
    arm: str | None = None,
    seeds: Sequence[int] | None = None,
    folds: Sequence[int] | None = None,
    genes: str | None = None,
    features: pd.DataFrame | None = None,
    graph: pd.DataFrame | None = None,
    foreign: Sequence[str | Path | Dataset] | None = None,
    metric: str = "effect_r2",
    options: Mapping[str, Any] | None = None,
    max_seconds: float | None = None,
    search_seed: int = 0,
    on_trial: OnTrial = print_nothing,
) -> Tuned:
    """Look for the options of a model that score best on the validation conditions of a scenario.

    The value of a trial is the median, over seeds and folds, of the mean that `wildcell rank`
    would show of the validation conditions. The first trial has the defaults.

    Parameters
    ----------
    scenario, data, data_options, arm, seeds, genes, features, graph, foreign
        As for `wildcell.run.run_scenario`.
    folds
        Those of each seed that are looked at; all if None. What one fold tests, others train on:
        options that have seen nothing of a test are those of its fold alone.
    model
        A model that declares what can be tuned (see `wildcell.models.search.Searched`).
    trials
        How many in all, those of earlier starts included.
    out
        Folder of the search; one that was cut short goes on.
    metric
        What is scored.
    options
        Options that are not looked for.
    max_seconds
        A trial that takes longer, over all seeds and folds, is given up; networks stop by
        themselves.
    search_seed
        Of what is drawn.
    on_trial
        Called before each trial with the number of trials behind it, of all, and its options.

    Raises
    ------
    BenchmarkError
        There is nothing to tune, no validation, no trial that was scored, or the folder holds
        another search.
    """
    if trials < 1:
        raise OptionError(f"A search takes one trial at least; got {trials}.")
    fixed = dict(options or {})
    plan = make_plan(
        scenario,
        models=[model],
        data=data,
        data_options=data_options,
        arm=arm,
        genes=genes,
        features=features,
        graph=graph,
        foreign=foreign,
        metrics=[metric],
        options={model: fixed},
    )
    entry = next(iter(plan.entries.values()))
    space = tuple(item for item in search_space(entry.card) if item.name not in fixed)
    questions = list(_questions(plan, plan.scenario.seeds if seeds is None else seeds, folds))
    objective = Objective(entry, questions, metric, max_seconds)
    asked = fingerprint(
        [fold.asked for fold in questions],
        [entry.card.name, entry.card.version, metric, fixed, max_seconds, search_seed],
        [(item.name, item.low, item.high, item.log, item.choices) for item in space],
    )
    with claimed(out):
        study = _study(out, asked, metric)
        while (done := len(_ended(study))) < trials:
            study.sampler = optuna.samplers.TPESampler(seed=search_seed + done)
            trial = study.ask()
            drawn = {item.name: _draw(trial, item) for item in space if done}
            on_trial(done, trials, ", ".join(f"{key}={value}" for key, value in drawn.items()))
            for name, said in _tried(objective, drawn).items():
                trial.set_user_attr(name, said)
            _close(study, trial.number, metric)
            write_table(out / TABLE, _table(study, metric, space))
        found = _best(study, metric, space)
        chosen = {**fixed, **found.options}
        write_text(out / TUNED, options_text({model: chosen}, said=_said(found, plan, metric)))
        return found._replace(options=chosen, file=out / TUNED)


def _questions(plan: Plan, seeds: Sequence[int], folds: Sequence[int] | None) -> Iterator[Fold]:
    """Yield the validation question of each seed and fold."""
    words = replace(plan.scenario, shams=0)
    for seed in dict.fromkeys(seeds):
        splits = make_splits(
            plan.scenario,
            plan.dataset,
            seed=seed,
            arm=plan.arm,
            features=plan.features,
            foreign=plan.foreign,
        )
        known = [split.fold for split in splits]
        if unknown := sorted(set(folds or ()) - set(known)):
            raise OptionError(f"There is no fold {unknown[0]} of seed {seed}; there are {known}.")
        for split in (split for split in splits if folds is None or split.fold in folds):
            found = validation_of(plan.dataset, split, plan.scenario)
            yield Fold(replace(plan, scenario=words, dataset=found.dataset), found.split)


def _study(out: Path, asked: str, metric: str) -> optuna.Study:
    """Open the database of a search, and give up what was running when it was cut short."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{(out / DATABASE).resolve()}",
        study_name="wildcell",
        direction="maximize" if METRICS.get(metric).best == "high" else "minimize",
        load_if_exists=True,
    )
    if study.user_attrs.get(ASKED, asked) != asked:
        raise StoreError(
            f"{out} holds a search made from other data, split, model, metric or options. Name "
            "another folder, or delete that one."
        )
    study.set_user_attr(ASKED, asked)
    for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        _close(study, trial.number, metric)
    return study


def _close(study: optuna.Study, number: int, metric: str) -> None:
    """Tell a study how a running trial ended; one that does not say was cut short."""
    said = study.get_trials(deepcopy=False)[number].user_attrs
    state = STATES.get(said.get(ENDED, CUT_SHORT), TrialState.FAIL)
    study.tell(number, _told(said, metric) if state is TrialState.COMPLETE else None, state=state)


def _told(said: Mapping[str, Any], metric: str) -> float:
    """Return what the search is to raise or lower: of scores around 0, the distance from it."""
    value = float(said[VALUE])
    return abs(value) if METRICS.get(metric).best == "zero" else value


def _ended(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that came to an end of their own."""
    return [trial for trial in study.get_trials(deepcopy=False) if ENDED in trial.user_attrs]


def _tried(objective: Objective, options: Mapping[str, Value]) -> dict[str, Any]:
    """Return how a trial ended: what options score, or why they do not."""
    started = time.perf_counter()
    value, ended, reason = None, SCORED, ""
    try:
        value = objective.value(options)
    except OutOfTimeError:
        ended = OUT_OF_TIME
    except (Exception, SystemExit) as error:  # noqa: BLE001  a model's crash is a result
        ended, reason = FAILED, f"{type(error).__name__}: {error}"
    return {VALUE: value, REASON: reason, SECONDS: time.perf_counter() - started, ENDED: ended}


def _draw(trial: Trial, item: Searched) -> Value:
    if item.choices:
        drawn = trial.suggest_categorical(item.name, item.choices)
        assert drawn is not None
        return drawn
    if item.is_whole:
        return trial.suggest_int(item.name, int(item.low), int(item.high), log=item.log)
    return trial.suggest_float(item.name, item.low, item.high, log=item.log)


def _table(study: optuna.Study, metric: str, space: Sequence[Searched]) -> pd.DataFrame:
    rows = [
        {
            "number": trial.number,
            ENDED: trial.user_attrs.get(ENDED, CUT_SHORT),
            "metric": metric,
            **{name: trial.user_attrs.get(name) for name in (VALUE, SECONDS, REASON)},
            **{item.name: trial.params.get(item.name) for item in space},
        }
        for trial in study.get_trials(deepcopy=False)
    ]
    return pd.DataFrame(rows).astype({VALUE: float, SECONDS: float})


def _best(study: optuna.Study, metric: str, space: Sequence[Searched]) -> Tuned:
    """Return the best of the trials that were scored, the earliest of equals."""
    first, *_ = ended = _ended(study)
    scored = [trial for trial in ended if trial.user_attrs[ENDED] == SCORED]
    if not scored:
        reason = first.user_attrs[REASON] or first.user_attrs[ENDED]
        raise OptionError(f"None of {len(ended)} trials was scored; the defaults: {reason}.")
    sign = 1 if METRICS.get(metric).best == "high" else -1
    best = max(scored, key=lambda trial: sign * _told(trial.user_attrs, metric))
    return Tuned(
        dict(best.params),
        best.user_attrs[VALUE],
        float("nan") if first.user_attrs[VALUE] is None else first.user_attrs[VALUE],
        _table(study, metric, space),
        Path(),
    )


def _said(found: Tuned, plan: Plan, metric: str) -> str:
    n = (found.trials[ENDED] != CUT_SHORT).sum()
    return (
        f"The best of {n} trials on the validation conditions of {plan.scenario.name}, arm "
        f"{plan.arm}, of {plan.dataset.name}:\n{metric} {found.value:.4f}; "
        f"the defaults: {found.default:.4f}."
    )
