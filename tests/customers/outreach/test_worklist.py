"""Who is called next, by whom, and never by two."""

from datetime import timedelta
from functools import partial
from threading import Barrier

import pytest
from django.db import connection, transaction
from django.utils import timezone

from customers.models import Contact, ControlGroup, Customer, ModelRelease, WorklistItem
from customers.outreach import contacts, worklist
from customers.outreach.control import is_in_control
from customers.outreach.worklist import claim_next, finish, has_fallen, has_passed, open_item, open_items, snooze
from customers.scoring import scorer
from customers.sql import execute
from tests.customers.outreach.people import make_at_risk, make_contact, make_item
from tests.factories import edit, write_as_scorer
from tests.others import outsider, together

pytestmark = pytest.mark.django_db


def days_ago(days):
    return timezone.now() - timedelta(days=days)


def today(days=0):
    return timezone.localdate() + timedelta(days=days)


class TestWhoIsOffered:
    def test_the_highest_value_at_risk_comes_first_and_what_stood_then_is_kept(self):
        make_at_risk("100.00", 0.99)
        second, first = make_at_risk("500.00"), make_at_risk("900.10", 0.6)
        assert claim_next("ann") == first.pk
        assert claim_next("bob") == second.pk
        item = open_item("ann", first.pk)
        assert (item.score, str(item.value_at_risk), item.done_at) == (0.6, "900.10", None)
        assert open_item("bob", first.pk) is None

    def test_without_any_there_is_none(self):
        assert claim_next("ann") is None

    @pytest.mark.parametrize(("score", "offered"), [(0.4999, False), (0.5, True), (1.0, True)])
    def test_only_from_high_risk_on(self, score, offered):
        customer = make_at_risk("900.00", score)
        assert claim_next("ann") == (customer.pk if offered else None)

    def test_no_customer_whose_score_is_not_current(self):
        edited = make_at_risk("900.00")
        edit(edited, age=71)
        assert claim_next("ann") is None

    def test_no_customer_scored_by_a_former_model(self):
        make_at_risk("900.00")
        ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        assert claim_next("ann") is None

    def test_no_customer_who_has_objected(self):
        customer = make_at_risk("900.00")
        Customer.objects.filter(pk=customer.pk).set_objection(True)
        assert claim_next("ann") is None

    def test_no_customer_contacted_within_the_pause(self, settings):
        customer = make_at_risk("900.00")
        make_contact(customer, at=days_ago(13.9), by="other")
        assert claim_next("ann") is None
        settings.CONTACT_PAUSE_DAYS = 13
        assert claim_next("ann") == customer.pk

    def test_the_newest_contact_counts(self):
        customer = make_at_risk("900.00")
        make_contact(customer, at=days_ago(30))
        make_contact(customer, at=days_ago(1))
        assert claim_next("ann") is None

    def test_no_customer_of_the_control_group(self):
        group = ControlGroup.objects.create(seed=5, share=0.4)
        customers = [make_at_risk("900.00", customer_id=it) for it in range(1, 13)]  # some of these are in the group
        treated = {customer.pk for customer in customers if not is_in_control(customer.pk, group)}
        claimed = set()
        while (customer_id := claim_next("ann")) is not None:
            claimed.add(customer_id)
        assert claimed == treated
        assert 0 < len(treated) < 12


class TestAsksNotToBeContacted:
    def test_is_never_offered(self):
        make_contact(make_at_risk("900.00"), outcome="no contact", at=days_ago(400))
        assert claim_next("ann") is None

    def test_not_even_after_an_attempt_that_has_not_reached_the_customer(self):
        customer = make_at_risk("900.00")
        make_contact(customer, outcome="no contact", at=days_ago(400))
        make_contact(customer, outcome="not reached", at=days_ago(300))
        assert claim_next("ann") is None

    def test_until_the_customer_was_spoken_with_again(self):
        customer = make_at_risk("900.00")
        make_contact(customer, outcome="no contact", at=days_ago(400))
        make_contact(customer, outcome="informed", at=days_ago(300))
        assert claim_next("ann") == customer.pk

    def test_a_snoozed_customer_does_not_come_back(self):
        customer, other = make_at_risk("900.00"), make_at_risk("1.00")
        make_item(customer, "ann", snoozed_until=today())
        make_contact(customer, outcome="no contact")
        assert claim_next("ann") == other.pk
        assert [opened.customer for opened in open_items("ann")] == [other]

    def test_spoken_with_again_the_snoozed_customer_does(self):
        customer = make_at_risk("900.00")
        make_item(customer, "ann", snoozed_until=today())
        make_contact(customer, outcome="no contact")
        make_contact(customer, outcome="informed")
        assert [opened.customer for opened in open_items("ann")] == [customer]
        assert claim_next("ann") == customer.pk

    def test_recorded_by_another_it_ends_every_open_item(self):
        customer, other = make_at_risk("900.00"), make_at_risk("1.00")
        item = make_item(customer, "ann", snoozed_until=today())
        make_item(other, "bob")
        wish = Contact(customer=customer, channel="phone", outcome="no contact")
        contacts.record(wish, "bob", contacts.Standing())
        item.refresh_from_db()
        assert item.done_at is not None
        assert open_item("bob", other.pk) is not None

    def test_no_other_outcome_does(self):
        customer = make_at_risk("900.00")
        make_item(customer, "ann")
        contacts.record(Contact(customer=customer, channel="phone", outcome="leaving"), "bob", contacts.Standing())
        assert open_item("ann", customer.pk) is not None


