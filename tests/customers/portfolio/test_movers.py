"""Who has moved most, against what was noted of all when the time began."""

import random
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from customers.models import Customer, ScoreRecord
from customers.portfolio import movers
from customers.portfolio.movers import MOST, Mover, Movers
from customers.scoring import scorer
from tests.factories import edit, make_customer, make_scored, random_fields

pytestmark = pytest.mark.django_db


def found() -> list[Movers]:
    with connection.cursor() as cursor:
        return movers.movers(cursor, timezone.now())


def rescored(customer, **fields):
    """Edited and scored again; the new score."""
    edit(customer, **fields)
    return scorer.analyze(customer.pk)


def days_go_by(days):
    ScoreRecord.objects.update(scored_at=F("scored_at") - timedelta(days=days))


def known():
    """The last score of each customer, of those who have left the table, too."""
    return dict(ScoreRecord.objects.order_by("id").values_list("customer_id", "score"))


def scores():
    return dict(Customer.objects.filter(churn_risk_score__isnull=False).values_list("pk", "churn_risk_score"))


def expected(began):
    """The movers, by what was noted of each and what is in the rows now."""
    now = scores()
    moved = [Mover(pk, began[pk], score) for pk, score in now.items() if score != began[pk]]
    rises = [one for one in moved if one.after > one.before]
    falls = [one for one in moved if one.after < one.before]
    rises.sort(key=lambda one: (one.before - one.after, one.customer_id))
    falls.sort(key=lambda one: (one.after - one.before, one.customer_id))
    return len(rises), len(falls), rises[:MOST], falls[:MOST]


def test_without_history_no_customer_has_moved():
    assert found() == [Movers(1, 0, 0, [], []), Movers(7, 0, 0, [], [])]


def test_a_customer_with_a_first_score_came_and_did_not_move():
    make_scored()
    assert [(window.risen, window.fallen) for window in found()] == [(0, 0), (0, 0)]


def test_a_customer_who_came_and_moved_since_began_with_the_first_score():
    customer = make_scored(age=30)
    first = customer.churn_risk_score
    last = rescored(customer, age=60)
    assert [window.risers + window.fallers for window in found()] == [[Mover(customer.pk, first, last)]] * 2


def test_a_move_is_from_the_score_at_the_beginning_of_the_time_to_the_present_one():
    customer = make_scored(age=30)
    first = customer.churn_risk_score
    days_go_by(6)
    second = rescored(customer, age=60)
    days_go_by(2)
    third = rescored(customer, age=45)
    day, week = found()
    (of_day,) = day.risers + day.fallers
    (of_week,) = week.risers + week.fallers
    assert of_day == Mover(customer.pk, second, third)
    assert of_week == Mover(customer.pk, first, third)


def test_there_and_back_again_is_no_move():
    customer = make_scored(age=30)
    days_go_by(2)
    rescored(customer, age=60)
    rescored(customer, age=30)
    assert (found()[0].risen, found()[0].fallen) == (0, 0)


def test_who_has_left_the_table_is_no_mover_and_who_comes_back_began_with_the_score_known_before():
    customer = make_scored(age=30)
    customer_id, before = customer.pk, customer.churn_risk_score
    days_go_by(2)
    rescored(customer, age=60)
    customer.delete()
    assert found()[0].risen == found()[0].fallen == 0
    back = make_scored(customer_id=customer_id, age=50)
    assert found()[0].risers == [Mover(customer_id, before, back.churn_risk_score)]


def test_a_week_of_which_less_is_kept_is_called_what_it_is(settings):
    settings.HISTORY_DAYS = 3
    assert [window.days for window in found()] == [1, 3]
    settings.HISTORY_DAYS = 1
    assert [window.days for window in found()] == [1]


def test_settings_of_the_search_end_with_it():
    with connection.cursor() as cursor:
        cursor.execute("SHOW work_mem")
        before = cursor.fetchone()
        movers.movers(cursor, timezone.now())
        cursor.execute("SHOW work_mem")
        assert cursor.fetchone() == before


def test_it_is_exact_after_any_mixture_of_edits_deletes_inserts_and_scores():
    pick = random.Random(7)
    for _ in range(60):
        make_scored(**random_fields(pick))
    days_go_by(5)
    of_week = known()
    live_on(pick, of_week)
    days_go_by(4)
    of_day = known()
    live_on(pick, of_week, of_day)
    day, week = found()
    assert (day.risen, day.fallen, day.risers, day.fallers) == expected(of_day)
    assert (week.risen, week.fallen, week.risers, week.fallers) == expected(of_week)
    assert max(week.risen, week.fallen) > MOST


def live_on(pick, *ledgers):
    """A random life of the portfolio. Each ledger keeps what every customer began with."""
    for _ in range(80):
        customer = pick.choice(list(Customer.objects.all()))
        fate = pick.random()
        if fate < 0.7:
            note(ledgers, customer.pk, rescored(customer, **random_fields(pick)))
        elif fate < 0.8:
            edit(customer, **random_fields(pick))  # and still stale at the end
        elif fate < 0.9:
            Customer.objects.filter(pk=customer.pk).delete()
            if pick.random() < 0.6:
                make_customer(customer_id=customer.pk, **random_fields(pick))
        else:
            came = make_scored(**random_fields(pick))
            note(ledgers, came.pk, came.churn_risk_score)


def note(ledgers, customer_id, score):
    for began in ledgers:
        began.setdefault(customer_id, score)


def test_a_customer_who_has_objected_is_none():
    customer = make_scored(age=30)
    days_go_by(0.5)
    rescored(customer, age=80)
    assert found()[0].risen + found()[0].fallen == 1
    edit(customer, objected_at=timezone.now())
    assert [(window.risen, window.fallen) for window in found()] == [(0, 0), (0, 0)]


def test_figures_from_before_an_objection_can_be_shown_without_that_customer():
    moves = [Mover(1, 0.1, 0.5), Mover(2, 0.1, 0.4)]
    shown = Movers(1, 2, 2, moves, moves[::-1]).without({1})
    assert (shown.risers, shown.fallers, shown.risen) == (moves[1:], moves[1:], 2)
