"""One word for freshness: what a person has to see comes first."""

import pytest

from events.freshness.status import Waiting, judge, reason_for_staff, why_behind


def judged(**changed):
    at_ease = {
        "pause": "",
        "has_model": True,
        "workers_running": 1,
        "waiting": Waiting(0),
        "last_drain_seconds_ago": 3.0,
        "dead_letters": 0,
        "retries_waiting": 0,
    }
    return judge(**{**at_ease, **changed}, behind_seconds=60)


STALE = {"waiting": Waiting(3, 59.0)}
OLD = {"waiting": Waiting(3, 61.0)}
CHECKING = {"waiting": Waiting(0, is_checking=True)}
PAUSE = {"pause": "Scoring is paused since noon."}
DEAD = {"dead_letters": 2}


@pytest.mark.parametrize(
    ("found", "word"),
    [
        ({}, "current"),
        (STALE, "catching up"),
        (CHECKING, "catching up"),
        ({"waiting": Waiting(0, is_more=True)}, "catching up"),
        ({"retries_waiting": 1}, "catching up"),
        (OLD, "behind"),
        (DEAD, "failing"),
        (DEAD | STALE, "failing"),
        (DEAD | OLD, "behind"),
        (PAUSE, "paused"),
        (PAUSE | OLD | DEAD, "paused"),
    ],
)
def test_the_word(found, word):
    assert judged(**found)[0] == word


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (STALE, "3 customers waiting for a score; longest wait 59 s."),
        ({"waiting": Waiting(0, is_more=True)}, "Changes are being checked."),
        ({"waiting": Waiting(5000, 59.0, is_more=True)}, "5,000+ customers waiting for a score"),
        (CHECKING, "A check of all customers for changes is due."),
        (PAUSE, "Scoring is paused since noon. No customer is waiting for a score."),
        (PAUSE | STALE, "Scoring is paused since noon. 3 customers waiting for a score; longest wait 59 s."),
        ({"dead_letters": 1}, "1 customer excluded from scoring: no score could be calculated."),
        ({"retries_waiting": 1200}, "Scoring failed for 1,200 customers; a retry is scheduled."),
        (OLD, "The last scoring run ended 3 s ago"),
        (OLD | {"last_drain_seconds_ago": None}, "No scoring run has ended yet"),
        (OLD | {"has_model": False}, "No model has been released yet"),
        (OLD | {"workers_running": 0}, "No worker is running: start one with manage.py run_worker."),
    ],
)
def test_the_reason_says_how_many_and_where_to_look(found, said):
    assert said in judged(**found)[1]


def test_it_does_not_blame_the_model_for_what_staff_have_excluded():
    model, staff = "excluded from scoring: no score could be calculated.", "1 customer excluded from scoring by staff."
    assert judged(dead_letters=1, excluded_by_staff=1)[1] == staff
    assert judged(dead_letters=3, excluded_by_staff=1)[1] == f"2 customers {model} {staff}"


def test_staff_without_a_command_line_read_whom_to_inform():
    assert reason_for_staff(why_behind(True, 0, None)) == "No worker is running. Please inform an operator."
    assert reason_for_staff(why_behind(False, 1, None)).endswith("released yet. Please inform an operator.")
    assert reason_for_staff(why_behind(True, 1, None)).endswith("has ended yet. Please inform an operator.")
    assert reason_for_staff("No customer is waiting for a score.") == "No customer is waiting for a score."
