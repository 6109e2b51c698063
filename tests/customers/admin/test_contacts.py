"""Contacts: recorded on the page of a customer, by whom it may be, with what stood then; and never changed."""

import random
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.utils import timezone

from customers.models import Contact, Customer, ModelRelease, WorklistItem
from customers.presentation.durations import format_day
from tests.customers.outreach.people import make_at_risk, make_contact, make_item
from tests.factories import A_CUSTOMER, edit, make_customer, make_scored, write_as_scorer
from tests.staff import logged_in, superuser, with_role
from vigilpay.trail.models import TrailEntry

pytestmark = pytest.mark.django_db

LIST = "/admin/customers/contact/"


@pytest.fixture
def agent():
    return with_role("agent", "ann")


def address(customer):
    return f"/admin/customers/customer/{customer.pk}/change/"


def page(client, customer):
    response = client.get(address(customer))
    assert response.status_code == 200
    return response.content.decode()


def a_contact(**fields):
    """What the form of a new contact sends."""
    values = {"channel": "phone", "outcome": "offer made", "note": "Fixed rate offered.", **fields}
    return {
        "contacts-TOTAL_FORMS": "1",
        "contacts-INITIAL_FORMS": "0",
        **{f"contacts-0-{name}": value for name, value in values.items()},
    }


def data_of(customer, **changes):
    values = {"surname": customer.surname, **{field: getattr(customer, field) for field in A_CUSTOMER}, **changes}
    return {name: "on" if value is True else value for name, value in values.items() if value is not False}


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


class TestRecorded:
    def test_with_author_time_score_reasons_and_release(self, agent):
        customer = make_scored()
        response = agent.post(address(customer), a_contact())
        assert (response.status_code, response["Location"]) == (302, f"{address(customer)}#container")
        contact = Contact.objects.get()
        assert (contact.customer_id, contact.by, contact.channel, contact.outcome) == (
            customer.pk, "ann", "phone", "offer made",
        )  # fmt: skip
        assert timezone.now() - contact.at < timedelta(minutes=1)
        assert contact.note == "Fixed rate offered."
        assert (contact.score, contact.reason_codes, contact.release_id) == (
            customer.churn_risk_score, customer.reason_codes, customer.scored_by_id,
        )  # fmt: skip
        assert said(response) == [f"Contact with customer {customer.pk} recorded."]

    def test_with_a_follow_up_the_message_names_its_day(self, agent):
        day = timezone.localdate() + timedelta(days=7)
        response = agent.post(address(make_scored()), a_contact(follow_up_on=day.isoformat()))
        assert Contact.objects.get().follow_up_on == day
        assert said(response)[0].endswith(f"recorded. Follow-up on {format_day(day)}.")

    @pytest.mark.parametrize("state", ["edited", "former model", "unscored", "objected"])
    def test_without_a_score_where_none_is_current(self, agent, state):
        customer = make_customer() if state == "unscored" else make_scored()
        if state == "edited":
            edit(customer, age=71)
        if state == "former model":
            ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        if state == "objected":
            Customer.objects.filter(pk=customer.pk).set_objection(True)
        assert agent.post(address(customer), a_contact()).status_code == 302
        contact = Contact.objects.get()
        assert (contact.score, contact.reason_codes, contact.release_id) == (None, None, None)

    def test_by_an_analyst_together_with_an_edit_it_keeps_the_score_before(self):
        customer = make_scored(age=40)
        response = with_role("analyst").post(address(customer), {**data_of(customer, age=71), **a_contact()})
        assert response.status_code == 302
        customer.refresh_from_db()
        assert (customer.age, customer.stale_since is None) == (71, False)
        assert Contact.objects.get().score == customer.churn_risk_score
        assert any("was changed" in text for text in said(response))

    def test_an_edit_needs_no_contact(self):
        customer = make_scored(age=40)
        nothing = a_contact(channel="", outcome="", note="")
        assert with_role("analyst").post(address(customer), {**data_of(customer, age=71), **nothing}).status_code == 302
        customer.refresh_from_db()
        assert customer.age == 71
        assert not Contact.objects.exists()

    def test_a_page_without_the_form_of_a_contact_saves_as_before(self):
        customer = make_scored(age=40)
        assert with_role("analyst").post(address(customer), data_of(customer, age=71)).status_code == 302
        customer.refresh_from_db()
        assert customer.age == 71

    def test_it_is_in_the_history_of_the_page_and_in_the_audit_trail(self, agent):
        customer = make_scored()
        agent.post(address(customer), a_contact())
        assert "contact" in LogEntry.objects.get().get_change_message()
        entry = TrailEntry.objects.latest("id")
        assert (entry.purpose, entry.customer_ids, entry.refused) == ("change", [customer.pk], False)


