"""Pages of a customer's history: nothing twice, nothing left out, newest first."""

from decimal import Decimal

import pytest

from customers.api import history_page
from customers.models import Customer, ModelRelease, ScoreRecord, UnscoredVersion
from customers.scoring import scorer
from tests.factories import edit, make_customer, make_scored, rescore

pytestmark = pytest.mark.django_db


def entries(customer, **cut):
    return history_page.page(customer.pk, **cut)["entries"]


def leaf_through(customer_id, limit):
    """All pages, one after the other, as a program reads them."""
    page = history_page.page(customer_id, limit=limit)
    yield page
    while page["next_before"] is not None:
        page = history_page.page(customer_id, limit=limit, before=page["next_before"])
        yield page


class TestEntry:
    def test_it_tells_the_score_and_the_edit_that_led_to_it(self):
        customer = make_scored(age=40)
        edit(customer, balance=Decimal("12.50"), age=71)
        rescore(customer)
        entry, first = entries(customer)
        record = ScoreRecord.objects.latest("id")
        assert (entry["record"], entry["score"], entry["scored_at"]) == (record.pk, record.score, record.scored_at)
        assert entry["previous_score"] == first["score"] == customer.churn_risk_score
        assert entry["change"] == entry["score"] - first["score"] != 0
        assert (entry["cause"], entry["model_release"]) == ("edited", ModelRelease.objects.active().pk)
        assert (entry["edited_by"], entry["edited_at"]) == ("django", record.edited_at)
        assert entry["changed"] == ["age", "balance"]
        assert entry["edits"][0]["changes"] == {
            "age": {"before": 40, "after": 71},
            "balance": {"before": Decimal("50000.00"), "after": Decimal("12.50")},
        }

    def test_the_first_score_comes_from_nowhere(self):
        (entry,) = entries(make_scored())
        assert (entry["previous_score"], entry["change"], entry["changed"]) == (None, None, [])
        assert [edit["version"] for edit in entry["edits"]] == [1]

    def test_a_score_that_no_edit_led_to_says_so(self):
        customer = make_scored()
        scorer.analyze(customer.pk)
        entry = entries(customer)[0]
        assert (entry["cause"], entry["edited_by"], entry["edited_at"], entry["edits"]) == ("analyze", None, None, [])
        assert entry["change"] == 0

    def test_several_edits_are_told_one_by_one_and_summed_up(self):
        customer = make_scored(age=40)
        edit(customer, tenure=9)
        edit(customer, age=41)
        rescore(customer)
        entry = entries(customer)[0]
        assert entry["changed"] == ["age", "tenure"]
        assert [list(edit["changes"]) for edit in entry["edits"]] == [["tenure"], ["age"]]
        assert entry["edited_at"] == entry["edits"][-1]["edited_at"]

    def test_edits_that_wait_for_their_score_come_first_and_have_none(self):
        customer = make_scored(age=40)
        edit(customer, age=41)
        waiting, scored = entries(customer)
        assert waiting.keys() == scored.keys()
        assert (waiting["record"], waiting["score"], waiting["band"], waiting["scored_at"]) == (None,) * 4
        assert waiting["changed"] == ["age"]

    def test_the_band_is_that_of_the_score(self, settings):
        customer = make_scored()
        settings.RISK_BANDS = [customer.churn_risk_score / 2, customer.churn_risk_score, 0.999]
        assert entries(customer)[0]["band"] == "high"


class TestPages:
    def test_they_tell_everything_once_newest_first(self):
        customer = make_scored(age=40)
        for age in range(41, 46):
            edit(customer, age=age, tenure=1)
            edit(customer, age=age, tenure=2)
            rescore(customer)
        edit(customer, age=80)
        whole = entries(customer)
        assert len(whole) == 1 + 6
        for limit in (1, 2, 3, 6, 7):
            pages = list(leaf_through(customer.pk, limit))
            assert [entry for page in pages for entry in page["entries"]] == whole
            assert all(len([it for it in page["entries"] if it["record"]]) <= limit for page in pages)

    def test_two_lives_are_told_apart_on_every_page(self):
        for age in (40, 60):
            Customer.objects.filter(pk=7_000_003).delete()
            customer = make_customer(customer_id=7_000_003, age=age)
            for more in (1, 2):
                edit(customer, age=age + more)
                rescore(customer)
            edit(customer, tenure=4)
            edit(customer, tenure=5)
        whole = entries(customer)
        assert [[edit["version"] for edit in entry["edits"]] for entry in whole] == [
            [4, 5],
            [3],
            [1, 2],
            [4, 5],
            [3],
            [1, 2],
        ]
        for limit in (1, 2, 3):
            assert [entry for page in leaf_through(customer.pk, limit) for entry in page["entries"]] == whole

    def test_an_edit_that_waited_for_a_score_is_not_told_before_it(self):
        """Its statement began before that score was written: by time alone it would be on the page before."""
        customer = make_scored(age=40)
        edit(customer, age=41)
        edit(customer, age=42)
        UnscoredVersion.objects.update(edited_at=ScoreRecord.objects.get().stale_since)
        rescore(customer)
        newer, older = leaf_through(customer.pk, 1)
        assert [edit["version"] for edit in newer["entries"][0]["edits"]] == [2, 3]
        assert [edit["version"] for edit in older["entries"][0]["edits"]] == [1]

    def test_the_last_page_says_that_it_is_the_last(self):
        customer = make_scored()
        scorer.analyze(customer.pk)
        assert history_page.page(customer.pk, limit=2)["next_before"] is None
        first = history_page.page(customer.pk, limit=1)["next_before"]
        assert first == ScoreRecord.objects.latest("id").pk
        assert history_page.page(customer.pk, limit=1, before=first)["next_before"] is None

    def test_after_the_last_page_there_is_nothing(self):
        customer = make_scored()
        record = ScoreRecord.objects.get()
        assert history_page.page(customer.pk, before=record.pk) == {
            "customer_id": customer.pk,
            "objected_at": None,
            "entries": [],
            "next_before": None,
        }

    def test_a_page_costs_two_queries_at_most_however_long_the_history(self, django_assert_max_num_queries):
        customer = make_scored()
        for _ in range(5):
            scorer.analyze(customer.pk)
        with django_assert_max_num_queries(2):
            history_page.page(customer.pk, limit=3)


class TestWhose:
    def test_a_deleted_customer_still_has_a_history(self):
        customer = make_scored(customer_id=7_000_004)
        customer.delete()
        assert len(history_page.page(7_000_004)["entries"]) == 1

    def test_a_customer_whose_history_is_gone_has_an_empty_one(self):
        customer = make_scored()
        ScoreRecord.objects.all().delete()
        assert entries(customer) == []

    @pytest.mark.parametrize("before", [None, 1, 2**63 - 1])
    def test_an_unknown_customer_has_none(self, before):
        make_scored()
        with pytest.raises(Customer.DoesNotExist, match="Nothing is known of a customer 987654321"):
            history_page.page(987_654_321, before=before)
