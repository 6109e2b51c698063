"""When the overview is counted, by whom, and that its parts add up."""

import random
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django_q.models import OrmQ

from customers.models import Customer, DriftCheck, ModelRelease
from customers.portfolio import distribution, movers
from customers.scoring import scorer
from events import jobs
from events.freshness.queries import freshness, freshness_of
from events.models.engine import Overview
from events.overview import counting, figures
from events.overview.figures import Figures
from tests.factories import edit, make_customer, make_customers, make_scored, random_fields, random_rows, refer_to
from tests.others import outsider, together, turn_held

pytestmark = pytest.mark.django_db


def kept() -> Figures:
    return Figures.from_json(Overview.objects.get().figures)


def counted(*, seconds_ago=0.0, took=5.0):
    """A count as of a large portfolio, so long ago."""
    counting.count_now()
    Overview.objects.update(counted_at=timezone.now() - timedelta(seconds=seconds_ago), took_seconds=took)
    return Overview.objects.get()


def jobs_waiting():
    return OrmQ.objects.count()


class TestCount:
    def test_there_is_one_row_and_the_newest_count_is_in_it(self):
        counting.count_now()
        make_customer()
        counting.count_now()
        assert kept().distribution.customers == 1

    def test_an_older_count_that_comes_late_is_not_kept(self):
        counting.count_now()
        make_customer()
        with connection.cursor() as cursor:
            late = Figures.counted(cursor, timezone.now())
        counting.store_figures(late, timezone.now() - timedelta(days=1), 0.1)
        assert kept().distribution.customers == 0

    def test_what_is_kept_is_what_was_counted(self):
        make_scored()
        make_customers(2)
        with connection.cursor() as cursor:
            figures_now = Figures.counted(cursor, timezone.now())
        counting.store_figures(figures_now, timezone.now(), 0.1)
        assert kept() == figures_now

    def test_with_counted_customers_freshness_says_what_it_says_without(self):
        make_scored()
        counting.count_now()
        found, now = freshness_of(kept().portfolio, kept().lag, timezone.now()), freshness()
        assert found.coverage == now.coverage
        assert (found.status, found.status_reason) == (now.status, now.status_reason)
        assert found.lag == now.lag

    def test_it_ends_when_its_time_is_up(self, monkeypatch):
        monkeypatch.setattr(distribution, "COUNT", "SELECT pg_sleep(60), %(edges)s, %(thresholds)s")
        with pytest.raises(OperationalError, match="statement timeout"):
            counting.count_now("20ms")
        assert not Overview.objects.exists()

    def test_where_movers_take_too_long_all_else_is_told(self, monkeypatch):
        make_customer()
        monkeypatch.setattr(movers, "MOVES", "SELECT pg_sleep(60), %(at)s, %(days)s, %(most)s")
        assert counting.count_now("500ms")
        assert kept().movers == []
        assert kept().distribution.customers == 1

    def test_limits_end_with_it(self):
        counting.count_now("7s")
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("0",)


