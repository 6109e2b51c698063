"""Each role may do its own things and none of the others'."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import Group, Permission
from django.contrib.messages import get_messages
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory

from customers.models import Contact, Customer, ModelRelease, ScoreRecord, ScoringFailure, WorklistItem
from customers.scoring.pause import is_paused
from events.models.engine import Drain, Overview, SystemStatus
from events.queue import pause
from tests.factories import make_failure, make_scored
from tests.staff import superuser, with_role
from vigilpay.roles import AGENT, ANALYST, OPERATOR, ROLES, VIEWER, fill_groups
from vigilpay.trail.models import TrailEntry

pytestmark = pytest.mark.django_db

# Who may start which action of which page; an action that is not listed here belongs to superusers alone.
ACTIONS = {
    ("customers.customer", "rescore_now"): {"analyst"},
    ("customers.customer", "requeue"): {"analyst"},
    ("customers.customer", "set_aside"): {"analyst"},
    ("customers.customer", "export"): {"analyst"},
    ("customers.scoringfailure", "try_again"): {"analyst", "operator"},
    ("events.alert", "acknowledge"): {"agent", "analyst"},
    ("events.delivery", "try_again"): {"operator"},
    ("events.digest", "try_again"): {"operator"},
    ("vigilpay.servicetoken", "revoke"): set(),
}

REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label)
OURS = [model for model in REGISTERED if model._meta.app_label in ("customers", "events", "vigilpay")]
NAMES = sorted(ROLES)


def allowed(role, verb, model):
    """What the table says."""
    if model is WorklistItem:  # one page, by a permission of its own
        return verb == "view" and "customers.work_worklist" in ROLES[role]
    return f"{model._meta.app_label}.{get_permission_codename(verb, model._meta)}" in ROLES[role]


def address(model, *parts):
    return "/".join(["/admin", model._meta.app_label, model._meta.model_name, *map(str, parts), ""])


def some_key(model):
    """The key of a row to try things on; for models that cannot be made by hand here, one that is not there."""
    customer = make_scored()
    active = ModelRelease.objects.active()
    made = {
        Customer: lambda: customer,
        ScoreRecord: ScoreRecord.objects.latest,
        ModelRelease: lambda: active,
        ScoringFailure: lambda: make_failure(customer),
        Drain: lambda: Drain.objects.create(
            worker="here:1", started_at="2026-01-01T00:00Z", claimed=1, stored=1, rejected=0, refused=0
        ),
    }
    if model._meta.model_name == "pause":
        return pause.pause().pk
    if model is ScoreRecord:
        return ScoreRecord.objects.first().pk
    return made[model]().pk if model in made else 1


def everything():
    """A fingerprint of all that a role might have changed. Each reader counts the overview, and is in the trail."""
    written = (Overview, SystemStatus, TrailEntry)
    tables = [model._meta.db_table for model in REGISTERED if model._meta.managed and model not in written]
    with connection.cursor() as cursor:
        found = {}
        for table in tables:
            cursor.execute(f"SELECT md5(COALESCE(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM \"{table}\" t")
            found[table] = cursor.fetchone()[0]
    return found


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label_lower)
@pytest.mark.parametrize("role", NAMES)
class TestPages:
    def test_it_sees_the_lists_that_are_its_own_and_no_other(self, role, model):
        may = allowed(role, "view", model) or allowed(role, "change", model)
        assert with_role(role).get(address(model), follow=True).status_code == (200 if may else 403)

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_what_is_not_its_own_is_refused_and_nothing_changes(self, role, model, method):
        key = some_key(model)
        client = with_role(role)
        before = everything()
        pages = {"add": ["add"], "change": [key, "change"], "delete": [key, "delete"]}
        for verb, parts in pages.items():
            if allowed(role, verb, model):
                continue
            if (verb, method) == ("change", "get") and allowed(role, "view", model):
                continue  # the same address shows it, without a form
            response = getattr(client, method)(address(model, *parts), {"post": "yes"} if method == "post" else {})
            # One that cannot be found at all is refused by being sent home; the worklist is one page without others.
            refusals = (404,) if model is WorklistItem else (403, 302)
            assert response.status_code in refusals, (verb, response.status_code)
            if response.status_code == 302:
                assert response["Location"] == "/admin/"
        assert everything() == before

    def test_what_it_may_only_see_has_no_button_to_save(self, role, model):
        if model not in OURS or allowed(role, "change", model) or not allowed(role, "view", model):
            return
        if model is Customer and allowed(role, "add", Contact):
            return  # the button saves a contact, and nothing of the customer: tests/customers/admin/test_contacts.py
        page = with_role(role).get(address(model, some_key(model), "change"), follow=True).content.decode()
        assert 'name="_save"' not in page


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label_lower)
@pytest.mark.parametrize("role", NAMES)
def test_actions_of_others_are_not_offered_and_refused_when_sent_by_hand(role, model):
    client = with_role(role)
    user = client.get("/admin/").wsgi_request.user
    all_actions = actions_of(model, superuser_request())
    key = some_key(model)
    before = everything()
    for action in all_actions:
        if may_start(role, model, action):
            assert action in actions_of(model, request_of(user))
            continue
        # A page of others that the role doesn't reach at all may offer what it likes.
        assert action not in actions_of(model, request_of(user)) or model not in OURS
        response = client.post(address(model), {"action": action, "_selected_action": [key]})
        assert response.status_code in (403, 302, 200)
        assert everything() == before, action


def may_start(role, model, action):
    if action == "delete_selected":
        return allowed(role, "delete", model)
    return role in ACTIONS.get((model._meta.label_lower, action), ())


def actions_of(model, request):
    return admin.site._registry[model].get_actions(request)


def request_of(user):
    request = RequestFactory().get("/admin/")
    request.user = user
    return request


def superuser_request():
    return superuser("root").get("/admin/").wsgi_request


def test_every_action_of_ours_has_an_owner():
    request = superuser_request()
    found = {(model._meta.label_lower, action) for model in OURS for action in actions_of(model, request)}
    assert {pair for pair in found if pair[1] != "delete_selected"} == set(ACTIONS)


class TestWhatEachIsThereFor:
    def test_an_analyst_edits_customers_and_an_operator_does_not(self):
        customer = make_scored(age=40)
        page = f"/admin/customers/customer/{customer.pk}/change/"
        form = with_role("analyst", "ann").get(page).context["adminform"].form.initial
        form = {name: value for name, value in form.items() if value not in (None, False)}
        for role, age in (("viewer", 40), ("operator", 40), ("analyst", 70)):
            with_role(role).post(page, {**form, "age": 70})
            customer.refresh_from_db()
            assert customer.age == age, role

    def test_an_operator_pauses_and_resumes_and_an_analyst_does_not(self):
        for role, paused in (("viewer", False), ("analyst", False), ("operator", True)):
            with_role(role).post("/admin/events/pause/add/", {"reason": "review"})
            assert is_paused() is paused, role
        for role, paused in (("viewer", True), ("analyst", True), ("operator", False)):
            with_role(role, f"{role} again").post("/admin/events/pause/1/change/", {"_resume": ""})
            assert is_paused() is paused, role

    def test_both_have_failures_tried_again_and_a_viewer_does_not(self):
        failures = "/admin/customers/scoringfailure/"
        for role, again in (("viewer", False), ("analyst", True), ("operator", True)):
            ScoringFailure.objects.all().delete()
            some_key(ScoringFailure)
            key = ScoringFailure.objects.get().pk
            response = with_role(role).post(failures, {"action": "try_again", "_selected_action": [key]})
            assert (ScoringFailure.objects.get().retry_at is not None) is again, role
            said = [str(message) for message in get_messages(response.wsgi_request)]
            assert ("1 customer queued for rescoring." in said) is again

    def test_none_of_them_sees_accounts_and_tokens(self):
        for role in ROLES:
            client = with_role(role)
            for page in ("auth/user", "auth/group", "vigilpay/servicetoken"):
                assert client.get(f"/admin/{page}/").status_code == 403


class TestTable:
    def test_roles_differ_as_they_are_meant_to(self):
        assert all(name.split(".")[1].startswith("view_") for name in VIEWER)
        assert VIEWER < AGENT < ANALYST
        assert {name for name in AGENT if name.endswith("_customer")} == {"customers.view_customer"}
        assert VIEWER < OPERATOR
        assert not {name for name in OPERATOR if name.endswith("_customer")} - VIEWER
        assert not {name for name in ANALYST if "pause" in name} - VIEWER

    def test_every_permission_in_it_exists(self):
        assert set().union(*ROLES.values()) <= existing()


def existing():
    pairs = Permission.objects.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in pairs}


def names_of(group):
    return {f"{app}.{name}" for app, name in group.permissions.values_list("content_type__app_label", "codename")}


def fill_all():
    fill_groups(apps.get_app_config("auth"))


class TestGroups:
    migrations = [import_module(f"vigilpay.migrations.{name}") for name in ("0001_roles", "0004_agents_and_approvers")]

    @pytest.fixture(autouse=True)
    def none(self):
        Group.objects.all().delete()

    def make_groups(self):
        with connection.schema_editor() as editor:
            for migration in self.migrations:
                migration.make_groups(apps, editor)

    def remove_groups(self):
        with connection.schema_editor() as editor:
            for migration in self.migrations:
                migration.remove_empty_groups(apps, editor)

    def test_the_migration_makes_one_for_each_role(self):
        self.make_groups()
        assert {group.name for group in Group.objects.all()} == set(ROLES)

    def test_every_migrate_gives_each_what_its_role_may_do(self):
        self.make_groups()
        call_command("migrate", verbosity=0)
        for name, wanted in ROLES.items():
            assert names_of(Group.objects.get(name=name)) == wanted & existing()

    def test_what_an_administrator_added_stays(self):
        self.make_groups()
        viewer = Group.objects.get(name="viewer")
        viewer.permissions.add(Permission.objects.get(codename="change_customer"))
        fill_all()
        fill_all()
        assert names_of(viewer) == (VIEWER & existing()) | {"customers.change_customer"}

    def test_a_group_that_was_deleted_or_renamed_stays_so(self):
        self.make_groups()
        Group.objects.get(name="viewer").delete()
        Group.objects.filter(name="analyst").update(name="readers")
        fill_all()
        assert {group.name for group in Group.objects.all()} == {"agent", "approver", "operator", "readers"}
        assert names_of(Group.objects.get(name="readers")) == set()

    def test_a_permission_of_the_same_name_in_another_app_is_not_given(self):
        self.make_groups()
        stranger = Permission.objects.create(
            codename="view_customer",
            name="other",
            content_type=Permission.objects.get(codename="view_user").content_type,
        )
        fill_all()
        assert not Group.objects.filter(permissions=stranger).exists()

    def test_going_back_removes_them_unless_a_user_is_in_one(self):
        self.make_groups()
        with_role("operator")
        self.remove_groups()
        assert [group.name for group in Group.objects.all()] == ["operator"]


def test_what_an_upgrade_adds_to_a_role_is_in_the_log_and_what_the_first_migrate_gives_is_not(caplog):
    """It is hundreds of words, and a newcomer's first lines."""
    group = Group.objects.get(name="analyst")
    caplog.set_level("INFO")
    group.permissions.clear()
    fill_groups(apps.get_app_config("auth"))
    assert caplog.records == []
    group.permissions.remove(Permission.objects.get(codename="export_customer"))
    fill_groups(apps.get_app_config("auth"))
    assert [record.getMessage() for record in caplog.records] == ["Group analyst may now: export_customer"]
