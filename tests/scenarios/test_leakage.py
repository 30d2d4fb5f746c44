"""Planted leaks are found, one by one, and clean questions are not accused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from wildcell.arrays import as_csr
from wildcell.cli.audit import audit as audit_command
from wildcell.datasets.dataset import Dataset
from wildcell.errors import BenchmarkError, OptionError
from wildcell.names import CONDITION, CONTROL, UNS
from wildcell.scenarios.folder import write_question
from wildcell.scenarios.graph import GeneGraph
from wildcell.scenarios.graph_edges import edges_of
from wildcell.scenarios.leak import Kind, Severity
from wildcell.scenarios.leakage import audit
from wildcell.scenarios.pose import Question, pose
from wildcell.scenarios.scenario import load_scenario
from wildcell.scenarios.spelling import Lexicon, forms_of_name
from wildcell.scenarios.split import make_splits
from wildcell.store.atomic import write_cells
from wildcell.testing import toy_screen

SCREEN = {"n_genes": 300, "n_perturbations": 12, "n_combinations": 8}


def posed(name="unseen-context", *, seed=0, screen=None, scenario=None, **options):
    screen = screen or toy_screen(**{**SCREEN, "seed": seed, **options})
    scenario = scenario or load_scenario(name)
    split = make_splits(scenario, screen, seed=seed)[0]
    return split, pose(screen, split, scenario)


def with_cells(cells, X, obs):
    """Return cells with others behind them."""
    return replace(
        cells,
        X=as_csr(sparse.vstack([cells.X, X])),
        obs=pd.concat([cells.obs, obs], ignore_index=True),
        embedding=None,
    )


def trained_on(question, X, obs, **labels):
    """Return the question with more training cells, under the labels of a trained condition."""
    task, truth = question
    borrowed = task.train.obs[~task.train.is_control].iloc[[0]]
    relabelled = obs.assign(**{name: borrowed[name].iloc[0] for name in CONDITION}).assign(**labels)
    return Question(replace(task, train=with_cells(task.train, X, relabelled)), truth)


def renamed(question, old, new, component=None):
    """Return the question with a trained perturbation called otherwise."""
    task, truth = question
    parts = task.query.components
    names = [new] if component is None else component
    more = pd.DataFrame(
        {"perturbation": new, "component": names, "dose": np.nan, "unit": "", "time": np.nan}
    )
    obs = task.train.obs.assign(perturbation=task.train.obs["perturbation"].replace({old: new}))
    query = replace(task.query, components=pd.concat([parts, more], ignore_index=True))
    return Question(replace(task, train=replace(task.train, obs=obs), query=query), truth)


def one_leak(question, **options):
    """Audit a question in which one thing leaks, and return it."""
    found = audit(*question, **options)
    assert len({leak.kind for leak in found.leaks}) == 1, [str(leak) for leak in found.leaks]
    return found.leaks[0]


def a_trained_single(question):
    names = set(question.task.train.obs["perturbation"]) - {CONTROL}
    return min(name for name in names if "+" not in name)


def a_test_single(question):
    return next(key for key in question.truth.conditions["perturbation"] if "+" not in key)


# Ten leaks, each planted into a clean question.


def test_leak_1_copied_test_cells():
    _, question = posed()
    test = question.truth.test
    leak = one_leak(trained_on(question, test.X[:7], test.obs.iloc[:7]))
    assert (leak.kind, leak.n, leak.stops) == (Kind.COPIED_CELLS, 7, True)
    assert "test 0 (" in leak.examples[0]


@pytest.mark.parametrize("share", [0.7, 0.9])
def test_leak_2_thinned_test_cells(share):
    _, question = posed()
    test = question.truth.test
    counts = np.random.default_rng(0).binomial(test.X[:40].toarray().astype(int), share)
    leak = one_leak(trained_on(question, as_csr(counts), test.obs.iloc[:40]))
    assert (leak.kind, leak.n, leak.stops) == (Kind.THINNED_CELLS, 40, True)


def test_leak_3_test_cells_set_aside_for_choosing_options():
    _, (task, truth) = posed("unseen-perturbation")
    borrowed = task.val.obs[~task.val.is_control].iloc[[0] * 5]
    val = with_cells(task.val, truth.test.X[:5], borrowed)
    leak = one_leak((replace(task, val=val), truth))
    assert (leak.kind, leak.n) == (Kind.COPIED_CELLS, 5)
    assert "equal to val cells" in leak.what


@pytest.mark.parametrize("pooled", [lambda X: X.sum(axis=0), lambda X: np.rint(X.mean(axis=0))])
@pytest.mark.parametrize("side", ["train", "val"])
def test_sum_or_mean_of_the_test_cells_of_a_condition(pooled, side):
    _, (task, truth) = posed("unseen-perturbation")
    obs = truth.test.obs
    tested = a_test_single(Question(task, truth))
    is_one = ((obs["perturbation"] == tested) & (obs["context"] == "context-1")).to_numpy()
    row = as_csr(np.atleast_2d(pooled(truth.test.X[is_one].toarray())))
    cells = getattr(task, side)
    borrowed = cells.obs[~cells.is_control].iloc[[0]]
    task = replace(task, **{side: with_cells(cells, row, borrowed)})
    leak = one_leak((task, truth))
    assert (leak.kind, leak.n, leak.stops) == (Kind.POOLED_CELLS, 1, True)
    assert leak.examples == (f"{tested} in context-1 as {side} {cells.n}",)


@pytest.mark.parametrize("side", ["train", "given"])
def test_leak_4_kept_controls(side):
    _, (task, truth) = posed()
    kept = truth.kept
    if side == "train":
        task = replace(task, train=with_cells(task.train, kept.X[:6], kept.obs.iloc[:6]))
    else:
        controls = with_cells(task.query.controls, kept.X[:6], kept.obs.iloc[:6])
        task = replace(task, query=replace(task.query, controls=controls))
    leak = one_leak((task, truth))
    assert (leak.kind, leak.n, leak.stops) == (Kind.KEPT_CONTROLS, 6, True)


@pytest.mark.parametrize("name", ["{}_guide2", "sg{}", "{}g3", "{}-1", "{}_P1P2", "{}"])
def test_leak_5_held_out_perturbation_is_trained_on_under_another_name(name):
    _, question = posed("unseen-perturbation")
    tested = a_test_single(question)
    other = name.format(tested) if name != "{}" else tested.lower()
    leak = one_leak(renamed(question, a_trained_single(question), other))
    assert (leak.kind, leak.stops) == (Kind.RENAMED_PERTURBATION, True)
    assert leak.examples == (f"{tested} as {other}",)


def test_leak_6_components_in_another_order():
    _, question = posed("unseen-combination")
    tested = next(key for key in question.truth.conditions["perturbation"] if "+" in key)
    turned = "_".join(reversed(tested.split("+")))
    leak = one_leak(renamed(question, a_trained_single(question), turned))
    assert leak.kind is Kind.REORDERED_COMPONENTS
    assert leak.examples == (f"{tested} as {turned}",)


def test_leak_7_held_out_condition_in_training():
    _, question = posed()
    obs = question.truth.test.obs.iloc[:3]
    noise = as_csr(np.random.default_rng(0).poisson(5, (3, question.truth.test.X.shape[1])))
    labels = {name: obs[name].to_numpy() for name in CONDITION}
    leak = one_leak(trained_on(question, noise, obs, **labels, replicate=""))
    assert (leak.kind, leak.stops) == (Kind.TRAINED_CONDITIONS, True)


def validated_on(question, cells, **labels):
    """Return the question with unrelated counts in validation, labelled as some cells are."""
    task, truth = question
    noise = np.random.default_rng(0).poisson(5, (cells.n, cells.X.shape[1]))
    val = with_cells(task.val, as_csr(noise), cells.obs.assign(**labels))
    return Question(replace(task, val=val), truth)


def test_held_out_condition_in_validation():
    _, question = posed("unseen-perturbation")
    leak = one_leak(validated_on(question, question.truth.test, replicate=""))
    assert (leak.kind, leak.stops) == (Kind.TRAINED_CONDITIONS, True)
    assert "are in validation" in leak.what


def test_held_out_perturbation_under_another_name_in_validation():
    _, (task, truth) = posed("unseen-perturbation")
    tested = a_test_single(Question(task, truth))
    parts = task.query.components
    other = parts[parts["perturbation"] == tested].assign(perturbation=f"sg{tested}")
    other["component"] = f"sg{tested}"
    query = replace(task.query, components=pd.concat([parts, other], ignore_index=True))
    question = Question(replace(task, query=query), truth)
    leak = one_leak(
        validated_on(question, truth.test, perturbation=f"sg{tested}", context="elsewhere")
    )
    assert (leak.kind, leak.stops) == (Kind.RENAMED_PERTURBATION, True)


def test_sample_of_a_tested_condition_in_validation():
    _, question = posed("unseen-perturbation")
    found = audit(*validated_on(question, question.truth.test))
    assert Kind.SHARED_REPLICATES in {leak.kind for leak in found.leaks}


BROKEN = [
    ("unseen-perturbation", {"context": "elsewhere"}),
    ("unseen-context", {"perturbation": "G9999"}),
    ("unseen-both", {"context": "elsewhere"}),
    ("unseen-both", {"perturbation": "G9999"}),
    ("unseen-combination", {"context": "elsewhere"}),
]


@pytest.mark.parametrize(("name", "labels"), BROKEN)
def test_what_is_claimed_never_to_have_been_learned_from_is_in_validation(name, labels):
    """The tested perturbation in another context, or another perturbation in the tested one."""
    _, question = posed(name, n_contexts=4)
    labels = {"replicate": "", **labels}
    leak = one_leak(validated_on(question, question.truth.test, **labels))
    assert (leak.kind, leak.stops) == (Kind.BROKEN_CLAIM, True)


def test_tested_perturbation_trained_on_in_a_combination():
    _, question = posed("unseen-perturbation")
    tested, other = a_test_single(question), a_trained_single(question)
    question = renamed(question, other, f"{tested}+{other}", [tested, other])
    leak = one_leak(question)
    assert leak.kind is Kind.BROKEN_CLAIM
    assert f"{tested}+{other}" in leak.examples[0]


def test_tested_drug_trained_on_at_another_dose(tmp_path, capsys):
    screen = with_doses(toy_screen(**CLEAN["doses"]))
    roles = screen.conditions[CONDITION].assign(category="single", role="train")
    roles.loc[roles["perturbation"] == "drug 0 hydrochloride@10", "role"] = "test"
    roles.to_csv(tmp_path / "split.csv", index=False)
    write_cells(tmp_path / "screen.h5ad", screen.cells)
    place = {"data": str(tmp_path / "screen.h5ad")}
    code, said = audited(capsys, tmp_path / "split.csv", **place)
    assert code == 1
    assert "drug 0 hydrochloride@10 in context-1 by drug 0 hydrochloride@" in said
    code, said = audited(capsys, tmp_path / "split.csv", **place, claim="dose")
    assert code == 0
    roles.drop(columns="category").to_csv(tmp_path / "split.csv", index=False)
    code, said = audited(capsys, tmp_path / "split.csv", **place)
    assert code == 0
    assert "not checked: what is claimed never to have been learned from (nothing says" in said


@pytest.mark.parametrize("arm", ["merge-after", "unmeasured", "transfer"])
def test_foreign_cells_break_no_claim(arm):
    screen, foreign = (
        toy_screen(**SCREEN),
        Dataset("other", toy_screen(**SCREEN, cell_seed=5).cells),
    )
    scenario = load_scenario("cross-data-set")
    split = make_splits(scenario, screen, seed=0, arm=arm, foreign=[foreign])[0]
    found = audit(*pose(screen, split, scenario, foreign=[foreign]))
    assert Kind.BROKEN_CLAIM not in {leak.kind for leak in found.leaks}


@pytest.mark.parametrize("name", ["unseen-pair", "unseen-both", "unseen-dose", "few-shot"])
def test_splits_keep_what_they_claim(name):
    screen = toy_screen(n_genes=100, n_perturbations=18, n_combinations=0, n_contexts=4)
    screen = with_doses(screen) if name == "unseen-dose" else screen
    found = audit(*posed(name, screen=screen)[1])
    assert found.leaks == ()
    assert "what is claimed never to have been learned from" in found.checks


def test_leak_8_genes_chosen_on_all_cells():
    scenario = replace(load_scenario("unseen-context"), genes="hvg:100", fit_on="all")
    _, question = posed(scenario=scenario)
    leak = one_leak(question)
    assert (leak.kind, leak.n, leak.stops) == (Kind.CHOSEN_GENES, 100, True)


def test_leak_9_cells_of_one_sample_on_both_sides():
    _, question = posed("iid")
    marked = one_leak(question)
    assert (marked.kind, marked.severity) == (Kind.SHARED_REPLICATES, Severity.MARK)
    assert one_leak(question, strict=True).stops


@pytest.mark.parametrize("made_of", ["deltas", "axes"])
def test_leak_10_features_made_of_test_cells(made_of):
    _, (task, truth) = posed(n_perturbations=30, n_contexts=2)
    conditions, test = truth.test.condition_moments()
    is_single = ~conditions["perturbation"].str.contains("+", regex=False).to_numpy()
    deltas = (test.mean - truth.kept.control_moments()[1].mean)[is_single]
    names = pd.Index(conditions["perturbation"][is_single])
    axes = np.linalg.svd(deltas - deltas.mean(axis=0), full_matrices=False)[2]
    values = deltas if made_of == "deltas" else deltas @ axes[:5].T
    features = pd.DataFrame(values, index=names).rename(columns=str)
    leak = one_leak((replace(task, query=replace(task.query, features=features)), truth))
    assert (leak.kind, leak.stops) == (Kind.TEST_FEATURES, True)


def test_features_that_say_they_are_of_test_cells():
    _, question = posed()
    leak = one_leak(question, feature_origin={"cells": "all"})
    assert leak.kind is Kind.TEST_FEATURES
    assert audit(*question, feature_origin={"cells": "train"}).leaks == ()


# Clean questions: five kinds of screen, four scenarios.


def similar_deltas(question, *, noise):
    """Return the graph of cosines between deltas of tested singles, as measured or noisier."""
    task, truth = question
    conditions, test = truth.test.condition_moments()
    is_single = ~conditions["perturbation"].str.contains("+", regex=False).to_numpy()
    deltas = (test.mean - truth.kept.control_moments()[1].mean)[is_single]
    errors = np.sqrt(test.squared_error[is_single])
    deltas = deltas + noise * errors * np.random.default_rng(0).normal(size=deltas.shape)
    units = deltas / np.linalg.norm(deltas, axis=1, keepdims=True)
    weights = np.maximum(units @ units.T, 0)
    np.fill_diagonal(weights, 0)
    names = conditions["perturbation"][is_single].to_numpy(dtype=object)
    graph = edges_of(GeneGraph(names, as_csr(sparse.csr_matrix(weights))))
    return Question(replace(task, query=replace(task.query, graph=graph)), truth)


def test_leak_11_a_graph_made_of_test_cells():
    _, question = posed(n_perturbations=30, n_contexts=2)
    leak = one_leak(similar_deltas(question, noise=0))
    assert (leak.kind, leak.stops) == (Kind.TEST_GRAPH, True)
    assert "cosine of test deltas" in leak.what
    assert audit(*similar_deltas(question, noise=1)).leaks == ()


def test_a_graph_that_says_it_is_of_test_cells():
    _, question = posed()
    honest = similar_deltas(question, noise=1)
    assert one_leak(honest, graph_origin={"cells": "all"}).kind is Kind.TEST_GRAPH


def test_a_graph_whose_weights_are_alike_cannot_be_told():
    _, (task, truth) = posed(n_perturbations=30, n_contexts=2)
    made, _ = similar_deltas((task, truth), noise=0)
    alike = replace(made.query, graph=made.query.graph.assign(weight=1.0))
    found = audit(replace(task, query=alike), truth)
    assert found.skipped["graph made from test cells"] == "the weights of the graph are all alike"


def with_doses(screen):
    """Return the screen with every single perturbation but those in pairs at three doses."""
    cells = screen.cells.copy()
    parts, keys = [], cells.obs["perturbation"].astype(str).to_numpy(dtype=object)
    for number, key in enumerate(sorted(set(keys) - {CONTROL})):
        name, dose = f"drug {number // 3} hydrochloride", 10.0 ** (number % 3)
        new = f"{name}@{dose:g}"
        keys[keys == key] = new
        parts.append((new, name, dose, "nM", np.nan))
    cells.obs["perturbation"] = pd.Categorical(keys)
    cells.obs["modality"] = "drug"
    columns = ["perturbation", "component", "dose", "unit", "time"]
    uns = {**cells.uns[UNS], "components": pd.DataFrame(parts, columns=columns)}
    cells.uns[UNS] = {name: value for name, value in uns.items() if name != "features"}
    return Dataset("doses", cells)


CLEAN = {
    "toy": {},
    "shallow": {"n_genes": 300, "depth": 150},
    "alike": {
        "n_genes": 300,
        "dispersion": 0,
        "context_spread": 0,
        "specific_strength": 0,
        "shared_strength": 0,
        "depth_spread": 0,
    },
    "telling features": {
        "n_genes": 200,
        "n_perturbations": 60,
        "n_combinations": 30,
        "feature_informativeness": 1,
        "n_features": 5,
        "interaction_strength": 0,
        "specific_strength": 0.6,
    },
    "doses": {"n_genes": 200, "n_combinations": 0, "n_perturbations": 18},
}
SCENARIOS = ["unseen-context", "unseen-perturbation", "unseen-combination", "iid"]


@pytest.mark.parametrize("options", CLEAN)
@pytest.mark.parametrize("name", SCENARIOS)
def test_clean_questions_are_not_accused(name, options):
    """Twenty: of the lenient scenario nothing is said but that it splits samples."""
    seed = 7 * SCENARIOS.index(name) + list(CLEAN).index(options)
    screen = toy_screen(**CLEAN[options], seed=seed)
    if options == "doses":
        screen = with_doses(screen)
        name = "unseen-perturbation" if name == "unseen-combination" else name
    found = audit(*posed(name, seed=seed, screen=screen)[1])
    assert {leak.kind for leak in found.leaks} <= (
        {Kind.SHARED_REPLICATES} if name == "iid" else set()
    )
    assert not found.stops


SAME = [
    ("KLF1_guide2", "KLF1"),
    ("KLF1-1", "KLF1_2"),
    ("sgRNA_KLF1_1", "klf1"),
    ("TNF-alpha", "TNFalpha"),
    ("TNF-\u03b1", "Tnf alpha"),
    ("Erlotinib hydrochloride", "erlotinib (HCl)"),
    ("Imatinib mesylate", "Imatinib"),
    ("Imatinib_10uM", "imatinib 100 nM"),
    ("ENSG00000105610.5", "KLF1"),
    ("KLF1_BAK1", "BAK1+KLF1"),
    ("EKLF", "KLF1"),
]
DIFFERENT = [
    ("HBG1", "HBG2"),
    ("IFNGR1", "IFNGR2"),
    ("NFKB1", "NFKB2"),
    ("STAT5A", "STAT5B"),
    ("G0001", "G00011"),
    ("NKX2-1", "NKX2-5"),
    ("KRTAP1-11", "KRTAP11-1"),
    ("IL-1", "IL-2"),
    ("zinc sulfate", "zinc acetate"),
    ("sodium phosphate", "sodium acetate"),
    ("ethyl acetate", "ethyl lactate"),
    ("SGK1", "K1"),
]
LEXICON = Lexicon({"KLF1", "NKX2-1"}, {"KLF1", "BAK1"}, {"ENSG00000105610": "KLF1", "EKLF": "KLF1"})


@pytest.mark.parametrize(("one", "other"), SAME)
def test_names_of_one_perturbation_share_a_form(one, other):
    assert forms_of_name(one, LEXICON) & forms_of_name(other, LEXICON)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_names_of_two_perturbations_share_none(one, other):
    assert not forms_of_name(one, LEXICON) & forms_of_name(other, LEXICON)


def test_aliases_tell_what_spelling_cannot():
    _, question = posed("unseen-perturbation")
    tested = a_test_single(question)
    question = renamed(question, a_trained_single(question), "EKLF")
    assert audit(*question).leaks == ()
    leak = one_leak(question, aliases={"EKLF": tested})
    assert leak.examples == (f"{tested} as EKLF",)


def test_perturbation_trained_on_elsewhere_has_no_other_name_to_hide():
    """In an unseen context what is tested is trained on by its own name."""
    _, question = posed()
    tested, other = a_test_single(question), max(question.task.train.obs["perturbation"])
    question = renamed(question, other, f"{tested}_guide2")
    assert Kind.RENAMED_PERTURBATION not in {leak.kind for leak in audit(*question).leaks}


@pytest.mark.parametrize(("replicates", "n_marks"), [("patient-{}", 1), ("rep{}", 0)])
def test_donors_in_contexts_of_both_sides_are_marked(replicates, n_marks):
    screen = toy_screen(**SCREEN)
    donors = [replicates.format(row % 4) for row in range(screen.cells.n_obs)]
    screen.cells.obs["replicate"] = pd.Categorical(donors)
    leaks = audit(*posed(screen=screen)[1]).leaks
    assert [leak.severity for leak in leaks] == [Severity.MARK] * n_marks


def test_screens_without_named_replicates_are_not_said_to_be_checked_for_them():
    screen = toy_screen(**SCREEN)
    screen.cells.obs["replicate"] = pd.Categorical([""] * screen.cells.n_obs)
    found = audit(*posed("iid", screen=screen)[1])
    assert found.leaks == ()
    assert found.skipped["samples on both sides"] == "no replicates are named"


@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_genes_of_a_task_folder_are_chosen_anew(fit_on, tmp_path, capsys):
    """The flag is taken off, as by someone who chose the genes beforehand."""
    screen = toy_screen(**SCREEN, context_spread=1.0)
    scenario = replace(load_scenario("unseen-context"), genes="hvg:60", fit_on=fit_on)
    split, (task, truth) = posed(screen=screen, scenario=scenario)
    unflagged = replace(truth, origin=replace(truth.origin, flags=()))
    place = tmp_path / "task-truth.h5ad"
    write_question(Question(task, unflagged), split, task_folder=tmp_path / "task", truth=place)
    write_cells(tmp_path / "screen.h5ad", screen.cells)
    code, said = audited(capsys, tmp_path / "task", data=str(tmp_path / "screen.h5ad"))
    assert code == (fit_on == "all")
    assert ("Genes were chosen on all cells" in said) == (fit_on == "all")


def audited(capsys, *arguments, **options):
    """Run the command, and return its exit code and what it printed."""
    try:
        audit_command(*arguments, **options)
    except SystemExit as end:
        return end.code, capsys.readouterr().out
    return 0, capsys.readouterr().out


def test_command_audits_a_split_beside_its_data(tmp_path, capsys):
    screen = toy_screen(**SCREEN)
    split, _ = posed("unseen-perturbation", screen=screen)
    split.conditions.to_csv(tmp_path / "split.csv", index=False)
    write_cells(tmp_path / "clean.h5ad", screen.cells)
    code, said = audited(capsys, tmp_path / "split.csv", data=str(tmp_path / "clean.h5ad"))
    assert code == 0
    assert "No leaks found" in said
    assert "not checked: kept controls among those seen" in said

    roles = split.roles_of_cells(screen)
    X = screen.cells.X.tolil()
    X[np.flatnonzero(roles == "train")[:4]] = X[np.flatnonzero(roles == "test")[:4]]
    screen.cells.X = X.tocsr()
    write_cells(tmp_path / "leaking.h5ad", screen.cells)
    code, said = audited(capsys, tmp_path / "split.csv", data=str(tmp_path / "leaking.h5ad"))
    assert code == 1
    assert said.startswith("LEAK: 4 test cells are equal to train cells: test 0 (")


def test_command_takes_a_table_of_cells(tmp_path, capsys):
    screen = toy_screen(**SCREEN)
    roles = np.where(np.arange(screen.cells.n_obs) % 2, "train", "test")
    table = pd.DataFrame({"cell": screen.cells.obs_names, "role": roles})
    table.to_csv(tmp_path / "split.csv", index=False)
    write_cells(tmp_path / "screen.h5ad", screen.cells)
    code, said = audited(capsys, tmp_path / "split.csv", data=str(tmp_path / "screen.h5ad"))
    assert code == 1
    assert "conditions that are held out are trained on" in said
    table.assign(category="seen").to_csv(tmp_path / "split.csv", index=False)
    code, said = audited(capsys, tmp_path / "split.csv", data=str(tmp_path / "screen.h5ad"))
    assert code == 0
    assert "mark: " in said


def test_command_audits_a_task_folder_without_its_truth(tmp_path, capsys):
    screen = toy_screen(**SCREEN)
    split, question = posed(screen=screen)
    write_question(question, split, task_folder=tmp_path / "task", truth=tmp_path / "truth.h5ad")
    write_cells(tmp_path / "screen.h5ad", screen.cells)
    code, said = audited(capsys, tmp_path / "task")
    assert code == 0
    assert "not checked: test cells among those seen (the test cells are not at hand)" in said
    code, said = audited(capsys, tmp_path / "task", data=str(tmp_path / "screen.h5ad"))
    assert code == 0
    assert "not checked: test cells" not in said


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("context,role\na,test\n", "no split"),
        ("context,perturbation,role\na,b,probe\n", "unknown roles"),
        ("context,perturbation,role\na,b,test\na,b,train\n", "two roles"),
        ("context,perturbation,role,category\na,b,test,seen\n", "one of cells"),
        ("context,perturbation,role\na,b,test\n", "no cell of the data set the role train"),
    ],
)
def test_tables_that_are_no_split_are_refused(table, words, tmp_path):
    (tmp_path / "split.csv").write_text(table)
    with pytest.raises(BenchmarkError, match=words):
        audit_command(tmp_path / "split.csv", data="simulated")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nosuch", r"There is no .*nosuch; name a task folder .* or a csv"),
        ("other.csv", "is no split: it needs the column role .*; it has a, b"),
        (
            "roles.csv",
            "which role each condition has, .* name the data set that it splits with --d",
        ),
    ],
)
def test_what_cannot_be_audited_is_told_before_data_is_asked_for(name, words, tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "roles.csv").write_text("context,perturbation,role\nc,p,test\n")
    with pytest.raises(OptionError, match=words):
        audit_command(tmp_path / name)


def shallow(screen, share):
    """Return the screen with its counts thinned, so that many cells tell little."""
    X = screen.cells.X.copy()
    X.data = np.random.default_rng(0).binomial(X.data.astype(int), share).astype(X.dtype)
    X.eliminate_zeros()
    cells = screen.cells.copy()
    cells.X = X
    cells.obs["total_counts"] = np.asarray(X.sum(axis=1)).ravel()
    return Dataset(screen.name, cells)


def test_cells_of_which_nothing_can_be_told_are_counted():
    _, (task, truth) = posed(screen=shallow(toy_screen(depth=1000), 0.004))
    found = audit(task, truth)
    assert not found.leaks
    (said,) = [words for words in found.skipped if words.endswith("test cells are copied")]
    n_untold, n_cells = int(said.split()[1]), int(said.split()[3])
    assert n_cells == truth.test.n
    assert n_untold > 0.9 * n_cells
    reason = found.skipped["thinned copies of test cells"]
    assert reason.endswith("of copies planted at 75% of the depth, 0% are found")


def test_of_deep_cells_nothing_is_left_untold():
    _, (task, truth) = posed(screen=toy_screen(n_genes=300, depth=5000))
    assert not [words for words in audit(task, truth).skipped if "cop" in words]
