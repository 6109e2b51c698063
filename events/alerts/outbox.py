"""Messages that wait: whether there are any, which is the next, and what became of them.

A claim counts the attempt and commits before anything is sent. That commit waits for the disk, as those of the scorer
do not: an alert that a message was sent on is never lost in a crash and raised anew. A worker that claims and dies has
used up an attempt; no other worker tries before the queue would have ended that one.
"""

from datetime import datetime, timedelta
from math import inf
from smtplib import SMTPException

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django_q.conf import Conf

from customers import turns
from customers.sql import execute, fetch_row
from events.models.alerts import Alert, AlertQuerySet, Delivery


class DeliveryError(Exception):
    """Why a message was not taken, in words for staff; holds no secret."""


def describe_refusal(error: Exception) -> str:
    """For staff and logs. What is not known to be harmless is named only: it may quote an address that is a secret, or
    customers' values."""
    if not isinstance(error, DeliveryError | SMTPException | OSError):
        return type(error).__name__
    return " ".join(f"{type(error).__name__}: {error}".split())


# A message is cut at so many alerts, an e-mail at none: it names a few and counts the rest.
WEBHOOK_ALERTS = 500
# So many waiting messages become one at most: one statement, and one list of ids.
FOLDED_AT_ONCE = 5000
# Retries come after pauses that grow so many times.
GROWTH = 4
# How long a job that was queued to send may take to start before another is queued, and after its start.
CALL_SECONDS = 30.0
REST_SECONDS = 1.0

ANYTHING_DUE = "SELECT EXISTS (SELECT FROM events_delivery WHERE state = 'waiting' AND due_at <= clock_timestamp())"
ANNOUNCE = """
INSERT INTO events_messenger (id, called_until) VALUES (1, clock_timestamp() + make_interval(secs => %s))
ON CONFLICT (id) DO UPDATE SET called_until = excluded.called_until
WHERE events_messenger.called_until < clock_timestamp()
    OR events_messenger.called_until > clock_timestamp() + interval '1 minute'
RETURNING id
"""
BEGUN = "UPDATE events_messenger SET called_until = clock_timestamp() + make_interval(secs => %s)"
# One claims at a time, so that nothing is folded into two messages. It takes a millisecond.
TURN = "alerts"


def anything_due() -> bool:
    """Whether a message could be sent now; some 0.1 ms, whatever the number of alerts."""
    return bool(fetch_row(ANYTHING_DUE)[0])


def announce_job() -> bool:
    """Say that a job which sends is about to be queued; False when one was a moment ago."""
    return fetch_row(ANNOUNCE, [CALL_SECONDS]) is not None


def report_begun() -> None:
    """Say that a job has begun to send: what it does not see, another may be queued for soon."""
    execute(BEGUN, [REST_SECONDS])


def claim() -> Delivery | None:
    """The next message, one attempt older, with everything folded into it that it reports; None when none is due.

    The attempt is committed when this returns: call it outside of any transaction.
    """
    with transaction.atomic(durable=True):
        turns.wait_for(TURN)
        # Those whose last attempt ended with its worker.
        Delivery.objects.due().filter(attempts__gte=settings.ALERT_ATTEMPTS).update(
            state=Delivery.State.GIVEN_UP, ended_at=Now(), error="The worker ended before the message was sent."
        )
        due = Delivery.objects.due().order_by("due_at", "id").select_for_update()
        while (delivery := due.first()) is not None:
            if (not_before := next_moment(delivery)) is None:
                return begin(delivery)
            untried_like(delivery).update(due_at=not_before)
        return None


def next_moment(delivery: Delivery) -> datetime | None:
    """The moment before which another e-mail of this rule would come too soon after the last; None when none would."""
    if delivery.attempts or delivery.channel != Delivery.Channel.EMAIL:
        return None
    former = Delivery.objects.filter(rule=delivery.rule_id, channel=delivery.channel)
    last: datetime | None = former.aggregate(last=Max("first_tried_at"))["last"]
    not_before = last and last + timedelta(seconds=settings.ALERT_DIGEST_SECONDS)
    return not_before if not_before and not_before > timezone.now() else None


def untried_like(delivery: Delivery) -> QuerySet[Delivery]:
    """It and those of the same rule and channel that were never tried."""
    return Delivery.objects.waiting().filter(rule=delivery.rule_id, channel=delivery.channel, attempts=0)


def begin(delivery: Delivery) -> Delivery:
    if not delivery.attempts:
        delivery.alerts += fold_into(delivery)
        delivery.first_tried_at = timezone.now()
    delivery.attempts += 1
    delivery.due_at = timezone.now() + timedelta(seconds=2 * Conf.TIMEOUT)
    delivery.save(update_fields=["alerts", "first_tried_at", "attempts", "due_at"])
    return delivery


def fold_into(delivery: Delivery) -> int:
    """Have it report what others would; of how many alerts more that is."""
    untried = untried_like(delivery).exclude(pk=delivery.pk).order_by("id").values_list("id", "alerts")
    room = WEBHOOK_ALERTS if delivery.channel == Delivery.Channel.WEBHOOK else inf
    keys, total = [], delivery.alerts
    for key, alerts in untried[:FOLDED_AT_ONCE]:
        if total + alerts > room:
            break
        keys.append(key)
        total += alerts
    Delivery.objects.filter(pk__in=keys).update(state=Delivery.State.FOLDED, into=delivery.pk, ended_at=Now())
    return total - delivery.alerts


def alerts_of(delivery: Delivery) -> QuerySet[Alert]:
    """All that the message reports, the first that came first; none on a customer who has objected since."""
    return raised_for(delivery).not_objected().order_by("id")


def raised_for(delivery: Delivery) -> AlertQuerySet:
    folded = Delivery.objects.filter(into=delivery.pk).values("batch")
    own = Alert.objects.filter(rule=delivery.rule_id, batch=delivery.batch)
    return own | Alert.objects.filter(rule=delivery.rule_id, batch__in=folded)


def forget_empty(delivery: Delivery) -> bool:
    """Delete a message if all whom it is about have objected since; whether they had."""
    if alerts_of(delivery).exists() or not raised_for(delivery).exists():
        return False
    return bool(as_claimed(delivery).delete()[0])


def store_sent(delivery: Delivery) -> None:
    as_claimed(delivery).update(state=Delivery.State.SENT, ended_at=Now(), error="")


def store_refused(delivery: Delivery, error: str) -> bool:
    """Store the error, and when to try again; False when that was the last attempt."""
    if delivery.attempts >= settings.ALERT_ATTEMPTS:
        as_claimed(delivery).update(state=Delivery.State.GIVEN_UP, ended_at=Now(), error=error[:500])
        return False
    pause = timedelta(seconds=settings.ALERT_RETRY_SECONDS * GROWTH ** (delivery.attempts - 1))
    as_claimed(delivery).update(due_at=timezone.now() + pause, error=error[:500])
    return True


def as_claimed(delivery: Delivery) -> QuerySet[Delivery]:
    """The row, unless it was claimed again since."""
    return Delivery.objects.waiting().filter(pk=delivery.pk, attempts=delivery.attempts)


def try_again(deliveries: QuerySet[Delivery]) -> int:
    """Begin anew with those that were given up; how many these were."""
    return deliveries.filter(state=Delivery.State.GIVEN_UP).update(
        state=Delivery.State.WAITING, attempts=F("attempts") * 0, due_at=Now(), ended_at=None
    )
