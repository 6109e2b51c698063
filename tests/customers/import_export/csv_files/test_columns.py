"""Headers as they come."""

import pytest

from customers.import_export.csv_files.columns import BANKS_NAMES, STORED, read_layout
from customers.import_export.csv_files.file import RefusedError
from tests.customers.import_export.csv_files.texts import HEADER

SNAKE = [*STORED, "estimated_salary", "exited"]
ALIASED = ["customer_id", "credit_score", "country", "gender", "age", "tenure", "balance"]
ALIASED += ["products_number", "credit_card", "active_member", "churn"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("names", [HEADER, SNAKE, ALIASED, list(reversed(HEADER))])
def test_delimiter_and_columns_are_found_in_the_header(names, delimiter):
    layout = read_layout(delimiter.join(names) + "\r\n")
    assert layout.delimiter == delimiter
    assert layout.names == tuple(names)
    assert set(STORED) - set(layout.fields) <= {"surname"}


def test_the_columns_come_in_the_order_of_the_table_whatever_that_of_the_file():
    layout = read_layout(",".join(reversed(HEADER)))
    assert layout.fields == STORED
    assert [layout.spelled(field) for field in STORED] == [BANKS_NAMES[field] for field in STORED]


def test_spaces_quotes_and_capitals_in_names_do_not_count():
    layout = read_layout(' "CUSTOMER ID" , credit-score,Country , sex,AGE,tenure,balance,"products",credit card,Active')
    assert layout.fields == tuple(field for field in STORED if field != "surname")
    assert layout.spelled("customer_id") == "CUSTOMER ID"


def test_another_delimiter_inside_a_name_does_not_mislead():
    layout = read_layout(";".join([*HEADER, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o"]))
    assert layout.delimiter == ";"


def test_columns_that_are_not_stored_are_named():
    layout = read_layout(",".join(["", *HEADER, "Complain"]))
    assert layout.ignored == ["column 1 (no name)", "RowNumber", "EstimatedSalary", "Exited", "Complain"]


@pytest.mark.parametrize("field", ["customer_id", "credit_score", "balance", "is_active_member"])
def test_a_missing_column_is_named_as_the_bank_spells_it(field):
    names = [name for name in HEADER if name != BANKS_NAMES[field]]
    with pytest.raises(RefusedError, match=rf"^The header .* lacks the column {BANKS_NAMES[field]}\. "):
        read_layout(",".join(names))


def test_all_missing_columns_are_named_at_once():
    with pytest.raises(RefusedError, match=r"lacks the columns Age, IsActiveMember\. "):
        read_layout(",".join(name for name in HEADER if name not in ("Age", "IsActiveMember")))


@pytest.mark.parametrize("header", ["1,15634602,Maronard,619,France", "{}", "x" * 200_000, '"'])
def test_a_first_line_that_is_no_header_lacks_every_column(header):
    with pytest.raises(RefusedError, match="lacks the columns CustomerId, CreditScore"):
        read_layout(header)


def test_two_columns_for_the_same_are_refused_by_their_names():
    with pytest.raises(RefusedError, match=r"hold the same: Geography and country\. Keep one\.$"):
        read_layout(",".join([*HEADER, "country"]))


def test_columns_that_are_not_stored_may_be_there_twice():
    assert read_layout(",".join([*HEADER, "Exited", "churn"])).ignored.count("Exited") == 2


def test_a_conflict_marker_in_place_of_the_header_is_called_so():
    with pytest.raises(RefusedError, match=r"^Row 1 is the mark of an unresolved merge conflict \(<<<<<<<\)\.$"):
        read_layout("<<<<<<< HEAD\n")
