"""Failures as the staff see them: in the list of failures, and beside the customer."""

from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Customer, ModelRelease, ScoringFailure
from customers.presentation.durations import format_time
from tests.factories import make_customer, make_failure, make_scored
from tests.staff import logged_in

pytestmark = pytest.mark.django_db

CUSTOMERS = "/admin/customers/customer/"
FAILURES = "/admin/customers/scoringfailure/"


@pytest.fixture
def clerk():
    """May look only."""
    return logged_in("clerk", "view_customer", "view_scoringfailure")


@pytest.fixture
def keeper():
    """May have failures tried again."""
    return logged_in("keeper", "change_scoringfailure")


@pytest.fixture
def aside():
    make_scored()
    customer = make_customer()
    customer.refresh_from_db()
    make_failure(customer)
    return customer


def page(client, address, **query):
    response = client.get(address, query)
    assert response.status_code == 200
    return response.content.decode()


class TestBesideTheCustomer:
    def test_list_and_page_say_who_is_set_aside_and_why(self, clerk, aside):
        assert ">Excluded from scoring: Odd balance.<" in page(clerk, CUSTOMERS)
        assert "no score could be calculated (Odd balance)" in page(clerk, f"{CUSTOMERS}{aside.pk}/change/")

    def test_and_who_is_tried_again_and_when(self, clerk, aside):
        then = timezone.now() + timedelta(hours=1)
        ScoringFailure.objects.update(retry_at=then)
        assert f"No score could be calculated (Odd balance); next attempt on {format_time(then)}" in page(
            clerk, CUSTOMERS
        )

    def test_an_edit_since_is_simply_not_scored_yet(self, clerk, aside):
        Customer.objects.filter(pk=aside.pk).update(age=70)
        said = page(clerk, CUSTOMERS)
        assert "Excluded from scoring:" not in said
        assert '">Not scored yet</span></td>' in said

    def test_a_failure_of_a_former_model_says_nothing(self, clerk, aside):
        ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        assert "Excluded from scoring:" not in page(clerk, CUSTOMERS)

    def test_a_page_takes_as_many_queries_with_many_failures_as_with_one(self, clerk, aside):
        with CaptureQueriesContext(
            connection,
        ) as one:
            page(clerk, CUSTOMERS)
        for _ in range(5):
            customer = make_customer()
            customer.refresh_from_db()
            make_failure(customer)
        with CaptureQueriesContext(connection) as many:
            assert page(clerk, CUSTOMERS).count(">Excluded from scoring: ") == 6
        assert len(many) == len(one)


class TestList:
    def test_it_says_who_why_and_what_next(self, clerk, aside):
        said = page(clerk, FAILURES)
        assert "Odd balance." in said
        assert "No score could be calculated" in said
        assert ">Excluded</a>" in said
        assert f'<a href="/admin/customers/customer/{aside.pk}/change/">{aside.pk}</a>' in said

    def test_it_can_be_narrowed_to_dead_letters(self, clerk, aside):
        again = make_customer()
        again.refresh_from_db()
        make_failure(again, retry_at=timezone.now())
        listed = {
            state: [failure.pk for failure in clerk.get(FAILURES, {"state": state}).context["cl"].result_list]
            for state in ("excluded", "retry")
        }
        assert listed == {"excluded": [aside.pk], "retry": [again.pk]}

    def test_it_finds_a_customer_by_id(self, clerk, aside):
        assert "Odd balance." in page(clerk, FAILURES, q=str(aside.pk))
        assert "Odd balance." not in page(clerk, FAILURES, q=str(aside.pk + 1))

    def test_who_may_can_have_them_tried_again_now(self, keeper, aside):
        done = keeper.post(FAILURES, {"action": "try_again", "_selected_action": [aside.pk]})
        assert [str(it) for it in get_messages(done.wsgi_request)] == ["1 customer queued for rescoring."]
        failure = ScoringFailure.objects.get()
        assert failure.attempts == 0
        assert failure.retry_at <= timezone.now()

    def test_who_may_not_can_not(self, clerk, aside):
        clerk.post(FAILURES, {"action": "try_again", "_selected_action": [aside.pk]})
        assert ScoringFailure.objects.get().retry_at is None

    def test_no_user_alters_or_deletes_one(self, keeper, aside):
        address = f"{FAILURES}{aside.pk}/"
        assert keeper.post(f"{address}change/", {"error": "fine"}).status_code == 403
        assert keeper.post(f"{address}delete/", {"post": "yes"}).status_code == 403
        assert ScoringFailure.objects.get().error == "Odd balance."