class TestWhoCounts:
    def test_the_first_to_look_counts_without_any_worker(self):
        make_customer()
        assert counting.shown() is not None
        assert kept().distribution.customers == 1

    def test_where_counting_is_quick_every_look_is_live(self):
        counted(took=0.01)
        make_customer()
        counting.shown()
        assert kept().distribution.customers == 1
        assert jobs_waiting() == 0

    def test_where_it_is_not_a_worker_is_asked_once(self, django_capture_on_commit_callbacks):
        counted(seconds_ago=3600)
        make_customer()
        with django_capture_on_commit_callbacks(execute=True):
            shown = [counting.shown() for _ in range(5)]
        assert jobs_waiting() == 1
        assert all(Figures.from_json(found.figures).distribution.customers == 0 for found in shown)

    def test_a_job_that_was_lost_is_asked_for_again(self, django_capture_on_commit_callbacks):
        counted(seconds_ago=3600)
        Overview.objects.update(asked_at=timezone.now() - timedelta(seconds=counting.ASK_AGAIN_SECONDS + 1))
        with django_capture_on_commit_callbacks(execute=True):
            counting.shown()
        assert jobs_waiting() == 1

    def test_new_figures_are_left_alone(self, django_capture_on_commit_callbacks):
        counted(seconds_ago=20)
        with django_capture_on_commit_callbacks(execute=True):
            counting.shown()
        assert jobs_waiting() == 0
        assert not jobs.count_overview()

    def test_the_longer_a_count_takes_the_longer_its_figures_are_new(self):
        assert counting.is_due(counted(seconds_ago=90, took=1))
        assert not counting.is_due(counted(seconds_ago=90, took=10))

    def test_the_job_counts_what_is_old(self):
        counted(seconds_ago=3600)
        make_customer()
        assert jobs.count_overview()
        assert kept().distribution.customers == 1

    def test_the_job_counts_what_was_never_counted(self):
        assert jobs.count_overview()

    def test_another_model_makes_the_figures_old(self):
        make_scored()
        found = counted()
        assert not counting.is_due(found)
        ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        assert counting.is_due(found)

    def test_other_bands_make_the_figures_old(self, settings):
        found = counted()
        settings.RISK_BANDS = (0.1, 0.2, 0.3)
        assert counting.is_due(found)

    def test_a_count_too_long_for_a_page_is_left_to_a_worker(self, monkeypatch, django_capture_on_commit_callbacks):
        counted(took=0.01)
        monkeypatch.setattr(distribution, "COUNT", "SELECT pg_sleep(60), %(edges)s, %(thresholds)s")
        monkeypatch.setattr(counting, "PAGE_PATIENCE", "20ms")
        with django_capture_on_commit_callbacks(execute=True):
            assert counting.shown() is not None
        assert jobs_waiting() == 1
        assert Overview.objects.get().took_seconds > counting.QUICK_SECONDS  # the next to look does not try again

    def test_while_one_counts_no_other_does(self):
        with turn_held(counting.TURN):
            assert not counting.count_now()
        assert not Overview.objects.exists()


class TestDrift:
    def test_a_count_that_finds_many_more_customers_has_drift_checked_and_but_once(self):
        refer_to(random_rows(50, seed=1))
        make_customers(5)
        while scorer.rescore_batch().claimed:
            pass
        counted(seconds_ago=3600)
        jobs.count_overview()
        assert [check.customers for check in DriftCheck.objects.all()] == [5]
        make_scored()
        for _ in range(2):
            counted(seconds_ago=3600)
            jobs.count_overview()
        assert [check.customers for check in DriftCheck.objects.all()] == [6, 5]


@pytest.mark.django_db(transaction=True)
class TestOneMoment:
    def test_every_statement_of_a_count_sees_the_same_customers(self, monkeypatch):
        make_customers(3)
        count_portfolio = figures.queries.portfolio_of

        def an_editor_comes_first(cursor, active):
            with outsider() as other:
                other.execute("DELETE FROM customers_customer")
            return count_portfolio(cursor, active)

        monkeypatch.setattr(figures.queries, "portfolio_of", an_editor_comes_first)
        counting.count_now()
        assert kept().distribution.customers == kept().portfolio.customer_count == 3
        monkeypatch.undo()
        counting.count_now()
        assert kept().distribution.customers == kept().portfolio.customer_count == 0

    def test_no_editor_waits_for_a_count(self):
        customer = make_scored()
        with counting.one_moment() as cursor:
            Figures.counted(cursor, timezone.now())
            with outsider(options="-c lock_timeout=1s") as other:
                other.execute("UPDATE customers_customer SET age = 77 WHERE customer_id = %s", [customer.pk])
                other.execute("TRUNCATE customers_stalemark")
        assert Customer.objects.get().age == 77

    def test_it_adds_up_among_editors_and_scorers(self):
        pick = random.Random(3)
        customers = [make_customer(**random_fields(pick)) for _ in range(40)]

        def live():
            for _ in range(60):
                with transaction.atomic():
                    edit(pick.choice(customers), age=pick.randint(18, 90))
                scorer.rescore_batch(5)

        def look():
            for _ in range(30):
                counting.count_now()
                found = kept()
                assert found.distribution.customers == found.portfolio.customer_count == len(customers)
                unscored = sum(group.customers for group in found.portfolio.coverage if group.release is None)
                assert found.distribution.unscored == unscored

        together(live, look)
