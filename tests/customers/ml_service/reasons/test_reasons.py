"""Which parts of a score are named, by which code and in which words: what the model shows of this customer."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.ml_service import FEATURES, Explanation, reasons_for
from customers.ml_service.messages import format_plain_amount
from customers.ml_service.reasons.reason_codes import (
    BY_NUMBER,
    LOW_CREDIT_SCORE,
    LOWERS,
    MANY_PRODUCTS,
    PART_NAMES,
    RAISES,
    TABLE,
    format_topic,
)
from customers.ml_service.reasons.reasons import NOTABLE, PROTECTED, TOP, by_part, numbered_reasons, top_codes
from tests.customers.ml_service.forests import CUSTOMER


def explained(inputs=None, **contributions):
    parts = dict.fromkeys(FEATURES, 0.0) | contributions
    return Explanation(0.2 + sum(parts.values()), 0.2, parts, CUSTOMER | (inputs or {}))


def codes(explanation, **options):
    return [reason.code for reason in reasons_for(explanation, **options)]


def only(explanation, **options):
    [reason] = reasons_for(explanation, **options)
    return reason


class TestWhichAreTold:
    def test_those_that_raise_come_first_then_those_that_lower_by_weight(self):
        explanation = explained(age=-0.3, is_active_member=0.05, num_of_products=0.1, tenure=-0.01)
        assert codes(explanation, limit=4) == ["SINGLE_PRODUCT", "INACTIVE_MEMBER", "AGE_LOWERS", "TENURE_LOWERS"]
        assert codes(explanation) == ["SINGLE_PRODUCT", "INACTIVE_MEMBER", "AGE_LOWERS"]
        directions = [reason.direction for reason in reasons_for(explanation, limit=4)]
        assert directions == [RAISES, RAISES, LOWERS, LOWERS]

    def test_points_are_percentage_points_of_the_own_contribution(self):
        assert only(explained(is_active_member=0.0525)).points == pytest.approx(5.25)

    def test_tiny_contributions_are_none(self):
        assert reasons_for(explained(age=0.0049, tenure=-0.0049)) == ()

    def test_gender_and_country_are_summed_as_other_factors(self):
        explanation = explained({"geography": "Germany"}, geography=0.1, gender=-0.04)
        other = only(explanation)
        assert (other.code, other.label) == ("OTHER_FACTORS_RAISE", "Other factors")
        assert other.points == pytest.approx(6)
        assert codes(explanation, protected=()) == ["COUNTRY_RAISES", "GENDER_LOWERS"]

    def test_by_default_no_word_betrays_gender_or_country(self):
        words = str(reasons_for(explained({"geography": "Germany", "gender": "Female"}, geography=0.3, gender=0.2)))
        assert not any(word in words for word in ("Germany", "Female", "country", "gender"))


class TestWhatIsSaid:
    def test_the_effect_beside_the_customers_own_value(self):
        assert only(explained(is_active_member=0.12)).text == "Inactive member: +12\N{NO-BREAK SPACE}points"
        assert only(explained({"age": 57}, age=0.083)).text == "Age 57: +8.3\N{NO-BREAK SPACE}points"
        assert only(explained({"age": 27}, age=-0.1)).text == "Age 27: -10\N{NO-BREAK SPACE}points"
        assert only(explained({"num_of_products": 4}, num_of_products=0.42)).text.startswith("4 products: +42")

    def test_a_balance_is_written_as_the_caller_writes_money(self):
        wealthy = explained({"balance": Decimal("1234567.89")}, balance=0.1)
        assert only(wealthy).text.startswith("Balance 1,234,568: +10")
        [reason] = reasons_for(wealthy, format_money=lambda amount: f"CHF {amount:.0f}")
        assert reason.label == "Balance CHF 1234568"

    @pytest.mark.parametrize(
        ("inputs", "contribution", "code", "label"),
        [
            ({"balance": 0}, 0.1, "LOW_BALANCE", "Balance too low (0)"),
            ({"balance": 0}, -0.1, "LOW_BALANCE_LOWERS", "Balance 0"),
            ({"balance": 12_000}, 0.1, "HIGH_BALANCE", "Balance 12,000"),
            ({"balance": 12_000}, -0.1, "HIGH_BALANCE_LOWERS", "Balance 12,000"),
            ({"is_active_member": True}, -0.1, "ACTIVE_MEMBER", "Active member"),
            ({"is_active_member": True}, 0.1, "ACTIVE_MEMBER_RAISES", "Active member"),
            ({"is_active_member": False}, -0.1, "INACTIVE_MEMBER_LOWERS", "Inactive member"),
            ({"credit_score": 380}, 0.1, "LOW_CREDIT_SCORE", "Credit score too low (380)"),
            ({"credit_score": 380}, -0.1, "CREDIT_SCORE_LOWERS", "Credit score 380"),
            ({"credit_score": 820}, 0.1, "CREDIT_SCORE_RAISES", "Credit score 820"),
            ({"num_of_products": 1}, 0.1, "SINGLE_PRODUCT", "1 product"),
            ({"num_of_products": 1}, -0.1, "PRODUCTS_LOWER", "1 product"),
            ({"num_of_products": 2}, 0.1, "PRODUCTS_RAISE", "2 products"),
            ({"num_of_products": 4}, 0.1, "MANY_PRODUCTS", "4 products"),
            ({"tenure": 0}, 0.1, "TENURE_RAISES", "0 years with the bank"),
            ({"tenure": 1}, 0.1, "TENURE_RAISES", "1 year with the bank"),
            ({"tenure": 5}, -0.1, "TENURE_LOWERS", "5 years with the bank"),
            ({"has_cr_card": 0}, 0.1, "NO_CREDIT_CARD", "No credit card"),
            ({"has_cr_card": True}, 0.1, "CREDIT_CARD_RAISES", "Credit card"),
        ],
    )
    def test_nothing_is_claimed_that_is_not_so(self, inputs, contribution, code, label):
        [field] = inputs
        reason = only(explained(inputs, **{field: contribution}))
        assert (reason.code, reason.label) == (code, label)

    def test_country_and_gender_are_said_as_stored(self):
        inputs = {"geography": "Germany", "gender": "Female"}
        named = reasons_for(explained(inputs, geography=0.2, gender=0.1), protected=())
        assert [reason.label for reason in named] == ["Country Germany", "Gender Female"]


class TestTable:
    def test_numbers_and_codes_are_given_once(self):
        assert len(BY_NUMBER) == len({reason.code for reason in TABLE}) == len(TABLE)
        assert 0 not in BY_NUMBER

    def test_numbers_are_stored_with_scores_so_that_none_may_ever_change(self):
        """Codes may be added below; a change of one that is here changes the meaning of stored reasons."""
        assert [reason.number for reason in TABLE] == list(range(1, len(TABLE) + 1))
        assert {number: BY_NUMBER[number].code for number in (1, 8, 12, 20, 28)} == {
            1: "LOW_CREDIT_SCORE",
            8: "LOW_BALANCE",
            12: "SINGLE_PRODUCT",
            20: "INACTIVE_MEMBER",
            28: "OTHER_FACTORS_RAISE",
        }

    def test_every_part_has_words_in_both_directions_and_for_every_value(self):
        for part in {reason.part for reason in TABLE}:
            assert part in PART_NAMES
            for direction in (RAISES, LOWERS):
                last = [reason for reason in TABLE if (reason.part, reason.direction) == (part, direction)][-1]
                assert last.applies(np.array([-1e9, 0.0, 1e9])).all(), f"{last.code} must apply to whatever is left"

    def test_topics_name_what_customers_have_in_common_and_no_value(self):
        topics = {code.code: format_topic(code, format_plain_amount) for code in TABLE}
        assert not any("%" in topic or "…" in topic for topic in topics.values())
        assert topics["MANY_PRODUCTS"] == "Three or more products"
        assert topics["LOW_BALANCE"] == "Balance too low (below 10,000)"
        assert topics["INACTIVE_MEMBER"] == "Inactive member"

    def test_limits_in_topics_are_those_of_the_conditions(self):
        for code in (BY_NUMBER[1], BY_NUMBER[2]):
            assert str(LOW_CREDIT_SCORE) in code.topic
        assert MANY_PRODUCTS == 3

    def test_what_raises_a_risk_can_be_told_apart_by_its_topic(self):
        raising = [code.topic for code in TABLE if code.direction == RAISES]
        assert len(set(raising)) == len(raising)


ROW = st.fixed_dictionaries(
    {
        "credit_score": st.integers(300, 900),
        "age": st.integers(18, 92),
        "tenure": st.integers(0, 10),
        "balance": st.sampled_from([0.0, 9_999.0, 10_000.0, 150_000.0]),
        "num_of_products": st.integers(1, 4),
        "has_cr_card": st.booleans(),
        "is_active_member": st.booleans(),
    }
)
CONTRIBUTIONS = st.lists(st.floats(-0.4, 0.4), min_size=len(FEATURES), max_size=len(FEATURES))


class TestManyAtOnce:
    @given(st.lists(st.tuples(ROW, CONTRIBUTIONS), min_size=1, max_size=8), st.sets(st.sampled_from(FEATURES)))
    def test_the_codes_to_store_are_those_of_each_customer_alone(self, customers, protected):
        values = [{**CUSTOMER, **row} for row, _parts in customers]
        matrix = [[0.0 if isinstance(row[field], str) else float(row[field]) for field in FEATURES] for row in values]
        contributions = np.array([parts for _row, parts in customers])
        stored = top_codes(np.array(matrix, dtype=np.float32), contributions, protected=protected).tolist()
        for row, parts, numbers in zip(values, contributions.tolist(), stored, strict=True):
            explanation = Explanation(0.5, 0.2, dict(zip(FEATURES, parts, strict=True)), row)
            alone = reasons_for(explanation, protected=protected)
            assert numbered_reasons(numbers, parts, row, protected=protected) == alone
            assert len(numbers) == TOP
            points = [reason.points for reason in alone]
            assert all(abs(gain) >= 100 * NOTABLE - 1e-9 for gain in points)
            assert points == sorted(points, key=lambda gain: (gain < 0, -abs(gain)))
            expected = [gain for gain in by_part(parts, protected=protected).values() if abs(gain) >= NOTABLE]
            assert len(alone) == min(TOP, len(expected))

    def test_places_that_are_left_are_zero(self):
        codes = top_codes(np.zeros((1, 9)), np.array([[0, 0, 0, 0.1, 0, 0, 0, 0, 0]]))
        assert codes.tolist() == [[4, 0, 0]]

    def test_of_no_customer_there_are_none(self):
        assert top_codes(np.zeros((0, 9)), np.zeros((0, 9))).shape == (0, TOP)

    def test_a_number_of_a_later_version_is_passed_over(self):
        assert numbered_reasons([999, 5, 0], [0, 0, 0, -0.1, 0, 0, 0, 0, 0], CUSTOMER)[0].code == "AGE_LOWERS"


@pytest.mark.parametrize("protected", [(), PROTECTED, ("age",), FEATURES])
def test_parts_add_up_to_all_contributions_whatever_is_named(protected):
    parts = [0.01 * (number + 1) for number in range(len(FEATURES))]
    named = by_part(parts, protected=protected)
    assert sum(named.values()) == pytest.approx(sum(parts))
    assert all((field in named) == (field not in protected) for field in FEATURES)
