"""Django's own edits: the fast way from a save to its new score."""

import logging
from functools import partial
from typing import Any

from django.db import transaction

from customers.ml_service.schema import FEATURES
from customers.models import Customer
from events import dispatch

log = logging.getLogger("vigilpay.events")


def customer_saved(
    sender: type[Customer], instance: Customer, created: bool, update_fields: frozenset[str] | None, **kwargs: Any
) -> None:
    """Wake a worker once this save commits, if it changed a behavioural field."""
    # raw: loaddata writes the version of the day the file was made, which proves nothing.
    if created or kwargs.get("raw") or (may_have_moved(update_fields) and has_moved(instance)):
        # robust: the row is marked stale already, so a queue that is out of order must not fail the edit.
        transaction.on_commit(dispatch.wake, robust=True)


def may_have_moved(update_fields: frozenset[str] | None) -> bool:
    """Whether the save wrote a behavioural field at all."""
    return update_fields is None or not update_fields.isdisjoint(FEATURES)


def has_moved(instance: Customer) -> bool:
    """Whether the row's version differs from the one this instance knew; the database alone can tell.

    The instance may be older than the row, so its own former values prove nothing. It learns the new version when
    that commits: after a rollback the row is back at the version known before, and the save may be tried again.
    """
    known = instance.__dict__.get("version")
    current = (
        Customer.objects.using(instance._state.db).filter(pk=instance.pk).values_list("version", flat=True).first()
    )
    if current is None or current == known:  # None: deleted by somebody else since the save
        return False
    transaction.on_commit(partial(setattr, instance, "version", current))
    return True
