"""What the workers run: thin functions around the rooms below. Jobs carry no values and may run at any time."""

import logging
from time import monotonic, sleep

from django.conf import settings

from customers import claims, releases, scoring
from customers.ml_service import ModelError
from events import dispatch, drains, look, pause, watch

log = logging.getLogger("vigilpay.events")

# A drain ends after this time and queues its successor, so that no job comes near django-q2's timeout.
DRAIN_SECONDS = 20.0
# The pause between two looks of a drain that found nothing: short, for it lasts only as long as the promise.
LOOK_PAUSE_SECONDS = 0.005
# The same when what it found can't be scored now, since somebody's open edit holds it.
STUCK_PAUSE_SECONDS = 0.05
# How long rows simply stay stale when the model can't be used, before somebody tries again.
BROKEN_MODEL_SECONDS = 4.0

NOTHING = scoring.Batch(claimed=0)


def rescore_stale() -> int:
    """Score what is stale until nothing is, stay to look for a moment, and return the number of scores stored."""
    if pause.is_paused():
        return 0
    with drains.recorded() as tally:
        try:
            drain(tally)
        except ModelError as error:
            log.error("No customer can be scored, edits go on: %s", error)
            watch.promise(BROKEN_MODEL_SECONDS)
    return tally.stored


def drain(tally: drains.Tally) -> None:
    """Rescore batch after batch. Returns when nothing was found after the promise, or when the time is up."""
    vigil = watch.Vigil()
    ends = monotonic() + DRAIN_SECONDS
    claims.restore_marks()
    # Without a look first: the job was queued for a reason, and a changed model file is only noticed here.
    batch = scoring.rescore_batch()
    tally.add(batch)
    while (look_began := monotonic()) < ends:
        stale = look.anything_to_do()
        batch = rescore_next(batch) if stale else NOTHING
        tally.add(batch)
        if batch.stored:
            vigil.extend()
        elif vigil.is_over(look_began):
            return
        else:
            sleep(STUCK_PAUSE_SECONDS if stale else LOOK_PAUSE_SECONDS)
    dispatch.hand_over()


def rescore_next(last: scoring.Batch) -> scoring.Batch:
    """The next batch; before it, what a batch that found nobody has to make sure of, or a full one to ask for."""
    if not last.claimed:
        claims.restore_marks()
    elif last.claimed >= settings.DRAIN_BATCH_ROWS:
        dispatch.call_for_help()
    return scoring.rescore_batch()


def sweep_stale() -> bool:
    """The second net, run by a schedule: notice a changed model file, and wake a worker if anything is stale."""
    try:
        releases.active_model()
    except ModelError as error:
        log.error("No customer can be scored, edits go on: %s", error)
        return False
    claims.restore_marks()
    return dispatch.wake_if_stale()
