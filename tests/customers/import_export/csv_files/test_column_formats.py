"""Numbers as banks write them: all cells of a column say how, and what they leave open is refused or asked for."""

import io
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customers.import_export.csv_files.cells import LOST_DIGITS
from customers.import_export.csv_files.columns import CUSTOMERS
from customers.import_export.csv_files.file import RefusedError
from customers.import_export.csv_files.reader import read
from customers.import_export.csv_files.rejects import Rejects
from tests.customers.import_export.csv_files.texts import HEADER, row, text_of

NBSP, NARROW, THIN, CURLED = "\u00a0", "\u202f", "\u2009", "\u2019"


def read_column(*cells, column="Balance", delimiter=";", decimal=None):
    """The source of a file with these cells in one column, its values, and the reasons for its rejected rows."""
    table = [HEADER, *(row(n, **{"Balance": "0", column: cell}) for n, cell in enumerate(cells, start=1))]
    text = io.StringIO(text_of(table, delimiter=delimiter), newline="")
    source = read(text, CUSTOMERS, lambda names: Rejects(None, names), decimal)
    position = list(source.layout.positions.values()).index(HEADER.index(column))
    return source, [found[position] for found in source.rows], [fault.reason for fault in source.rejects.kinds]


def values(*cells, **how):
    _, found, reasons = read_column(*cells, **how)
    assert reasons == []
    return found


def notes(*cells, **how):
    return read_column(*cells, **how)[0].formats


def refusal(*cells, **how):
    with pytest.raises(RefusedError) as caught:
        read_column(*cells, **how)
    return str(caught.value)


def reason(*cells, **how):
    [only] = read_column(*cells, **how)[2]
    return only


def money(*amounts):
    return [Decimal(amount) for amount in amounts]


UNAMBIGUOUS = {
    "as Python writes them": (["83807.86", "0.0", "9.99", "1250"], ["83807.86", "0", "9.99", "1250"], []),
    "float noise": (["159660.80000000002", "0.1"], ["159660.80", "0.10"], []),
    "decimal comma": (["83807,86", "0,00", "12"], ["83807.86", "0", "12"], ["Balance: decimal comma"]),
    "one decimal comma tells for all": (
        ["83.800", "125.000", "0,5"],
        ["83800", "125000", "0.5"],
        ["Balance: decimal comma, thousands by point"],
    ),
    "points between thousands": (
        ["1.234,50", "125.000", "0"],
        ["1234.50", "125000", "0"],
        ["Balance: decimal comma, thousands by point"],
    ),
    "two points": (["1.234.567", "83.800"], ["1234567", "83800"], ["Balance: decimal comma, thousands by point"]),
    "commas between thousands": (
        ["1,250.00", "83,800", "0.00"],
        ["1250", "83800", "0"],
        ["Balance: decimal point, thousands by comma"],
    ),
    "two commas": (["1,234,567", "83,800"], ["1234567", "83800"], ["Balance: decimal point, thousands by comma"]),
    "apostrophes": (["1'250.00", "7"], ["1250", "7"], ["Balance: decimal point, thousands by apostrophe"]),
    "apostrophes alone": (["1'250", "1'234'567"], ["1250", "1234567"], ["Balance: thousands by apostrophe"]),
    "curled apostrophes": ([f"1{CURLED}250,50"], ["1250.50"], ["Balance: decimal comma, thousands by apostrophe"]),
    "spaces": (["1 250,00", "12 345 678,90"], ["1250", "12345678.90"], ["Balance: decimal comma, thousands by space"]),
    "fixed spaces": ([f"1{NBSP}250,00"], ["1250"], ["Balance: decimal comma, thousands by space"]),
    "narrow spaces": ([f"1{NARROW}250,00"], ["1250"], ["Balance: decimal comma, thousands by space"]),
    "thin spaces": ([f"1{THIN}250.00"], ["1250"], ["Balance: decimal point, thousands by space"]),
    "Indian groups": (
        ["1,25,000.00", "12,34,56,789", "99,999"],
        ["125000", "123456789", "99999"],
        ["Balance: decimal point, thousands by comma in Indian groups"],
    ),
    "a trailing mark": (["5,", "1.250,"], ["5", "1250"], ["Balance: decimal comma, thousands by point"]),
    "a leading mark": ([",5", "1,5"], ["0.50", "1.50"], ["Balance: decimal comma"]),
    "a zero in front is no thousand": (["0,125", "0,500"], None, ["Balance: decimal comma"]),
    "three decimals throughout": (
        ["83807.860", "83.800", "1234.500"],
        ["83807.86", "83.80", "1234.50"],
        ["Balance: decimal point"],
    ),
    "plus signs": (["+1.250,50", "+7"], ["1250.50", "7"], ["Balance: decimal comma, thousands by point"]),
    "all digits in scientific notation": (["1,1970025E+05"], ["119700.25"], ["Balance: decimal comma"]),
    "what the rejects file put before a sign": (["'+1.250,50"], ["1250.50"], None),
    "padding": (["  1.250,50 ", f"{NBSP}7,00"], ["1250.50", "7"], None),
}