class TestRefused:
    def test_more_than_one_contact_at_once(self, agent):
        second = {name.replace("-0-", "-1-"): value for name, value in a_contact().items()}
        response = agent.post(address(make_scored()), {**second, **a_contact(), "contacts-TOTAL_FORMS": "2"})
        assert response.status_code == 200
        assert "Please submit at most 1 form." in response.content.decode()
        assert not Contact.objects.exists()

    @pytest.mark.parametrize("button", ["_save", "_save_and_next"])
    def test_a_page_that_sends_no_contact_at_all(self, agent, button):
        customer = make_at_risk("900.00")
        make_item(customer, "ann")
        response = agent.post(address(customer), {**a_contact(), "contacts-TOTAL_FORMS": "0", button: "1"})
        assert response.status_code == 200
        assert "Enter the contact to record." in response.content.decode()
        assert WorklistItem.objects.get().done_at is None

    @pytest.mark.parametrize(
        ("days", "reason"),
        [(-1, "This day has passed."), (731, "Choose a day within the next two years.")],
    )
    def test_a_follow_up_in_the_past_or_far_ahead(self, agent, days, reason):
        day = (timezone.localdate() + timedelta(days=days)).isoformat()
        response = agent.post(address(make_scored()), a_contact(follow_up_on=day))
        assert response.status_code == 200
        assert reason in response.content.decode()
        assert not Contact.objects.exists()

    @pytest.mark.parametrize(
        "wrong",
        [{"note": "x" * 1001}, {"channel": "pigeon"}, {"outcome": ""}, {"channel": "", "outcome": "", "note": ""}],
    )
    def test_what_is_incomplete_or_impossible(self, agent, wrong):
        response = agent.post(address(make_scored()), a_contact(**wrong))
        assert response.status_code == 200
        assert "errorlist" in response.content.decode()
        assert not Contact.objects.exists()

    @pytest.mark.parametrize("role", ["viewer", "operator"])
    def test_to_others(self, role):
        customer = make_scored()
        client = with_role(role)
        assert "Record a contact" not in page(client, customer)
        assert client.post(address(customer), a_contact()).status_code == 403
        assert not Contact.objects.exists()

    def test_without_the_permission_to_see_customers(self):
        customer = make_scored()
        client = logged_in("blind", "add_contact")
        assert client.post(address(customer), a_contact()).status_code == 403
        assert not Contact.objects.exists()


