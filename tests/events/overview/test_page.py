"""The overview as staff see it: in every state of the portfolio, and each by the rights of the user."""

import re
from datetime import timedelta

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Customer, ModelRelease, ScoreRecord
from customers.portfolio import movers
from events.models.engine import Overview, Worker
from events.overview import counting, figures
from events.queue import pause
from tests.factories import make_customer, make_customers, make_scored, write_as_scorer
from tests.staff import logged_in, superuser

pytestmark = pytest.mark.django_db

LIST = "/admin/events/overview/"
PAGE = f"{LIST}1/change/"


@pytest.fixture
def ann():
    """May see the overview and the customers."""
    return logged_in("ann", "view_overview", "view_customer")


def words(client, address=PAGE):
    """What is to be read on the page, without the tags."""
    response = client.get(address)
    assert response.status_code == 200
    page = response.content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<main") :]).split())


def with_a_move(**fields):
    """A customer who had another score yesterday."""
    customer = make_scored(**fields)
    ScoreRecord.objects.filter(customer_id=customer.pk).update(previous_score=0.0)
    return customer


class TestStates:
    def test_without_customers_it_says_what_to_do(self, ann):
        found = words(ann)
        assert "There are no customers yet. Add one, or import a file of them." in found
        assert "All scores are current" in found

    def test_without_scores_no_band_has_a_customer(self, ann):
        make_customers(2)
        found = words(ann)
        assert "not scored yet 2 100.0%" in found
        assert "critical 75% to 100% 0 0.0%" in found
        assert "Never scored 2 100.0% 2" in found

    def test_scores_are_drawn_and_counted(self, ann):
        for score in (0.1, 0.9, 0.95):
            write_as_scorer(make_scored(), churn_risk_score=score)
        page = ann.get(PAGE).content.decode()
        assert "<title>90% to 95%: 1</title>" in page
        assert page.count("<rect") == 20
        assert "critical 75% to 100% 2 66.7%" in words(ann)

    def test_a_band_leads_to_its_customers(self, ann):
        make_customer()
        assert 'href="/admin/customers/customer/?band=critical"' in ann.get(PAGE).content.decode()

    def test_while_scoring_is_paused_it_says_so(self, ann):
        pause.pause(by="bob", reason="review")
        found = words(ann)
        assert "Scoring is paused," in found
        assert "by bob: review." in found

    def test_during_a_release_it_shows_how_many_each_model_has_scored(self, ann):
        make_scored()
        moved_on = make_scored()
        old = ModelRelease.objects.active()
        new = ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        write_as_scorer(moved_on, scored_by=new)
        found = words(ann)
        assert f"Release {old.pk} 1 50.0% 1" in found
        assert f"Release {new.pk} (active) 1 50.0% 0" in found

    def test_figures_of_another_model_say_that_they_are(self, ann):
        make_scored()
        counting.count_now()
        Overview.objects.update(took_seconds=5)
        assert "another model has become active" not in words(ann)
        ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        assert "another model has become active" in words(ann)

    def test_old_figures_say_how_old_and_that_no_worker_is_there(self, ann):
        counting.count_now()
        Overview.objects.update(took_seconds=5, counted_at=timezone.now() - timedelta(hours=3))
        found = words(ann)
        assert "3 hours ago" in found
        assert "No worker is running to count them anew" in found

    def test_old_figures_say_that_a_worker_counts(self, ann):
        Worker.objects.create(name="here", host="h", started_at=timezone.now(), looked_at=timezone.now())
        counting.count_now()
        Overview.objects.update(took_seconds=5, counted_at=timezone.now() - timedelta(hours=3))
        assert "load this page again in a moment" in words(ann)

    def test_before_the_first_count_has_ended_it_says_so(self, ann, monkeypatch):
        monkeypatch.setattr(counting, "count_now", lambda patience: False)
        assert "being counted for the first time" in words(ann)


class TestMovers:
    def test_each_is_told_from_and_to_and_leads_to_the_page_of_the_customer(self, ann):
        customer = with_a_move(surname="Riser")
        page = ann.get(PAGE).content.decode()
        assert page.count(f'<a href="/admin/customers/customer/{customer.pk}/change/">{customer.pk} Riser</a>') == 2
        assert "0.0% low" in words(ann)
        assert f"{customer.churn_risk_score:.1%}" in words(ann)

    def test_a_mover_deleted_since_is_said_to_be(self, ann):
        customer_id = with_a_move().pk
        counting.count_now()
        Overview.objects.update(took_seconds=5)
        Customer.objects.all().delete()
        assert f"{customer_id} (deleted since)" in words(ann)

    def test_where_telling_them_took_too_long_it_says_so(self, ann, monkeypatch):
        monkeypatch.setattr(movers, "MOVES", "SELECT 1/0, %(at)s, %(days)s, %(most)s")
        monkeypatch.setattr(figures, "OperationalError", DataError)
        assert "took too long. It is tried again." in words(ann)

    def test_names_are_text_whatever_they_hold(self, ann):
        with_a_move(surname="<script>alert(1)</script>")
        page = ann.get(PAGE).content.decode()
        assert "<script>alert(1)" not in page
        assert "&lt;script&gt;alert(1)" in page

    def test_a_user_who_may_not_see_customers_sees_none_by_name(self):
        with_a_move(surname="Riser")
        page = logged_in("bob", "view_overview").get(PAGE).content.decode()
        assert "Riser" not in page
        assert "Movers" not in page
        assert "/admin/customers/customer/" not in page
        assert "Customers by risk" in page


class TestPage:
    def test_the_list_leads_to_the_only_one(self, ann):
        assert ann.get(LIST).headers["Location"] == PAGE
        assert ann.get(f"{LIST}2/change/").status_code == 302

    def test_it_is_shown_to_users_who_may_see_it_and_to_no_others(self):
        assert logged_in("bob", "view_customer").get(PAGE).status_code == 403

    def test_no_user_writes_it(self):
        clerk = superuser()
        assert clerk.post(PAGE, {}).status_code == 403
        assert clerk.get(f"{LIST}add/").status_code == 403
        assert clerk.post(f"{LIST}1/delete/", {"post": "yes"}).status_code == 403

    def test_nothing_in_it_is_inline_style_or_script(self, ann):
        with_a_move()
        page = ann.get(PAGE).content.decode()
        assert " style=" not in page
        assert not re.search(r"<script(?![^>]* src=)", page)

    def test_where_counting_is_not_quick_the_page_passes_over_no_great_table(self, ann):
        with_a_move()
        counting.count_now()
        Overview.objects.update(took_seconds=5)
        with CaptureQueriesContext(connection) as captured:
            ann.get(PAGE)
        asked = [query["sql"] for query in captured if re.search("customers_(customer|scorerecord)\\b", query["sql"])]
        # Of the movers their names by the key, of those who failed their version, of those who wait what marks name.
        assert len(asked) == 3
        assert sum("customers_scoringfailure" in sql for sql in asked) == 2
        assert sum("customers_stalemark WHERE kind" in sql for sql in asked) == 2
        assert sum('"customer_id" IN (' in sql for sql in asked) == 1


def test_a_customer_who_has_objected_since_the_count_is_not_named(ann, monkeypatch):
    one, other = with_a_move(age=80), with_a_move(age=81)
    assert f"{one.pk} Made Up" in words(ann)
    Overview.objects.update(took_seconds=60.0)
    Customer.objects.filter(pk=one.pk).update(objected_at=timezone.now())
    shown = words(ann)
    assert f"{one.pk} " not in shown.split("Movers")[1].split("Freshness")[0]
    assert f"{other.pk} Made Up" in shown
