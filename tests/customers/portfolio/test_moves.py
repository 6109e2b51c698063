"""Whose risk has risen within a week, against what was noted of all when the week began."""

import random
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from customers.models import Customer, MoveSearch, RecentMove, ScoreRecord
from customers.portfolio import moves
from customers.scoring import scorer
from events import jobs
from tests.customers.portfolio.test_movers import days_go_by, known, live_on, rescored, scores
from tests.factories import edit, make_customer, make_scored, random_fields, write_as_scorer
from tests.others import turn_held

pytestmark = pytest.mark.django_db

HIGH = {"age": 60, "num_of_products": 4}


def risen():
    return set(Customer.objects.filter(moves.has_risen()).values_list("pk", flat=True))


def newly_critical():
    found = set(Customer.objects.filter(moves.is_newly_critical()).values_list("pk", flat=True))
    with connection.cursor() as cursor:
        assert moves.newly_critical(cursor) == len(found)
    return found


def before():
    """What each customer began the days with, as the list shows it."""
    return dict(Customer.objects.annotate(before=moves.score_before()).values_list("pk", "before"))


def customer_of_last_month(**fields):
    customer = make_scored(**fields)
    days_go_by(30)
    return customer


class TestBefore:
    def test_the_score_that_stood_when_the_days_began(self):
        customer = make_scored(age=30)
        days_go_by(6)
        second = rescored(customer, age=60)
        days_go_by(2)
        rescored(customer, age=45)
        assert before() == {customer.pk: pytest.approx(customer.churn_risk_score)}
        days_go_by(6)
        assert before() == {customer.pk: second}

    def test_none_where_no_score_was_stored_within_them(self):
        customer = customer_of_last_month()
        assert before() == {customer.pk: None}

    def test_the_first_score_of_a_customer_who_came_within_them(self):
        customer = make_scored(age=30)
        rescored(customer, age=60)
        rescored(customer, age=61)
        assert before() == {customer.pk: customer.churn_risk_score}

    def test_it_is_that_of_the_overview_after_any_life(self):
        pick = random.Random(11)
        for _ in range(40):
            make_scored(**random_fields(pick))
        days_go_by(8)
        began = known()
        live_on(pick, began)
        now = scores()
        assert {pk: now[pk] if score is None else score for pk, score in before().items() if pk in now} == {
            pk: began[pk] for pk in now
        }

    def test_where_history_is_kept_for_less_that_many_days_count(self, settings):
        settings.HISTORY_DAYS = 3
        customer = make_scored(age=30)
        days_go_by(4)
        assert before() == {customer.pk: None}


class TestSearch:
    def test_it_finds_who_has_risen_by_ten_points_or_more(self):
        much, little, fallen = customer_of_last_month(), customer_of_last_month(), customer_of_last_month(**HIGH)
        rescored(much, **HIGH)
        rescored(little, credit_score=little.credit_score + 1)
        rescored(fallen, age=30, num_of_products=2)
        assert moves.search()
        assert risen() == {much.pk}
        assert newly_critical() == {much.pk}

    def test_ten_points_are_those_that_are_shown(self):
        customer = customer_of_last_month()
        write_as_scorer(customer, churn_risk_score=0.5)
        rescored(customer, age=41)
        for score, is_found in ((0.6, True), (0.5999, True), (0.59951, True), (0.5994, False)):
            ScoreRecord.objects.filter(previous_score__isnull=False).update(previous_score=0.5)
            write_as_scorer(customer, churn_risk_score=score)
            moves.search()
            assert bool(risen()) is is_found, score

    def test_who_was_critical_when_the_days_began_is_not_newly_so(self):
        customer = customer_of_last_month(**HIGH)
        rescored(customer, age=61)
        moves.search()
        assert newly_critical() == set()

    def test_nor_is_a_customer_whose_first_score_is_critical(self):
        make_scored(**HIGH)
        moves.search()
        assert (risen(), newly_critical()) == (set(), set())

    def test_whoever_is_shown_has_risen_still(self):
        customer = customer_of_last_month()
        rescored(customer, **HIGH)
        moves.search()
        rescored(customer, age=40, num_of_products=1)
        assert (risen(), newly_critical()) == (set(), set())
        assert RecentMove.objects.exists()
        moves.search()
        assert not RecentMove.objects.exists()

    def test_nor_does_a_row_outlive_the_days(self):
        customer = customer_of_last_month()
        rescored(customer, **HIGH)
        moves.search()
        RecentMove.objects.update(until=timezone.now() - timedelta(seconds=1))
        assert (risen(), newly_critical()) == (set(), set())
        days_go_by(7)
        moves.search()
        assert not RecentMove.objects.exists()

    def test_the_days_end_when_the_first_of_their_records_leaves_them(self):
        customer = customer_of_last_month()
        rescored(customer, **HIGH)
        days_go_by(2)
        rescored(customer, age=61)
        moves.search()
        oldest = ScoreRecord.objects.filter(customer_id=customer.pk).order_by("id")[1]
        assert RecentMove.objects.get().until == oldest.scored_at + timedelta(days=7)

    def test_a_customer_who_has_objected_or_gone_is_in_no_list(self):
        objector, gone = customer_of_last_month(), customer_of_last_month()
        for customer in (objector, gone):
            rescored(customer, **HIGH)
        moves.search()
        edit(objector, objected_at=timezone.now())
        gone.delete()
        assert (risen(), newly_critical()) == (set(), set())
        moves.search()
        assert not RecentMove.objects.exists()

    def test_what_has_not_changed_is_not_written_again(self):
        customer = customer_of_last_month()
        rescored(customer, **HIGH)
        moves.search()
        place = "SELECT ctid, xmin FROM customers_recentmove"
        with connection.cursor() as cursor:
            cursor.execute(place)
            first = cursor.fetchall()
            moves.search()
            cursor.execute(place)
            assert cursor.fetchall() == first

    def test_it_is_exact_after_any_life(self):
        pick = random.Random(3)
        for _ in range(60):
            make_scored(**random_fields(pick))
        moves.search()
        days_go_by(8)
        began = known()
        live_on(pick, began)
        moves.search()
        now = scores()
        assert risen() == {pk for pk, score in now.items() if round(score - began[pk], 3) >= 0.1}
        assert newly_critical() == {pk for pk, score in now.items() if began[pk] < 0.75 <= score}
        assert len(risen()) > 5


