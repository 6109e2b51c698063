"""Every reading of a customer, every change and every download leaves one row; what shows nothing leaves none."""

import json
from types import SimpleNamespace

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test import Client, RequestFactory, override_settings
from django.urls import get_resolver

from customers.models import AuditFinding, Contact, Customer, ScoreRecord, WorklistItem
from customers.models.imports import ImportBatch, ImportPiece
from customers.views import customer_insights
from events.models import Alert, AlertRule, Overview
from events.overview import counting
from tests.factories import make_failure, make_scored
from tests.staff import logged_in, superuser, with_role
from vigilpay.trail import requests
from vigilpay.trail.middleware import actor_of as actor_by_key
from vigilpay.trail.models import TrailEntry

pytestmark = pytest.mark.django_db


def entries():
    """Purpose, customers, address and refusal of all, the first that came first."""
    rows = TrailEntry.objects.order_by("id")
    return [(it.purpose, it.customer_ids, it.address, it.refused) for it in rows]


def actor_of(client):
    return f"user:{client.session['_auth_user_id']}"


def ask(client, question):
    return client.post("/customers/what-if/", json.dumps(question), content_type="application/json")


class TestJson:
    @pytest.mark.parametrize(("view", "purpose"), [("insights", "view"), ("history", "view"), ("analyze", "rescore")])
    def test_a_view_of_a_customer(self, view, purpose):
        customer, staff = make_scored(), superuser()
        assert (
            staff.get(
                f"/customers/{view}/{customer.pk}/?limit=5"
                if view == "history"
                else f"/customers/{view}/{customer.pk}/"
            ).status_code
            == 200
        )
        assert entries() == [(purpose, [customer.pk], f"customers:{view}", False)]
        assert TrailEntry.objects.get().actor == actor_of(staff)

    def test_a_what_if_about_a_stored_customer_and_none_about_values(self):
        customer = make_scored()
        assert ask(Client(), {"customer_id": customer.pk, "changes": {"age": 41}}).status_code == 200
        assert entries() == [("view", [customer.pk], "customers:what_if", False)]
        assert TrailEntry.objects.get().actor == "anonymous"  # of a development server
        values = {**customer.features(), "balance": 5}
        assert ask(Client(), {"customer": values}).status_code == 200
        assert len(entries()) == 1

    def test_what_shows_nothing_leaves_nothing(self):
        staff = superuser()
        assert staff.get("/customers/insights/987654321/").status_code == 404
        assert staff.post("/customers/insights/1/").status_code == 405
        assert staff.get("/").status_code == 200
        assert staff.get("/events/freshness/").status_code == 200
        assert entries() == []

    @override_settings(API_LOGIN_REQUIRED=True)
    def test_a_caller_who_is_not_known_leaves_nothing(self):
        assert Client().get(f"/customers/insights/{make_scored().pk}/").status_code == 401
        assert entries() == []

    def test_a_view_called_by_itself_leaves_nothing(self):
        assert customer_insights(RequestFactory().get("/"), customer_id=make_scored().pk).status_code == 200
        assert entries() == []

    def test_a_program_is_known_by_its_token(self):
        request = RequestFactory().get("/")
        request.user, request.service_token = AnonymousUser(), SimpleNamespace(pk=3)
        assert actor_by_key(request) == "token:3"

    def test_ids_in_lists_of_an_answer_are_found(self):
        refused = {"customer_id": 6, "error": "There is no customer 6."}
        answer = {"customer_id": 1, "results": [{"customer_id": 2}, {"customer_id": 3}, {"else": 4}, 5, refused]}
        assert [it for it in requests.ids_in_json(answer) if it] == [1, 2, 3]
        assert list(requests.ids_in_json(["none"])) == []

    def test_each_address_about_customers_says_what_it_is_for(self):
        names = {f"customers:{it.name}" for it in get_resolver("customers.urls").url_patterns}
        assert names <= set(requests.JSON_PURPOSES)


