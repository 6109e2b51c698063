import pytest

from customers.ml_service import FEATURES, Explanation, reasons_for

from .forests import CUSTOMER


def explained(inputs=None, **contributions):
    parts = dict.fromkeys(FEATURES, 0.0) | contributions
    return Explanation(0.2 + sum(parts.values()), 0.2, parts, CUSTOMER | (inputs or {}))


def texts(explanation, **options):
    return [reason.text for reason in reasons_for(explanation, **options)]


def test_raising_reasons_come_first_then_lowering_ones_by_weight():
    explanation = explained(age=-0.3, is_active_member=0.05, num_of_products=0.1, tenure=-0.01)
    assert texts(explanation, limit=4) == ["Only one product", "Inactive member", "Age 40", "3 years with the bank"]
    assert [reason.direction for reason in reasons_for(explanation, limit=4)] == [
        "raises",
        "raises",
        "lowers",
        "lowers",
    ]
    assert len(reasons_for(explanation)) == 3


def test_points_are_percentage_points_of_the_own_contribution():
    (reason,) = reasons_for(explained(is_active_member=0.0525))
    assert (reason.code, reason.text, reason.direction) == ("inactive_member", "Inactive member", "raises")
    assert reason.points == pytest.approx(5.25)


@pytest.mark.parametrize(
    ("balance", "contribution", "text"),
    [(0, 0.1, "Balance too low"), (0, -0.1, "Low balance"), (90_000, 0.1, "High balance to lose"),
     (90_000, -0.1, "High balance")],
)  # fmt: skip
def test_a_balance_is_too_low_only_where_it_raises_this_customers_risk(balance, contribution, text):
    assert texts(explained({"balance": balance}, balance=contribution)) == [text]


def test_an_active_member_is_never_called_inactive():
    (reason,) = reasons_for(explained({"is_active_member": True}, is_active_member=-0.1))
    assert (reason.code, reason.text) == ("active_member", "Active member")


@pytest.mark.parametrize(("score", "text"), [(380, "Credit score too low"), (820, "Credit score 820")])
def test_a_high_credit_score_is_never_too_low(score, text):
    assert texts(explained({"credit_score": score}, credit_score=0.1)) == [text]


@pytest.mark.parametrize(
    ("products", "contribution", "text"),
    [(1, 0.1, "Only one product"), (4, 0.1, "Too many products (4)"), (2, -0.1, "2 products"), (1, -0.1, "1 product")],
)
def test_products(products, contribution, text):
    assert texts(explained({"num_of_products": products}, num_of_products=contribution)) == [text]


def test_gender_and_country_are_summed_as_other_factors():
    (reason,) = reasons_for(explained({"geography": "Germany"}, geography=0.1, gender=-0.04))
    assert (reason.code, reason.text, reason.direction) == ("other_factors", "Other factors", "raises")
    assert reason.points == pytest.approx(6)
    named = texts(explained({"geography": "Germany"}, geography=0.1, gender=-0.04), name_protected=True)
    assert named == ["Customer in Germany", "Male customer"]


def test_tiny_contributions_are_no_reasons():
    assert reasons_for(explained(age=0.0049, tenure=-0.0049)) == ()


def test_every_field_has_words_in_both_directions():
    for field in FEATURES:
        codes = {reasons_for(explained(**{field: sign}), name_protected=True)[0].code for sign in (0.1, -0.1)}
        assert len(codes) == 2, f"{field}: the code must tell the direction"


def test_tenure_and_card_in_words():
    assert texts(explained({"tenure": 1}, tenure=0.1)) == ["1 year with the bank"]
    assert texts(explained({"has_cr_card": 0}, has_cr_card=0.1)) == ["No credit card"]
    assert texts(explained({"has_cr_card": True}, has_cr_card=0.1)) == ["Has a credit card"]
