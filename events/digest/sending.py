"""Sends the digest of the last period, once. Whatever goes wrong is written down and tried again."""

import logging

from django.conf import settings
from django.utils import timezone

from customers.conditions import Condition
from events.alerts.outbox import describe_refusal
from events.digest import email, outbox
from events.digest.period import last_finished
from events.models.digest import Digest

log = logging.getLogger("vigilpay.events")

OFF = "off"

refused = Condition(log)


def send_if_due() -> int:
    """Send the digest of the last period that is over, and earlier ones that wait; how many were taken."""
    if settings.DIGEST == OFF:
        return 0
    outbox.add(last_finished(settings.DIGEST, timezone.now()))
    number = 0
    while (digest := outbox.claim()) is not None:
        number += attempt(digest)
    return number


def attempt(digest: Digest) -> bool:
    """Whether the mail server took it."""
    try:
        email.send(digest)
    except Exception as error:  # whatever it is: the digest waits, and no other waits for it
        report_refused(digest, error)
        return False
    outbox.store_sent(digest)
    refused.end("Digests are sent again.")
    return True


def report_refused(digest: Digest, error: Exception) -> None:
    reason = describe_refusal(error)
    is_tried_again = outbox.store_refused(digest, reason)
    what = f"The {digest} was not sent (attempt {digest.attempts} of {settings.ALERT_ATTEMPTS})"
    if is_tried_again:
        refused.begin("%s, and is tried again: %s", what, reason, state=reason)
    else:
        log.warning("%s, and is given up: see Digests in the admin: %s", what, reason)
