"""The overview as staff see it: in every state of the portfolio, and each by the rights of the user."""

import random
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Customer, ModelRelease, ScoreRecord
from customers.portfolio import movers, moves
from customers.presentation.bands import BANDS, band
from customers.scoring import marks, scorer
from events.models.engine import Overview, Worker
from events.overview import counting, figures
from events.queue import pause
from tests.factories import (
    edit,
    forget_marks,
    make_customer,
    make_customers,
    make_scored,
    random_fields,
    write_as_scorer,
)
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


def link_of(page, name):
    """Where the figure of this name leads, and the figure."""
    tile = r'<li>\s*<a href="([^"]+)">\s*<strong>([^<]+)</strong> <span class="vp-tile-name">{}</span>'
    return re.search(tile.format(name), page).groups()


def with_a_move(**fields):
    """A customer who had another score yesterday."""
    customer = make_scored(**fields)
    ScoreRecord.objects.filter(customer_id=customer.pk).update(previous_score=0.0)
    return customer


class TestStates:
    def test_without_customers_it_says_what_to_do(self, ann):
        found = words(ann)
        assert "There are no customers yet. Add a customer, or import a file." in found
        assert "All scores are up to date." in found

    def test_of_customers_whom_the_model_does_not_know_it_claims_nothing(self, ann):
        make_scored()
        make_customer(geography="Italy")
        scorer.rescore_batch()
        for found in (words(ann), words(superuser(), "/admin/events/systemstatus/1/change/")):
            assert "All scores that the model can calculate are up to date." in found
            assert "All scores are up to date" not in found
            assert "1 customer waits for a model that knows the country Italy." in found

    def test_without_scores_no_band_has_a_customer(self, ann):
        make_customers(2)
        found = words(ann)
        assert "No score 2 100.0 %" in found
        assert "critical 75 % to 100 % 0 0.0 % 0.00" in found
        assert "Scores are being updated. 2 customers waiting for a score" in found

    def test_scores_are_drawn_and_counted(self, ann):
        for score in (0.1, 0.9, 0.95):
            write_as_scorer(make_scored(), churn_risk_score=score)
        page = ann.get(PAGE).content.decode()
        assert "<title>90\u00a0% to 95\u00a0%: 1</title>" in page
        assert page.count("<rect") == 20
        assert "critical 75 % to 100 % 2 66.7 %" in words(ann)

    def test_a_band_that_begins_at_a_part_of_a_percent_has_a_decimal(self, ann, settings):
        settings.RISK_BANDS = [0.125, 0.5, 0.755]
        make_customers(1)
        found = words(ann)
        assert "critical 75.5 % to 100 % 0" in found
        assert "medium 12.5 % to 50 % 0" in found

    def test_a_band_leads_to_its_customers(self, ann):
        make_customer()
        assert 'href="/admin/customers/customer/?band=critical"' in ann.get(PAGE).content.decode()

    def test_while_scoring_is_paused_it_says_so(self, ann):
        pause.pause(by="bob", reason="review")
        found = words(ann)
        assert "Scoring is paused. Scoring has been paused since" in found
        assert "by bob: review." in found

    def test_figures_of_another_model_say_that_they_are(self, ann):
        make_scored()
        counting.count_now()
        Overview.objects.update(took_seconds=5)
        assert "A new model was released" not in words(ann)
        ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        assert "A new model was released" in words(ann)

    def test_old_figures_say_how_old_and_that_no_worker_is_there(self, ann):
        counting.count_now()
        Overview.objects.update(took_seconds=5, counted_at=timezone.now() - timedelta(hours=3))
        found = words(ann)
        assert "(3 h ago)" in found
        assert "These figures are not being updated: no worker is running. Please inform an operator." in found

    def test_old_figures_say_that_a_worker_counts(self, ann):
        Worker.objects.create(name="here", host="h", started_at=timezone.now(), looked_at=timezone.now())
        counting.count_now()
        Overview.objects.update(took_seconds=5, counted_at=timezone.now() - timedelta(hours=3))
        assert "A worker is updating the figures; reload this page in a moment." in words(ann)

    def test_before_the_first_count_has_ended_it_says_so(self, ann, monkeypatch):
        monkeypatch.setattr(counting, "count_now", lambda patience: False)
        assert "being calculated for the first time" in words(ann)


class TestHeadline:
    """Of this moment, whatever the figures are of: a portfolio too large to be counted for the page."""

    @pytest.fixture
    def counted(self):
        """Figures of an hour ago, when all was current."""
        for _ in range(3):
            make_scored()
        forget_marks()
        counting.count_now()
        Overview.objects.update(took_seconds=5, counted_at=timezone.now() - timedelta(hours=1))

    def test_while_nothing_waits_all_is_up_to_date(self, ann, counted):
        assert "All scores are up to date." in words(ann)

    def test_with_many_who_came_since_and_no_worker_it_does_not_say_that_all_is_current(self, ann, counted):
        make_customers(40)
        found = words(ann)
        assert "All scores are up to date" not in found
        assert "Scores are being updated. 40 customers waiting for a score" in found
        assert "Figures as of" in found

    def test_in_a_storm_of_edits_it_never_does(self, ann, counted):
        customers = list(Customer.objects.all())
        for age in range(41, 47):
            for customer in customers:
                edit(customer, age=age)
            assert "All scores are up to date" not in words(ann)
            scorer.rescore_batch(1)
            assert "All scores are up to date" not in words(ann)
        scorer.rescore_batch()
        assert "All scores are up to date" in words(ann)

    def test_after_a_release_it_does_not_before_all_are_scored(self, ann, counted):
        ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        marks.mark_all()
        assert "All scores are up to date" not in words(ann)


