"""What staff do with the customers they have picked."""

import csv
import io
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection

from customers.import_export.customers import import_file
from customers.import_export.export import csv_of
from customers.models import Customer, RescoreRequest, ScoringFailure
from customers.scoring import requests, scorer
from tests.factories import forget_marks, make_customer, make_scored
from tests.money import value_at_risk
from tests.staff import logged_in, superuser

pytestmark = pytest.mark.django_db

LIST = "/admin/customers/customer/"


@pytest.fixture
def staff():
    return superuser()


def act(client, action, *customers, matching=False, follow=True, **query):
    picked = [customer.pk for customer in customers]
    form = {"action": action, "_selected_action": picked, "select_across": "1" if matching else "0", "index": "0"}
    return client.post(f"{LIST}?{urlencode(query)}", form, follow=follow)


def said(response):
    return [str(message) for message in response.context["messages"]]


def exported(response):
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"), newline="")))


class TestRescoreNow:
    def test_those_picked_are_scored_again(self, staff):
        picked, _other = make_scored(), make_scored()
        forget_marks()
        assert said(act(staff, "rescore_now", picked)) == ["1 customer queued for rescoring."]
        assert scorer.rescore_batch().stored == 1

    def test_all_that_match_are_more_than_the_page_shows(self, staff):
        first, *_rest = [make_scored(age=30) for _ in range(3)]
        make_scored(age=31, is_active_member=True)
        response = act(staff, "rescore_now", first, matching=True, is_active_member__exact="0")
        assert said(response) == ["3 customers queued for rescoring."]

    def test_those_excluded_are_counted(self, staff):
        free = make_scored()
        make_customer()
        requests.give_up(Customer.objects.all(), "Excluded from scoring by anna")
        assert said(act(staff, "rescore_now", free, matching=True)) == [
            "1 customer queued for rescoring.",
            "1 customer not queued: excluded from scoring, or a retry is already scheduled. "
            "To score them now, use Resume scoring of excluded customers.",
        ]


def test_excluding_and_resuming_say_how_many_it_was(staff):
    waiting, current = make_customer(), make_scored()
    assert said(act(staff, "set_aside", waiting, current)) == [
        "1 customer excluded from scoring until retried, changed or scored by a new model."
    ]
    assert ScoringFailure.objects.get().error == "Excluded from scoring by clerk"
    assert said(act(staff, "set_aside", current)) == [
        "No customer was excluded: no customer in the selection has a score pending."
    ]
    assert said(act(staff, "requeue", waiting, current)) == ["Scoring resumed for 1 customer."]
    assert said(act(staff, "requeue", current)) == ["No customer in the selection is excluded from scoring."]
    assert not ScoringFailure.objects.dead_letters().exists()


class TestExport:
    def test_the_file_has_the_customers_picked_with_their_scores(self, staff):
        picked, _other = make_scored(surname="Müller", num_of_products=4), make_scored()
        response = act(staff, "export", picked)
        assert 'attachment; filename="customers-' in response["Content-Disposition"]
        [row] = exported(response)
        assert (row["customer_id"], row["surname"], row["is_current"]) == (str(picked.pk), "Müller", "1")
        assert row["churn_risk_score"] == f"{picked.churn_risk_score:.6f}"
        assert Decimal(row["value_at_risk"]) == value_at_risk(picked.balance, picked.churn_risk_score)
        assert (row["risk_band"], row["main_reason"]) == ("critical", "Three or more products")

    def test_all_that_match_come_in_the_order_of_the_list(self, staff):
        customers = [make_scored(age=age) for age in (25, 60, 45)]
        unscored = make_customer()
        make_scored(is_active_member=True)
        rows = exported(act(staff, "export", customers[0], matching=True, is_active_member__exact="0"))
        riskiest = sorted(customers, key=lambda customer: -customer.churn_risk_score)
        assert [row["customer_id"] for row in rows] == [str(customer.pk) for customer in [*riskiest, unscored]]
        assert {rows[-1][it] for it in ("churn_risk_score", "value_at_risk", "risk_band")} == {""}
        assert rows[-1]["is_current"] == "0"

    @pytest.mark.parametrize("surname", ["=1+1", "+49", "-cmd|' /C calc'!A0", "@SUM(A1)", "\tx", "\rx", "  =1"])
    def test_nothing_that_a_spreadsheet_would_run(self, staff, surname):
        [row] = exported(act(staff, "export", make_customer(surname=surname)))
        # What is a number is none that could be run.
        assert row["surname"] == (surname if surname == "+49" else f"'{surname}")

    def test_it_can_be_imported_again_and_changes_no_customer(self, staff, tmp_path):
        customer = make_scored(surname='=a, "b"\nc')
        path = tmp_path / "export.csv"
        path.write_bytes("".join(csv_of(Customer.objects.all())).encode())
        tally = import_file(path).counts
        assert (tally.unchanged, tally.rows) == (1, 1)
        assert customer.pk

    def test_a_stale_score_is_not_called_current_and_has_no_reason(self, staff):
        customer = make_scored(num_of_products=4)
        Customer.objects.update(age=50)
        [row] = exported(act(staff, "export", customer))
        assert (row["is_current"], row["main_reason"]) == ("0", "")

    def test_more_than_one_fetch(self, staff, monkeypatch):
        monkeypatch.setattr("customers.import_export.export.FETCH_ROWS", 2)
        customers = [make_customer() for _ in range(5)]
        assert len(exported(act(staff, "export", *customers))) == 5


class TestWhoMay:
    @pytest.mark.parametrize(
        ("permission", "offered"),
        [
            ("rescore_customer", {"rescore_now", "requeue", "set_aside"}),
            ("export_customer", {"export"}),
            ("change_customer", set()),
        ],
    )
    def test_each_action_wants_its_permission(self, permission, offered):
        customer = make_scored()
        client = logged_in("limited", "view_customer", permission)
        form = client.get(LIST).context["action_form"]
        assert {name for name, _ in form.fields["action"].choices if name} == offered if form else not offered
        for action in {"rescore_now", "requeue", "set_aside", "export"} - offered:
            act(client, action, customer)
        assert not LogEntry.objects.exists() or offered

    def test_without_it_nothing_happens(self):
        customer = make_scored()
        client = logged_in("limited", "view_customer", "export_customer")
        act(client, "rescore_now", customer)
        assert not RescoreRequest.objects.exists()


def test_what_the_database_cuts_off_is_said_and_nothing_is_done(staff):
    customer = make_scored()
    with connection.cursor() as cursor:
        cursor.execute("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(9); END'")
        cursor.execute("CREATE TRIGGER slow BEFORE INSERT ON customers_rescorerequest EXECUTE FUNCTION slow()")
        cursor.execute("SET LOCAL statement_timeout TO '300ms'")
    [message] = said(act(staff, "rescore_now", customer))
    assert message.startswith("Nothing was changed")
    assert not RescoreRequest.objects.exists()
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("rescore_now", "Queued for rescoring: 2 customers."),
        ("set_aside", "Excluded from scoring: 2 customers."),
        ("requeue", "Resumed scoring: 0 customers."),
        ("export", "Exported: 2 customers."),
    ],
)
def test_one_entry_in_the_log_tells_of_them_all(staff, action, told):
    scorer.active_model()
    act(staff, action, make_customer(), make_customer(), matching=True, follow=False)
    entry = LogEntry.objects.get()
    assert (entry.user.get_username(), entry.change_message, entry.object_id) == ("clerk", told, None)
    assert staff.get("/admin/").status_code == 200  # where recent entries are shown
