"""Pausing and resuming by the staff, and where they see that scoring is paused."""

import pytest
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.messages import get_messages
from django.utils import timezone

from customers.models import Pause
from customers.scoring.pause import current, is_paused
from events.models.engine import Drain
from events.queue import pause
from tests.factories import make_scored
from tests.staff import logged_in

pytestmark = pytest.mark.django_db

PAUSES = "/admin/events/pause/"
STATUS = "/admin/events/systemstatus/1/change/"
CUSTOMERS = "/admin/customers/customer/"


@pytest.fixture
def ann():
    """May pause, resume, and edit customers."""
    return logged_in(
        "ann", "view_pause", "add_pause", "delete_pause", "view_systemstatus", "view_customer", "change_customer"
    )


@pytest.fixture
def bob():
    """May see everything and do nothing."""
    return logged_in("bob", "view_pause", "view_systemstatus", "view_customer")


def texts(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


class TestPause:
    def test_to_add_one_is_to_pause_in_ones_own_name(self, ann):
        assert ann.get(f"{PAUSES}add/").status_code == 200
        ann.post(f"{PAUSES}add/", {"reason": "review", "by": "another user"})
        assert (current().by, current().reason) == ("ann", "review")

    def test_there_is_one_at_most(self, ann):
        pause.pause(by="bob")
        assert ann.get(f"{PAUSES}add/").status_code == 403
        assert ann.post(f"{PAUSES}add/", {"reason": "mine"}).status_code == 403
        assert Pause.objects.get().by == "bob"

    def test_its_page_asks_whether_to_resume_and_a_button_does(self, ann):
        pause.pause(by="bob", reason="review")
        page = ann.get(f"{PAUSES}1/change/").content.decode()
        assert "Resume scoring?" in page
        assert "by bob: review." in page
        assert is_paused()
        response = ann.post(f"{PAUSES}1/change/", {"_resume": ""})
        assert not is_paused()
        assert response.headers["Location"] == STATUS
        assert texts(response) == ["Scoring resumed."]
        assert LogEntry.objects.get().action_flag == DELETION

    def test_to_resume_twice_does_no_harm(self, ann):
        assert texts(ann.post(f"{PAUSES}1/change/", {"_resume": ""})) == ["Scoring was not paused."]

    def test_to_pause_is_said_in_its_own_words(self, ann):
        response = ann.post(f"{PAUSES}add/", {"reason": "review"})
        assert texts(response) == ["Scoring paused."]
        assert response.headers["Location"] == STATUS

    def test_the_menu_leads_to_what_there_is_to_do(self, ann, bob):
        assert ann.get(PAUSES).headers["Location"] == f"{PAUSES}add/"
        assert bob.get(PAUSES).headers["Location"] == STATUS
        pause.pause()
        assert ann.get(PAUSES).headers["Location"] == bob.get(PAUSES).headers["Location"] == f"{PAUSES}1/change/"

    def test_it_shows_since_when_by_whom_and_why(self, bob):
        pause.pause(by="ann", reason="review")
        page = bob.get(f"{PAUSES}1/change/").content.decode()
        assert "ann" in page
        assert "review" in page

    def test_without_permission_no_user_pauses(self, bob):
        assert bob.post(f"{PAUSES}add/", {"reason": "mine"}).status_code == 403
        assert not is_paused()

    def test_without_permission_no_user_resumes(self, bob):
        pause.pause()
        assert bob.post(f"{PAUSES}1/delete/", {"post": "yes"}).status_code == 403
        assert bob.post(f"{PAUSES}1/change/", {"_resume": ""}).status_code == 403
        assert "_resume" not in bob.get(f"{PAUSES}1/change/").content.decode()
        assert is_paused()

    def test_no_user_alters_one(self, ann):
        pause.pause(by="bob", reason="review")
        assert ann.post(f"{PAUSES}1/change/", {"reason": "lunch"}).status_code == 403
        assert current().reason == "review"


class TestNotice:
    def test_list_and_page_of_customers_say_it_once_each(self, bob):
        customer = make_scored()
        pause.pause(by="ann", reason="review")
        for address in (CUSTOMERS, f"{CUSTOMERS}{customer.pk}/change/"):
            for _ in range(2):
                page = bob.get(address).content.decode()
                assert page.count("Scoring has been paused since ") == 1
                assert "by ann: review." in page

    def test_a_list_that_only_redirects_leaves_nothing_behind(self, bob):
        pause.pause()
        response = bob.get(CUSTOMERS, {"no_such_field": "1"})
        assert response.status_code == 302
        assert texts(response) == []

    def test_a_save_that_redirects_leaves_nothing_behind(self, ann):
        customer = make_scored()
        pause.pause()
        response = ann.post(f"{CUSTOMERS}{customer.pk}/change/", {"age": "not a number"})
        assert response.content.decode().count("Scoring has been paused since ") == 1

    def test_while_scoring_goes_on_nothing_is_said(self, bob):
        assert "paused" not in bob.get(CUSTOMERS).content.decode()

    def test_a_reason_is_text_whatever_it_holds(self, bob):
        pause.pause(reason="<script>alert(1)</script>")
        assert "<script>alert(1)" not in bob.get(CUSTOMERS).content.decode()


def test_drains_are_listed_and_no_user_writes_them():
    clerk = logged_in("clerk", "view_drain", "add_drain", "change_drain", "delete_drain")
    drain = Drain.objects.create(worker="here:1", started_at=timezone.now(), claimed=3, stored=3, rejected=0, refused=0)
    assert "here:1" in clerk.get("/admin/events/drain/").content.decode()
    assert clerk.get("/admin/events/drain/add/").status_code == 403
    assert clerk.post(f"/admin/events/drain/{drain.pk}/delete/", {"post": "yes"}).status_code == 403
