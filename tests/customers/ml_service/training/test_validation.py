from functools import partial

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from customers.ml_service.training import validation
from customers.ml_service.training.data import learn_encodings
from customers.ml_service.training.fitting import fit_constant, fit_forest, fit_logistic
from customers.ml_service.training.quality import FIGURES
from customers.ml_service.training.validation import fold_of, judge, splits_of

from .labelled import labelled


@pytest.fixture(scope="module")
def data():
    return labelled()


def as_sets(splits):
    return {frozenset(unseen.tolist()) for _, unseen in splits}


def test_each_repeat_holds_out_every_customer_once(data):
    for splits in (splits_of(data.labels, 1), splits_of(data.labels, 1, choosing=True)):
        times = np.bincount(np.concatenate([unseen for _, unseen in splits]))
        assert (times == len(splits) / 5).all()
        assert all(not set(seen.tolist()) & set(unseen.tolist()) for seen, unseen in splits)


def test_each_fold_has_its_share_of_those_who_left(data):
    shares = [data.labels[unseen].mean() for _, unseen in splits_of(data.labels, 1)]
    assert shares == pytest.approx([data.churn_rate] * 15, abs=0.02)


def test_no_fold_that_judges_is_one_of_those_that_choose(data):
    judging, choosing = splits_of(data.labels, 1), splits_of(data.labels, 1, choosing=True)
    assert (len(judging), len(choosing)) == (15, 10)
    assert not as_sets(judging) & as_sets(choosing)


def test_codes_are_learned_inside_each_fold(data, monkeypatch):
    sizes = []

    def learn(part, words):
        sizes.append(len(part.labels))
        return learn_encodings(part, words)

    monkeypatch.setattr(validation, "learn_encodings", learn)
    judge(data, {"constant": fit_constant}, seed=1)
    assert sizes == [240] * 15


def test_the_models_are_judged_on_the_same_folds_in_every_figure(data):
    seen = {"one": [], "other": []}

    def remembering(name, customers, labels):
        seen[name].append(labels.tolist())
        return fit_constant(customers, labels)

    judged = judge(data, {name: partial(remembering, name) for name in seen}, seed=1)
    assert seen["one"] == seen["other"]
    assert judged["one"].figures == judged["other"].figures
    assert set(judged["one"].figures) == set(FIGURES)


def test_mean_and_standard_deviation_are_those_over_the_folds(data):
    expected = []
    for split in splits_of(data.labels, 3):
        fold = fold_of(data, split)
        scores = fit_logistic(fold.customers, fold.labels).predict_proba(fold.unseen)[:, 1]
        expected.append(roc_auc_score(fold.unseen_labels, scores))
    figures = judge(data, {"logistic": fit_logistic}, seed=3)["logistic"].figures
    assert figures["roc_auc"] == pytest.approx({"mean": np.mean(expected), "std": np.std(expected)})


def test_out_of_fold_scores_are_the_mean_over_the_repeats_of_models_that_had_not_seen_the_customer(data):
    fit = partial(fit_forest, settings={"n_estimators": 4}, seed=1)
    expected = np.zeros(len(data.labels))
    for split in splits_of(data.labels, 2):
        fold = fold_of(data, split)
        expected[split[1]] += fit(fold.customers, fold.labels).predict_proba(fold.unseen)[:, 1] / 3
    assert judge(data, {"forest": fit}, seed=2)["forest"].out_of_fold == pytest.approx(expected)


def test_progress_is_told_of_every_fold(data):
    steps = []
    judge(data, {"constant": fit_constant}, seed=1, progress=lambda *step: steps.append(step))
    assert steps == [("Judging", done, 15) for done in range(15)]
