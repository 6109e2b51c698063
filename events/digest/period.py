"""The days that a digest is about, by the bank's clock."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils import timezone

from customers.presentation.durations import format_day
from events.models.digest import Digest

DAY = timedelta(days=1)
DAYS: dict[str, int] = {Digest.Kind.DAILY: 1, Digest.Kind.WEEKLY: 7}
# A transaction that stored a score just before midnight may commit a little later.
GRACE = timedelta(minutes=5)


@dataclass(frozen=True)
class Period:
    """A day, or a week from Monday to Sunday (ISO 8601)."""

    kind: str
    first_day: date

    @property
    def last_day(self) -> date:
        return self.first_day + (DAYS[self.kind] - 1) * DAY

    @property
    def begins(self) -> datetime:
        return start_of(self.first_day)

    @property
    def ends(self) -> datetime:
        """The first moment after it."""
        return start_of(self.last_day + DAY)

    def __str__(self) -> str:
        first = format_day(self.first_day)
        return first if self.kind == Digest.Kind.DAILY else f"{first} to {format_day(self.last_day)}"


def start_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def last_finished(kind: str, at: datetime) -> Period:
    """The newest period of this kind that is over at that moment."""
    today = timezone.localdate(at - GRACE)
    if kind == Digest.Kind.DAILY:
        return Period(kind, today - DAY)
    return Period(kind, today - (today.weekday() + 7) * DAY)
