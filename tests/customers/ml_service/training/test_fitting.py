import numpy as np

from customers.ml_service.forest.encoding import Encodings, encode_rows
from customers.ml_service.training.fitting import SETTINGS, fit_constant, fit_forest, fit_logistic

from .labelled import labelled


def encoded(data, geography=("France", "Germany", "Spain")):
    codes = Encodings(geography={name: code for code, name in enumerate(geography)})
    return encode_rows(data.rows, codes)


def test_the_same_seed_gives_the_same_forest_and_it_scores_in_one_thread():
    data = labelled()
    settings = {**SETTINGS, "n_estimators": 5}
    first, again, other = (fit_forest(encoded(data), data.labels, settings=settings, seed=seed) for seed in (1, 1, 2))
    unseen = encoded(labelled(50, seed=9))
    assert (first.predict_proba(unseen) == again.predict_proba(unseen)).all()
    assert (first.predict_proba(unseen) != other.predict_proba(unseen)).any()
    assert first.n_jobs is None


def test_the_constant_gives_all_customers_the_churn_rate():
    data = labelled()
    scores = fit_constant(encoded(data), data.labels).predict_proba(encoded(data))[:, 1]
    assert set(scores.tolist()) == {data.churn_rate}


def test_the_logistic_regression_takes_countries_for_words_not_numbers():
    data = labelled()
    one, another = encoded(data), encoded(data, geography=("Spain", "France", "Germany"))
    scores = [fit_logistic(matrix, data.labels).predict_proba(matrix)[:, 1] for matrix in (one, another)]
    assert np.allclose(*scores, atol=1e-3)


def test_the_logistic_regression_meets_a_country_that_it_has_not_seen():
    data = labelled()
    matrix = encoded(data)
    french = matrix[:, 1] == 0
    scores = fit_logistic(matrix[~french], data.labels[~french]).predict_proba(matrix[french])
    assert np.isfinite(scores).all()
