"""Reasons in words, with the bank's currency and nothing that staff may not see."""

import pytest

from customers.ml_service.messages import NO_BREAK
from customers.ml_service.reasons.reason_codes import BY_NUMBER
from customers.models import Customer
from customers.presentation import reasons
from tests.factories import A_CUSTOMER

LOW_BALANCE = 8


def scored(codes, **contributions):
    shares = [contributions.get(field, 0.0) for field in reasons.PART_NAMES if field in A_CUSTOMER]
    return Customer(stale_since=None, reason_codes=codes, contributions=shares, **A_CUSTOMER)


def test_balances_have_the_currency_of_the_bank(settings):
    settings.CURRENCY = "CHF"
    [reason] = reasons.reasons_of(scored([10], balance=0.034))
    assert reason.text == f"Balance CHF{NO_BREAK}50,000: +3.4{NO_BREAK}points"
    assert reasons.main_reasons()[LOW_BALANCE] == f"Balance too low (below CHF{NO_BREAK}10,000)"


def test_the_reasons_to_choose_from_have_no_value_and_differ():
    words = [words for _, words in reasons.choices()]
    assert "Three or more products" in words
    assert len(set(words)) == len(words)
    assert not any("%" in it or "…" in it or "()" in it for it in words)


def test_gender_and_country_are_no_choice_unless_they_may_be_named(settings):
    protected = {number for number, code in BY_NUMBER.items() if code.part in ("gender", "geography")}
    assert protected.isdisjoint(reasons.main_reasons())
    assert protected.isdisjoint(int(number) for number, _ in reasons.choices())
    settings.PROTECTED_FIELDS = []
    assert protected <= reasons.main_reasons().keys()


def test_any_field_may_be_protected_and_its_stored_codes_are_kept_back_at_once(settings):
    customer = scored([4, 12, 28], age=0.2, num_of_products=0.1, gender=0.03)
    assert [it.code for it in reasons.reasons_of(customer)] == ["AGE_RAISES", "SINGLE_PRODUCT", "OTHER_FACTORS_RAISE"]
    settings.PROTECTED_FIELDS = ["geography", "gender", "age"]
    product, others = reasons.reasons_of(customer)
    assert (product.code, others.code) == ("SINGLE_PRODUCT", "OTHER_FACTORS_RAISE")
    assert others.points == pytest.approx(23)  # of gender and age
    assert {4, 5}.isdisjoint(reasons.main_reasons())
    assert {"4", "5"}.isdisjoint(number for number, _ in reasons.choices())
    assert "age" not in reasons.format_contributions(customer.contributions)


def test_a_stored_sum_whose_fields_are_no_longer_protected_is_not_shown(settings):
    customer = scored([12, 28], num_of_products=0.1, gender=0.03, geography=-0.01)
    settings.PROTECTED_FIELDS = []
    assert [it.code for it in reasons.reasons_of(customer)] == ["SINGLE_PRODUCT"]
    assert "other factors" not in reasons.format_contributions(customer.contributions)
    settings.PROTECTED_FIELDS = ["geography"]  # which lowers the risk: no reason may say that it raises it
    assert [it.code for it in reasons.reasons_of(customer)] == ["SINGLE_PRODUCT"]


def test_all_factors_stand_in_one_line_the_weightiest_first():
    shares = [0.0, 0.02, 0.01, 0.123, 0.0, -0.05, 0.0, 0.0, 0.0]
    line = reasons.format_contributions(shares)
    assert line.startswith("age +12.3, balance -5.0, other factors +3.0, ")
    assert line.endswith(f"{NO_BREAK}points")
