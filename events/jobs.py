"""What the workers run: thin functions around the rooms below. Jobs carry no values and may run at any time."""

import logging
from datetime import timedelta
from time import monotonic, sleep

from django.conf import settings
from django.utils import timezone

from customers.history import retention
from customers.import_export.uploads import steps as imports
from customers.import_export.uploads import worker as import_work
from customers.ml_service import ModelError
from customers.models import ScoringFailure
from customers.monitoring import audit, drift
from customers.portfolio.sampling import random_ids
from customers.releases import active
from customers.scoring import marks, scorer
from events.alerts import retention as alert_retention
from events.alerts import sending
from events.overview import counting
from events.queue import dispatch, lease, pause
from events.worker import drains, model_state
from events.worker.reconnect import first_asked
from events.worker.second_thread import Companion

log = logging.getLogger("vigilpay.events")

# The pause between two looks of a drain that found nothing: short, for it lasts only as long as the promise.
LOOK_PAUSE_SECONDS = 0.005
# How many customers the audit looks at, each hour: a second of work.
AUDIT_CUSTOMERS = 200

NOTHING = scorer.Batch(claimed=0)


def rescore_stale() -> int:
    """Score what is stale until nothing is, stay to look for a moment, and return the number of scores stored."""
    if first_asked(pause.keeps_from_scoring):
        return 0
    with drains.recorded() as tally:
        try:
            drain(tally)
        except active.ReleaseMovedOnError:
            dispatch.hand_over()
        except ModelError as error:
            model_state.lost(error)
    return tally.stored


def drain(tally: drains.Tally) -> None:
    """Rescore batch after batch. Returns when nothing was found after the promise, or when the time is up."""
    vigil = lease.Vigil()
    ends = monotonic() + settings.DRAIN_SECONDS
    companion = Companion(lambda: monotonic() < ends and is_full(next_batch(tally)))
    # Without a look first: the job was queued for a reason, and a changed model file is only noticed here.
    batch = tally.add(scorer.rescore_batch())
    tell(batch)
    while (look_began := monotonic()) < ends:
        if is_full(batch):
            companion.join_in()
            dispatch.call_for_help()
        stale = dispatch.anything_to_do()
        batch = next_batch(tally) if stale else NOTHING
        tell(batch)
        if batch.stored or batch.swept:
            vigil.extend()
        elif vigil.is_over(look_began):
            return companion.wait()
        else:
            sleep(LOOK_PAUSE_SECONDS)
    companion.wait()
    dispatch.hand_over()


def next_batch(tally: drains.Tally) -> scorer.Batch:
    """Rescore one batch. One that finds nobody looks for what nobody has marked."""
    batch = tally.add(scorer.rescore_batch())
    if not batch.claimed:
        marks.restore_marks()
    return batch


def tell(batch: scorer.Batch) -> None:
    """Have the alerts sent that the scores of this batch have raised."""
    if batch.stored:
        model_state.found()
        dispatch.send_if_due()


def is_full(batch: scorer.Batch) -> bool:
    """Whether there is more to do than one connection should do alone."""
    return batch.claimed >= settings.DRAIN_BATCH_ROWS


def sweep_stale() -> bool:
    """The second net, run by a schedule: notice a changed model file, and wake a worker if anything is stale."""
    try:
        active.active_model()
    except ModelError as error:
        model_state.lost(error)
        return False
    marks.restore_marks()
    return dispatch.wake_if_stale()


def look_at_everybody() -> bool:
    """The net below the marks, run by a schedule: a stale customer without a mark would be found by nothing else."""
    marks.mark_all()
    return dispatch.wake()


def go_on_with_imports() -> int:
    """The net below the imports of staff, run by a schedule: a worker may have died over one; the steps done."""
    return import_work.work_off()


def audit_sample() -> int:
    """Recompute some stored scores by scikit-learn itself; the number of wrong ones, which nobody repairs unasked."""
    try:
        return audit.audit(random_ids(AUDIT_CUSTOMERS)).wrong
    except ModelError as error:
        model_state.lost(error)
        return 0


def check_drift() -> str:
    """Hold the customers against those of the training; what a person should know, or nothing."""
    try:
        return drift.check().warning
    except drift.NothingToCompareError as error:
        log.info("Drift was not looked for: %s", error)
        return ""


def send_alerts() -> int:
    """Send the messages on alerts that are due; the number of those that were taken."""
    return sending.send_what_is_due()


def count_overview() -> bool:
    """Count what the overview shows, unless that was done just now. Run by a schedule, and when somebody looks."""
    return counting.count_if_due()


def prune_history(after_record: int = 0) -> int:
    """Delete what is older than the settings keep, run by a schedule; the number of scores deleted.

    As a drain it ends by its own time limit and queues its successor, so that no job comes near django-q2's timeout.
    The only job with a value: where the one before has stopped. Should it get lost, the next day begins anew.
    """
    drains.prune()
    ScoringFailure.objects.forget_former_lives()
    imports.forget_imports(timezone.now() - timedelta(days=settings.IMPORT_DAYS))
    before = timezone.now() - timedelta(days=settings.HISTORY_DAYS)
    alert_retention.prune(before)
    pruned = retention.prune_history(before, after_record=after_record, seconds=settings.DRAIN_SECONDS)
    if pruned.go_on_after is not None:
        dispatch.go_on_pruning(pruned.go_on_after)
    return pruned.records