class TestJob:
    def test_the_first_search_says_when_it_was_made(self):
        assert moves.searched_at() is None
        assert jobs.search_moves()
        assert timezone.now() - moves.searched_at() < timedelta(minutes=1)

    def test_one_that_took_long_is_not_made_again_at_once(self):
        moves.search()
        MoveSearch.objects.update(took_seconds=5.0)
        assert not jobs.search_moves()
        MoveSearch.objects.update(searched_at=timezone.now() - timedelta(seconds=101))
        assert jobs.search_moves()

    def test_one_that_was_quick_is(self):
        moves.search()
        MoveSearch.objects.update(took_seconds=0.0)
        assert jobs.search_moves()

    def test_when_time_is_up_what_was_found_before_stays(self, monkeypatch):
        customer = customer_of_last_month()
        rescored(customer, **HIGH)
        moves.search()
        at = moves.searched_at()
        monkeypatch.setattr(moves, "SEARCH", "SELECT pg_sleep(60), %(at)s, %(days)s, %(least_rise)s, %(critical)s")
        monkeypatch.setattr(moves, "PATIENCE", "20ms")
        with pytest.raises(OperationalError, match="statement timeout"):
            moves.search()
        assert risen() == {customer.pk}
        assert moves.searched_at() == at

    def test_a_search_in_vain_is_put_off_and_logged_once(self, monkeypatch, caplog):
        moves.search()
        MoveSearch.objects.update(searched_at=timezone.now() - timedelta(minutes=10), took_seconds=0.1)
        at = moves.searched_at()
        slow = "SELECT pg_sleep(60), %(at)s, %(days)s, %(least_rise)s, %(critical)s"
        with monkeypatch.context() as patched:
            patched.setattr(moves, "SEARCH", slow)
            patched.setattr(moves, "PATIENCE", "20ms")
            assert not jobs.search_moves()
            assert moves.searched_at() == at
            assert not jobs.search_moves()  # before 20 minutes have passed, not even tried
            MoveSearch.objects.update(took_seconds=0.1)
            assert not jobs.search_moves()
        assert MoveSearch.objects.get().took_seconds == pytest.approx(60, abs=3)
        MoveSearch.objects.update(took_seconds=0.1)
        assert jobs.search_moves()
        said = [record.message for record in caplog.records if "searched for" in record.message]
        assert len(said) == 2
        assert said[1] == "Risen risks are searched for again."

    def test_settings_of_the_search_end_with_it(self):
        shown = "SELECT current_setting('statement_timeout'), current_setting('work_mem')"
        with connection.cursor() as cursor:
            cursor.execute(shown)
            first = cursor.fetchone()
            moves.search()
            cursor.execute(shown)
            assert cursor.fetchone() == first


@pytest.mark.django_db(transaction=True)
def test_two_searches_at_once_are_one():
    scorer.active_model()
    make_customer()
    with turn_held(moves.TURN):
        assert not moves.search()
    assert moves.search()
