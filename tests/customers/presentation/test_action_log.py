"""What the admin's own log says of each thing that staff do."""

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.test import RequestFactory

from customers.models import Customer
from customers.presentation.action_log import NAMED, log_action
from tests.factories import make_failure, make_scored
from tests.staff import superuser

pytestmark = pytest.mark.django_db

FAILURES = "/admin/customers/scoringfailure/"


@pytest.fixture
def staff():
    return superuser()


def fail(*customers):
    for customer in customers:
        make_failure(customer)


def only_entry():
    [entry] = LogEntry.objects.all()
    return entry


def test_trying_several_again_is_one_entry_that_names_them(staff):
    first, second = make_scored(), make_scored()
    fail(first, second)
    staff.post(FAILURES, {"action": "try_again", "_selected_action": [first.pk, second.pk]})
    entry = only_entry()
    assert (entry.user.username, entry.action_flag, entry.object_id) == ("clerk", CHANGE, None)
    assert entry.object_repr == "2 excluded customers"
    assert entry.get_change_message() in (
        f"Queued for rescoring: {first.pk}, {second.pk}.",
        f"Queued for rescoring: {second.pk}, {first.pk}.",
    )


def test_trying_one_again_leads_to_its_page(staff):
    customer = make_scored()
    fail(customer)
    staff.post(FAILURES, {"action": "try_again", "_selected_action": [customer.pk]})
    assert only_entry().object_id == str(customer.pk)
    assert f"{FAILURES}{customer.pk}/change/" in staff.get("/admin/").content.decode()


def test_what_was_refused_is_not_logged(client):
    customer = make_scored()
    fail(customer)
    client.post(FAILURES, {"action": "try_again", "_selected_action": [customer.pk]})
    assert not LogEntry.objects.exists()


def test_a_large_selection_is_one_entry_of_a_bearable_length(staff):
    request = RequestFactory().get("/")
    request.user = staff.get("/admin/").wsgi_request.user
    log_action(request, Customer, "Rescored", 100_000, range(1, 100_001))
    entry = only_entry()
    assert entry.object_repr == "100,000 customers"
    assert entry.change_message.endswith(f", {NAMED} and 99,980 more.")


def test_an_edit_of_a_customer_says_which_field(staff):
    customer = make_scored(age=40)
    page = staff.get(f"/admin/customers/customer/{customer.pk}/change/")
    form = {name: value for name, value in page.context["adminform"].form.initial.items() if value not in (None, False)}
    staff.post(f"/admin/customers/customer/{customer.pk}/change/", {**form, "age": 70})
    entry = only_entry()
    assert (entry.action_flag, entry.object_id) == (CHANGE, str(customer.pk))
    assert entry.get_change_message() == "Changed Age."


class TestPause:
    PAUSES = "/admin/events/pause/"

    def test_pausing_is_logged(self, staff):
        staff.post(f"{self.PAUSES}add/", {"reason": "review"})
        entry = only_entry()
        assert (entry.action_flag, entry.object_id) == (ADDITION, "1")
        assert entry.object_repr == "pause of scoring"

    def test_resuming_is_logged_once(self, staff):
        staff.post(f"{self.PAUSES}add/", {"reason": "review"})
        LogEntry.objects.all().delete()
        staff.post(f"{self.PAUSES}1/change/", {"_resume": ""})
        entry = only_entry()
        assert (entry.action_flag, entry.object_id) == (DELETION, "1")
        assert entry.object_repr == "pause of scoring"
