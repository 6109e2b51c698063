"""Times are those of the bank's own zone, written in one way."""

from datetime import UTC, date, datetime

import pytest
from django.utils import timezone
from django.utils.formats import date_format

from customers.presentation.durations import format_day, format_time

AT = datetime(2026, 11, 25, 23, 9, 41, tzinfo=UTC)


def test_a_time_is_of_the_zone_of_the_bank():
    assert format_time(AT) == "25 Nov 2026, 23:09"
    assert format_time(AT, seconds=True) == "25 Nov 2026, 23:09:41"
    with timezone.override("Europe/Berlin"):
        assert format_time(AT) == "26 Nov 2026, 00:09"
        assert format_day(AT) == "26 Nov 2026"


def test_a_day_has_no_zone():
    with timezone.override("Asia/Tokyo"):
        assert format_day(date(2026, 1, 3)) == "3 Jan 2026"


@pytest.mark.parametrize("month", range(1, 13))
def test_django_itself_writes_the_same(month):
    at = AT.replace(month=month)
    assert date_format(timezone.localtime(at), "DATETIME_FORMAT") == format_time(at)
    assert date_format(at.date(), "DATE_FORMAT") == format_day(at.date())
