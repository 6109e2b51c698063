"""Errors in words that staff know."""

from decimal import Decimal

import pytest

from customers.ml_service import InputError
from customers.ml_service.forest.encoding import Encodings, encode_row
from customers.ml_service.schema import FEATURES
from customers.scoring.failures import describe_input_error
from tests.factories import A_CUSTOMER


def refusal(field, value):
    row = [value if name == field else A_CUSTOMER[name] for name in FEATURES]
    with pytest.raises(InputError) as refused:
        encode_row(row, Encodings())
    return refused.value


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("num_of_products", 11, "Products is 11; expected a whole number from 1 to "),
        ("geography", "", "Country is ''; expected a word of "),
        ("balance", Decimal("NaN"), "Balance is NaN; expected a number from "),
        ("is_active_member", 3, "Active member is 3; expected "),
    ],
)
def test_a_field_is_called_by_the_name_that_staff_know(field, value, said):
    assert describe_input_error(refusal(field, value)).startswith(said)


def test_programs_read_the_name_of_the_field():
    assert refusal("num_of_products", 11).message.startswith("num_of_products is 11; ")


def test_what_names_no_field_stays_as_it_is():
    assert describe_input_error(InputError("a row has nine values")) == "a row has nine values"
