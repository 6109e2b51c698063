"""One row: checked values, or the reasons why not."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.import_export.csv_files.cells import CHECKS, LOST_DIGITS, CellError, neutralised, not_neutralised
from customers.import_export.csv_files.columns import STORED, read_layout
from customers.import_export.csv_files.file import RefusedError
from customers.import_export.csv_files.rows import Rejected, RowChecker
from customers.ml_service.schema import BOUNDS, CATEGORIES, is_word
from tests.customers.import_export.csv_files.texts import HEADER, row

LAYOUT = read_layout(",".join(HEADER))


def check(cells, row_number=2):
    return RowChecker(LAYOUT).check((row_number, cells))


def value_of(column, cell):
    checked = check(row(**{column: cell}))
    assert not isinstance(checked, Rejected), checked
    return checked[STORED.index(LAYOUT.fields[list(LAYOUT.positions.values()).index(HEADER.index(column))])]


def reason_for(column, cell):
    rejected = check(row(**{column: cell}))
    assert isinstance(rejected, Rejected), rejected
    [fault] = rejected.faults
    assert fault.column == column
    return str(fault)


class TestGoodRows:
    def test_the_values_come_typed_and_in_the_order_of_the_table(self):
        expected = (1001, "Maronard", 619, "France", "Female", 42, 2, Decimal("119700.25"), 1, True, False)
        assert check(row()) == expected

    @pytest.mark.parametrize(
        ("column", "cell", "value"),
        [
            ("CustomerId", "15634602.0", 15634602),
            ("CustomerId", " 7 ", 7),
            ("CustomerId", "9223372036854775807", 2**63 - 1),
            ("Surname", "", ""),
            ("Surname", "  van der Maronard  ", "van der Maronard"),
            ("Surname", "'=Maronard", "=Maronard"),
            ("CreditScore", "619.0", 619),
            ("CreditScore", "6.19E2", 619),
            ("Geography", " germany ", "Germany"),
            ("Geography", "SPAIN", "Spain"),
            ("Geography", " Côte d'Ivoire", "Côte d'Ivoire"),
            ("Gender", "M", "Male"),
            ("Gender", "f", "Female"),
            ("Gender", "FEMALE", "Female"),
            ("Age", "18", 18),
            ("Age", "110", 110),
            ("Balance", "0", Decimal("0.00")),
            ("Balance", "-0.0", Decimal("0.00")),
            ("Balance", "1.1970025E+05", Decimal("119700.25")),
            ("Balance", "2.9103830456733704e-11", Decimal("0.00")),
            ("Balance", "0e5", Decimal("0.00")),
            ("Balance", ".5", Decimal("0.50")),
            ("Balance", "-80.25", Decimal("-80.25")),
            ("Balance", "159660.80000000002", Decimal("159660.80")),
            ("HasCrCard", "YES", True),
            ("HasCrCard", "False", False),
            ("HasCrCard", "1.0", True),
            ("IsActiveMember", " no ", False),
            ("IsActiveMember", "true", True),
        ],
    )
    def test_values_are_understood_as_people_write_them(self, column, cell, value):
        assert value_of(column, cell) == value

    def test_cells_that_are_blank_beyond_the_last_column_are_no_cells(self):
        assert check([*row(), "", " "]) == check(row())

    @given(st.data())
    def test_any_possible_customer_is_read_back_however_it_is_padded_and_spelled(self, data):
        values = {field: data.draw(possible(field)) for field in STORED}
        cells = dict(zip(HEADER, row(), strict=True))
        for field, value in values.items():
            cells[LAYOUT.spelled(field)] = data.draw(spelling(field, value))
        assert check(list(cells.values())) == tuple(values.values())


class TestRejectedRows:
    @pytest.mark.parametrize("cell", ["", "  ", "?", "null", "NA", "N/A", "None", "-"])
    @pytest.mark.parametrize("column", ["CustomerId", "CreditScore", "Geography", "Gender", "Balance", "HasCrCard"])
    def test_a_cell_without_a_value(self, column, cell):
        assert reason_for(column, cell) == "has no value"

    @pytest.mark.parametrize(
        ("column", "cell", "reason"),
        [
            ("CustomerId", "000", "must be a whole number from 1 to 9223372036854775807"),
            ("CustomerId", "9223372036854775808", "must be a whole number from 1 to 9223372036854775807"),
            ("CustomerId", "-5", "must be a whole positive number"),
            ("CustomerId", "1.5", "must be a whole positive number"),
            ("CustomerId", "1.56346E+07", "must be a whole positive number"),  # a spreadsheet has cut digits off
            ("CustomerId", "1_000", "must be a whole positive number"),
            ("CustomerId", "١٢", "must be a whole positive number"),
            ("Surname", "x" * 101, "is longer than 100 characters"),
            ("Surname", "a\0b", "contains a NUL character"),
            ("CreditScore", "1001", "must be a whole number from 0 to 1000"),
            ("CreditScore", "619.5", "must be a whole number from 0 to 1000"),
            ("CreditScore", "6.1E2", LOST_DIGITS),
            ("CreditScore", "6E2", LOST_DIGITS),
            ("CreditScore", "1e999", LOST_DIGITS),
            ("CreditScore", "1.234e3", "must be a whole number from 0 to 1000"),
            ("CreditScore", "six", "is not a number"),
            ("CreditScore", "1,000", "is not a number"),
            ("CreditScore", "9" * 5000, "is not a number"),
            ("Geography", "x" * 61, "must be a word of at most 60 characters, without control characters"),
            ("Gender", "a\0b", "must be a word of at most 60 characters, without control characters"),
            ("Gender", "nan", "has no value"),
            ("Age", "12", "must be a whole number from 18 to 110"),
            ("Age", "120", "must be a whole number from 18 to 110"),
            ("Age", "200", "must be a whole number from 18 to 110"),
            ("Age", "NaN", "is not a finite number"),
            ("Tenure", "-1", "must be a whole number from 0 to 80"),
            ("Balance", "inf", "is not a finite number"),
            ("Balance", "-Infinity", "is not a finite number"),
            ("Balance", "1e13", LOST_DIGITS),
            ("Balance", "1.6E+05", LOST_DIGITS),
            ("Balance", "1e3", LOST_DIGITS),
            ("Balance", "1.234567E+05", LOST_DIGITS),
            ("Balance", "1.00000000000000000E+13", "must be from -9999999999999.99 to 9999999999999.99"),
            ("Balance", "100.129", "has more than two decimals"),
            ("Balance", "119700,25", "is not a number"),
            ("NumOfProducts", "25", "must be a whole number from 1 to 10"),
            ("NumOfProducts", "0", "must be a whole number from 1 to 10"),
            ("HasCrCard", "2", "must be yes or no, 1 or 0"),
            ("HasCrCard", "maybe", "must be yes or no, 1 or 0"),
            ("IsActiveMember", "0.5", "must be yes or no, 1 or 0"),
        ],
    )
    def test_a_value_that_cannot_be(self, column, cell, reason):
        assert reason_for(column, cell) == reason

    def test_every_fault_of_a_row_is_told(self):
        rejected = check(row(Age="200", Balance="?", Geography="x" * 61), row_number=7)
        assert rejected.row_number == 7
        assert [fault.column for fault in rejected.faults] == ["Geography", "Age", "Balance"]

    @pytest.mark.parametrize("cells", [row()[:6], ["1"]])
    def test_too_few_cells(self, cells):
        [fault] = check(cells).faults
        assert str(fault) == f"does not have 14 cells as the header has (it has {len(cells)})"

    def test_too_many_cells(self):
        [fault] = check(",".join(row(Balance="83807,86")).split(",")).faults
        assert str(fault) == (
            "does not have 14 cells as the header has (it has 15; a number with a comma needs quotes around it)"
        )

    def test_of_a_repeated_customer_the_first_row_wins_and_is_named(self):
        checker = RowChecker(LAYOUT)
        assert checker.check((2, row(7, Age="30")))[STORED.index("age")] == 30
        [fault] = checker.check((5, row(7, Age="31"))).faults
        assert str(fault) == "repeats the customer of an earlier row, which was taken (row 2)"

    def test_a_row_that_was_rejected_takes_no_id(self):
        checker = RowChecker(LAYOUT)
        assert isinstance(checker.check((2, row(7, Age="200"))), Rejected)
        assert checker.check((3, row(7, Age="20")))[0] == 7

    def test_reasons_quote_no_cell_for_they_may_stand_in_a_log(self):
        rejected = check(row(Surname="Secret" * 30, CreditScore="Secret", Geography="Secret" * 11, Age="Secret"))
        assert len(rejected.faults) == 4
        assert "secret" not in str([str(fault) for fault in rejected.faults]).lower()

    @given(st.sampled_from(STORED), st.text() | st.from_regex(r"[-+]?[0-9.]{1,8}(e[-+]?[0-9]{1,5})?", fullmatch=True))
    def test_any_cell_is_either_possible_or_refused(self, field, cell):
        try:
            value = CHECKS[field](cell)
        except CellError:
            return
        assert is_possible(field, value)


class TestForeignLines:
    @pytest.mark.parametrize("line", ["<<<<<<< HEAD", "=======", ">>>>>>> branch", "||||||| base"])
    def test_a_conflict_marker_refuses_the_file(self, line):
        with pytest.raises(RefusedError, match=r"^Row 9 is the mark of an unresolved merge conflict"):
            check([line], row_number=9)

    @pytest.mark.parametrize("header", [HEADER, list(STORED), ["", *HEADER]])
    def test_a_second_header_refuses_the_file(self, header):
        with pytest.raises(RefusedError, match=r"^Row 9 is a second header"):
            check(header, row_number=9)


class TestSpreadsheets:
    @pytest.mark.parametrize("cell", ["=1+1", "+cmd", "-x", "@sum", "\tx", "\rx", "  =1+1", "-1-1"])
    def test_what_a_spreadsheet_takes_for_a_formula_becomes_text(self, cell):
        assert neutralised(cell) == f"'{cell}"

    @pytest.mark.parametrize("cell", ["", "Maronard", "-5", "+5.25", " -1e3 ", "'quoted", "a=b"])
    def test_numbers_and_other_text_stay_as_they_are(self, cell):
        assert neutralised(cell) == cell

    @given(st.text(st.sampled_from("='+-@\t a1")).filter(lambda surname: not surname.startswith("'")))
    def test_what_was_neutralised_is_read_back(self, surname):
        assert not_neutralised(neutralised(surname)) == surname


def possible(field):
    if field in CATEGORIES:
        return st.sampled_from(CATEGORIES[field])
    if field == "customer_id":
        return st.integers(1, 2**63 - 1)
    if field == "surname":
        letters = st.characters(codec="utf-8", exclude_characters="\0'")
        return st.text(letters, max_size=100).map(str.strip)
    if field == "balance":
        return st.decimals(*BOUNDS["balance"][:2], places=2)
    return st.booleans() if BOUNDS[field].high == 1 else st.integers(*BOUNDS[field][:2])


def spelling(field, value):
    if field == "surname":
        texts = [value]
    elif isinstance(value, bool):
        texts = [str(value), str(int(value)), f"{int(value)}.0", "YES" if value else "no"]
    elif isinstance(value, int):
        texts = [str(value), f"{value}.0", f"{value}.00"]
    else:
        texts = [str(value), str(value).upper(), str(value).lower()]
    return st.builds(
        "{}{}{}".format, st.sampled_from(["", " ", "  "]), st.sampled_from(texts), st.sampled_from(["", " "])
    )


def is_possible(field, value):
    if field in CATEGORIES:
        return is_word(value)
    if field == "surname":
        return len(value) <= 100 and "\0" not in value
    low, high = (1, 2**63 - 1) if field == "customer_id" else BOUNDS[field][:2]
    return low <= value <= high and value == round(value, 2)
