"""Whether scoring is paused, since when, by whom and why. ``events/queue/pause.py`` begins and ends a pause."""

from datetime import datetime

from django.db import connection

from customers.models import Pause

IS_PAUSED = "SELECT EXISTS (SELECT FROM events_pause)"


def current() -> Pause | None:
    """The pause that is on, if any."""
    return Pause.objects.first()


def is_paused() -> bool:
    """Whether jobs are to leave the customers alone."""
    with connection.cursor() as cursor:
        cursor.execute(IS_PAUSED)
        return bool(cursor.fetchone()[0])


def notice() -> str:
    """The pause that is on, in words for a person; empty when there is none."""
    found = current()
    return in_words(found.since, found.by, found.reason) if found else ""


def in_words(since: datetime, by: str, reason: str) -> str:
    """When, who and why, as far as that is known, as one sentence."""
    who, why = by and f" by {by}", reason and f": {reason.rstrip('.')}"
    return f"Scoring is paused since {since:%Y-%m-%d %H:%M} UTC{who}{why}."
