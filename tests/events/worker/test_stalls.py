"""Alive or not, judged by what changes before our eyes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from events.worker.heartbeat import START_SECONDS, Heartbeats, StallDetector

STALL = 10.0
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)  # a clock that is years behind ours makes no difference


def healthy(second):
    moment = LONG_AGO + timedelta(seconds=second)
    return Heartbeats(looked_at=moment, guarded_at=moment, claimed_at=None, acknowledged_at=LONG_AGO)


def faults(facts_of_second, seconds):
    """What is found at each second at which something is."""
    detector = StallDetector(STALL, now=0.0)
    found = {
        second: detector.check_heartbeats(facts_of_second(second), float(second)) for second in range(1, seconds + 1)
    }
    return {second: fault for second, fault in found.items() if fault}


def test_a_cluster_with_heartbeats_is_alive_for_ever():
    assert faults(healthy, 500) == {}


@pytest.mark.parametrize(("part", "word"), [("looked_at", "pusher"), ("guarded_at", "sentinel")])
def test_a_part_that_falls_silent_is_a_stall_once_the_time_is_up(part, word):
    found = faults(lambda second: replace(healthy(second), **{part: LONG_AGO}), 15)
    assert min(found) == 1 + STALL + 1
    assert word in found[min(found)]


def test_a_claim_without_an_acknowledgement_is_a_stall_whichever_of_the_three_is_to_blame():
    found = faults(lambda second: replace(healthy(second), claimed_at=LONG_AGO), 15)
    assert min(found) == 1 + STALL + 1
    assert "acknowledged none" in found[min(found)]


def test_jobs_that_follow_each_other_are_none():
    def busy(second):
        return replace(healthy(second), claimed_at=LONG_AGO + timedelta(seconds=second - second % 7))

    assert faults(busy, 100) == {}


def test_a_cluster_that_starts_has_more_time_for_its_first_look_and_its_first_job():
    found = faults(lambda second: Heartbeats(), int(START_SECONDS) + 5)
    assert min(found) == START_SECONDS + 1
    compiling = faults(lambda second: replace(healthy(second), claimed_at=LONG_AGO, acknowledged_at=None), 100)
    assert compiling == {}


@pytest.mark.parametrize("part", ["looked_at", "guarded_at"])
def test_starting_is_no_standstill_until_the_first_job_is_done(part):
    """Under load it looks once, and then waits for processors that others have."""

    def slow(second):
        acknowledged = LONG_AGO if second > 60 else None
        return replace(healthy(second), **{part: LONG_AGO}, acknowledged_at=acknowledged)

    assert min(faults(slow, 100)) == 61 + STALL + 1


def test_a_row_that_was_lost_and_comes_back_is_no_stall():
    assert faults(lambda second: Heartbeats() if 20 < second < 23 else healthy(second), 60) == {}


def test_what_could_not_be_seen_is_forgiven():
    detector = StallDetector(STALL, now=0.0)
    detector.check_heartbeats(healthy(1), 1.0)
    for second in range(2, 100):
        detector.forgive(float(second))
    assert detector.check_heartbeats(healthy(1), 100.0) == ""


def test_when_the_supervisor_itself_stood_still_the_cluster_is_not_blamed():
    detector = StallDetector(STALL, now=0.0)
    detector.check_heartbeats(healthy(1), 1.0)
    assert detector.check_heartbeats(healthy(1), 3600.0) == ""


def test_steady_is_a_cluster_that_has_done_work_and_lived_longer_than_a_stall():
    detector = StallDetector(STALL, now=0.0)
    detector.check_heartbeats(Heartbeats(), 1.0)
    assert not detector.is_steady(STALL + 1)
    detector.check_heartbeats(healthy(2), 2.0)
    assert not detector.is_steady(STALL)
    assert detector.is_steady(STALL + 1)