@pytest.mark.parametrize("name", UNAMBIGUOUS)
@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_a_column_that_can_be_read_in_one_way_is_read_so_and_that_is_told(name, delimiter):
    cells, amounts, told = UNAMBIGUOUS[name]
    if amounts is not None:
        assert values(*cells, delimiter=delimiter) == money(*amounts)
    if told is not None:
        assert notes(*cells, delimiter=delimiter) == told


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        (["€ 1.234,50", "0"], "EUR"),
        (["1.234,50 €"], "EUR"),
        ([f"1.234,50{NBSP}€"], "EUR"),
        (["EUR 1.234,50", "€1.234,50"], "EUR"),
        (["1234,50 eur"], "EUR"),
        (["$1,234.50", "$ 7"], "USD"),
        (["US$ 1,234.50"], "USD"),
        (["£1,234.50"], "GBP"),
        (["CHF 1'234.50"], "CHF"),
        ([f"Fr. 1{CURLED}234.50"], "CHF"),
        (["1'234.50 CHF"], "CHF"),
        (["₹1,234.50"], "INR"),
        (["Rs. 1,234.50"], "INR"),
        (["+€1.234,50"], "EUR"),
    ],
)
def test_a_currency_belongs_to_the_format(cells, code):
    assert values(*cells)[0] == Decimal("1234.50")
    assert notes(*cells)[0].endswith(f"in {code}")


def test_several_currencies_in_a_column_are_refused_with_examples():
    said = refusal("€ 1.234,50", "7,00", "CHF 99,00")
    assert said == (
        "Balance mixes currencies: € 1.234,50 (line 2), CHF 99,00 (line 4). Convert them to one, without its sign."
    )


class TestAmbiguous:
    OPEN = [
        ["83.800", "125.000", "9.990"],
        ["83,800", "125,000", "9,990"],
        ["0", "83.800"],
        ["0,00", "83.800", "0.00"],
        ["500", "83.800"],
        ["83.800", "1,250"],
        ["€ 83.800", "€ 125.000"],
        ["+83.800"],
        ["(83.800)"],
        ["83.800", "n/a", "", "nonsense"],
    ]

    @pytest.mark.parametrize("delimiter", [";", "\t", ","])
    @pytest.mark.parametrize("cells", OPEN, ids=" ".join)
    def test_a_column_of_numbers_that_may_be_thousands_is_refused_with_the_remedy(self, cells, delimiter):
        said = refusal(*cells, delimiter=delimiter)
        assert said.startswith("Balance is ambiguous: ")
        assert "may be thousands or have three decimals" in said
        assert "write 1234.56, or give --decimal comma or --decimal point" in said

    def test_columns_lines_and_examples_are_named(self):
        said = refusal("0", "83.800", "125.000", "9.990", "9.991")
        assert "Balance is ambiguous: 83.800 (line 3), 125.000 (line 4), 9.990 (line 5) may be" in said

    @pytest.mark.parametrize(
        ("decimal", "cells", "amounts"),
        [
            ("comma", ["83.800", "9.990"], ["83800", "9990"]),
            ("point", ["83.800", "9.990"], ["83.80", "9.99"]),
            ("comma", ["83,800", "9,990"], ["83.80", "9.99"]),
            ("point", ["83,800", "9,990"], ["83800", "9990"]),
        ],
    )
    def test_the_user_s_word_decides_what_the_cells_leave_open(self, decimal, cells, amounts):
        assert values(*cells, decimal=decimal) == money(*amounts)
        assert f"Balance: decimal {decimal}" in notes(*cells, decimal=decimal)[0]

    @pytest.mark.parametrize("decimal", ["comma", "point"])
    def test_it_changes_nothing_where_the_cells_leave_nothing_open(self, decimal):
        assert values("83807.86", "7.5", decimal=decimal) == money("83807.86", "7.5")
        assert values("83.807,86", "7.800", decimal=decimal) == money("83807.86", "7800")

    def test_where_the_cells_contradict_it_that_is_told(self):
        assert notes("83807.86", "7.5", decimal="comma") == ["Balance: decimal point"]
        assert notes("83807.86", "7.5", decimal="point") == notes("7", decimal="comma") == []

    @pytest.mark.parametrize(
        "cells",
        [
            ["1234.50", "125.000"],
            ["1234,50", "125,000"],
            ["1,250.00", "125.000"],
            ["12.5", "83807.860", "125.000"],
            ["0,125", "12,5", "125,000"],
        ],
    )
    def test_among_numbers_with_other_decimals_such_a_number_is_rejected_alone(self, cells):
        _, found, reasons = read_column(*cells)
        assert Decimal(125) not in found
        assert reasons[-1] == "may have thousands or three decimals: write 1234.56, or give --decimal"


