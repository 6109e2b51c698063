"""The poll: three facts, none of which counts customers."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from events.queue import dispatch, pause
from tests.factories import forget_marks, lose_all_marks, make_customer, make_failure, make_scored

pytestmark = pytest.mark.django_db


def test_in_an_empty_database_there_is_nothing_to_do():
    assert not dispatch.anything_to_do()


def test_a_mark_is_something_to_do():
    make_customer()
    assert dispatch.anything_to_do()


def test_so_are_marks_lost_in_a_crash():
    lose_all_marks()
    assert dispatch.anything_to_do()


@pytest.mark.parametrize(("seconds", "due"), [(-1, True), (60, False), (None, False)])
def test_so_is_a_failed_customer_who_is_due_and_no_other(seconds, due):
    customer = make_scored()
    forget_marks()
    make_failure(customer, retry_at=None if seconds is None else Now() + timedelta(seconds=seconds))
    assert dispatch.anything_to_do() is due


def test_while_scoring_is_paused_nothing_is():
    make_customer()
    pause.pause()
    assert not dispatch.anything_to_do()
