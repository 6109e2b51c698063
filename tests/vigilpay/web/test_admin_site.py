"""What staff open most comes first in the admin."""

import re

import pytest
from django.contrib import admin

from tests.staff import logged_in, superuser

pytestmark = pytest.mark.django_db


def pages(client):
    """Where the lists on the index lead, in their order."""
    return re.findall(r'<th scope="row"[^>]*>\s*<a href="([^"]+)"', client.get("/admin/").content.decode())


def test_the_overview_is_the_first_and_the_customers_head_their_room():
    found = pages(superuser())
    assert found[0] == "/admin/events/overview/"
    of_customers = [page for page in found if page.startswith("/admin/customers/")]
    assert of_customers[0] == "/admin/customers/customer/"
    assert found.index(of_customers[0]) < found.index("/admin/auth/group/")


def test_who_may_not_see_it_finds_the_customers_first():
    assert pages(logged_in("ann", "view_customer", "view_drain"))[0] == "/admin/customers/customer/"


def test_the_queue_and_the_failed_logins_have_no_pages():
    """They would let a user name any function for the workers to run, and unpickle what others have written."""
    assert not {model for model in admin.site._registry if model._meta.app_label in ("django_q", "axes")}
    for page in ("", "schedule/", "schedule/add/", "success/", "failure/", "ormq/"):
        assert superuser(f"root at {page}").get(f"/admin/django_q/{page}").status_code == 404


def test_who_may_see_nothing_finds_nothing():
    assert pages(logged_in("bob")) == []
