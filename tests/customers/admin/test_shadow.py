"""Shadow scoring on the page of a proposal."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from customers.models import ModelProposal, ShadowRun
from customers.shadow import runs
from tests.customers.shadow.proposing import drain, propose, start, work_off
from tests.factories import make_customers

pytestmark = pytest.mark.django_db


@pytest.fixture
def proposal(strict_assets, settings, another_forest):
    settings.ONE_PERSON_RELEASES = False
    make_customers(20)
    drain()
    return propose(another_forest)


def member(*permissions):
    user = User.objects.create_user("ben", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ben():
    return member("view_modelproposal", "approve_modelrelease")


def address(proposal):
    return reverse("admin:customers_modelproposal_change", args=[proposal.pk])


def page_of(client, proposal):
    return client.get(address(proposal)).content.decode()


def press(client, proposal, button, **fields):
    given = {"shown": proposal.fingerprint, "reason": "", "share": "0.1", button: "x", **fields}
    return client.post(address(proposal), given, follow=True).content.decode()


def test_an_approver_starts_it_and_the_log_keeps_why(ben, proposal):
    assert 'value="Start shadow scoring"' in page_of(ben, proposal)
    said = press(ben, proposal, "_start_shadow", share="1", reason="before we decide")
    assert f"Shadow scoring of proposal {proposal.pk} started. The comparison appears here after" in said
    run = ShadowRun.objects.get()
    assert (run.started_by, run.start_reason, run.share) == ("ben", "before we decide", 1)
    assert "Start shadow scoring on 100.0" in LogEntry.objects.latest("id").change_message
    assert "before we decide" in LogEntry.objects.latest("id").change_message
    assert ModelProposal.objects.get().state == "open"


def test_the_page_compares_the_two(ben, proposal):
    start(proposal)
    assert "Not compared yet." in page_of(ben, proposal)
    work_off()
    page = page_of(ben, proposal)
    for expected in ("In progress. Share: 100.0", "20 customers", "Same risk band", "too few outcomes to tell"):
        assert expected in page
    assert "None to show." in page  # customers are for those who may see them


def test_a_run_that_ended_before_a_comparison_says_so(ben, proposal):
    start(proposal)
    runs.stop(by="ben", reason="too slow")
    page = page_of(ben, proposal)
    assert "Shadow scoring ended before a comparison." in page
    assert "by ben: too slow. Share: 100.0" in page


def test_who_may_see_customers_sees_who_differs_most_and_that_is_noted(proposal):
    client = member("view_modelproposal", "approve_modelrelease", "view_customer")
    start(proposal)
    work_off()
    response = client.get(address(proposal))
    assert "Largest differences now" in response.content.decode()
    assert len(response.customer_ids) == 10


def test_an_approver_stops_it(ben, proposal):
    start(proposal)
    assert "Enter the reason to stop shadow scoring." in press(ben, proposal, "_stop_shadow")
    assert "stopped." in press(ben, proposal, "_stop_shadow", reason="seen enough")
    assert not ShadowRun.objects.get().is_on
    assert LogEntry.objects.latest("id").change_message == "Stop shadow scoring: seen enough"


def test_a_reason_is_required_to_start(ben, proposal):
    assert "Enter the reason for shadow scoring." in press(ben, proposal, "_start_shadow")
    assert not ShadowRun.objects.exists()


def test_beside_another_run_it_says_which(ben, proposal, third_forest):
    start(propose(third_forest))
    said = press(ben, proposal, "_start_shadow", reason="this one, too")
    assert "is being scored in shadow. Stop it first." in said


def test_without_the_permission_nothing_is_started(proposal):
    viewer = member("view_modelproposal")
    given = {"shown": proposal.fingerprint, "share": "1", "reason": "why", "_start_shadow": "x"}
    assert viewer.post(address(proposal), given).status_code == 403
    assert not ShadowRun.objects.exists()


def test_after_the_decision_the_figures_stay_and_the_buttons_go(ben, proposal):
    start(proposal)
    work_off()
    runs.stop(by="ben", reason="seen enough")
    press(ben, proposal, "_refuse", reason="moves too far")
    page = page_of(ben, proposal)
    assert "Same risk band" in page
    assert 'shadow scoring"' not in page