class TestMixed:
    @pytest.mark.parametrize("delimiter", [";", "\t", ","])
    def test_decimal_commas_and_points_in_a_column_are_refused_with_an_example_of_both(self, delimiter):
        said = refusal("0", "83807,86", "7,5", "1234.50", "1.5", delimiter=delimiter)
        assert said.startswith(
            "Balance mixes decimal commas, 83807,86 (line 3), and decimal points, 1234.50 (line 5); "
            "write 1234.56, or give --decimal comma or --decimal point"
        )

    @pytest.mark.parametrize("cells", [["1.234,50", "1,234.50"], ["1.234.567", "7.5"], ["1,25,000", "7,5"]])
    def test_marks_between_thousands_contradict_it_too(self, cells):
        assert refusal(*cells).startswith("Balance mixes decimal commas")

    def test_one_late_row_is_enough(self):
        assert "99999,5 (line 5002)" in refusal(*["1234.5"] * 5000, "99999,5")

    def test_given_the_mark_the_rows_that_do_not_fit_it_are_rejected(self):
        _, found, reasons = read_column("83807,86", "1234.50", "83.800", "0.00", decimal="comma")
        assert found == money("83807.86", "83800", "0")
        assert reasons == ["is not a number with a decimal comma"]

    def test_a_zero_is_a_zero_whichever_mark_it_has(self):
        assert values("83807,86", "0.00", "0", "0.0", "-0,00") == money("83807.86", "0", "0", "0", "0")

    def test_every_column_that_is_open_is_named_at_once(self):
        table = [HEADER, row(1, Balance="83.800", CreditScore="619,5"), row(2, Balance="0", CreditScore="619.5")]
        with pytest.raises(RefusedError, match=r"CreditScore mixes .* Balance is ambiguous"):
            read(io.StringIO(text_of(table)), CUSTOMERS, lambda names: Rejects(None, names))

    def test_cells_of_a_row_that_lacks_some_say_nothing(self):
        table = [HEADER, row(1, Balance="1234.50"), ["2", "2", "A", "3", "4", "5", "6", "7", "83,5"]]
        source = read(io.StringIO(text_of(table)), CUSTOMERS, lambda names: Rejects(None, names))
        assert len(list(source.rows)) == 1


class TestNegative:
    @pytest.mark.parametrize(
        "cell",
        [
            "-1.234,50",
            "1.234,50-",
            "\u22121.234,50",
            "(1.234,50)",
            "€ -1.234,50",
            "-€1.234,50",
            "1.234,50 €-",
            "€ (1.234,50)",
        ],
    )
    def test_however_it_is_written_it_is_an_overdraft(self, cell):
        assert values(cell, "7,5") == money("-1234.50", "7.5")

    @pytest.mark.parametrize("cell", ["-(1,5)", "--1,5", "-1,5-", "1'250.-", "(1,5", "1,5)"])
    def test_two_signs_or_half_of_one_are_no_number(self, cell):
        assert reason(cell, "7,5") == "is not a number"