class TestFourFigures:
    def test_each_leads_to_what_it_counts(self):
        root = superuser()
        write_as_scorer(make_scored(), churn_risk_score=0.9, value_at_risk=Decimal("1234.56"))
        write_as_scorer(make_scored(), churn_risk_score=0.1, value_at_risk=Decimal("1000.00"))
        page = root.get(PAGE).content.decode()
        assert link_of(page, "Critical customers") == ("/admin/customers/customer/?band=critical", "1")
        assert link_of(page, "Value at risk")[1] == "EUR\u00a02,235"
        address, number = link_of(page, "Newly critical in 7 days")
        assert (address, number) == ("/admin/customers/customer/?change=newly_critical", "Not available yet")
        assert link_of(page, "Open alerts") == ("/admin/events/alert/?state=open", "0")
        for name in ("Critical customers", "Value at risk", "Open alerts"):
            assert root.get(link_of(page, name)[0]).status_code == 200, name

    def test_value_at_risk_adds_up_to_the_cent_in_each_band(self, ann):
        pick = random.Random(8)
        sums = dict.fromkeys(BANDS, Decimal())
        for _ in range(12):
            customer = make_scored(**random_fields(pick))
            score, value = pick.random(), Decimal(pick.randint(0, 10_000_000)) / 100
            write_as_scorer(customer, churn_risk_score=score, value_at_risk=value)
            sums[band(score)] += value
        found = words(ann)
        for name, value in sums.items():
            assert re.search(rf"{name} \d+ % to \d+ % \d+ [\d.]+ % {value:,.2f} ", found), name
        assert f"All 12 {sum(sums.values()):,.2f}" in found

    def test_newly_critical_is_who_was_not_when_the_days_began(self, ann):
        for before, after in ((0.3, 0.9), (0.8, 0.9), (0.3, 0.4), (None, 0.9)):
            customer = make_scored()
            write_as_scorer(customer, churn_risk_score=after)
            ScoreRecord.objects.filter(customer_id=customer.pk).update(previous_score=before, score=after)
        moves.search()
        address, number = link_of(ann.get(PAGE).content.decode(), "Newly critical in 7 days")
        assert number == "1"
        assert len(ann.get(address).context["cl"].result_list) == 1

    def test_alerts_are_shown_to_users_who_may_see_them(self, ann):
        assert "Open alerts" not in words(ann)
        other = logged_in("eve", "view_overview", "view_alert")
        assert "Open alerts" in words(other)
        assert "/admin/customers/customer/" not in other.get(PAGE).content.decode()


class TestMovers:
    def test_each_is_told_from_and_to_and_leads_to_the_page_of_the_customer(self, ann):
        customer = with_a_move(surname="Riser")
        page = ann.get(PAGE).content.decode()
        assert page.count(f'<a href="/admin/customers/customer/{customer.pk}/change/">Riser · {customer.pk}</a>') == 2
        assert "0.0 % low" in words(ann)
        assert f"{100 * customer.churn_risk_score:.1f} % medium" in words(ann)

    def test_a_mover_deleted_since_is_said_to_be(self, ann):
        customer_id = with_a_move().pk
        counting.count_now()
        Overview.objects.update(took_seconds=5)
        Customer.objects.all().delete()
        assert f"{customer_id} (deleted)" in words(ann)

    def test_where_telling_them_took_too_long_it_says_so(self, ann, monkeypatch):
        monkeypatch.setattr(movers, "MOVES", "SELECT 1/0, %(at)s, %(days)s, %(most)s")
        monkeypatch.setattr(figures, "OperationalError", DataError)
        make_customer()
        assert "Too many scores changed" in words(ann)

    def test_names_are_text_whatever_they_hold(self, ann):
        with_a_move(surname="<script>alert(1)</script>")
        page = ann.get(PAGE).content.decode()
        assert "<script>alert(1)" not in page
        assert "&lt;script&gt;alert(1)" in page

    def test_a_user_who_may_not_see_customers_sees_none_by_name(self):
        with_a_move(surname="Riser")
        page = logged_in("bob", "view_overview").get(PAGE).content.decode()
        assert "Riser" not in page
        assert "Largest changes" not in page
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
    assert f"Made Up · {one.pk}" in words(ann)
    Overview.objects.update(took_seconds=60.0)
    Customer.objects.filter(pk=one.pk).update(objected_at=timezone.now())
    shown = words(ann)
    assert f"Made Up · {one.pk} " not in shown
    assert f"Made Up · {other.pk}" in shown
