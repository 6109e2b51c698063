"""Each kind of number has one way of being written."""

from decimal import Decimal

import pytest

from customers.presentation.numbers import (
    format_amount,
    format_count,
    format_money,
    format_percent,
    format_points,
    format_signed,
)


def test_a_count_has_its_word_and_commas():
    assert format_count(1, "customer", "customers") == "1 customer"
    assert format_count(12_345, "customer", "customers") == "12,345 customers"


@pytest.mark.parametrize(("share", "written"), [(0.976, "97.6 %"), (0.0, "0.0 %"), (1.0, "100.0 %"), (0.0004, "0.0 %")])
def test_a_share_is_a_percentage_that_no_line_breaks(share, written):
    assert format_percent(share) == written.replace(" ", "\N{NO-BREAK SPACE}")


def test_points_have_their_sign():
    assert format_points(42.26) == "+42.3\N{NO-BREAK SPACE}points"
    assert format_points(-0.6, decimals=0) == "-1\N{NO-BREAK SPACE}points"


@pytest.mark.parametrize("nothing", [0.0, -0.0, 0.04, -0.04])
def test_what_is_rounded_to_nothing_has_no_sign(nothing):
    assert format_points(nothing) == "0.0\N{NO-BREAK SPACE}points"
    assert format_signed(Decimal(str(nothing))) == "0"


def test_a_difference_of_amounts_has_its_sign_and_commas():
    assert [format_signed(Decimal(it)) for it in ("1234.4", "-1234.4", "10", "-0.6")] == [
        "+1,234",
        "-1,234",
        "+10",
        "-1",
    ]


def test_an_amount_has_the_currency_of_the_bank(settings):
    settings.CURRENCY = "CHF"
    assert format_money(Decimal("182160.37")) == "CHF\N{NO-BREAK SPACE}182,160"
    assert format_money(Decimal("182160.37"), cents=True) == "CHF\N{NO-BREAK SPACE}182,160.37"
    assert format_amount(Decimal("-1234.5"), cents=True) == "-1,234.50"
