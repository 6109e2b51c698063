"""Customers by risk, those without a score last, both ways round and by the one index that scores have to keep."""

from typing import Any

from django.db.models import F, QuerySet
from django.db.models.expressions import BaseExpression, Combinable, OrderBy

Ordering = str | BaseExpression | Combinable

SCORE = "churn_risk_score"
FALLING = F(SCORE).desc(nulls_last=True)
RISING = F(SCORE).asc(nulls_last=True)
# The index read backwards: of the scored alone, the same order as RISING.
RISING_BY_INDEX = (F(SCORE).asc(nulls_first=True), "pk")


def unscored_last(field: Ordering) -> Ordering:
    """Django's own descending order puts rows without a score on top; here they come last, both ways round."""
    return {SCORE: RISING, f"-{SCORE}": FALLING}.get(field, field) if isinstance(field, str) else field


def ids_of_page(customers: QuerySet[Any], start: int, stop: int, *, are_few: bool) -> list[int]:
    """The ids from ``start`` to ``stop`` in the order of the queryset, found in the way that is fast for it.

    Of few matches all are found and sorted: walking the whole portfolio in the order of risk until the last of them
    has come is what PostgreSQL would do if it took them for many. Of many matches the next one is never far.
    """
    ordering = customers.query.order_by
    if are_few:
        return _ids(customers.order_by(*map(_without_index, ordering)), start, stop)
    return _rising(customers, start, stop) if ordering[:1] == (RISING,) else _ids(customers, start, stop)


def _rising(customers: QuerySet[Any], start: int, stop: int) -> list[int]:
    scored = customers.filter(churn_risk_score__isnull=False).order_by(*RISING_BY_INDEX)
    found = _ids(scored, start, stop)
    if len(found) == stop - start:
        return found
    before = start + len(found) if found else scored.order_by().count()
    unscored = customers.filter(churn_risk_score__isnull=True).order_by("pk")
    return found + _ids(unscored, max(0, start - before), stop - before)


def _ids(customers: QuerySet[Any], start: int, stop: int) -> list[int]:
    return list(customers.values_list("pk", flat=True)[start:stop])


def _without_index(field: Any) -> Any:
    """The same order by an expression that no index has."""
    if field not in (FALLING, RISING):
        return field
    return OrderBy(F(SCORE) + 0.0, descending=field.descending, nulls_last=True)
