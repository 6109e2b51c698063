"""Whether scoring is paused, since when, who paused it and why. ``events/queue/pause.py`` begins and ends a pause."""

from datetime import datetime

from customers.models import Pause
from customers.presentation.durations import format_time
from customers.sql import fetch_row

IS_PAUSED = "SELECT EXISTS (SELECT FROM events_pause)"


def current() -> Pause | None:
    """The pause that is on, if any."""
    return Pause.objects.first()


def is_paused() -> bool:
    """Whether jobs are to leave the customers alone."""
    return bool(fetch_row(IS_PAUSED)[0])


def notice() -> str:
    """The pause that is on, as a sentence; empty when there is none."""
    found = current()
    return describe_pause(found.since, found.by, found.reason) if found else ""


def describe_pause(since: datetime, by: str, reason: str) -> str:
    """When, who and why, as far as that is known, as one sentence."""
    who, why = by and f" by {by}", reason and f": {reason.rstrip('.')}"
    return f"Scoring has been paused since {format_time(since)}{who}{why}."
