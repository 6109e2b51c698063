"""Pause and resume of scoring, for everybody who works on this database."""

import logging
from datetime import datetime

from django.db import connection

from customers.conditions import Condition
from events.models.engine import Pause
from events.queue import dispatch

log = logging.getLogger("vigilpay.events")

# Jobs come by every second, and find scoring paused.
skipped = Condition(log)

IS_PAUSED = "SELECT EXISTS (SELECT FROM events_pause)"


def pause(by: str = "", reason: str = "") -> Pause:
    """Stop scoring before the next batch of any drain. Who was first keeps the word."""
    return Pause.objects.get_or_create(pk=1, defaults={"by": by[:150], "reason": reason[:500]})[0]


def resume() -> bool:
    """Go on with scoring; False when it was not paused."""
    deleted, _models = Pause.objects.all().delete()
    if deleted:
        dispatch.hand_over()  # whoever has promised to look may have found the pause, and gone
    return bool(deleted)


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


def keeps_from_scoring() -> bool:
    """As ``is_paused``, for a job: says once that nothing is scored, and once that it is again."""
    if not is_paused():
        if skipped.is_on:
            skipped.end("Scoring goes on, after %.0f s.", skipped.seconds)
        return False
    skipped.begin("%s Edits go on.", notice())
    return True
