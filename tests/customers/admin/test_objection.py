"""An objection on the staff's pages: recorded and withdrawn on the customer's page, and shown nowhere by risk."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models.functions import Now

from customers.admin.customer_list.objectors import without_objectors
from customers.admin.customer_page import after_save
from customers.models import Contact, Customer
from tests.factories import edit, make_customer, make_failure, make_scored, rescore
from tests.staff import logged_in, superuser, with_role

pytestmark = pytest.mark.django_db

LIST = "/admin/customers/customer/"
FIELDS = ["credit_score", "geography", "gender", "age", "tenure", "balance", "num_of_products"]


@pytest.fixture
def staff():
    return superuser()


@pytest.fixture
def objector():
    customer = make_scored()
    edit(customer, objected_at=Now())
    customer.refresh_from_db()
    return customer


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(after_save, "MOST_SECONDS", 0.0)


def save(client, customer, **values):
    stored = {name: getattr(customer, name) for name in FIELDS}
    filled = {"surname": customer.surname, **stored, "has_cr_card": "on", **values}
    return client.post(f"{LIST}{customer.pk}/change/", filled, follow=True)


def said(answer):
    return [str(message) for message in answer.context["messages"]]


def page(client, customer):
    return client.get(f"{LIST}{customer.pk}/change/").content.decode()


def listed(client, **filters):
    return [customer.pk for customer in client.get(LIST, filters).context["cl"].result_list]


class TestRecording:
    def test_it_is_recorded_on_the_page_with_words_and_a_line_in_the_log(self, staff):
        customer = make_scored()
        answer = save(staff, customer, objection="record")
        customer.refresh_from_db()
        assert customer.objected_at is not None
        assert customer.churn_risk_score is None
        assert said(answer)[0].startswith(f"Objection of customer {customer.pk} recorded. The score and")
        recorded = LogEntry.objects.filter(change_message=f"Recorded the objection to profiling: {customer.pk}.")
        assert recorded.get().object_id == str(customer.pk)

    def test_a_contact_of_the_same_request_has_no_score(self, staff):
        customer = make_scored()
        contact = {"contacts-0-channel": "phone", "contacts-0-outcome": "informed", "contacts-0-note": "Objects."}
        forms = {"contacts-TOTAL_FORMS": "1", "contacts-INITIAL_FORMS": "0", **contact}
        save(staff, customer, objection="record", **forms)
        [stored] = Contact.objects.all()
        assert (stored.score, stored.reason_codes, stored.release_id) == (None, None, None)
        customer.refresh_from_db()
        assert customer.objected_at is not None

    def test_it_is_withdrawn_and_the_customer_scored_again(self, staff, objector):
        answer = save(staff, objector, objection="withdraw")
        assert said(answer)[0] == f"Objection of customer {objector.pk} withdrawn. A new score is pending."
        assert list(Customer.objects.stale()) == [objector]
        rescore(objector)
        assert "<p>Objection withdrawn." in page(staff, objector)

    def test_a_page_that_was_opened_before_it_was_recorded_does_not_withdraw_it(self, staff, objector):
        answer = save(staff, objector, objection="", age=61)
        objector.refresh_from_db()
        assert (objector.age, objector.objected_at is None, objector.churn_risk_score) == (61, False, None)
        assert any("no new score. Objected to profiling on" in message for message in said(answer))

    def test_what_stands_already_is_no_news(self, staff, objector):
        save(staff, objector, objection="record")
        assert Customer.objects.get(pk=objector.pk).objected_at == objector.objected_at
        assert not LogEntry.objects.filter(change_message__startswith="Recorded").exists()

    def test_only_staff_with_the_right_may(self, objector):
        clerk = logged_in("clerk", "view_customer", "change_customer")
        other = make_scored()
        assert 'name="objection"' not in page(clerk, other)
        save(clerk, other, objection="record")
        assert Customer.objects.get(pk=other.pk).objected_at is None
        viewer = logged_in("viewer", "view_customer", "record_objection")
        assert 'name="objection"' not in page(viewer, other)
        assert 'name="objection"' in page(with_role("analyst"), other)
        assert 'name="objection"' not in page(with_role("operator"), other)


class TestWhileItStands:
    def test_the_page_says_so_and_shows_no_profile(self, staff, objector):
        shown = page(staff, objector)
        assert "Objected to profiling on " in shown
        assert "; no score is calculated or kept while the objection stands." in shown
        assert "Try other values" not in shown
        for place in ("vp-trend", "vp-story", "vp-points", "%", "What would lower the risk"):
            assert place not in shown.split("Customer data")[0].split("Churn risk")[1]
        asked = staff.post(f"{LIST}{objector.pk}/what-if/", {"age": 70}).content.decode()
        assert "vp-card" not in asked
        assert "what_if_age" not in asked

    def test_the_history_has_changes_and_no_score(self, staff, objector):
        shown = staff.get(f"{LIST}{objector.pk}/history/").content.decode()
        assert "Scores are not shown while the objection to profiling stands." in shown
        assert "Customer added" in shown
        assert "Churn risk" not in shown

    def test_the_lists_leave_the_customer_out_unless_named(self, staff, objector):
        other = make_scored()
        unscored = make_customer()
        assert listed(staff) == [other.pk, unscored.pk]
        assert listed(staff, o="-3") == [other.pk, unscored.pk]
        for filters in ({"freshness": "current"}, {"freshness": "stale"}, {"freshness": "not_scored"}, {"band": "low"}):
            assert objector.pk not in listed(staff, **filters)
        assert listed(staff, freshness="objected") == [objector.pk]
        assert listed(staff, q=objector.pk) == [objector.pk]
        assert listed(staff, customer_id__in=f"{objector.pk},{other.pk}") == [other.pk, objector.pk]

    def test_in_the_list_the_state_says_so_and_no_former_score_is_drawn(self, staff, objector):
        for age in (50, 51):
            edit(objector, objected_at=None, age=age)
            rescore(objector)
        edit(objector, objected_at=Now())
        shown = staff.get(LIST, {"freshness": "objected"}).content.decode()
        assert ">Objected to profiling on 2" in shown
        assert "<svg" not in shown.split("result_list")[1].split("</table>")[0]

    def test_without_a_model_the_customer_does_not_pass_for_current(self, staff):
        customer = make_customer(objected_at=Now())
        assert listed(staff, freshness="current") == []
        assert "Up to date" not in page(staff, customer)

    def test_the_default_list_counts_as_one_that_is_not_narrowed(self, staff):
        changes = staff.get(LIST).context["cl"]
        assert changes.paginator.most == 10_000
        assert staff.get(LIST, {"geography": "France"}).context["cl"].paginator.most == 5_000

    def test_rescoring_leaves_the_customer_alone_and_says_so(self, staff, objector):
        answer = staff.post(
            f"{LIST}?q={objector.pk}", {"action": "rescore_now", "_selected_action": [objector.pk]}, follow=True
        )
        assert said(answer) == [
            "0 customers queued for rescoring.",
            "1 customer not queued: objected to profiling.",
        ]

    def test_no_export_names_the_customer_however_picked(self, staff, objector):
        other = make_scored()
        picked = {"action": "export", "_selected_action": [objector.pk, other.pk]}
        answer = staff.post(f"{LIST}?customer_id__in={objector.pk},{other.pk}", picked)
        lines = b"".join(answer.streaming_content).decode().splitlines()
        assert [line.partition(",")[0] for line in lines[1:]] == [str(other.pk)]
        assert LogEntry.objects.get().change_message == "Exported: 1 customer."


def test_exclusion_by_staff_and_by_the_model_are_told_apart(staff):
    by_model, by_staff = make_customer(), make_scored()
    rescore(by_model)
    for customer in (by_model, by_staff):
        edit(customer, age=44)
    make_failure(by_model)
    make_failure(by_staff, reason="person", attempts=0, error="set aside by clerk")
    assert "no score could be calculated (Odd balance). Correct the customer data" in page(staff, by_model)
    assert "Excluded from scoring by clerk on " in page(staff, by_staff)
    assert "Correct" not in page(staff, by_staff)


def test_the_list_reads_no_row_to_leave_objectors_out():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan TO off")
        cursor.execute("SET LOCAL enable_sort TO off")
    plan = without_objectors(Customer.objects.riskiest_first()).values("pk")[:50].explain()
    assert "Index Only Scan using customer_by_risk" in plan
    assert "customer_objected" in plan
    assert "Sort" not in plan