class TestNoNumbers:
    @pytest.mark.parametrize(
        "cell",
        [
            *("1.23.4,5", "12.34,5", "1,2,3", "1.234.56", "1 23,5", "1'250 000", "0.125.000", "12,345,67", "1_000"),
            *("\u0661\u0662,\u0665", "5 XYZ", "€ 5 €", "$5 EUR", "7 %", "1.250,00 H", "0x10", "1..5", "1,,5"),
            *(".", ",", "€", "12/5", "1e", "9" * 5000),
        ],
    )
    def test_other_text_stays_no_number_and_says_nothing_of_the_format(self, cell):
        _, found, [reason] = read_column(cell, "7,5")
        assert (found, reason) == (money("7.5"), "is not a number")

    @pytest.mark.parametrize("cell", ["1.6E+05", "1,6E+05", "1e5", "1,234E+05", "€ 1,6E+05"])
    def test_scientific_notation_without_all_digits_is_rejected(self, cell):
        assert reason(cell) == LOST_DIGITS


class TestWholeNumbers:
    @pytest.mark.parametrize(
        ("column", "cells", "expected"),
        [
            ("CreditScore", ["619,00", "700"], [619, 700]),
            ("CreditScore", ["619.0", "700.00"], [619, 700]),
            ("CreditScore", ["619.000", "700.000"], [619, 700]),  # no score has thousands
            ("CreditScore", ["1.000", "2.000"], [1, 2]),  # 2.000 can't be two thousand
            ("Age", ["42,0", "18,0"], [42, 18]),
            ("Age", ["42.000"], [42]),
            ("Tenure", ["0,0", "2,00"], [0, 2]),
            ("NumOfProducts", ["1,0", "2,000"], [1, 2]),
            ("HasCrCard", ["1,0", "0,0", "yes"], [True, False, True]),
            ("IsActiveMember", ["1,00", "no"], [True, False]),
            ("CustomerId", ["15.634.602", "15.634"], [15634602, 15634]),
            ("CustomerId", ["15,634,602"], [15634602]),
            ("CustomerId", ["15 634 602"], [15634602]),
            ("CustomerId", ["15634602,0"], [15634602]),
        ],
    )
    def test_they_follow_the_same_rule(self, column, cells, expected):
        assert values(*cells, column=column) == expected

    @pytest.mark.parametrize(
        ("column", "cells"),
        [("CustomerId", ["1.001", "1.002"]), ("CustomerId", ["123.000"]), ("CreditScore", ["1.000", "619"])],
    )
    def test_what_may_be_thousands_is_refused(self, column, cells):
        assert refusal(*cells, column=column).startswith(f"{column} is ambiguous")

    @pytest.mark.parametrize(("column", "cell"), [("Age", "36.44"), ("Age", "1.234"), ("CreditScore", "1.234")])
    def test_a_fraction_is_rejected_as_ever(self, column, cell):
        assert reason(cell, "42", column=column).startswith("must be a whole number from")

    def test_a_currency_makes_no_age(self):
        assert reason("€ 42", column="Age") == "is not a number"


def written(amount, decimal, thousands, decimals, sign):
    """The amount as one bank's formatter writes it."""
    text = f"{amount:,.{decimals}f}" if thousands is not None else f"{amount:.{decimals}f}"
    return sign + text.translate(str.maketrans({",": thousands or "", ".": decimal}))


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=5),
    st.sampled_from([(".", None), (",", None), (".", ","), (",", "."), (".", "'"), (",", " "), (",", NARROW)]),
    st.integers(0, 3),
    st.sampled_from(["", "€ ", "CHF "]),
    st.sampled_from([";", ",", "\t"]),
)
@settings(max_examples=150, deadline=None)
def test_whatever_one_formatter_wrote_is_read_back_or_refused_and_never_another_amount(
    thousandths, marks, decimals, sign, delimiter
):
    amounts = [Decimal(n) / 10 ** min(decimals, 2) for n in thousandths]
    cells = [written(amount, *marks, decimals, sign) for amount in amounts]
    try:
        found = values(*cells, delimiter=delimiter)
    except RefusedError:
        assert decimals == 3 or (decimals == 0 and set(marks) == {".", ","})
    else:
        assert found == amounts
