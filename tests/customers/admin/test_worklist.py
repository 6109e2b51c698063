"""The worklist's page: what it shows is so now, and its buttons do what they say, to one's own items alone."""

import re
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.utils import timezone

from customers.models import Customer, ModelRelease, WorklistItem
from customers.outreach import worklist
from customers.presentation.durations import format_day
from events.queue.pause import pause
from tests.customers.outreach.people import make_at_risk, make_item
from tests.factories import edit, write_as_scorer
from tests.staff import superuser, with_role
from vigilpay.trail.models import TrailEntry

pytestmark = pytest.mark.django_db

PAGE = "/admin/customers/worklistitem/"


@pytest.fixture
def agent():
    return with_role("agent", "ann")


def shown(client):
    response = client.get(PAGE)
    assert response.status_code == 200
    return response.content.decode()


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def tomorrow(days=1):
    return timezone.localdate() + timedelta(days=days)


class TestPage:
    def test_empty_it_says_so_and_offers_the_next(self, agent):
        text = shown(agent)
        assert "Your worklist is empty." in text
        assert re.search(rf'formaction="{PAGE}next/">Next to call<', text)
        assert "<h1>Worklist</h1>" in text
        assert "None" not in re.sub(r"<[^>]*>", "", text)

    def test_an_item_has_risk_value_reason_and_the_way_to_the_customer(self, agent):
        customer = make_at_risk("182160.00", 0.8, surname="Marrequet")
        make_item(customer, "ann")
        text = shown(agent)
        assert f'<a href="/admin/customers/customer/{customer.pk}/change/">Marrequet</a>' in text
        assert "EUR\N{NO-BREAK SPACE}182,160" in text
        assert "critical" in text
        assert "Risk has" not in text
        assert "1 customer to call, 0 snoozed." in text

    def test_a_risk_that_has_passed_is_named_as_soon_as_the_score_has(self, agent):
        customer = make_at_risk("10.00", 0.8)
        make_item(customer, "ann")
        write_as_scorer(customer, churn_risk_score=0.123)
        assert "Risk has passed: now 12.3\N{NO-BREAK SPACE}% (low)" in shown(agent)
        write_as_scorer(customer, churn_risk_score=0.6)
        assert "Risk has fallen: now 60.0\N{NO-BREAK SPACE}% (high)" in shown(agent)

    def test_of_a_score_that_is_not_current_it_says_that_and_nothing_of_the_risk(self, agent):
        customer = make_at_risk("10.00", 0.8)
        make_item(customer, "ann")
        write_as_scorer(customer, churn_risk_score=0.123)
        edit(customer, age=71)
        assert "Risk has" not in shown(agent)

    def test_items_of_others_and_of_objectors_are_not_there(self, agent):
        customer = make_at_risk("10.00", surname="Objecting")
        make_item(customer, "ann")
        make_item(make_at_risk("10.00", surname="Others"), "bob")
        Customer.objects.filter(pk=customer.pk).set_objection(True)
        text = shown(agent)
        assert "Objecting" not in text
        assert "Others" not in text

    def test_the_trail_names_the_customers_that_were_shown(self, agent):
        customer = make_at_risk("10.00")
        make_item(customer, "ann")
        agent.get(PAGE)
        entry = TrailEntry.objects.latest("id")
        assert (entry.purpose, entry.customer_ids) == ("list", [customer.pk])

    @pytest.mark.parametrize("role", ["viewer", "operator"])
    def test_others_see_neither_page_nor_entry_in_the_menu(self, role):
        client = with_role(role)
        assert client.get(PAGE).status_code == 403
        assert PAGE not in client.get("/admin/").content.decode()

    @pytest.mark.parametrize("role", ["agent", "analyst", None])
    def test_those_who_work_with_it_find_it_in_the_menu(self, role):
        client = with_role(role) if role else superuser()
        assert f'href="{PAGE}"' in client.get("/admin/").content.decode()
        assert client.get(PAGE).status_code == 200


