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
from customers.monitoring import audit, drift, fairness
from customers.outreach.retention import prune_outreach
from customers.portfolio import moves, snapshots
from customers.portfolio.sampling import random_ids
from customers.releases import active, proposals
from customers.scoring import marks, scorer
from customers.shadow import work as shadow
from events.alerts.retention import prune_alerts
from events.alerts.sending import send_what_is_due
from events.digest.outbox import prune_digests
from events.digest.sending import send_if_due as send_digest_if_due
from events.models.engine import Drain
from events.overview import counting
from events.queue import dispatch, lease, pause
from events.worker import drains, model_state
from events.worker.low_priority import in_low_priority
from events.worker.reconnect import with_reconnect
from events.worker.second_thread import SecondThread

log = logging.getLogger("vigilpay.events")

# The pause between two polls of a drain that found nothing: short, for it lasts only as long as the lease.
POLL_PAUSE_SECONDS = 0.005
# How many customers the audit recomputes, each hour: a second of work.
AUDIT_CUSTOMERS = 200


def rescore_stale() -> int:
    """Score what is stale until nothing is, go on polling for a moment, and return the number of scores stored."""
    if with_reconnect(pause.keeps_from_scoring):
        return 0
    with drains.recorded() as drain:
        try:
            run_drain(drain)
        except active.ReleaseMovedOnError:
            dispatch.hand_over()
        except ModelError as error:
            model_state.report_unusable(error)
    return drain.stored


def run_drain(drain: Drain) -> None:
    """Rescore batch after batch. Returns when nothing was found after the lease, or when the time is up."""
    holder = lease.LeaseHolder()
    ends = monotonic() + settings.DRAIN_SECONDS
    second = SecondThread(lambda: monotonic() < ends and is_full(next_batch(drain)))
    # Without a poll first: the job was queued for a reason, and a changed model file is only noticed here.
    batch = drains.add_batch(drain, scorer.rescore_batch())
    send_alerts_on(batch)
    while (poll_began := monotonic()) < ends:
        if is_full(batch):
            second.start()
            dispatch.queue_another_drain()
        batch = next_batch(drain) if dispatch.anything_to_do() else scorer.Batch(claimed=0)
        send_alerts_on(batch)
        if batch.stored or batch.swept:
            holder.extend()
        elif holder.is_over(poll_began):
            return second.join()
        else:
            sleep(POLL_PAUSE_SECONDS)
    second.join()
    dispatch.hand_over()


def next_batch(drain: Drain) -> scorer.Batch:
    """Rescore one batch. One that claims no customer restores lost marks."""
    batch = drains.add_batch(drain, scorer.rescore_batch())
    if not batch.claimed:
        marks.restore_marks()
    return batch


def send_alerts_on(batch: scorer.Batch) -> None:
    """Have the alerts sent that the scores of this batch have raised."""
    if batch.stored:
        model_state.report_usable()
        dispatch.send_if_due()


def is_full(batch: scorer.Batch) -> bool:
    """Whether there is more to do than one connection should do alone."""
    return batch.claimed >= settings.DRAIN_BATCH_ROWS


def sweep_stale() -> bool:
    """The second net, run by a schedule: notice another model, and wake a worker if anything is stale."""
    proposals.activate_approved()
    try:
        active.active_model()
    except ModelError as error:
        model_state.report_unusable(error)
        return False
    marks.restore_marks()
    return dispatch.anything_to_do() and dispatch.wake()


def look_at_everybody() -> bool:
    """The net below the marks, run by a schedule: a stale customer without a mark would be found by nothing else."""
    marks.mark_all()
    return dispatch.wake()


def go_on_with_imports() -> int:
    """The net below the imports of staff, run by a schedule: a worker may have died over one; the steps done."""
    return import_work.work_off()


def activate_approved() -> int:
    """Put models into service that a second person has approved; how many."""
    return proposals.activate_approved()


def score_in_shadow() -> int:
    """Score a proposed model beside the active one while nothing else is to be done; how many customers. Run by a
    schedule, and by itself as long as there is more."""
    if not shadow.anything_to_do():
        return 0
    done = in_low_priority(shadow.work_off)
    if done.more and done.scored:
        dispatch.queue(dispatch.SHADOW_JOB)
    return done.scored


def audit_sample() -> int:
    """Recompute some stored scores by scikit-learn itself; the number of wrong ones, which stay until staff ask."""
    try:
        return audit.audit(random_ids(AUDIT_CUSTOMERS)).wrong
    except ModelError as error:
        model_state.report_unusable(error)
        return 0


def check_drift() -> str:
    """Hold the customers against those of the training; what a person should know, or nothing."""
    try:
        return drift.check().warning
    except drift.NothingToCompareError as error:
        log.info("Drift was not checked: %s", error)
        return ""


def check_fairness() -> str:
    """Hold groups of customers against each other; what a person should know, or nothing."""
    try:
        return fairness.check().warning
    except fairness.NothingToCheckError as error:
        log.info("Fairness was not checked: %s", error)
        return ""


def send_alerts() -> int:
    """Send the messages on alerts that are due; the number of those that were taken."""
    return send_what_is_due()


def count_overview() -> bool:
    """Count what the overview shows, unless that was done just now. Run by a schedule, and when the page is opened.

    What was counted also says whether so many customers have come or gone that drift is to be checked before its day.
    """
    is_new = counting.count_if_due()
    if counting.drift_is_due():
        check_drift()
    return is_new


def search_moves() -> bool:
    """Find whose risk has risen within a week, for the filters of the list, at a measured pace. Run by a schedule."""
    return moves.search_if_due()


def take_snapshot() -> bool:
    """Store how the portfolio stands, once a day. Run by a schedule more often, so that a worker that was away at
    midnight takes it later."""
    return snapshots.take_snapshot()


def send_digest() -> int:
    """Send the digest of the last day or week, if one is wanted and was not sent; how many were. Run by a schedule."""
    return send_digest_if_due()


def report_refused(reason: str) -> None:
    """Stands in the queue for a job that workers do not run: ``events/queue/allowed.py``."""
    log.error("A job was refused: %s.", reason)


def prune_history(after_record: int = 0) -> int:
    """Delete what is older than the settings keep, run by a schedule; the number of scores deleted.

    As a drain it ends by its own time limit and queues its successor, so that no job comes near django-q2's timeout.
    The only job of ours with a value: where the one before has stopped. Should it get lost, the next day begins anew.
    """
    drains.prune_drains()
    ScoringFailure.objects.forget_former_lives()
    imports.forget_imports(timezone.now() - timedelta(days=settings.IMPORT_DAYS))
    before = timezone.now() - timedelta(days=settings.HISTORY_DAYS)
    prune_alerts(before)
    snapshots.prune_snapshots(before)
    prune_outreach(before)
    prune_digests(before)
    retention.prune_changes(timezone.now() - timedelta(days=settings.FEED_DAYS))
    pruned = retention.prune_history(before, after_record=after_record, seconds=settings.DRAIN_SECONDS)
    if pruned.go_on_after is not None:
        dispatch.go_on_pruning(pruned.go_on_after)
    return pruned.records
