"""Sends the messages that are due, one after the other. Whatever goes wrong is written down and tried again."""

import logging
from collections.abc import Callable
from time import monotonic

from django.conf import settings

from customers.conditions import Condition
from events.alerts import email, outbox, webhook
from events.models.alerts import Delivery

log = logging.getLogger("vigilpay.events")

WAYS: dict[str, Callable[[Delivery], None]] = {
    Delivery.Channel.EMAIL: email.send,
    Delivery.Channel.WEBHOOK: webhook.send,
}
# A receiver that is away refuses every message, of thousands perhaps.
refused: dict[str, Condition] = {channel: Condition(log) for channel in WAYS}


def send_what_is_due() -> int:
    """Send until nothing is due, or the time is up: then the next poll finds the rest. The number of messages sent."""
    outbox.report_begun()
    ends = monotonic() + settings.DRAIN_SECONDS
    number = 0
    while monotonic() < ends and (delivery := outbox.claim()) is not None:
        number += not outbox.forget_empty(delivery) and attempt(delivery)
    return number


def attempt(delivery: Delivery) -> bool:
    """Whether the message was taken."""
    try:
        WAYS[delivery.channel](delivery)
    except Exception as error:  # whatever it is: the message waits, and no other waits for it
        report_refused(delivery, error)
        return False
    outbox.store_sent(delivery)
    refused[delivery.channel].end("Messages on alerts are taken again (%s).", delivery.channel)
    return True


def report_refused(delivery: Delivery, error: Exception) -> None:
    reason = outbox.describe_refusal(error)
    is_tried_again = outbox.store_refused(delivery, reason)
    attempts = f"attempt {delivery.attempts} of {settings.ALERT_ATTEMPTS}"
    what = f"The message {delivery.pk} on alerts was not taken ({attempts})"
    if is_tried_again:
        refused[delivery.channel].begin("%s, it will be tried again: %s", what, reason, state=reason)
    else:
        log.warning("%s, it is given up: see Messages in the admin: %s", what, reason)
