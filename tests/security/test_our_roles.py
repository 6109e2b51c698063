"""Web pages, the worker and the bank's application, each with its own role and no more rights than it needs."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from customers.history import retention
from customers.import_export.uploads import steps
from customers.import_export.uploads.worker import work_off
from customers.models import AuditFinding, Customer, ModelProposal, ModelRelease, ScoreRecord
from customers.models.imports import ImportBatch
from customers.releases.active import active_model, put_into_service
from customers.releases.records import note_verified_contents
from customers.scoring import failures
from customers.shadow import work as shadow
from events import jobs
from events.alerts import outbox, sending
from events.alerts.retention import prune_alerts
from events.models import Alert, AlertRule, Delivery, Pause
from tests.customers.admin.test_actions import act
from tests.customers.admin.test_admin import change_page, form_of
from tests.customers.import_export.csv_files.texts import HEADER, row, text_of, write, write_text
from tests.events.alerts.alerting import threshold
from tests.factories import A_CUSTOMER, make_failure, write_as_scorer
from tests.security.our_roles import django_as, our_roles, scores_as
from tests.security.strangers import session

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a long one, made up"
DENIED = "permission denied"


@pytest.fixture
def roles():
    with our_roles() as names:
        yield names


@pytest.fixture
def staff(roles):
    """In front of pages whose process has the web role. May do everything that pages let staff do."""
    User.objects.create_superuser("clerk", password=PASSWORD)
    with django_as(roles.web):
        client = Client()
        assert client.post("/admin/login/", {"username": "clerk", "password": PASSWORD}).status_code == 302
        yield client


class TestWebPages:
    def test_login_password_and_logout(self, staff):
        new = "another long one"
        form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
        assert staff.post("/admin/password_change/", form).status_code == 302
        assert staff.post("/admin/logout/").status_code == 200
        assert staff.get("/admin/customers/customer/").status_code == 302
        response = staff.post("/admin/login/", {"username": "clerk", "password": new, "next": "/admin/"})
        assert response.status_code == 302

    def test_customers_are_added_edited_and_deleted_and_every_list_is_read(self, staff):
        form = form_of(Customer(customer_id=77, surname="New", **A_CUSTOMER))
        assert staff.post("/admin/customers/customer/add/", form).status_code == 302
        customer = Customer.objects.get(pk=77)
        assert staff.post(change_page(customer), form_of(customer, age=71)).status_code == 302
        assert staff.get(change_page(customer)).status_code == 200
        for model in admin.site._registry:
            name = f"{model._meta.app_label}_{model._meta.model_name}"
            assert staff.get(reverse(f"admin:{name}_changelist"), follow=True).status_code == 200, name
        assert staff.get("/admin/").status_code == 200
        Customer.objects.get(pk=77).save()
        Customer.objects.bulk_create([Customer(customer_id=78, **A_CUSTOMER)])
        Customer.objects.bulk_update([Customer(customer_id=78, **{**A_CUSTOMER, "age": 41})], ["age"])
        assert staff.post(f"{change_page(customer)[:-7]}delete/", {"post": "yes"}).status_code == 302
        assert list(Customer.objects.values_list("pk", "age", "edited_by")) == [(78, 41, "django")]

    def test_an_edit_is_the_users(self, staff):
        form = form_of(Customer(customer_id=77, surname="New", **A_CUSTOMER))
        staff.post("/admin/customers/customer/add/", form)
        assert Customer.objects.get().edited_by == f"django:{User.objects.get().pk}"

    def test_every_action_on_the_list(self, staff, roles):
        customer = Customer.objects.create(customer_id=5, **A_CUSTOMER)
        with django_as(roles.worker):
            active_model()
        offered = staff.get("/admin/customers/customer/").context["action_form"].fields["action"].choices
        for name in filter(None, dict(offered)):
            act(staff, name, customer)
        assert {"rescore_now", "set_aside", "requeue"} < {name for name, _label in offered}

    def test_a_model_is_proposed_and_activated_by_the_worker_s_role_and_approved_by_that_of_pages(
        self, staff, roles, settings, assets, another_forest
    ):
        settings.ONE_PERSON_RELEASES = False
        User.objects.create_user("anna")
        with django_as(roles.worker):
            active_model()
            call_command("release_model", another_forest, "--yes", by="anna", stdout=StringIO())
        proposal = ModelProposal.objects.get()
        page = reverse("admin:customers_modelproposal_change", args=[proposal.pk])
        shown = {"shown": proposal.fingerprint, "share": "1", "reason": "to compare"}
        for button in ("_start_shadow", "_stop_shadow", "_start_shadow"):
            assert staff.post(page, {**shown, button: "x"}).status_code == 302
            with django_as(roles.worker):
                shadow.work_off()
        assert staff.post(page, {"shown": proposal.fingerprint, "_approve": "Approve"}).status_code == 302
        with django_as(roles.worker):
            assert jobs.activate_approved() == 1
            shadow.work_off()
            call_command("prune_releases", stdout=StringIO())
        assert ModelRelease.objects.latest("id").approved_by == "clerk"
        assert active_model()[0].fingerprint == proposal.fingerprint  # by the role of pages, from the database

    def test_an_upload_is_checked_confirmed_and_cancelled(self, staff, roles):
        for _ in range(2):
            file = SimpleUploadedFile("bank.csv", text_of([HEADER, row(1)]).encode())
            assert staff.post("/admin/customers/importbatch/add/", {"file": file}).status_code == 302
        first, second = ImportBatch.objects.order_by("id")
        with django_as(roles.worker):
            assert work_off() == 2
        assert (
            staff.post(f"/admin/customers/importbatch/{first.pk}/change/", {"next_step": "import"}).status_code == 302
        )
        assert (
            staff.post(f"/admin/customers/importbatch/{second.pk}/change/", {"next_step": "cancel"}).status_code == 302
        )
        with django_as(roles.worker):
            assert work_off() == 1
            steps.forget_imports(timezone.now() + timedelta(days=1))
        assert Customer.objects.get().edited_by == f"django:{User.objects.get().pk}"

    def test_pause_and_resume(self, staff):
        assert staff.post("/admin/events/pause/add/", {"reason": "review"}).status_code == 302
        assert staff.post("/admin/events/pause/1/change/", {"_resume": ""}).status_code == 302
        assert not Pause.objects.exists()

    def test_rules_alerts_and_messages(self, staff, roles, settings):
        settings.EMAIL_HOST = "mail.bank.example"
        rule = {"name": "Leaving", "active": "on", "kind": "threshold", "threshold": "1", "rise": "", "days": ""}
        rule |= {"recipients": "desk@bank.example"}
        assert staff.post("/admin/events/alertrule/add/", rule).status_code == 302
        made = AlertRule.objects.get()
        assert staff.post(f"/admin/events/alertrule/{made.pk}/change/", {**rule, "name": "Risk"}).status_code == 302
        with django_as(roles.worker):
            jobs.rescore_stale()  # nothing yet
        Customer.objects.create(customer_id=5, **A_CUSTOMER)
        with django_as(roles.worker):
            assert jobs.rescore_stale() == 1
            assert sending.send_what_is_due() == 1
            Delivery.objects.update(state=Delivery.State.GIVEN_UP)
        alert = Alert.objects.get()
        assert staff.post(f"/admin/events/alert/{alert.pk}/change/", {"note": "called"}).status_code == 302
        retry = {"action": "try_again", "_selected_action": [Delivery.objects.get().pk]}
        assert staff.post("/admin/events/delivery/", retry).status_code == 302
        assert outbox.anything_due()

    def test_the_overview_and_failures(self, staff, roles):
        Customer.objects.create(customer_id=5, **A_CUSTOMER)
        with django_as(roles.worker):
            active_model()
            jobs.count_overview()
        assert staff.get("/admin/events/overview/", follow=True).status_code == 200
        act(staff, "set_aside", Customer.objects.get())

    def test_accounts_and_groups(self, staff):
        group = {"name": "tellers", "permissions": []}
        assert staff.post("/admin/auth/group/add/", group).status_code == 302
        made = Group.objects.get(name="tellers")
        user = {"username": "bob", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
        assert staff.post("/admin/auth/user/add/", user).status_code == 302
        bob = User.objects.get(username="bob")
        bob.groups.add(made)
        permission = Permission.objects.first()
        change = {"username": "bob", "groups": [made.pk], "is_staff": "on", "user_permissions": [permission.pk]}
        change |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00"}
        assert staff.post(f"/admin/auth/user/{bob.pk}/change/", change).status_code == 302
        assert staff.post(f"/admin/auth/group/{made.pk}/change/", {"name": "clerks", "permissions": [permission.pk]})
        batch = ImportBatch.objects.create(file_name="x", file_bytes=1, sha256="x", uploaded_by=bob)
        for address in (f"user/{bob.pk}", f"group/{made.pk}"):
            assert staff.post(f"/admin/auth/{address}/delete/", {"post": "yes"}).status_code == 302
        batch.refresh_from_db()
        assert batch.uploaded_by is None


class TestAnalyze:
    def test_a_page_stores_the_score_as_the_role_that_may(self, staff, roles, settings):
        Customer.objects.create(customer_id=5, **A_CUSTOMER)
        with scores_as(roles.worker, settings):
            answer = staff.get("/customers/analyze/5/")
            assert answer.status_code == 200
            assert staff.get("/customers/insights/5/").json()["current"] is True
        assert Customer.objects.get().churn_risk_score == answer.json()["churn_risk_score"]
        assert ModelRelease.objects.count() == 1  # the first model of this database, by the same role
        assert ModelRelease.objects.get()._state.db == "default"

    def test_without_one_it_says_what_is_missing_and_writes_nothing(self, staff, roles):
        Customer.objects.create(customer_id=5, **A_CUSTOMER)
        first = staff.get("/customers/analyze/5/")
        assert (first.status_code, "may not activate one" in first.json()["error"]) == (503, True)
        with django_as(roles.worker):
            active_model()
        second = staff.get("/customers/analyze/5/")
        assert (second.status_code, "VIGILPAY_SCORER_DATABASE_URL" in second.json()["error"]) == (503, True)
        assert not ScoreRecord.objects.exists()

    def test_other_json_needs_no_such_role(self, staff, roles):
        Customer.objects.create(customer_id=5, **A_CUSTOMER)
        with django_as(roles.worker):
            jobs.rescore_stale()
        for address in ("/customers/insights/5/", "/customers/history/5/", "/events/freshness/"):
            assert staff.get(address).status_code == 200
        values = json.dumps({"values": {**A_CUSTOMER, "balance": 1}})
        assert staff.post("/customers/what-if/", values, content_type="application/json").status_code < 500

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE customers_customer SET churn_risk_score = 0.1",
            "UPDATE customers_customer SET version = 1",
            "INSERT INTO customers_scorerecord (customer_id, score, version, scored_by_id) VALUES (1, 0.5, 1, 1)",
            "INSERT INTO customers_modelrelease (sha256, fingerprint, metadata) VALUES ('', '', '{}')",
            "DELETE FROM customers_modelfile",
            "UPDATE customers_modelfile SET arrays = ''",
            "INSERT INTO customers_modelproposal (kind) VALUES ('release')",
            "UPDATE customers_modelproposal SET fingerprint = 'of another model'",
            "UPDATE customers_modelproposal SET proposed_by = 'another person'",
            "INSERT INTO customers_stalemark (kind, ids) VALUES (0, '{1}')",
            "DELETE FROM customers_scorerecord",
            "CREATE TABLE public.mine (id int)",
        ],
    )
    def test_the_role_of_web_pages_can_not(self, roles, statement):
        with django_as(roles.web), connection.cursor() as cursor:
            cursor.execute("SET vigilpay.scorer TO 'on'")
            with pytest.raises(ProgrammingError, match=DENIED):
                cursor.execute(statement)


class TestWorker:
    @pytest.fixture(autouse=True)
    def worker(self, roles):
        with django_as(roles.worker):
            yield

    def test_every_job(self, roles, settings):
        settings.DRAIN_SECONDS = 5
        add(roles, 1, 2, 3)
        assert jobs.rescore_stale() == 3
        assert jobs.sweep_stale() in (True, False)
        assert jobs.look_at_everybody() in (True, False)
        assert jobs.go_on_with_imports() == 0
        assert jobs.audit_sample() == 0
        assert isinstance(jobs.check_drift(), str)
        assert jobs.send_alerts() == 0
        assert jobs.count_overview()
        assert jobs.prune_history() == 0

    def test_everything_that_is_pruned(self, roles):
        with django_as(roles.web):
            threshold(0.0001, recipients="desk@bank.example")
        for _ in range(2):
            add(roles, 1)
            jobs.rescore_stale()
            edit_as_bank(roles, "DELETE FROM customers_customer")
        tomorrow = timezone.now() + timedelta(days=1)
        assert retention.prune_history(tomorrow).records == 2
        Delivery.objects.update(state=Delivery.State.SENT, ended_at="2000-01-01T00:00Z")
        prune_alerts(tomorrow)
        assert not Delivery.objects.exists()

    def test_commands(self, roles, tmp_path, capsys):
        add(roles, 1, 2, 3)
        jobs.rescore_stale()
        call_command("import_customers", str(write(tmp_path / "a.csv", row(9))))
        call_command("import_outcomes", str(write_text(tmp_path / "b.csv", "customer_id,date\n1,2026-01-01\n")))
        for command in ("prune_history", "audit_scores", "freshness", "pause_scoring", "resume_scoring"):
            call_command(command)
        call_command("dead_letters", "--requeue-all")
        call_command("seed_demo", "--customers", "3")
        call_command("history", "1")
        call_command("audit_scores", "--all", "--repair")

    def test_failures_are_recorded_requeued_and_repaired(self, roles):
        add(roles, 1)
        jobs.rescore_stale()
        customer = Customer.objects.get()
        make_failure(customer)
        assert failures.requeue([customer.pk]) == 1
        with transaction.atomic():
            write_as_scorer(customer, churn_risk_score=0.001)
        call_command("audit_scores", "--all", "--repair")
        assert AuditFinding.objects.get().repaired_at is not None

    def test_another_model_is_put_into_service(self, assets, roles):
        release = put_into_service("spring")
        assert ModelRelease.objects.count() == 1
        forest, _release = active_model()
        release.arrays_sha256 = ""
        note_verified_contents(release, forest)
        assert release.arrays_sha256 == forest.flat.contents

    def test_it_has_no_business_with_accounts(self):
        for table in ("auth_user", "django_session", "django_admin_log"):
            with connection.cursor() as cursor, pytest.raises(ProgrammingError, match=DENIED):
                cursor.execute(f"SELECT * FROM {table}")


def edit_as_bank(roles, statement, *values):
    with session(roles.application) as bank:
        bank.execute(statement, values)


def add(roles, *ids):
    """As the bank's application does."""
    columns = ", ".join(["customer_id", "surname", *A_CUSTOMER])
    places = ", ".join(["%s"] * (2 + len(A_CUSTOMER)))
    with session(roles.application) as bank:
        for customer_id in ids:
            values = [customer_id, "Made Up", *A_CUSTOMER.values()]
            bank.execute(f"INSERT INTO customers_customer ({columns}) VALUES ({places})", values)
            bank.execute("UPDATE customers_customer SET age = age + 1 WHERE customer_id = %s", [customer_id])


def test_what_the_application_edits_is_scored_and_is_its_own(roles):
    add(roles, 1)
    with django_as(roles.worker):
        assert jobs.rescore_stale() == 1
    customer = Customer.objects.get()
    assert customer.is_current()
    assert (customer.age, customer.edited_by) == (41, f"sql:{roles.application}")
    with session(roles.application) as bank:
        bank.execute("DELETE FROM customers_customer")
