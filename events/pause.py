"""Pause and resume of scoring, for everybody who works on this database."""

from django.db import connection

from events import dispatch
from events.models import Pause

IS_PAUSED = "SELECT EXISTS (SELECT FROM events_pause)"


def pause(by: str = "", reason: str = "") -> Pause:
    """Stop scoring before the next batch of any drain. Who was first keeps the word."""
    return Pause.objects.get_or_create(pk=1, defaults={"by": by, "reason": reason})[0]


def resume() -> bool:
    """Go on with scoring; False when it was not paused."""
    deleted, _models = Pause.objects.all().delete()
    dispatch.wake()
    return bool(deleted)


def current() -> Pause | None:
    """The pause that is on, if any."""
    return Pause.objects.first()


def is_paused() -> bool:
    """Whether jobs are to leave the customers alone."""
    with connection.cursor() as cursor:
        cursor.execute(IS_PAUSED)
        return bool(cursor.fetchone()[0])
