"""What the workers run: thin functions around the rooms below. Jobs carry no values and may run at any time."""

import logging
from time import monotonic, sleep

from django.conf import settings

from customers import claims, releases, scoring
from customers.ml_service import ModelError
from events import dispatch, watch

log = logging.getLogger("vigilpay.events")

# The pause between two looks of a drain that found nothing: short, for it lasts only as long as the promise.
LOOK_PAUSE_SECONDS = 0.005
# The same when what it found can't be scored now: rows that somebody's open edit holds, or that the model refuses.
STUCK_PAUSE_SECONDS = 0.05
# How long rows simply stay stale when the model can't be used, before somebody tries again.
BROKEN_MODEL_SECONDS = 4.0

NOTHING = scoring.Batch(claimed=0, stored=0)


def rescore_stale() -> int:
    """Score what is stale until nothing is, stay to look for a moment, and return the number of scores stored."""
    try:
        return drain()
    except ModelError as error:
        log.error("Scoring is paused, edits go on: %s", error)
        watch.promise(BROKEN_MODEL_SECONDS)
        return 0


def drain() -> int:
    """Rescore batch after batch. Returns when nothing was found after the promise, or when the time is up."""
    vigil = watch.Vigil()
    ends = monotonic() + settings.DRAIN_SECONDS
    # Without a look first: the job was queued for a reason, and a changed model file is only noticed here.
    batch = scoring.rescore_batch()
    stored, refused = batch.stored, batch.refused
    while (look_began := monotonic()) < ends:
        stale = claims.anything_stale()
        batch = scoring.rescore_batch(passing_over=refused) if stale else NOTHING
        stored, refused = stored + batch.stored, refused | batch.refused
        if batch.stored:
            vigil.extend()
        elif vigil.is_over(look_began):
            return stored
        else:
            sleep(STUCK_PAUSE_SECONDS if stale else LOOK_PAUSE_SECONDS)
    dispatch.hand_over()
    return stored


def sweep_stale() -> bool:
    """The second net, run by a schedule: notice a changed model file, and wake a worker if anything is stale."""
    try:
        releases.active_model()
    except ModelError as error:
        log.error("Scoring is paused, edits go on: %s", error)
        return False
    return dispatch.wake_if_stale()
