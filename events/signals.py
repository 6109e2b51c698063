"""Signals of the customers' side: a save, on its fast way to the new score, and an import that is due."""

from time import monotonic
from typing import Any

from django.db import connections, transaction

from customers.ml_service.schema import FEATURES
from customers.models import Customer, ImportBatch, ModelProposal, ShadowRun
from events.queue import dispatch, lease

# One statement and not through the ORM: every save pays for it.
VERSION_AND_LEASE = f"SELECT version, ({lease.SECONDS_HELD}) FROM customers_customer WHERE customer_id = %s"


def customer_saved(
    sender: type[Customer], instance: Customer, created: bool, update_fields: frozenset[str] | None, **kwargs: Any
) -> None:
    """Wake a worker once this save commits, if it changed a behavioural field."""
    # raw: loaddata writes the version of the day the file was made, which proves nothing.
    if created or kwargs.get("raw"):
        after_commit = dispatch.wake
    elif update_fields is None or not update_fields.isdisjoint(FEATURES):
        # No functools.partial: Django, when it reports what a robust function raised, asks for its name.
        def after_commit() -> bool:
            return wake_if_moved(instance)
    else:
        return
    # robust: the row is marked stale already, so a queue that is out of order must not fail the edit.
    transaction.on_commit(after_commit, using=instance._state.db, robust=True)


def wake_if_moved(instance: Customer) -> bool:
    """Wake a worker if the row's version differs from the one this instance knew; the database alone can tell.

    While the lease is held there is nothing to ask: the edit has committed, so its holder will find it.

    The instance may be older than the row, so its own former values prove nothing. It learns the new version only now:
    after a rollback the row is back at the version known before, and the save may be tried again.
    """
    if lease.cache.is_held():
        return False
    asked = monotonic()
    with connections[instance._state.db or "default"].cursor() as cursor:
        cursor.execute(VERSION_AND_LEASE, [instance.pk])
        row = cursor.fetchone()
    if row is None:  # deleted since the save
        return False
    known = instance.__dict__.get("version")
    instance.version, seconds_held = row
    is_held = lease.cache.remember(asked, seconds_held)
    return instance.version != known and not is_held and dispatch.wake_unless_held()


def import_left_to_workers(sender: type[ImportBatch], **kwargs: Any) -> None:
    """Queue the job that goes on with imports. Connected to ``import_is_due``."""
    dispatch.queue_on_commit(dispatch.IMPORT_JOB)


def approval_left_to_workers(sender: type[ModelProposal], **kwargs: Any) -> None:
    """Queue the job that puts an approved model into service. Connected to ``model_is_approved``."""
    dispatch.queue_on_commit(dispatch.ACTIVATE_JOB)


def shadow_left_to_workers(sender: type[ShadowRun], **kwargs: Any) -> None:
    """Queue the job that scores in shadow. Connected to ``shadow_is_started``."""
    dispatch.queue_on_commit(dispatch.SHADOW_JOB)
