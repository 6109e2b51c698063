import numpy as np
import pytest

from customers.ml_service.training import search
from customers.ml_service.training.fitting import SETTINGS, fit_forest
from customers.ml_service.training.search import Candidate, choose, find_settings, growing
from customers.ml_service.training.validation import fold_of, splits_of

from .labelled import labelled


@pytest.fixture
def small_grid(monkeypatch):
    monkeypatch.setattr(search, "GRID", {"max_leaf_nodes": (2, 12), "max_features": (1, 4)})


def candidate(roc_auc, nodes):
    return Candidate({}, roc_auc, nodes)


def test_the_first_trees_of_a_forest_are_the_smaller_forest_of_the_same_seed():
    data = labelled()
    fold = fold_of(data, splits_of(data.labels, 1, choosing=True)[0])
    fit = {n: fit_forest(fold.customers, fold.labels, settings={**SETTINGS, "n_estimators": n}, seed=7) for n in (3, 8)}
    for (scores, nodes), model in zip(growing(fit[8], fold.unseen, (3, 8)), fit.values(), strict=True):
        assert scores == pytest.approx(model.predict_proba(fold.unseen)[:, 1], abs=1e-12)
        assert nodes == sum(tree.tree_.node_count for tree in model.estimators_)


class TestChoice:
    def test_the_smallest_within_the_tolerance_of_the_best_wins(self):
        small, middle, best = candidate(0.8589, 100), candidate(0.8592, 200), candidate(0.8600, 900)
        found = choose([best, small, middle])
        assert (found.best, found.chosen, found.tried) == (best, middle, 3)

    def test_of_two_equally_small_ones_the_better_wins(self):
        assert choose([candidate(0.86, 10), candidate(0.8604, 10)]).chosen.roc_auc == 0.8604

    def test_the_best_wins_when_no_smaller_one_is_near(self):
        assert choose([candidate(0.86, 900), candidate(0.80, 10)]).chosen.nodes == 900


class TestSearch:
    def test_every_combination_is_tried_with_every_number_of_trees(self, small_grid):
        found = find_settings(labelled(), seed=4, trees=(2, 4))
        assert found.tried == 8
        assert found.best.settings.items() > {"criterion": "entropy", "min_samples_leaf": 5}.items()
        assert found.best.settings["max_leaf_nodes"] == 12

    def test_candidates_are_judged_on_the_splits_for_choosing_alone(self, small_grid, monkeypatch):
        data, used = labelled(), []
        monkeypatch.setattr(search, "fold_of", lambda data, split: used.append(split[1]) or fold_of(data, split))
        find_settings(data, seed=4, trees=(2,))
        expected = [unseen for _, unseen in splits_of(data.labels, 4, choosing=True)]
        assert all(np.array_equal(*pair) for pair in zip(used, expected, strict=True))

    def test_the_same_seed_finds_the_same(self, small_grid):
        assert find_settings(labelled(), seed=4, trees=(3,)) == find_settings(labelled(), seed=4, trees=(3,))

    def test_progress_is_told_of_every_combination(self, small_grid):
        steps = []
        find_settings(labelled(), seed=4, trees=(1,), progress=lambda *step: steps.append(step))
        assert steps == [("Searching", done, 4) for done in range(4)]