class TestPages:
    def test_the_page_of_a_customer_and_its_log(self):
        customer, staff = make_scored(), superuser()
        for page in ("change", "history", "delete"):
            assert staff.get(f"/admin/customers/customer/{customer.pk}/{page}/").status_code == 200
        assert entries() == [
            ("view", [customer.pk], f"admin:customers_customer_{page}", False)
            for page in ("change", "history", "delete")
        ]

    def test_a_list_names_all_whom_it_shows_and_not_what_was_searched_for(self):
        first, second = make_scored(surname="Searched"), make_scored(surname="Searched")
        make_scored(surname="Other")
        assert superuser().get("/admin/customers/customer/?q=Searched").status_code == 200
        [(purpose, ids, address, refused)] = entries()
        assert (purpose, sorted(ids), refused) == ("list", sorted([first.pk, second.pk]), False)
        assert address == "admin:customers_customer_changelist"

    def test_what_if_in_the_admin(self):
        customer, staff = make_scored(), superuser()
        page = f"/admin/customers/customer/{customer.pk}/what-if/"
        assert staff.post(page, {"age": 50}).status_code == 200
        assert entries() == [("view", [customer.pk], "admin:customers_customer_what_if", False)]

    # The worklist is one page for all of its customers: tests/customers/admin/test_worklist.py.
    @pytest.mark.parametrize(
        "model", [m for m in admin.site._registry if requests.names_customers(m) and m is not WorklistItem]
    )
    def test_lists_and_pages_of_all_that_is_about_a_customer(self, model):
        customer, staff = make_scored(), superuser()
        row = row_about(customer, model)
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert staff.get(base).status_code == 200
        assert staff.get(f"{base}{row.pk}/change/").status_code == 200
        assert [(purpose, ids) for purpose, ids, _, _ in entries()] == [
            ("list", [customer.pk]),
            ("view", [customer.pk]),
        ]

    def test_which_models_these_are(self):
        found = {model.__name__ for model in admin.site._registry if requests.names_customers(model)}
        expected = {"Customer", "ScoreRecord", "ScoringFailure", "AuditFinding", "Alert", "Contact", "WorklistItem"}
        assert found == expected

    def test_the_overview_names_those_who_moved_most_to_those_who_may_see_them(self):
        mover = {"customer_id": 77, "before": 0.1, "after": 0.9}
        make_scored()
        counting.count_if_due()
        overview = Overview.objects.get()
        overview.figures["movers"] = [{"days": 1, "risen": 1, "fallen": 0, "risers": [mover], "fallers": []}]
        overview.took_seconds = counting.QUICK_SECONDS + 1  # so that the page does not count anew
        overview.save()
        page = "/admin/events/overview/1/change/"
        assert superuser().get(page).status_code == 200
        assert logged_in("blind", "view_overview").get(page).status_code == 200
        assert entries() == [("list", [77], "admin:events_overview_change", False)]

    def test_pages_without_customers_leave_nothing(self):
        staff = superuser()
        for page in (
            "",
            "events/drain/",
            "customers/customer/",
            "customers/customer/add/",
            "customers/modelrelease/",
            "auth/user/",
            "jsi18n/",
            "customers/",
        ):
            assert staff.get(f"/admin/{page}").status_code == 200
        assert staff.get("/admin/customers/customer/987654321/change/").status_code == 302
        assert entries() == []


def row_about(customer, model):
    if model is Alert:
        rule = AlertRule.objects.create(name="High", kind="threshold", threshold=0.5)
        return Alert.objects.create(
            rule=rule, record_id=1, batch=1, customer_id=customer.pk, score=0.9, raised_at=customer.scored_at
        )
    if model is AuditFinding:
        return AuditFinding.objects.create(
            customer_id=customer.pk, stored_score=0.1, expected_score=0.2, version=1, release_id=customer.scored_by_id
        )
    return {
        "Contact": lambda: Contact.objects.create(customer=customer, by="ann", channel="phone", outcome="informed"),
        "Customer": lambda: customer,
        "ScoreRecord": ScoreRecord.objects.get,
        "ScoringFailure": lambda: make_failure(customer),
    }[model.__name__]()


