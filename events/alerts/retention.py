"""How long alerts and messages are kept. What is not acknowledged stays."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from events.models.alerts import Alert, Delivery

SENT_DAYS = 30
# Statements are short, whatever there is to delete.
SLICE_ROWS = 5000


def prune_alerts(before: datetime) -> int:
    """Delete what was acknowledged or given up before, and what was sent for longer than its days; how many alerts."""
    sent = Delivery.objects.filter(state__in=[Delivery.State.SENT, Delivery.State.FOLDED])
    delete_in_slices(sent.filter(ended_at__lt=timezone.now() - timedelta(days=SENT_DAYS)))
    delete_in_slices(Delivery.objects.filter(state=Delivery.State.GIVEN_UP, ended_at__lt=before))
    return delete_in_slices(Alert.objects.filter(acknowledged_at__lt=before))


def delete_in_slices(rows: QuerySet[Any]) -> int:
    """How many were deleted."""
    number = 0
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:SLICE_ROWS]):
        rows.model._default_manager.filter(pk__in=keys).delete()
        number += len(keys)
    return number
