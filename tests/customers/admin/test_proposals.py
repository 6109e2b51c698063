"""The page on which a second person decides about a model."""

from io import StringIO

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from customers.models import ModelProposal, ModelRelease
from customers.presentation.numbers import format_points
from events import jobs
from tests.factories import make_scored

pytestmark = pytest.mark.django_db


@pytest.fixture
def proposal(strict_assets, settings, another_forest):
    """By anna, in a bank whose first model has scored a customer."""
    settings.ONE_PERSON_RELEASES = False
    make_scored()
    call_command("release_model", another_forest, "--yes", by="anna", note="spring", stdout=StringIO())
    return ModelProposal.objects.get()


def member(name, *permissions):
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def anna():
    return member("anna", "view_modelproposal", "approve_modelrelease")


@pytest.fixture
def ben(anna):
    return member("ben", "view_modelproposal", "approve_modelrelease")


def address(proposal):
    return reverse("admin:customers_modelproposal_change", args=[proposal.pk])


def decide(client, proposal, button, **fields):
    given = {"shown": proposal.fingerprint, "reason": "", button: "x", **fields}
    return client.post(address(proposal), given, follow=True).content.decode()


def test_it_shows_what_was_verified_how_risks_move_and_the_card(ben, proposal):
    page = ben.get(address(proposal)).content.decode()
    for expected in (
        "anna, ",
        "spring",
        proposal.fingerprint,
        "Mean churn risk, proposed model",
        "label codes",
        "Model card",
    ):
        assert expected in page
    assert 'value="Approve"' in page
    assert 'name="_save"' not in page
    # One customer: the mean is that customer's, and a change of 0.1 is one of 10 points.
    change = format_points(100 * proposal.shift["of_mean"])
    assert f'<th scope="row">Change of the mean</th><td>{change}</td>' in page
    assert f'<th scope="row">Change at percentile 50</th><td>{change}</td>' in page


def test_another_person_approves_and_a_worker_activates(ben, proposal):
    said = decide(ben, proposal, "_approve")
    assert "approved. A worker activates the model" in said
    jobs.activate_approved()
    assert ModelRelease.objects.latest("id").approved_by == "ben"
    page = ben.get(address(proposal)).content.decode()
    assert f"put into service as release {ModelRelease.objects.latest('id').pk}" in page
    assert 'value="Approve"' not in page


def test_the_proposer_may_not(anna, proposal):
    assert "another person has to approve it" in decide(anna, proposal, "_approve")
    assert ModelProposal.objects.get().state == "open"


def test_a_proposer_who_is_no_user_here_is_told_of(proposal):
    ben = member("ben", "approve_modelrelease")
    assert "There is no active user anna" in decide(ben, proposal, "_approve")
    assert ModelProposal.objects.get().state == "open"


def test_a_refusal_needs_a_reason(ben, proposal):
    assert "Enter the reason for the refusal." in decide(ben, proposal, "_refuse")
    assert "The active model stays." in decide(ben, proposal, "_refuse", reason="moves too far")
    assert ModelProposal.objects.get().reason == "moves too far"


def test_what_is_approved_is_the_model_that_was_shown(ben, proposal):
    assert "another model than the one you were shown" in decide(ben, proposal, "_approve", shown="f" * 64)
    assert ModelProposal.objects.get().state == "open"


@pytest.mark.parametrize(("permissions", "status"), [(["view_modelproposal"], 403), (["view_modelrelease"], 403)])
def test_without_the_permission_nothing_is_decided(proposal, permissions, status):
    viewer = member("vera", *permissions)
    response = viewer.post(address(proposal), {"shown": proposal.fingerprint, "_approve": "x"})
    assert response.status_code == status
    assert ModelProposal.objects.get().state == "open"


def test_the_list_names_state_and_persons(ben, proposal):
    page = ben.get(reverse("admin:customers_modelproposal_changelist")).content.decode()
    assert "Waiting for approval" in page
    assert "anna, " in page