class TestActs:
    def test_a_save_is_a_change_and_a_form_that_is_wrong_a_view(self):
        customer, staff = make_scored(age=40), superuser()
        page = f"/admin/customers/customer/{customer.pk}/change/"
        form = staff.get(page).context["adminform"].form.initial
        form = {name: value for name, value in form.items() if value not in (None, False)}
        assert staff.post(page, {**form, "age": "old"}).status_code == 200
        assert staff.post(page, {**form, "age": 41}).status_code == 302
        assert [purpose for purpose, *_ in entries()] == ["view", "view", "change"]
        assert LogEntry.objects.count() == 1  # which says what was changed

    @pytest.mark.parametrize(
        ("action", "purpose"),
        [("rescore_now", "rescore"), ("set_aside", "change"), ("export", "download"), ("requeue", "change")],
    )
    def test_an_action_names_those_who_were_ticked(self, action, purpose):
        chosen, staff = make_scored(), superuser()
        make_scored()
        data = {"action": action, "_selected_action": [chosen.pk]}
        response = staff.post("/admin/customers/customer/", data)
        assert response.status_code in (200, 302)
        assert entries() == [(purpose, [chosen.pk], "admin:customers_customer_changelist", False)]

    def test_rejected_rows_that_are_downloaded(self):
        batch = ImportBatch.objects.create(file_name="x.csv", file_bytes=1, sha256="0" * 64, rejected=1)
        ImportPiece.objects.create(batch=batch, of=ImportPiece.Of.REJECTS, number=0, content=b"row_number\n")
        assert superuser().get(f"/admin/customers/importbatch/{batch.pk}/rejects/").status_code == 200
        assert entries() == [("download", [], "admin:customers_importbatch_rejects", False)]

    def test_an_action_on_all_that_match_has_no_ids(self):
        chosen = make_scored()
        data = {"action": "export", "_selected_action": [chosen.pk], "select_across": "1"}
        assert superuser().post("/admin/customers/customer/", data).status_code == 200
        assert entries() == [("download", [], "admin:customers_customer_changelist", False)]

    def test_other_acts_of_staff_are_there_as_well(self):
        staff = superuser()
        assert staff.post("/admin/events/pause/add/", {"reason": "review"}).status_code == 302
        assert entries() == [("change", [], "admin:events_pause_add", False)]

    def test_a_new_customer_is_named(self):
        data = {"customer_id": 5, "surname": "New", "credit_score": 600, "geography": "France", "gender": "Male"}
        data |= {"age": 40, "tenure": 3, "balance": 0, "num_of_products": 1}
        staff = superuser()
        assert staff.post("/admin/customers/customer/add/", {**data, "age": "old"}).status_code == 200
        assert staff.post("/admin/customers/customer/add/", data).status_code == 302
        assert entries() == [("change", [5], "admin:customers_customer_add", False)]

    def test_a_deletion(self):
        customer = make_scored()
        assert superuser().post(f"/admin/customers/customer/{customer.pk}/delete/", {"post": "yes"}).status_code == 302
        assert not Customer.objects.exists()
        assert entries() == [("change", [customer.pk], "admin:customers_customer_delete", False)]


class TestRefusals:
    def test_staff_without_the_right_are_noted(self):
        customer, clerk = make_scored(), logged_in("clerk", "view_drain")
        page = f"/admin/customers/customer/{customer.pk}/change/"
        assert clerk.get(page).status_code == 403
        assert clerk.post(page, {"age": 50}).status_code == 403
        assert entries() == [
            ("view", [customer.pk], "admin:customers_customer_change", True),
            ("change", [customer.pk], "admin:customers_customer_change", True),
        ]

    def test_a_user_who_is_no_member_of_the_staff_is_noted_and_one_who_is_not_known_is_not(self):
        customer = make_scored()
        page = f"/admin/customers/customer/{customer.pk}/change/"
        demoted = Client()
        demoted.force_login(get_user_model().objects.create_user("demoted"))
        assert demoted.get(page).status_code == 302
        assert entries() == [("view", [customer.pk], "admin:customers_customer_change", True)]
        assert Client().get(page).status_code == 302
        assert Client().post(page, {"age": 50}).status_code == 302
        assert len(entries()) == 1

    def test_logging_in_and_out_leaves_nothing(self):
        assert with_role("viewer").post("/admin/logout/").status_code == 200
        assert Client().get("/admin/login/").status_code == 200
        assert entries() == []


@pytest.mark.django_db(transaction=True)
class TestWhereItCanNotBeWritten:
    def test_pages_go_on_and_the_log_says_so_once(self, caplog):
        customer, staff = make_scored(), superuser()
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE vigilpay_trailentry RENAME TO vigilpay_elsewhere")
        try:
            for _ in range(3):
                assert staff.get(f"/customers/insights/{customer.pk}/").status_code == 200
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE vigilpay_elsewhere RENAME TO vigilpay_trailentry")
        assert staff.get(f"/customers/insights/{customer.pk}/").status_code == 200
        told = [record.getMessage() for record in caplog.records if record.name == "vigilpay.trail"]
        assert len(told) == 2
        assert told[0].startswith("The audit trail can't be written, requests go on: ")
        assert told[1] == "The audit trail is written again."
        assert len(entries()) == 1

    def test_a_standby_or_a_database_that_only_reads_shows_its_pages(self):
        customer, staff = make_scored(), superuser()
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only TO on")
        try:
            assert staff.get(f"/customers/insights/{customer.pk}/").status_code == 200
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SET default_transaction_read_only TO off")
        assert entries() == []

    def test_a_fault_of_the_trails_own_is_in_the_log_without_its_values(self, monkeypatch, caplog):
        def fail(*args):
            raise KeyError("Zweifelhofer")

        monkeypatch.setattr(requests, "customers_of", fail)
        assert superuser().get(f"/customers/insights/{make_scored().pk}/").status_code == 200
        told = [record.getMessage() for record in caplog.records if record.name == "vigilpay.trail"]
        assert told == ["The audit trail can't be written, requests go on: KeyError"]