class TestNothingOfTheCustomerIsChangedByAnAgent:
    def fingerprint(self, customer):
        return Customer.objects.filter(pk=customer.pk).values().get()

    @pytest.mark.parametrize("seed", range(5))
    def test_by_whatever_is_sent(self, agent, seed):
        customer, pick = make_scored(age=40), random.Random(seed)
        before = self.fingerprint(customer)
        forged = {field.attname: pick.choice(["1", "2", "71", "", "x"]) for field in Customer._meta.concrete_fields}
        forged |= {"objection": "record", "surname": "Forged", "age": "71", "balance": "1", "objected_at": "2026-01-01"}
        button = pick.choice(["_save", "_continue", "_addanother", "_saveasnew"])
        response = agent.post(address(customer), {**forged, button: "1", **a_contact()})
        is_stored = button != "_saveasnew"  # which asks for another customer
        assert response.status_code == (302 if is_stored else 403)
        assert self.fingerprint(customer) == before
        assert Contact.objects.count() == is_stored
        assert Customer.objects.count() == 1

    def test_by_a_user_who_may_record_objections_as_well(self):
        customer = make_scored()
        client = logged_in("carl", "view_customer", "add_contact", "record_objection", "view_contact")
        before = self.fingerprint(customer)
        assert client.post(address(customer), {"objection": "record", **a_contact()}).status_code == 302
        assert self.fingerprint(customer) == before

    def test_a_post_that_sends_no_contact_is_refused(self, agent):
        customer = make_scored(age=40)
        before = self.fingerprint(customer)
        assert agent.post(address(customer), data_of(customer, age=71)).status_code == 403
        assert self.fingerprint(customer) == before

    def test_no_customer_can_be_added_or_deleted(self, agent):
        customer = make_scored()
        assert agent.post("/admin/customers/customer/add/", {**data_of(customer), **a_contact()}).status_code == 403
        assert (
            agent.post(address(customer).replace("change", "delete"), {"post": "yes", **a_contact()}).status_code == 403
        )
        assert Customer.objects.count() == 1

    def test_the_page_shows_the_fields_and_no_input_for_them_even_after_an_error(self, agent):
        customer = make_scored()
        refused = agent.post(address(customer), a_contact(outcome="")).content.decode()
        for shown in (page(agent, customer), refused):
            assert 'name="contacts-0-channel"' in shown
            assert 'name="_save"' in shown
            assert 'name="surname"' not in shown
            assert "Made Up" in shown


class TestNeverChanged:
    @pytest.mark.parametrize("role", ["agent", "analyst", None])
    def test_a_stored_contact_by_no_role(self, role):
        customer = make_scored()
        contact = make_contact(customer, note="as it was")
        client = with_role(role) if role else superuser()
        form = {
            **a_contact(note="forged", id=contact.pk),
            "contacts-INITIAL_FORMS": "1",
            "contacts-0-DELETE": "on",
        }
        client.post(address(customer), {**data_of(customer), **form})
        client.post(f"{LIST}{contact.pk}/change/", {"note": "forged", "outcome": "declined"})
        client.post(f"{LIST}{contact.pk}/delete/", {"post": "yes"})
        client.post(LIST, {"action": "delete_selected", "_selected_action": [contact.pk], "post": "yes"})
        stored = Contact.objects.get(pk=contact.pk)
        assert (stored.note, stored.outcome, stored.by) == ("as it was", "informed", "agent")

    def test_nor_is_its_author_or_score_taken_from_the_request(self, agent):
        customer = make_scored()
        agent.post(address(customer), a_contact(by="boss", score="0.01", release_id="99", at="2001-01-01"))
        contact = Contact.objects.get()
        assert (contact.by, contact.score, contact.customer_id) == ("ann", customer.churn_risk_score, customer.pk)
        assert contact.at.year > 2001

    def test_nor_is_it_given_to_another_customer(self, agent):
        customer, other = make_scored(), make_scored()
        assert agent.post(address(customer), a_contact(customer=other.pk)).status_code == 200
        assert not Contact.objects.exists()


