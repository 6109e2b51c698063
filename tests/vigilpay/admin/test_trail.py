"""The page of the audit trail: found by customer and by actor, changed by no user."""

import pytest
from django.contrib.auth import get_user_model

from tests.staff import superuser, with_role
from vigilpay.trail import writing
from vigilpay.trail.models import TrailEntry

pytestmark = pytest.mark.django_db

LIST = "/admin/vigilpay/trailentry/"
Purpose = TrailEntry.Purpose


@pytest.fixture
def alice():
    return get_user_model().objects.create_user("alice")


@pytest.fixture(autouse=True)
def trail(alice):
    writing.append(f"user:{alice.pk}", Purpose.VIEW, "customers:insights", [15])
    writing.append("token:3", Purpose.LIST, "customers:at_risk", [15, 16, 17, 18, 19, 20, 21])
    writing.append("user:999", Purpose.VIEW, "customers:insights", [150], refused=True)


def found(client, term):
    page = client.get(LIST, {"q": term})
    assert page.status_code == 200
    return [(entry.actor, entry.customer_ids[0]) for entry in page.context["cl"].result_list]


@pytest.mark.parametrize(
    ("term", "customers"),
    [("15", [15, 15]), ("21", [15]), ("150", [150]), ("1", []), ("9" * 25, []), ("token:3", [15])],
)
def test_it_is_searched_by_a_customers_id_or_an_actor(term, customers):
    assert [customer for _, customer in found(with_role("operator"), term)] == customers


def test_it_is_searched_by_the_name_of_a_user(alice):
    operator = with_role("operator")
    assert found(operator, "alice") == [(f"user:{alice.pk}", 15)]
    assert found(operator, "no such user") == []


def test_a_user_is_shown_by_name_and_one_who_is_gone_by_key(alice):
    page = with_role("operator").get(LIST).content.decode()
    assert f"alice (user:{alice.pk})" in page
    assert "user:999" in page
    assert "15, 16, 17, 18, 19 and 2 more" in page
    assert [page.count(f">{outcome}</td>") for outcome in ("Done", "Refused")] == [2, 1]


def test_operators_and_superusers_see_it_and_no_other_role():
    assert with_role("viewer").get(LIST).status_code == 403
    assert with_role("analyst").get(LIST).status_code == 403
    assert with_role("operator").get(LIST).status_code == 200
    assert superuser().get(LIST).status_code == 200


def test_no_page_changes_or_deletes_it():
    root, entry = superuser(), TrailEntry.objects.latest("id")
    assert root.get(f"{LIST}{entry.pk}/change/").status_code == 200
    before = list(TrailEntry.objects.filter(pk__lte=entry.pk).values())
    for page in (f"{entry.pk}/change/", f"{entry.pk}/delete/", "add/"):
        assert root.post(LIST + page, {"post": "yes", "actor": "user:1"}).status_code == 403
    root.post(LIST, {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"})
    assert list(TrailEntry.objects.filter(pk__lte=entry.pk).values()) == before


def test_reading_the_trail_is_noted_itself():
    with_role("operator").get(LIST, {"q": "15"})
    assert TrailEntry.objects.latest("id").address == "admin:vigilpay_trailentry_changelist"
