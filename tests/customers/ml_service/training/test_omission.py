"""What doing without a field costs, by cross-validation."""

from functools import partial

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from customers.ml_service import FEATURES
from customers.ml_service.training import omission
from customers.ml_service.training.fitting import SETTINGS, fit_forest
from customers.ml_service.training.omission import judge_without
from customers.ml_service.training.validation import fold_of, splits_of

from .labelled import labelled

DATA = labelled(400)
FIT = partial(fit_forest, settings={**SETTINGS, "n_estimators": 6}, seed=4)


@pytest.fixture(scope="module")
def found():
    return judge_without(DATA, FIT, seed=4)


def test_each_field_is_left_out_and_a_decisive_one_costs_most(found):
    assert list(found["fields"]) == list(FEATURES)
    lost = {name: figures["lost"] for name, figures in found["fields"].items()}
    assert max(lost, key=lost.get) == "age"
    assert lost["age"] > 0.05
    assert abs(lost["has_cr_card"]) < 0.04
    for figures in found["fields"].values():
        assert figures["roc_auc"] + figures["lost"] == pytest.approx(found["roc_auc"], abs=2e-5)
        assert figures["std"] >= 0


def test_the_forests_are_those_of_the_judging_folds_without_the_column(found):
    column = FEATURES.index("age")
    expected = []
    for split in splits_of(DATA.labels, 4)[: omission.FOLDS]:
        fold = fold_of(DATA, split)
        model = FIT(np.delete(fold.customers, column, axis=1), fold.labels)
        scores = model.predict_proba(np.delete(fold.unseen, column, axis=1))[:, 1]
        expected.append(roc_auc_score(fold.unseen_labels, scores))
    assert found["fields"]["age"]["roc_auc"] == pytest.approx(np.mean(expected), abs=1e-5)
