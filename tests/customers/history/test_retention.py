"""How long history is kept: the old goes, what explains a stored score stays."""

from datetime import timedelta

import pytest
from django.utils import timezone

from customers.history import retention
from customers.history.retention import Pruned, prune_history, would_prune
from customers.models import Customer, Departure, ScoreRecord, UnscoredVersion
from customers.scoring import scorer
from tests.factories import make_customer, make_scored
from tests.others import outsider

pytestmark = pytest.mark.django_db

LONG_AGO = timedelta(days=1000)


def a_year_ago():
    return timezone.now() - timedelta(days=365)


def make_old(*records):
    ScoreRecord.objects.filter(pk__in=[record.pk for record in records]).update(scored_at=timezone.now() - LONG_AGO)


def let_them_leave(customer_id, ago=LONG_AGO):
    """As if the customer had been deleted that long ago."""
    Customer.objects.filter(pk=customer_id).delete()
    Departure.objects.filter(customer_ids=[customer_id]).update(left_at=timezone.now() - ago)


def scored_often(times, **fields):
    customer = make_scored(**fields)
    for _ in range(times - 1):
        scorer.analyze(customer.pk)
    return list(ScoreRecord.objects.filter(customer_id=customer.pk).order_by("id"))


def test_what_is_young_stays():
    scored_often(3)
    assert prune_history(a_year_ago()) == Pruned(0, 0)
    assert ScoreRecord.objects.count() == 3


def test_what_is_old_goes_except_the_newest_of_each_customer():
    one, other = scored_often(3), scored_often(2)
    make_old(*one, *other)
    assert prune_history(a_year_ago()) == Pruned(3, 0)
    assert set(ScoreRecord.objects.all()) == {one[-1], other[-1]}


def test_of_one_customer_the_last_score_stays_that_stood_when_the_kept_days_began():
    records = scored_often(4)
    make_old(*records[:2])
    prune_history(a_year_ago())
    assert list(ScoreRecord.objects.order_by("id")) == records[1:]


def test_of_a_customer_who_was_deleted_nothing_old_is_kept():
    gone, there = scored_often(2), scored_often(2)
    make_old(*gone, *there)
    let_them_leave(gone[0].customer_id)
    assert prune_history(a_year_ago()) == Pruned(3, 0)
    assert list(ScoreRecord.objects.all()) == there[1:]
    assert not Departure.objects.exists()


def test_of_one_who_was_deleted_since_the_last_score_stays_for_as_long_as_the_departure():
    gone = scored_often(2)
    make_old(*gone)
    let_them_leave(gone[0].customer_id, timedelta(days=300))
    assert prune_history(a_year_ago()) == Pruned(1, 0)
    assert list(ScoreRecord.objects.all()) == gone[1:]
    assert prune_history(timezone.now() - timedelta(days=299)) == Pruned(1, 0)
    assert not Departure.objects.exists()


def test_versions_that_were_never_scored_go_when_another_had_taken_their_place():
    customer = make_scored(age=40)
    for age in range(41, 45):
        Customer.objects.filter(pk=customer.pk).update(age=age)
    old = UnscoredVersion.objects.order_by("id")[:2]
    UnscoredVersion.objects.filter(pk__in=list(old.values_list("pk", flat=True))).update(
        edited_at=timezone.now() - LONG_AGO
    )
    assert prune_history(a_year_ago()) == Pruned(0, 1)
    assert sorted(UnscoredVersion.objects.values_list("age", flat=True)) == [42, 43]


def test_or_when_their_customer_had_left():
    gone = make_customer(age=40)
    Customer.objects.filter(pk=gone.pk).delete()
    UnscoredVersion.objects.update(edited_at=timezone.now() - LONG_AGO)
    assert prune_history(a_year_ago()) == Pruned(0, 0)
    let_them_leave(gone.pk)
    assert prune_history(a_year_ago()) == Pruned(0, 1)


def test_it_goes_slice_by_slice_to_the_same_end(monkeypatch):
    monkeypatch.setattr(retention, "SLICE_ROWS", 2)
    records = [record for _ in range(3) for record in scored_often(3)]
    make_old(*records)
    assert prune_history(a_year_ago()) == Pruned(6, 0)
    assert ScoreRecord.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_an_interruption_loses_one_slice_at_most(monkeypatch):
    """Each commits by itself, so that nothing is held for long: others see it gone."""
    monkeypatch.setattr(retention, "SLICE_ROWS", 2)
    make_old(*scored_often(5))
    prune_slice = retention.prune_slice

    def interrupted(statement, before, after):
        if after:
            raise KeyboardInterrupt
        return prune_slice(statement, before, after)

    monkeypatch.setattr(retention, "prune_slice", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prune_history(a_year_ago())
    with outsider() as psql:
        assert psql.execute("SELECT count(*) FROM customers_scorerecord").fetchone() == (3,)


def test_when_its_time_is_up_it_says_where_to_go_on(monkeypatch):
    monkeypatch.setattr(retention, "SLICE_ROWS", 2)
    records = scored_often(5)
    make_old(*records)
    first = prune_history(a_year_ago(), seconds=0)
    assert first == Pruned(2, 0, go_on_after=records[1].pk)
    assert prune_history(a_year_ago(), after_record=first.go_on_after) == Pruned(2, 0)
    assert list(ScoreRecord.objects.all()) == [records[-1]]


def test_to_count_first_changes_nothing_and_counts_right():
    gone, there = scored_often(3), scored_often(3)
    make_old(*gone, *there)
    let_them_leave(gone[0].customer_id)
    before = a_year_ago()
    counted = would_prune(before)
    assert ScoreRecord.objects.count() == 6
    assert counted == prune_history(before) == Pruned(5, 0)