class TestShown:
    def test_the_last_ones_come_first_with_a_way_to_the_others(self, agent):
        customer = make_scored()
        for number in range(7):
            make_contact(customer, note=f"note {number}")
        shown = page(agent, customer)
        assert [number for number in range(7) if f"note {number}" in shown] == [2, 3, 4, 5, 6]
        assert shown.index("note 6") < shown.index("note 2")
        assert f'<a href="{LIST}?q={customer.pk}">All contacts</a>' in shown
        assert '<a href="#contacts-group">Record a contact</a>' in shown
        assert 'id="contacts-group"' in shown

    def test_a_viewer_sees_them_and_no_form(self):
        customer = make_scored()
        make_contact(customer, note="seen")
        shown = page(with_role("viewer"), customer)
        assert "seen" in shown
        assert "contacts-0-channel" not in shown

    def test_what_was_typed_is_shown_as_text(self, agent):
        customer = make_scored()
        make_contact(customer, note="<b>loud</b>")
        assert "&lt;b&gt;loud&lt;/b&gt;" in page(agent, customer)

    def test_of_a_customer_who_has_objected_no_former_score(self, agent):
        customer = make_scored()
        contact = make_contact(customer, score=0.876, reason_codes=customer.reason_codes, note="kept")
        assert "87.6" in page(agent, customer)
        assert "87.6" in agent.get(LIST).content.decode()
        Customer.objects.filter(pk=customer.pk).set_objection(True)
        assert "kept" in page(agent, customer)
        for shown in (
            page(agent, customer),
            *(agent.get(it).content.decode() for it in (LIST, f"{LIST}{contact.pk}/change/")),
        ):
            assert "87.6" not in shown

    def test_all_are_listed_newest_first_and_found_by_customer_author_and_reader(self, agent):
        one, other = make_scored(), make_scored()
        make_contact(one, by="ann")
        make_contact(other, by="bob")
        assert self.customers(agent, "") == [other.pk, one.pk]
        assert self.customers(agent, f"?q={one.pk}") == [one.pk]
        assert self.customers(agent, "?q=bob") == [other.pk]
        assert self.customers(agent, "?by=me") == [one.pk]
        assert self.customers(agent, f"?q={10**19}") == []
        entry = TrailEntry.objects.filter(purpose="list").latest("id")
        assert set(entry.customer_ids) <= {one.pk, other.pk}

    def customers(self, client, query):
        return [row.customer_id for row in client.get(LIST + query).context["cl"].result_list]

    def test_one_is_shown_with_the_reasons_of_then(self, agent):
        customer = make_scored()
        agent.post(address(customer), a_contact())
        shown = agent.get(f"{LIST}{Contact.objects.get().pk}/change/").content.decode()
        assert "Fixed rate offered." in shown
        assert "Reasons at contact" in shown
        assert 'name="_save"' not in shown


class TestSaveAndNext:
    def test_the_item_is_done_and_the_next_customer_opened(self, agent):
        current, following = make_at_risk("900.00"), make_at_risk("100.00")
        make_item(current, "ann")
        response = agent.post(address(current), {"_save_and_next": "1", **a_contact()})
        assert (response.status_code, response["Location"]) == (302, f"{address(following)}#container")
        assert WorklistItem.objects.get(customer=current).done_at is not None
        assert WorklistItem.objects.get(customer=following).claimed_by == "ann"
        entry = TrailEntry.objects.latest("id")
        assert (entry.purpose, entry.customer_ids) == ("change", [current.pk, following.pk])

    def test_without_a_contact_nothing_is_done(self, agent):
        customer = make_at_risk("900.00")
        make_item(customer, "ann")
        response = agent.post(address(customer), {"_save_and_next": "1", **a_contact(channel="", outcome="", note="")})
        assert response.status_code == 200
        assert "This field is required." in response.content.decode()
        assert WorklistItem.objects.get().done_at is None

    def test_without_another_customer_it_says_so(self, agent):
        customer = make_at_risk("900.00")
        make_item(customer, "ann")
        response = agent.post(address(customer), {"_save_and_next": "1", **a_contact()})
        assert response["Location"] == "/admin/customers/worklistitem/"
        assert said(response)[-1] == (
            "No customer to call at present. The worklist offers customers with high or critical risk whose score is "
            "up to date, who are not claimed and were not contacted in the last 14 days."
        )

    def test_it_is_offered_for_customers_of_the_own_worklist_alone(self, agent):
        mine, other = make_at_risk("900.00"), make_at_risk("100.00")
        make_item(mine, "ann")
        make_item(other, "bob")
        assert page(agent, mine).count('name="_save_and_next"') == 1
        assert page(agent, mine).count('name="snoozed_until"') == 1
        assert "On your worklist since" in page(agent, mine)
        assert "_save_and_next" not in page(agent, other)
        assert "On your worklist" not in page(agent, other)

    def test_that_the_risk_has_passed_is_said_of_a_score_that_is_up_to_date_alone(self, agent):
        customer = make_at_risk("900.00", 0.8)
        make_item(customer, "ann")
        write_as_scorer(customer, churn_risk_score=0.123)
        assert "Risk has passed: now 12.3" in page(agent, customer)
        edit(customer, age=71)
        assert "Risk has passed" not in page(agent, customer)
