"""What programs ask, and that everything wrong with it is named at once."""

import pytest

from customers.api.parameters import WrongFieldsError
from customers.api.validation import EXPECTED, EXPECTED_IDS, MOST_IDS, WhatIfQuestion, read_customer_ids
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
        found = wrong({"customer": customer, "changes": {"balance": -(10**13), "mood": "good"}, "model": 3})
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

    @pytest.mark.parametrize("name", ["tenure", "num_of_products", "balance"])
    def test_true_is_no_number(self, name):
        assert set(wrong({"customer_id": 7, "changes": {name: True}})) == {name}

    @pytest.mark.parametrize("flag", [True, False, 0, 1])
    def test_a_flag_may_be_written_as_a_number(self, flag):
        assert WhatIfQuestion.from_json({"customer_id": 7, "changes": {"has_cr_card": flag}}).changes


class TestIds:
    def test_a_thousand_are_taken_in_their_order_and_more_than_once(self):
        ids = [3, 1, 3, *range(4, MOST_IDS + 1)]
        assert read_customer_ids({"customer_ids": ids}) == ids

    @pytest.mark.parametrize(
        "asked",
        [
            {},
            {"customer_ids": []},
            {"customer_ids": 7},
            {"customer_ids": [0]},
            {"customer_ids": [1, True]},
            {"customer_ids": ["1"]},
            {"customer_ids": [1.0]},
            {"customer_ids": [LARGEST_CUSTOMER_ID + 1]},
            {"customer_ids": list(range(1, MOST_IDS + 2))},
        ],
    )
    def test_what_is_no_such_list_is_refused(self, asked):
        with pytest.raises(WrongFieldsError) as caught:
            read_customer_ids(asked)
        assert caught.value.expected == {"customer_ids": EXPECTED_IDS}

    def test_a_misspelt_name_is_refused_by_name(self):
        with pytest.raises(WrongFieldsError) as caught:
            read_customer_ids({"ids": [1], "customer_ids": [1]})
        assert caught.value.expected == {"ids": "no such field; expected one of customer_ids"}
