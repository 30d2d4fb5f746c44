"""What a test finds in predicted cells, against scipy, scikit-learn and counting by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse, stats
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

from wildcell.laws.evidence import draw_clouds, random_answer, response_of, take, without
from wildcell.metrics.convention import Convention
from wildcell.metrics.found import find
from wildcell.metrics.metric import METRICS
from wildcell.metrics.tested import rank_tests
from wildcell.results.score import Case, compute, score_case

N, N_GENES, N_CELLS = 4, 150, 20


@pytest.fixture(scope="module")
def clouds():
    rng = np.random.default_rng(0)
    truth = draw_clouds(rng, n=N)
    return truth, random_answer(truth, rng)


@pytest.fixture(scope="module")
def responses(clouds):
    return [response_of(one) for one in clouds]


def score(name, truth, prediction):
    return compute(METRICS.get(name), truth, prediction)[0]


def signs(cells, control, kept, test):
    """Find genes with scipy; return p-values and the directions of what is found."""
    if test == "welch":
        found = stats.ttest_ind(cells, control, equal_var=False)
        direction, p = np.sign(found.statistic), found.pvalue
    else:
        found = stats.mannwhitneyu(cells, control, method="asymptotic")
        direction, p = np.sign(found.statistic - len(cells) * len(control) / 2), found.pvalue
    is_found = np.zeros(len(kept), dtype=bool)
    is_found[kept] = stats.false_discovery_control(p[kept]) < 0.05
    return p, np.where(is_found, direction, 0)


@pytest.fixture(scope="module", params=["mann_whitney", "welch"])
def by_hand(request, clouds, responses):
    """Of each perturbation: kept genes, true and predicted directions, predicted p-values."""
    truth, answer = clouds
    rows = []
    for x, y, kept in zip(truth.cells, answer.cells, responses[0].kept_genes, strict=True):
        _, true = signs(x, truth.control, kept, request.param)
        p, predicted = signs(y, answer.control, kept, request.param)
        rows.append((kept, true, predicted, p))
    return "_welch" if request.param == "welch" else "", rows


def test_what_is_found_is_what_scipy_finds(by_hand, responses):
    ending, rows = by_hand
    found = find(*responses, "welch" if ending else "mann_whitney")
    for row, (kept, true, predicted, p) in enumerate(rows):
        np.testing.assert_array_equal(found.true[row], true)
        np.testing.assert_array_equal(found.predicted[row], predicted)
        np.testing.assert_allclose(found.p_value[row][kept], p[kept], rtol=1e-3)


def test_shares_are_counts_of_genes_in_one_direction(by_hand, responses):
    ending, rows = by_hand
    hits = np.array([np.sum((true != 0) & (true == predicted)) for _, true, predicted, _ in rows])
    n_true, n_predicted = (np.array([np.count_nonzero(row[i]) for row in rows]) for i in (1, 2))
    for name, expected in {
        "recall": hits / n_true,
        "precision": hits / n_predicted,
        "jaccard": hits / (n_true + n_predicted - hits),
        "count": np.log((n_predicted + 1) / (n_true + 1)),
    }.items():
        found = score(f"found_{name}{ending}", *responses)
        np.testing.assert_allclose(found, expected, err_msg=name)


def test_rankings_and_correlation_are_those_of_scikit_learn(by_hand, responses):
    ending, rows = by_hand
    auprc, auroc, mcc = (
        score(f"found_{name}{ending}", *responses) for name in ("auprc", "auroc", "mcc")
    )
    for row, (kept, true, predicted, p) in enumerate(rows):
        labels = true[kept] != 0
        precision, chance = average_precision_score(labels, -p[kept]), labels.mean()
        assert auprc[row] == pytest.approx((precision - chance) / (1 - chance), abs=1e-3)
        assert auroc[row] == pytest.approx(roc_auc_score(labels, -p[kept]), abs=1e-3)
        pairs = [np.concatenate([one[kept] > 0, one[kept] < 0]) for one in (true, predicted)]
        assert mcc[row] == pytest.approx(matthews_corrcoef(*pairs))


@pytest.mark.parametrize("k", [20, 50, 100, None])
def test_overlap_and_precision_are_of_the_top_by_fold_change(k, by_hand, responses):
    ending, rows = by_hand
    of_top = str(k or "n")
    overlap = score(f"found_overlap_{of_top}{ending}", *responses)
    precision = score(f"found_precision_{of_top}{ending}", *responses)
    for row, (_, true, predicted, _) in enumerate(rows):
        most = k or np.count_nonzero(true)
        tops = []
        for found, response in zip((true, predicted), responses, strict=True):
            genes = sorted(np.flatnonzero(found), key=lambda g: -abs(response.lfc[row, g]))[:most]
            tops.append({(gene, found[gene]) for gene in genes})
        hits = len(tops[0] & tops[1])
        assert overlap[row] == pytest.approx(hits / len(tops[0]))
        assert precision[row] == pytest.approx(hits / len(tops[1]) if tops[1] else 0.0)


def test_a_gene_that_is_found_to_move_the_wrong_way_is_no_hit(clouds):
    truth, opposite = (
        response_of(one) for one in (clouds[0], clouds[0].with_delta(-clouds[0].delta))
    )
    for name in ("recall", "precision", "jaccard", "overlap_20", "precision_n"):
        assert (score(f"found_{name}", truth, opposite) == 0).all(), name
    assert (score("found_mcc", truth, opposite) < 0.05).all()


def test_an_answer_in_which_nothing_is_found_has_precision_nothing(clouds):
    truth, silent = response_of(clouds[0]), response_of(clouds[0].unchanged())
    for name in ("recall", "precision", "jaccard", "mcc", "precision_20"):
        assert (score(f"found_{name}", truth, silent) == 0).all(), name
    assert (score("found_count", truth, silent) < -2).all()


def with_n(response, n):
    """Return a response with other numbers of cells, taken in turn."""
    cells = tuple(
        sparse.csr_matrix(sparse.vstack([one] * 5)[:k])
        for one, k in zip(response.cells, n, strict=True)
    )
    return replace(response, cells=cells, n_cells=np.array(n))


def test_as_many_cells_are_tested_on_both_sides(responses):
    truth, prediction = responses
    found = find(truth, with_n(prediction, [60] * N), "mann_whitney")
    few = find(truth, with_n(prediction, [15, 20, 60, 20]), "mann_whitney")
    same = find(truth, truth, "mann_whitney")
    np.testing.assert_array_equal(found.true, same.true)
    np.testing.assert_array_equal(few.true[1:], same.true[1:])
    assert np.count_nonzero(few.true[0]) < np.count_nonzero(same.true[0])


def test_the_numbers_of_cells_that_were_tested_are_stated(responses):
    truth, prediction = responses
    table = score_case(
        Case(truth, with_n(prediction, [12, 20, 60, 20]), prediction, np.zeros(N, dtype=bool)),
        [METRICS.get("found_recall"), METRICS.get("energy_distance")],
    )
    of_tests = table[table["metric"] == "found_recall"]
    assert of_tests["n_truth"].tolist() == of_tests["n_prediction"].tolist() == [12, 20, 20, 20]
    of_pairs = table[table["metric"] == "energy_distance"]
    assert of_pairs["n_prediction"].tolist() == [12, 20, 60, 20]


def test_an_answer_of_too_few_cells_is_not_excused(responses):
    """Where enough is found in the truth, two cells that show nothing count as silence."""
    truth, prediction = responses
    table = score_case(
        Case(truth, with_n(prediction, [2, 20, 20, 20]), prediction, np.zeros(N, dtype=bool)),
        [METRICS.get("found_recall")],
    )
    assert table["status"].tolist() == ["missing", "ok", "ok", "ok"]
    assert table["null"].tolist() == [0.0] * N


def test_a_truth_with_too_few_found_genes_defines_nothing(responses):
    truth, prediction = (replace(one, convention=Convention(min_de_genes=149)) for one in responses)
    case = Case(truth, prediction, prediction, np.zeros(N, dtype=bool))
    assert set(score_case(case, [METRICS.get("found_mcc")])["status"]) == {"too_few_de_genes"}


def test_means_alone_have_no_tests(responses):
    truth, prediction = responses
    means = replace(prediction, cells=None, control_cells=None)
    case = Case(truth, means, prediction, np.zeros(N, dtype=bool))
    assert set(score_case(case, [METRICS.get("found_recall")])["status"]) == {"needs_cells"}


def test_a_prediction_is_tested_once_for_all_metrics(responses, monkeypatch):
    tested = []
    monkeypatch.setattr(
        "wildcell.metrics.found.rank_tests",
        lambda *arguments: tested.append(1) or rank_tests(*arguments),
    )
    truth, prediction = responses[0], without(take(responses[1], np.arange(N), np.arange(150)), 1)
    for name in ("recall", "precision", "mcc", "auprc", "overlap_20", "count"):
        assert np.isnan(score(f"found_{name}", truth, prediction)).tolist() == [0, 1, 0, 0]
    assert len(tested) == 1


def test_each_metric_is_there_by_either_test_and_counted_once():
    for name in METRICS.names():
        if name.startswith("found_") and not name.endswith("_welch"):
            assert METRICS.get(f"{name}_welch").twin_of == name


def test_fold_changes_are_correlated_over_the_differential_genes(responses):
    truth, prediction = responses
    found = score("de_spearman_lfc", truth, prediction)
    for row in range(N):
        genes = truth.de.padj[row] < 0.05
        expected = stats.spearmanr(prediction.lfc[row][genes], truth.lfc[row][genes]).statistic
        assert found[row] == pytest.approx(expected)
