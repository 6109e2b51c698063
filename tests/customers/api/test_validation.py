"""What programs ask, and that everything wrong with it is named at once."""

import pytest

from customers.api.validation import EXPECTED, WhatIfQuestion, WrongFieldsError, parse_page
from customers.ml_service.schema import FEATURES
from customers.models import LARGEST_CUSTOMER_ID
from tests.factories import A_CUSTOMER


def wrong(asked):
    with pytest.raises(WrongFieldsError) as caught:
        WhatIfQuestion.from_json(asked)
    return caught.value.expected


class TestWhatIf:
    def test_it_is_asked_of_anybody_or_of_a_stored_customer(self):
        changes = {"age": 50}
        assert WhatIfQuestion.from_json({"customer": A_CUSTOMER, "changes": changes}) == WhatIfQuestion(
            None, A_CUSTOMER, changes
        )
        assert WhatIfQuestion.from_json({"customer_id": 7, "changes": changes}) == WhatIfQuestion(7, {}, changes)

    def test_without_changes_it_asks_for_the_score_as_things_stand(self):
        assert WhatIfQuestion.from_json({"customer_id": 7}).changes == {}

    def test_every_wrong_field_is_named_at_once(self):
        customer = {name: value for name, value in A_CUSTOMER.items() if name != "tenure"} | {"age": "40", "salary": 1}
        found = wrong({"customer": customer, "changes": {"balance": -1, "mood": "good"}, "model": 3})
        assert set(found) == {"tenure", "age", "salary", "balance", "mood", "model"}
        assert found["age"] == "expected a whole number from 18 to 110"
        assert found["tenure"] == "expected a whole number from 0 to 80"
        assert found["salary"].startswith("no such field; expected one of credit_score")
        assert found["model"] == "no such field; expected one of customer, customer_id, changes"

    @pytest.mark.parametrize("asked", [{}, {"changes": {}}, {"customer": A_CUSTOMER, "customer_id": 7}])
    def test_a_customer_must_be_meant_and_one_only(self, asked):
        assert wrong(asked) == {name: EXPECTED[name] for name in ("customer", "customer_id")}

    @pytest.mark.parametrize("customer_id", [0, -1, LARGEST_CUSTOMER_ID + 1, True, 7.0, "7", None, [7]])
    def test_what_is_no_id_is_refused(self, customer_id):
        assert set(wrong({"customer_id": customer_id})) == {"customer_id"}

    @pytest.mark.parametrize("nonsense", [None, 7, "age", [], [{"age": 40}]])
    def test_customer_and_changes_are_objects(self, nonsense):
        assert set(wrong({"customer": nonsense, "changes": nonsense})) == {"customer", "changes"}

    def test_an_empty_customer_lacks_all_nine(self):
        assert tuple(wrong({"customer": {}})) == FEATURES


class TestPage:
    def test_both_numbers_may_be_left_out(self):
        assert parse_page({}) == {}
        assert parse_page({"limit": "200", "before": str(2**63 - 1)}) == {"limit": 200, "before": 2**63 - 1}

    @pytest.mark.parametrize("text", ["0", "-1", "201", "1.5", "", "ten", " 5", "+5", "\u0665", "9" * 5000])
    def test_a_limit_is_a_whole_number_that_is_not_too_large(self, text):
        with pytest.raises(WrongFieldsError) as caught:
            parse_page({"limit": text})
        assert caught.value.expected == {"limit": "expected a whole number from 1 to 200"}

    def test_a_misspelt_name_is_no_way_to_the_first_page(self):
        with pytest.raises(WrongFieldsError) as caught:
            parse_page({"befor": "7", "before": str(2**63)})
        assert caught.value.expected["befor"] == "no such field; expected one of limit, before"
        assert caught.value.expected["before"].startswith("expected a whole number from 1 to")
