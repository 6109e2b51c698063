"""Wrong set-ups of the event engine, found before they lose an edit."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  Django's own name
from django.db import connections

from events.queue.dispatch import OUR_BROKER
from events.queue.lease import LEASE_SECONDS
from events.triggers.definitions import STAMP
from events.triggers.installation import differences, migrated
from events.triggers.sql import CUSTOMERS


@register(Tags.database)
def triggers_are_as_declared(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Compare the installed triggers with those declared: presence, body, condition, and whether they fire."""
    return [message for alias in databases or () if migrated(alias) for message in differences(alias)]


# Of this kind PostgreSQL fires by name, as bytes.
BEHIND_OURS = """
SELECT tgname FROM pg_trigger
WHERE tgrelid = %s::regclass AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 19 = 19 AND tgname > %s
ORDER BY tgname
"""


@register(Tags.database)
def the_stamp_is_last(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """What another trigger changes behind the stamp is noticed, but by one more UPDATE, with the owner's rights."""
    found: list[CheckMessage] = []
    for alias in filter(migrated, databases or ()):
        with connections[alias].cursor() as cursor:
            cursor.execute(BEHIND_OURS, [CUSTOMERS, STAMP.name])
            found += [
                Warning(
                    f"Trigger {name} on {CUSTOMERS} fires behind {STAMP.name}: rows that it changes are written twice.",
                    hint=f"Give it a name that sorts before {STAMP.name}.",
                    id="events.W002",
                )
                for (name,) in cursor.fetchall()
            ]
    return found


@register()
def broker_listens(**kwargs: Any) -> list[CheckMessage]:
    """django-q2's own brokers work, but are not notified of edits made outside Django."""
    if settings.Q_CLUSTER.get("broker_class") == OUR_BROKER:
        return []
    return [
        Warning(
            "The broker is not events.broker.ListenBroker: edits in plain SQL wait for the next sweep.",
            hint="Remove VIGILPAY_BROKER from the environment, unless a minute is soon enough.",
            id="events.W001",
        )
    ]


@register()
def drains_fit_between_a_lease_and_a_stall(**kwargs: Any) -> list[CheckMessage]:
    """Each of the three must be longer than the one before it, or the worker never rests, or is killed at work."""
    if LEASE_SECONDS < settings.DRAIN_SECONDS < settings.STALL_SECONDS:
        return []
    return [
        Error(
            f"VIGILPAY_DRAIN_SECONDS is {settings.DRAIN_SECONDS:g}: scoring runs never end unless it is more than "
            f"{LEASE_SECONDS:g}, and are stopped unless it is less than VIGILPAY_STALL_SECONDS.",
            hint="Set VIGILPAY_STALL_SECONDS to twice VIGILPAY_DRAIN_SECONDS: a last batch may begin late.",
            id="events.E002",
        )
    ]
