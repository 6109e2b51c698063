"""One word for freshness: what a person has to see comes first."""

import pytest

from events.freshness.status import judge


def judged(**changed):
    at_ease = {
        "pause": "",
        "has_model": True,
        "workers_running": 1,
        "waiting_count": 0,
        "oldest_waiting_age_seconds": 0.0,
        "last_drain_seconds_ago": 3.0,
        "dead_letters": 0,
        "retries_waiting": 0,
    }
    return judge(**{**at_ease, **changed}, behind_seconds=60)


STALE = {"waiting_count": 3, "oldest_waiting_age_seconds": 59.0}
OLD = {"waiting_count": 3, "oldest_waiting_age_seconds": 61.0}
PAUSE = {"pause": "Scoring is paused since noon."}
DEAD = {"dead_letters": 2}


@pytest.mark.parametrize(
    ("found", "word"),
    [
        ({}, "current"),
        (STALE, "catching up"),
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
        (STALE, "3 customers waiting, the oldest for 59.0 s."),
        (PAUSE, "Scoring is paused since noon. Nobody waits for a score."),
        (PAUSE | STALE, "Scoring is paused since noon. 3 customers waiting, the oldest for 59.0 s."),
        ({"dead_letters": 1}, "1 customer set aside"),
        ({"retries_waiting": 1200}, "1,200 customers failed and will be tried again."),
        (OLD, "The last drain ended 3 s ago"),
        (OLD | {"last_drain_seconds_ago": None}, "No drain has ended yet"),
        (OLD | {"has_model": False}, "No model has been in service yet"),
        (OLD | {"workers_running": 0}, "No worker is running."),
    ],
)
def test_the_reason_says_how_many_and_where_to_look(found, said):
    assert said in judged(**found)[1]


def test_it_does_not_blame_the_model_for_what_staff_have_excluded():
    model, staff = "the model has no answer to them.", "1 customer set aside by staff."
    assert judged(dead_letters=1, excluded_by_staff=1)[1] == staff
    assert judged(dead_letters=3, excluded_by_staff=1)[1] == f"2 customers set aside: {model} {staff}"
