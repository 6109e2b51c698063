"""How long contacts and worklist items are kept. What still binds the bank stays."""

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from customers.models import Contact, WorklistItem
from customers.outreach.refusals import is_superseded

# Statements are short, whatever there is to delete.
SLICE_ROWS = 5000


def old_contacts(before: datetime) -> QuerySet[Contact]:
    """Without follow-ups to come, and without the requests not to be contacted that stand: worklists go by them.

    A request goes as soon as another contact has superseded it: it would stand again once that one is gone.
    """
    is_over = Q(follow_up_on__isnull=True) | Q(follow_up_on__lt=timezone.localdate())
    is_request = Q(outcome=Contact.Outcome.NO_CONTACT)
    return Contact.objects.filter((~is_request & is_over) | (is_request & Q(is_superseded())), at__lt=before)


def old_items(before: datetime) -> QuerySet[WorklistItem]:
    return WorklistItem.objects.filter(done_at__lt=before)


def prune_outreach(before: datetime) -> int:
    """Delete contacts and finished worklist items older than that, in short transactions; how many rows it was."""
    return delete_in_slices(old_contacts(before)) + delete_in_slices(old_items(before))


def would_prune_outreach(before: datetime) -> int:
    """How many rows ``prune_outreach`` would delete."""
    return old_contacts(before).count() + old_items(before).count()


def delete_in_slices(rows: QuerySet[Any]) -> int:
    number = 0
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:SLICE_ROWS]):
        rows.model._default_manager.filter(pk__in=keys).delete()
        number += len(keys)
    return number
