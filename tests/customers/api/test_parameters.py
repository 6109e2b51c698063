"""What may stand behind the question mark of an address, and that everything wrong with it is named at once."""

import pytest

from customers.api import at_risk, changes
from customers.api.history_page import PARAMETERS
from customers.api.parameters import WrongFieldsError, parse_query


def wrong(query, parameters=PARAMETERS):
    with pytest.raises(WrongFieldsError) as caught:
        parse_query(query, parameters)
    return caught.value.expected


class TestNumbers:
    def test_they_may_be_left_out(self):
        assert parse_query({}, PARAMETERS) == {}
        largest = {"limit": "200", "before": str(2**63 - 1)}
        assert parse_query(largest, PARAMETERS) == {"limit": 200, "before": 2**63 - 1}

    @pytest.mark.parametrize("text", ["0", "-1", "201", "1.5", "", "ten", " 5", "+5", "\u0665", "9" * 5000])
    def test_a_limit_is_a_whole_number_that_is_not_too_large(self, text):
        assert wrong({"limit": text}) == {"limit": "expected a whole number from 1 to 200"}

    def test_a_misspelt_name_is_no_way_to_the_first_page(self):
        found = wrong({"befor": "7", "before": str(2**63)})
        assert found["befor"] == "no such field; expected one of limit, before"
        assert found["before"].startswith("expected a whole number from 1 to")


class TestWords:
    def test_one_of_a_list_is_taken_as_it_is_written_there(self):
        asked = {"band": "high", "geography": "Spain", "main_reason": "INACTIVE_MEMBER", "freshness": "stale"}
        assert parse_query(asked, at_risk.PARAMETERS) == asked

    @pytest.mark.parametrize("text", ["", "High", "highest", "high "])
    def test_another_is_refused_with_the_list(self, text):
        assert wrong({"band": text}, at_risk.PARAMETERS) == {"band": "expected one of low, medium, high, critical"}

    def test_a_reason_that_names_country_or_gender_is_none_of_them(self):
        assert "GEOGRAPHY_RAISES" not in at_risk.MAIN_REASONS
        assert "main_reason" in wrong({"main_reason": "GEOGRAPHY_RAISES"}, at_risk.PARAMETERS)


class TestBooleans:
    def test_true_and_false_are_what_they_say(self):
        asked = {"is_active_member": "true", "has_cr_card": "false"}
        assert parse_query(asked, at_risk.PARAMETERS) == {"is_active_member": True, "has_cr_card": False}

    @pytest.mark.parametrize("text", ["", "True", "1", "0", "yes"])
    def test_nothing_else_is(self, text):
        assert wrong({"has_cr_card": text}, at_risk.PARAMETERS) == {"has_cr_card": "expected true or false"}


class TestPositions:
    @pytest.mark.parametrize("text", ["0.85_1", "1.0_16000001", "0.0_7", "5.551115123125783e-17_9", "1e-05_9"])
    def test_one_in_the_order_of_risk_is_taken(self, text):
        assert parse_query({"after": text}, at_risk.PARAMETERS) == {"after": text}

    @pytest.mark.parametrize("text", ["", "0.85", "0.85_", "0.85_0", "nan_1", "-0.5_1", "0.5_1\n", "0.5_" + "9" * 20])
    def test_what_no_answer_has_given_is_refused(self, text):
        assert wrong({"after": text}, at_risk.PARAMETERS) == {"after": "expected the next of an answer"}

    @pytest.mark.parametrize(
        "text", ["x", "0.0.0", f"{'g' * 32}.1.1.1", f"{'0' * 32}.1.1", f"{'0' * 32}.{'9' * 19}.1.1"]
    )
    def test_so_is_what_is_none_of_the_feed(self, text):
        assert wrong({"after": text}, changes.PARAMETERS) == {"after": "expected the next of an answer"}
