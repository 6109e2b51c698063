"""Customers by what staff type into the search box: an id, an external ID, or the beginning of a surname."""

from typing import Any

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Collate, Concat, Upper

from customers.admin.lookups import is_number, typed_id
from customers.models import Customer

LAST_CHARACTER = "\U0010ffff"


def search(customers: QuerySet[Any], typed: str) -> QuerySet[Any]:
    """Digits are an id, looked up by the key; an external ID counts when it is typed whole."""
    term = typed.strip()
    if not term:
        return customers
    known = list(Customer.objects.filter(external_id=term).values_list("pk", flat=True))
    if is_number(term):
        customer_id = typed_id(term)
        return customers.filter(pk__in=known if customer_id is None else [customer_id, *known])
    # Whatever the case of its letters. A range in the order of C is found by an index in every locale, LIKE is not.
    first = Upper(Value(term))
    keyed = customers.alias(surname_key=Collate(Upper(F("surname")), "C"))
    by_name = Q(surname_key__gte=first, surname_key__lt=Concat(first, Value(LAST_CHARACTER)))
    found: QuerySet[Any] = keyed.filter(by_name | Q(pk__in=known) if known else by_name)
    return found