class TestClaims:
    def test_a_customer_who_is_claimed_is_offered_to_no_other_until_done(self):
        customer = make_at_risk("900.00")
        assert claim_next("ann") == customer.pk
        assert claim_next("bob") is None
        assert finish("ann", customer.pk)
        assert claim_next("bob") == customer.pk
        assert WorklistItem.objects.count() == 2

    def test_a_claim_of_too_many_hours_may_be_taken_over(self):
        customer = make_at_risk("900.00", 0.9)
        make_item(customer, "bob", claimed_at=timezone.now() - timedelta(hours=23.9))
        assert claim_next("ann") is None
        WorklistItem.objects.update(claimed_at=timezone.now() - timedelta(hours=24.1), score=0.6)
        assert claim_next("ann") == customer.pk
        item = WorklistItem.objects.get()
        assert (item.claimed_by, item.score, item.snoozed_until) == ("ann", 0.9, None)
        assert timezone.now() - item.claimed_at < timedelta(minutes=1)
        assert not finish("bob", customer.pk)

    def test_a_snoozed_one_only_so_many_hours_after_its_day_has_begun(self):
        customer = make_at_risk("900.00")
        make_item(customer, "bob", claimed_at=days_ago(9), snoozed_until=today())
        assert claim_next("ann") is None
        WorklistItem.objects.update(snoozed_until=today(-2))
        assert claim_next("ann") == customer.pk

    def test_snoozed_ones_come_back_first_on_their_day_and_only_once(self):
        later, sooner, new = make_at_risk("1.00"), make_at_risk("2.00"), make_at_risk("900.00")
        make_item(later, "ann", snoozed_until=today())
        make_item(sooner, "ann", snoozed_until=today(-1))
        assert [claim_next("ann") for _ in range(4)] == [sooner.pk, later.pk, new.pk, None]

    def test_before_their_day_they_do_not(self):
        customer = make_at_risk("900.00")
        claim_next("ann")
        assert snooze("ann", customer.pk, today(1))
        assert claim_next("ann") is None

    def test_that_of_a_customer_who_has_objected_since_does_not_come_back(self):
        customer = make_at_risk("900.00")
        make_item(customer, "ann", snoozed_until=today())
        Customer.objects.filter(pk=customer.pk).set_objection(True)
        assert claim_next("ann") is None
        assert open_items("ann") == []

    def test_of_others_nothing_can_be_done_or_snoozed(self):
        customer = make_at_risk("900.00")
        claim_next("ann")
        assert not finish("bob", customer.pk)
        assert not snooze("bob", customer.pk, today(1))
        assert open_item("ann", customer.pk).snoozed_until is None

    def test_claims_look_past_what_was_dealt_with(self, monkeypatch):
        monkeypatch.setattr(worklist, "CLAIM", worklist.CLAIM.replace(f"LIMIT {worklist.CANDIDATES}", "LIMIT 1"))
        for _ in range(3):
            make_contact(make_at_risk("900.00"))
        last = make_at_risk("1.00")
        assert claim_next("ann") == last.pk


