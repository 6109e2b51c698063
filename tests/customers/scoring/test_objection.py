"""Customers who have objected to being scored: no drain, request, sweep or retry finds them."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from customers.models import Customer, RescoreRequest, ScoreRecord, ScoringFailure
from customers.monitoring import audit
from customers.scoring import failures, marks, requests, scorer
from customers.scoring.claims import CustomerObjectedError
from events.queue import dispatch
from tests.factories import edit, forget_marks, make_customer, make_failure, make_scored, mark_as, rescore

pytestmark = pytest.mark.django_db


@pytest.fixture
def objector():
    customer = make_scored()
    edit(customer, objected_at=Now())
    forget_marks()
    return customer


def causes(customer):
    return list(ScoreRecord.objects.filter(customer_id=customer.pk).order_by("id").values_list("cause", flat=True))


def test_a_mark_that_is_left_is_harmless(objector):
    for kind in (marks.LIVE, marks.LARGE, marks.PASSED, marks.RESTING, marks.FOUND):
        mark_as(kind, [objector.pk])
    other = make_customer()
    assert scorer.rescore_batch().stored == 1
    assert scorer.rescore_batch().claimed == 0
    assert (causes(objector), causes(other)) == (["analyze"], ["created"])
    assert not dispatch.anything_to_do()


def test_a_sweep_passes_by(objector):
    marks.mark_all()
    while marks.sweep():
        pass
    assert not dispatch.anything_to_do()


def test_analyze_is_refused_and_writes_nothing(objector):
    with pytest.raises(CustomerObjectedError, match=f"Customer {objector.pk} has objected"):
        scorer.analyze(objector.pk)
    assert causes(objector) == ["analyze"]


def test_a_request_from_before_is_dropped(objector):
    asked = make_scored()
    requests.request_rescoring(Customer.objects.filter(pk=asked.pk))
    edit(asked, objected_at=Now())
    assert scorer.rescore_batch().stored == 0
    assert not RescoreRequest.objects.exists()
    assert not dispatch.anything_to_do()


def test_no_new_request_is_taken_and_staff_can_exclude_nothing_more(objector):
    assert requests.request_rescoring(Customer.objects.all()) == 0
    assert requests.give_up(Customer.objects.all(), "set aside by clerk") == 0


def test_a_failure_of_an_objector_is_forgotten_when_it_is_due():
    customer = make_customer()
    scorer.active_model()
    make_failure(customer, retry_at=timezone.now() - timedelta(seconds=1))
    edit(customer, objected_at=Now())
    forget_marks()
    assert dispatch.anything_to_do()
    assert not ScoringFailure.objects.of_present_life().exists()
    marks.restore_marks()
    assert not ScoringFailure.objects.exists()
    assert not dispatch.anything_to_do()


def test_a_dead_letter_goes_with_the_daily_job_and_requeueing_finds_none():
    customer = make_customer()
    scorer.active_model()
    make_failure(customer)
    edit(customer, objected_at=Now())
    assert failures.requeue() == 0
    assert ScoringFailure.objects.forget_former_lives() == 1


def test_the_audit_neither_counts_nor_misses_one(objector):
    report = audit.audit(mend=False)
    assert (report.audited, report.unmarked) == (0, 0)


def test_the_first_score_after_a_withdrawal_continues_the_history(objector):
    edit(objector, age=70)
    edit(objector, objected_at=None)
    rescore(objector)
    assert causes(objector) == ["analyze", "resumed"]
    first, again = ScoreRecord.objects.filter(customer_id=objector.pk).order_by("id")
    assert (again.previous_score, again.version) == (first.score, 4)
    assert again.stale_since is not None


def test_one_who_was_never_scored_is_created_by_it():
    customer = make_customer(objected_at=timezone.now())
    edit(customer, objected_at=None)
    rescore(customer)
    assert causes(customer) == ["created"]
