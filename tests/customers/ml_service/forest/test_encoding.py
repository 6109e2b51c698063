import pickle
from decimal import Decimal

import numpy as np
import pytest

from customers.ml_service import BOUNDS, FEATURES, InputError, UnknownWordError
from customers.ml_service.files.golden import generate_rows
from customers.ml_service.forest.encoding import (
    Encodings,
    encode_row,
    encode_rows,
    expected_of,
    find_faults,
    pick,
    pick_all,
)
from customers.ml_service.schema import WORD_FIELDS
from tests.customers.ml_service.forests import CUSTOMER, as_mapping

CODES = Encodings()
PLAIN = [600.0, 0.0, 1.0, 40.0, 3.0, 50000.0, 1.0, 1.0, 0.0]


def encode(**changes):
    return encode_row(pick({**CUSTOMER, **changes}), CODES)


def test_default_codes_are_alphabetical():
    assert CODES.geography == {"France": 0, "Germany": 1, "Spain": 2}
    assert CODES.gender == {"Female": 0, "Male": 1}


@pytest.mark.parametrize("kind", [int, float, Decimal, np.int64, np.int8, np.float64, np.float32, np.float16])
def test_every_kind_of_number_gives_the_same_vector(kind):
    too_large_for_it = {np.int8: ("credit_score", "balance"), np.float16: ("balance",)}.get(kind, ())
    changes = {name: kind(CUSTOMER[name]) for name in BOUNDS if name not in too_large_for_it}
    assert encode(**changes) == PLAIN
    rows = [pick({**CUSTOMER, **changes})] * 3
    np.testing.assert_array_equal(encode_rows(rows, CODES), np.array([PLAIN] * 3, dtype=np.float32))


def test_flags_may_be_bools_and_further_keys_are_ignored():
    assert encode(has_cr_card=True, is_active_member=np.bool_(False), surname=None, churn_risk_score=7) == PLAIN


@pytest.mark.parametrize("name", FEATURES)
def test_a_missing_field_is_named(name):
    data = {key: value for key, value in CUSTOMER.items() if key != name}
    with pytest.raises(InputError, match=f"^{name} is missing; expected") as caught:
        pick(data)
    assert caught.value.field == name
    assert caught.value.row is None


NONSENSE = [None, "abc", "42", float("nan"), float("inf"), -float("inf"), 1e39, 10**400, Decimal("NaN"),
            Decimal("sNaN"), Decimal("Infinity"), np.float64("nan"), [1], {}, 1j, -(10**13), b"1"]  # fmt: skip


@pytest.mark.parametrize("value", NONSENSE, ids=repr)
@pytest.mark.parametrize("name", BOUNDS)
def test_nonsense_is_refused_by_name_alone_and_in_a_batch(name, value):
    with pytest.raises(InputError, match=f"^{name} is .*; expected a (whole )?number from") as caught:
        encode(**{name: value})
    assert caught.value.field == name
    rows = [pick(CUSTOMER), pick({**CUSTOMER, name: value}), pick(CUSTOMER)]
    with pytest.raises(InputError, match=f"^row 1: {name} is ") as caught:
        encode_rows(rows, CODES)
    assert (caught.value.field, caught.value.row) == (name, 1)


@pytest.mark.parametrize("name", [name for name, bounds in BOUNDS.items() if bounds.integral])
def test_fractions_are_refused_where_whole_numbers_are_meant(name):
    inside = BOUNDS[name].low + 0.5
    with pytest.raises(InputError, match=name):
        encode(**{name: inside})
    with pytest.raises(InputError, match=f"row 0: {name}"):
        encode_rows([pick({**CUSTOMER, name: inside})], CODES)


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_are_included_and_one_beyond_is_refused(name):
    low, high, _ = BOUNDS[name]
    for value in (low, high):
        assert encode(**{name: value})[FEATURES.index(name)] == float(value)
        assert len(encode_rows([pick({**CUSTOMER, name: value})], CODES)) == 1
    for value in (low - 1, int(high) + 1):
        with pytest.raises(InputError):
            encode(**{name: value})
        with pytest.raises(InputError):
            encode_rows([pick({**CUSTOMER, name: value})], CODES)


@pytest.mark.parametrize("value", ["", " France", "x\0", "x" * 61, None, 0, ["France"]])
def test_what_is_no_word_is_refused(value):
    with pytest.raises(InputError, match=r"^geography is .*; expected a word of 1 to 60 characters$"):
        encode(geography=value)
    with pytest.raises(InputError, match=r"row 0: gender is .*; expected a word of 1 to 60 characters$"):
        encode_rows([pick({**CUSTOMER, "gender": value})], CODES)


@pytest.mark.parametrize("word", ["france", "Senegal", "São Tomé e Príncipe"])
def test_a_word_that_the_model_does_not_know_is_refused_with_those_that_it_knows(word):
    with pytest.raises(UnknownWordError) as caught:
        encode(geography=word)
    sentence = f"The model does not know the country {word}; it knows France, Germany, Spain."
    assert (str(caught.value), caught.value.field, caught.value.word) == (sentence, "geography", word)
    with pytest.raises(UnknownWordError, match=r"^row 1: The model does not know the gender X; it knows Female, Male"):
        encode_rows([pick(CUSTOMER), pick({**CUSTOMER, "gender": "X"})], CODES)


def test_of_a_thousand_words_some_are_listed():
    codes = Encodings(geography={f"Country {number:03}": number for number in range(1000)})
    with pytest.raises(UnknownWordError, match=r"it knows Country 000, .*, Country 011, and 988 more\.$"):
        encode_row(pick(CUSTOMER), codes)


