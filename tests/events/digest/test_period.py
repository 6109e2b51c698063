"""The days that a digest is about."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from events.digest.period import Period, last_finished


@pytest.fixture
def berlin(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    with timezone.override("Europe/Berlin"):
        yield


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 11, 25, 23, 4, tzinfo=UTC), date(2026, 11, 24)),  # 00:04 in Berlin
        (datetime(2026, 11, 25, 23, 5, tzinfo=UTC), date(2026, 11, 25)),
        (datetime(2026, 11, 26, 22, 59, tzinfo=UTC), date(2026, 11, 25)),
    ],
)
def test_a_day_is_over_some_minutes_after_midnight_in_the_bank(berlin, at, day):
    assert last_finished("daily", at).first_day == day


@pytest.mark.parametrize(
    ("at", "monday"),
    [
        (datetime(2026, 11, 22, 23, 4, tzinfo=UTC), date(2026, 11, 9)),  # Monday, 00:04 in Berlin
        (datetime(2026, 11, 22, 23, 5, tzinfo=UTC), date(2026, 11, 16)),
        (datetime(2026, 11, 29, 12, 0, tzinfo=UTC), date(2026, 11, 16)),  # a Sunday
    ],
)
def test_a_week_is_from_monday_to_sunday(berlin, at, monday):
    week = last_finished("weekly", at)
    assert (week.first_day, week.last_day) == (monday, monday + timedelta(days=6))
    assert (week.first_day.weekday(), week.last_day.weekday()) == (0, 6)


def test_a_day_on_which_the_clock_is_changed_is_longer(berlin):
    day = Period("daily", date(2026, 10, 25))
    assert (day.ends - day.begins) == timedelta(hours=24)  # by the wall clock
    assert day.ends.astimezone(UTC) - day.begins.astimezone(UTC) == timedelta(hours=25)


def test_it_has_a_name():
    assert str(Period("daily", date(2026, 11, 25))) == "25 Nov 2026"
    assert str(Period("weekly", date(2026, 11, 16))) == "16 Nov 2026 to 22 Nov 2026"
