import numpy as np
import pytest

from customers.ml_service import GEOGRAPHIES
from customers.ml_service.forest.encoding import MOST_WORDS
from customers.ml_service.training import TrainingData, TrainingDataError, train
from customers.ml_service.training.data import learn_encodings, refuse_unfit_words

from .labelled import labelled


def test_countries_are_coded_by_churn_rate():
    data = labelled()
    codes = learn_encodings(data).geography
    country = np.array(data.column("geography"))
    rates = {name: data.labels[country == name].mean() for name in GEOGRAPHIES}
    assert sorted(codes, key=codes.get) == sorted(rates, key=rates.get)


def customers(*groups, field="geography"):
    """So many customers with each word, of whom so many left."""
    rows, labels = [], []
    for word, number, left in groups:
        words = {"geography": "France", "gender": "Male", field: word}
        rows += [(600, words["geography"], words["gender"], 40, 3, 0.0, 1, 1, 0)] * number
        labels += [1] * left + [0] * (number - left)
    return TrainingData(rows, np.array(labels))


def test_only_words_of_the_file_are_learned_and_those_that_are_named_beside_it():
    data = customers(("Italy", 40, 10), ("India", 40, 20))
    assert learn_encodings(data).as_metadata() == {"geography": {"Italy": 0, "India": 1}, "gender": {"Male": 0}}
    assert learn_encodings(data, {"geography": ["Peru"]}).words("geography") == ("India", "Italy", "Peru")


def test_rare_words_share_a_code_by_their_churn_rate_together():
    data = customers(("Italy", 100, 10), ("India", 100, 50), ("Peru", 29, 9), ("Chad", 20, 4), ("Fiji", 30, 30))
    assert learn_encodings(data).geography == {"Italy": 0, "Chad": 1, "Peru": 1, "India": 2, "Fiji": 3}


def test_a_few_customers_with_a_rare_word_go_with_the_country_that_is_nearest_to_all_customers():
    data = customers(("Italy", 100, 10), ("India", 100, 30), ("Chile", 100, 50), ("Peru", 3, 3))
    assert learn_encodings(data).geography == {"Italy": 0, "India": 1, "Peru": 1, "Chile": 2}


def test_where_all_words_are_rare_none_tells_customers_apart():
    assert learn_encodings(customers(("Italy", 5, 1), ("India", 5, 4))).geography == {"India": 0, "Italy": 0}


def test_genders_are_coded_by_the_alphabet_and_rare_ones_together():
    data = customers(("M", 40, 1), ("F", 40, 20), ("Divers", 20, 2), ("X", 15, 1), field="gender")
    assert learn_encodings(data).gender == {"Divers": 0, "X": 0, "F": 1, "M": 2}


def test_a_part_holds_the_chosen_customers_with_their_labels():
    data = labelled(10)
    part = data.part(np.array([7, 2]))
    assert part.rows == [data.rows[7], data.rows[2]]
    assert part.labels.tolist() == [data.labels[7], data.labels[2]]
    assert part.churn_rate == data.labels[[7, 2]].mean()


@pytest.mark.parametrize("field", ["geography", "gender"])
def test_a_word_that_no_model_can_hold_is_refused_by_name_before_anything_is_fitted(field):
    data = customers(("Italy", 40, 10), ("Italy\u00a0", 40, 20), field=field)
    with pytest.raises(TrainingDataError, match=r"'Italy\\xa0' cannot be a (country|gender)"):
        train(data)


def test_more_words_than_a_model_can_hold_are_refused_by_their_number():
    data = customers(*((f"Country {number}", 2, 1) for number in range(MOST_WORDS + 1)))
    with pytest.raises(TrainingDataError, match=r"1,001 different words for the country; a model can hold 1,000"):
        train(data)
    refuse_unfit_words(data.part(np.arange(2 * MOST_WORDS)))