class TestOpenItems:
    def test_ended_snoozes_come_first_then_by_value_then_snoozed_ones(self):
        items = {
            "snoozed": make_item(make_at_risk("999.00"), snoozed_until=today(3)),
            "low": make_item(make_at_risk("10.00")),
            "high": make_item(make_at_risk("500.00")),
            "due": make_item(make_at_risk("1.00"), snoozed_until=today()),
        }
        make_item(make_at_risk("1.00"), by="other")
        make_item(make_at_risk("1.00"), done_at=timezone.now())
        order = [items[name].pk for name in ("due", "high", "low", "snoozed")]
        assert [opened.item.pk for opened in open_items("agent")] == order
        assert [opened.is_snoozed for opened in open_items("agent")] == [False, False, False, True]

    def test_the_customer_is_as_the_row_is_now(self):
        customer = make_at_risk("10.00", 0.9)
        make_item(customer)
        write_as_scorer(customer, churn_risk_score=0.123)
        [opened] = open_items("agent")
        assert opened.customer.churn_risk_score == 0.123
        assert has_passed(opened.item, 0.123)

    def test_a_customer_who_has_left_the_table_is_not_there(self):
        customer = make_at_risk("10.00")
        make_item(customer)
        Customer.objects.filter(pk=customer.pk).delete()
        assert open_items("agent") == []

    @pytest.mark.parametrize(
        ("then", "now", "fallen", "passed"),
        [
            (0.8, 0.76, False, False),
            (0.8, 0.6, True, False),
            (0.8, 0.3, True, True),
            (0.6, 0.9, False, False),
            (0.6, None, False, False),
            (None, 0.1, False, False),
        ],
    )
    def test_risk_has_fallen_or_passed_by_bands(self, then, now, fallen, passed):
        item = WorklistItem(score=then)
        assert (has_fallen(item, now), has_passed(item, now)) == (fallen, passed)


@pytest.mark.django_db(transaction=True)
class TestTogether:
    AGENTS = 20

    @pytest.fixture
    def not_the_first(self):
        """The first claim of a database adds the rows that claims lock."""
        execute(worklist.ADD_TURNS)

    def claim_at_once(self):
        start = Barrier(self.AGENTS)

        def claim(name):
            start.wait(20)
            return claim_next(name)

        names = [f"agent {number}" for number in range(self.AGENTS)]
        return [it for it in together(*(partial(claim, name) for name in names)) if it is not None]

    def test_twenty_agents_at_once_get_twenty_customers(self):
        customers = [make_at_risk(f"{100 + number}.00") for number in range(30)]
        claimed = self.claim_at_once()
        assert len(set(claimed)) == len(claimed) == self.AGENTS
        assert set(claimed) <= {customer.pk for customer in customers}
        assert sorted(WorklistItem.objects.values_list("customer_id", flat=True)) == sorted(claimed)

    def test_of_fewer_customers_none_is_given_twice(self):
        customers = [make_at_risk("100.00") for _ in range(7)]
        assert sorted(self.claim_at_once()) == sorted(customer.pk for customer in customers)

    def test_expired_claims_are_taken_over_by_one_each(self):
        customers = [make_at_risk("100.00") for _ in range(5)]
        for customer in customers:
            make_item(customer, "gone", claimed_at=days_ago(3))
        assert sorted(self.claim_at_once()) == sorted(customer.pk for customer in customers)
        assert WorklistItem.objects.count() == 5
        assert not WorklistItem.objects.filter(claimed_by="gone").exists()

    def test_a_claim_that_is_not_committed_makes_no_editor_and_no_scorer_wait(self, not_the_first):
        customer = make_at_risk("100.00")
        with transaction.atomic():
            assert claim_next("ann") == customer.pk
            with outsider() as editor:
                editor.execute("SET lock_timeout = '1s'")
                editor.execute("UPDATE customers_customer SET age = 71 WHERE customer_id = %s", [customer.pk])
            assert together(lambda: scorer.rescore_batch().stored) == [1]
            with outsider() as editor:
                editor.execute("SET lock_timeout = '1s'")
                editor.execute("DELETE FROM customers_customer WHERE customer_id = %s", [customer.pk])

    def test_an_open_edit_of_the_customer_holds_up_no_claim(self, not_the_first):
        customer = make_at_risk("100.00")
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET age = 71 WHERE customer_id = %s", [customer.pk])
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '1s'")
            assert claim_next("ann") == customer.pk
            editor.rollback()
            with connection.cursor() as cursor:
                cursor.execute("RESET lock_timeout")

    def test_who_finds_customers_but_never_a_free_turn_learns_that(self, not_the_first, monkeypatch):
        monkeypatch.setattr(worklist, "ATTEMPTS", 2)
        make_at_risk("900.00")
        with outsider(autocommit=False) as others:
            others.execute("SELECT FROM events_turn FOR UPDATE")
            with pytest.raises(worklist.OthersClaimError):
                claim_next("ann")

    def test_a_claim_held_open_is_passed_over_by_the_next(self, not_the_first):
        first, second = make_at_risk("900.00"), make_at_risk("100.00")
        with transaction.atomic():
            assert claim_next("ann") == first.pk
            assert together(lambda: claim_next("bob")) == [second.pk]
