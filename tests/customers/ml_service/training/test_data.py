import numpy as np

from customers.ml_service import GEOGRAPHIES
from customers.ml_service.training import TrainingData
from customers.ml_service.training.data import learn_encodings

from .labelled import labelled


def test_countries_are_coded_by_churn_rate():
    data = labelled()
    codes = learn_encodings(data).geography
    country = np.array(data.column("geography"))
    rates = {name: data.labels[country == name].mean() for name in GEOGRAPHIES}
    assert sorted(codes, key=codes.get) == sorted(rates, key=rates.get)


def test_a_country_without_customers_still_has_a_code():
    rows = [(600, "France", "Male", 40, 3, 0.0, 1, 1, 0)] * 4
    assert set(learn_encodings(TrainingData(rows, np.array([0, 1, 0, 1]))).geography) == set(GEOGRAPHIES)


def test_a_part_holds_the_chosen_customers_with_their_labels():
    data = labelled(10)
    part = data.part(np.array([7, 2]))
    assert part.rows == [data.rows[7], data.rows[2]]
    assert part.labels.tolist() == [data.labels[7], data.labels[2]]
    assert part.churn_rate == data.labels[[7, 2]].mean()
