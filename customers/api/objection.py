"""A customer's objection to profiling, recorded and withdrawn by programs."""

from datetime import datetime

from django.db import connection, transaction

from customers.models import Customer
from customers.scoring.claims import hold_one


def record(customer_id: int, objected: bool) -> datetime | None:
    """Record or withdraw it; since when it stands. One that stands already keeps its time.

    Raises ``Customer.DoesNotExist``, and ``CustomerBusyError`` when an open edit holds the row.
    """
    chosen = Customer.objects.filter(pk=customer_id)
    with transaction.atomic(), connection.cursor() as cursor:
        hold_one(cursor, customer_id)
        chosen.set_objection(objected)
        return chosen.values_list("objected_at", flat=True).get()
