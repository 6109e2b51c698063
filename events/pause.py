"""Pause and resume of scoring, for everybody who works on this database."""

import logging
from datetime import datetime
from functools import lru_cache

from django.db import connection

from events import dispatch
from events.models import Pause

log = logging.getLogger("vigilpay.events")

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


@lru_cache(maxsize=1)
def say_once(text: str) -> None:
    """Log it, unless it was the last that this process logged: jobs come by every second."""
    log.warning("%s Edits go on.", text)
