"""Digests that wait: one row for each period, claimed before anything is sent, as messages on alerts are.

A claim counts the attempt and commits first. A worker that dies afterwards has used up an attempt; the next one begins
when the queue would have ended it. A worker that dies between the mail server's answer and its own commit has sent a
digest that is still waiting: it is sent again, under the same Message-ID. SMTP allows no more than that.
"""

from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django_q.conf import Conf

from events.alerts.outbox import GROWTH
from events.digest.period import Period
from events.models.digest import Digest

# After the first attempt, and at most: seven attempts take most of a day.
FIRST_PAUSE = timedelta(minutes=15)
LONGEST_PAUSE = timedelta(hours=4)
# Later it is of no use, as when digests were off meanwhile.
EXPIRES_AFTER = timedelta(days=2)
EXPIRED = "Not sent by its last attempt, or within two days."
NOT_KEPT = "The scores of its first days are no longer kept: VIGILPAY_HISTORY_DAYS."


def add(period: Period) -> None:
    """Have the digest of this period sent, unless it was added before."""
    Digest.objects.bulk_create([Digest(kind=period.kind, first_day=period.first_day)], ignore_conflicts=True)


def claim() -> Digest | None:
    """The next one that is due, one attempt older; None when none is.

    The attempt is committed when this returns: call it outside of any transaction.
    """
    with transaction.atomic(durable=True):
        over = Q(attempts__gte=settings.ALERT_ATTEMPTS) | Q(created_at__lt=timezone.now() - EXPIRES_AFTER)
        give_up(Digest.objects.due().filter(over), EXPIRED)
        give_up(Digest.objects.due().filter(first_day__lt=first_kept_day()), NOT_KEPT)
        found = Digest.objects.due().order_by("first_day").select_for_update(skip_locked=True).first()
        if found is not None:
            found.attempts += 1
            found.due_at = timezone.now() + timedelta(seconds=2 * Conf.TIMEOUT)
            found.save(update_fields=["attempts", "due_at"])
        return found


def give_up(digests: QuerySet[Digest], error: str) -> None:
    digests.update(state=Digest.State.GIVEN_UP, ended_at=Now(), error=error)


def first_kept_day() -> date:
    """The first day whose scores the history has to the last one."""
    return timezone.localdate(timezone.now() - timedelta(days=settings.HISTORY_DAYS)) + timedelta(days=1)


def store_sent(digest: Digest) -> None:
    as_claimed(digest).update(state=Digest.State.SENT, ended_at=Now(), error="")


def store_refused(digest: Digest, error: str) -> bool:
    """Store the error, and when to try again; False when that was the last attempt."""
    if digest.attempts >= settings.ALERT_ATTEMPTS:
        give_up(as_claimed(digest), error[:500])
        return False
    pause = min(FIRST_PAUSE * GROWTH ** (digest.attempts - 1), LONGEST_PAUSE)
    as_claimed(digest).update(due_at=timezone.now() + pause, error=error[:500])
    return True


def as_claimed(digest: Digest) -> QuerySet[Digest]:
    """The row, unless it was claimed again since."""
    return Digest.objects.waiting().filter(pk=digest.pk, attempts=digest.attempts)


def try_again(digests: QuerySet[Digest]) -> int:
    """Begin anew with those that were given up, and whose scores are still kept; how many these were."""
    return digests.filter(state=Digest.State.GIVEN_UP, first_day__gte=first_kept_day()).update(
        state=Digest.State.WAITING, attempts=0, created_at=Now(), due_at=Now(), ended_at=None
    )


def prune_digests(before: datetime) -> int:
    """Delete those that ended before; how many."""
    return Digest.objects.filter(ended_at__lt=before).delete()[0]