def test_all_unknown_words_of_a_batch_are_found_together_and_the_country_comes_first():
    words = [("France", "Male"), ("Italy", "Male"), ("Spain", "X"), ("Italy", "X")]
    rows = [pick({**CUSTOMER, "geography": country, "gender": gender}) for country, gender in words]
    found = CODES.find_unknown_words(rows)
    assert {place: error.called for place, error in found.items()} == {
        1: "country Italy", 2: "gender X", 3: "country Italy",
    }  # fmt: skip
    assert CODES.find_unknown_words([]) == {}


def test_long_values_are_shortened_in_the_message():
    with pytest.raises(InputError) as caught:
        encode(geography="x" * 5000)
    assert len(str(caught.value)) < 120


def test_columns_and_single_rows_encode_alike():
    rows = generate_rows(50)
    alone = np.array([encode_row(row, CODES) for row in rows], dtype=np.float32)
    np.testing.assert_array_equal(encode_rows(rows, CODES), alone)


def test_no_rows_give_an_empty_matrix():
    assert encode_rows([], CODES).shape == (0, 9)


def test_rows_of_another_length_are_refused():
    for rows in ([(1, 2)], [pick(CUSTOMER), pick(CUSTOMER)[:8]]):
        with pytest.raises(InputError, match=r"nine|9 values"):
            encode_rows(rows, CODES)


def test_what_is_no_mapping_is_refused_with_its_row():
    with pytest.raises(InputError, match="row 1: customer data must be a mapping"):
        pick_all([CUSTOMER, 5])
    missing = as_mapping(generate_rows(1)[0])
    del missing["age"]
    with pytest.raises(InputError, match="row 2: age is missing"):
        pick_all([CUSTOMER, CUSTOMER, missing])


def test_input_errors_survive_pickling():
    error = InputError("age is 12", field="age", row=7)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.field, copy.row, copy.permanent) == ("row 7: age is 12", "age", 7, True)
    unknown = UnknownWordError("geography", "Italy", ["France"], "The active model (release 4)", 3)
    copy = pickle.loads(pickle.dumps(unknown))
    assert (str(copy), copy.called, copy.row) == (str(unknown), "country Italy", 3)


@pytest.mark.parametrize(
    "stored",
    [None, {}, {"geography": {"France": 0}}, {"geography": {}, "gender": {"Male": 1}},
     {"geography": {"": 0}, "gender": {"Male": 1}}, {"geography": {"x" * 61: 0}, "gender": {"Male": 1}},
     {"geography": {" Italy": 0}, "gender": {"Male": 1}}, {"geography": {"Italy": True}, "gender": {"Male": 1}},
     {"geography": {"Italy": 2**24 + 1}, "gender": {"Male": 1}},
     {"geography": {str(number): 0 for number in range(1001)}, "gender": {"Male": 1}},
     {"geography": {"France": 0, "Germany": 1, "Spain": "2"}, "gender": {"Female": 0, "Male": 1}}],
)  # fmt: skip
def test_damaged_codes_are_refused(stored):
    with pytest.raises(ValueError, match="encodings"):
        Encodings.from_metadata(stored)


def test_codes_survive_their_metadata():
    codes = Encodings(geography={"France": 0, "Spain": 1, "Germany": 2})
    assert Encodings.from_metadata(codes.as_metadata()) == codes
    assert encode_row(pick({**CUSTOMER, "geography": "Germany"}), codes)[1] == 2.0


def test_words_of_the_bank_s_own_may_share_a_code():
    codes = Encodings.from_metadata(
        {"geography": {"Italy": 0, "Senegal": 1, "India": 1}, "gender": {"Divers": -1, "F": 0, "M": 1}}
    )
    assert codes.words("geography") == ("India", "Italy", "Senegal")
    rows = [pick({**CUSTOMER, "geography": word, "gender": "Divers"}) for word in ("India", "Senegal")]
    assert encode_rows(rows, codes)[:, 1:3].tolist() == [[1.0, -1.0], [1.0, -1.0]]


def test_nothing_is_wrong_with_values_that_can_be_scored():
    assert find_faults(CUSTOMER) == find_faults({}) == find_faults({"age": 18, "gender": "Divers"}) == {}


def test_all_faults_are_found_at_once_and_each_says_what_is_expected():
    assert find_faults({**CUSTOMER, "age": 12, "gender": "", "balance": None, "salary": 1}) == {
        "age": "expected a whole number from 18 to 110",
        "gender": "expected a word of 1 to 60 characters",
        "balance": "expected a number from -9,999,999,999,999.99 to 9,999,999,999,999.99",
        "salary": f"no such field; expected one of {', '.join(FEATURES)}",
    }


@pytest.mark.parametrize("value", [*NONSENSE, "France", ["France"], 40, 0.5, True], ids=repr)
@pytest.mark.parametrize("name", FEATURES)
def test_a_value_is_a_fault_exactly_where_it_is_not_encoded(name, value):
    faults = find_faults({name: value})
    if not faults and name in WORD_FIELDS and value not in CODES.words(name):
        with pytest.raises(UnknownWordError):
            encode(**{name: value})
    elif not faults:
        assert len(encode(**{name: value})) == len(FEATURES)
    else:
        assert faults == {name: expected_of(name)}
        with pytest.raises(InputError, match=expected_of(name)):
            encode(**{name: value})