class TestButtons:
    def test_next_claims_and_opens_the_customer(self, agent):
        customer = make_at_risk("900.00")
        response = agent.post(f"{PAGE}next/")
        assert response["Location"] == f"/admin/customers/customer/{customer.pk}/change/#container"
        assert WorklistItem.objects.get().claimed_by == "ann"
        entry = TrailEntry.objects.latest("id")
        assert (entry.purpose, entry.customer_ids) == ("change", [customer.pk])

    def test_without_a_pause_after_a_contact_no_next_says_nothing_of_one(self, agent, settings):
        settings.CONTACT_PAUSE_DAYS = 0
        make_at_risk("900.00", 0.1)
        [words] = said(agent.post(f"{PAGE}next/"))
        assert words.endswith("whose score is up to date, who are not claimed.")

    def test_while_scoring_is_paused_no_next_says_so(self, agent):
        edit(make_at_risk("900.00"), age=71)
        pause(by="clerk")
        [words] = said(agent.post(f"{PAGE}next/"))
        assert re.search(r"in the last 14 days\. Scoring has been paused since .* by clerk\.$", words)

    def test_after_a_release_no_next_says_that_scores_are_pending(self, agent):
        make_at_risk("900.00")
        ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        [words] = said(agent.post(f"{PAGE}next/"))
        assert words.endswith("No customer has been scored by the active model release yet.")

    def test_where_others_claim_at_this_moment_it_says_that(self, agent, monkeypatch):
        make_at_risk("900.00")
        monkeypatch.setattr(worklist, "ATTEMPTS", 0)
        response = agent.post(f"{PAGE}next/")
        assert response["Location"] == PAGE
        assert said(response) == ["Other members of staff are claiming customers at this moment; try again."]

    def test_done(self, agent):
        customer = make_at_risk("900.00")
        make_item(customer, "ann")
        response = agent.post(f"{PAGE}{customer.pk}/done/")
        assert (response["Location"], said(response)) == (PAGE, [f"Customer {customer.pk} marked as done."])
        assert WorklistItem.objects.get().done_at is not None
        assert TrailEntry.objects.latest("id").customer_ids == [customer.pk]

    def test_snooze(self, agent):
        customer = make_at_risk("900.00")
        make_item(customer, "ann")
        response = agent.post(f"{PAGE}{customer.pk}/snooze/", {"snoozed_until": tomorrow().isoformat()})
        assert said(response) == [f"Customer {customer.pk} snoozed until {format_day(tomorrow())}."]
        assert WorklistItem.objects.get().snoozed_until == tomorrow()
        assert "0 customers to call, 1 snoozed." in shown(agent)

    @pytest.mark.parametrize("day", ["", "soon", "2026-02-31", "2001-01-01", "9999-01-01"])
    def test_a_day_that_is_none_changes_nothing(self, agent, day):
        customer = make_at_risk("900.00")
        make_item(customer, "ann")
        response = agent.post(f"{PAGE}{customer.pk}/snooze/", {"snoozed_until": day})
        assert response["Location"] == f"/admin/customers/customer/{customer.pk}/change/"
        assert said(response)[0].startswith("Not snoozed. ")
        assert WorklistItem.objects.get().snoozed_until is None

    def test_items_of_others_are_left_alone(self, agent):
        customer = make_at_risk("900.00")
        make_item(customer, "bob")
        for button, sent in (("done", {}), ("snooze", {"snoozed_until": tomorrow().isoformat()})):
            response = agent.post(f"{PAGE}{customer.pk}/{button}/", sent)
            assert said(response) == [f"Customer {customer.pk} is no longer on your worklist."]
            list(agent.get(PAGE).context["messages"])
        item = WorklistItem.objects.get()
        assert (item.done_at, item.snoozed_until) == (None, None)

    @pytest.mark.parametrize("role", ["viewer", "operator"])
    def test_to_others_all_are_refused(self, role):
        customer = make_at_risk("900.00")
        client = with_role(role)
        for address in ("next/", f"{customer.pk}/done/", f"{customer.pk}/snooze/"):
            assert client.post(PAGE + address).status_code == 403
            assert client.get(PAGE + address).status_code == 403
        assert not WorklistItem.objects.exists()

    def test_a_get_changes_nothing(self, agent):
        customer = make_at_risk("900.00")
        make_item(customer, "ann")
        for address in ("next/", f"{customer.pk}/done/", f"{customer.pk}/snooze/"):
            assert agent.get(PAGE + address).status_code == 302
        item = WorklistItem.objects.get()
        assert (item.done_at, item.snoozed_until) == (None, None)

    def test_nor_does_a_post_to_the_page_itself(self, agent):
        make_at_risk("900.00")
        assert agent.post(PAGE, {"_save": "1"}).status_code == 200
        assert not WorklistItem.objects.exists()
