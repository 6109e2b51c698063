"""The list without customers who have objected to profiling: they are few, and an index has them."""

from typing import Any

from django.db.models import QuerySet, Value

from customers.models import Customer

# The mark of a list without them. It is not narrowed down by that: nearly all customers are still there.
MARK = "without_objectors"


def without_objectors(customers: QuerySet[Any]) -> QuerySet[Any]:
    """By their ids and not by the column, which the index of the risk lacks: each row would be read for it."""
    objectors = Customer.objects.filter(objected_at__isnull=False).values("pk")
    found: QuerySet[Any] = customers.exclude(pk__in=objectors).alias(**{MARK: Value(True)})
    return found


def is_narrowed(customers: QuerySet[Any]) -> bool:
    """Whether staff have narrowed the list down."""
    return len(customers.query.where.children) > (MARK in customers.query.annotations)
