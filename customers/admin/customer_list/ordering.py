"""Customers by risk or by value at risk, those without a score last, both ways round and by one index for each."""

from collections.abc import Sequence
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.expressions import BaseExpression, Combinable, OrderBy

Ordering = str | BaseExpression | Combinable

# Without a score, customers have neither.
OF_SCORED = ("churn_risk_score", "value_at_risk")
FALLING = {field: F(field).desc(nulls_last=True) for field in OF_SCORED}
RISING = {field: F(field).asc(nulls_last=True) for field in OF_SCORED}
# In expressions that no index has: where few rows are to be sorted.
UNINDEXED: dict[Any, OrderBy] = {
    **{FALLING[field]: OrderBy(F(field) + 0, descending=True, nulls_last=True) for field in OF_SCORED},
    **{RISING[field]: OrderBy(F(field) + 0, nulls_last=True) for field in OF_SCORED},
}


def unscored_last(ordering: Sequence[Ordering]) -> list[Ordering]:
    """Django's own descending order puts rows without a score on top; here they come last, both ways round.

    Where an index has the first field it has the rest of the order, too: whatever else came in between would have to be
    sorted, and many customers have a value at risk of 0.
    """
    first = ordering[0]
    if isinstance(first, str) and first.removeprefix("-") in OF_SCORED:
        is_falling = first.startswith("-")
        return [FALLING[first[1:]], "-pk"] if is_falling else [RISING[first], "pk"]
    return [*ordering]


def is_by_risk(customers: QuerySet[Any]) -> bool:
    """Whether the queryset is in the order of risk, either way round."""
    return customers.query.order_by[:1] in ((FALLING["churn_risk_score"],), (RISING["churn_risk_score"],))


def ids_of_page(customers: QuerySet[Any], start: int, stop: int, *, are_few: bool) -> list[int]:
    """The ids from ``start`` to ``stop`` in the order of the queryset, found in the way that is fast for it.

    Of few matches all are found and sorted: walking the whole portfolio in order until the last of them
    has come is what PostgreSQL would do if it took them for many. Of many matches the next one is never far.
    """
    ordering = customers.query.order_by
    if are_few:
        return _ids(customers.order_by(*(UNINDEXED.get(field, field) for field in ordering)), start, stop)
    rising = next((field for field, order in RISING.items() if ordering[:1] == (order,)), None)
    return _rising(customers, rising, start, stop) if rising else _ids(customers, start, stop)


def _rising(customers: QuerySet[Any], field: str, start: int, stop: int) -> list[int]:
    """By the index read backwards: of the scored alone, the same order."""
    scored = customers.filter(**{f"{field}__isnull": False}).order_by(F(field).asc(nulls_first=True), "pk")
    found = _ids(scored, start, stop)
    if len(found) == stop - start:
        return found
    before = start + len(found) if found else scored.order_by().count()
    unscored = customers.filter(**{f"{field}__isnull": True}).order_by("pk")
    return found + _ids(unscored, max(0, start - before), stop - before)


def _ids(customers: QuerySet[Any], start: int, stop: int) -> list[int]:
    return list(customers.values_list("pk", flat=True)[start:stop])
