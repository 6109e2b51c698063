"""What lasts is told when it begins, when it changes and when it ends, by whichever process notices it first."""

import logging
import os
import warnings

import pytest

from customers.conditions import Condition
from tests.others import together

log = logging.getLogger("vigilpay.test")


@pytest.fixture
def condition():
    return Condition(log)


def test_a_beginning_is_told_once(condition, caplog):
    for _ in range(5):
        condition.begin("%s is %s", "The model", "broken")
    assert caplog.messages == ["The model is broken"]
    assert condition.is_on


def test_another_reason_is_told_and_the_first_one_again_when_it_comes_back(condition, caplog):
    for reason in ("missing", "missing", "broken", "missing"):
        condition.begin("The model is %s", reason)
    assert caplog.messages == ["The model is missing", "The model is broken", "The model is missing"]


def test_texts_of_one_state_count_as_one(condition, caplog):
    for attempt in range(3):
        condition.begin("Attempt %s failed", attempt, state="failing")
    assert caplog.messages == ["Attempt 0 failed"]


def test_an_end_is_told_once_and_only_of_what_began(condition, caplog):
    condition.end("It works again")
    condition.begin("It is broken")
    for _ in range(2):
        condition.end("It works again")
    assert caplog.messages == ["It is broken", "It works again"]
    assert not condition.is_on


def test_the_level_is_that_of_the_caller(condition, caplog):
    condition.begin("It is broken", level=logging.ERROR)
    condition.end("It works again")
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]


def test_it_knows_for_how_long_it_has_been_so(condition):
    condition.begin("It is broken")
    assert 0 <= condition.seconds < 60


@pytest.mark.parametrize("times", range(3))
def test_threads_that_notice_it_at_once_tell_it_once(condition, caplog, times):
    together(*[lambda: condition.begin("It is broken")] * 8)
    assert caplog.messages == ["It is broken"]


def in_a_fork(work):
    """As django-q2 makes its workers; what the child returns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads; the child only runs `work`
        child = os.fork()
    if child == 0:
        os._exit(0 if work() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_processes_that_come_and_go_have_it_in_common(condition, caplog):
    assert in_a_fork(lambda: condition.begin("It is broken") or condition.is_on)
    condition.begin("It is broken")
    assert caplog.messages == []  # the child has told it
    condition.end("It works again")
    assert in_a_fork(lambda: not condition.is_on)
    assert caplog.messages == ["It works again"]


def test_a_process_that_was_killed_in_its_turn_holds_up_no_other(condition, caplog):
    condition._turn.acquire()
    condition.begin("It is broken")
    assert caplog.messages == ["It is broken"]
