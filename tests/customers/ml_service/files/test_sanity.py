"""Scores that can't be meant are refused before a model is put into service."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from customers.ml_service import ModelImplausibleError
from customers.ml_service.files import sanity
from customers.ml_service.files.golden import generate_rows
from customers.ml_service.forest.compiled import build
from customers.ml_service.forest.encoding import Encodings
from tests.customers.ml_service.forests import as_numbers, dump, fit, release


def figures(metadata=None):
    return sanity.check(build(fit()), Encodings(), metadata or {})


def constant():
    """Fitted on customers who are all alike: it has nothing to tell them apart by."""
    return RandomForestClassifier(5, random_state=0).fit(np.ones((40, 9)), [0, 1] * 20)


def test_a_sound_forest_has_scores_that_differ():
    found = figures()
    assert 0 <= found.lowest < found.mean < found.highest <= 1
    assert found.roc_auc is None


def test_a_forest_that_gives_all_customers_the_same_score_is_refused():
    with pytest.raises(ModelImplausibleError, match="same score"):
        sanity.check(build(constant()), Encodings(), {})


def test_such_a_forest_is_not_put_in_place(tmp_path):
    with pytest.raises(ModelImplausibleError):
        release(dump(constant(), tmp_path), assets_dir=tmp_path / "assets")
    assert not (tmp_path / "assets").exists()


@pytest.mark.parametrize("scores", [[0.2, float("nan")], [0.2, 1.5], [-0.1, 0.5]])
def test_scores_that_are_no_probabilities_are_refused(monkeypatch, scores):
    monkeypatch.setattr(sanity, "score_matrix", lambda *_: np.array(scores))
    with pytest.raises(ModelImplausibleError, match="no probabilities"):
        figures()


@pytest.mark.parametrize("stored", [0.86, {"mean": 0.86, "std": 0.01}])
def test_the_area_under_the_curve_is_read_either_way(stored):
    assert figures({"metrics": {"roc_auc": stored}}).roc_auc == 0.86


@pytest.mark.parametrize("stored", [0.31, {"mean": 0.2}, 86, float("nan"), "good"])
def test_an_impossible_or_inverted_area_is_refused(stored):
    with pytest.raises(ModelImplausibleError, match="ROC AUC"):
        figures({"metrics": {"roc_auc": stored}})


def test_a_forest_with_labels_of_few_customers_is_judged_by_scores_alone():
    rows = generate_rows(30)
    small = RandomForestClassifier(1, max_depth=1, random_state=0).fit(as_numbers(rows), [0, 1, 1] * 10)
    assert sanity.check(build(small), Encodings(), {"metrics": {"brier": 0.1}}).highest < 1
