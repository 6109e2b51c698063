"""Pause and resume of scoring, for all that work on this database."""

import logging
import os
import pwd

from customers.conditions import Condition
from customers.models import Pause
from customers.scoring.pause import is_paused, notice
from events.queue import dispatch

log = logging.getLogger("vigilpay.events")

# Jobs come by every second, and find scoring paused.
skipped = Condition(log)


def pause(by: str = "", reason: str = "") -> Pause:
    """Stop scoring before the next batch of any drain. Where it is paused already, that pause stays."""
    return Pause.objects.get_or_create(pk=1, defaults={"by": by[:150], "reason": reason[:500]})[0]


def resume() -> bool:
    """Go on with scoring; False when it was not paused."""
    deleted, _models = Pause.objects.all().delete()
    if deleted:
        dispatch.hand_over()  # the holder of the lease may have found the pause, and ended
    return bool(deleted)


def keeps_from_scoring() -> bool:
    """As ``is_paused``, for a job: logs once that nothing is scored, and once that it is again."""
    if not is_paused():
        if skipped.is_on:
            skipped.end("Scoring goes on, after %.0f s.", skipped.seconds)
        return False
    skipped.begin("%s Edits go on.", notice())
    return True


def operator_name() -> str:
    """The name of the user who gives a command, or their number where the system has none, as in some containers."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
