"""Scikit-learn's own answer, whatever the order of a model's columns."""

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

from customers.ml_service.files.golden import generate_rows
from customers.ml_service.files.original import Original
from customers.ml_service.forest.encoding import Encodings
from customers.ml_service.schema import BANK_SPELLING
from tests.customers.ml_service.forests import as_numbers, fit, left

ROWS = generate_rows(100)


def test_it_is_predict_proba():
    model = fit()
    np.testing.assert_array_equal(
        Original(model, Encodings()).predict_tuples(ROWS), model.predict_proba(as_numbers(ROWS))[:, 1]
    )


def test_with_the_models_own_order_of_columns_and_classes():
    frame = pd.DataFrame(as_numbers(ROWS), columns=list(BANK_SPELLING)).iloc[:, ::-1]
    model = RandomForestClassifier(5, random_state=0).fit(frame, np.where(left(ROWS), "1", "0"))
    np.testing.assert_array_equal(Original(model, Encodings()).predict_tuples(ROWS), model.predict_proba(frame)[:, 1])


def test_with_the_label_codes_it_was_fitted_on():
    codes = {"France": 2, "Germany": 0, "Spain": 1, "Female": 1, "Male": 0}
    encodings = Encodings(
        geography={word: codes[word] for word in ("France", "Germany", "Spain")},
        gender={word: codes[word] for word in ("Female", "Male")},
    )
    model = fit()
    expected = model.predict_proba(as_numbers(ROWS, codes))[:, 1]
    np.testing.assert_array_equal(Original(model, encodings).predict_tuples(ROWS), expected)
